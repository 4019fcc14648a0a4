"""What a run will cost by instance type, from the plan's estimates and a table of prices.

``reconstruct`` runs on the type in question, the other stages on one machine of the processor type that is cheapest
there. Each figure can be followed: an offer says in words how it came about.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lfcore.contracts import Stage
from lfcore.errors import DeviceMemoryError
from lfcore.prices.model import Fleet, Starting, Work, dollars, fleet, machines_for
from lfcore.prices.table import InstanceType, Market, Price, PriceTable
from lfcore.projection.device_cost import device_frame_seconds, why_not_a_gpu
from lfcore.settings import Settings
from lfcore.stages.plan import estimates_of, nominal_cells

GIB = 2**30
WRITTEN_BYTES_PER_SECOND = 100e6
"""Float32 voxels that a core compresses and writes a second, OME-Zarr frames of 186 MB; ``docs/cost.md``."""

GPU_PREPARATION_S = 5.7
"""Compiling kernels and making matrices before the first frame: case f-setup of ``benchmarks/history.jsonl``, cold."""

BEFORE = (Stage.NORMALISE, Stage.CALIBRATE, Stage.TRANSFORMS)
AFTER = (Stage.REPORT,)
VOLUMES = 1000


@dataclass(frozen=True)
class Recording:
    """What is to be reconstructed: ``frames`` of ``frame_shape`` (y, x) camera pixels, with ``settings``."""

    settings: Settings
    frame_shape: tuple[int, int]
    frames: int

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return nominal_cells(self.settings, self.frame_shape)

    @property
    def volume_bytes(self) -> int:
        """One frame's volume, float32."""
        samples = self.settings.volume.samples_per_lenslet
        return 4 * len(self.settings.volume.planes_um) * math.prod(self.cells) * samples**2


@dataclass(frozen=True)
class Wishes:
    """Where and how machines are bought, how many at most for ``reconstruct``, and when all shall be over."""

    region: str
    machines: int = 1
    deadline_s: float | None = None
    job_minutes: float = 10.0


@dataclass(frozen=True)
class Offer:
    """A run with ``reconstruct`` on one instance type; where it cannot be, ``why_not`` says so and the rest is empty.

    ``dollars``, and ``dollars_per_1000`` for a recording of 1,000 such frames on as many machines, are (lowest,
    highest); None where a price is not known. ``needed`` is
    the number of ``machines`` for the deadline, 0 where none suffices.
    """

    instance_type: str
    market: Market
    price: Price | None = None
    why_not: str = ""
    frame_s: float = 0.0
    places: int = 0
    machines: int = 0
    seconds: float = 0.0
    paid_s: float = 0.0
    dollars: tuple[float, float] | None = None
    dollars_per_1000: tuple[float, float] | None = None
    needed: int | None = None
    arithmetic: tuple[str, ...] = ()


def offers(recording: Recording, table: PriceTable, wishes: Wishes) -> list[Offer]:
    """An offer for each instance type and market of which something is known in the region, in the table's order."""
    estimates = estimates_of(recording.settings, recording.frame_shape, recording.frames)
    return [
        _offer(recording, estimates, table, wishes, name, market, pace)
        for name, kind in table.instance_types.items()
        for pace in [_pace(recording, estimates[Stage.RECONSTRUCT], kind, table)]
        for market in Market
        if table.price(name, wishes.region, market) or market is Market.ON_DEMAND
    ]


def cheapest(found: Sequence[Offer]) -> Offer | None:
    """The offer with the lowest upper price among those that end in time; None where no price is known."""
    known = [(offer.dollars[1], offer) for offer in found if offer.dollars is not None and offer.needed != 0]
    return min(known, key=lambda entry: entry[0])[1] if known else None


def helper_type(table: PriceTable, region: str, market: Market) -> tuple[str, Price] | None:
    """The processor type whose virtual processors are cheapest, by the highest price; None where no price is known."""
    known = [
        (price.dollars_per_hour[1] / kind.vcpus, name, price)
        for name, kind in table.instance_types.items()
        if kind.gpu is None and (price := table.price(name, region, market))
    ]
    return min(known, key=lambda entry: entry[0])[1:] if known else None


def _offer(
    recording: Recording,
    estimates: Mapping[str, Mapping[str, float]],
    table: PriceTable,
    wishes: Wishes,
    name: str,
    market: Market,
    pace: "_Pace",
) -> Offer:
    kind, price = table.instance_types[name], table.price(name, wishes.region, market)
    helper = helper_type(table, wishes.region, market) if kind.gpu else None if price is None else (name, price)
    if pace.why_not:
        return Offer(name, market, price, why_not=pace.why_not)
    frame_s, places = pace.frame_s, pace.places
    helping = table.instance_types[helper[0] if helper else _any_processor(table)]
    starting = Starting(table.machine_start_s, table.job_start_s, wishes.job_minutes)

    def others(frames: int) -> list[Work]:
        return [_other(stage, estimates, frames, helping, table) for stage in (*BEFORE, *AFTER)]

    def work(frames: int) -> list[Work]:
        return [Work(Stage.RECONSTRUCT.value, frames, frame_s, places, pace.preparation_s)]

    def priced(frames: int) -> tuple[float, float] | None:
        """Dollars of so many frames on so many machines."""
        if price is None or helper is None:
            return None
        aside = dollars(fleet(others(frames), 1, starting).paid_s, helper[1].dollars_per_hour)
        main = dollars(fleet(work(frames), machines, starting).paid_s, price.dollars_per_hour)
        return aside[0] + main[0], aside[1] + main[1]

    frames, needed = recording.frames, None
    if wishes.deadline_s is not None:
        needed = machines_for(wishes.deadline_s, [(others(frames), 1), (work(frames), None)], starting) or 0
    machines = needed or wishes.machines
    first, second = fleet(others(frames), 1, starting), fleet(work(frames), machines, starting)
    aside = _said(first, helper[0], helper[1], table) if helper else []
    return Offer(
        name,
        market,
        price,
        frame_s=frame_s,
        places=places,
        machines=machines,
        seconds=first.seconds + second.seconds,
        paid_s=first.paid_s + second.paid_s,
        dollars=priced(frames),
        dollars_per_1000=priced(VOLUMES),
        needed=needed,
        arithmetic=(*_said(second, name, price, table), *aside),
    )


def _any_processor(table: PriceTable) -> str:
    return next(name for name, kind in table.instance_types.items() if kind.gpu is None)


@dataclass(frozen=True)
class _Pace:
    """Seconds of a frame in one place of a machine, its writing included, and places; or why there are none."""

    frame_s: float = 0.0
    places: int = 0
    preparation_s: float = 0.0
    why_not: str = ""


def _pace(recording: Recording, estimate: Mapping[str, float], kind: InstanceType, table: PriceTable) -> _Pace:
    writing = recording.volume_bytes / WRITTEN_BYTES_PER_SECOND
    if kind.gpu_memory_gib is None or kind.memory_gb_per_s is None:
        places = _places(kind, estimate["memory_bytes"], table)
        why_not = "" if places else f"its {kind.memory_gib:g} GiB do not hold one job"
        return _Pace(estimate["seconds_per_item"] + writing, places, estimate["preparation_seconds"], why_not)
    settings = recording.settings
    if (reason := why_not_a_gpu(settings)) is not None:
        return _Pace(why_not=reason)
    try:
        computing = device_frame_seconds(settings, *recording.cells, kind.gpu_memory_gib, kind.memory_gb_per_s)
    except DeviceMemoryError as error:
        return _Pace(why_not=str(error))
    return _Pace(computing + writing, 1, GPU_PREPARATION_S)


def _other(
    stage: Stage, estimates: Mapping[str, Mapping[str, float]], frames: int, kind: InstanceType, table: PriceTable
) -> Work:
    estimate = estimates[stage]
    items = frames if stage is Stage.NORMALISE else int(estimate["items"])
    places = max(1, _places(kind, estimate["memory_bytes"], table))
    return Work(stage.value, items, estimate["seconds_per_item"], places)


def _places(kind: InstanceType, memory_bytes: float, table: PriceTable) -> int:
    """Jobs that a machine of a processor type holds side by side."""
    return min(kind.vcpus // table.job_vcpus, int(kind.memory_gib * GIB // memory_bytes))


def _said(laid: Fleet, name: str, price: Price | None, table: PriceTable) -> list[str]:
    """How a fleet's price came about, a line a stage and one for the sum."""
    lines = []
    for share in laid.shares:
        work, start_s = share.work, laid.starting.job_s + share.work.preparation_s
        lines.append(
            f"{work.stage}: {work.items} items, {share.machines} x {name} with {work.places} at a time:"
            f" {share.rounds} rounds of {work.seconds_per_item:.3g} s + {share.jobs_a_place} x {start_s:.3g} s of job"
            f" starts = {share.seconds:.0f} s, {share.paid_s:.0f} machine seconds"
        )
    if price is None:
        return [*lines, f"{name}: {laid.paid_s / 3600:.4f} machine hours; its price is not known"]
    low, high = dollars(laid.paid_s, price.dollars_per_hour)
    rate = dollars_in_words(price.dollars_per_hour)
    start = f"{laid.starting.machine_s:g} s of starting a machine included"
    lines.append(
        f"{name}: {laid.paid_s / 3600:.4f} machine hours ({start}) x {rate} an hour"
        f" = {dollars_in_words((low, high))} ({price.market} in {price.region}; {table.cited(price)})"
    )
    return lines


def dollars_in_words(amount: tuple[float, float] | None) -> str:
    """A range of dollars, with four digits; what is not known is said."""
    if amount is None:
        return "not known"
    low, high = (f"{value:.4g}" if value < 1000 else f"{value:,.0f}" for value in amount)
    return f"${low}" if low == high else f"${low} to ${high}"
