"""Waiting for a Batch job outside a worker slot."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast

from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
from airflow.triggers.base import BaseTrigger, TriggerEvent

from lightfield.batch_jobs import USER_ENDED
from lightfield.describer import Connect, Describer, shared_describer
from lightfield.waiting import JobWatch

SETTLE_S = 10
"""The scheduler must have read the task's deferral before the trigger fires, or it fails the task
(apache/airflow issues 71580 and 72716)."""
KILL_TRIES = 5


class StageTrigger(BaseTrigger):
    """Waits for a Batch job, with one DescribeJobs call for all jobs that are waited for, and ends it on a user's kill.

    The event holds ``job_id`` and either ``job`` (its last description, without its environment) or ``error``.
    """

    def __init__(
        self,
        *,
        job_id: str,
        poll_interval: float = 30,
        aws_conn_id: str | None = "aws_default",
        region_name: str | None = None,
        verify: bool | str | None = None,
        botocore_config: dict[str, Any] | None = None,
    ) -> None:
        """``poll_interval`` is the longest pause between two looks, in seconds; the rest is the AWS hook's."""
        super().__init__()  # type: ignore[no-untyped-call] # Airflow has no types there
        self.job_id = job_id
        self.poll_interval = poll_interval
        self.connection = {
            "aws_conn_id": aws_conn_id,
            "region_name": region_name,
            "verify": verify,
            "botocore_config": botocore_config,
        }

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What makes this trigger again in another process."""
        arguments = {"job_id": self.job_id, "poll_interval": self.poll_interval, **self.connection}
        return "lightfield.triggers.StageTrigger", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the job's end."""
        await asyncio.sleep(SETTLE_S)
        async with self._describer().in_use() as describer:
            try:
                event = {"job_id": self.job_id, "job": reduce_description(await self._wait(describer))}
            except Exception as error:
                event = {"job_id": self.job_id, "error": str(error)}
        yield TriggerEvent(event)  # type: ignore[no-untyped-call] # as above

    async def _wait(self, describer: Describer) -> Mapping[str, Any]:
        watch = JobWatch(self.job_id, self.poll_interval, self.log)
        while True:
            try:
                job = await describer.describe(self.job_id)
            except Exception as error:
                watch.not_answered(error)
            else:
                if watch.seen(job):
                    return cast("dict[str, Any]", job)
            await asyncio.sleep(watch.pause_s())

    async def on_kill(self) -> None:
        """End the job: called when a user ends the deferred task, not when a triggerer restarts."""
        async with self._describer().in_use() as describer:
            for left in reversed(range(KILL_TRIES)):
                try:
                    return await describer.terminate(self.job_id, USER_ENDED)
                except Exception as error:
                    if not left:
                        raise
                    self.log.warning("Batch job %s could not be ended (%s); trying again", self.job_id, error)
                    await asyncio.sleep(1)

    def _describer(self) -> Describer:
        return shared_describer(json.dumps(self.connection, sort_keys=True), self._connect())

    def _connect(self) -> Connect:
        async def connect() -> Any:  # noqa: ANN401 - aiobotocore's clients have no type
            arguments: dict[str, Any] = dict(self.connection)
            hook = BatchClientHook(config=arguments.pop("botocore_config"), **arguments)
            return await cast("Callable[[], Awaitable[Any]]", hook.get_async_conn)()

        return connect


def reduce_description(job: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed of a job's description after its end; its environment and command stay out of the database."""
    kept = ("jobId", "jobName", "status", "statusReason", "attempts", "timeout", "arrayProperties", "isTerminated")
    container = job.get("container") or {}
    kept_container = ("exitCode", "reason", "logStreamName", "logConfiguration")
    return {
        **{key: job[key] for key in kept if key in job},
        "container": {key: container[key] for key in kept_container if key in container},
    }
