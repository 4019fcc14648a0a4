"""One attempt of a job as a local process: environment, output, time limit, stop, exit code."""

import os
import selectors
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localbatch import keeper
from localbatch.logs import StreamWriter
from localbatch.processes import ATTEMPT_MARK, kill_marked

INHERITED = ("PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "OMP_NUM_THREADS")
INHERITED_PREFIXES = ("LC_", "LFCORE_")
DRAIN_S = 2.0
READ_BYTES = 65536


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended. ``exit_code`` is ``None`` when the process vanished without telling."""

    exit_code: int | None
    reason: str = ""
    timed_out: bool = False


def inherited_environment(forward: tuple[str, ...]) -> dict[str, str]:
    """What a job sees of the server's environment: little, as in a container, and what ``forward`` names."""
    return {
        name: value
        for name, value in os.environ.items()
        if name in INHERITED or name in forward or name.startswith(INHERITED_PREFIXES)
    }


class Attempt:
    """A job's process, from start to end; ``run`` blocks, ``stop`` and ``abandon`` come from other threads."""

    def __init__(
        self, token: str, command: list[str], environment: Mapping[str, str], folder: Path, grace_s: float
    ) -> None:
        """``token`` is unique to the attempt and marks its processes; ``grace_s`` lies between SIGTERM and SIGKILL.

        ``folder`` is made for the job to run in, and removed after it.
        """
        self._token = token
        self._folder = folder
        self._command = command
        self._environment = {**environment, ATTEMPT_MARK: token}
        self._grace_s = grace_s
        self._lock = threading.Lock()
        job_side, server_side = os.pipe()
        self._job_side = os.fdopen(job_side, "rb", buffering=0)
        self._control = os.fdopen(server_side, "wb", buffering=0)
        self._stopped = False

    def stop(self) -> None:
        """Ask the job to end: SIGTERM, SIGKILL of all its processes after the grace period."""
        with self._lock:
            if not self._stopped and not self._control.closed:
                self._stopped = True
                self._control.write(b"t")

    def abandon(self) -> None:
        """Kill all of the job's processes at once."""
        with self._lock:
            self._control.close()

    def run(self, writer: StreamWriter, limit_s: float | None, started: Callable[[], None]) -> Outcome:
        """Run the command to its end, in its own folder; ``started`` is called once it runs."""
        name = self._command[0] if self._command else ""
        executable = shutil.which(name, path=self._environment.get("PATH"))
        try:
            self._folder.mkdir(parents=True)
            if executable is None:
                return Outcome(keeper.CANNOT_START, f"CannotStartContainerError: exec: {name}: not found in PATH")
            process = self._start(executable)
            started()
            return self._follow(process, writer, limit_s)
        except (OSError, ValueError) as error:
            # ValueError: a NUL or half a surrogate pair in the command, which no process can be given.
            return Outcome(keeper.CANNOT_START, f"CannotStartContainerError: {error}")
        finally:
            self.abandon()
            self._job_side.close()
            writer.close()
            shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, executable: str) -> subprocess.Popen[bytes]:
        script = str(Path(keeper.__file__).resolve())
        return subprocess.Popen(
            [sys.executable, "-I", "-S", script, str(self._grace_s), executable, *self._command[1:]],
            stdin=self._job_side,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd=self._folder,
            env=self._environment,
            start_new_session=True,
        )

    def _follow(self, process: subprocess.Popen[bytes], writer: StreamWriter, limit_s: float | None) -> Outcome:
        """Copy the output until the keeper ends, stopping the job when its time is over."""
        deadline = None if limit_s is None else time.monotonic() + limit_s
        report, timed_out = b"", False
        with process, _Outputs(process) as outputs:
            try:
                while outputs.keeper_lives:
                    patience = None if deadline is None else deadline - time.monotonic()
                    report += outputs.copy(writer, patience)
                    if deadline is not None and time.monotonic() >= deadline:
                        self.stop()
                        deadline, timed_out = None, True
            finally:
                # Leaving by an error (a full disk) must end the job, or this would wait for it.
                self.abandon()
            code = process.wait()
            if code < 0:
                kill_marked(ATTEMPT_MARK, self._token)
            end = time.monotonic() + DRAIN_S
            while outputs.job_writes and time.monotonic() < end:
                outputs.copy(writer, end - time.monotonic())
        return Outcome(None if code < 0 else code, report.decode(errors="replace"), timed_out)


class _Outputs:
    """The keeper's report (its standard output) and the job's output (its standard error), read as they come."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._selector = selectors.DefaultSelector()
        for pipe, name in ((process.stdout, "report"), (process.stderr, "output")):
            if pipe is not None:
                self._selector.register(pipe, selectors.EVENT_READ, name)

    def __enter__(self) -> "_Outputs":
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()

    @property
    def keeper_lives(self) -> bool:
        """Whether the keeper's report is still open."""
        return self._open("report")

    @property
    def job_writes(self) -> bool:
        """Whether some process still holds the job's output open."""
        return self._open("output")

    def _open(self, name: str) -> bool:
        return any(key.data == name for key in self._selector.get_map().values())

    def copy(self, writer: StreamWriter, patience_s: float | None) -> bytes:
        """Wait up to ``patience_s`` for bytes; output goes to ``writer``, the report is returned."""
        report = b""
        for key, _ in self._selector.select(None if patience_s is None else max(0.0, patience_s)):
            content = os.read(key.fd, READ_BYTES)
            if not content:
                self._selector.unregister(key.fileobj)
            elif key.data == "report":
                report += content
            else:
                writer.write(content)
        return report
