"""What there is to tell about a run that has ended: what it worked on, what failed, where to look."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow.sdk.configuration import conf as configuration

from lfcore.errors import LfcoreError
from lightfield.links import page_path
from lightfield.request import check_request

MOST_FAILURES = 10
ENDINGS = {"success": "done", "failure": "failed"}


@dataclass(frozen=True)
class Tidings:
    """What templates of notifications call ``lightfield``; all of it is text in lines without control characters."""

    title: str
    run_id: str
    event: str
    dataset: str
    run: str
    failures: tuple[str, ...]
    page: str
    report: str

    @classmethod
    def of(cls, context: Mapping[str, Any], event: str) -> "Tidings":
        """The tidings of the run that a callback's ``context`` is of; ``event`` is ``success`` or ``failure``."""
        dag, run_id = context["dag"], str(context["run_id"])
        run = context.get("dag_run")
        conf = (run.conf if run is not None else None) or {}
        base = configuration.get("api", "base_url", fallback="").rstrip("/")
        folder, failures = _outcome(conf, run_id)
        if event == "failure" and not failures:
            failures = [_last_task(context)]
        return cls(
            title=_line(dag.dag_display_name),
            run_id=_line(run_id),
            event=event,
            dataset=_line(conf.get("dataset") or ""),
            run=folder,
            failures=tuple(map(_line, failures)),
            page=base + page_path("run", dag.dag_id, run_id),
            report=base + page_path("report", dag.dag_id, run_id),
        )

    @property
    def subject(self) -> str:
        """One line: what ended how, and what it was about."""
        return f"{self.title} {ENDINGS[self.event]}: {self.dataset or self.run_id}"

    @property
    def text(self) -> str:
        """Everything, a line each."""
        named = {"Data set": self.dataset, "Results": self.run, "Run": self.run_id}
        failed = [f"What failed: {failure}" for failure in self.failures]
        told = [f"{name}: {value}" for name, value in named.items() if value]
        return "\n".join([self.subject, "", *told, *failed, f"Page: {self.page}", f"Report: {self.report}"])


def _outcome(conf: Mapping[str, Any], run_id: str) -> tuple[str, list[str]]:
    """The run's folder, and what its jobs that failed have said; for a request that was refused, why."""
    if "dataset" not in conf:
        return "", []
    try:
        run = check_request(conf, run_id).run
    except LfcoreError as error:
        return "", [f"request: {error}"]
    return run, list(_job_failures(run))


def _job_failures(run: str) -> Iterator[str]:
    """The messages of ``RUN/failures/<stage>/<slice>.json``; the page has all of them."""
    from upath import UPath  # fsspec takes a third of a second to import, and only callbacks need it

    try:
        for path in sorted(UPath(run).glob("failures/*/*.json"), key=str)[:MOST_FAILURES]:
            yield str(json.loads(path.read_bytes())["message"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        yield f"the list in {run}/failures cannot be read ({error})"


def _last_task(context: Mapping[str, Any]) -> str:
    """What Airflow says when no job has failed: its reason, and the task that it judged the run by."""
    task = getattr(context.get("ti"), "task_id", None)
    reason = str(context.get("reason") or "no reason given")
    return f"{task}: {reason}" if task else reason


def _line(value: object) -> str:
    """``value`` without control characters, so that no header or line of a message can be forged."""
    return " ".join("".join(character if character.isprintable() else " " for character in str(value)).split())
