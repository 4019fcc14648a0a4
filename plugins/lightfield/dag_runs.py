"""Runs of another DAG, from inside a task or a trigger: started, looked at and waited for, through Airflow's task API.

``TriggerDagRunOperator`` goes the same way, but fails, or does not wait, where the run is there already.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.sdk import DagRunState
from airflow.sdk.exceptions import ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.triggers.base import BaseTrigger, TriggerEvent

from lightfield.outcomes import ACTIVE_STATES
from lightfield.triggers import SETTLE_S

ENDED_STATES = ("success", "failed", "skipped", "upstream_failed", "removed")
"""States of a task that has ended."""


def start(dag_id: str, run_id: str, conf: Mapping[str, Any], note: str) -> bool:
    """Start a run; whether there was none of this id. Raises ``AirflowRuntimeError`` when Airflow refuses."""
    message = TriggerDagRun(dag_id=dag_id, run_id=run_id, conf=dict(conf), note=note)
    # The module's own name is looked up late, because the process sets it after the import.
    answer = task_runner.SUPERVISOR_COMMS.send(message)
    return not (isinstance(answer, ErrorResponse) and answer.error == ErrorType.DAGRUN_ALREADY_EXISTS)


def state_of(dag_id: str, run_id: str) -> str | None:
    """State of a run in Airflow's words; none when Airflow does not know it."""
    if not RuntimeTaskInstance.get_dr_count(dag_id=dag_id, run_ids=[run_id]):
        return None
    # Typed as a string, it is a member of an enumeration.
    return DagRunState(RuntimeTaskInstance.get_dagrun_state(dag_id=dag_id, run_id=run_id)).value


def unfinished(dag_id: str, run_id: str, task_id: str) -> list[int]:
    """Indices of the instances of a mapped task that have not ended."""
    states = RuntimeTaskInstance.get_task_states(dag_id=dag_id, task_ids=[task_id], run_ids=[run_id]).get(run_id, {})
    return [int(name.rpartition("_")[2]) for name, state in states.items() if state not in ENDED_STATES]


def is_paused(dag_id: str) -> bool:
    """Whether a DAG's runs would wait until somebody unpauses it."""
    return bool(RuntimeTaskInstance.get_dag(dag_id).is_paused)


class RunEndTrigger(BaseTrigger):
    """Waits until a run has ended, at most until ``until``, s since 1970.

    The event is {``run_id``, ``state``: none when Airflow no longer knows the run}. Ending the task that waits leaves
    the run alone.
    """

    def __init__(self, dag_id: str, run_id: str, until: float, poll_s: float) -> None:
        """``poll_s`` is the pause between two looks, s."""
        super().__init__()  # type: ignore[no-untyped-call]  # Airflow's own is not annotated
        self.dag_id = dag_id
        self.run_id = run_id
        self.until = until
        self.poll_s = poll_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The arguments, for the triggerer's database."""
        names = ("dag_id", "run_id", "until", "poll_s")
        return "lightfield.dag_runs.RunEndTrigger", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look at the run until it has ended or the time is over."""
        # The scheduler must have read that the task waits before it is woken up, see `SETTLE_S`.
        await asyncio.sleep(SETTLE_S)
        while (state := await asyncio.to_thread(state_of, self.dag_id, self.run_id)) in ACTIVE_STATES:
            if time.time() >= self.until:
                break
            await asyncio.sleep(self.poll_s)
        yield TriggerEvent({"run_id": self.run_id, "state": state})  # type: ignore[no-untyped-call]  # as above
