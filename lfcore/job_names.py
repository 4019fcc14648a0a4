"""Names and tags of Batch jobs, within what AWS allows, and the queues and job definitions that they use.

Airflow's tasks and the command line name their jobs alike. ``owner`` and ``run_id`` say whose a run is: the DAG and its
run, or ``CLI`` and the run's folder.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lfcore.contracts import Stage, fingerprint, safe_name

CLI = "cli"
"""The owner of runs that were submitted from the command line."""
LONGEST_JOB_NAME = 128
LONGEST_TAG = 256
DIGEST_LENGTH = 10
WHOLE_STAGE = "array"
"""Stands in a job's name for the slice where one array job does all slices of a stage."""


@dataclass(frozen=True)
class Places:
    """The queues and job definitions of a deployment; ``gpu_definition`` is empty where the other serves GPUs too."""

    cpu_queue: str
    gpu_queue: str
    definition: str
    gpu_definition: str

    @classmethod
    def chosen(
        cls,
        cpu_queue: str | None = None,
        gpu_queue: str | None = None,
        definition: str | None = None,
        environment: Mapping[str, str] = os.environ,
    ) -> "Places":
        """What is given, else the environment's ``LIGHTFIELD_JOB_...`` (``docs/airflow.md``), else their defaults."""
        return cls(
            cpu_queue or environment.get("LIGHTFIELD_JOB_QUEUE_CPU") or "lightfield-cpu",
            gpu_queue or environment.get("LIGHTFIELD_JOB_QUEUE_GPU") or "lightfield-gpu",
            definition or environment.get("LIGHTFIELD_JOB_DEFINITION") or "lightfield",
            environment.get("LIGHTFIELD_JOB_DEFINITION_GPU", ""),
        )

    def queue(self, stage: Stage) -> str:
        """The queue for a stage: only the solver is worth a GPU."""
        return self.gpu_queue if stage is Stage.RECONSTRUCT else self.cpu_queue

    def definition_of(self, stage: Stage) -> str:
        """Likewise the job definition."""
        return (self.gpu_definition or self.definition) if stage is Stage.RECONSTRUCT else self.definition

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue once."""
        return tuple(dict.fromkeys([self.cpu_queue, self.gpu_queue]))


def run_prefix(owner: str, run_id: str) -> str:
    """What the names of all jobs of a run begin with, and no other's."""
    return f"lf-{fingerprint([owner, run_id])[:DIGEST_LENGTH]}-"


def slice_prefix(owner: str, run_id: str, stage: Stage, slice_index: int | None) -> str:
    """What the name of a slice's job begins with; no slice index is all slices in one array job."""
    return f"{run_prefix(owner, run_id)}{stage}-{WHOLE_STAGE if slice_index is None else slice_index}-"


def job_name(owner: str, run_id: str, stage: Stage, slice_index: int | None) -> str:
    """Name of a job: at most 128 letters, digits, ``-`` and ``_``; its end says to people which run it belongs to."""
    told = safe_name(run_id.rstrip("/").rpartition("/")[2] if owner == CLI else run_id)
    return f"{slice_prefix(owner, run_id, stage, slice_index)}{told}"[:LONGEST_JOB_NAME]


def stage_of(name: str) -> Stage | None:
    """The stage that a job's name says; None for a name of another form."""
    found = re.match(r"lf-[0-9a-f]+-([a-z]+)-", name)
    return Stage(found[1]) if found and found[1] in {stage.value for stage in Stage} else None


def job_tags(owner: str, run_id: str, stage: Stage) -> dict[str, str]:
    """Tags that lead from a job, and its cost, back to its run; other characters become ``-``."""
    tags = {"lightfield:dag": owner, "lightfield:run": run_id, "lightfield:stage": stage.value}
    return {key: re.sub(r"[^A-Za-z0-9 +=._:/@-]", "-", value)[:LONGEST_TAG] for key, value in tags.items()}
