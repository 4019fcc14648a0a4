"""The lattice of a data set: from its white frames, else from its light field, else from its settings."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.calibration.lattice import LatticeFit, fit_lattice, nominal_fit
from lfcore.calibration.spectrum import LatticeKindError
from lfcore.errors import CalibrationError, DataError
from lfcore.io import sources
from lfcore.settings import Settings
from lfcore.stages.normalise import read_dark, read_normalised
from lfcore.stages.runner import Pulse

LOG = logging.getLogger(__name__)
Image = npt.NDArray[np.float32]

FRAMES_COMBINED = 8
"""So many frames of a series, spread over it, show the lenslets as well as all of them."""


@dataclass(frozen=True)
class FoundLattice:
    """The lattice, the ``frame`` (y, x) that it lies over, and what was lacking: ``warning``, empty if nothing."""

    fit: LatticeFit
    frame: Image
    warning: str = ""


def find_lattice(
    settings: Settings,
    radiometry: Sequence[str],
    light_field: Sequence[str],
    dark: Sequence[str],
    pulse: Pulse = lambda part: None,
) -> FoundLattice:
    """The lattice of a data set's files, by the best that there is; a fall-back is logged as a warning.

    Raises ``CalibrationError`` naming the file when a white frame shows no lattice, or a lattice is clearly not of the
    kind that the settings say.
    """
    found = _from_radiometry(settings, radiometry, dark, pulse) if radiometry else None
    found = found or _from_light_field(settings, light_field, dark, pulse)
    if found.warning:
        LOG.warning("%s", found.warning)
    return found


def read_white(radiometry: Sequence[str], dark: Sequence[str]) -> Image:
    """The mean of the white frames less the dark frame, (y, x), NaN where any of them is saturated or hot."""
    dark_frame = read_dark(list(dark))
    pages = [(path, page) for path in radiometry for page in range(sources.inspect(path).frames)]
    with sources.FrameReader() as reader:
        total = read_normalised(*pages[0], dark_frame, reader.read).astype(np.float64)
        for path, page in pages[1:]:
            total += read_normalised(path, page, dark_frame, reader.read)
    return (total / len(pages)).astype(np.float32)


def read_combined(light_field: Sequence[str], dark: Sequence[str]) -> Image:
    """A few frames of a light field less the dark frame as one, (y, x), NaN where all of them are missing.

    It is their root mean square, which lies between their mean and their maximum: light that was seen once counts.
    Raises ``DataError`` when none of them can be used.
    """
    dark_frame = read_dark(list(dark))
    total: npt.NDArray[np.float64] | None = None
    problem = "no frames"
    with sources.FrameReader() as reader:
        for path, page in _spread(light_field):
            try:
                frame = read_normalised(path, page, dark_frame, reader.read).astype(np.float64)
            except DataError as error:
                problem = str(error)
                continue
            square = np.where(np.isfinite(frame), np.sign(frame) * frame**2, 0.0)
            weighted = np.stack([square, np.isfinite(frame)])
            total = weighted if total is None else total + weighted
    if total is None:
        raise DataError(problem)
    mean = np.divide(total[0], total[1], out=np.full(total[0].shape, np.nan), where=total[1] > 0)
    return np.asarray(np.sign(mean) * np.sqrt(np.abs(mean)), dtype=np.float32)


def _spread(light_field: Sequence[str]) -> list[tuple[str, int]]:
    """(path, page) of frames spread over all that can be counted."""
    pages = []
    for path in light_field:
        try:
            pages += [(path, page) for page in range(sources.inspect(path).frames)]
        except DataError:
            continue  # set aside by ``normalise``, which says so
    count = min(FRAMES_COMBINED, len(pages))
    return [pages[index * (len(pages) - 1) // max(count - 1, 1)] for index in range(count)]


def _from_radiometry(settings: Settings, radiometry: Sequence[str], dark: Sequence[str], pulse: Pulse) -> FoundLattice:
    white = read_white(radiometry, dark)
    kind, pitch_px = settings.microlens_array.lattice, settings.nominal_pitch_px
    size = settings.calibration.pixels_per_lenslet
    if kind == "none":
        return FoundLattice(nominal_fit((white.shape[0], white.shape[1]), pitch_px, size, kind), white)
    try:
        return FoundLattice(fit_lattice(white, pitch_px, size, "radiometry", kind, pulse), white)
    except CalibrationError as error:
        raise type(error)(f"{radiometry[0]}: {error}") from error


def _from_light_field(
    settings: Settings, light_field: Sequence[str], dark: Sequence[str], pulse: Pulse
) -> FoundLattice:
    light = read_combined(light_field, dark)
    kind, pitch_px = settings.microlens_array.lattice, settings.nominal_pitch_px
    size, shape = settings.calibration.pixels_per_lenslet, (light.shape[0], light.shape[1])
    lacking = "images.radiometry is not set, so all pixels are taken to be equally sensitive"
    if kind == "none":
        return FoundLattice(nominal_fit(shape, pitch_px, size, kind), light, lacking)
    try:
        fit = fit_lattice(light, pitch_px, size, "light_field", kind, pulse)
    except LatticeKindError as error:
        raise LatticeKindError(f"{light_field[0]}: {_of_light_field(error)}") from error
    except CalibrationError as error:
        why = f"the lattice is the nominal one, {pitch_px:.2f} px, unturned and centred ({_of_light_field(error)})"
        return FoundLattice(nominal_fit(shape, pitch_px, size, kind), light, f"{lacking}, and {why}")
    return FoundLattice(fit, light, f"{lacking}, and the lattice is that of the light field")


def _of_light_field(error: CalibrationError) -> str:
    return str(error).replace("white frame", "light field")
