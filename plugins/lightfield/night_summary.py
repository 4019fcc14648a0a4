"""What a night did, for people and machines: every data set it saw, with what became of it and why."""

import json
import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from lfcore.contracts import safe_name
from lightfield.files import write_whole
from lightfield.ledger import Record, State, runs_root
from lightfield.nightly import Decisions, Order

MOST_NAMES = 50
"""Data sets of one kind that the text names; the file names all."""
TITLES = {
    "failed": "failed",
    "broken": "broken: no run was started",
    "unreadable": "cannot be read",
    "running": "still running; the next night sees how it ended",
    "recording": "still being recorded; looked at again the next night",
    "left": "left for the next night",
    "done": "done",
    "unchanged": "unchanged",
}
"""The kinds in the order of the text: what needs somebody comes first."""


@dataclass
class NightSummary:
    """Data sets by path, each with the reason or remark, under what became of them; ``remark`` is on the night."""

    night: str
    roots: Sequence[str]
    remark: str = ""
    started: Mapping[str, str] = field(default_factory=dict)
    done: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    unchanged: Mapping[str, str] = field(default_factory=dict)
    recording: Mapping[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)
    unreadable: Mapping[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        """How many data sets there are of each kind."""
        return {"started": len(self.started), **{kind: len(getattr(self, kind)) for kind in TITLES}}

    @property
    def text(self) -> str:
        """A readable page: the counts, then a line a data set."""
        counted = ", ".join(f"{count} {kind}" for kind, count in self.counts.items())
        lines = [f"{self.night}: {counted}", *([self.remark] if self.remark else [])]
        for kind, title in TITLES.items():
            found: Mapping[str, str] = getattr(self, kind)
            lines += [f"{title} ({len(found)}):"] if found else []
            lines += [
                f"  {name}: {reason}" if reason else f"  {name}" for name, reason in list(found.items())[:MOST_NAMES]
            ]
            lines += [f"  and {len(found) - MOST_NAMES} more"] if len(found) > MOST_NAMES else []
        return "\n".join(lines)

    def write(self, runs: str) -> str:
        """Write the summary below the runs' root; its path is returned."""
        path = posixpath.join(runs, "nightly", f"summary-{safe_name(self.night)}.json")
        write_whole(path, json.dumps({"counts": self.counts, **asdict(self)}, indent=2).encode())
        return path


def summarise(
    night: str, plan: Mapping[str, Any], orders: Sequence[Order], records: Mapping[str, Record]
) -> NightSummary:
    """The summary from the night's ``plan`` (see `plan_of`), its orders, and the ledger as it is at the end."""
    summary = NightSummary(night, **plan)
    started = {}
    for order in orders:
        record = records.get(order.dataset)
        if record is None or not order.is_of(record):
            summary.left[order.dataset] = "the night ended before its turn"
            continue
        started[order.dataset] = str(record.run_id)
        kinds = {State.DONE: summary.done, State.FAILED: summary.failed}
        kinds.get(record.state, summary.running)[order.dataset] = record.message
    summary.started = started
    return summary


def plan_of(
    decisions: Decisions, roots: Sequence[str], unreadable: Mapping[str, str], remark: str = ""
) -> dict[str, Any]:
    """What the first task tells the last: all decisions but the orders, which are the tasks between."""
    kinds = {key: value for key, value in asdict(decisions).items() if key != "orders"}
    return {"roots": list(roots), "remark": remark, "unreadable": dict(unreadable), **kinds}


def summary_place(roots: Sequence[str]) -> str:
    """Where the runs of a night's first root lie, and its summary with them."""
    return runs_root(f"{roots[0].rstrip('/')}/any")
