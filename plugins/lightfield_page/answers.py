"""What routes answer with, and how their errors read."""

import hashlib

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from lfcore.errors import LfcoreError, TemporaryError, UnavailableError, UsageError
from lfcore.stages.look import Picture

REVALIDATED = {"Cache-Control": "private, no-cache"}
FRAMES_STAY = {"Cache-Control": "private, max-age=300"}


class NotForThisRunError(UsageError):
    """Something that a run of this kind never has."""


def explain_errors(application: FastAPI) -> None:
    """Every error as ``{"detail": "one line"}``; what was not foreseen is in the api-server's log only."""

    async def invalid(request: Request, error: Exception) -> Response:
        first = error.errors()[0] if isinstance(error, RequestValidationError) else {"loc": ("request",), "msg": ""}
        return JSONResponse({"detail": f"{first['loc'][-1]}: {first['msg']}"}, 422)

    async def known(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": " ".join(str(error).split())}, _status(error))

    async def unknown(request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": "this failed; the api-server's log says why"}, 500)

    application.add_exception_handler(RequestValidationError, invalid)
    application.add_exception_handler(LfcoreError, known)
    application.add_exception_handler(Exception, unknown)


def whole(content: bytes, media_type: str, request: Request, more: dict[str, str] | None = None) -> Response:
    """A file, which the browser asks about again each time and gets again when it has changed."""
    tag = hashlib.blake2b(content, digest_size=12).hexdigest()
    return _tagged(tag, request, content, media_type, REVALIDATED | (more or {}))


def pixels(picture: Picture, request: Request) -> Response:
    """A picture as little-endian uint16, row by row, with its size and range in the headers."""
    height, width = picture.pixels.shape
    size = {"X-Height": str(height), "X-Width": str(width), "X-Low": repr(picture.low), "X-High": repr(picture.high)}
    content, media_type = picture.pixels.tobytes(), "application/octet-stream"
    return _tagged(picture.tag, request, content, media_type, FRAMES_STAY | size)


def _tagged(tag: str, request: Request, content: bytes, media_type: str, headers: dict[str, str]) -> Response:
    headers = {"ETag": f'"{tag}"', **headers}
    # Weakened when the answer was compressed on its way.
    if request.headers.get("if-none-match", "").removeprefix("W/") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=media_type)


def _status(error: Exception) -> int:
    if isinstance(error, TemporaryError | UnavailableError):
        return 503
    return 409 if isinstance(error, NotForThisRunError) else 404
