"""A job as AWS Batch sees it: what was asked for, where it stands, and how it is described to callers."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

REFERENCE = re.compile(r"Ref::([A-Za-z0-9_-]+)")


class Status(StrEnum):
    """The life cycle of a job, in order."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen to the job."""
        return self in {Status.SUCCEEDED, Status.FAILED}

    @property
    def holds_slot(self) -> bool:
        """Whether the job occupies its queue."""
        return self in {Status.STARTING, Status.RUNNING}


@dataclass(frozen=True)
class JobSpec:
    """What was asked for; the children of an array share their parent's."""

    name: str
    arn_prefix: str
    queue: str
    queue_arn: str
    definition_arn: str
    definition_name: str
    container: dict[str, Any]
    """AWS's ContainerDetail: image, command (references resolved), environment, resourceRequirements, …"""
    parameters: dict[str, str]
    retry_strategy: dict[str, Any]
    timeout_s: int | None
    depends_on: list[dict[str, str]]
    tags: dict[str, str]
    array_size: int | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Name -> value of the job's own variables."""
        return {entry["name"]: entry["value"] for entry in self.container["environment"]}

    @property
    def log_group(self) -> str:
        """The log group of the job's streams."""
        return str(self.container["logConfiguration"]["options"]["awslogs-group"])


@dataclass
class Job:
    """One job: single, the parent of an array, or a child of one."""

    id: str
    spec: JobSpec
    created_at: int
    parent_id: str | None = None
    index: int | None = None
    status: Status = Status.SUBMITTED
    status_reason: str | None = None
    started_at: int | None = None
    stopped_at: int | None = None
    attempts: list[dict[str, Any]] = field(default_factory=list)
    """Finished attempts, as AWS describes them."""
    task_arn: str | None = None
    log_stream: str | None = None
    end_reason: str | None = None
    """What the caller gave as reason when cancelling or terminating the job."""
    is_cancelled: bool = False
    is_terminated: bool = False

    @property
    def is_array(self) -> bool:
        """Whether this is the parent of an array, which itself runs nothing."""
        return self.spec.array_size is not None and self.index is None

    @property
    def is_untouched_child(self) -> bool:
        """Whether the job can be made again from its parent, as nothing has happened to it yet."""
        return self.parent_id is not None and not (self.attempts or self.status.holds_slot or self.status.is_final)

    @property
    def prerequisites(self) -> list[str]:
        """Ids of the jobs that must have succeeded before this one is runnable; an array's children wait, not it."""
        found: list[str] = []
        if self.is_array:
            return found
        for dependency in self.spec.depends_on:
            if "jobId" not in dependency:
                found += [f"{self.parent_id}:{self.index - 1}"] if self.index else []
            elif dependency.get("type") == "N_TO_N" and self.index is not None:
                found.append(f"{dependency['jobId']}:{self.index}")
            else:
                found.append(dependency["jobId"])
        return list(dict.fromkeys(found))

    def to_state(self) -> dict[str, Any]:
        """All of the job as JSON-serialisable values."""
        return asdict(self)


def job_from_state(state: Mapping[str, Any]) -> Job:
    """The job that ``to_state`` wrote down."""
    fields = dict(state)
    return Job(**{**fields, "spec": JobSpec(**fields["spec"]), "status": Status(fields["status"])})


def children_of(parent: Job) -> list[Job]:
    """The children of an array as they are at first, by index."""
    return [
        Job(f"{parent.id}:{index}", parent.spec, parent.created_at, parent_id=parent.id, index=index)
        for index in range(parent.spec.array_size or 0)
    ]


def resolve_references(command: list[str], parameters: Mapping[str, str]) -> list[str]:
    """``command`` with each ``Ref::name`` replaced by the parameter; unknown names are left as they are."""
    return [REFERENCE.sub(lambda match: parameters.get(match[1], match[0]), part) for part in command]


def describe(job: Job, children: Counter[Status]) -> dict[str, Any]:
    """AWS's JobDetail of a job; ``children`` counts an array's children by status."""
    spec = job.spec
    detail: dict[str, Any] = {
        "jobArn": spec.arn_prefix + job.id,
        "jobName": spec.name,
        "jobId": job.id,
        "jobQueue": spec.queue_arn,
        "status": job.status.value,
        "attempts": list(job.attempts),
        "createdAt": job.created_at,
        # AWS's model has this one always; 0 is its "not yet".
        "startedAt": job.started_at or 0,
        "retryStrategy": spec.retry_strategy,
        "dependsOn": spec.depends_on,
        "jobDefinition": spec.definition_arn,
        "parameters": spec.parameters,
        "container": _container(job),
        "tags": spec.tags,
        "platformCapabilities": ["EC2"],
        "isCancelled": job.is_cancelled,
        "isTerminated": job.is_terminated,
        **_optional(statusReason=job.status_reason, stoppedAt=job.stopped_at),
        **_array(job, children),
    }
    if spec.timeout_s is not None:
        detail["timeout"] = {"attemptDurationSeconds": spec.timeout_s}
    return detail


def summarise(job: Job, children: Counter[Status]) -> dict[str, Any]:
    """AWS's JobSummary of a job."""
    spec = job.spec
    summary: dict[str, Any] = {
        "jobArn": spec.arn_prefix + job.id,
        "jobId": job.id,
        "jobName": spec.name,
        "createdAt": job.created_at,
        "status": job.status.value,
        "jobDefinition": spec.definition_arn,
        **_optional(statusReason=job.status_reason, startedAt=job.started_at, stoppedAt=job.stopped_at),
        **_array(job, children),
    }
    ended = _last_container(job)
    if job.status.is_final and ended:
        summary["container"] = {key: ended[key] for key in ("exitCode", "reason") if key in ended}
    return summary


def _container(job: Job) -> dict[str, Any]:
    ended = _last_container(job) if job.status.is_final else {}
    return {
        **job.spec.container,
        **{key: ended[key] for key in ("exitCode", "reason") if key in ended},
        **_optional(taskArn=job.task_arn, logStreamName=job.log_stream),
    }


def _last_container(job: Job) -> dict[str, Any]:
    return job.attempts[-1]["container"] if job.attempts else {}


def _array(job: Job, children: Counter[Status]) -> dict[str, Any]:
    if job.index is not None:
        return {"arrayProperties": {"index": job.index}}
    if job.is_array:
        summary = {status.value: children[status] for status in Status}
        return {"arrayProperties": {"size": job.spec.array_size, "statusSummary": summary}}
    return {}


def _optional(**values: object) -> dict[str, object]:
    return {key: value for key, value in values.items() if value is not None}
