"""From settings to the numbers of the wave model."""

from dataclasses import replace
from typing import Any

import pytest

from lfcore.optics.instrument import instrument_from
from lfcore.settings import Settings
from tests.conftest import TINY_SETTINGS
from tests.instruments import instrument


def settings(**sections: dict[str, Any]) -> Settings:
    content = {name: {**TINY_SETTINGS.get(name, {}), **sections.get(name, {})} for name in TINY_SETTINGS}
    return Settings.model_validate(content)


def test_a_measured_pitch_replaces_the_nominal_one() -> None:
    assert instrument_from(settings()).pitch_um == 100
    measured = instrument_from(settings(), pitch_px=10.4123456, pixels_per_lenslet=11)
    assert measured.pitch_um == pytest.approx(104.1)
    assert measured.pixels_per_lenslet == 11
    assert (
        instrument_from(settings(), pitch_px=10.4123457).fingerprint()
        == instrument_from(settings(), pitch_px=10.4123001).fingerprint()
    )


def test_relay_and_tube_lens_count() -> None:
    relayed = settings(
        microscope={"tube_lens_mm": 180, "design_tube_lens_mm": 200}, camera={"relay_magnification": 0.5}
    )
    optics = instrument_from(relayed, pitch_px=10)
    assert optics.magnification == pytest.approx(18)
    assert optics.pitch_um == pytest.approx(10 * 10 / 0.5)
    assert optics.object_pitch_um == pytest.approx(200 / 18)


def test_the_sensor_stands_at_the_focus_unless_told() -> None:
    assert instrument_from(settings()).sensor_distance_um == 2000
    assert instrument_from(settings(microlens_array={"sensor_distance_um": 1900})).sensor_distance_um == 1900


def test_the_fingerprint_changes_with_every_number() -> None:
    changes = {
        "magnification": 21.0,
        "numerical_aperture": 0.49,
        "medium_index": 1.34,
        "spectrum": ((0.52, 1.0),),
        "pitch_um": 124.0,
        "focal_length_um": 2432.0,
        "sensor_distance_um": 2432.0,
        "aperture": "round",
        "pixels_per_lenslet": 6,
    }
    prints = {instrument().fingerprint(), *(instrument(**{key: value}).fingerprint() for key, value in changes.items())}
    assert len(prints) == len(changes) + 1


def test_the_blur_is_the_cone_of_the_aperture() -> None:
    optics = instrument(numerical_aperture=0.8, medium_index=1.0)
    # sin 0.8 is the 3-4-5 triangle: the cone is 4/3 wide a unit of depth.
    assert optics.blur_radius_lenslets(-12.0) == pytest.approx(12 * 4 / 3 / (125 / 20))


@pytest.mark.parametrize("z_um", [0.0, -3.2, 17.0, 80.0])
def test_a_square_lattice_has_the_window_of_its_lenslets(z_um: float) -> None:
    assert instrument().window_radius_cells(z_um) == (instrument().window_radius_lenslets(z_um),) * 2


def test_long_cells_need_fewer_of_them() -> None:
    optics = instrument(lattice="hexagonal", aperture="hexagonal", numerical_aperture=0.8, medium_index=1.0)
    # A blur of 2.56 lenslets and a margin of two: 2.63 cells of the square root of three.
    assert optics.window_radius_cells(12.0) == (3, 5)
    assert replace(optics, orientation="columns").window_radius_cells(12.0) == (5, 3)
