"""Runs as Airflow's database has them; nothing is written there."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from airflow.models.dag import DagTag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.state import TaskInstanceState
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lfcore.contracts import RunPaths, Stage
from lfcore.errors import SettingsError
from lightfield.params import PATH_PATTERN
from lightfield.request import check_request

TAG = "lightfield"
REQUEST_TASK = "request"
AT_WORK = (TaskInstanceState.RUNNING, TaskInstanceState.DEFERRED)
LOOKED_AT_FOR_ONE_SHOWN = 5


@dataclass(frozen=True)
class AirflowRun:
    """A run of a light field DAG; ``paths`` is None when its request has been refused, or holds no folder."""

    dag_id: str
    run_id: str
    state: str
    dataset: str
    conf: dict[str, Any]
    paths: RunPaths | None
    start: datetime | None
    end: datetime | None


def find_run(session: Session, dag_id: str, run_id: str) -> AirflowRun | None:
    """One run, if there is one of these ids."""
    found = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
    return None if found is None else _described(found, _answers(session, [found]).get((dag_id, run_id)))


def recent_runs(session: Session, readable: Collection[str], limit: int) -> list[AirflowRun]:
    """The newest runs of the DAGs in ``readable`` that are tagged as light field DAGs and were asked for a data set."""
    tagged = set(session.scalars(select(DagTag.dag_id).where(DagTag.name == TAG)))
    query = select(DagRun).where(DagRun.dag_id.in_(tagged.intersection(readable))).order_by(DagRun.run_after.desc())
    newest = list(session.scalars(query.limit(limit * LOOKED_AT_FOR_ONE_SHOWN)))
    answers = _answers(session, newest)
    runs = (_described(run, answers.get((run.dag_id, run.run_id))) for run in newest)
    return list(islice((run for run in runs if run.dataset), limit))


def jobs_at_work(session: Session, run: AirflowRun) -> dict[str, int]:
    """How many of each stage's tasks wait for their job now, by stage."""
    query = (
        select(TaskInstance.task_id, func.count())
        .where(
            TaskInstance.dag_id == run.dag_id,
            TaskInstance.run_id == run.run_id,
            TaskInstance.state.in_(AT_WORK),
            TaskInstance.task_id.in_([stage.value for stage in Stage]),
        )
        .group_by(TaskInstance.task_id)
    )
    return {str(task_id): int(count) for task_id, count in session.execute(query)}


def _answers(session: Session, runs: Sequence[DagRun]) -> dict[tuple[str, str], Any]:
    """What task ``request`` of each of the runs has returned, where it has."""
    query = select(XComModel).where(
        XComModel.dag_id.in_({run.dag_id for run in runs}),
        XComModel.run_id.in_({run.run_id for run in runs}),
        XComModel.task_id == REQUEST_TASK,
        XComModel.key == "return_value",
    )
    stored = session.scalars(query)
    return {(one.dag_id, one.run_id): XComModel.deserialize_value(one) for one in stored}


def _requested(run: DagRun, answer: Any) -> dict[str, Any]:  # noqa: ANN401  # whatever a task has returned
    """What task ``request`` found the run to be, or what it would find."""
    if isinstance(answer, dict) and isinstance(answer.get("run"), str):
        return answer
    conf = run.conf if isinstance(run.conf, dict) else {}
    try:
        checked = check_request(conf, run.run_id)
    except (SettingsError, TypeError, ValueError):
        return {"dataset": conf.get("dataset")}
    return {"dataset": checked.dataset, "run": checked.run}


def _described(run: DagRun, answer: Any) -> AirflowRun:  # noqa: ANN401  # as above
    requested = _requested(run, answer)
    dataset, folder = requested.get("dataset"), requested.get("run")
    return AirflowRun(
        dag_id=run.dag_id,
        run_id=run.run_id,
        state=str(run.state),
        dataset=dataset if isinstance(dataset, str) else "",
        conf=run.conf if isinstance(run.conf, dict) else {},
        paths=RunPaths(folder) if isinstance(folder, str) and re.fullmatch(PATH_PATTERN, folder) else None,
        start=run.start_date,
        end=run.end_date,
    )
