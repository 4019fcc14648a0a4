"""Logs of jobs that a real local Batch has run."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from mypy_boto3_batch import BatchClient

from lfcore.contracts import Stage
from lfcore.job_names import job_name
from tests.dags.conftest import batch, batch_endpoint  # noqa: F401  # fixtures are found by their names
from tests.page.conftest import DAG_ID, MadeRun


def _submit(batch: BatchClient, name: str, tmp_path: Path, index: int, **more: Any) -> str:  # noqa: ANN401, F811
    """A job that says which slice of 12 it is."""
    items = tmp_path / "items.jsonl"
    item = {"stage": "reconstruct", "run": str(tmp_path), "id": "x", "hash": "0", "dataset": "/data/fish"}
    items.write_text(json.dumps(item) + "\n")
    environment = {"LIST_FILE_S3_PATH": str(items), "ARRAY_SIZE": "12"} | ({} if more else {"SLICE_INDEX": str(index)})
    job = batch.submit_job(
        jobName=name,
        jobQueue="lightfield-gpu",
        jobDefinition="lightfield",
        containerOverrides={"environment": [{"name": key, "value": value} for key, value in environment.items()]},
        **more,
    )
    return job["jobId"]


def _wait(batch: BatchClient, job_id: str) -> None:  # noqa: F811
    deadline = time.monotonic() + 60
    while batch.describe_jobs(jobs=[job_id])["jobs"][0]["status"] not in ("SUCCEEDED", "FAILED"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_the_newest_job_of_a_slice(
    made: MadeRun,
    batch: BatchClient,  # noqa: F811
    batch_endpoint: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extra = {"region_name": "us-east-1", "endpoint_url": batch_endpoint}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))
    for index in (3, 31):
        _wait(batch, _submit(batch, job_name(DAG_ID, made.run_id, Stage.RECONSTRUCT, index), tmp_path, index))
    answer = made.get("log", stage="reconstruct", slice=3)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert "reconstruct: slice 3 of 12" in answer.text.splitlines()
    assert "slice 31" not in answer.text
    # Another run's jobs, and slices that had none, are not found.
    assert made.get("log", stage="reconstruct", slice=4).status_code == 404
    assert made.get("log", stage="normalise", slice=3).status_code == 404
    array = _submit(
        batch, job_name(DAG_ID, made.run_id, Stage.RECONSTRUCT, None), tmp_path, 0, arrayProperties={"size": 4}
    )
    _wait(batch, array)
    assert "reconstruct: slice 2 of 12" in made.get("log", stage="reconstruct", slice=2).text
