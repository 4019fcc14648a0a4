"""Airflow's own BatchOperator, hook, trigger and log reader against the server, in a process of their own.

Airflow reads its environment at its first import, so that nothing of it is imported into pytest's process here.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.localbatch.server import LocalBatch

SCRIPT = """
import asyncio, json, logging
from datetime import timedelta
from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.providers.amazon.aws.triggers.batch import BatchJobTrigger
from airflow.providers.amazon.aws.utils.task_log_fetcher import AwsTaskLogFetcher
from unittest.mock import MagicMock

BatchClientHook.DEFAULT_DELAY_MIN, BatchClientHook.DEFAULT_DELAY_MAX = 0, 0.05
BatchClientHook.exponential_delay = staticmethod(lambda tries: 0.05)
BatchClientHook.add_jitter = staticmethod(lambda delay, **_: delay)
report = {}

def operator(script, **options):
    return BatchOperator(task_id="t", job_name="lf-plan-0", job_definition="shell", job_queue="cpu",
                         parameters={"script": script}, deferrable=False, **options)

one = operator("echo hello; echo ERROR: odd", tags={"run_id": "manual__2026-11-22T00:00:00+00:00"})
report["returned"] = one.execute(MagicMock())
report["logs"] = one.hook.get_job_all_awslogs_info(one.job_id)
where = report["logs"][0]
fetcher = AwsTaskLogFetcher(log_group=where["awslogs_group"], log_stream_name=where["awslogs_stream_name"],
                            fetch_interval=timedelta(seconds=0.1), logger=logging.getLogger("x"))
report["lines"] = fetcher.get_last_log_messages(10)
report["events"] = [event["message"] for event in fetcher._get_log_events()]
try:
    operator("exit 65").execute(MagicMock())
except Exception as error:
    report["failure"] = str(error)
array = operator("true", array_properties={"size": 3})
report["array"] = array.execute(MagicMock()) == array.job_id

async def fired(job_id):
    trigger = BatchJobTrigger(job_id=job_id, waiter_delay=1, waiter_max_attempts=20)
    async for event in trigger.run():
        return event.payload

waiting = operator("sleep 0.5", wait_for_completion=False)
report["trigger"] = asyncio.run(fired(waiting.execute(MagicMock())))
killed = operator("sleep 300", wait_for_completion=False)
killed.execute(MagicMock())
killed.on_kill()
report["killed"] = killed.job_id
print("REPORT " + json.dumps(report))
"""


@pytest.fixture(scope="module")
def report(shared_server: LocalBatch, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home: Path = tmp_path_factory.mktemp("airflow")
    extra = {"region_name": "us-east-1", "endpoint_url": shared_server.url}
    connection = {"conn_type": "aws", "login": "local", "password": "local", "extra": extra}
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(connection),
    }
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    lines = [line for line in ended.stdout.splitlines() if line.startswith("REPORT ")]
    assert lines, ended.stdout[-3000:] + ended.stderr[-3000:]
    found: dict[str, Any] = json.loads(lines[0].removeprefix("REPORT "))
    return found


def test_the_operator_waits_for_the_job(shared_server: LocalBatch, report: dict[str, Any]) -> None:
    job = shared_server.job(report["returned"])
    assert (job["status"], job["jobName"]) == ("SUCCEEDED", "lf-plan-0")
    assert report["array"] is True


def test_the_operator_tells_of_failure(report: dict[str, Any]) -> None:
    assert "failed" in report["failure"]
    assert "'exitCode': 65" in report["failure"]


def test_airflow_finds_and_reads_the_logs(report: dict[str, Any]) -> None:
    assert report["logs"][0]["awslogs_group"] == "/aws/batch/job"
    assert report["lines"] == ["hello", "ERROR: odd"]
    assert report["events"] == ["hello", "ERROR: odd"]


def test_the_trigger_fires(report: dict[str, Any]) -> None:
    assert report["trigger"]["status"] == "success"


def test_on_kill_ends_the_job(shared_server: LocalBatch, report: dict[str, Any]) -> None:
    job = shared_server.wait(report["killed"])
    assert (job["status"], job["statusReason"]) == ("FAILED", "Task killed by the user")
