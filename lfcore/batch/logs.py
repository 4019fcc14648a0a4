"""What jobs have written: CloudWatch's streams, by stage and slice."""

import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

from lfcore.batch.client import explained
from lfcore.batch.jobs import FINAL, Job, children, describe, is_array
from lfcore.batch.reasons import last_container
from lfcore.batch.submission import Submission
from lfcore.contracts import Stage
from lfcore.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_logs import CloudWatchLogsClient

DEFAULT_GROUP = "/aws/batch/job"
ALL_STATES = ("FAILED", "RUNNING", "STARTING", "SUCCEEDED", "RUNNABLE", "PENDING", "SUBMITTED")
FOLLOW_PAUSE_S = 2.0


def choose_job(client: "BatchClient", one: Submission, stage: Stage | None, index: int | None) -> Job:
    """The job of a stage and slice; where none is named a failed one, else one that is running, else the last.

    Raises ``UsageError`` for a stage or slice that was not submitted, or that Batch has forgotten.
    """
    ids = [job.job_id for job in one.jobs if stage is None or job.stage == stage.value]
    jobs = {str(job["jobId"]): job for job in describe(client, ids)}
    if not jobs:
        what = f"stage {stage}" if stage else "this run"
        raise UsageError(
            f"Batch knows no job of {what}; jobs are forgotten after some days, logs are not: see CloudWatch"
        )
    spread: list[Job] = []
    for job_id, job in jobs.items():
        found = children(client, job_id, ALL_STATES) if is_array(job) else [job]
        spread += [one for one in found if index is None or _index(one) == index]
    if not spread:
        raise UsageError(
            f"--slice {index}: there is no such slice in {', '.join(job['jobName'] for job in jobs.values())}"
        )
    chosen = min(reversed(spread), key=lambda job: ALL_STATES.index(job["status"]))
    return describe(client, [str(chosen["jobId"])])[0]


def _index(job: Job) -> int:
    return int((job.get("arrayProperties") or {}).get("index", 0))


def place_of(job: Job) -> tuple[str, str] | None:
    """Log group and stream of a described job's last attempt; None while there is none."""
    stream = last_container(job).get("logStreamName")
    options = ((job.get("container") or {}).get("logConfiguration") or {}).get("options") or {}
    return (options.get("awslogs-group", DEFAULT_GROUP), stream) if stream else None


def last_lines(logs: "CloudWatchLogsClient", job: Job, count: int) -> list[str]:
    """The last lines of a job's log; none where there is no log, or it cannot be read."""
    place = place_of(job)
    if place is None:
        return []
    try:
        answer = logs.get_log_events(logGroupName=place[0], logStreamName=place[1], limit=count, startFromHead=False)
    except Exception as error:
        if type(error).__module__.startswith("botocore"):
            return []
        raise
    return [event["message"] for event in answer["events"]]


def read_log(client: "BatchClient", logs: "CloudWatchLogsClient", job_id: str, follow: bool) -> Iterator[str]:
    """All lines of a job's last attempt, and with ``follow`` those to come, until the job is over."""
    token: str | None = None
    while True:
        [job] = describe(client, [job_id])
        place = place_of(job)
        if place is not None:
            token = yield from _pages(logs, place, token)
        if not follow or job["status"] in FINAL:
            return
        time.sleep(FOLLOW_PAUSE_S)


def _pages(logs: "CloudWatchLogsClient", place: tuple[str, str], token: str | None) -> Generator[str, None, str | None]:
    """What is there after ``token``; returns the next one."""
    while True:
        more: Any = {"nextToken": token} if token else {"startFromHead": True}
        with explained(f"log {place[0]} {place[1]}"):
            answer = logs.get_log_events(logGroupName=place[0], logStreamName=place[1], **more)
        yield from (event["message"] for event in answer["events"])
        if answer["nextForwardToken"] == token:
            return token
        token = answer["nextForwardToken"]
