"""Peak memory of this process, for the completion records."""

import resource
import sys
from pathlib import Path


def peak_memory_bytes() -> int:
    """Largest resident memory since the start, or since `reset_peak` where the kernel allows that."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    # ru_maxrss counts kibibytes on Linux and bytes on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def reset_peak() -> None:
    """Start the peak anew, so that the stages of one process are told apart; does nothing where that is impossible."""
    clear = Path("/proc/self/clear_refs")
    try:
        clear.write_text("5")
    except OSError:
        return
