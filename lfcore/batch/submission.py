"""``RUN/submission.json``: which jobs were submitted for a run, and the mark that its stop leaves."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from lfcore.contracts import RunPaths, Stage, join
from lfcore.errors import DataError, UsageError
from lfcore.io import store
from lfcore.stages.runner import write_json

FORMAT = 1


@dataclass(frozen=True)
class SubmittedJob:
    """A job or an array of ``slices`` of them, over ``items`` items of the list at ``list_path``."""

    stage: str
    job_id: str
    name: str
    queue: str
    slices: int
    items: int
    list_path: str


@dataclass
class Submission:
    """One submission: when, of what data set with which overrides, where to, and its jobs as they come."""

    submitted: str
    dataset: str
    settings: Mapping[str, Any]
    region: str
    places: Mapping[str, str]
    jobs: list[SubmittedJob] = field(default_factory=list)


def now() -> str:
    """The time, UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def submission_path(run: RunPaths) -> str:
    """Where a run's submissions are written down."""
    return join(run.root, "submission.json")


def list_path(run: RunPaths, stage: Stage, number: int) -> str:
    """The list of those items of a stage that submission ``number`` was still to do."""
    return join(run.root, "plan", f"{stage}.{number}.jsonl")


def read_submissions(run: RunPaths) -> list[Submission]:
    """All submissions of a run, oldest first; none where it was never submitted. Raises ``DataError``."""
    path = submission_path(run)
    content = store.read_many([path])
    if not content:
        return []
    try:
        document = json.loads(*content.values())
        if document["format"] != FORMAT:
            raise DataError(f"{path}: is of format {document['format']}, not {FORMAT}; use the lfcore that wrote it")
        return [
            Submission(**{**entry, "jobs": [SubmittedJob(**job) for job in entry["jobs"]]})
            for entry in document["submissions"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: cannot be read ({error!r}); delete it, the jobs are found by their names") from error


def last_submission(run: RunPaths) -> Submission:
    """The last one. Raises ``UsageError`` where there is none."""
    found = read_submissions(run)
    if not found:
        raise UsageError(f"{run.root}: was not submitted from here; 'lfcore aws submit DATASET {run.root}' does that")
    return found[-1]


def write_submissions(run: RunPaths, submissions: list[Submission]) -> None:
    """Write all of them down, atomically."""
    write_json(submission_path(run), {"format": FORMAT, "submissions": [asdict(one) for one in submissions]})


def known_ids(run: RunPaths) -> list[str]:
    """Ids of all jobs that any submission of a run has written down."""
    return [job.job_id for submission in read_submissions(run) for job in submission.jobs]


def mark_stopped(run: RunPaths) -> None:
    """Tell a submission that may be under way that it is not to go on."""
    write_json(join(run.root, "stopped.json"), {"stopped": now()})


def unmark(run: RunPaths) -> None:
    """Take the mark away, before a new submission."""
    store.delete(join(run.root, "stopped.json"))


def is_stopped(run: RunPaths) -> bool:
    """Whether the run has been stopped since its last submission began."""
    return store.exists(join(run.root, "stopped.json"))
