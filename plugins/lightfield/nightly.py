"""What a night does with each data set: a decision from what was seen and what is known, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from lightfield.discovery import Look
from lightfield.ledger import Record, State, runs_root, short_name

MOST_ATTEMPTS = 3
"""Nights on which one state of a data set is tried, when its failures may pass."""
LATEST_START = timedelta(hours=2)
"""A scheduled night that begins later than this was missed."""


@dataclass(frozen=True)
class Order:
    """One reconstruction: to be started, or already under way and to be waited for.

    ``run`` does not depend on ``attempt``, so that a further attempt goes on with what is done.
    """

    dataset: str
    signature: str
    attempt: int
    run: str
    run_id: str

    @classmethod
    def make(cls, look: Look, attempt: int) -> "Order":
        """The order for what ``look`` saw."""
        name, digest = short_name(look.dataset), look.signature[:8]
        run = f"{runs_root(look.dataset)}/{name}-nightly-{digest}"
        return cls(look.dataset, look.signature, attempt, run, _run_id(name, digest, attempt))

    @classmethod
    def resume(cls, record: Record) -> "Order":
        """The order for a run that an earlier night has started."""
        return cls(record.dataset, record.signature, record.attempts, str(record.run), str(record.run_id))

    def renamed(self, number: int) -> "Order":
        """The same work under the run id of another number, for when Airflow has a run of this one's."""
        name, digest = short_name(self.dataset), self.signature[:8]
        return Order(self.dataset, self.signature, self.attempt, self.run, _run_id(name, digest, number))

    def is_of(self, record: Record) -> bool:
        """Whether a record is of this attempt, under whichever run id."""
        return (record.signature, record.attempts) == (self.signature, self.attempt)

    def record(self) -> Record:
        """What the ledger says while the order is under way."""
        return Record(self.dataset, self.signature, State.RUNNING, self.attempt, run=self.run, run_id=self.run_id)


def _run_id(name: str, digest: str, attempt: int) -> str:
    return f"nightly__{name}-{digest}" + (f"-{attempt}" if attempt > 1 else "")


@dataclass
class Decisions:
    """What a night does: data sets by path with the reason, and the orders in the order of starting."""

    orders: list[Order] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    unchanged: dict[str, str] = field(default_factory=dict)
    recording: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Situation:
    """What is known when a night decides.

    ``under_way`` are data sets whose run Airflow is still working on, and ``recording`` those that are still being
    recorded, with the reason; records of ended runs are settled.
    """

    looks: Mapping[str, Look]
    records: Mapping[str, Record]
    under_way: frozenset[str]
    recording: Mapping[str, str]


def decide(situation: Situation, max_datasets: int) -> Decisions:
    """One decision for each data set that was seen, and an order for each that is under way."""
    decisions = Decisions(orders=[Order.resume(situation.records[name]) for name in sorted(situation.under_way)])
    new, again = [], []
    for dataset, look in sorted(situation.looks.items()):
        record = situation.records.get(dataset)
        same = record is not None and record.signature == look.signature
        if dataset in situation.under_way:
            continue
        if record is not None and same and (reason := why_not_again(record)) is not None:
            decisions.unchanged[dataset] = reason
        elif dataset in situation.recording:
            decisions.recording[dataset] = situation.recording[dataset]
        elif look.problem:
            decisions.broken[dataset] = look.problem
        elif record is not None and same:
            again.append(Order.make(look, next_attempt(record)))
        else:
            new.append(Order.make(look, 1))
    # What has failed before waits for what has never been tried.
    wanted = new + again
    decisions.orders += wanted[:max_datasets]
    decisions.left = {order.dataset: f"more than {max_datasets} in one night" for order in wanted[max_datasets:]}
    return decisions


def why_not_again(record: Record) -> str | None:
    """Why a data set that has not changed is not tried again; nothing when it is."""
    if record.state is State.DONE:
        return record.message or "done"
    if record.state is State.BROKEN:
        return f"broken, as reported before: {record.message}"
    if record.state is State.RUNNING:
        return None  # of a night that ended before it began the run
    if record.permanent:
        return f"failed for good: {record.message}"
    if record.attempts >= MOST_ATTEMPTS:
        return f"failed {record.attempts} times, last: {record.message}"
    return None


def next_attempt(record: Record) -> int:
    """Number of the next attempt; one that was written down and never begun does not count."""
    return record.attempts + (record.state is State.FAILED)


def needs_settling(look: Look, record: Record | None) -> bool:
    """Whether it matters if a data set is still being recorded: not when it stays as it is anyway."""
    return record is None or record.signature != look.signature or why_not_again(record) is None


def still_recording(
    first: Mapping[str, Look], second: Mapping[str, Look], now: float, settle_s: float
) -> dict[str, str]:
    """Those data sets of ``first`` that are still being recorded, with the reason; ``now`` in s since 1970.

    Age alone does not tell: programs that copy files give them the times of the originals.
    """
    found = {}
    for dataset, look in first.items():
        again = second.get(dataset)
        newest = max(look.newest, again.newest if again else 0)
        if again is None or again.signature != look.signature:
            found[dataset] = "its files change"
        elif now - newest < settle_s:
            found[dataset] = f"its newest file is {max(0, now - newest) / 60:.0f} minutes old"
    return found


def missed(run_type: str, run_after: datetime, now: datetime | None = None) -> str | None:
    """Why a night that comes too late does nothing; nothing when it is on time or started by hand.

    Airflow makes up for the last missed night when a DAG is unpaused, which would be a surprise by day.
    """
    late = (now or datetime.now(UTC)) - run_after
    if run_type != "scheduled" or late <= LATEST_START:
        return None
    return f"this night was due {late.total_seconds() / 3600:.1f} h ago and is left out; the next one comes by itself"


def conf(order: Order, settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the reconstruction's run is given."""
    return {"dataset": order.dataset, "run": order.run, "settings": dict(settings)}
