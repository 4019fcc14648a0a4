"""Waiting for a Batch job outside a worker slot."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast

from airflow.providers.amazon.aws.triggers.batch import BatchJobTrigger
from airflow.triggers.base import TriggerEvent

SETTLE_S = 10
"""The scheduler must have read the task's deferral before the trigger fires, or it fails the task
(apache/airflow issues 71580 and 72716)."""


class StageTrigger(BatchJobTrigger):
    """``BatchJobTrigger`` that lets the scheduler settle first, and terminates the job when a user kills the task."""

    def __init__(self, *, job_id: str, **kwargs: Any) -> None:  # noqa: ANN401 - the base class's own
        super().__init__(job_id=job_id, **kwargs)
        self.job_id = job_id

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait for the job; the event carries its id and whether the wait went well."""
        await asyncio.sleep(SETTLE_S)
        async for event in super().run():
            yield event

    async def on_kill(self) -> None:
        """Terminate the job: called when a user ends the deferred task, not when a triggerer restarts."""
        connect = cast("Callable[[], Awaitable[Any]]", self.hook().get_async_conn)
        async with await connect() as client:
            await client.terminate_job(jobId=self.job_id, reason="Task ended by the user")
