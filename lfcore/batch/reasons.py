"""What Batch's reasons mean, and what to do about them.

Sources: AWS Batch User Guide, "Jobs stuck in RUNNABLE status" and "Automated job retries"; EC2's error codes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from lfcore.errors import EXIT_BAD_DATA, EXIT_BAD_SETTINGS, EXIT_USAGE

REMEDIES = (
    ("CannotPullContainerError", "the image cannot be pulled; push it, or deploy the job definition with its digest"),
    ("CannotStartContainerError", "the container cannot be started; see the job definition's command"),
    ("Host EC2", "the host was reclaimed or lost; 'lfcore aws resume' does what is missing"),
    ("OutOfMemory", "out of memory; give the job definition more, or use fewer planes"),
    ("Job attempt duration exceeded timeout", "the job ran into its time limit; raise it in the job definition"),
    ("Dependent Job failed", "a job before it failed; see that one"),
    ("MaxSpotInstanceCountExceeded", "the spot quota is used up or zero; ask for more under Service Quotas, EC2"),
    ("VcpuLimitExceeded", "the vCPU quota is used up or zero; ask for more under Service Quotas, EC2"),
    ("quota", "a quota is used up or zero; ask for more under Service Quotas, EC2"),
    ("INSUFFICIENT_INSTANCE_CAPACITY", "AWS has no such machines free now; wait, or add types or zones"),
    ("COMPUTE_ENVIRONMENT_MAX_RESOURCE", "the compute environment's maxvCpus is too small, or zero; raise it"),
    ("JOB_RESOURCE_REQUIREMENT", "no instance type of the queue is large enough; ask for less, or add larger types"),
    ("SERVICE_ROLE_PERMISSIONS", "Batch's service role lacks rights; deploy infra/ again"),
    ("disabled", "a queue or compute environment is disabled; enable it"),
    ("MISCONFIGURATION", "the job can never be placed; see the queue's compute environments"),
)


def last_container(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """The container of a described job's last attempt."""
    attempts = job.get("attempts") or [{}]
    return attempts[-1].get("container") or job.get("container") or {}


def remedy(reason: str) -> str | None:
    """What to do about one of Batch's reasons; None for one that is not known."""
    return next((words for mark, words in REMEDIES if mark.lower() in reason.lower()), None)


def trouble(job: Mapping[str, Any]) -> str | None:
    """What keeps a described job from running, or has ended it, in a line; None for a job that does well."""
    reasons = list(dict.fromkeys(filter(None, [job.get("statusReason"), last_container(job).get("reason")])))
    waits = job["status"] in ("SUBMITTED", "PENDING", "RUNNABLE") and any(map(remedy, reasons))
    if job["status"] != "FAILED" and not waits:
        return None
    code = last_container(job).get("exitCode")
    facts = [f"exit code {code}"] if code is not None else []
    said = next(filter(None, map(remedy, reversed(reasons))), None)
    return f"{job['jobName']} {job['status']}: {', '.join([*facts, *reasons]) or 'no reason given'}" + (
        f"; {said}" if said else ""
    )


def is_permanent(jobs: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one of the failed jobs ended in a way that a retry cannot change."""
    return any(last_container(job).get("exitCode") in (EXIT_USAGE, EXIT_BAD_DATA, EXIT_BAD_SETTINGS) for job in jobs)
