"""The numbers that the wave model needs, free of files and of the user's choices of format."""

import math
from dataclasses import asdict, dataclass
from typing import Literal

from lfcore.contracts import fingerprint
from lfcore.settings import Settings

MARGIN_LENSLETS = 2
"""A point image is cut off so far outside its geometric blur."""


@dataclass(frozen=True)
class Instrument:
    """A plenoptic 1.0 light field microscope (Levoy 2006; Broxton 2013); lengths in um at the microlens array.

    ``spectrum`` holds (vacuum wavelength in um, weight) pairs whose weights sum to one.
    """

    magnification: float
    numerical_aperture: float
    medium_index: float
    spectrum: tuple[tuple[float, float], ...]
    pitch_um: float
    focal_length_um: float
    sensor_distance_um: float
    aperture: Literal["square", "round"]
    pixels_per_lenslet: int

    @property
    def pixel_um(self) -> float:
        """Side of a rectified camera pixel, um at the array."""
        return self.pitch_um / self.pixels_per_lenslet

    @property
    def object_pitch_um(self) -> float:
        """Lenslet pitch in the object, um."""
        return self.pitch_um / self.magnification

    def fingerprint(self) -> str:
        """Identifies everything that determines a point image."""
        return fingerprint(asdict(self))

    def blur_radius_lenslets(self, z_um: float) -> float:
        """Radius of the geometric blur of a point at ``z_um``, in lenslets."""
        tangent = math.tan(math.asin(self.numerical_aperture / self.medium_index))
        return abs(z_um) * tangent / self.object_pitch_um

    def window_radius_lenslets(self, z_um: float) -> int:
        """Lenslets on each side of the middle one that a point image at ``z_um`` needs: its blur and a margin."""
        return math.ceil(self.blur_radius_lenslets(z_um)) + MARGIN_LENSLETS


def instrument_from(
    settings: Settings, pitch_px: float | None = None, pixels_per_lenslet: int | None = None
) -> Instrument:
    """The instrument that ``settings`` describe.

    With a measured ``pitch_px`` the array's pitch is ``pitch_px`` times the camera pixel (four digits, so that runs
    whose calibrations differ by noise share transforms); without, it is the nominal pitch.
    """
    array, microscope = settings.microlens_array, settings.microscope
    pitch_um = array.pitch_um if pitch_px is None else float(f"{pitch_px * settings.camera.pixel_at_array_um:.4g}")
    return Instrument(
        magnification=microscope.true_magnification,
        numerical_aperture=microscope.numerical_aperture,
        medium_index=microscope.medium_index,
        spectrum=microscope.spectrum,
        pitch_um=pitch_um,
        focal_length_um=array.focal_length_um,
        sensor_distance_um=array.sensor_distance_um or array.focal_length_um,
        aperture=array.aperture,
        pixels_per_lenslet=pixels_per_lenslet or settings.nominal_pixels_per_lenslet,
    )
