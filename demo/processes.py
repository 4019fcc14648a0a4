"""Processes that live and die with the launcher."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

# Airflow's scheduler waits for its workers at the first request to end, and no longer at the second.
STOP_PATIENCE_S = (4, 10)
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


class ProcessDiedError(RuntimeError):
    """A process that should run for the whole demo has ended."""


class ProcessGroup:
    """Starts processes, each with its log file, and ends all of them and their descendants on leaving.

    The launcher adopts orphans of its descendants (Linux: ``PR_SET_CHILD_SUBREAPER``), so none is left behind;
    a child is sent SIGTERM when the launcher itself is killed.
    """

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)

    def __enter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        self._libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start ``command`` with its output in ``<name>.log``; it counts as one that must not end by itself."""
        process = self._spawn(name, command, environment)
        self._running[name] = process
        return process

    def start_once(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> "OneShot":
        """Start a ``command`` that ends by itself; ``OneShot.finish`` waits for it."""
        return OneShot(name, self._spawn(name, command, environment), self.log(name))

    def process(self, name: str) -> int:
        """Id of a process that was started."""
        return self._running[name].pid

    def kill(self, name: str, *, with_children: bool = False) -> None:
        """End a process with SIGKILL, alone or with its process group, and forget it."""
        process = self._running.pop(name)
        (os.killpg if with_children else os.kill)(process.pid, signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self._logs / f"{name}.log"

    def check(self) -> None:
        """Raise ``ProcessDiedError`` when a process that should run has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise ProcessDiedError(f"{name} ended with code {process.returncode}:\n{tail(self.log(name))}")

    def stop(self) -> None:
        """Ask every process to end, twice at most, and kill every descendant that is left."""
        for patience_s in STOP_PATIENCE_S:
            deadline = time.monotonic() + patience_s
            for process in self._running.values():
                process.terminate()
            for process in self._running.values():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, deadline - time.monotonic()))
        self._running.clear()
        while children := _children(os.getpid()):
            for child in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            for child in children:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child, 0)

    def _spawn(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self.log(name).open("ab") as log:
            return subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Ctrl-C is for the launcher, which ends the others in order.
                start_new_session=True,
                preexec_fn=lambda: self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0),
            )


class OneShot:
    """A command that ends by itself."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._name = name
        self._process = process
        self._log = log

    def finish(self) -> None:
        """Wait for the end. Raises ``ProcessDiedError`` with the end of the log when it is a failure."""
        if code := self._process.wait():
            raise ProcessDiedError(f"{self._name} ended with code {code}:\n{tail(self._log)}")


def tail(path: Path, lines: int = 30) -> str:
    """The last lines of a text file; empty when there is none."""
    if not path.is_file():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def _children(parent: int) -> list[int]:
    """Ids of the direct children of a process, adopted ones included."""
    children = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The command's name, in brackets, may hold anything; the parent's id is the second field after it.
            fields = status.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == parent:
                children.append(int(status.parent.name))
    return children
