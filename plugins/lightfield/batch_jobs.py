"""Finding a run's jobs in Batch by their names, and ending them."""

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_batch.type_defs import JobDetailTypeDef, JobSummaryTypeDef

LOG = logging.getLogger(__name__)
LIVE = frozenset({"SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING"})
MOST_DESCRIBED = 100
USER_ENDED = "Task ended by the user"
RUN_ENDED = "Airflow run ended"


def live_jobs(client: "BatchClient", queue: str, prefix: str) -> list["JobSummaryTypeDef"]:
    """The jobs of ``queue`` whose names begin with ``prefix`` and that have not ended, newest first.

    Raises botocore's errors. AWS ignores a status beside a filter by name, so the status is looked at here.
    """
    pages = client.get_paginator("list_jobs").paginate(
        jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [f"{prefix}*"]}]
    )
    jobs = [job for page in pages for job in page["jobSummaryList"] if job.get("status") in LIVE]
    return sorted(jobs, key=lambda job: -job.get("createdAt", 0))


def describe(client: "BatchClient", job_ids: list[str]) -> list["JobDetailTypeDef"]:
    """What Batch says about the jobs that it knows."""
    chunks = [job_ids[first : first + MOST_DESCRIBED] for first in range(0, len(job_ids), MOST_DESCRIBED)]
    return [job for chunk in chunks for job in client.describe_jobs(jobs=chunk)["jobs"]]


def failed_children(client: "BatchClient", job_id: str) -> list[str]:
    """Ids of an array's children that failed, by index."""
    pages = client.get_paginator("list_jobs").paginate(arrayJobId=job_id, jobStatus="FAILED")
    children = [job for page in pages for job in page["jobSummaryList"]]
    return [job["jobId"] for job in sorted(children, key=lambda job: job["arrayProperties"]["index"])]


def is_being_ended(job: "JobDetailTypeDef") -> bool:
    """Whether somebody has told Batch to end the job."""
    return bool(job.get("isTerminated") or job.get("isCancelled"))


def end_live_jobs(
    client: "BatchClient", queues: Iterable[str], prefix: str, reason: str, told: set[str] | None = None
) -> list[str]:
    """End every live job whose name begins with ``prefix``, an array with its children; the ids of those still live.

    Jobs in ``told`` have been told before, and are not told again; the others are added.
    """
    told = set() if told is None else told
    live = [job["jobId"] for queue in queues for job in live_jobs(client, queue, prefix)]
    for job_id in live:
        if job_id not in told:
            LOG.warning("ending Batch job %s: %s", job_id, reason)
            client.terminate_job(jobId=job_id, reason=reason)
            told.add(job_id)
    return live
