"""What a run has cost: the seconds of its completion records at the price of the machines that they name."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lfcore.contracts import RunPaths, Stage
from lfcore.prices.model import SECONDS_AN_HOUR
from lfcore.prices.table import Market, Price, PriceTable
from lfcore.stages.runner import read_items, read_records

Record = Mapping[str, Any]


@dataclass(frozen=True)
class StageCost:
    """One stage: seconds of its jobs on items that are done, machines, and dollars where all prices are known.

    ``attempts`` is the highest attempt in which an item was done; ``spot`` is None where it is not known or mixed.
    ``how`` shows the arithmetic, or says what is not known.
    """

    stage: str
    job_seconds: float
    instance_type: str | None
    attempts: int
    spot: bool | None
    dollars: float | None
    how: str

    def to_json(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        names = ("job_seconds", "instance_type", "attempts", "spot", "dollars")
        return {name: getattr(self, name) for name in names}


def stage_costs(done: Mapping[Stage, Mapping[str, Record]], table: PriceTable) -> list[StageCost]:
    """The cost of every stage that has records, which are given as {stage: {item id: record}}."""
    return [_stage(stage, list(records.values()), table) for stage, records in done.items() if records]


def total(costs: Iterable[StageCost]) -> float | None:
    """Dollars of all stages; None where those of one are not known."""
    each = [cost.dollars for cost in costs]
    return None if None in each or not each else sum(dollars for dollars in each if dollars is not None)


def costs_of_run(run: RunPaths, table: PriceTable) -> list[StageCost]:
    """The same from a run's files, whether it has ended or not."""
    done = {
        stage: read_records(run.done, run, stage, [{"id": "plan"}] if stage is Stage.PLAN else read_items(run, stage))
        for stage in Stage
    }
    return stage_costs(done, table)


def _stage(stage: Stage, records: list[Record], table: PriceTable) -> StageCost:
    seconds: dict[tuple[str, str, bool] | None, float] = {}
    for record in records:
        machine = _machine(record)
        seconds[machine] = seconds.get(machine, 0.0) + record["seconds"] + record["preparation_seconds"]
    parts = [_part(machine, taken, table) for machine, taken in sorted(seconds.items(), key=str)]
    known = [dollars for dollars, _ in parts if dollars is not None]
    types = sorted({machine[0] for machine in seconds if machine})
    spots = {machine[2] if machine else None for machine in seconds}
    return StageCost(
        stage=stage.value,
        job_seconds=round(sum(seconds.values()), 3),
        instance_type=", ".join(types) or None,
        attempts=max(int(record.get("attempt", 1)) for record in records),
        spot=spots.pop() if len(spots) == 1 else None,
        dollars=round(sum(known), 6) if len(known) == len(parts) else None,
        how="; ".join(how for _, how in parts),
    )


def _machine(record: Record) -> tuple[str, str, bool] | None:
    """Instance type, region and whether spot, of a record that names them all."""
    name, region, spot = (record.get(key) for key in ("instance_type", "region", "spot"))
    if isinstance(name, str) and isinstance(region, str) and isinstance(spot, bool):
        return name, region, spot
    return None


def _part(machine: tuple[str, str, bool] | None, seconds: float, table: PriceTable) -> tuple[float | None, str]:
    """Dollars of so many job seconds on one machine type, and how they came about."""
    if machine is None:
        return None, f"{seconds:.1f} s on a machine that is not known"
    name, region, spot = machine
    market = Market.SPOT if spot else Market.ON_DEMAND
    price, kind = table.price(name, region, market), table.instance_types.get(name)
    if price is None or kind is None:
        return None, f"{seconds:.1f} s on {name} ({market}, {region}), whose price is not known"
    share = 1.0 if kind.gpu else table.job_vcpus / kind.vcpus
    return _priced(seconds, share, name, price, table)


def _priced(seconds: float, share: float, name: str, price: Price, table: PriceTable) -> tuple[float, str]:
    """At the highest price of the range: what was paid is not more than that, as far as is known."""
    rate = price.dollars_per_hour[1]
    dollars = seconds / SECONDS_AN_HOUR * share * rate
    part = "" if share == 1 else f" x {share:.4g} of its processors"
    return dollars, (
        f"{seconds:.1f} s / 3600 x ${rate:g} an hour of {name}{part} = ${dollars:.4g}"
        f" ({price.market} in {price.region}; {table.cited(price)})"
    )
