"""The tables of docs/cost.md: dollars for 1,000 volumes by instance type, for two recordings.

    python -m benchmarks.cost

Prices are those of the package's table, whatever the environment says.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from lfcore.prices.table import PriceTable, package_table
from lfcore.settings import Settings
from lfcore.stages.cost import Offer, Recording, Wishes, cheapest, dollars_in_words, offers

FRAMES = 1000
MACHINES = 10
DEADLINE_S = 2 * 3600.0
REGIONS = ("us-east-1", "us-east-2")

CASE_F: Mapping[str, Any] = {
    "microscope": {"magnification": 22.222, "numerical_aperture": 0.5, "medium_index": 1.33, "wavelength_um": 0.52},
    "microlens_array": {"pitch_um": 125, "focal_length_um": 3125},
    "camera": {"pixel_um": 125 / 19},
    "images": {"light_field": "raw/*.tif"},
    "volume": {"z_um": {"start": -60, "stop": 60, "step": 5}, "samples_per_lenslet": 19},
    "reconstruction": {"iterations": 4, "acceleration": False},
}
SEA_URCHIN: Mapping[str, Any] = {
    "microscope": {"magnification": 20, "numerical_aperture": 0.5, "medium_index": 1.35, "wavelength_um": 0.593},
    "microlens_array": {"pitch_um": 125, "focal_length_um": 2500},
    "camera": {"pixel_um": 7.4},
    "images": {"light_field": "raw/*.tif"},
    "volume": {"z_um": {"start": -174, "stop": 174, "step": 12}, "samples_per_lenslet": 3},
    "reconstruction": {"iterations": 15},
}
RECORDINGS = {
    "F: 1463 x 1273 px, 25 planes, 19 samples a lenslet, 4 plain iterations": (CASE_F, (1463, 1273)),
    "Sea urchin (LFAnalyze's sample): 1200 x 1200 px, 30 planes, 3 samples a lenslet, 15 iterations": (
        SEA_URCHIN,
        (1200, 1200),
    ),
}


def lines() -> Iterator[str]:
    """The tables, line by line."""
    table = package_table()
    for title, (settings, shape) in RECORDINGS.items():
        recording = Recording(Settings.model_validate(settings), shape, FRAMES)
        yield f"**{title}; {recording.volume_bytes / 1e6:.3g} MB a volume**"
        yield ""
        yield from _table(recording, table)
        yield ""


def _table(recording: Recording, table: PriceTable) -> Iterator[str]:
    yield (
        f"| `reconstruct` on | market | region | $ an hour | s a volume | hours on {MACHINES} machines"
        f" | $ per 1,000 volumes on one | on {MACHINES} | machines for 2 h |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for region in REGIONS:
        alone, many, late = (
            offers(recording, table, wishes)
            for wishes in (Wishes(region), Wishes(region, MACHINES), Wishes(region, deadline_s=DEADLINE_S))
        )
        best = cheapest(alone)
        for offer, shared, hasty in zip(alone, many, late, strict=True):
            if offer.price is not None:
                yield _row(offer, shared, hasty, region, is_best=offer is best)


def _row(offer: Offer, shared: Offer, hasty: Offer, region: str, *, is_best: bool) -> str:
    name = f"**{offer.instance_type}**" if is_best else offer.instance_type
    price = dollars_in_words(offer.price.dollars_per_hour if offer.price else None)
    begin = f"| {name} | {offer.market} | {region} | {price} |"
    if offer.why_not:
        return f"{begin} {offer.why_not} | | | | |"
    return (
        f"{begin} {offer.frame_s:.3g} | {shared.seconds / 3600:.3g} | {dollars_in_words(offer.dollars)}"
        f" | {dollars_in_words(shared.dollars)} | {hasty.needed or 'none suffices'} |"
    )


if __name__ == "__main__":
    print(*lines(), sep="\n")
