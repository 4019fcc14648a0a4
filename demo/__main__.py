"""``python -m demo run`` and ``python -m demo up``: what ``make demo`` and ``make up`` start."""

import argparse
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from demo.layout import DAG_ID, USER, Layout, free_port
from demo.processes import ProcessDiedError, ProcessGroup
from demo.session import Session, empty_folder

EXIT_FAILED = 1
PREFERRED_PORT = 8080


class StoppedError(BaseException):
    """A signal asked the launcher to end; no handler of ordinary errors may take it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the process's exit code is returned."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=sys.modules["demo"].__doc__)
    parser.add_argument("command", choices=("run", "up"), help="run: once, and judge it; up: and leave Airflow running")
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="where everything goes; emptied first")
    options = parser.parse_args(arguments)
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:4.0f} s] {text}", flush=True)

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _stop)
    stay = options.command == "up"
    root = options.folder.resolve()
    try:
        with empty_folder(root):
            layout = Layout(root, free_port(PREFERRED_PORT if stay else 0))
            with ProcessGroup(layout.logs) as group:
                code = _demonstrate(Session(layout, group, say), say, stay)
            say("everything stopped")
    except StoppedError as stopped:
        say("stopped")
        return 0 if stay else stopped.exit_code
    except (ProcessDiedError, TimeoutError, RuntimeError, OSError) as error:
        say(f"FAILED: {error}")
        return EXIT_FAILED
    return code


def _demonstrate(session: Session, say: Callable[[str], None], stay: bool) -> int:
    session.start()
    if stay:
        say(f"Airflow: {session.layout.url}/dags/{DAG_ID}  user {USER}  password {session.layout.password}")
    faults: list[str] = []
    if session.follow():
        verdict = session.verdict()
        for line in verdict.lines:
            say(line)
        faults = verdict.faults
    else:
        faults = [f"the run of {DAG_ID} failed", *session.failures()]
    for fault in faults:
        say(f"FAILED: {fault}")
    if stay:
        say(f"Airflow stays up at {session.layout.url} until Ctrl-C")
        session.watch()
    return EXIT_FAILED if faults else 0


def _stop(number: int, _frame: FrameType | None) -> None:
    raise StoppedError(number)


if __name__ == "__main__":
    sys.exit(main())
