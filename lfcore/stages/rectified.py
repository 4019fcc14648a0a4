"""Rectified: one frame of a data set resampled to its lenslets, without a run or with the calibration of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lfcore.calibration import radiometry
from lfcore.calibration.model import Calibration
from lfcore.calibration.rectify import rectifier
from lfcore.contracts import RunPaths
from lfcore.errors import DataError, SettingsError, UsageError
from lfcore.io import ome_tiff, sources
from lfcore.optics.instrument import Instrument
from lfcore.projection.views import view_pitch_um, views
from lfcore.settings import Settings
from lfcore.stages.calibrate import sensitivity
from lfcore.stages.dataset import DataSet, examine
from lfcore.stages.grid import instrument_of
from lfcore.stages.lattice import find_lattice
from lfcore.stages.normalise import read_dark, read_normalised
from lfcore.stages.transforms import read_calibration

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Rectified:
    """One rectified frame: ``light_field`` (y, x) in counts less dark, NaN where missing.

    ``flat`` (y, x) is the white frame in units of its median, 0 where it is missing or too dim to divide by.
    ``source`` names the frame.
    """

    settings: Settings
    instrument: Instrument
    calibration: Calibration
    light_field: Image
    flat: Image
    source: str


def load(dataset: str, overrides: Mapping[str, Any], frame: int = 0, run: str | None = None) -> Rectified:
    """Frame ``frame`` of a data set, rectified with its own calibration or with that of ``run``.

    Raises ``UsageError`` when there is no such frame, ``SettingsError`` for an array without images under lenslets,
    ``CalibrationError`` when no lattice is found, ``DataError`` for frames that cannot be used.
    """
    found = examine(dataset, overrides)
    settings = found.settings
    if settings.microlens_array.lattice == "none":
        raise SettingsError(
            f"{dataset}: microlens_array.lattice is 'none', a Fourier light field: there is nothing to rectify;"
            " 'lfcore run' reconstructs it"
        )
    frames = found.frames()
    if frame >= len(frames):
        raise UsageError(f"--frame {frame}: {dataset} has {len(frames)} frames; give one from 0 to {len(frames) - 1}")
    file, page = frames[frame]
    if file.problem:
        raise DataError(file.problem)
    calibration, white = _calibrated(found) if run is None else _calibrated_in(run)
    dark = read_dark([entry.path for entry in found.of("dark")])
    return Rectified(
        settings=settings,
        instrument=instrument_of(settings, calibration),
        calibration=calibration,
        light_field=rectifier(calibration)(read_normalised(file.path, page, dark)),
        flat=radiometry.sensitivity(np.where(white > 0, white, np.nan), np.ones((1, 1))),
        source=f"{file.path}, frame {page}",
    )


def write_rectified(
    dataset: str,
    overrides: Mapping[str, Any],
    output: str,
    *,
    frame: int = 0,
    run: str | None = None,
    flat: bool = False,
    as_views: bool = False,
) -> tuple[int, ...]:
    """Write the rectified light field (y, x), or its views (v, u, y, x), and return the shape; raises as `load`.

    With ``flat`` it is divided by the white frame, and NaN where that is too dim; ``UsageError`` when there is none.
    """
    found = load(dataset, overrides, frame, run)
    if flat and found.calibration.source != "radiometry":
        raise UsageError(f"--flat: {run or dataset} has no white frame to divide by; name it in images.radiometry")
    light_field = divided(found.light_field, found.flat) if flat else found.light_field
    image = views(light_field, found.instrument) if as_views else light_field
    cell = found.instrument.cell
    pixel_um = view_pitch_um(found.instrument) if as_views else _pixel_um(found.instrument)
    notes = {
        "source": found.source,
        "pixels_per_cell": " x ".join(map(str, cell.pixels)),
        "lattice": found.instrument.lattice,
        "divided_by_white": str(flat).lower(),
    }
    ome_tiff.write_image(output, image, pixel_um, notes)
    return image.shape


def divided(light_field: Image, flat: Image) -> Image:
    """``light_field`` (y, x) over the white frame, NaN where ``flat`` is zero."""
    there = flat > 0
    return np.divide(light_field, flat, out=np.full_like(light_field, np.nan), where=there)


def _pixel_um(instrument: Instrument) -> tuple[float, float]:
    """Side of a rectified pixel [y, x], um at the array."""
    height, width = (size / count for size, count in zip(instrument.cell.size_um, instrument.cell.pixels, strict=True))
    return height, width


def _calibrated(found: DataSet) -> tuple[Calibration, Image]:
    """The lattice of a data set and its rectified white frame (y, x), zero where unusable."""
    radiometry, light_field, dark = (
        [file.path for file in found.of(role)] for role in ("radiometry", "light_field", "dark")
    )
    lattice = find_lattice(found.settings, radiometry, light_field, dark)
    calibration = lattice.fit.calibration
    return calibration, sensitivity(lattice.frame, calibration, measured=bool(radiometry))


def _calibrated_in(run: str) -> tuple[Calibration, Image]:
    """The same of a run that has been calibrated."""
    paths = RunPaths(run)
    return read_calibration(paths), sources.read_frame(paths.sensitivity).astype(np.float32)
