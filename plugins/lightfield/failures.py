"""What a failure says about itself, in one line and as a record, and whether trying again can help."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from airflow.sdk.exceptions import AirflowFailException

from lfcore.contracts import RunPaths, Stage
from lfcore.errors import EXIT_BAD_DATA, EXIT_BAD_SETTINGS, EXIT_USAGE, LfcoreError
from lightfield.batch_jobs import RUN_ENDED, USER_ENDED
from lightfield.files import write_whole

PERMANENT_EXIT_CODES = frozenset({EXIT_USAGE, EXIT_BAD_DATA, EXIT_BAD_SETTINGS})
RECORDED_LINES = 20
EXTERNAL_CAUSES = {
    "Host EC2": "the host was reclaimed or lost",
    "CannotPullContainerError": "the image cannot be pulled (see the job definition's image and the execution role)",
    "CannotStartContainerError": "the container cannot be started (see the job definition's command)",
    "OutOfMemoryError": "out of memory (give the job definition more)",
    "Job attempt duration exceeded timeout": "the job ran into its time limit",
    USER_ENDED: "ended by a user",
    RUN_ENDED: "ended with its Airflow run",
}
"""What Batch's reasons mean, by how they begin: ends that do not come from the job's own work."""


def last_container(job: Mapping[str, Any]) -> Mapping[str, Any]:
    """The container of a described job's last attempt."""
    attempts = job.get("attempts") or [{}]
    return attempts[-1].get("container") or job.get("container") or {}


def exit_code(job: Mapping[str, Any]) -> int | None:
    """Exit code of a described job's last attempt; none when its process never ended by itself."""
    code = last_container(job).get("exitCode")
    return code if code is None else int(code)


def is_permanent(job: Mapping[str, Any]) -> bool:
    """Whether the job failed for its input or settings, so that a retry can only fail again."""
    return external_cause(job) is None and exit_code(job) in PERMANENT_EXIT_CODES


def reasons(job: Mapping[str, Any]) -> list[str]:
    """What Batch gives as reasons for a job's end, each once."""
    return list(dict.fromkeys(filter(None, [job.get("statusReason"), last_container(job).get("reason")])))


def external_cause(job: Mapping[str, Any]) -> str | None:
    """What ended the job from outside, in words; none when its work ended by itself."""
    for reason in reversed(reasons(job)):
        for beginning, meaning in EXTERNAL_CAUSES.items():
            if reason.startswith(beginning):
                return meaning
    return None


def explain(job: Mapping[str, Any], name: str, last_lines: list[str]) -> str:
    """One line on a failed job: what ended it or the last thing it said, then state, exit code, reasons, attempts, log.

    The cause comes first because Airflow's log view cuts long lines off on the right.
    """
    code = exit_code(job)
    facts = ["no exit code" if code is None else f"exit code {code}"]
    facts += [f"reason '{reason}'" for reason in reasons(job)]
    facts.append(f"{len(job.get('attempts') or [])} attempt(s)")
    if stream := last_container(job).get("logStreamName"):
        facts.append(f"log stream {stream}")
    if is_permanent(job):
        facts.append("a retry cannot help")
    state = f"Batch job {job.get('jobId')} {job.get('status')}: {', '.join(facts)}"
    return f"{name}: {'; '.join(filter(None, [external_cause(job), *last_lines[-1:], state]))}"


def write_failure(
    paths: RunPaths, stage: Stage, slice_index: int, label: str, job: Mapping[str, Any], message: str, lines: list[str]
) -> None:
    """Write the record of a slice whose job failed, for the page, the nightly run and the notifications.

    ``job`` is the job's description, empty where Batch has none; ``lines`` are the last of its log.
    Raises ``OSError`` and the object store's errors.
    """
    record = {
        "stage": stage.value,
        "slice": slice_index,
        "label": label,
        "job_id": job.get("jobId"),
        "exit_code": exit_code(job),
        "reason": "; ".join(reasons(job)) or None,
        "attempts": len(job.get("attempts") or []),
        "message": message,
        "permanent": is_permanent(job),
        "log_tail": lines[-RECORDED_LINES:],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_whole(paths.failure(stage, slice_index), json.dumps(record, ensure_ascii=False, indent=1).encode())


@contextmanager
def retrying_only_what_may_pass() -> Iterator[None]:
    """Fail the task for good on an error of ours that a retry cannot cure; let the others through."""
    try:
        yield
    except LfcoreError as error:
        if error.exit_code in PERMANENT_EXIT_CODES:
            raise AirflowFailException(str(error)) from error
        raise
