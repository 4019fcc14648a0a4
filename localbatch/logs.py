"""Log streams as files: one line of JSON an event, ``{"timestamp": ms, "message": text}``."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

MAXIMUM_EVENT_BYTES = 262_118
MAXIMUM_FILE_NAME_CHARACTERS = 240


def now_ms() -> int:
    """Milliseconds since 1970, UTC."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Event:
    """One line of a job's output, with the bytes of the file between which it lies."""

    start: int
    end: int
    timestamp: int
    message: str


class StreamWriter:
    """Turns what a job writes into events, a line each; empty lines are left out, as CloudWatch cannot hold them."""

    def __init__(self, path: Path) -> None:
        """Make the stream, which is found from now on even when nothing is ever written."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._rest = b""

    def write(self, content: bytes) -> None:
        """Store the lines that ``content`` completes; over-long ones are cut into several events."""
        *lines, self._rest = (self._rest + content).split(b"\n")
        while len(self._rest) > MAXIMUM_EVENT_BYTES:
            lines.append(self._rest[:MAXIMUM_EVENT_BYTES])
            self._rest = self._rest[MAXIMUM_EVENT_BYTES:]
        self._store(lines)

    def close(self) -> None:
        """Store what came after the last line break."""
        if not self._file.closed:
            self._store([self._rest])
            self._file.close()

    def _store(self, lines: list[bytes]) -> None:
        timestamp = now_ms()
        records = []
        for line in lines:
            for start in range(0, len(line), MAXIMUM_EVENT_BYTES):
                message = line[start : start + MAXIMUM_EVENT_BYTES].decode(errors="replace").rstrip("\r")
                if message:
                    records.append(json.dumps({"timestamp": timestamp, "message": message}))
        if records:
            self._file.write("".join(record + "\n" for record in records).encode())


class LogFiles:
    """All log groups and streams below one folder."""

    def __init__(self, root: Path) -> None:
        """``root`` is made when the first stream is."""
        self._root = root
        self._lock = threading.Lock()

    def writer(self, group: str, stream: str) -> StreamWriter:
        """A writer that makes ``stream`` in ``group``."""
        path = self._path(group, stream)
        if path is None:
            raise OSError(f"log stream {group} {stream}: the name is too long")
        return StreamWriter(path)

    def find(self, group: str, stream: str) -> Path | None:
        """The file of a stream, ``None`` where there is none."""
        path = self._path(group, stream)
        return path if path is not None and path.is_file() else None

    def streams(self, group: str) -> dict[str, Path] | None:
        """Name -> file of the streams of ``group`` by name; ``None`` for an unknown group."""
        folder = self._folder(group)
        if folder is None or not folder.is_dir():
            return None
        found = {unquote(path.name[len("stream-") : -len(".jsonl")]): path for path in folder.glob("stream-*.jsonl")}
        return dict(sorted(found.items()))

    def _folder(self, group: str) -> Path | None:
        # The prefixes keep names such as ".." from meaning anything to the file system.
        name = "group-" + quote(group, safe="")
        return self._root / name if len(name) <= MAXIMUM_FILE_NAME_CHARACTERS else None

    def _path(self, group: str, stream: str) -> Path | None:
        folder, name = self._folder(group), "stream-" + quote(stream, safe="") + ".jsonl"
        return folder / name if folder is not None and len(name) <= MAXIMUM_FILE_NAME_CHARACTERS else None


def read_events(path: Path, start: int = 0, end: int | None = None) -> Iterator[Event]:
    """The events between two positions of a stream's file, in bytes; a line being written is left for later."""
    with path.open("rb") as file:
        file.seek(start)
        position = start
        for line in file:
            if not line.endswith(b"\n") or (end is not None and position + len(line) > end):
                return
            record = json.loads(line)
            yield Event(position, position + len(line), record["timestamp"], record["message"])
            position += len(line)
