"""What all stages share: skip what is done, do the rest, record it, set bad items aside.

Every stage module has one entry point of this form (`StageFunction`)::

    def run_items(run: RunPaths, items: Sequence[WorkItem], listener: Listener = silent) -> Outcome

It hands `process` a function ``prepare(pulse)`` that is called once, and only if something is left to do; it loads
what the items share and returns ``do(item) -> Record``. ``do`` writes the item's output and returns what its
completion record shall say beside the usual: ``outputs`` (full paths, checked before an item is skipped) and any
JSON values, for instance metrics. An item that takes long calls ``pulse`` with its part done, from 0 to 1. The record
is written last and atomically, so an item that was interrupted is simply done again.

A `DataError` sets the item aside in ``quarantine/`` in the stages that work frame by frame, and the others go on;
any other error, or one in another stage, ends the stage. Items that were set aside are tried
again when the stage is run again. ``plan`` and ``report`` are always done again: they are quick, and
depend on files that come and go.
"""

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from lfcore.contracts import RunPaths, Stage, WorkItem, join, parse_items
from lfcore.errors import DataError, UsageError
from lfcore.io import store
from lfcore.stages.machine import machine_facts
from lfcore.stages.memory import peak_memory_bytes, reset_peak
from lfcore.stages.progress import Listener, Progress, silent

Record = Mapping[str, Any]
Do = Callable[[WorkItem], Record]
Pulse = Callable[[float], None]
FRAME_STAGES = (Stage.NORMALISE, Stage.RECONSTRUCT)
ALWAYS_AGAIN = (Stage.PLAN, Stage.REPORT)


@dataclass(frozen=True)
class Outcome:
    """How many items were done now, found done, and set aside."""

    done: int = 0
    skipped: int = 0
    quarantined: int = 0


class StageFunction(Protocol):
    """The entry point of a stage."""

    def __call__(self, run: RunPaths, items: Sequence[WorkItem], listener: Listener = silent) -> Outcome:
        """Do ``items`` of the run, those that are not done yet."""


def process(
    run: RunPaths, stage: Stage, items: Sequence[WorkItem], prepare: Callable[[Pulse], Do], listener: Listener = silent
) -> Outcome:
    """Do the items that have no valid completion record; see the module's text."""
    reset_peak()
    pending, records = unfinished(run, stage, items)
    started = time.monotonic()
    listener(opening(stage, len(items), len(pending)))
    skipped = len(items) - len(pending)
    if not pending:
        return Outcome(skipped=skipped)
    finished = quarantined = 0

    def pulse(part: float) -> None:
        listener(Progress(stage, finished, len(pending), time.monotonic() - started, part=part))

    do = prepare(pulse)
    preparation = time.monotonic() - started
    for item in pending:
        note = _attempt(run, stage, item, do, records.get(item["id"]), preparation)
        preparation = preparation if note else 0.0
        quarantined += bool(note)
        finished += 1
        listener(Progress(stage, finished, len(pending), time.monotonic() - started, note))
    return Outcome(len(pending) - quarantined, skipped, quarantined)


def unfinished(
    run: RunPaths, stage: Stage, items: Sequence[WorkItem]
) -> tuple[list[WorkItem], dict[str, dict[str, Any]]]:
    """Those of ``items`` that are to be done, and the completion records that exist, by item id."""
    records = read_records(run.done, run, stage, items)
    if stage in ALWAYS_AGAIN:
        return list(items), records
    there = _outputs_there(run, records)
    return [item for item in items if not _is_done(item, records.get(item["id"]), there)], records


def opening(stage: Stage, items: int, pending: int) -> Progress:
    """What a listener is told first: how many of a number of items are ``pending``."""
    skipped = items - pending
    note = f"{skipped} of {items} items were done before" if skipped else "" if items else "nothing to do"
    return Progress(stage, 0, pending, 0.0, note)


def require_frame(run: RunPaths, stage: Stage, frame_id: str, planned: str | None) -> None:
    """Make sure that an earlier stage has done a frame as it is planned now, with the hash ``planned``.

    Raises ``DataError`` when it was set aside there, ``UsageError`` when that stage has not been run yet, or on an
    earlier input only.
    """
    if current_record(run.done(stage, frame_id), planned):
        return
    aside = current_record(run.quarantine(stage, frame_id), planned)
    if aside:
        raise DataError(f"{stage}: {aside['error']}")
    where = f"{frame_id} of {run.root} has not been through {stage} as it is planned now"
    raise UsageError(f"{where}; run 'lfcore {stage}' on it first")


def current_record(path: str, planned: str | None) -> Record | None:
    """The record at ``path`` if it is there and belongs to the item as it is planned now, with the hash ``planned``."""
    content = store.read_many([path])
    record: Record | None = json.loads(*content.values()) if content else None
    return record if record and record["hash"] == planned else None


def planned_hashes(run: RunPaths, stage: Stage) -> dict[str, str]:
    """The hash of every planned item of a stage, by item id. Raises as `read_items`."""
    return {item["id"]: item["hash"] for item in read_items(run, stage)}


def read_items(run: RunPaths, stage: Stage) -> list[WorkItem]:
    """The planned items of a stage. Raises ``UsageError`` when the run has not been planned."""
    content = store.read_many([run.items(stage)])
    if not content:
        raise UsageError(f"{run.root}: holds no plan for {stage}; run 'lfcore plan DATASET {run.root}' first")
    return parse_items(*content.values())


def read_records(
    path_of: Callable[[Stage, str], str], run: RunPaths, stage: Stage, items: Sequence[WorkItem]
) -> dict[str, dict[str, Any]]:
    """The records of ``items`` that exist, by item id; ``path_of`` is ``run.done`` or ``run.quarantine``."""
    paths = {path_of(stage, item["id"]): str(item["id"]) for item in items}
    return {paths[path]: json.loads(content) for path, content in store.read_many(list(paths)).items()}


def write_json(path: str, content: object) -> None:
    """Write ``content`` as JSON for people and machines, atomically."""
    store.write_bytes(path, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def _outputs_there(run: RunPaths, records: Mapping[str, Record]) -> set[str]:
    """Those of the recorded outputs that exist, as they are recorded."""
    recorded = {_absolute(run, path): path for record in records.values() for path in record["outputs"]}
    return {recorded[path] for path in store.existing(list(recorded))}


def _is_done(item: WorkItem, record: Record | None, there: set[str]) -> bool:
    return record is not None and record["hash"] == item["hash"] and there.issuperset(record["outputs"])


def _attempt(
    run: RunPaths, stage: Stage, item: WorkItem, do: Do, stale: Record | None, preparation_seconds: float
) -> str:
    """Do one item and record it; the note says why it was set aside, if it was.

    A job's preparation is on the record of its first item that is done.
    """
    started = time.monotonic()
    try:
        result = do(item)
    except DataError as error:
        if stage is not Stage.PLAN:  # a folder for which planning fails is not a run yet
            _set_aside(run, stage, item, str(error), stale)
        if stage not in FRAME_STAGES:
            raise
        return f"{item['id']} set aside: {error}"
    outputs = [_relative(run, path) for path in result.get("outputs", ())]
    cost = {
        "seconds": round(time.monotonic() - started, 3),
        "preparation_seconds": round(preparation_seconds, 3),
        "peak_memory_bytes": peak_memory_bytes(),
    }
    write_json(run.done(stage, item["id"]), {**result, **_circumstances(item), **cost, "outputs": outputs})
    store.delete(run.quarantine(stage, item["id"]))
    return ""


def _set_aside(run: RunPaths, stage: Stage, item: WorkItem, error: str, stale: Record | None) -> None:
    """Record the error, and take away what an earlier input of the same item has left."""
    write_json(run.quarantine(stage, item["id"]), {**_circumstances(item), "item": item, "error": error})
    for path in (stale or {}).get("outputs", ()):
        if _absolute(run, path) != path:  # what lies outside the run belongs to other runs too
            store.delete(_absolute(run, path))
    store.delete(run.done(stage, item["id"]))


def _circumstances(item: WorkItem) -> dict[str, Any]:
    return {
        "stage": item["stage"],
        "id": item["id"],
        "hash": item["hash"],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "attempt": int(os.environ.get("AWS_BATCH_JOB_ATTEMPT", "1")),
        **machine_facts(),
    }


def _relative(run: RunPaths, path: str) -> str:
    """Paths inside the run are recorded relative to it, so that a run can be moved; others in full."""
    inside = run.root.rstrip("/") + "/"
    if path.startswith(inside):
        return path.removeprefix(inside)
    return str(Path(path).absolute()) if store.is_local(path) else path


def _absolute(run: RunPaths, path: str) -> str:
    """A recorded path in full. Raises ``SettingsError`` for a relative one that would leave the run."""
    return path if path.startswith("/") or "://" in path else join(run.root, path)
