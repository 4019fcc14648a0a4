"""Skip, record, set aside, interrupt and resume, with a toy stage."""

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lfcore.contracts import RunPaths, Stage, WorkItem
from lfcore.errors import DataError, SettingsError, TemporaryError, UsageError
from lfcore.io import store
from lfcore.stages import runner
from lfcore.stages.progress import Progress

TOY = Path(__file__).with_name("toy_stage.py")


class Toy:
    """A stage that writes its frame's number, counts its calls, and refuses the frames in ``bad``."""

    def __init__(self, run: RunPaths, bad: Sequence[int] = ()) -> None:
        self.run, self.bad = run, bad
        self.prepared, self.calls, self.seen = 0, list[int](), list[Progress]()

    def __call__(self, items: Sequence[WorkItem], stage: Stage = Stage.NORMALISE) -> runner.Outcome:
        def prepare(pulse: runner.Pulse) -> runner.Do:
            self.prepared += 1
            return self.do

        return runner.process(self.run, stage, items, prepare, self.seen.append)

    def do(self, item: WorkItem) -> runner.Record:
        self.calls.append(item["frame"])
        if item["frame"] in self.bad:
            raise DataError(f"frame {item['frame']}: is bad")
        path = self.run.normalised(item["frame"])
        store.write_bytes(path, b"%d" % item["frame"])
        return {"outputs": [path], "value": 7}


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(RunPaths(f"{tmp_path}/run"))


def _items(run: RunPaths, count: int = 4, version: str = "a", stage: Stage = Stage.NORMALISE) -> list[WorkItem]:
    return [
        {"stage": str(stage), "run": run.root, "id": f"frame_{n:06d}", "hash": f"{version}{n}", "frame": n}
        for n in range(count)
    ]


def test_what_is_done_is_not_done_again(toy: Toy) -> None:
    items = _items(toy.run)
    assert toy(items) == runner.Outcome(done=4)
    assert toy(items) == runner.Outcome(skipped=4)
    assert toy.calls == [0, 1, 2, 3]
    assert toy.prepared == 1
    record = json.loads(Path(toy.run.done(Stage.NORMALISE, "frame_000002")).read_text())
    said = {"hash": "a2", "outputs": ["normalised/frame_000002.tif"], "value": 7, "attempt": 1}
    assert said.items() <= record.items()
    assert record["seconds"] >= 0
    assert record["peak_memory_bytes"] > 1 << 20


def test_other_inputs_or_a_missing_output_mean_doing_it_again(toy: Toy) -> None:
    toy(_items(toy.run))
    items = _items(toy.run)
    items[1]["hash"] = "new"
    Path(toy.run.normalised(3)).unlink()
    assert toy(items) == runner.Outcome(done=2, skipped=2)
    assert toy.calls[4:] == [1, 3]


def test_a_run_that_was_moved_is_still_done(toy: Toy, tmp_path: Path) -> None:
    toy(_items(toy.run))
    Path(toy.run.root).rename(tmp_path / "moved")
    moved = Toy(RunPaths(f"{tmp_path}/moved"))
    assert moved(_items(toy.run)) == runner.Outcome(skipped=4)


def test_a_bad_frame_is_set_aside_and_the_others_go_on(toy: Toy) -> None:
    toy.bad = [1]
    assert toy(_items(toy.run)) == runner.Outcome(done=3, quarantined=1)
    record = json.loads(Path(toy.run.quarantine(Stage.NORMALISE, "frame_000001")).read_text())
    assert record["error"] == "frame 1: is bad"
    assert record["item"]["frame"] == 1
    assert not Path(toy.run.done(Stage.NORMALISE, "frame_000001")).exists()
    assert [progress.note for progress in toy.seen if progress.note] == ["frame_000001 set aside: frame 1: is bad"]


def test_a_frame_that_was_set_aside_is_tried_again(toy: Toy) -> None:
    toy.bad = [1]
    toy(_items(toy.run))
    toy.bad = []
    assert toy(_items(toy.run)) == runner.Outcome(done=1, skipped=3)
    assert not Path(toy.run.quarantine(Stage.NORMALISE, "frame_000001")).exists()


def test_a_frame_that_has_become_bad_leaves_no_older_result(toy: Toy) -> None:
    toy(_items(toy.run))
    toy.bad = [1]
    toy(_items(toy.run, version="b"))
    assert not Path(toy.run.normalised(1)).exists()
    assert not Path(toy.run.done(Stage.NORMALISE, "frame_000001")).exists()
    assert Path(toy.run.normalised(2)).exists()


def test_a_stage_that_all_frames_need_ends_with_its_error(toy: Toy) -> None:
    toy.bad = [1]
    with pytest.raises(DataError, match=r"frame 1: is bad"):
        toy(_items(toy.run, stage=Stage.CALIBRATE), Stage.CALIBRATE)
    assert toy.calls == [0, 1]
    assert Path(toy.run.quarantine(Stage.CALIBRATE, "frame_000001")).exists()


def test_other_errors_end_any_stage_and_set_nothing_aside(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(item: WorkItem) -> runner.Record:
        raise TemporaryError("disk full")

    monkeypatch.setattr(toy, "do", full)
    with pytest.raises(TemporaryError):
        toy(_items(toy.run))
    assert not Path(toy.run.root, "quarantine").exists()
    assert not Path(toy.run.root, "done").exists()


def test_what_an_earlier_stage_set_aside_is_said_downstream(toy: Toy) -> None:
    toy.bad = [1]
    toy(_items(toy.run))
    runner.require_frame(toy.run, Stage.NORMALISE, "frame_000000", "a0")
    with pytest.raises(DataError, match=r"^normalise: frame 1: is bad"):
        runner.require_frame(toy.run, Stage.NORMALISE, "frame_000001", "a1")
    with pytest.raises(UsageError, match="run 'lfcore normalise'"):
        runner.require_frame(toy.run, Stage.NORMALISE, "frame_000009", "a9")
    for frame in range(2):
        with pytest.raises(UsageError, match="as it is planned now"):
            runner.require_frame(toy.run, Stage.NORMALISE, f"frame_00000{frame}", "of another input")


def test_a_record_cannot_reach_out_of_the_run(toy: Toy, tmp_path: Path) -> None:
    toy(_items(toy.run, 1))
    precious = tmp_path / "precious"
    precious.write_text("x")
    place = Path(toy.run.done(Stage.NORMALISE, "frame_000000"))
    place.write_text(json.dumps(json.loads(place.read_text()) | {"outputs": ["../precious"]}))
    toy.bad = [0]
    with pytest.raises(SettingsError, match="free of"):
        toy(_items(toy.run, 1, version="b"))
    assert precious.exists()


def test_records_in_an_object_store(s3_bucket: str) -> None:
    toy = Toy(RunPaths(f"{s3_bucket}/runs/one"), bad=[2])
    assert toy(_items(toy.run)) == runner.Outcome(done=3, quarantined=1)
    assert toy(_items(toy.run)) == runner.Outcome(skipped=3, quarantined=1)


def _start(run: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, str(TOY), run], text=True, stderr=subprocess.PIPE)


def _frames_done(run: str) -> list[str]:
    return Path(run, "calls.txt").read_text().split() if Path(run, "calls.txt").exists() else []


def test_sigterm_ends_with_75_and_the_rest_is_done_next_time(tmp_path: Path) -> None:
    run = f"{tmp_path}/run"
    process = _start(run)
    while len(_frames_done(run)) < 5:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    assert "run the same command again" in errors
    assert _start(run).wait(60) == 0
    _assert_whole(run, kills=1)


def test_killed_ten_times_at_random_moments(tmp_path: Path) -> None:
    run, generator = f"{tmp_path}/run", random.Random(20261122)
    for _ in range(10):
        process = _start(run)
        before = len(_frames_done(run))
        while process.poll() is None and len(_frames_done(run)) == before:
            time.sleep(0.001)
        time.sleep(generator.uniform(0, 0.05))
        process.kill()
        process.communicate()
    assert _start(run).wait(60) == 0
    _assert_whole(run, kills=10)


def _assert_whole(run: str, kills: int) -> None:
    """Every output is there and whole, and no frame with a record was begun again."""
    frames = sorted(Path(run, "normalised").glob("[!.]*"))
    assert [frame.read_bytes() for frame in frames] == [b"%d" % index * 50_000 for index in range(60)]
    again = len(_frames_done(run)) - 60
    assert 0 <= again <= kills
    assert len(list(Path(run, "done", "normalise").glob("*.json"))) == 60
