"""One DescribeJobs call for many waiters: the part of waiting that all triggers of a process share."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.exceptions import ConnectionError as NoConnectionError

from lightfield.batch_jobs import MOST_DESCRIBED

GATHER_S = 0.5
"""How long questions are gathered before they are asked together; bounds the calls a second, whatever the tasks."""
SERVER_AWAY = (OSError, NoConnectionError, ConnectionClosedError, ReadTimeoutError)
Connect = Callable[[], Awaitable[Any]]
"""Gives aiobotocore's Batch client, as an asynchronous context manager."""


class Describer:
    """Gathers questions about jobs and asks Batch 100 of them a call, through one client."""

    def __init__(self, connect: Connect) -> None:
        """The client is made at the first question, and closed when the last user has gone or a call has failed."""
        self._connect = connect
        self._asked: dict[str, asyncio.Future[dict[str, Any] | None]] = {}
        self._round: asyncio.Task[None] | None = None
        self._client: Any = None
        self._context: Any = None
        self._connecting = asyncio.Lock()
        self._users = 0

    @contextlib.asynccontextmanager
    async def in_use(self) -> AsyncIterator["Describer"]:
        """Keep the client open as long as anybody uses it."""
        self._users += 1
        try:
            yield self
        finally:
            self._users -= 1
            if not self._users:
                await self._close()

    async def describe(self, job_id: str) -> dict[str, Any] | None:
        """What Batch says about a job; none when it knows no such job. Raises what the shared call raised."""
        future = self._asked.get(job_id)
        if future is None:
            future = self._asked[job_id] = asyncio.get_running_loop().create_future()
        if self._round is None:
            self._round = asyncio.create_task(self._ask_together())
        # Other waiters of the same answer must not be cancelled with this one.
        return await asyncio.shield(future)

    async def terminate(self, job_id: str, reason: str) -> None:
        """End a job."""
        client = await self._open()
        await client.terminate_job(jobId=job_id, reason=reason)

    async def _ask_together(self) -> None:
        await asyncio.sleep(GATHER_S)
        asked, self._asked, self._round = self._asked, {}, None
        ids = list(asked)
        for first in range(0, len(ids), MOST_DESCRIBED):
            await self._ask({job_id: asked[job_id] for job_id in ids[first : first + MOST_DESCRIBED]})

    async def _ask(self, asked: dict[str, asyncio.Future[dict[str, Any] | None]]) -> None:
        try:
            client = await self._open()
            answer = await client.describe_jobs(jobs=list(asked))
        except Exception as error:
            if not isinstance(error, SERVER_AWAY):
                # A new client reads the connection and its credentials anew; for a server that is away it is no help.
                await self._close()
            for future in asked.values():
                future.set_exception(error)
                # A waiter that has gone does not look at it, and asyncio would complain.
                future.exception()
            return
        found = {job["jobId"]: job for job in answer["jobs"]}
        for job_id, future in asked.items():
            future.set_result(found.get(job_id))

    async def _open(self) -> Any:  # noqa: ANN401 - aiobotocore's clients have no type
        async with self._connecting:
            if self._client is None:
                self._context = await self._connect()
                self._client = await self._context.__aenter__()
            return self._client

    async def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await self._context.__aexit__(None, None, None)


_describers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[object, Describer]] = weakref.WeakKeyDictionary()


def shared_describer(key: object, connect: Connect) -> Describer:
    """The describer of this process's event loop for a connection; ``key`` is what tells connections apart."""
    describers = _describers.setdefault(asyncio.get_running_loop(), {})
    if key not in describers:
        describers[key] = Describer(connect)
    return describers[key]
