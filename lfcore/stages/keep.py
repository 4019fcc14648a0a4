"""Results kept in memory for the next who ask, up to a number of bytes; shared by threads."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass
class _Entry(Generic[Value]):
    """``ready`` is held while the value is being made, so that those who want it too wait for it."""

    ready: threading.Lock = field(default_factory=threading.Lock)
    value: Value | None = None
    size: int = 0
    made: float = 0.0


class Keep(Generic[Value]):
    """The values used last, as long as their sizes add up to ``limit`` and none is older than ``seconds``."""

    def __init__(self, limit: int, seconds: float = float("inf")) -> None:
        self._limit, self._seconds = limit, seconds
        self._entries: OrderedDict[Hashable, _Entry[Value]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Value], size: Callable[[Value], int] = lambda value: 1) -> Value:
        """The value of ``key``, made now if it is not there; several threads that ask at once make it once."""
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
        with entry.ready:
            if entry.value is None or time.monotonic() - entry.made > self._seconds:
                value = make()
                entry.value, entry.size, entry.made = value, size(value), time.monotonic()
                self._trim()
            return entry.value

    def peek(self, key: Hashable) -> Value | None:
        """The value of ``key`` if it is there; it is not made, and not waited for."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.value is None:
                return None
            self._entries.move_to_end(key)
            return entry.value

    def _trim(self) -> None:
        """Forget what was used longest ago, and what came to nothing."""
        with self._lock:
            total = sum(entry.size for entry in self._entries.values())
            for key, entry in list(self._entries.items()):
                if total <= self._limit and entry.value is not None:
                    continue
                if entry.ready.locked():
                    continue
                total -= entry.size
                del self._entries[key]
