"""What Airflow mounts: a callable that imports the page beside the api-server's start, or when it is first asked for.

Every Airflow process loads the plugin, and none but the api-server needs arrays and file formats.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class PageOnDemand:
    """The page's ASGI application, made once, beside the event loop."""

    def __init__(self) -> None:
        self._application: Application | None = None
        self._making = threading.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        made = self._application
        application = await asyncio.to_thread(self.make) if made is None else made
        await application(scope, receive, send)

    def make(self) -> Application:
        """The application; whoever comes while it is being made waits for it."""
        with self._making:
            application = self._application
            if application is None:
                from lightfield_page.app import create_page

                self._application = application = create_page()
            return application


class MakePageEarly:
    """Passes everything on. Airflow makes it at its start, in the api-server alone: the moment to make the page."""

    def __init__(self, app: Application, page: PageOnDemand) -> None:
        self._app = app
        threading.Thread(target=page.make, name="lightfield page", daemon=True).start()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on."""
        await self._app(scope, receive, send)
