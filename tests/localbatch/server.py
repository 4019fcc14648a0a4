"""A real server process on loopback, real boto3 clients, and every response checked against botocore's own models."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import boto3
from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.config import Config
from botocore.model import OperationModel

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 30.0
POLL_S = 0.02
CHECKED: set[str] = set()
Value = TypeVar("Value")

CONFIGURATION = {
    "queues": {"cpu": {"slots": 4}, "gpu": {"slots": 1}},
    "minimumTimeoutSeconds": 1,
    "stopTimeoutSeconds": 1.5,
    "jobDefinitions": {
        "shell": {
            "command": ["sh", "-c", "Ref::script"],
            "parameters": {"script": "true"},
            "environment": {"FROM_DEFINITION": "definition", "OVERRIDDEN": "definition"},
        }
    },
}


def until(condition: Callable[[], Value | None], what: str) -> Value:
    """Poll until the condition holds; its value. The number of polls is bounded."""
    for _ in range(int(PATIENCE_S / POLL_S)):
        value = condition()
        if value:
            return value
        time.sleep(POLL_S)
    raise AssertionError(f"not within {PATIENCE_S} s: {what}")


def shape_errors(shape: Any, value: object, path: str) -> list[str]:  # noqa: ANN401 - botocore's shapes have no types
    """What in a raw JSON value the service's model does not know or forbids."""
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        found = [f"{path}.{key}: unknown" for key in value if key not in shape.members]
        found += [f"{path}.{key}: missing" for key in shape.required_members if key not in value]
        for key in set(value) & set(shape.members):
            found += shape_errors(shape.members[key], value[key], f"{path}.{key}")
        return found
    if kind == "list" and isinstance(value, list):
        return [error for n, item in enumerate(value) for error in shape_errors(shape.member, item, f"{path}[{n}]")]
    if kind == "map" and isinstance(value, dict):
        return [error for key, item in value.items() for error in shape_errors(shape.value, item, f"{path}.{key}")]
    return scalar_errors(shape, value, path)


def scalar_errors(shape: Any, value: object, path: str) -> list[str]:  # noqa: ANN401 - botocore's shapes have no types
    types = {"string": str, "boolean": bool, "integer": int, "long": int}
    expected = types.get(shape.type_name)
    if expected is None or type(value) is not expected:
        return [f"{path}: {value!r} is no {shape.type_name}"]
    if getattr(shape, "enum", None) and value not in shape.enum:
        return [f"{path}: {value!r} is none of {shape.enum}"]
    pattern = shape.metadata.get("pattern")
    if pattern and not re.fullmatch(pattern, str(value)):
        return [f"{path}: {value!r} does not match {pattern}"]
    return []


def check_shape(http_response: AWSResponse, model: OperationModel, **_: object) -> None:
    """Botocore's hook after a call: the raw body must be what the operation's model says."""
    if http_response.status_code == 200 and model.output_shape is not None:
        CHECKED.add(model.name)
        assert shape_errors(model.output_shape, json.loads(http_response.content), model.name) == []


class LocalBatch:
    """A server process and its clients."""

    def __init__(self, folder: Path, configuration: Mapping[str, object] | None = None) -> None:
        self.state = folder / "state"
        self.config = folder / "config.json"
        self.config.write_text(json.dumps(configuration or CONFIGURATION))
        self.start()

    def start(self, *options: str) -> None:
        environment = {**os.environ, "LFCORE_TEST": "passed on", "SECRET_OF_SERVER": "not passed on"}
        (self.state / "port").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "localbatch",
                "--port",
                "0",
                "--state",
                self.state,
                "--config",
                self.config,
                *options,
            ],
            cwd=REPOSITORY,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=(self.state.parent / "server.log").open("ab"),
        )
        self.port = int(until(lambda: self._port(), "the server's port"))
        self.batch: Any = self.client("batch")
        self.logs: Any = self.client("logs")

    def _port(self) -> str | None:
        assert self.process.poll() is None, (self.state.parent / "server.log").read_text()
        path = self.state / "port"
        return path.read_text() if path.exists() else None

    def client(self, service: str) -> BaseClient:
        session: Any = boto3.Session()
        client: BaseClient = session.client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}, read_timeout=20),
        )
        client.meta.events.register("after-call", check_shape)
        return client

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def submit(self, script: str | list[str] = "true", queue: str = "cpu", **request: Any) -> str:  # noqa: ANN401 - JSON
        """Submit a shell script, or a command; the job's id."""
        overrides = dict(request.pop("containerOverrides", {}))
        if isinstance(script, list):
            overrides["command"] = script
        else:
            request["parameters"] = {"script": script}
        answer = self.batch.submit_job(
            **{
                "jobName": "test",
                "jobDefinition": "shell",
                "jobQueue": queue,
                "containerOverrides": overrides,
                **request,
            }
        )
        return str(answer["jobId"])

    def job(self, job_id: str) -> dict[str, Any]:
        jobs: list[dict[str, Any]] = self.batch.describe_jobs(jobs=[job_id])["jobs"]
        assert len(jobs) == 1
        return jobs[0]

    def wait(self, job_id: str, *statuses: str) -> dict[str, Any]:
        wanted = statuses or ("SUCCEEDED", "FAILED")

        def reached() -> dict[str, Any] | None:
            job = self.job(job_id)
            return job if job["status"] in wanted else None

        return until(reached, f"{job_id} {wanted}")

    def run(self, script: str | list[str] = "true", **request: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
        return self.wait(self.submit(script, **request))

    def messages(self, job: dict[str, Any]) -> list[str]:
        """What a job has written."""
        answer = self.logs.get_log_events(
            logGroupName="/aws/batch/job", logStreamName=job["container"]["logStreamName"], startFromHead=True
        )
        return [event["message"] for event in answer["events"]]

    def kill(self) -> None:
        """SIGKILL, as a power cut."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """SIGTERM, as `make` would."""
        self.process.terminate()
        self.process.wait(timeout=20)


def processes_of(state: Path) -> list[int]:
    """Living processes that a server of this state folder has started, found by their environment."""
    mark = f"LOCALBATCH_STATE={state.resolve()}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:
            continue
    return found
