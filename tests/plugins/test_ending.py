import json
from pathlib import Path

import pytest

from lfcore.contracts import Stage
from lightfield.ending import fault_of_run

GOOD = {"request": "success", "plan": "success", "reconstruct_0": "success", "reconstruct_1": "success"}


def test_a_run_whose_tasks_all_succeeded_has_no_fault(tmp_path: Path) -> None:
    assert fault_of_run({**GOOD, "report": "success"}, str(tmp_path)) is None


def test_a_lost_slice_is_named_with_what_its_record_says(tmp_path: Path) -> None:
    (tmp_path / "failures" / "reconstruct").mkdir(parents=True)
    (tmp_path / "failures" / "reconstruct" / "1.json").write_text(json.dumps({"message": "the lens fell off"}))
    fault = fault_of_run({**GOOD, "reconstruct_1": "failed", "report": "success"}, str(tmp_path))
    assert fault == "1 task(s) failed (reconstruct_1); reconstruct_1: the lens fell off"


@pytest.mark.parametrize("content", [None, "", "[]", "{}"])
def test_a_record_that_cannot_be_read_hides_no_failure(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "failures" / "plan").mkdir(parents=True)
        (tmp_path / "failures" / "plan" / "0.json").write_text(content)
    states = {"request": "success", "plan": "failed", "report": "upstream_failed"}
    assert fault_of_run(states, str(tmp_path)) == "1 task(s) failed (plan); not run for that: report"


@pytest.mark.parametrize("report", ["skipped", "removed", None])
def test_a_run_that_a_user_ended_between_two_tasks_is_no_success(tmp_path: Path, report: str | None) -> None:
    fault = fault_of_run({**GOOD, Stage.REPORT: report}, str(tmp_path))
    assert fault is not None
    assert "ended by a user before its report" in fault
