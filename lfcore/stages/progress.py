"""Progress for people: a bar on a terminal, one line every few per cent in a log."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TextIO

LINES_PER_STAGE = 20
LONGEST_SILENCE_S = 10.0
_BAR_CHARACTERS = 30


@dataclass(frozen=True)
class Progress:
    """Where a stage is: ``finished`` of ``total`` items after ``seconds``; ``note`` says what was special.

    ``part`` is how far the item under way has come, from 0 to 1, where that is known; the sum over several.
    """

    stage: str
    finished: int
    total: int
    seconds: float
    note: str = ""
    part: float = 0.0

    @property
    def seconds_left(self) -> float:
        """At the pace so far."""
        return self.seconds / max(self._done, 1e-6) * (self.total - self._done)

    @property
    def _done(self) -> float:
        return self.finished + self.part

    def __str__(self) -> str:
        share = int(100 * self._done / max(self.total, 1))
        left = f", {_span(self.seconds_left)} left" if 0 < self._done < self.total else ""
        return f"{self.stage} {self.finished}/{self.total} ({share} %), {_span(self.seconds)}{left}"


Listener = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """The listener that says nothing."""


@dataclass
class Console:
    """A listener that writes to a stream (default: stderr)."""

    stream: TextIO = field(default_factory=lambda: sys.stderr)
    _spoke_after: float = field(default=0.0, init=False)

    def __call__(self, progress: Progress) -> None:
        """Show ``progress``; a note is always shown, on a line of its own."""
        if progress.total and self.stream.isatty():
            self._bar(progress)
        elif progress.total and self._is_due(progress):
            self._spoke_after = progress.seconds
            print(progress, file=self.stream, flush=True)
        if progress.note:
            print(f"{progress.stage}: {progress.note}", file=self.stream, flush=True)

    def _is_due(self, progress: Progress) -> bool:
        """Lines come at milestones, and from inside an item that takes long."""
        if progress.part:
            return progress.seconds - self._spoke_after >= LONGEST_SILENCE_S
        return progress.finished in _milestones(progress.total)

    def _bar(self, progress: Progress) -> None:
        filled = int(_BAR_CHARACTERS * (progress.finished + progress.part) / max(progress.total, 1))
        bar = "#" * filled + "." * (_BAR_CHARACTERS - filled)
        end = "\n" if progress.finished == progress.total or progress.note else ""
        print(f"\r\x1b[K[{bar}] {progress}", end=end, file=self.stream, flush=True)


def _milestones(total: int) -> set[int]:
    return {total * part // LINES_PER_STAGE for part in range(LINES_PER_STAGE + 1)}


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
