"""Finding the jobs of a run in Batch, by name and by id, and ending all of them."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from lfcore.batch.client import explained
from lfcore.errors import TemporaryError, UnavailableError

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

LIVE = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING")
FINAL = ("SUCCEEDED", "FAILED")
MOST_DESCRIBED = 100
CLEAN_LOOKS = 2
CHILD_MARK = ":"
"""Between an array's id and a child's index."""

CHILDREN_FROM_LOOK = 4
"""Ending an array ends its children; those that are there after so many looks are ended by themselves."""
Job = Mapping[str, Any]


def describe(client: "BatchClient", job_ids: Sequence[str]) -> list[Job]:
    """What Batch says about those of the jobs that it still knows."""
    chunks = [list(job_ids[first : first + MOST_DESCRIBED]) for first in range(0, len(job_ids), MOST_DESCRIBED)]
    with explained("describing jobs"):
        return [cast("Job", job) for chunk in chunks for job in client.describe_jobs(jobs=chunk)["jobs"]]


def named(client: "BatchClient", queues: Iterable[str], prefix: str) -> list[Job]:
    """Every job whose name begins with ``prefix``, in any state; children of arrays are not among them."""
    found: list[Job] = []
    for queue in queues:
        with explained(f"queue {queue}"):
            pages = client.get_paginator("list_jobs").paginate(
                jobQueue=queue, filters=[{"name": "JOB_NAME", "values": [f"{prefix}*"]}]
            )
            found += [cast("Job", job) for page in pages for job in page["jobSummaryList"]]
    return found


def children(client: "BatchClient", array_id: str, states: Iterable[str] = LIVE) -> list[Job]:
    """Children of an array in any of ``states``."""
    found: list[Job] = []
    for state in states:
        with explained(f"array {array_id}"):
            pages = client.get_paginator("list_jobs").paginate(arrayJobId=array_id, jobStatus=cast("Any", state))
            found += [cast("Job", job) for page in pages for job in page["jobSummaryList"]]
    return found


def is_array(job: Job) -> bool:
    """Whether a job has children."""
    return bool((job.get("arrayProperties") or {}).get("size"))


def states_of(job: Job) -> Counter[str]:
    """How many jobs of a described job are in which state: its own, or those of its children."""
    summary = (job.get("arrayProperties") or {}).get("statusSummary") or {}
    counted = Counter({state: count for state, count in summary.items() if count})
    return counted if is_array(job) and counted else Counter([str(job["status"])])


def live_ids(client: "BatchClient", queues: Iterable[str], prefix: str, known: Sequence[str]) -> list[str]:
    """Ids of all jobs of a run that are in no final state, children included; ``known`` may have other names."""
    listed = named(client, queues, prefix)
    ids = list(dict.fromkeys([*(str(job["jobId"]) for job in listed), *known]))
    jobs = {str(job["jobId"]): job for job in describe(client, ids)}
    live = [job_id for job_id, job in jobs.items() if job["status"] in LIVE]
    arrays = [job_id for job_id, job in jobs.items() if is_array(job)]
    # A parent may be final in the list before its last child is.
    live += [str(child["jobId"]) for array_id in arrays for child in children(client, array_id)]
    return live


def _end(client: "BatchClient", job_id: str, reason: str, tell: Callable[[str], None]) -> None:
    """End a job. A child carries no tags of its own, so it may not be ours to end: its parent has been told."""
    try:
        with explained(f"ending {job_id}"):
            client.terminate_job(jobId=job_id, reason=reason)
    except UnavailableError as error:
        if CHILD_MARK not in job_id:
            raise
        tell(str(error))


def end_all(
    client: "BatchClient",
    queues: Sequence[str],
    prefix: str,
    known: Callable[[], Sequence[str]],
    reason: str,
    patience_s: float = 300.0,
    pause_s: float = 1.0,
    tell: Callable[[str], None] = lambda line: None,
) -> int:
    """End every job of a run, and look until none is live in two looks after each other; how many were live.

    ``known`` gives ids that the run has written down. Raises ``TemporaryError`` when some are live after
    ``patience_s``, naming them.
    """
    told: set[str] = set()
    ended: set[str] = set()
    looks, clean, deadline = 0, 0, time.monotonic() + patience_s
    while True:
        live, looks = live_ids(client, queues, prefix, known()), looks + 1
        ended.update(live)
        clean = 0 if live else clean + 1
        if clean >= CLEAN_LOOKS:
            return len(ended)
        for job_id in live:
            if job_id not in told and (CHILD_MARK not in job_id or looks >= CHILDREN_FROM_LOOK):
                _end(client, job_id, reason, tell)
                told.add(job_id)
        if live:
            tell(f"{len(live)} jobs are still ending")
        if time.monotonic() > deadline:
            shown = ", ".join(live[:3])
            raise TemporaryError(f"{len(live)} jobs are not over after {patience_s:g} s ({shown}); run stop again")
        time.sleep(pause_s)
