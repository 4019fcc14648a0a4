"""From seconds of work to hours of machines and dollars: plain arithmetic, that can be shown.

A machine works on several items side by side (``places``), in rounds. It is paid for from its start, so the more
machines share a run, the sooner it is over and the dearer it is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

SECONDS_AN_HOUR = 3600.0
MOST_MACHINES = 10_000


@dataclass(frozen=True)
class Work:
    """Items of a stage that do not wait for each other, and the seconds each takes in one place of a machine.

    ``preparation_s`` is what a job does before its first item.
    """

    stage: str
    items: int
    seconds_per_item: float
    places: int
    preparation_s: float = 0.0


@dataclass(frozen=True)
class Starting:
    """Seconds that a machine is paid for before its first job starts, and from there to a job's first work.

    A job is to take ``job_minutes``; a longer share of a stage is cut into several.
    """

    machine_s: float
    job_s: float
    job_minutes: float = 10.0


@dataclass(frozen=True)
class Share:
    """What a stage comes to: machines that work on it, seconds from its begin to its end, and seconds paid for."""

    work: Work
    machines: int
    rounds: int
    jobs_a_place: int
    seconds: float

    @property
    def paid_s(self) -> float:
        """Machine seconds."""
        return self.machines * self.seconds


@dataclass(frozen=True)
class Fleet:
    """Stages that follow each other on up to ``machines`` machines of one type."""

    machines: int
    starting: Starting
    shares: Sequence[Share]

    @property
    def seconds(self) -> float:
        """From the first machine's start to the end."""
        return self.starting.machine_s + sum(share.seconds for share in self.shares) if self.shares else 0.0

    @property
    def paid_s(self) -> float:
        """Machine seconds, those of starting included; a machine that a stage does not need is not paid for."""
        most = max((share.machines for share in self.shares), default=0)
        return most * self.starting.machine_s + sum(share.paid_s for share in self.shares)


def fleet(works: Sequence[Work], machines: int, starting: Starting) -> Fleet:
    """Lay ``works``, one after the other, on up to ``machines`` machines."""
    return Fleet(machines, starting, [_share(work, machines, starting) for work in works if work.items])


def _share(work: Work, machines: int, starting: Starting) -> Share:
    used = min(machines, -(-work.items // work.places))
    rounds = -(-work.items // (used * work.places))
    jobs = max(1, math.ceil(rounds * work.seconds_per_item / (60 * starting.job_minutes)))
    begin = jobs * (starting.job_s + work.preparation_s)
    return Share(work, used, rounds, jobs, begin + rounds * work.seconds_per_item)


def machines_for(
    deadline_s: float, parts: Sequence[tuple[Sequence[Work], int | None]], starting: Starting
) -> int | None:
    """The least number of machines with which fleets that follow each other end in time; None when none does.

    Of each part the machines are given, or (None) what is looked for.
    """

    def ends_in_time(machines: int) -> bool:
        fleets = [fleet(works, machines if given is None else given, starting) for works, given in parts]
        return sum(one.seconds for one in fleets) <= deadline_s

    if not ends_in_time(MOST_MACHINES):
        return None
    low, high = 0, MOST_MACHINES
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if ends_in_time(middle) else (middle, high)
    return high


def dollars(paid_s: float, dollars_per_hour: tuple[float, float]) -> tuple[float, float]:
    """Lowest and highest price of so many machine seconds."""
    low, high = (paid_s / SECONDS_AN_HOUR * price for price in dollars_per_hour)
    return low, high
