"""What a slice's newest Batch job has written, through the connection that the DAGs use."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from airflow.sdk.exceptions import AirflowException
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from lfcore.contracts import Stage
from lfcore.errors import UnavailableError
from lfcore.job_names import Places, slice_prefix
from lfcore.stages.look import NotThereError
from lightfield.batch_jobs import describe
from lightfield.hook import StageHook

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

CONNECTION = "aws_default"
LINES = 2000
# Somebody is waiting for an answer, and few others can be served meanwhile.
PATIENCE = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})


def job_log(dag_id: str, run_id: str, stage: Stage, slice_index: int) -> str:
    """The last 2,000 lines of the slice's newest job, after one line that says which job that is.

    Raises ``NotThereError`` when Batch knows of no such job, ``UnavailableError`` when it does not answer.
    """
    try:
        hook = StageHook(aws_conn_id=CONNECTION, config=PATIENCE)
        client = cast("BatchClient", hook.client)
        job = _newest(client, dag_id, run_id, stage, slice_index)
        if job is None:
            raise NotThereError(
                f"Batch knows of no job for slice {slice_index} of {stage}; it forgets jobs after a time"
            )
        lines = hook.last_lines(job, LINES)
    except (BotoCoreError, ClientError, AirflowException) as error:
        raise UnavailableError(f"Batch does not answer ({type(error).__name__}); try again") from error
    said = lines or ["(nothing in its log yet)"]
    return "\n".join([f"{job.get('jobName')} {job.get('jobId')}: {job.get('status')}", *said, ""])


def _newest(
    client: "BatchClient", dag_id: str, run_id: str, stage: Stage, slice_index: int
) -> Mapping[str, Any] | None:
    """The slice's newest job, by itself or as a child of an array; None when there is none."""
    queue = Places.chosen().queue(stage)
    alone = _ids(client, queue, slice_prefix(dag_id, run_id, stage, slice_index))
    arrays = _ids(client, queue, slice_prefix(dag_id, run_id, stage, None))
    newest = max([*alone, *((created, f"{job_id}:{slice_index}") for created, job_id in arrays)], default=None)
    return next(iter(describe(client, [newest[1]])), None) if newest else None


def _ids(client: "BatchClient", queue: str, prefix: str) -> list[tuple[int, str]]:
    """When jobs of a name were made, and their ids."""
    pages = client.get_paginator("list_jobs").paginate(
        jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [f"{prefix}*"]}]
    )
    return [(job.get("createdAt", 0), job["jobId"]) for page in pages for job in page["jobSummaryList"]]
