"""How far a run has come, against runs made by hand and clocks set by hand."""

import itertools
import json
import os
import time
from pathlib import Path

import pytest

from lfcore.contracts import RunPaths, Stage
from lfcore.io import store
from lfcore.stages.watch import Prices, quarantine, rate_per_second, residuals, watch
from tests.page.make_run import SECONDS_A_FRAME, Recipe, failure, make_run

NOW = 1_800_000_000.0


@pytest.mark.parametrize("place", ["local", "s3"])
def test_counts_of_a_run_half_done(place: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    root = f"{tmp_path}/run" if place == "local" else f"{request.getfixturevalue('s3_bucket')}/some/run"
    run = make_run(root, Recipe(shape=(12, 5, 20, 24), done=7, aside=(2, 5), clock=NOW))
    # What is being written, and what others have left, is not counted.
    store.write_bytes(f"{run.root}/done/reconstruct/.abc.part", b"{")
    store.write_bytes(f"{run.root}/done/reconstruct/notes.txt", b"x")
    found = watch(run, now=NOW)
    assert (found.frames.total, found.frames.done, found.frames.quarantined, found.frames.to_go) == (12, 5, 2, 5)
    counts = {stage.stage: (stage.items, stage.done, stage.quarantined, stage.to_go) for stage in found.stages}
    assert counts == {
        "normalise": (12, 10, 2, 0),
        "calibrate": (1, 1, 0, 0),
        "transforms": (5, 5, 0, 0),
        "reconstruct": (12, 5, 0, 7),
        "report": (1, 0, 0, 1),
    }
    assert [stage.failed_jobs for stage in found.stages] == [0, 0, 0, 1, 0]
    assert [failed.message for failed in found.failures] == [failure()["message"]]
    assert found.failures[0].slice == 3
    assert not found.failures[0].permanent


def test_rate_time_left_and_cost(tmp_path: Path) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(12, 5, 20, 24), done=7, aside=(2, 5), clock=NOW))
    found = watch(run, Prices(0.5, 2.0), now=NOW)
    frames = found.stages[3]
    # One frame every 6 s, by one job.
    assert frames.items_per_minute == pytest.approx(60 / SECONDS_A_FRAME)
    assert frames.seconds_left == pytest.approx(7 * SECONDS_A_FRAME)
    assert found.seconds_left == pytest.approx(8 * SECONDS_A_FRAME)
    assert frames.job_seconds == pytest.approx(5 * 6.5)
    assert found.cost.gpu_job_hours == pytest.approx(5 * 6.5 / 3600)
    assert found.cost.cpu_job_hours == pytest.approx((10 + 1 + 5) * 6.5 / 3600)
    assert found.cost.dollars == pytest.approx(2.0 * 5 * 6.5 / 3600 + 0.5 * 16 * 6.5 / 3600)
    assert watch(run, now=NOW).cost.dollars is None
    assert watch(run, Prices(0.5, None), now=NOW).cost.dollars is None
    # Half an hour later nothing has come.
    later = watch(run, now=NOW + 1800).stages[3]
    assert later.items_per_minute is None
    assert later.seconds_left is None


@pytest.mark.parametrize(
    ("times", "now", "item_seconds", "still_going", "expected"),
    [
        ([], 0.0, 6.0, True, None),
        # The first item of one job that takes 60 s an item.
        ([60.0], 60.0, 60.0, True, 1 / 60),
        # 300 jobs that began together have each done one item of 6 s.
        ([6.0] * 300, 6.0, 6.0, True, 50.0),
        # One a second for an hour: the last ten minutes count.
        ([float(second) for second in range(3600)], 3599.0, 1.0, True, 1.0),
        # It was twice as slow until twenty minutes ago.
        ([2.0 * step for step in range(1200)] + [2400.0 + step for step in range(1200)], 3599.0, 1.0, True, 1.0),
        # Resumed after a pause of an hour, two jobs at work on 10 s items.
        ([0.0, 10.0, 3610.0, 3610.0, 3620.0, 3620.0], 3620.0, 10.0, True, 0.2),
        # Nothing for ten minutes.
        ([0.0, 10.0, 20.0], 620.0, 10.0, True, None),
        # It ended a day ago; its rate is that of its time.
        ([0.0, 10.0, 20.0], 90000.0, 10.0, False, 0.1),
        # Items of ten minutes: eleven minutes of silence are no pause.
        ([600.0, 1200.0], 1860.0, 600.0, True, 2 / 1860),
        # A clock that is behind the storage's.
        ([100.0, 110.0], 108.0, 10.0, True, 0.1),
    ],
)
def test_the_rate(
    times: list[float], now: float, item_seconds: float, still_going: bool, expected: float | None
) -> None:
    found = rate_per_second(times, now, item_seconds, still_going)
    assert found == (expected if expected is None else pytest.approx(expected, rel=0.02))


def test_a_run_that_is_not_planned_yet(tmp_path: Path) -> None:
    found = watch(RunPaths(f"{tmp_path}/nothing"))
    assert found.record is None
    assert found.frames.total == found.frames.done == 0
    assert found.seconds_left is None
    assert quarantine(RunPaths(f"{tmp_path}/nothing"), 0, 10) == (0, [])
    assert residuals(RunPaths(f"{tmp_path}/nothing")).curves == []


def test_a_frame_done_after_all_is_not_counted_twice(tmp_path: Path) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(12, 5, 20, 24), done=7, aside=(2, 5)))
    store.write_bytes(run.quarantine(Stage.NORMALISE, "frame_000003"), b'{"error": "of an earlier attempt"}')
    found = watch(run)
    assert (found.frames.done, found.frames.quarantined, found.frames.to_go) == (5, 2, 5)


def test_quarantine_by_pages(tmp_path: Path) -> None:
    recipe = Recipe(shape=(30, 3, 20, 24), done=2, aside=tuple(range(3, 24)))
    run = make_run(f"{tmp_path}/run", recipe)
    total, rows = quarantine(run, 5, 10)
    assert total == 21
    assert [row.id for row in rows] == [f"frame_{frame:06d}" for frame in range(8, 18)]
    assert all(row.stage == "normalise" and "no light at all" in row.error for row in rows)
    assert quarantine(run, 20, 10)[1][0].id == "frame_000023"
    assert quarantine(run, 21, 10) == (21, [])


def test_residuals_of_many_frames_are_thinned(tmp_path: Path) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(200, 2, 8, 8), done=200, aside=()))
    found = residuals(run)
    frames = [frame for frame, _ in found.curves]
    assert found.frames_done == 200
    assert len(frames) == 40
    assert (frames[0], frames[-1]) == (0, 199)
    assert max(later - earlier for earlier, later in itertools.pairwise(frames)) <= 6
    record = json.loads(store.read_bytes(run.done(Stage.RECONSTRUCT, "frame_000199")))
    assert found.curves[-1][1] == record["residuals"]
    assert found.median == pytest.approx(sorted(found.curves, key=lambda one: one[1])[20][1], abs=0.003)


def test_records_that_are_none_do_no_harm(tmp_path: Path) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(6, 2, 8, 8), done=4, aside=()))
    for frame, content in enumerate((b"", b"[]", b'{"seconds": "x", "residuals": [null]}')):
        store.write_bytes(run.done(Stage.RECONSTRUCT, f"frame_{frame:06d}"), content)
    store.write_bytes(run.failure(Stage.PLAN, 0), b"\xff")
    assert watch(run).frames.done == 4
    assert [frame for frame, _ in residuals(run).curves] == [3]


def test_ten_thousand_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(f"{tmp_path}/run", Recipe(shape=(10_000, 2, 8, 8), done=0, aside=()))
    for stage in (Stage.NORMALISE, Stage.RECONSTRUCT):
        for frame in range(10_000):
            path = Path(run.done(stage, f"frame_{frame:06d}"))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"seconds": 6.0, "preparation_seconds": 0.5}')
            os.utime(path, (NOW - 10_000 + frame, NOW - 10_000 + frame))
    started = time.perf_counter()
    found = watch(run, now=NOW)
    with capsys.disabled():
        print(f"\nwatch: 2 x 10,000 records in {time.perf_counter() - started:.2f} s")
    assert found.frames.done == 10_000
    assert found.stages[3].job_seconds == pytest.approx(65_000)
