import json
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.models.dagrun import DagRun
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import ParamValidationError
from mypy_boto3_batch import BatchClient

DAGS = Path(__file__).resolve().parents[2] / "dags"
pytestmark = pytest.mark.usefixtures("airflow")


def run_dag(conf: dict[str, Any]) -> DagRun:
    """Run the DAG in this process, as a trigger without a logical date would."""
    dag = DagBag(DAGS).dags["lightfield_reconstruction"]
    for task in dag.tasks:
        # A test that fails on purpose must not wait for retries.
        if isinstance(task, MappedOperator):
            task.partial_kwargs["retries"] = 0
        else:
            task.retries = 0
    return dag.test(logical_date=None, run_conf=conf)


def states(run: DagRun) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for instance in run.get_task_instances():
        found.setdefault(instance.task_id, []).append(str(instance.state))
    return found


def test_every_stage_runs_as_batch_jobs(tmp_path: Path, batch: BatchClient) -> None:
    dataset = tmp_path / "fish 3é"
    settings = {"reconstruction": {"iterations": 3}}
    run = run_dag({"dataset": str(dataset), "settings": settings, "max_gpu_jobs": 5, "job_minutes": 4})
    assert run.state == "success"
    found = states(run)
    # Twelve minutes of frames and five of planes, four minutes a job.
    assert {task: len(instances) for task, instances in found.items()} == {
        "request": 1,
        "plan": 1,
        "fan_out.normalise": 1,
        "fan_out.transforms": 1,
        "fan_out.reconstruct": 1,
        "normalise": 3,
        "calibrate": 1,
        "transforms": 2,
        "reconstruct": 3,
        "report": 1,
        "end_jobs": 1,
    }
    [folder] = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "run.json").read_text())["settings"] == settings
    jobs = {path: path.read_text() for path in folder.glob("done/*/*.json")}
    assert len(jobs) == 1 + 12 + 1 + 5 + 12 + 1
    described = batch.describe_jobs(jobs=sorted(set(jobs.values())))["jobs"]
    assert len(described) == 1 + 3 + 1 + 2 + 3 + 1
    assert {job["tags"]["lightfield:run"] for job in described} == {run.run_id}
    labels = {str(instance.rendered_map_index) for instance in run.get_task_instances() if instance.map_index >= 0}
    assert labels == {"frames 0-3", "frames 4-7", "frames 8-11", "planes 0-1", "planes 2-4"}


def test_a_bad_request_starts_no_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_dag({"dataset": str(tmp_path / "fish"), "datset": "x"})
    assert run.state == "failed"
    assert states(run)["plan"] == ["upstream_failed"]
    assert "unknown key 'datset'; did you mean 'dataset'" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_conf_that_breaks_the_schema_makes_no_run(tmp_path: Path) -> None:
    with pytest.raises(ParamValidationError, match="dataset"):
        run_dag({"dataset": "../fish"})
    with pytest.raises(ParamValidationError, match="dataset"):
        run_dag({})


@pytest.mark.parametrize(
    ("orders", "failed", "not_run", "fault"),
    [
        ("reconstruct-exit-75@1", {"reconstruct"}, set(), "reconstruct_1: reconstruct [frames 4-7]: reconstruct: told"),
        ("plan-exit-65", {"plan"}, {"calibrate", "report"}, "plan: plan: plan: told to fail"),
    ],
)
def test_a_lost_slice_leaves_a_report_and_a_failed_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], orders: str, failed: set[str], not_run: set[str], fault: str
) -> None:
    run = run_dag({"dataset": str(tmp_path / f"fish-{orders}"), "job_minutes": 4})
    assert run.state == "failed"
    found = states(run)
    assert {task for task, each in found.items() if "failed" in each} == failed | {"end_jobs"}
    assert not_run <= {task for task, each in found.items() if each == ["upstream_failed"]}
    assert found["report"] == (["upstream_failed"] if not_run else ["success"])
    assert fault in capsys.readouterr().out.replace("\n", " ")
