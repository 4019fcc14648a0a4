import json
from dataclasses import replace
from pathlib import Path

import pytest

from lfcore.contracts import RunPaths, Stage
from lightfield.ledger import Record, State
from lightfield.outcomes import Traces, settled, traces_of

RUNNING = Record("/d/fish", "s", State.RUNNING, 1, run="/d/runs/x", run_id="nightly__x")
BAD = {"stage": "plan", "permanent": True, "message": "dark.tif: not found\n"}
PASSING = {"stage": "transforms", "permanent": False, "message": "lost"}
REPORT = {"stage": "report", "permanent": True, "message": "1 frame was left out"}


@pytest.mark.parametrize(
    ("airflow", "traces", "expected"),
    [
        ("success", Traces(), (State.DONE, False, "")),
        ("success", Traces(failures=(PASSING,), asked_for=True), (State.DONE, False, "")),
        ("failed", Traces(failures=(BAD,), asked_for=True), (State.FAILED, True, "dark.tif: not found")),
        ("failed", Traces(failures=(PASSING, BAD), asked_for=True), (State.FAILED, True, "dark.tif: not found")),
        ("failed", Traces(failures=(PASSING,), asked_for=True), (State.FAILED, False, "lost")),
        ("failed", Traces(), (State.FAILED, False, "it failed without saying why; see its run")),
        ("failed", Traces((REPORT,), True, reported=True), (State.FAILED, True, "1 frame was left out")),
        (None, Traces(asked_for=True, reported=True), (State.DONE, False, "")),
        (None, Traces(asked_for=True), (State.FAILED, False, "Airflow no longer knows its run")),
        (None, Traces(), (State.RUNNING, False, "")),
    ],
)
def test_how_an_attempt_ended(airflow: str | None, traces: Traces, expected: tuple[State, bool, str]) -> None:
    found = settled(RUNNING, airflow, traces)
    assert (found.state, found.permanent, found.message) == expected
    assert replace(found, state=State.RUNNING, permanent=False, message="") == RUNNING


def test_frames_that_were_set_aside_are_a_remark() -> None:
    found = settled(RUNNING, "failed", Traces((REPORT,), True, reported=True, quarantined=True))
    assert found.state is State.DONE
    assert "frames were left out" in found.message
    failed_before = Traces((PASSING, REPORT), True, reported=True, quarantined=True)
    assert settled(RUNNING, "failed", failed_before).state is State.FAILED


def test_traces_are_what_the_pipeline_writes(tmp_path: Path) -> None:
    paths = RunPaths(str(tmp_path / "run"))
    assert traces_of(paths.root) == Traces()
    written = {
        paths.failure(Stage.REPORT, 0): REPORT,
        paths.failure(Stage.TRANSFORMS, 3): PASSING,
        paths.done(Stage.REPORT, "report"): {},
        paths.quarantine(Stage.NORMALISE, "frame_000001"): {},
        paths.items(Stage.PLAN): {},
    }
    for path, content in written.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(content))
    assert traces_of(paths.root) == Traces((PASSING, REPORT), True, True, True)
    Path(paths.failure(Stage.PLAN, 0)).parent.mkdir()
    Path(paths.failure(Stage.PLAN, 0)).write_text("{")
    broken = traces_of(paths.root).failures[0]
    assert broken["stage"] == "plan"
    assert "cannot be read" in broken["message"]
    assert not broken.get("permanent")


def test_traces_in_a_bucket(s3_bucket: str) -> None:
    from upath import UPath

    paths = RunPaths(f"{s3_bucket}/runs/x")
    assert traces_of(paths.root) == Traces()
    UPath(paths.failure(Stage.PLAN, 0)).write_text(json.dumps(BAD))
    UPath(paths.items(Stage.PLAN)).write_text("")
    assert traces_of(paths.root) == Traces((BAD,), asked_for=True)
