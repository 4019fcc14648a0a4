"""``lightfield_reconstruction``: from a data set to volumes and a report, one Batch job a slice of a stage."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.sdk import Asset, TaskGroup, TriggerRule, XComArg, dag, get_current_context, task
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.exceptions import AirflowFailException

from lfcore.contracts import Stage
from lfcore.job_names import Places, run_prefix
from lightfield.ending import end_all_jobs, end_strays, fault_of_run
from lightfield.failures import retrying_only_what_may_pass
from lightfield.fanout import ITEM_NAMES, Caps, Slice, cut_stage
from lightfield.hook import StageHook
from lightfield.notify import dag_callbacks
from lightfield.operators import StageBatchOperator
from lightfield.params import reconstruction_params
from lightfield.pools import pool
from lightfield.request import check_request, read_run_json, told, write_plan_item

RUN = "{{ ti.xcom_pull(task_ids='request')['run'] }}"
"""The run's folder, as task ``request`` resolved it."""

VOLUMES = Asset(name="lightfield_volumes", uri="lightfield://volumes")
"""Updated by every run that went well; the event's extra names ``dataset`` and ``run``."""


def stage_task(stage: Stage, trigger_rule: TriggerRule = TriggerRule.ALL_SUCCESS) -> StageBatchOperator:
    """A stage that is one job."""
    return StageBatchOperator(
        task_id=stage.value, stage=stage.value, run=RUN, pool=pool(stage), trigger_rule=trigger_rule
    )


def mapped_stage_task(stage: Stage, slices: XComArg) -> MappedOperator:
    """A stage that is as many jobs as ``slices`` will hold, each named for its frames or planes."""
    return StageBatchOperator.partial(
        task_id=stage.value,
        stage=stage.value,
        run=RUN,
        pool=pool(stage),
        map_index_template="{{ task.slice_label }}",
    ).expand_kwargs(slices)


@dag(
    dag_display_name="Light field reconstruction",
    description="Raw light field to volumes and a report, on AWS Batch or its local stand-in",
    doc_md=Path(__file__).with_suffix(".md").read_text(encoding="utf-8"),
    schedule=None,
    catchup=False,
    params=reconstruction_params(),
    # A task that waits for its job in place holds a slot, so the default of 16 would throttle the fan-out.
    max_active_tasks=1024,
    render_template_as_native_obj=False,
    default_args={"owner": "lightfield", "retries": 2, "retry_delay": timedelta(seconds=15)},
    tags=["lightfield"],
    **dag_callbacks(),
)
def lightfield_reconstruction() -> None:
    """Declare the tasks and, at the end, their order."""

    @task
    def request() -> dict[str, Any]:
        """Check what the user asked for, and write the first work item."""
        context = get_current_context()
        with retrying_only_what_may_pass():
            checked = check_request(context["params"], str(context["run_id"]))
            print(*told(checked), sep="\n")
            write_plan_item(checked)
        return asdict(checked)

    @task
    def cut(stage: str) -> list[Slice]:
        """Cut a planned stage into slices."""
        asked = get_current_context()["ti"].xcom_pull(task_ids="request")
        longest = conf.getint("core", "max_map_length")
        with retrying_only_what_may_pass():
            return cut_stage(Stage(stage), read_run_json(asked["run"]), Caps(**asked["caps"]), longest)

    @task(outlets=[VOLUMES])
    def end_jobs() -> None:
        """End what is left of the run's Batch jobs, and fail when the run failed."""
        context = get_current_context()
        ti, queues = context["ti"], Places.chosen().queues
        asked = ti.xcom_pull(task_ids="request")
        states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
        fault = fault_of_run({name: state for name, state in states.items() if name != ti.task_id}, asked["run"])
        client, prefix = StageHook().get_conn(), run_prefix(ti.dag_id, ti.run_id)
        if fault is None:
            end_strays(client, queues, prefix)
            context["outlet_events"][VOLUMES].extra = {"dataset": asked["dataset"], "run": asked["run"]}
            return
        end_all_jobs(client, queues, prefix)
        raise AirflowFailException(fault)

    # One task a mapped stage, because a mapped task takes its length from the whole of one task's result.
    with TaskGroup("fan_out", tooltip="Sizes the mapped stages from the plan"):
        slices = {stage: cut.override(task_id=stage.value)(stage.value) for stage in ITEM_NAMES}

    asked = request().as_setup()
    planned, calibrated = map(stage_task, (Stage.PLAN, Stage.CALIBRATE))
    # What is there of a run is worth a report; that slices are missing is what end_jobs then says.
    reported = stage_task(Stage.REPORT, TriggerRule.ALL_DONE_MIN_ONE_SUCCESS)
    normalised, transformed, reconstructed = (mapped_stage_task(stage, slices[stage]) for stage in slices)

    asked >> planned >> [calibrated, *slices.values()]
    calibrated >> transformed
    [normalised, transformed] >> reconstructed >> reported
    # A teardown runs at the end of every run, also of one that a user marks; that it counts for the run's state makes
    # it the judge: Airflow alone takes a run with a skipped or successful report for a good one.
    [asked, reported] >> end_jobs().as_teardown(on_failure_fail_dagrun=True)


lightfield_reconstruction()
