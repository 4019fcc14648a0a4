"""Submitting a run to Batch: the plan first, then every other stage at once, each after those that it needs."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from lfcore.batch import submission as written
from lfcore.batch.checks import check_bucket, check_places, require_same_world
from lfcore.batch.client import explained
from lfcore.batch.jobs import FINAL, describe, live_ids
from lfcore.batch.logs import last_lines
from lfcore.batch.reasons import is_permanent, trouble
from lfcore.batch.submission import Submission, SubmittedJob
from lfcore.contracts import (
    ARRAY_SIZE_VARIABLE,
    LIST_FILE_VARIABLE,
    PLANNED,
    SLICE_INDEX_VARIABLE,
    RunPaths,
    Stage,
    WorkItem,
    dump_items,
    plan_item,
)
from lfcore.errors import DataError, TemporaryError, UsageError
from lfcore.io import store
from lfcore.job_names import CLI, Places, job_name, job_tags, run_prefix
from lfcore.stages.record import read_run
from lfcore.stages.runner import read_items, unfinished

if TYPE_CHECKING:
    from mypy_boto3_batch import BatchClient
    from mypy_boto3_logs import CloudWatchLogsClient

SMALLEST_ARRAY, LARGEST_ARRAY = 2, 10_000
LONGEST_PAUSE_S = 5.0
AFTER = {
    Stage.NORMALISE: (),
    Stage.CALIBRATE: (),
    Stage.TRANSFORMS: (Stage.CALIBRATE,),
    Stage.RECONSTRUCT: (Stage.NORMALISE, Stage.CALIBRATE, Stage.TRANSFORMS),
    Stage.REPORT: (Stage.NORMALISE, Stage.CALIBRATE, Stage.TRANSFORMS, Stage.RECONSTRUCT),
}
"""Which stages a stage waits for; what is done already is not submitted, so the indirect ones are named too."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Caps:
    """At most so many jobs a stage, each to take about ``job_minutes``."""

    gpu_jobs: int = 64
    cpu_jobs: int = 32
    job_minutes: float = 10.0


def count_slices(stage: Stage, items: int, seconds_per_item: float, caps: Caps) -> int:
    """Jobs for ``items`` items: as long as wished for, never more than items, caps and Batch allow."""
    most = min(caps.gpu_jobs if stage is Stage.RECONSTRUCT else caps.cpu_jobs, LARGEST_ARRAY)
    return max(1, min(math.ceil(items * seconds_per_item / (60 * caps.job_minutes)), items, most))


class Submitter:
    """Submits one run; ``region`` and ``places`` are written down with its jobs."""

    def __init__(
        self,
        client: "BatchClient",
        logs: "CloudWatchLogsClient",
        run: RunPaths,
        places: Places,
        caps: Caps,
        tell: Tell = lambda line: None,
    ) -> None:
        self.client, self.logs, self.run, self.places, self.caps, self.tell = client, logs, run, places, caps, tell
        self._submissions: list[Submission] = []
        self._shares: Mapping[str, str] = {}

    def submit(self, dataset: str, settings: Mapping[str, Any]) -> Submission:
        """Plan ``dataset`` with overrides ``settings``, and submit what is missing of the run.

        Raises ``UsageError`` while jobs of the run are live, ``TemporaryError`` when the run is stopped meanwhile,
        ``DataError`` where the plan fails for good, and what the checks before it raise.
        """
        self._check(dataset)
        one = Submission(written.now(), dataset, settings, str(self.client.meta.region_name), asdict(self.places))
        self._submissions = [*written.read_submissions(self.run), one]
        path = self.run.items(Stage.PLAN)
        store.write_bytes(path, dump_items([plan_item(dataset, self.run.root, settings)]))
        planning = self._submit(Stage.PLAN, path, 1, 1, [])
        self._wait_for_plan(planning.job_id)
        self._submit_stages()
        return one

    def _check(self, dataset: str) -> None:
        require_same_world(self.run.root, dataset, str(self.client.meta.endpoint_url))
        for path in (self.run.root, dataset):
            check_bucket(path, str(self.client.meta.region_name))
        self.places, self._shares = check_places(self.client, self.places)
        live = live_ids(self.client, self.places.queues, run_prefix(CLI, self.run.root), written.known_ids(self.run))
        if live:
            where = f"{self.run.root}: {len(live)} jobs of it are live"
            raise UsageError(f"{where}; 'lfcore aws status' shows them, 'lfcore aws stop' ends them")
        written.unmark(self.run)

    def _submit_stages(self) -> None:
        number, jobs = len(self._submissions), dict[Stage, SubmittedJob]()
        estimates = read_run(self.run).estimates
        for stage in PLANNED:
            items = read_items(self.run, stage)
            missing, _ = unfinished(self.run, stage, items)
            if not missing:
                self.tell(f"{stage}: all {len(items)} items are done")
                continue
            slices = count_slices(stage, len(missing), estimates[stage.value]["seconds_per_item"], self.caps)
            path = self._list_of(stage, number, items, missing)
            needed = [jobs[before].job_id for before in AFTER[stage] if before in jobs]
            jobs[stage] = self._submit(stage, path, len(missing), slices, needed)

    def _list_of(self, stage: Stage, number: int, items: list[WorkItem], missing: list[WorkItem]) -> str:
        """The plan's own list, or one of what is missing."""
        if len(missing) == len(items):
            return self.run.items(stage)
        path = written.list_path(self.run, stage, number)
        store.write_bytes(path, dump_items(missing))
        return path

    def _submit(self, stage: Stage, path: str, items: int, slices: int, needed: list[str]) -> SubmittedJob:
        """Submit a stage as an array, or as one job, and write it down."""
        self._refuse_if_stopped()
        array = slices >= SMALLEST_ARRAY
        name, queue = job_name(CLI, self.run.root, stage, None if array else 0), self.places.queue(stage)
        environment = {LIST_FILE_VARIABLE: path, ARRAY_SIZE_VARIABLE: str(slices)}
        if not array:
            environment[SLICE_INDEX_VARIABLE] = "0"
        options = {
            "arrayProperties": {"size": slices} if array else None,
            "dependsOn": [{"jobId": job_id} for job_id in needed],
            "shareIdentifier": self._shares.get(queue),
        }
        with explained(f"submitting {stage}"):
            answer = self.client.submit_job(
                jobName=name,
                jobQueue=queue,
                jobDefinition=self.places.definition_of(stage),
                containerOverrides={"environment": [{"name": key, "value": environment[key]} for key in environment]},
                tags=job_tags(CLI, self.run.root, stage),
                **cast("Any", {key: value for key, value in options.items() if value}),
            )
        job = SubmittedJob(stage.value, answer["jobId"], name, queue, slices, items, path)
        self._submissions[-1].jobs.append(job)
        written.write_submissions(self.run, self._submissions)
        # A stop that looked before this job was there has left its mark by now.
        self._refuse_if_stopped()
        self.tell(f"{stage}: {items} items in {slices} {'jobs' if slices > 1 else 'job'}, {job.job_id}")
        return job

    def _refuse_if_stopped(self) -> None:
        if not written.is_stopped(self.run):
            return
        for job in self._submissions[-1].jobs:
            with explained(f"ending {job.job_id}"):
                self.client.terminate_job(jobId=job.job_id, reason="the run was stopped while it was submitted")
        raise TemporaryError(f"{self.run.root}: was stopped while it was submitted; 'lfcore aws resume' goes on")

    def _wait_for_plan(self, job_id: str) -> None:
        self.tell("waiting for the plan, which says how many jobs the others take")
        pause_s, told = 0.1, ""
        while True:
            [job] = describe(self.client, [job_id]) or [{"status": "SUBMITTED", "jobName": "plan", "jobId": job_id}]
            if job["status"] in FINAL:
                break
            self._refuse_if_stopped()
            stuck = trouble(job)
            if stuck and stuck != told:
                self.tell(told := stuck)
            time.sleep(pause_s)
            pause_s = min(1.5 * pause_s, LONGEST_PAUSE_S)
        self._refuse_if_stopped()
        if job["status"] == "FAILED":
            lines = last_lines(self.logs, job, 1)
            said = f"{self.run.root}: planning failed: {'; '.join(filter(None, [*lines, trouble(job)]))}"
            raise DataError(said) if is_permanent([job]) else TemporaryError(said)
