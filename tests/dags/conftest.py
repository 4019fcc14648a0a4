"""The real local Batch with a fake worker behind it, and Airflow's own database."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from mypy_boto3_batch import BatchClient

QUEUES = ("lightfield-cpu", "lightfield-gpu")


@pytest.fixture(scope="session")
def batch_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a local Batch whose jobs are ``fake_work.py``."""
    state = tmp_path_factory.mktemp("batch")
    worker = Path(__file__).with_name("fake_work.py")
    configuration = {
        "stopTimeoutSeconds": 2,
        "queues": {queue: {"slots": 4} for queue in QUEUES},
        "jobDefinitions": {"lightfield": {"command": [sys.executable, str(worker)]}},
    }
    (state / "config.json").write_text(json.dumps(configuration))
    command = [sys.executable, "-m", "localbatch", "--port", "0", "--state", str(state)]
    server = subprocess.Popen([*command, "--config", str(state / "config.json")], cwd=Path(__file__).parents[2])
    port = state / "port"
    deadline = time.monotonic() + 30
    while not port.is_file():
        assert server.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port.read_text().strip()}"
    server.send_signal(signal.SIGTERM)
    server.wait(20)


@pytest.fixture(scope="session")
def airflow(batch_endpoint: str) -> None:
    """Airflow with a fresh database, whose AWS connection leads to the local Batch."""
    connection = {
        "conn_type": "aws",
        "login": "local",
        "password": "local",
        "extra": {"region_name": "us-east-1", "endpoint_url": batch_endpoint},
    }
    os.environ["AIRFLOW_CONN_AWS_DEFAULT"] = json.dumps(connection)
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def batch(batch_endpoint: str) -> BatchClient:
    """A plain boto3 client of the local Batch."""
    return boto3.client(
        "batch",
        endpoint_url=batch_endpoint,
        region_name="us-east-1",
        aws_access_key_id="local",
        aws_secret_access_key="local",
    )
