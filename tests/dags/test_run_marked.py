"""A run that a user marks: what Airflow's own scheduler then lets run, and what it makes of the run."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from airflow.api.common.mark_tasks import set_dag_run_state_to_failed, set_dag_run_state_to_success
from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy.orm import Session

DAGS = Path(__file__).resolve().parents[2] / "dags"
DAG_ID = "lightfield_reconstruction"
pytestmark = pytest.mark.usefixtures("airflow")


@pytest.mark.parametrize("mark", [set_dag_run_state_to_failed, set_dag_run_state_to_success])
def test_the_end_of_a_marked_run_still_ends_its_jobs_and_judges_it(mark: Callable[..., object]) -> None:
    DagBundlesManager().sync_bundles_to_db()
    sync_bag_to_db(DagBag(DAGS / f"{DAG_ID}.py"), "dags-folder", None)
    with create_session() as session:
        stored = SerializedDagModel.get(DAG_ID, session=session)
        assert stored is not None
        dag = stored.dag
        run = dag.create_dagrun(
            run_id=f"manual__{mark.__name__}",
            run_type=DagRunType.MANUAL,
            conf={"dataset": "/data/fish"},
            run_after=datetime.now(UTC),
            state=DagRunState.RUNNING,
            triggered_by=DagRunTriggeredByType.TEST,
            session=session,
        )
        run.dag = dag
        states = {"request": "success", "plan": "running"}
        for instance in run.get_task_instances(session=session):
            instance.state = states.get(instance.task_id)
        session.flush()
        mark(dag=dag, run_id=run.run_id, commit=True, session=session)
        session.expire_all()
        run.dag = dag
        # The run goes on for the teardown alone.
        assert run.state == DagRunState.RUNNING
        decision = run.task_instance_scheduling_decisions(session=session)
        assert [instance.task_id for instance in decision.schedulable_tis] == ["end_jobs"]
        assert ended(run, session, "failed") == DagRunState.FAILED


def ended(run: DagRun, session: Session, state: str) -> str:
    """The state that Airflow gives the run once ``end_jobs`` has ended so."""
    [instance] = [each for each in run.get_task_instances(session=session) if each.task_id == "end_jobs"]
    instance.state = state
    session.flush()
    run.update_state(session=session, execute_callbacks=False)
    return str(run.state)
