"""Refuses a request for a run in the api-server, where Airflow's parameters cannot see that it is wrong.

Every Airflow process imports this module, so what checks a request is imported with the first one.
"""

import json
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cache
from http import HTTPStatus
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

TRIGGER = re.compile(r"/api/v2/dags/lightfield_reconstruction/dagRuns/?$")
LARGEST_BODY = 2**20
CREDENTIALS = (b"authorization", b"cookie")

log = logging.getLogger(__name__)


class RefuseBadRequests:
    """ASGI middleware: answers a trigger with a bad ``conf`` with 400 and one line, and lets all else through.

    What comes without credentials is let through unread, for Airflow to answer with 401. A fault in the check lets
    the request through as well: Airflow's parameters and task ``request`` are behind it.
    """

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if not _is_trigger(scope):
            await self.application(scope, receive, send)
            return
        messages = await _whole_body(receive)
        body = b"".join(message.get("body", b"") for message in messages)
        if len(body) > LARGEST_BODY:
            reason = f"the request is larger than {LARGEST_BODY} bytes; settings that long belong into dataset.yaml"
            await _answer(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        elif (refusal := _refusal_of(body)) is not None:
            await _answer(send, HTTPStatus.BAD_REQUEST, refusal)
        else:
            await self.application(scope, _replaying(messages, receive), send)


def refusal(conf: dict[str, Any], run_id: str) -> str | None:
    """What is wrong with ``conf``, in one line that names the key; None when nothing is."""
    from lfcore.errors import LfcoreError
    from lightfield.request import check_request

    try:
        check_request(conf, run_id)
    except LfcoreError as error:
        return str(error)
    return next((wrong for key in conf if (wrong := _breach(key, conf[key]))), None)


def _breach(key: str, value: object) -> str | None:
    """How a value breaks the schema of its parameter, in one line."""
    from jsonschema.exceptions import best_match
    from jsonschema.validators import validator_for

    schema = _schemas()[key]
    worst = best_match(validator_for(schema)(schema).iter_errors(value))
    if worst is None:
        return None
    where = ".".join([key, *map(str, worst.absolute_path)])
    return f"{where}: {worst.message[:200]}"


@cache
def _schemas() -> dict[str, Any]:
    from lightfield.params import reconstruction_params

    return {key: param.schema for key, param in reconstruction_params().items()}


def _is_trigger(scope: Message) -> bool:
    return (
        scope["type"] == "http"
        and scope["method"] == "POST"
        and TRIGGER.search(scope["path"]) is not None
        and any(name.lower() in CREDENTIALS for name, _ in scope["headers"])
    )


async def _whole_body(receive: Receive) -> list[Message]:
    """The messages of the request up to its end, or up to where it is too large or the client is gone."""
    messages: list[Message] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        if not message.get("more_body", False) or size > LARGEST_BODY:
            return messages


def _replaying(messages: list[Message], receive: Receive) -> Receive:
    """A ``receive`` that gives the messages once more, and then what follows them."""
    waiting = iter(messages)

    async def replay() -> Message:
        message = next(waiting, None)
        return await receive() if message is None else message

    return replay


def _refusal_of(body: bytes) -> str | None:
    """The refusal of a request's body; None too for what Airflow itself refuses, as it holds no ``conf`` to check."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    conf = content.get("conf") or {} if isinstance(content, dict) else None
    if not isinstance(conf, dict):
        return None
    try:
        return refusal(conf, str(content.get("dag_run_id") or "manual"))
    except Exception:
        log.exception("the request could not be checked; Airflow's parameters and task 'request' will")
        return None


async def _answer(send: Send, status: HTTPStatus, detail: str) -> None:
    content = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": int(status), "headers": headers})
    await send({"type": "http.response.body", "body": content})
