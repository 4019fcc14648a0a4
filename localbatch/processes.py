"""Finding and killing what an ended keeper or server left behind, by a mark in the environment of every job."""

import contextlib
import logging
import os
import signal
import time
from pathlib import Path

ATTEMPT_MARK = "LOCALBATCH_ATTEMPT"
SERVER_MARK = "LOCALBATCH_STATE"
PATIENCE_S = 5.0


def marked(variable: str, value: str) -> list[int]:
    """Process ids of the living processes of this user that have ``variable=value`` in their environment (Linux)."""
    mark = f"\0{variable}={value}\0".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in b"\0" + (folder / "environ").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
    return found


def kill_marked(variable: str, value: str) -> int:
    """SIGKILL every process with the mark, again until none is left; how many were found at first."""
    first = found = marked(variable, value)
    deadline = time.monotonic() + PATIENCE_S
    while found and time.monotonic() < deadline:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        found = marked(variable, value)
    if found:
        logging.getLogger(__name__).error("processes %s survive SIGKILL; look at them with ps", found)
    return len(first)
