"""How a submitted run stands: its jobs in Batch, its items in its folder, and dollars so far."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lfcore.batch.jobs import LIVE, Job, children, describe, is_array, states_of
from lfcore.batch.reasons import trouble
from lfcore.batch.submission import Submission
from lfcore.contracts import RunPaths, Stage
from lfcore.io import store
from lfcore.prices.table import PriceTable
from lfcore.stages.runner import read_records
from lfcore.stages.spent import StageCost, stage_costs
from lfcore.stages.watch import RunProgress, watch

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient

FORGOTTEN = "FORGOTTEN"
"""Stands for the state of a job that Batch no longer knows."""

CHILDREN_LOOKED_AT = 5
"""Of an array, in each state that may have a reason: its parent does not say why children fail or wait."""


@dataclass(frozen=True)
class Standing:
    """``states``: {stage: how many jobs are in which state}; ``troubles``: lines on jobs that failed or are stuck."""

    progress: RunProgress
    states: Mapping[str, Counter[str]]
    troubles: Sequence[str]
    failed: Sequence[Mapping[str, Any]]
    costs: Sequence[StageCost]

    @property
    def live(self) -> int:
        """Jobs that are in no final state."""
        return sum(states[state] for states in self.states.values() for state in LIVE)

    @property
    def failures(self) -> int:
        """Jobs that failed."""
        return sum(states["FAILED"] for states in self.states.values())


def standing(client: "BatchClient", run: RunPaths, one: Submission, table: PriceTable) -> Standing:
    """How a submission stands now; the only requests beside Batch's are for the run's own files."""
    jobs = {str(job["jobId"]): job for job in describe(client, [job.job_id for job in one.jobs])}
    states: dict[str, Counter[str]] = {}
    for submitted in one.jobs:
        job = jobs.get(submitted.job_id)
        counted = Counter([FORGOTTEN]) if job is None else states_of(job)
        states[submitted.stage] = states.get(submitted.stage, Counter()) + counted
    looked_at = [one for job in jobs.values() for one in _with_children(client, job)]
    progress = watch(run)
    return Standing(
        progress=progress,
        states=states,
        troubles=[line for line in map(trouble, looked_at) if line],
        failed=[job for job in looked_at if job["status"] == "FAILED"],
        costs=stage_costs(_sampled(run, progress), table),
    )


def _with_children(client: "BatchClient", job: Job) -> list[Job]:
    """A described job, and of an array some children that failed and some that wait for a machine."""
    states = [state for state in ("FAILED", "RUNNABLE") if states_of(job)[state]] if is_array(job) else []
    found = [child for state in states for child in children(client, str(job["jobId"]), [state])[:CHILDREN_LOOKED_AT]]
    return [job, *describe(client, [str(child["jobId"]) for child in found])]


def _sampled(run: RunPaths, progress: RunProgress) -> dict[Stage, dict[str, dict[str, Any]]]:
    """For each stage one record that stands for all: its machine, and the seconds of all jobs so far."""
    found: dict[Stage, dict[str, dict[str, Any]]] = {}
    for counted in progress.stages:
        stage = Stage(counted.stage)
        folder = run.done(stage, "x").rpartition("/")[0]
        name = min((name for name in store.listing(folder) if name.endswith(".json")), default=None)
        if name is None:
            continue
        records = read_records(run.done, run, stage, [{"id": name.removesuffix(".json")}])
        summed = {"seconds": counted.job_seconds, "preparation_seconds": 0.0}
        found[stage] = {item_id: {**record, **summed} for item_id, record in records.items()}
    return found
