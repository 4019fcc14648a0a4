"""Names and tags of the jobs of a run that was submitted from the command line, and where they go.

The scheme is that of the Airflow plugin, with ``cli`` for the DAG and the run's folder for its run.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lfcore.contracts import Stage, fingerprint, safe_name

OWNER = "cli"
DIGEST_LENGTH = 10
LONGEST_JOB_NAME = 128
LONGEST_TAG = 256
WHOLE_STAGE = "array"


@dataclass(frozen=True)
class Places:
    """The queues and job definitions of a deployment; ``gpu_definition`` is empty until it is looked up."""

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
        """What is given, else the environment's ``LIGHTFIELD_JOB_...``, else the names of ``infra/``."""
        return cls(
            cpu_queue or environment.get("LIGHTFIELD_JOB_QUEUE_CPU") or "lightfield-cpu",
            gpu_queue or environment.get("LIGHTFIELD_JOB_QUEUE_GPU") or "lightfield-gpu",
            definition or environment.get("LIGHTFIELD_JOB_DEFINITION") or "lightfield",
            environment.get("LIGHTFIELD_JOB_DEFINITION_GPU", ""),
        )

    def queue(self, stage: Stage) -> str:
        """Only the solver is worth a GPU."""
        return self.gpu_queue if stage is Stage.RECONSTRUCT else self.cpu_queue

    def definition_of(self, stage: Stage) -> str:
        """Likewise the job definition."""
        return (self.gpu_definition or self.definition) if stage is Stage.RECONSTRUCT else self.definition

    @property
    def queues(self) -> list[str]:
        """Every queue once."""
        return list(dict.fromkeys([self.cpu_queue, self.gpu_queue]))


def run_prefix(run: str) -> str:
    """What the names of all jobs of a run begin with, and no other's."""
    return f"lf-{fingerprint([OWNER, run])[:DIGEST_LENGTH]}-"


def job_name(run: str, stage: Stage, is_array: bool) -> str:
    """Name of a job: at most 128 letters, digits, ``-`` and ``_``; readable at its end."""
    part = WHOLE_STAGE if is_array else "0"
    return f"{run_prefix(run)}{stage}-{part}-{safe_name(run.rstrip('/').rpartition('/')[2])}"[:LONGEST_JOB_NAME]


def stage_of(name: str) -> Stage | None:
    """The stage that a job's name says; None for a name of another form."""
    found = re.match(r"lf-[0-9a-f]+-([a-z]+)-", name)
    return Stage(found[1]) if found and found[1] in {stage.value for stage in Stage} else None


def job_tags(run: str, stage: Stage) -> dict[str, str]:
    """Tags that lead from a job, and its cost, back to its run; other characters become ``-``."""
    tags = {"lightfield:dag": OWNER, "lightfield:run": run, "lightfield:stage": stage.value}
    return {key: re.sub(r"[^A-Za-z0-9 +=._:/@-]", "-", value)[:LONGEST_TAG] for key, value in tags.items()}
