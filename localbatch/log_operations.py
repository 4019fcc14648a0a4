"""CloudWatch Logs: GetLogEvents, DescribeLogStreams and FilterLogEvents over the log files.

A paging token is a direction and a byte position in the stream's file (``f/123``); like AWS's it comes back unchanged
from a request that finds nothing more, which is how readers know the end.
"""

import heapq
import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from localbatch.errors import InvalidParameterError, ResourceNotFoundError
from localbatch.logs import Event, LogFiles, read_events

MAXIMUM_EVENTS = 10_000
MAXIMUM_STREAMS = 50
MAXIMUM_RESPONSE_BYTES = 1024 * 1024
EVENT_OVERHEAD_BYTES = 26
TOKEN = re.compile(r"([fb])/(\d{1,18})")
PLAIN_TERMS = re.compile(r"[A-Za-z0-9_\s]*")


class LogOperations:
    """The operations by name; each takes a request and returns a response."""

    def __init__(self, files: LogFiles, arn: Callable[[str], str]) -> None:
        """``arn(resource)`` makes an Amazon Resource Name."""
        self._files = files
        self._arn = arn

    def get_log_events(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Events of one stream, a page forwards or backwards from a token, the head, or the end."""
        group, stream = _text(request, "logGroupName"), _text(request, "logStreamName")
        path = self._files.find(group, stream)
        if path is None:
            raise ResourceNotFoundError("The specified log stream does not exist.")
        limit = _count(request, "limit", MAXIMUM_EVENTS)
        forwards, position = _start(request, path)
        page = _page(path, position, forwards, request, limit)
        first, last = (page[0].start, page[-1].end) if page else (position, position)
        return {
            "events": [_event(event) for event in page],
            "nextForwardToken": f"f/{last}",
            "nextBackwardToken": f"b/{first}",
        }

    def describe_log_streams(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The streams of a group, by name or by the time of their last event."""
        group = _text(request, "logGroupName")
        streams = self._streams(group, request.get("logStreamNamePrefix") or "")
        descriptions = [self._describe(group, name, path) for name, path in streams.items()]
        if request.get("orderBy") == "LastEventTime":
            descriptions.sort(key=lambda stream: stream["lastIngestionTime"])
        if request.get("descending"):
            descriptions.reverse()
        start, limit = _offset(request), _count(request, "limit", MAXIMUM_STREAMS)
        response: dict[str, Any] = {"logStreams": descriptions[start : start + limit]}
        if start + limit < len(descriptions):
            response["nextToken"] = str(start + limit)
        return response

    def filter_log_events(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Events of several streams in the order of time; the pattern may hold plain words, all of which must occur."""
        pattern = request.get("filterPattern") or ""
        if not PLAIN_TERMS.fullmatch(pattern):
            raise InvalidParameterError(f"filterPattern '{pattern}': this server knows plain words only")
        streams = self._streams(_text(request, "logGroupName"), request.get("logStreamNamePrefix") or "")
        wanted = request.get("logStreamNames") or streams
        chosen = [_matching(name, path, request, pattern.split()) for name, path in streams.items() if name in wanted]
        events = heapq.merge(*chosen, key=lambda event: event["timestamp"])
        start, limit = _offset(request), _count(request, "limit", MAXIMUM_EVENTS)
        page = list(itertools.islice(events, start, start + limit))
        response: dict[str, Any] = {"events": page, "searchedLogStreams": []}
        if next(events, None) is not None:
            response["nextToken"] = str(start + limit)
        return response

    def _streams(self, group: str, prefix: str) -> dict[str, Path]:
        streams = self._files.streams(group)
        if streams is None:
            raise ResourceNotFoundError("The specified log group does not exist.")
        return {name: path for name, path in streams.items() if name.startswith(prefix)}

    def _describe(self, group: str, name: str, path: Path) -> dict[str, Any]:
        # An event is written as soon as it is stamped, so the file's time is the last event's.
        last_ms = path.stat().st_mtime_ns // 1_000_000
        first = next(read_events(path), None)
        description: dict[str, Any] = {
            "logStreamName": name,
            "arn": self._arn(f"log-group:{group}:log-stream:{name}").replace(":batch:", ":logs:", 1),
            "creationTime": first.timestamp if first else last_ms,
            "lastIngestionTime": last_ms,
            "storedBytes": 0,
        }
        if first:
            description |= {"firstEventTimestamp": first.timestamp, "lastEventTimestamp": last_ms}
        return description


def _page(path: Path, position: int, forwards: bool, request: Mapping[str, Any], limit: int) -> list[Event]:
    """At most ``limit`` events, and at most a MiB of them, next to ``position``."""
    if forwards:
        found: Iterable[Event] = _in_time(read_events(path, position), request)
        return list(_fitting(itertools.islice(found, limit)))
    before = list(_in_time(read_events(path, 0, position), request))
    return list(_fitting(reversed(before[-limit:])))[::-1]


def _fitting(events: Iterable[Event]) -> Iterable[Event]:
    size = 0
    for event in events:
        size += len(event.message.encode()) + EVENT_OVERHEAD_BYTES
        if size > MAXIMUM_RESPONSE_BYTES:
            return
        yield event


def _in_time(events: Iterable[Event], request: Mapping[str, Any]) -> Iterable[Event]:
    first, end = request.get("startTime"), request.get("endTime")
    for event in events:
        if (first is None or event.timestamp >= first) and (end is None or event.timestamp < end):
            yield event


def _matching(name: str, path: Path, request: Mapping[str, Any], words: list[str]) -> Iterable[dict[str, Any]]:
    for event in _in_time(read_events(path), request):
        if all(word in event.message for word in words):
            yield _event(event) | {"logStreamName": name, "eventId": f"{path.stem}/{event.start}"}


def _event(event: Event) -> dict[str, Any]:
    return {"timestamp": event.timestamp, "message": event.message, "ingestionTime": event.timestamp}


def _start(request: Mapping[str, Any], path: Path) -> tuple[bool, int]:
    """Whether to read forwards, and the position in the file from which."""
    token = request.get("nextToken")
    if token is None:
        forwards = bool(request.get("startFromHead"))
        return forwards, 0 if forwards else path.stat().st_size
    match = TOKEN.fullmatch(token) if isinstance(token, str) else None
    if match is None or not _between_events(path, int(match[2])):
        raise InvalidParameterError("The specified nextToken is invalid.")
    return match[1] == "f", int(match[2])


def _between_events(path: Path, position: int) -> bool:
    if position == 0:
        return True
    with path.open("rb") as file:
        file.seek(position - 1)
        return file.read(1) == b"\n"


def _text(request: Mapping[str, Any], key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise InvalidParameterError(f"{key} must be given")
    return value


def _count(request: Mapping[str, Any], key: str, maximum: int) -> int:
    value = request.get(key)
    if value is None:
        return maximum
    if not isinstance(value, int) or not 1 <= value <= maximum:
        raise InvalidParameterError(f"{key} must be between 1 and {maximum}")
    return value


def _offset(request: Mapping[str, Any]) -> int:
    token = request.get("nextToken")
    if token is None:
        return 0
    if not isinstance(token, str) or not token.isdecimal():
        raise InvalidParameterError("The specified nextToken is invalid.")
    return int(token)
