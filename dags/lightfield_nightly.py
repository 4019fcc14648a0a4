"""``lightfield_nightly``: one reconstruction for each new or changed data set below the roots, and a summary."""

from dataclasses import asdict
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from airflow.sdk import TriggerRule, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from lightfield import dag_runs, ledger
from lightfield.failures import retrying_only_what_may_pass
from lightfield.night import Wishes, look_round
from lightfield.night_summary import plan_of, summarise, summary_place
from lightfield.nightly import Order, missed
from lightfield.nightly_operator import NightlyReconstructionOperator
from lightfield.nightly_params import nightly_params, nightly_timetable, runs_at_once
from lightfield.notify import dag_callbacks

RECONSTRUCTION = "lightfield_reconstruction"
PLAN_KEY = "plan"


@dag(
    dag_display_name="Light field nightly",
    description="Reconstructs new and changed data sets at night, and says what became of each",
    doc_md=Path(__file__).with_suffix(".md").read_text(encoding="utf-8"),
    schedule=nightly_timetable(),
    catchup=False,
    # Also where other DAGs start unpaused: it begins to reconstruct what it finds when somebody asks for that.
    is_paused_upon_creation=True,
    max_active_runs=1,
    params=nightly_params(),
    default_args={"owner": "lightfield", "retries": 2, "retry_delay": timedelta(seconds=30)},
    tags=["lightfield"],
    **dag_callbacks(),
)
def lightfield_nightly() -> None:
    """Declare the tasks and their order."""

    @task
    def look() -> list[dict[str, Any]]:
        """Search the roots and decide: the orders, one a data set; all else is put down under ``PLAN_KEY``."""
        context = get_current_context()
        night, params = context["dag_run"], context["params"]
        if remark := missed(str(night.run_type), night.run_after):
            context["ti"].xcom_push(key=PLAN_KEY, value={"roots": params["roots"], "remark": remark})
            return []
        if dag_runs.is_paused(RECONSTRUCTION):
            raise AirflowFailException(f"{RECONSTRUCTION} is paused; unpause it and clear this task")
        with retrying_only_what_may_pass():
            decisions, survey = look_round(Wishes.from_params(params), partial(dag_runs.state_of, RECONSTRUCTION))
        context["ti"].xcom_push(key=PLAN_KEY, value=plan_of(decisions, params["roots"], survey.unreadable))
        return [asdict(order) for order in decisions.orders]

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def summary() -> dict[str, Any]:
        """Say what became of each data set; a night without a plan did not do its job."""
        context = get_current_context()
        plan = context["ti"].xcom_pull(task_ids="look", key=PLAN_KEY)
        if plan is None:
            raise AirflowFailException("the night has no plan: see the log of task 'look'")
        orders = [Order(**order) for order in context["ti"].xcom_pull(task_ids="look") or []]
        told = summarise(str(context["run_id"]), plan, orders, ledger.read_all(order.dataset for order in orders))
        path = told.write(summary_place(told.roots))
        for line in told.text.splitlines():
            print(line)
        return {"summary": path, "counts": told.counts, "text": told.text}

    reconstruct = NightlyReconstructionOperator.partial(
        task_id="reconstruct",
        trigger_dag_id=RECONSTRUCTION,
        max_active_tis_per_dagrun=runs_at_once(),
        map_index_template="{{ task.dataset }}",
    ).expand(order=look())
    reconstruct >> summary()


lightfield_nightly()
