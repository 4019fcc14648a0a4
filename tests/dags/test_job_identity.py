"""A slice's job is one job, whoever waits for it: retries, lost workers, kills and arrays, on the real local Batch."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import DAG, Context
from airflow.sdk.exceptions import AirflowFailException
from mypy_boto3_batch import BatchClient

from lfcore.contracts import RunPaths, Stage, dump_items, plan_item
from lfcore.job_names import job_name, run_prefix, slice_prefix
from lightfield import operators
from lightfield.operators import StageBatchOperator, StageJobError

pytestmark = pytest.mark.usefixtures("airflow")
RUN_ID = "manual__2026-11-23T00:00:00+00:00"
QUEUES = {Stage.PLAN: "lightfield-cpu", Stage.RECONSTRUCT: "lightfield-gpu"}

WORKER = """
import sys
sys.path[:0] = [{plugins!r}]
from types import SimpleNamespace
from airflow.sdk import DAG
from lightfield.operators import StageBatchOperator
with DAG({dag_id!r}):
    operator = StageBatchOperator(task_id="plan", stage="plan", run={run!r}, deferrable=False)
operator.execute({{"run_id": {run_id!r}, "ti": SimpleNamespace(xcom_push=lambda **_: None, try_number=1)}})
"""


@pytest.fixture
def dag_id(batch: BatchClient) -> Iterator[str]:
    """A DAG of the test's own, none of whose jobs is left running."""
    name = f"dag_{uuid.uuid4().hex}"
    yield name
    for queue in QUEUES.values():
        for job in jobs_of(batch, name, queue):
            batch.terminate_job(jobId=job["jobId"], reason="test ended")


@pytest.fixture
def paths(tmp_path: Path) -> RunPaths:
    (tmp_path / "run" / "plan").mkdir(parents=True)
    return RunPaths(str(tmp_path / "run"))


def ask(paths: RunPaths, orders: str) -> None:
    Path(paths.items(Stage.PLAN)).write_bytes(dump_items([plan_item(f"/data/fish-{orders}", paths.root)]))


def ask_for_frames(paths: RunPaths, orders: str, count: int) -> None:
    items = [{"stage": "reconstruct", "run": paths.root, "id": f"{n:06d}", "hash": "0"} for n in range(count)]
    Path(paths.items(Stage.RECONSTRUCT)).write_bytes(dump_items(items))
    Path(paths.run_json).write_text(json.dumps({"dataset": f"/data/fish-{orders}"}))


def task(dag_id: str, paths: RunPaths, stage: Stage = Stage.PLAN, **arguments: Any) -> StageBatchOperator:  # noqa: ANN401 - any argument of an operator
    with DAG(dag_id):
        return StageBatchOperator(task_id=stage, stage=stage, run=paths.root, deferrable=False, **arguments)


def context(try_number: int = 1) -> Context:
    ti = SimpleNamespace(xcom_push=lambda **_: None, try_number=try_number)
    return cast("Context", {"run_id": RUN_ID, "ti": ti})


def jobs_of(batch: BatchClient, dag_id: str, queue: str = "lightfield-cpu") -> list[Any]:
    pattern = f"{run_prefix(dag_id, RUN_ID)}*"
    return list(batch.list_jobs(jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [pattern]}])["jobSummaryList"])


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def in_background(operator: StageBatchOperator) -> tuple[threading.Thread, list[BaseException]]:
    errors: list[BaseException] = []

    def execute() -> None:
        try:
            operator.execute(context())
        except BaseException as error:  # the test looks at it
            errors.append(error)

    thread = threading.Thread(target=execute, daemon=True)
    thread.start()
    return thread, errors


def test_a_worker_that_is_killed_leaves_a_job_that_the_retry_adopts(
    dag_id: str, paths: RunPaths, batch: BatchClient
) -> None:
    ask(paths, "plan-wait")
    plugins = str(Path(__file__).parents[2] / "plugins")
    code = WORKER.format(plugins=plugins, dag_id=dag_id, run=paths.root, run_id=RUN_ID)
    worker = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    try:
        until(Path(paths.root, "waiting").exists)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    retry = task(dag_id, paths)
    thread, errors = in_background(retry)
    until(lambda: retry.job_id)
    Path(paths.root, "go").touch()
    thread.join(20)
    assert errors == []
    [job] = jobs_of(batch, dag_id)
    assert retry.job_id == job["jobId"] == Path(paths.root, "waiting").read_text()
    assert job["status"] == "SUCCEEDED"


def test_a_job_that_is_being_ended_is_waited_for_and_not_adopted(
    dag_id: str, paths: RunPaths, batch: BatchClient
) -> None:
    ask(paths, "plan-wait")
    first = task(dag_id, paths)
    thread, errors = in_background(first)
    until(Path(paths.root, "waiting").exists)
    first.on_kill()
    ask(paths, "")
    second = task(dag_id, paths).execute(context(try_number=2))
    thread.join(20)
    assert "ended by a user" in str(errors[0])
    assert {job["jobId"]: job["status"] for job in jobs_of(batch, dag_id)} == {
        str(first.job_id): "FAILED",
        second: "SUCCEEDED",
    }


def test_a_submission_under_way_is_ended_by_its_name(dag_id: str, paths: RunPaths, batch: BatchClient) -> None:
    ask(paths, "plan-sleep")
    operator = task(dag_id, paths)
    operator._prefix = slice_prefix(dag_id, RUN_ID, Stage.PLAN, 0)
    # The job comes to Batch while the task, which knows no id yet, is ended already.
    environment = operator.container_overrides["environment"]

    def arrive_late() -> None:
        time.sleep(0.5)
        batch.submit_job(
            jobName=job_name(dag_id, RUN_ID, Stage.PLAN, 0),
            jobQueue="lightfield-cpu",
            jobDefinition="lightfield",
            containerOverrides={"environment": environment},
        )

    thread = threading.Thread(target=arrive_late)
    thread.start()
    operator.on_kill()
    thread.join()
    until(lambda: [job["status"] for job in jobs_of(batch, dag_id)] == ["FAILED"])
    assert not operator.job_id


def test_a_failure_leaves_a_record_that_success_takes_away(dag_id: str, paths: RunPaths) -> None:
    ask(paths, "plan-exit-75")
    with pytest.raises(StageJobError, match="told to fail"):
        task(dag_id, paths, slice_label="all").execute(context())
    record = json.loads(Path(paths.failure(Stage.PLAN, 0)).read_text())
    assert (record["exit_code"], record["permanent"], record["label"]) == (75, False, "all")
    assert record["log_tail"] == ["plan: slice 0 of 1", "plan: told to fail"]
    ask(paths, "")
    task(dag_id, paths).execute(context(try_number=2))
    assert not Path(paths.failure(Stage.PLAN, 0)).exists()


def test_a_record_that_cannot_be_written_hides_nothing(dag_id: str, paths: RunPaths) -> None:
    ask(paths, "plan-exit-65")
    Path(paths.root, "failures").write_text("in the way")
    with pytest.raises(AirflowFailException, match="plan: plan: told to fail; Batch job"):
        task(dag_id, paths).execute(context())


def test_an_array_job_does_every_slice(dag_id: str, paths: RunPaths, batch: BatchClient) -> None:
    ask_for_frames(paths, "", 10)
    job_id = task(dag_id, paths, Stage.RECONSTRUCT, slices=4).execute(context())
    [job] = jobs_of(batch, dag_id, "lightfield-gpu")
    assert job["arrayProperties"]["size"] == 4
    done = {path.stem: path.read_text() for path in Path(paths.root).glob("done/reconstruct/*.json")}
    assert list(sorted(done)) == [f"{n:06d}" for n in range(10)]
    assert set(done.values()) == {f"{job_id}:{index}" for index in range(4)}


@pytest.mark.parametrize(("code", "error"), [(75, StageJobError), (65, AirflowFailException)])
def test_an_array_names_the_children_that_failed(
    dag_id: str, paths: RunPaths, code: int, error: type[Exception]
) -> None:
    ask_for_frames(paths, f"reconstruct-exit-{code}@2", 10)
    with pytest.raises(error, match="1 of 4 slices; slice 2: reconstruct: told to fail; Batch job") as raised:
        task(dag_id, paths, Stage.RECONSTRUCT, slices=4).execute(context())
    assert f"exit code {code}" in str(raised.value)
    assert json.loads(Path(paths.failure(Stage.RECONSTRUCT, 2)).read_text())["exit_code"] == code
    assert len(list(Path(paths.root).glob("done/reconstruct/*.json"))) == 8


def test_ending_an_array_ends_its_children(dag_id: str, paths: RunPaths, batch: BatchClient) -> None:
    ask_for_frames(paths, "reconstruct-wait", 10)
    operator = task(dag_id, paths, Stage.RECONSTRUCT, slices=6)
    thread, errors = in_background(operator)
    until(Path(paths.root, "waiting").exists)
    operator.on_kill()
    thread.join(20)
    assert "6 of 6 slices" in str(errors[0])
    children = batch.list_jobs(arrayJobId=str(operator.job_id), jobStatus="FAILED")["jobSummaryList"]
    assert len(children) == 6


def test_batch_that_refuses_is_not_waited_for(dag_id: str, paths: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIGHTFIELD_JOB_DEFINITION", "unheard-of")
    with pytest.raises(StageJobError, match=r"plan: Batch does not take the job: .*unheard-of"):
        task(dag_id, paths).execute(context())


def test_a_killed_task_ends_the_job_whose_id_comes_late(
    dag_id: str, paths: RunPaths, batch: BatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(paths, "plan-sleep")
    monkeypatch.setattr(operators, "KILL_LOOKS", 0)
    operator = task(dag_id, paths)
    operator.on_kill()
    with pytest.raises(StageJobError, match="ended by a user"):
        operator.execute(context())
    assert [job["status"] for job in jobs_of(batch, dag_id)] == ["FAILED"]
