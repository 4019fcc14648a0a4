"""The table of instance types and prices: the one that comes with the package, and a user's file over it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from importlib import resources
from pathlib import Path
from typing import Annotated, Self

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from lfcore.errors import SettingsError
from lfcore.explain import explain

PRICES_VARIABLE = "LIGHTFIELD_PRICES"


class Market(StrEnum):
    """How a machine is bought."""

    ON_DEMAND = "on-demand"
    SPOT = "spot"


def _range(value: object) -> object:
    """One number is a range of its own."""
    return (value, value) if isinstance(value, int | float) else value


Positive = Annotated[float, Field(gt=0)]
Range = Annotated[tuple[Positive, Positive], BeforeValidator(_range)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Section):
    """Where a figure comes from, and the day on which it was read there."""

    what: str
    date: date


class InstanceType(_Section):
    """A machine: ``gpu`` with its memory in GiB and bandwidth in GB/s, or none; virtual processors; memory in GiB."""

    gpu: str | None = None
    gpu_memory_gib: Positive | None = None
    memory_gb_per_s: Positive | None = None
    vcpus: int = Field(gt=0)
    memory_gib: Positive

    @model_validator(mode="after")
    def _a_gpu_is_described(self) -> Self:
        if self.gpu is not None and (self.gpu_memory_gib is None or self.memory_gb_per_s is None):
            raise ValueError("a type with a gpu needs gpu_memory_gib and memory_gb_per_s")
        return self


class Price(_Section):
    """Dollars an hour, lowest and highest, of a machine in a region; ``source`` names an entry of ``sources``."""

    type: str
    region: str
    market: Market
    dollars_per_hour: Range
    source: str

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if self.dollars_per_hour[0] > self.dollars_per_hour[1]:
            raise ValueError("dollars_per_hour: the lower price comes first")
        return self


class Figure(_Section):
    """An assumption: its value, and the name of its source."""

    value: Positive
    source: str


class PriceFile(_Section):
    """The form of a price file."""

    sources: dict[str, Source] = {}
    machine_start_s: Figure | None = None
    job_start_s: Figure | None = None
    job_vcpus: Figure | None = None
    instance_types: dict[str, InstanceType] = {}
    prices: list[Price] = []


@dataclass(frozen=True)
class PriceTable:
    """Everything that is known: types by name, prices by (type, region, market), and seconds of starting."""

    instance_types: Mapping[str, InstanceType]
    prices: Mapping[tuple[str, str, Market], Price]
    sources: Mapping[str, Source]
    machine_start_s: float
    job_start_s: float
    job_vcpus: int

    def price(self, instance_type: str, region: str, market: Market) -> Price | None:
        """What is known of a price; None is: not known."""
        return self.prices.get((instance_type, region, market))

    def cited(self, price: Price) -> str:
        """A price's source and date, in words."""
        source = self.sources[price.source]
        return f"{source.what}, {source.date.isoformat()}"

    def regions(self) -> list[str]:
        """The regions of which a price is known."""
        return sorted({region for _, region, _ in self.prices})

    def with_prices(self, prices: list[Price], sources: Mapping[str, Source]) -> "PriceTable":
        """The table with newer ``prices`` in the place of its own."""
        newer = {(price.type, price.region, price.market): price for price in prices}
        return PriceTable(
            self.instance_types,
            {**self.prices, **newer},
            {**self.sources, **sources},
            self.machine_start_s,
            self.job_start_s,
            self.job_vcpus,
        )


def package_table() -> PriceTable:
    """The table that comes with the package."""
    return _table([_parse(resources.files("lfcore.prices").joinpath("table.yaml").read_text("utf-8"), "table.yaml")])


def price_table(path: str | None = None, environment: Mapping[str, str] = os.environ) -> PriceTable:
    """The package's table under that of ``path``, or of the file that ``LIGHTFIELD_PRICES`` names.

    Raises ``SettingsError`` for a file that cannot be read or used.
    """
    chosen = path or environment.get(PRICES_VARIABLE)
    if not chosen:
        return package_table()
    try:
        text = Path(chosen).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{chosen}: the price file cannot be read ({error}); check {PRICES_VARIABLE}") from error
    own = resources.files("lfcore.prices").joinpath("table.yaml").read_text("utf-8")
    return _table([_parse(own, "table.yaml"), _parse(text, chosen)])


def _parse(text: str, origin: str) -> PriceFile:
    try:
        content = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise SettingsError(
            f"{origin}: not valid YAML ({' '.join(str(error).split())}); mend the price file"
        ) from error
    if not isinstance(content, dict):
        raise SettingsError(f"{origin}: must be a mapping with the keys {', '.join(PriceFile.model_fields)}")
    try:
        return PriceFile.model_validate(content)
    except ValidationError as error:
        raise SettingsError(f"{origin}: {explain(error.errors(), content, PriceFile)}") from error


def _table(files: list[PriceFile]) -> PriceTable:
    """Later files over earlier ones; the first holds everything."""
    base, last = files[0], files[-1]
    sources = {name: source for file in files for name, source in file.sources.items()}
    types = {name: kind for file in files for name, kind in file.instance_types.items()}
    prices = {(price.type, price.region, price.market): price for file in files for price in file.prices}
    figures = {
        name: getattr(last, name) or getattr(base, name) for name in ("machine_start_s", "job_start_s", "job_vcpus")
    }
    for name in {price.source for price in prices.values()} | {figure.source for figure in figures.values()}:
        if name not in sources:
            raise SettingsError(f"price file: source '{name}' is not under sources; say there what it is, and its date")
    for name in {price.type for price in prices.values()} - types.keys():
        raise SettingsError(f"price file: instance type '{name}' has a price but no entry under instance_types")
    return PriceTable(
        types,
        prices,
        sources,
        figures["machine_start_s"].value,
        figures["job_start_s"].value,
        int(figures["job_vcpus"].value),
    )
