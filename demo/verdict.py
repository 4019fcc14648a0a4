"""Whether the demo did what it claims: every stage a Batch job, and the simulated beads found again."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from lfcore.contracts import Stage

LEAST_RECONSTRUCT_JOBS = 4
LEAST_FOUND = 0.95


@dataclass(frozen=True)
class Verdict:
    """What was seen, in lines for people, and what is wrong, one line a fault."""

    lines: list[str]
    faults: list[str]


def join(*verdicts: Verdict) -> Verdict:
    """Several verdicts as one."""
    return Verdict(
        [line for verdict in verdicts for line in verdict.lines],
        [fault for verdict in verdicts for fault in verdict.faults],
    )


def succeeded_jobs(endpoint: str, region: str, queues: list[str]) -> Counter[str]:
    """Number of jobs of each stage that Batch itself reports as succeeded."""
    import boto3

    client = boto3.client(
        "batch", endpoint_url=endpoint, region_name=region, aws_access_key_id="local", aws_secret_access_key="local"
    )
    jobs: Counter[str] = Counter()
    for queue in queues:
        for page in client.get_paginator("list_jobs").paginate(jobQueue=queue, jobStatus="SUCCEEDED"):
            jobs.update(job["jobName"].split("-")[2] for job in page["jobSummaryList"])
    return jobs


def judge_jobs(jobs: Counter[str]) -> Verdict:
    """Every stage must have run as Batch jobs, and ``reconstruct`` as several."""
    faults = [f"no Batch job of stage '{stage}' succeeded" for stage in Stage if not jobs[stage]]
    if 0 < jobs[Stage.RECONSTRUCT] < LEAST_RECONSTRUCT_JOBS:
        faults.append(f"only {jobs[Stage.RECONSTRUCT]} reconstruct jobs ran, fewer than {LEAST_RECONSTRUCT_JOBS}")
    return Verdict([f"Batch jobs: {', '.join(f'{stage} {jobs[stage]}' for stage in Stage)}"], faults)


def judge_volume(dataset: Path, run: Path) -> Verdict:
    """The beads of the truth must be found in the volume, each within a voxel of its place."""
    from lfcore.simulation.compare import compare_run

    result = compare_run(str(dataset), str(run))
    found, total = cast("int", result["beads_found"]), cast("int", result["beads_total"])
    lines = [
        f"beads found again within one voxel: {found} of {total}",
        f"normalised cross-correlation with the truth: {cast('float', result['ncc']):.3f}",
    ]
    faults = []
    if not total or found < LEAST_FOUND * total:
        faults.append(f"only {found} of {total} beads were found again, fewer than {LEAST_FOUND:.0%}")
    return Verdict(lines, faults)


def judge_files(volume: Path, report: Path) -> Verdict:
    """The volume and the report must be there to be looked at."""
    faults = [f"{path} was not written" for path in (volume, report) if not path.exists()]
    return Verdict([f"volume: {volume}", f"report: {report}"], faults)
