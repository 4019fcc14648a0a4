"""What AWS refuses is refused, in AWS's form; and what only a raw request can say."""

import http.client
import json
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.localbatch.server import CHECKED, LocalBatch, shape_errors

SIGNED = {"Authorization": "AWS4-HMAC-SHA256 Credential=x", "Content-Type": "application/json"}


def raw(
    server: LocalBatch, path: str, body: bytes = b"{}", headers: dict[str, str] = SIGNED, method: str = "POST"
) -> tuple[int, http.client.HTTPMessage, dict[str, str]]:
    """Status, headers and JSON of one bare request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, answer.headers, content


@pytest.mark.parametrize("name", ["-x", "_x", "a b", "a/b", "a:b", "ä", "x" * 129, "a\n"])
def test_bad_names(shared_server: LocalBatch, name: str) -> None:
    with pytest.raises(ClientError) as caught:
        shared_server.submit(jobName=name)
    error = caught.value.response["Error"]
    assert error["Code"] == "ClientException"
    assert error["Message"].startswith("Error executing request, Exception : ")
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    with pytest.raises(ClientError, match="Job definition name"):
        shared_server.batch.register_job_definition(
            jobDefinitionName=name, type="container", containerProperties={"image": "any"}
        )


def test_the_longest_name(shared_server: LocalBatch) -> None:
    assert shared_server.run(jobName="0" + "x-_" * 42 + "y")["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"queue": "nowhere"}, "Job Queue nowhere does not exist"),
        ({"jobDefinition": "nothing"}, "nothing is not registered"),
        ({"jobDefinition": "shell:99"}, "shell:99 is not registered"),
        ({"jobDefinition": "shell:x"}, "not a revision"),
        ({"retryStrategy": {"attempts": 0}}, "between 1 and 10"),
        ({"retryStrategy": {"attempts": 11}}, "between 1 and 10"),
        (
            {"retryStrategy": {"evaluateOnExit": [{"action": "EXIT", "onReason": "*"}]}},
            "RetryAttempts must be provided",
        ),
        ({"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onReason": "*"}] * 6}}, "at most 5"),
        ({"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "STOP", "onReason": "*"}]}}, "RETRY or EXIT"),
        ({"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT"}]}}, "needs one of"),
        (
            {"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onExitCode": "x"}]}},
            "not a pattern",
        ),
        ({"retryStrategy": {"attempts": 2, "evaluateOnExit": [{"action": "EXIT", "onReason": "*x"}]}}, "not a pattern"),
        ({"timeout": {"attemptDurationSeconds": 0}}, "greater than or equal to 1"),
        (
            {"containerOverrides": {"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}},
            "cannot start with AWS_BATCH",
        ),
        ({"containerOverrides": {"environment": [{"name": "A=B", "value": "1"}]}}, "environment"),
        ({"containerOverrides": {"environment": [{"name": "A", "value": "x" * 9000}]}}, "length must be at most 8192"),
        ({"tags": {f"tag{n}": "x" for n in range(51)}}, "maximum of 50"),
        ({"tags": {"big": "x" * 31_000}}, "longer than"),
        ({"nodeOverrides": {"numNodes": 2}}, "container jobs only"),
    ],
)
def test_refused_submissions(shared_server: LocalBatch, request_: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message) as caught:
        shared_server.submit(jobName="refused", **request_)
    assert caught.value.response["Error"]["Code"] == "ClientException"
    listed = shared_server.batch.list_jobs(jobQueue="cpu", filters=[{"name": "JOB_NAME", "values": ["refused"]}])
    assert listed["jobSummaryList"] == []


def test_the_default_minimum_timeout_is_that_of_aws(tmp_path: Path) -> None:
    server = LocalBatch(tmp_path, {"queues": {"cpu": {}}, "jobDefinitions": {"shell": {"command": ["true"]}}})
    try:
        with pytest.raises(ClientError, match="greater than or equal to 60"):
            server.submit(timeout={"attemptDurationSeconds": 59})
        assert server.run(timeout={"attemptDurationSeconds": 60})["status"] == "SUCCEEDED"
    finally:
        server.close()


def test_other_operations_refuse_too(shared_server: LocalBatch) -> None:
    batch = shared_server.batch
    for call in (
        lambda: batch.describe_jobs(jobs=["x"] * 101),
        lambda: batch.terminate_job(jobId="no-such-job", reason="r"),
        lambda: batch.cancel_job(jobId="no-such-job", reason="r"),
        lambda: batch.terminate_job(jobId="no-such-job", reason=""),
        lambda: batch.list_jobs(),
        lambda: batch.list_jobs(jobQueue="cpu", arrayJobId="x"),
        lambda: batch.list_jobs(jobQueue="cpu", nextToken="nonsense"),
        lambda: batch.list_jobs(jobQueue="cpu", maxResults=101),
        lambda: batch.list_jobs(jobQueue="cpu", filters=[{"name": "JOB_NAME", "values": ["a", "b"]}]),
        lambda: batch.deregister_job_definition(jobDefinition="shell"),
        lambda: batch.register_job_definition(
            jobDefinitionName="multi",
            type="multinode",
            nodeProperties={"numNodes": 2, "mainNode": 0, "nodeRangeProperties": []},
        ),
        lambda: batch.register_job_definition(jobDefinitionName="x", type="container", containerProperties={}),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "ClientException"


@pytest.mark.parametrize("call", ["create_job_queue", "describe_compute_environments"])
def test_operations_that_are_not_here(shared_server: LocalBatch, call: str) -> None:
    request = {"jobQueueName": "x", "priority": 1, "computeEnvironmentOrder": []} if call == "create_job_queue" else {}
    with pytest.raises(ClientError) as caught:
        getattr(shared_server.batch, call)(**request)
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert caught.value.response["Error"]["Code"] == "UnknownOperationException"


def test_raw_errors_have_the_form_of_aws(shared_server: LocalBatch) -> None:
    status, headers, content = raw(shared_server, "/v1/submitjob")
    assert (status, headers["x-amzn-errortype"], content["__type"]) == (400, "ClientException", "ClientException")
    assert content["message"] == "Error executing request, Exception : jobName is required"
    parameters = {"jobName": "x", "jobQueue": "cpu", "jobDefinition": "shell", "parameters": {"script": 1}}
    assert raw(shared_server, "/v1/submitjob", json.dumps(parameters).encode())[2]["__type"] == "ClientException"
    for body in (b"{", b"[]", b"\xff", b'{"jobs": "x"'):
        assert raw(shared_server, "/v1/describejobs", body)[0] == 400
    for length in ("2000000", "-1", "x"):
        assert raw(shared_server, "/v1/describejobs", b"", {**SIGNED, "Content-Length": length})[0] == 400
    wrong_types = {"jobName": "x", "jobQueue": "cpu", "jobDefinition": "shell", "containerOverrides": [1]}
    assert raw(shared_server, "/v1/submitjob", json.dumps(wrong_types).encode())[0] == 400
    assert raw(shared_server, "/v1/nothing")[0] == 404
    assert raw(shared_server, "/", headers={**SIGNED, "X-Amz-Target": "Logs_20140328.PutLogEvents"})[0] == 404
    assert raw(shared_server, "/other", method="GET")[0] == 404


def test_a_web_page_cannot_submit(shared_server: LocalBatch) -> None:
    body = json.dumps({"jobName": "x", "jobQueue": "cpu", "jobDefinition": "shell"}).encode()
    assert raw(shared_server, "/v1/submitjob", body, {"Content-Type": "text/plain"})[0] == 403
    assert raw(shared_server, "/v1/submitjob", body, {**SIGNED, "Host": "evil.example:80"})[0] == 403
    assert raw(shared_server, "/v1/submitjob", body)[0] == 200


def test_health(shared_server: LocalBatch) -> None:
    assert raw(shared_server, "/health", headers={}, method="GET")[2] == {"status": "ok"}


def test_calls_are_quick(shared_server: LocalBatch) -> None:
    """Without TCP_NODELAY every call takes 40 ms more."""
    job = shared_server.submit()
    shared_server.wait(job)
    seconds = []
    for _ in range(20):
        start = time.perf_counter()
        shared_server.job(job)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.035


def test_the_check_of_shapes_finds_mistakes(shared_server: LocalBatch) -> None:
    """The check that runs on every response of these tests is neither idle nor blind."""
    CHECKED.clear()
    shared_server.batch.describe_job_queues()
    assert {"DescribeJobQueues"} == CHECKED
    shape = shared_server.batch.meta.service_model.operation_model("DescribeJobs").output_shape
    wrong = {"jobs": [{"jobId": 1, "status": "DONE", "odd": 2, "createdAt": 1.5, "isCancelled": 0}]}
    found = "\n".join(shape_errors(shape, wrong, "r"))
    for part in ("jobId: 1 is no string", "'DONE' is none of", "odd: unknown", "jobName: missing", "1.5 is no long"):
        assert part in found
    assert "isCancelled: 0 is no boolean" in found
