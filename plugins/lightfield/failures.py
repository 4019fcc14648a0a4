"""What a failure says about itself, in one line, and whether trying again can help."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from lfcore.errors import EXIT_BAD_DATA, EXIT_BAD_SETTINGS, EXIT_USAGE, LfcoreError

PERMANENT_EXIT_CODES = frozenset({EXIT_USAGE, EXIT_BAD_DATA, EXIT_BAD_SETTINGS})


def exit_code(job: Mapping[str, Any]) -> int | None:
    """Exit code of a described job's last attempt; none when its process never ended by itself."""
    attempts = job.get("attempts") or [{}]
    container = attempts[-1].get("container") or job.get("container") or {}
    code = container.get("exitCode")
    return code if code is None else int(code)


def is_permanent(job: Mapping[str, Any]) -> bool:
    """Whether the job failed for its input or settings, so that a retry can only fail again."""
    return exit_code(job) in PERMANENT_EXIT_CODES


def explain(job: Mapping[str, Any], name: str, last_lines: list[str]) -> str:
    """One line on a failed job: the last thing it said, then state, exit code, reasons, attempts, log stream.

    The cause comes first because Airflow's log view cuts long lines off on the right.
    """
    attempts = job.get("attempts") or [{}]
    container = attempts[-1].get("container") or job.get("container") or {}
    code = exit_code(job)
    facts = ["no exit code" if code is None else f"exit code {code}"]
    reasons = [job.get("statusReason"), container.get("reason")]
    facts += [f"reason '{reason}'" for reason in dict.fromkeys(filter(None, reasons))]
    facts.append(f"{len(job.get('attempts') or [])} attempt(s)")
    if stream := container.get("logStreamName"):
        facts.append(f"log stream {stream}")
    said = f"{last_lines[-1]}; " if last_lines else ""
    return f"{name}: {said}Batch job {job.get('jobId')} {job.get('status')}: {', '.join(facts)}"


@contextmanager
def retrying_only_what_may_pass() -> Iterator[None]:
    """Fail the task for good on an error of ours that a retry cannot cure; let the others through."""
    try:
        yield
    except LfcoreError as error:
        if error.exit_code in PERMANENT_EXIT_CODES:
            raise AirflowFailException(str(error)) from error
        raise
