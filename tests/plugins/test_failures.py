from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from lfcore.errors import SettingsError, TemporaryError
from lightfield.failures import exit_code, explain, is_permanent, retrying_only_what_may_pass


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
        "reason 'Essential container in task exited', 2 attempt(s), log stream lightfield/default/abc"
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


def test_our_errors_are_retried_by_their_exit_code() -> None:
    with pytest.raises(AirflowFailException, match="bad key"), retrying_only_what_may_pass():
        raise SettingsError("bad key")
    with pytest.raises(TemporaryError), retrying_only_what_may_pass():
        raise TemporaryError("disk full")
