"""Instruments for tests of the model: small, and quick to compute."""

from dataclasses import replace
from typing import Any

from lfcore.optics.instrument import Instrument

TWENTY_TIMES = Instrument(
    magnification=20.0,
    numerical_aperture=0.5,
    medium_index=1.33,
    spectrum=((0.51, 1.0),),
    pitch_um=125.0,
    focal_length_um=2433.0,
    sensor_distance_um=2433.0,
    aperture="square",
    pixels_per_lenslet=15,
)
"""The objective and array of Levoy 2006, with 15 pixels a lenslet."""

NOTHING = {"focal_length_um": 1e9, "sensor_distance_um": 1e-6}
"""Lenslets that do nothing, on the camera: what is seen is the native image."""


def instrument(**changes: Any) -> Instrument:  # noqa: ANN401 - a field of any type
    """``TWENTY_TIMES`` with some numbers changed; by itself with few and wide pixels, to be quick."""
    return replace(TWENTY_TIMES, **{"pixels_per_lenslet": 5, **changes})


def described(entry: dict[str, Any]) -> Instrument:
    """The instrument of an entry of the reference's list."""
    return Instrument(
        magnification=entry["magnification"],
        numerical_aperture=entry["numerical_aperture"],
        medium_index=entry["medium_index"],
        spectrum=((entry["wavelength_um"], 1.0),),
        pitch_um=entry["pitch_um"],
        focal_length_um=entry["focal_length_um"],
        sensor_distance_um=entry["focal_length_um"],
        aperture="square",
        pixels_per_lenslet=entry["pixels_per_lenslet"],
    )
