import asyncio
import json
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from mypy_boto3_batch import BatchClient

from lfcore.contracts import RunPaths, Stage, dump_items, plan_item
from lightfield import triggers
from lightfield.operators import StageBatchOperator
from lightfield.triggers import StageTrigger

pytestmark = pytest.mark.usefixtures("airflow")


@pytest.fixture
def planned(tmp_path: Path) -> RunPaths:
    """A run whose first work item is written; the data set's name tells the fake worker what to do."""
    paths = RunPaths(str(tmp_path / "run"))
    list_file = Path(paths.items(Stage.PLAN))
    list_file.parent.mkdir(parents=True)
    return paths


def ask(paths: RunPaths, orders: str) -> None:
    item = plan_item(f"/data/fish-{orders}", paths.root)
    Path(paths.items(Stage.PLAN)).write_bytes(dump_items([item]))


def run_plan(paths: RunPaths, **arguments: Any) -> DagRun:  # noqa: ANN401 - any argument of any operator
    with DAG(f"plan_{uuid.uuid4().hex}") as dag:
        StageBatchOperator(task_id="plan", stage="plan", run=paths.root, poll_interval=1, **arguments)
    DagBundlesManager().sync_bundles_to_db()
    bag = DagBag(paths.root)
    bag.bag_dag(dag)
    sync_bag_to_db(bag, "dags-folder", None)
    return dag.test(logical_date=None)


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_slice_runs_and_its_log_is_shown(
    planned: RunPaths, deferrable: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(triggers, "SETTLE_S", 0)
    ask(planned, "")
    assert run_plan(planned, deferrable=deferrable).state == "success"
    assert json.loads(Path(planned.run_json).read_text())["dataset"] == "/data/fish-"
    assert "job: plan: slice 0 of 1" in capsys.readouterr().out


@pytest.mark.parametrize("deferrable", [False, True])
def test_bad_data_fails_at_once_and_says_why(
    planned: RunPaths, deferrable: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(triggers, "SETTLE_S", 0)
    ask(planned, "plan-exit-65")
    run = run_plan(planned, deferrable=deferrable, retries=5)
    assert run.state == "failed"
    assert run.get_task_instances()[0].try_number == 1
    printed = capsys.readouterr().out
    assert "FAILED: exit code 65, reason 'Essential container in task exited'" in printed
    assert "plan: plan: told to fail; Batch job" in printed


def test_a_passing_failure_is_retried(planned: RunPaths) -> None:
    ask(planned, "plan-exit-75")
    run = run_plan(planned, retries=1, retry_delay=timedelta(seconds=0))
    assert run.state == "failed"
    assert run.get_task_instances()[0].try_number == 2


@pytest.mark.parametrize("kill", ["operator", "trigger"])
def test_ending_the_task_ends_the_job(planned: RunPaths, batch: BatchClient, kill: str) -> None:
    ask(planned, "plan-sleep")
    operator = StageBatchOperator(task_id="plan", stage="plan", run=planned.root)
    environment = operator.container_overrides["environment"]
    job_id = batch.submit_job(
        jobName="sleeper",
        jobQueue="lightfield-cpu",
        jobDefinition="lightfield",
        containerOverrides={"environment": environment},
    )["jobId"]
    process_id = wait_for_text(Path(planned.root, "sleeping"))
    if kill == "operator":
        operator.job_id = job_id
        operator.on_kill()
    else:
        asyncio.run(StageTrigger(job_id=job_id).on_kill())
    deadline = time.monotonic() + 20
    while (job := batch.describe_jobs(jobs=[job_id])["jobs"][0])["status"] != "FAILED":
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert job["statusReason"] == "Task ended by the user"
    assert not Path("/proc", process_id).exists()


def wait_for_text(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not (path.is_file() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return path.read_text()


def test_ending_a_task_that_has_no_job_yet_is_harmless(planned: RunPaths) -> None:
    StageBatchOperator(task_id="plan", stage="plan", run=planned.root).on_kill()


def test_the_job_environment_is_the_contract(planned: RunPaths) -> None:
    operator = StageBatchOperator(task_id="r", stage="reconstruct", run="s3://b/run", slice_index=2, slices=7)
    assert operator.job_queue == "lightfield-gpu"
    assert operator.container_overrides == {
        "environment": [
            {"name": "LIST_FILE_S3_PATH", "value": "s3://b/run/plan/reconstruct.jsonl"},
            {"name": "ARRAY_SIZE", "value": "7"},
            {"name": "SLICE_INDEX", "value": "2"},
        ]
    }


def test_a_trigger_survives_being_stored() -> None:
    path, arguments = StageTrigger(job_id="abc", poll_interval=7, region_name="eu-west-1").serialize()
    assert path == "lightfield.triggers.StageTrigger"
    assert StageTrigger(**arguments).serialize() == (path, arguments)
