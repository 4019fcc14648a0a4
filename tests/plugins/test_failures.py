import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from lfcore.contracts import RunPaths, Stage
from lfcore.errors import SettingsError, TemporaryError
from lightfield.batch_jobs import USER_ENDED
from lightfield.failures import exit_code, explain, is_permanent, retrying_only_what_may_pass, write_failure


def described(code: int | None, reason: str = "Essential container in task exited") -> dict[str, Any]:
    """A failed job in the shape that Batch's DescribeJobs returns."""
    container: dict[str, Any] = {"logStreamName": "lightfield/default/abc"}
    if code is not None:
        container["exitCode"] = code
    return {
        "jobId": "1234",
        "status": "FAILED",
        "statusReason": reason,
        "attempts": [{"container": {"exitCode": 75}}, {"container": container, "statusReason": reason}],
        "container": container,
    }


def test_explanation_is_one_line_with_every_fact() -> None:
    text = explain(described(65), "reconstruct [frames 0-9]", ["starting", "raw/x.tif: not an image; remove it"])
    assert text == (
        "reconstruct [frames 0-9]: raw/x.tif: not an image; remove it; Batch job 1234 FAILED: exit code 65, "
        "reason 'Essential container in task exited', 2 attempt(s), log stream lightfield/default/abc, "
        "a retry cannot help"
    )


def test_a_reclaimed_host_has_no_exit_code_and_is_retried() -> None:
    job = described(None, "Host EC2 (instance i-0abc) terminated.")
    assert exit_code(job) is None
    assert not is_permanent(job)
    assert "no exit code, reason 'Host EC2 (instance i-0abc) terminated.'" in explain(job, "plan", [])


def test_a_job_that_never_started_is_explained() -> None:
    job = {"jobId": "5", "status": "FAILED", "statusReason": "Job terminated", "attempts": []}
    assert explain(job, "plan", []) == "plan: Batch job 5 FAILED: no exit code, reason 'Job terminated', 0 attempt(s)"


@pytest.mark.parametrize(
    ("code", "permanent"), [(2, True), (65, True), (78, True), (1, False), (69, False), (75, False)]
)
def test_only_bad_input_is_permanent(code: int, permanent: bool) -> None:
    assert is_permanent(described(code)) is permanent


@pytest.mark.parametrize(
    ("reason", "container_reason", "cause"),
    [
        ("Host EC2 (instance i-0abc) terminated.", None, "the host was reclaimed or lost"),
        ("Task failed to start", "CannotPullContainerError: manifest unknown", "the image cannot be pulled"),
        ("Job attempt duration exceeded timeout", None, "the job ran into its time limit"),
        ("Essential container in task exited", "OutOfMemoryError: container killed", "out of memory"),
        (USER_ENDED, None, "ended by a user"),
    ],
)
def test_what_ends_a_job_from_outside_comes_first(reason: str, container_reason: str | None, cause: str) -> None:
    job = described(137, reason)
    job["container"]["reason"] = container_reason
    assert explain(job, "plan", ["frame 7 done"]).startswith(f"plan: {cause}")
    assert not is_permanent(job)


def test_a_user_who_ends_a_job_that_exits_with_65_has_not_given_bad_data() -> None:
    assert not is_permanent(described(65, USER_ENDED))


def test_the_record_of_a_failure_says_all_of_it(tmp_path: Path) -> None:
    paths = RunPaths(str(tmp_path))
    write_failure(paths, Stage.RECONSTRUCT, 3, "frames 0-9", described(65), "it failed", [str(i) for i in range(99)])
    record = json.loads((tmp_path / "failures" / "reconstruct" / "3.json").read_text())
    finished = datetime.fromisoformat(record.pop("finished"))
    assert abs((datetime.now(UTC) - finished).total_seconds()) < 60
    assert record == {
        "stage": "reconstruct",
        "slice": 3,
        "label": "frames 0-9",
        "job_id": "1234",
        "exit_code": 65,
        "reason": "Essential container in task exited",
        "attempts": 2,
        "message": "it failed",
        "permanent": True,
        "log_tail": [str(i) for i in range(79, 99)],
    }
    assert [path.name for path in (tmp_path / "failures" / "reconstruct").iterdir()] == ["3.json"]


def test_our_errors_are_retried_by_their_exit_code() -> None:
    with pytest.raises(AirflowFailException, match="bad key"), retrying_only_what_may_pass():
        raise SettingsError("bad key")
    with pytest.raises(TemporaryError), retrying_only_what_may_pass():
        raise TemporaryError("disk full")
