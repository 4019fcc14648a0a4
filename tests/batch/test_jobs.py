"""Looking at jobs and ending them, where Batch answers as only AWS does."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from lfcore.batch.jobs import end_all, states_of
from lfcore.batch.logs import choose_job, place_of
from lfcore.batch.status import standing
from lfcore.batch.submission import Submission, SubmittedJob, write_submissions
from lfcore.contracts import RunPaths
from lfcore.errors import TemporaryError, UsageError
from lfcore.prices.table import package_table
from lfcore.stages import machine, runner
from lfcore.stages.run import run_all

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-2"}


@pytest.fixture
def canned() -> Iterator[tuple[Any, Stubber]]:
    """A client of AWS Batch and its answers to come."""
    client = boto3.client("batch", **KEYS)
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def _job(job_id: str, status: str, **more: object) -> dict[str, Any]:
    base = {"jobId": job_id, "jobName": f"lf-x-reconstruct-array-{job_id}", "status": status, "jobQueue": "q"}
    return {**base, "startedAt": 1, "jobDefinition": "d", **more}


def _summary(job_id: str, status: str) -> dict[str, Any]:
    return {"jobId": job_id, "jobName": "lf-x", "status": status}


def _look(stubber: Stubber, jobs: list[dict[str, Any]], children: dict[str, list[str]]) -> None:
    """What one look of ``stop`` asks: the names, the descriptions, and each array's children by state."""
    stubber.add_response("list_jobs", {"jobSummaryList": [_summary(job["jobId"], job["status"]) for job in jobs]})
    if jobs:
        stubber.add_response("describe_jobs", {"jobs": jobs})
    for job in jobs:
        for state in ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING") if "arrayProperties" in job else ():
            ids = children.get(job["jobId"], []) if state == "RUNNING" else []
            stubber.add_response(
                "list_jobs",
                {"jobSummaryList": [_summary(child, "RUNNING") for child in ids]},
                {"arrayJobId": job["jobId"], "jobStatus": state},
            )


def test_stop_waits_for_children_that_outlive_their_parent(canned: tuple[Any, Stubber]) -> None:
    client, stubber = canned
    array = {"arrayProperties": {"size": 2}}
    _look(stubber, [_job("a", "PENDING", **array)], {"a": ["a:0"]})
    stubber.add_response("terminate_job", {}, {"jobId": "a", "reason": "because"})
    for _ in range(2):
        _look(stubber, [_job("a", "FAILED", **array)], {"a": ["a:0"]})
    _look(stubber, [_job("a", "FAILED", **array)], {"a": ["a:0"]})
    # A child may not be ours to end; it is looked at until it is over all the same.
    stubber.add_client_error("terminate_job", "AccessDeniedException", "no tag")
    for _ in range(2):
        _look(stubber, [_job("a", "FAILED", **array)], {})
    assert end_all(client, ["q"], "lf-x", lambda: [], "because", pause_s=0) == 2


def test_stop_that_cannot_end_a_job_names_it_and_does_not_say_zero(canned: tuple[Any, Stubber]) -> None:
    client, stubber = canned
    _look(stubber, [_job("stubborn", "RUNNING")], {})
    stubber.add_response("terminate_job", {})
    with pytest.raises(TemporaryError, match=r"1 jobs are not over after 0 s \(stubborn\)"):
        end_all(client, ["q"], "lf-x", lambda: [], "because", patience_s=0, pause_s=0)


def test_an_arrays_states_are_its_childrens() -> None:
    counted = states_of(_job("a", "PENDING", arrayProperties={"size": 3, "statusSummary": {"RUNNING": 2, "FAILED": 1}}))
    assert counted == Counter(RUNNING=2, FAILED=1)
    assert states_of(_job("a", "RUNNING")) == Counter(RUNNING=1)


def test_status_says_why_children_failed_and_what_was_spent(
    canned: tuple[Any, Stubber], tiny_dataset: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts: machine.MachineFacts = {"instance_type": "g6e.xlarge", "region": "us-east-2", "spot": True}
    monkeypatch.setattr(runner, "machine_facts", lambda: facts)
    run = RunPaths(f"{tmp_path}/run")
    run_all(str(tiny_dataset()), run, {"reconstruction": {"iterations": 1}})
    client, stubber = canned
    submitted = SubmittedJob("reconstruct", "a", "lf-x-reconstruct-array-run", "q", 2, 3, "list")
    one = Submission("now", "data", {}, "us-east-2", {}, [submitted, SubmittedJob("report", "b", "n", "q", 1, 1, "l")])
    write_submissions(run, [one])
    array = {"size": 2, "statusSummary": {"FAILED": 1, "SUCCEEDED": 1}}
    stubber.add_response("describe_jobs", {"jobs": [_job("a", "FAILED", arrayProperties=array)]})
    stubber.add_response("list_jobs", {"jobSummaryList": [_summary("a:1", "FAILED")]})
    container = {"exitCode": 65, "reason": "", "logStreamName": "s"}
    stubber.add_response(
        "describe_jobs",
        {"jobs": [_job("a:1", "FAILED", container=container, arrayProperties={"index": 1, "size": 2})]},
    )
    found = standing(client, run, one, package_table())
    assert found.states["reconstruct"] == Counter(FAILED=1, SUCCEEDED=1)
    assert found.states["report"] == Counter(FORGOTTEN=1)
    assert (found.live, found.failures) == (0, 1)
    assert any("exit code 65" in line for line in found.troubles)
    metrics = json.loads(Path(run.metrics_json).read_text())
    by_stage = {cost.stage: cost for cost in found.costs}
    expected = metrics["cost"]["reconstruct"]["dollars"]
    assert by_stage["reconstruct"].dollars == pytest.approx(expected, rel=1e-3, abs=2e-6)


def test_logs_take_the_failed_slice_first_and_know_the_definitions_group(canned: tuple[Any, Stubber]) -> None:
    client, stubber = canned
    one = Submission("now", "d", {}, "r", {}, [SubmittedJob("reconstruct", "a", "n", "q", 2, 2, "l")])
    stubber.add_response("describe_jobs", {"jobs": [_job("a", "FAILED", arrayProperties={"size": 2})]})
    for state in ("FAILED", "RUNNING", "STARTING", "SUCCEEDED", "RUNNABLE", "PENDING", "SUBMITTED"):
        found = {"FAILED": ["a:1"], "SUCCEEDED": ["a:0"]}.get(state, [])
        stubber.add_response("list_jobs", {"jobSummaryList": [_summary(child, state) for child in found]})
    options = {"awslogs-group": "/lightfield/jobs"}
    container = {"logStreamName": "s", "logConfiguration": {"logDriver": "awslogs", "options": options}}
    stubber.add_response("describe_jobs", {"jobs": [_job("a:1", "FAILED", container=container)]}, {"jobs": ["a:1"]})
    job = choose_job(client, one, None, None)
    assert place_of(job) == ("/lightfield/jobs", "s")


def test_logs_of_a_stage_that_batch_has_forgotten_say_so(canned: tuple[Any, Stubber]) -> None:
    client, stubber = canned
    stubber.add_response("describe_jobs", {"jobs": []})
    one = Submission("now", "d", {}, "r", {}, [SubmittedJob("plan", "a", "n", "q", 1, 1, "l")])
    with pytest.raises(UsageError, match="see CloudWatch"):
        choose_job(client, one, None, None)
