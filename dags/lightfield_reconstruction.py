"""``lightfield_reconstruction``: from a data set to volumes and a report, one Batch job a slice of a stage."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.configuration import conf
from airflow.sdk import TaskGroup, XComArg, dag, get_current_context, task
from airflow.sdk.definitions.mappedoperator import MappedOperator

from lfcore.contracts import Stage
from lightfield.failures import retrying_only_what_may_pass
from lightfield.fanout import ITEM_NAMES, Caps, Slice, cut_stage
from lightfield.notify import dag_callbacks
from lightfield.operators import StageBatchOperator
from lightfield.params import reconstruction_params
from lightfield.request import check_request, read_run_json, write_plan_item

RUN = "{{ ti.xcom_pull(task_ids='request')['run'] }}"
"""The run's folder, as task ``request`` resolved it."""


def stage_task(stage: Stage) -> StageBatchOperator:
    """A stage that is one job."""
    return StageBatchOperator(task_id=stage.value, stage=stage.value, run=RUN)


def mapped_stage_task(stage: Stage, slices: XComArg) -> MappedOperator:
    """A stage that is as many jobs as ``slices`` will hold, each named for its frames or planes."""
    return StageBatchOperator.partial(
        task_id=stage.value, stage=stage.value, run=RUN, map_index_template="{{ task.slice_label }}"
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
            write_plan_item(checked)
        return asdict(checked)

    @task
    def cut(stage: str) -> list[Slice]:
        """Cut a planned stage into slices."""
        asked = get_current_context()["ti"].xcom_pull(task_ids="request")
        longest = conf.getint("core", "max_map_length")
        with retrying_only_what_may_pass():
            return cut_stage(Stage(stage), read_run_json(asked["run"]), Caps(**asked["caps"]), longest)

    # One task a mapped stage, because a mapped task takes its length from the whole of one task's result.
    with TaskGroup("fan_out", tooltip="Sizes the mapped stages from the plan"):
        slices = {stage: cut.override(task_id=stage.value)(stage.value) for stage in ITEM_NAMES}

    asked = request()
    planned, calibrated, reported = map(stage_task, (Stage.PLAN, Stage.CALIBRATE, Stage.REPORT))
    normalised, transformed, reconstructed = (mapped_stage_task(stage, slices[stage]) for stage in slices)

    asked >> planned >> [calibrated, *slices.values()]
    calibrated >> transformed
    [normalised, transformed] >> reconstructed >> reported


lightfield_reconstruction()
