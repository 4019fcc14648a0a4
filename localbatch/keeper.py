"""Keeps one attempt of a job as a container would: no process of it outlives the attempt or the server.

Run as a script, once an attempt: ``python -I -S keeper.py GRACE_S EXECUTABLE ARGUMENT...``. On standard input the
server writes one byte to stop the job (SIGTERM, after ``GRACE_S`` SIGKILL); end of file means that the server is gone,
and everything is killed at once. Standard error is the job's output. Standard output stays silent unless the job cannot
be started, and its end tells the server that the keeper has ended. The exit code is that of the job, 128 + signal where
one ended it.

A process between server and job is needed because only an adoptive parent ("child subreaper", see prctl(2)) finds the
grandchildren that left the job's process group, and because ``preexec_fn`` is unsafe in a server with threads.
"""

import contextlib
import ctypes
import os
import select
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
CANNOT_START = 127


def become_subreaper() -> None:
    """Have orphaned grandchildren become children of this process (Linux; elsewhere the process group must do)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(executable: str, arguments: list[str]) -> int:
    """Start the job in a session of its own, silent input, both outputs to standard error; its process id."""
    files = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0), (os.POSIX_SPAWN_DUP2, 2, 1)]
    defaults = [signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE]
    return os.posix_spawn(executable, arguments, os.environ, file_actions=files, setsid=True, setsigdef=defaults)


def reap() -> dict[int, int]:
    """Exit codes of the children that have ended, by process id."""
    ended: dict[int, int] = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            code = os.waitstatus_to_exitcode(status)
            ended[pid] = code if code >= 0 else 128 - code
    return ended


def descendants() -> list[int]:
    """Process ids of all living processes below this one, from /proc."""
    children: dict[int, list[int]] = {}
    with os.scandir("/proc") as entries:
        pids = [int(entry.name) for entry in entries if entry.name.isdecimal()]
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as stat:  # noqa: PTH123 - pathlib is slow to import
            state, parent = stat.read().rpartition(b")")[2].split()[:2]
            if state != b"Z":
                children.setdefault(int(parent), []).append(pid)
    found, queue = [], [os.getpid()]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def kill_everything(job: int) -> None:
    """Kill every process of the job, until none is left."""
    if sys.platform != "linux":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job, signal.SIGKILL)
        return
    while True:
        below = descendants()
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        reap()
        if not below:
            return
        time.sleep(0.002)


def keep(job: int, grace_s: float, wake: int) -> int:
    """Wait until the job's first process has ended, obeying the server; its exit code."""
    deadline: float | None = None
    watched = [0, wake]
    while True:
        ended = reap()
        if job in ended:
            return ended[job]
        patience = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready = select.select(watched, [], [], patience)[0]
        if wake in ready:
            os.read(wake, 4096)
        if 0 in ready and not os.read(0, 1):
            os._exit(_killed(job))
        elif 0 in ready and deadline is None:
            os.kill(job, signal.SIGTERM)
            deadline = time.monotonic() + grace_s
        if deadline is not None and time.monotonic() >= deadline:
            return _killed(job)


def _killed(job: int) -> int:
    kill_everything(job)
    return 128 + signal.SIGKILL


def main(arguments: list[str]) -> int:
    """Run the job of the command line and return its exit code."""
    grace_s, command = float(arguments[0]), arguments[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wake, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    become_subreaper()
    try:
        job = start(command[0], command)
    except OSError as error:
        os.write(1, f"CannotStartContainerError: exec: {command[0]}: {error.strerror}".encode())
        return CANNOT_START
    code = keep(job, grace_s, wake)
    kill_everything(job)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
