"""Names and tags of Batch jobs, within what AWS allows, and the queues and job definition they use."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lfcore.contracts import Stage, safe_name

LONGEST_JOB_NAME = 128
LONGEST_TAG = 256


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


def job_name(stage: Stage, slice_index: int, run_id: str) -> str:
    """Name of a job: at most 128 letters, digits, ``-`` and ``_``, whatever the run's id holds."""
    return f"lf-{stage}-{slice_index}-{safe_name(run_id)}"[:LONGEST_JOB_NAME]


def job_tags(dag_id: str, run_id: str, stage: Stage) -> dict[str, str]:
    """Tags that lead from a job, and its cost, back to the Airflow run; other characters become ``-``."""
    tags = {"lightfield:dag": dag_id, "lightfield:run": run_id, "lightfield:stage": stage.value}
    return {key: re.sub(r"[^A-Za-z0-9 +=._:/@-]", "-", value)[:LONGEST_TAG] for key, value in tags.items()}
