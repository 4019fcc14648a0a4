"""What Airflow mounts: a callable that imports the page when it is first asked for.

Every Airflow process loads the plugin, and none but the api-server needs arrays and file formats.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class PageOnDemand:
    """The page's ASGI application, made at the first request, beside the event loop."""

    def __init__(self) -> None:
        self._application: Application | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self._application is None:
            self._application = await asyncio.to_thread(_make)
        await self._application(scope, receive, send)


def _make() -> Application:
    from lightfield_page.app import create_page

    return create_page()
