"""Who may see what: a gate before everything, and the right to read the runs of a DAG."""

from collections.abc import MutableMapping
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, bearer_scheme, get_user, requires_access_dag
from fastapi import HTTPException, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from lightfield_page.mount import Application, Receive, Scope, Send

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Vary": "Cookie, Authorization",
}
"""On every answer, unless a route says otherwise."""

LONGEST_ID = 250
# Databases refuse NUL, and no id that Airflow gives holds control characters.
Identifier = Annotated[str, Query(min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00-\x1f\x7f]+$")]


class Gate:
    """Lets no request through to ``application`` that is anonymous or anything but a GET.

    It stands before the routes, so that it also covers paths that no route has, and those of routes to come.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer: Application = await _refusal(Request(scope)) or self._application
        await answer(scope, receive, _with_headers(send))


async def _refusal(request: Request) -> JSONResponse | None:
    """The answer to a request that must not come through."""
    try:
        await get_user(request, None, await bearer_scheme(request))
    except HTTPException as error:
        return JSONResponse({"detail": error.detail}, error.status_code)
    if request.method != "GET":
        return JSONResponse({"detail": "this page can be read and nothing else"}, 405, {"Allow": "GET"})
    return None


def _with_headers(send: Send) -> Send:
    async def sender(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message.get("headers", [])}
            more = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message["headers"] = [*message.get("headers", []), *(pair for pair in more if pair[0] not in present)]
        await send(message)

    return sender


async def may_read_run(request: Request, user: GetUserDep, dag_id: Identifier) -> None:
    """Refuse, with 403, who may not read the runs of the DAG."""
    await _require(DagAccessEntity.RUN, request, user, dag_id)


async def may_read_logs(request: Request, user: GetUserDep, dag_id: Identifier) -> None:
    """Refuse, with 403, who may not read the logs of the DAG's tasks."""
    await _require(DagAccessEntity.TASK_LOGS, request, user, dag_id)


async def _require(entity: DagAccessEntity, request: Request, user: BaseUser, dag_id: str) -> None:
    # The id that is checked is handed over, so that it cannot be another than the one that is used.
    await run_in_threadpool(requires_access_dag("GET", entity, dag_id), request, user)
