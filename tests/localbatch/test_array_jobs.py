"""Array jobs and dependencies."""

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localbatch.server import LocalBatch


def test_children_know_their_index(shared_server: LocalBatch) -> None:
    parent = shared_server.submit(
        "echo $AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE in $AWS_BATCH_JOB_ID", arrayProperties={"size": 5}
    )
    job = shared_server.wait(parent)
    assert job["status"] == "SUCCEEDED"
    assert job["arrayProperties"]["size"] == 5
    assert job["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 5
    assert sum(job["arrayProperties"]["statusSummary"].values()) == 5
    children = shared_server.batch.describe_jobs(jobs=[f"{parent}:{index}" for index in range(5)])["jobs"]
    assert [child["arrayProperties"]["index"] for child in children] == list(range(5))
    assert [shared_server.messages(child) for child in children] == [[f"{n} of 5 in {parent}:{n}"] for n in range(5)]
    pages = shared_server.batch.get_paginator("list_jobs").paginate(
        arrayJobId=parent, jobStatus="SUCCEEDED", PaginationConfig={"PageSize": 2}
    )
    listed = [child["jobId"] for page in pages for child in page["jobSummaryList"]]
    assert listed == [f"{parent}:{index}" for index in range(5)]


def test_one_failed_child_fails_the_parent_at_the_end(shared_server: LocalBatch) -> None:
    parent = shared_server.submit(
        "test $AWS_BATCH_JOB_ARRAY_INDEX != 1 || exit 3", arrayProperties={"size": 4}, retryStrategy={"attempts": 2}
    )
    job = shared_server.wait(parent)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert job["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 3
    assert job["arrayProperties"]["statusSummary"]["FAILED"] == 1
    assert len(shared_server.job(f"{parent}:1")["attempts"]) == 2
    assert len(shared_server.job(f"{parent}:0")["attempts"]) == 1


def test_terminating_the_parent_ends_all_children(shared_server: LocalBatch) -> None:
    parent = shared_server.submit("sleep 300", queue="gpu", arrayProperties={"size": 3})
    shared_server.wait(f"{parent}:0", "RUNNING")
    assert shared_server.job(parent)["status"] == "PENDING"
    assert shared_server.job(parent)["arrayProperties"]["statusSummary"]["RUNNABLE"] == 2
    shared_server.batch.terminate_job(jobId=parent, reason="enough")
    job = shared_server.wait(parent)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "enough", True)
    for index in range(3):
        child = shared_server.job(f"{parent}:{index}")
        assert (child["status"], child["statusReason"]) == ("FAILED", "enough")
    assert shared_server.job(f"{parent}:0")["container"]["exitCode"] == 143
    assert shared_server.job(f"{parent}:1")["attempts"] == []


def test_terminating_a_child_leaves_the_others(shared_server: LocalBatch) -> None:
    parent = shared_server.submit("test $AWS_BATCH_JOB_ARRAY_INDEX = 0 || sleep 300", arrayProperties={"size": 2})
    shared_server.wait(f"{parent}:1", "RUNNING")
    shared_server.batch.terminate_job(jobId=f"{parent}:1", reason="this one")
    assert shared_server.wait(parent)["status"] == "FAILED"
    assert shared_server.job(f"{parent}:0")["status"] == "SUCCEEDED"


def test_a_job_waits_for_others(shared_server: LocalBatch) -> None:
    first = shared_server.submit("sleep 1")
    array = shared_server.submit("sleep 0.2", arrayProperties={"size": 2})
    last = shared_server.submit(dependsOn=[{"jobId": first}, {"jobId": array}])
    assert shared_server.job(last)["status"] == "PENDING"
    assert shared_server.job(last)["dependsOn"] == [{"jobId": first}, {"jobId": array}]
    ended = shared_server.wait(last)
    assert ended["status"] == "SUCCEEDED"
    assert ended["startedAt"] >= shared_server.job(first)["stoppedAt"]
    assert ended["startedAt"] >= shared_server.job(array)["stoppedAt"]
    assert shared_server.run(dependsOn=[{"jobId": first}])["status"] == "SUCCEEDED"


def test_an_array_waits_for_others(shared_server: LocalBatch) -> None:
    first = shared_server.submit("sleep 1")
    array = shared_server.submit(arrayProperties={"size": 2}, dependsOn=[{"jobId": first}])
    assert shared_server.job(array)["arrayProperties"]["statusSummary"]["PENDING"] == 2
    job = shared_server.wait(array)
    assert (job["status"], job["attempts"]) == ("SUCCEEDED", [])
    assert shared_server.job(f"{array}:0")["startedAt"] >= shared_server.job(first)["stoppedAt"]


def test_failure_runs_down_a_chain(shared_server: LocalBatch) -> None:
    first = shared_server.submit("sleep 0.2; exit 1")
    second = shared_server.submit(dependsOn=[{"jobId": first}], arrayProperties={"size": 2})
    third = shared_server.submit(dependsOn=[{"jobId": second}])
    assert shared_server.wait(third)["statusReason"] == "Dependent Job failed"
    assert shared_server.job(f"{second}:1")["statusReason"] == "Dependent Job failed"
    assert shared_server.job(second)["status"] == "FAILED"
    late = shared_server.job(shared_server.submit(dependsOn=[{"jobId": first}]))
    assert (late["status"], late["statusReason"]) == ("FAILED", "Dependent Job failed")


def test_sequential_children(shared_server: LocalBatch) -> None:
    parent = shared_server.submit(arrayProperties={"size": 4}, dependsOn=[{"type": "SEQUENTIAL"}])
    assert shared_server.wait(parent)["status"] == "SUCCEEDED"
    children = [shared_server.job(f"{parent}:{index}") for index in range(4)]
    for before, after in itertools.pairwise(children):
        assert before["stoppedAt"] <= after["startedAt"]


def test_a_long_sequence_fails_at_once(shared_server: LocalBatch) -> None:
    """3,000 children that wait one for another: no recursion, no pass over all for each."""
    parent = shared_server.submit("exit 1", arrayProperties={"size": 3000}, dependsOn=[{"type": "SEQUENTIAL"}])
    job = shared_server.wait(parent)
    assert job["arrayProperties"]["statusSummary"]["FAILED"] == 3000
    assert shared_server.job(f"{parent}:2999")["statusReason"] == "Dependent Job failed"


def test_child_waits_for_its_like(shared_server: LocalBatch) -> None:
    first = shared_server.submit("test $AWS_BATCH_JOB_ARRAY_INDEX != 2", arrayProperties={"size": 3})
    second = shared_server.submit(arrayProperties={"size": 3}, dependsOn=[{"jobId": first, "type": "N_TO_N"}])
    assert shared_server.wait(second)["status"] == "FAILED"
    children = [shared_server.job(f"{second}:{index}") for index in range(3)]
    assert [child["status"] for child in children] == ["SUCCEEDED", "SUCCEEDED", "FAILED"]
    assert children[0]["startedAt"] >= shared_server.job(f"{first}:0")["stoppedAt"]


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"dependsOn": [{"jobId": "no-such-job"}]}, "does not exist"),
        ({"dependsOn": [{"type": "SEQUENTIAL"}]}, "SEQUENTIAL"),
        ({"dependsOn": [{}]}, "jobId"),
        ({"arrayProperties": {"size": 1}}, "between 2 and 10000"),
        ({"arrayProperties": {"size": 10_001}}, "between 2 and 10000"),
    ],
)
def test_refused(shared_server: LocalBatch, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        shared_server.submit(**request_)
    assert caught.value.response["Error"]["Code"] == "ClientException"


def test_n_to_n_needs_equal_sizes_and_at_most_twenty_dependencies(shared_server: LocalBatch) -> None:
    array = shared_server.submit(arrayProperties={"size": 2})
    with pytest.raises(ClientError, match="same size"):
        shared_server.submit(arrayProperties={"size": 3}, dependsOn=[{"jobId": array, "type": "N_TO_N"}])
    with pytest.raises(ClientError, match="at most 20"):
        shared_server.submit(dependsOn=[{"jobId": array}] * 21)
