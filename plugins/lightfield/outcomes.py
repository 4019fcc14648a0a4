"""How a reconstruction ended, from what Airflow says of its run and from the run's own files."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lfcore.contracts import RunPaths, Stage
from lightfield.ledger import Record, State

ACTIVE_STATES = ("queued", "running")
"""States of an Airflow run that has not ended."""
SUCCESS = "success"


@dataclass(frozen=True)
class Traces:
    """What a run's folder tells of its end: failed slices as {stage, permanent, message}, and three facts."""

    failures: tuple[dict[str, Any], ...] = ()
    asked_for: bool = False
    reported: bool = False
    quarantined: bool = False

    @property
    def left_frames_out(self) -> bool:
        """Whether all that failed is the report, because frames were set aside: volumes and report are complete."""
        only_report = bool(self.failures) and {failure["stage"] for failure in self.failures} == {Stage.REPORT.value}
        return only_report and self.reported and self.quarantined


def settled(record: Record, airflow_state: str | None, traces: Traces) -> Record:
    """The record of an attempt that has ended; ``airflow_state`` is none where Airflow does not know its run.

    An attempt that was written down and never begun stays as it is.
    """
    if airflow_state is None and not traces.asked_for:
        return record
    if airflow_state == SUCCESS or (airflow_state is None and traces.reported and not traces.failures):
        return replace(record, state=State.DONE, permanent=False, message="")
    if traces.left_frames_out:
        message = "done, but frames were left out; quarantine/ in the run has the reasons"
        return replace(record, state=State.DONE, permanent=False, message=message)
    # A passing failure beside a permanent one does not make the run worth another night.
    first = next(iter(sorted(traces.failures, key=lambda failure: not failure.get("permanent"))), None)
    if first:
        permanent = bool(first.get("permanent"))
        message = " ".join(str(first.get("message", "")).split())
        return replace(record, state=State.FAILED, permanent=permanent, message=message)
    message = (
        "Airflow no longer knows its run" if airflow_state is None else "it failed without saying why; see its run"
    )
    return replace(record, state=State.FAILED, permanent=False, message=message)


def traces_of(run: str) -> Traces:
    """What a run's folder tells; an empty folder, or none, tells nothing."""
    from upath import UPath  # fsspec takes a third of a second, and only tasks need it

    root = UPath(run)
    return Traces(
        failures=tuple(_failures(root)),
        asked_for=_has_files(root / "plan"),
        reported=_has_files(root / "done" / Stage.REPORT.value),
        quarantined=any(_has_files(root / "quarantine" / stage.value) for stage in Stage),
    )


def _failures(root: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a path of any file system
    for stage in Stage:
        # The name of any slice's record leads to the folder that holds all of them.
        folder = root.joinpath(*RunPaths("run").failure(stage, 0).split("/")[1:-1])
        for path in sorted(folder.glob("*.json"), key=str) if folder.is_dir() else ():
            try:
                content = dict(json.loads(path.read_bytes()))
            except (ValueError, TypeError, FileNotFoundError):
                content = {"message": f"{path}: cannot be read"}
            yield content | {"stage": stage.value}


def _has_files(folder: Any) -> bool:  # noqa: ANN401 - a path of any file system
    return bool(folder.is_dir() and any(path.suffix in (".json", ".jsonl") for path in folder.iterdir()))
