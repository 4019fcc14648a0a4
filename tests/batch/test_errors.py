"""What AWS alone refuses, by canned answers: one line each, with the remedy."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from lfcore.batch.airflow import trigger
from lfcore.batch.checks import check_bucket, check_places, require_same_world
from lfcore.batch.client import batch_client, explained
from lfcore.batch.reasons import trouble
from lfcore.batch.submit import LARGEST_ARRAY, Caps, count_slices
from lfcore.contracts import Stage
from lfcore.errors import DataError, LfcoreError, SettingsError, TemporaryError, UnavailableError, UsageError
from lfcore.job_names import CLI, Places, job_name, run_prefix, stage_of
from tests.localbatch.server import LocalBatch

KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
PLACES = Places("cpu", "gpu", "job", "")


def _queue(name: str, **more: object) -> dict[str, Any]:
    queue = {"jobQueueName": name, "jobQueueArn": f"arn:aws:batch:us-east-1:1:job-queue/{name}", "priority": 1}
    return {**queue, "state": "ENABLED", "status": "VALID", "computeEnvironmentOrder": [], **more}


def _definition(name: str, revision: int = 1) -> dict[str, Any]:
    arn = f"arn:aws:batch:us-east-1:1:job-definition/{name}:{revision}"
    return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision, "type": "container"}


@pytest.mark.parametrize(
    ("code", "message", "kind", "remedy"),
    [
        ("UnrecognizedClientException", "The security token is invalid", UnavailableError, "AWS_PROFILE"),
        ("ExpiredTokenException", "expired", UnavailableError, "renew them"),
        ("AccessDeniedException", "not authorized to perform: batch:SubmitJob", UnavailableError, "submit policy"),
        ("TooManyRequestsException", "Too Many Requests", TemporaryError, "run again"),
        ("ClientException", "JobQueue lightfield-cpu not found.", SettingsError, "--cpu-queue"),
        ("ClientException", "JobDefinition does not exist: job", SettingsError, "--job-definition"),
        ("ClientException", "JobQueue is in DISABLED state", UnavailableError, "enable it"),
        ("ClientException", "arrayProperties.size must be between 2 and 10000", DataError, "AWS refuses"),
    ],
)
def test_a_refusal_is_one_line_with_a_remedy(code: str, message: str, kind: type[LfcoreError], remedy: str) -> None:
    client = boto3.client("batch", **KEYS)
    with Stubber(client) as canned:
        canned.add_client_error("submit_job", code, message)
        with pytest.raises(kind, match=remedy) as caught, explained("submitting plan"):
            client.submit_job(jobName="a", jobQueue="b", jobDefinition="c")
    assert str(caught.value).startswith("submitting plan: ")
    assert "\n" not in str(caught.value)


def test_missing_credentials_region_and_endpoint_are_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lfcore: Callable[..., Any]
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UnavailableError, match="no AWS region; give --region"):
        batch_client()
    result = lfcore("aws", "stop", "s3://bucket/run", "--region", "us-east-1")
    assert result.code == 69
    client = batch_client("us-east-1")
    with pytest.raises(UnavailableError, match="no AWS credentials; run 'aws configure'"):
        check_places(client, PLACES)
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    with pytest.raises(UnavailableError, match="check region, endpoint"):
        check_places(batch_client("us-east-1"), PLACES)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(UnavailableError, match="AWS_PROFILE"):
        batch_client("us-east-1")


@pytest.mark.parametrize(
    ("status", "kind", "remedy"),
    [
        (403, DataError, "is not yours"),
        (404, DataError, "does not exist"),
        (301, DataError, "another region"),
        (503, UnavailableError, "run again"),
    ],
)
def test_a_bucket_that_cannot_be_used_says_why(status: int, kind: type[LfcoreError], remedy: str) -> None:
    client = boto3.client("s3", **KEYS)
    with Stubber(client) as canned:
        canned.add_client_error("head_bucket", str(status), "no", http_status_code=status)
        with pytest.raises(kind, match=rf"s3://theirs: .*{remedy}"):
            check_bucket("s3://theirs/run", client=client)
    check_bucket("/a/local/path")


@pytest.mark.parametrize(
    ("queues", "definitions", "kind", "remedy"),
    [
        ([_queue("cpu")], [], SettingsError, "job queue gpu: is not in region us-east-1"),
        ([_queue("cpu", state="DISABLED"), _queue("gpu")], [], UnavailableError, "update-job-queue --job-queue cpu"),
        ([_queue("cpu", status="INVALID", statusReason="no role"), _queue("gpu")], [], UnavailableError, "no role"),
        ([_queue("cpu"), _queue("gpu")], [[]], SettingsError, "job definition job: has no active revision"),
    ],
)
def test_what_is_not_deployed_is_said_before_anything_is_submitted(
    queues: list[dict[str, Any]], definitions: list[list[dict[str, Any]]], kind: type[LfcoreError], remedy: str
) -> None:
    client = boto3.client("batch", **KEYS)
    with Stubber(client) as canned:
        canned.add_response("describe_job_queues", {"jobQueues": queues})
        for found in definitions:
            canned.add_response("describe_job_definitions", {"jobDefinitions": found})
        with pytest.raises(kind, match=remedy):
            check_places(client, PLACES)


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        ({"state": "DISABLED"}, "environment-1 is disabled: enable it"),
        ({"status": "INVALID", "statusReason": "MaxSpotInstanceCountExceeded: zero"}, "Service Quotas"),
        ({"computeResources": {"type": "SPOT", "maxvCpus": 0, "subnets": []}}, "maxvCpus"),
    ],
)
def test_a_queue_whose_environments_can_start_nothing_is_said(more: dict[str, Any], remedy: str) -> None:
    client = boto3.client("batch", **KEYS)
    order = [{"order": 1, "computeEnvironment": "environment-1"}]
    environment = {"computeEnvironmentName": "environment-1", "computeEnvironmentArn": "arn:aws:batch:r:1:c/e"}
    with Stubber(client) as canned:
        queues = [_queue("cpu", computeEnvironmentOrder=order), _queue("gpu")]
        canned.add_response("describe_job_queues", {"jobQueues": queues})
        canned.add_response("describe_compute_environments", {"computeEnvironments": [{**environment, **more}]})
        with pytest.raises(UnavailableError, match=rf"job queue cpu: no compute environment can start .*{remedy}"):
            check_places(client, PLACES)


def test_a_definition_for_gpus_and_a_fair_queue_are_found() -> None:
    client = boto3.client("batch", **KEYS)
    policy = "arn:aws:batch:us-east-1:1:scheduling-policy/p"
    with Stubber(client) as canned:
        canned.add_response(
            "describe_job_queues", {"jobQueues": [_queue("cpu", schedulingPolicyArn=policy), _queue("gpu")]}
        )
        canned.add_response("describe_job_definitions", {"jobDefinitions": [_definition("job")]})
        canned.add_response("describe_job_definitions", {"jobDefinitions": [_definition("job-gpu")]})
        places, shares = check_places(client, PLACES)
    assert (places.definition_of(Stage.PLAN), places.definition_of(Stage.RECONSTRUCT)) == ("job", "job-gpu")
    assert shares == {"cpu": "lightfield"}


@pytest.mark.parametrize(
    ("status", "reason", "remedy"),
    [
        ("FAILED", "CannotPullContainerError: manifest unknown", "push it"),
        ("FAILED", "Host EC2 (instance i-0abc) terminated.", "lfcore aws resume"),
        ("FAILED", "OutOfMemoryError: Container killed due to memory usage", "more"),
        ("RUNNABLE", "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - no type fits", "larger types"),
        ("RUNNABLE", "MaxSpotInstanceCountExceeded: Max spot instance count exceeded", "Service Quotas"),
        ("RUNNABLE", "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY", "no such machines free"),
    ],
)
def test_hosts_images_and_jobs_that_cannot_be_placed_are_told_apart(status: str, reason: str, remedy: str) -> None:
    line = trouble({"jobName": "lf-1-plan-0-x", "status": status, "statusReason": reason})
    assert line is not None
    assert remedy in line
    assert reason in line


def test_a_job_that_does_well_is_no_trouble() -> None:
    assert trouble({"jobName": "a", "status": "RUNNABLE", "statusReason": "queued"}) is None
    assert (
        trouble({"jobName": "a", "status": "SUCCEEDED", "statusReason": "Essential container in task exited"}) is None
    )


def test_jobs_on_aws_do_not_see_this_machines_files() -> None:
    with pytest.raises(UsageError, match="give s3://BUCKET"):
        require_same_world("/tmp/run", "s3://bucket/data", "https://batch.us-east-1.amazonaws.com")
    require_same_world("/tmp/run", "/data", "http://127.0.0.1:4000")


def test_a_stage_has_no_more_jobs_than_items_caps_and_batch_allow() -> None:
    assert count_slices(Stage.NORMALISE, 1, 1e9, Caps()) == 1
    assert count_slices(Stage.NORMALISE, 1000, 60.0, Caps(cpu_jobs=500, job_minutes=10)) == 100
    assert count_slices(Stage.RECONSTRUCT, 10**6, 600.0, Caps(gpu_jobs=10**6)) == LARGEST_ARRAY
    assert count_slices(Stage.RECONSTRUCT, 1000, 600.0, Caps(gpu_jobs=7)) == 7


def test_names_say_run_and_stage_and_keep_to_what_aws_allows() -> None:
    name = job_name(CLI, "s3://bucket/runs/" + "fish é 3/" + "x" * 300, Stage.RECONSTRUCT, None)
    assert name.startswith(run_prefix(CLI, "s3://bucket/runs/" + "fish é 3/" + "x" * 300))
    assert len(name) == 128
    assert stage_of(name) is Stage.RECONSTRUCT
    assert stage_of("another") is None
    assert run_prefix(CLI, "a") != run_prefix(CLI, "b")


def test_a_queue_that_the_local_batch_has_not_is_one_line(
    sleeping_batch: LocalBatch, tmp_path: Path, lfcore: Callable[..., Any]
) -> None:
    result = lfcore("aws", "submit", tmp_path / "data", tmp_path / "run", "--gpu-queue", "nowhere")
    assert result.code == 78
    assert "job queue nowhere: is not in region us-east-1" in result.error
    assert not (tmp_path / "run" / "submission.json").exists()


class _Airflow(BaseHTTPRequestHandler):
    """Airflow's API, as far as it is needed; the token decides what it answers."""

    seen: list[tuple[str, Any]] = []  # noqa: RUF012  # shared on purpose

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((self.path, body))
        status = int(self.headers["Authorization"].removeprefix("Bearer "))
        content = json.dumps({"dag_run_id": "manual__1"} if status == 200 else {"detail": "run: unknown\nkey"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def airflow_url() -> Iterator[str]:
    """Address of a stand-in for Airflow."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Airflow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_run_through_airflow(airflow_url: str, monkeypatch: pytest.MonkeyPatch, lfcore: Callable[..., Any]) -> None:
    monkeypatch.setenv("LIGHTFIELD_AIRFLOW_URL", airflow_url + "/")
    monkeypatch.setenv("LIGHTFIELD_AIRFLOW_TOKEN", "200")
    options = ("--airflow", "--set", "reconstruction.iterations=3")
    result = lfcore("aws", "submit", "s3://b/data", "s3://b/run", *options)
    assert result.code == 0
    assert f"{airflow_url}/dags/lightfield_reconstruction/runs/manual__1" in result.out
    path, body = _Airflow.seen[-1]
    assert path == "/api/v2/dags/lightfield_reconstruction/dagRuns"
    conf = {"dataset": "s3://b/data", "run": "s3://b/run", "settings": {"reconstruction": {"iterations": 3}}}
    assert body == {"conf": conf, "logical_date": None}


@pytest.mark.parametrize(
    ("token", "kind", "remedy"),
    [
        ("401", UnavailableError, "renew LIGHTFIELD_AIRFLOW_TOKEN"),
        ("404", UnavailableError, "has no DAG"),
        ("400", DataError, "run: unknown key"),
        ("", SettingsError, "set LIGHTFIELD_AIRFLOW_URL"),
    ],
)
def test_what_airflow_refuses_is_one_line(airflow_url: str, token: str, kind: type[LfcoreError], remedy: str) -> None:
    environment = {"LIGHTFIELD_AIRFLOW_URL": airflow_url, "LIGHTFIELD_AIRFLOW_TOKEN": token}
    with pytest.raises(kind, match=remedy):
        trigger("s3://b/data", "s3://b/run", {}, environment)


def test_an_airflow_that_is_not_there_is_one_line() -> None:
    environment = {"LIGHTFIELD_AIRFLOW_URL": "http://127.0.0.1:9", "LIGHTFIELD_AIRFLOW_TOKEN": "x"}
    with pytest.raises(UnavailableError, match="does not answer"):
        trigger("a", "b", {}, environment)
