"""Names and tags of Batch jobs, within what AWS allows, and the queues, job definition and pools they use."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lfcore.contracts import Stage, fingerprint, safe_name

LONGEST_JOB_NAME = 128
LONGEST_TAG = 256
DIGEST_LENGTH = 10
WHOLE_STAGE = "array"
"""Stands in a job's name for the slice where one array job does all slices of a stage."""


@dataclass(frozen=True)
class BatchNames:
    """The Batch resources of a deployment; the environment names them, so the DAG is the same everywhere."""

    cpu_queue: str
    gpu_queue: str
    job_definition: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "BatchNames":
        """Names from ``LIGHTFIELD_JOB_QUEUE_CPU``, ``LIGHTFIELD_JOB_QUEUE_GPU``, ``LIGHTFIELD_JOB_DEFINITION``."""
        return cls(
            environment.get("LIGHTFIELD_JOB_QUEUE_CPU", "lightfield-cpu"),
            environment.get("LIGHTFIELD_JOB_QUEUE_GPU", "lightfield-gpu"),
            environment.get("LIGHTFIELD_JOB_DEFINITION", "lightfield"),
        )

    def queue(self, stage: Stage) -> str:
        """The queue for a stage: only the solver is worth a GPU."""
        return self.gpu_queue if stage is Stage.RECONSTRUCT else self.cpu_queue

    @property
    def queues(self) -> tuple[str, ...]:
        """Every queue once."""
        return tuple(dict.fromkeys([self.cpu_queue, self.gpu_queue]))


def pool(stage: Stage, environment: Mapping[str, str] = os.environ) -> str:
    """Airflow's pool for a stage, from ``LIGHTFIELD_POOL_CPU`` and ``LIGHTFIELD_POOL_GPU``; it must exist there."""
    variable = "LIGHTFIELD_POOL_GPU" if stage is Stage.RECONSTRUCT else "LIGHTFIELD_POOL_CPU"
    return environment.get(variable) or "default_pool"


def run_prefix(dag_id: str, run_id: str) -> str:
    """What the names of all jobs of an Airflow run begin with, and no other's."""
    return f"lf-{fingerprint([dag_id, run_id])[:DIGEST_LENGTH]}-"


def slice_prefix(dag_id: str, run_id: str, stage: Stage, slice_index: int | None) -> str:
    """What the name of a slice's job begins with; no slice index is all slices in one array job."""
    return f"{run_prefix(dag_id, run_id)}{stage}-{WHOLE_STAGE if slice_index is None else slice_index}-"


def job_name(dag_id: str, run_id: str, stage: Stage, slice_index: int | None) -> str:
    """Name of a job: at most 128 letters, digits, ``-`` and ``_``, whatever the run's id holds; readable at its end."""
    return f"{slice_prefix(dag_id, run_id, stage, slice_index)}{safe_name(run_id)}"[:LONGEST_JOB_NAME]


def job_tags(dag_id: str, run_id: str, stage: Stage) -> dict[str, str]:
    """Tags that lead from a job, and its cost, back to the Airflow run; other characters become ``-``."""
    tags = {"lightfield:dag": dag_id, "lightfield:run": run_id, "lightfield:stage": stage.value}
    return {key: re.sub(r"[^A-Za-z0-9 +=._:/@-]", "-", value)[:LONGEST_TAG] for key, value in tags.items()}
