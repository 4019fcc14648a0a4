"""AWS Batch: the operations on jobs, job definitions and job queues, from request to response."""

import bisect
import json
import uuid
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from localbatch import limits
from localbatch.config import Config
from localbatch.definitions import Definitions, container_of
from localbatch.errors import BatchClientError
from localbatch.jobs import Job, JobSpec, Status, describe, summarise
from localbatch.logs import now_ms
from localbatch.scheduler import Scheduler

MAXIMUM_PAGE = 100
Item = TypeVar("Item")


class BatchOperations:
    """The operations by name; each takes a request and returns a response."""

    def __init__(self, config: Config, definitions: Definitions, scheduler: Scheduler) -> None:
        """All three are shared with the rest of the server."""
        self._config = config
        self._definitions = definitions
        self._scheduler = scheduler

    def submit_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take a job or an array of jobs."""
        name = limits.required(request, "jobName")
        limits.check_name(name, "Job name")
        limits.check_payload(request)
        job = Job(str(uuid.uuid4()), self._spec(name, request), now_ms())
        self._scheduler.submit(job)
        return {"jobArn": job.spec.arn_prefix + job.id, "jobName": name, "jobId": job.id}

    def _spec(self, name: str, request: Mapping[str, Any]) -> JobSpec:
        queue = self._queue(limits.required(request, "jobQueue"))
        definition = self._definitions.find(limits.required(request, "jobDefinition"))
        parameters = {
            **definition.get("parameters", {}),
            **limits.check_text_map(request.get("parameters"), "parameters"),
        }
        size = limits.check_array_size(request.get("arrayProperties"))
        strategy = limits.check_retry_strategy(request.get("retryStrategy")) or definition.get("retryStrategy")
        timeout = request.get("timeout") or definition.get("timeout")
        return JobSpec(
            name=name,
            arn_prefix=self._config.arn("job/"),
            queue=queue,
            queue_arn=self._config.arn(f"job-queue/{queue}"),
            definition_arn=definition["jobDefinitionArn"],
            definition_name=definition["jobDefinitionName"],
            container=container_of(
                definition, request.get("containerOverrides") or {}, parameters, self._config.log_group
            ),
            parameters=parameters,
            retry_strategy={"evaluateOnExit": [], **(strategy or {"attempts": 1})},
            timeout_s=limits.check_timeout(timeout, self._config.minimum_timeout_s),
            depends_on=self._dependencies(request.get("dependsOn") or [], size),
            tags=limits.check_tags(request.get("tags")),
            array_size=size,
        )

    def _dependencies(self, content: list[Mapping[str, Any]], size: int | None) -> list[dict[str, str]]:
        if len(content) > limits.MAXIMUM_DEPENDENCIES:
            raise BatchClientError(f"a job may depend on at most {limits.MAXIMUM_DEPENDENCIES} jobs")
        for dependency in content:
            job_id, kind = dependency.get("jobId"), dependency.get("type")
            before = self._scheduler.find(job_id) if job_id else None
            if job_id and before is None:
                raise BatchClientError(f"dependsOn: job {job_id} does not exist")
            if (kind == "SEQUENTIAL") == bool(job_id) or (kind == "SEQUENTIAL" and size is None):
                raise BatchClientError("dependsOn: SEQUENTIAL is for array jobs and without jobId; others need a jobId")
            if kind == "N_TO_N" and (size is None or before is None or before.spec.array_size != size):
                raise BatchClientError("dependsOn: N_TO_N needs two array jobs of the same size")
        return [dict(dependency) for dependency in content]

    def describe_jobs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Everything about up to 100 jobs; unknown ids are left out, as AWS does."""
        wanted = request.get("jobs")
        if not isinstance(wanted, list):
            raise BatchClientError("jobs is required")
        if len(wanted) > limits.MAXIMUM_DESCRIBED_JOBS:
            raise BatchClientError(f"Maximum number of jobs supported is {limits.MAXIMUM_DESCRIBED_JOBS}")
        found = [self._scheduler.find(str(reference).rpartition("job/")[2]) for reference in wanted]
        return {"jobs": [self._scheduler.view(job, describe) for job in found if job is not None]}

    def list_jobs(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Jobs of a queue, newest first, or children of an array; the RUNNING ones unless a status or name is given."""
        jobs = self._listed(request)
        name = _name_filter(request.get("filters") or [])
        if name is not None:
            jobs = [job for job in jobs if _matches(name, job.spec.name)]
        else:
            status = request.get("jobStatus") or "RUNNING"
            if status not in list(Status):
                raise BatchClientError(f"jobStatus '{status}' is none of {', '.join(Status)}")
            jobs = [job for job in jobs if job.status == status]
        page, token = _page(jobs, _by_index if request.get("arrayJobId") else _newest_first, request)
        return {"jobSummaryList": [self._scheduler.view(job, summarise) for job in page], **token}

    def _listed(self, request: Mapping[str, Any]) -> list[Job]:
        queue, array = request.get("jobQueue"), request.get("arrayJobId")
        if bool(queue) == bool(array):
            raise BatchClientError("give one of jobQueue and arrayJobId")
        if array:
            self._job(array)
            return self._scheduler.children(array)
        name = self._queue(str(queue))
        return [job for job in self._scheduler.all_jobs() if job.spec.queue == name]

    def terminate_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """End a job wherever it stands; one that has ended already is left as it is."""
        reason = limits.required(request, "reason")
        self._scheduler.terminate(self._job(limits.required(request, "jobId")), reason)
        return {}

    def cancel_job(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """End a job that has not begun to start."""
        reason = limits.required(request, "reason")
        self._scheduler.cancel(self._job(limits.required(request, "jobId")), reason)
        return {}

    def register_job_definition(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Store a new revision of a job definition."""
        return self._definitions.register(request)

    def deregister_job_definition(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Take a revision out of use."""
        return self._definitions.deregister(request)

    def describe_job_definitions(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Job definitions by name, revision or status."""
        page, token = _page(self._definitions.describe(request), _newest_revision_first, request)
        return {"jobDefinitions": page, **token}

    def describe_job_queues(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The queues of the configuration."""
        wanted = {_last_part(reference) for reference in request.get("jobQueues") or self._config.queues}
        page, token = _page([name for name in self._config.queues if name in wanted], _by_name, request)
        return {"jobQueues": [self._describe_queue(name) for name in page], **token}

    def _describe_queue(self, name: str) -> dict[str, Any]:
        environment = self._config.arn("compute-environment/localbatch")
        return {
            "jobQueueName": name,
            "jobQueueArn": self._config.arn(f"job-queue/{name}"),
            "state": "ENABLED",
            "status": "VALID",
            "statusReason": f"{self._config.queues[name]} slots on this machine",
            "priority": 1,
            "computeEnvironmentOrder": [{"order": 1, "computeEnvironment": environment}],
            "jobQueueType": "ECS",
            "tags": {},
        }

    def _queue(self, reference: str) -> str:
        name = _last_part(reference)
        if name not in self._config.queues:
            raise BatchClientError(f"Job Queue {reference} does not exist")
        return name

    def _job(self, job_id: str) -> Job:
        job = self._scheduler.find(job_id)
        if job is None:
            raise BatchClientError(f"Job {job_id} does not exist")
        return job


def _last_part(reference: str) -> str:
    """The name in a name or an Amazon Resource Name."""
    return reference.rpartition("/")[2]


def _name_filter(filters: list[Mapping[str, Any]]) -> str | None:
    if not filters:
        return None
    if len(filters) != 1 or filters[0].get("name") != "JOB_NAME" or len(filters[0].get("values") or []) != 1:
        raise BatchClientError("filters: this server knows one filter, JOB_NAME with one value")
    return str(filters[0]["values"][0])


def _matches(pattern: str, name: str) -> bool:
    """AWS's filter by name: any case, and a trailing * stands for any end."""
    if pattern.endswith("*"):
        return name.lower().startswith(pattern[:-1].lower())
    return name.lower() == pattern.lower()


def _newest_first(job: Job) -> tuple[int | str, ...]:
    return (-job.created_at, job.id)


def _by_index(job: Job) -> tuple[int | str, ...]:
    return (job.index or 0,)


def _newest_revision_first(definition: Mapping[str, Any]) -> tuple[int | str, ...]:
    return (definition["jobDefinitionName"], -definition["revision"])


def _by_name(name: str) -> tuple[int | str, ...]:
    return (name,)


def _page(
    items: list[Item], key: Callable[[Item], tuple[int | str, ...]], request: Mapping[str, Any]
) -> tuple[list[Item], dict[str, str]]:
    """The items of one page in the order of ``key``, and the token of the next one if there is any.

    The token is the key of the page's last item, so that items which come or go between two pages move no other.
    """
    size, token = request.get("maxResults") or MAXIMUM_PAGE, request.get("nextToken")
    if not isinstance(size, int) or not 1 <= size <= MAXIMUM_PAGE:
        raise BatchClientError(f"maxResults must be between 1 and {MAXIMUM_PAGE}")
    ordered = sorted(items, key=key)
    start = 0
    if token:
        try:
            start = bisect.bisect_right(ordered, tuple(json.loads(token)), key=key)
        except (ValueError, TypeError) as error:
            raise BatchClientError("nextToken is not one that this operation gave") from error
    page = ordered[start : start + size]
    more = {"nextToken": json.dumps(key(page[-1]))} if start + size < len(ordered) else {}
    return page, more
