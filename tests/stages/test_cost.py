"""What a run is said to cost before it is run."""

import re

import pytest

from lfcore.prices.table import package_table
from lfcore.projection.device_cost import device_frame_seconds
from lfcore.settings import Settings
from lfcore.stages.bench_cases import F
from lfcore.stages.cost import Recording, Wishes, cheapest, offers
from tests.conftest import TINY_SETTINGS

TINY = Recording(Settings.model_validate(TINY_SETTINGS), (100, 120), 50)
CASE_F = {
    "microscope": {
        "magnification": 22.222,
        "numerical_aperture": 0.5,
        "medium_index": 1.33,
        "wavelength_um": 0.52,
    },
    "microlens_array": {"pitch_um": 125, "focal_length_um": 3125},
    "camera": {"pixel_um": 125 / 19},
    "images": {"light_field": "*.tif"},
    "volume": {"z_um": {"start": -60, "stop": 60, "step": 5}, "samples_per_lenslet": 19},
    "reconstruction": {"iterations": 4, "acceleration": False},
}


def test_the_time_of_a_frame_is_near_what_an_h200_took() -> None:
    """``benchmarks/history.jsonl``, f-frame: 28.4 ms on one grid; the planner's tiles may be quicker."""
    seconds = device_frame_seconds(Settings.model_validate(CASE_F), F.rows, F.columns, 139, 4800)
    assert 0.5 * 0.0284 < seconds < 2 * 0.0284


def test_half_the_bandwidth_is_twice_the_time() -> None:
    settings = Settings.model_validate(CASE_F)
    fast, slow = (device_frame_seconds(settings, F.rows, F.columns, 40, rate) - 0.01 for rate in (800, 400))
    assert slow == pytest.approx(2 * fast)


def test_what_does_not_fit_a_gpu_is_said() -> None:
    # 501 planes: two volumes of 3.7 GB, and seven where iterations are accelerated.
    volume = {"z_um": {"start": -1000, "stop": 1000, "step": 4}, "samples_per_lenslet": 19}
    wide = Settings.model_validate({**CASE_F, "volume": volume, "reconstruction": {"iterations": 4}})
    found = offers(Recording(wide, (1463, 1273), 10), package_table(), Wishes("us-east-1"))
    refused = {offer.instance_type for offer in found if offer.why_not}
    assert {"g5.xlarge", "g6.xlarge"} <= refused
    assert all("do not hold" in offer.why_not for offer in found if offer.why_not)


def test_the_cheapest_has_the_lowest_upper_price_and_unknown_prices_have_no_dollars() -> None:
    found = offers(TINY, package_table(), Wishes("us-east-2"))
    best = cheapest(found)
    assert best is not None
    known = [offer.dollars for offer in found if offer.dollars is not None]
    assert best.dollars is not None
    assert best.dollars[1] == min(high for _, high in known)
    unknown = [offer for offer in found if offer.price is None]
    assert {offer.instance_type for offer in unknown} >= {"p5.4xlarge"}
    assert all(offer.dollars is None for offer in unknown)
    assert cheapest(offers(TINY, package_table(), Wishes("mars-north-1"))) is None


def test_the_arithmetic_adds_up_to_the_dollars() -> None:
    for offer in offers(TINY, package_table(), Wishes("us-east-1", machines=3)):
        sums = [line for line in offer.arithmetic if "machine hours" in line and "not known" not in line]
        if offer.dollars is None:
            continue
        high = 0.0
        for line in sums:
            hours = float(re.search(r"([0-9.]+) machine hours", line)[1])
            rate = float(re.findall(r"\$([0-9.]+)", line.partition(" x ")[2].partition(" an hour")[0])[-1])
            high += hours * rate
        assert high == pytest.approx(offer.dollars[1], rel=1e-3, abs=1e-3)


def test_a_deadline_says_how_many_machines() -> None:
    recording = Recording(TINY.settings, TINY.frame_shape, 100_000)
    table = package_table()
    late = offers(recording, table, Wishes("us-east-1", 1))
    for offer in offers(recording, table, Wishes("us-east-1", deadline_s=7200)):
        alone = next(one for one in late if (one.instance_type, one.market) == (offer.instance_type, offer.market))
        assert offer.needed == offer.machines >= 1
        assert offer.seconds <= 7200
        assert (alone.seconds <= 7200) == (offer.needed == 1)
    assert all(offer.needed == 0 for offer in offers(recording, table, Wishes("us-east-1", deadline_s=60)))
