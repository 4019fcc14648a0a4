"""Point images measured on beads, in place of the model, checked against what they are to be used for."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.errors import DataError, SettingsError
from lfcore.optics.instrument import Instrument, MeasuredStack
from lfcore.settings import Settings

PIXEL_TOLERANCE = 0.01
PLANE_TOLERANCE_UM = 1e-3

Images = npt.NDArray[np.float32]


@dataclass(frozen=True)
class MeasuredImages:
    """Point images (plane, position, y, x) float32 of the planes ``planes_um``, a position a sample of the cell.

    Positions follow each other along x first. The light of the middle plane's images is one on average, so that those
    of other planes say how much less, or more, arrives from there.
    """

    planes_um: tuple[float, ...]
    images: Images
    about: MeasuredStack

    def at(self, z_um: float) -> Images:
        """(position, y, x) images of the plane ``z_um``. Raises ``SettingsError`` when it was not measured."""
        distances = np.abs(np.array(self.planes_um) - z_um)
        nearest = int(distances.argmin())
        if distances[nearest] > PLANE_TOLERANCE_UM:
            raise SettingsError(
                f"volume.z_um: the plane {z_um:g} um is not among those of microscope.measured_psf.z_um"
                f" (the nearest is {self.planes_um[nearest]:g} um); reconstruct measured planes only"
            )
        return np.asarray(self.images[nearest])


def measured_images(
    pages: npt.NDArray[np.number], settings: Settings, instrument: Instrument, origin: str
) -> MeasuredImages:
    """Check the ``pages`` (page, y, x) of a stack and bring them to light of about one.

    Pages are planes, and in each the samples of a cell, those along x next to each other. Raises ``SettingsError``
    where the stack's planes or pixel do not suit the volume and the array, ``DataError`` naming ``origin`` where its
    content does not.
    """
    measured = settings.microscope.measured_psf
    if measured is None:
        raise SettingsError("microscope.measured_psf: not set; name the stack of measured point images")
    _require_pixel(measured.pixel_um, instrument)
    planes = measured.planes_um
    samples = instrument.cell.samples(settings.volume.samples_per_lenslet)
    radius = _radius(pages, len(planes), samples, instrument.cell.pixels, origin)
    stack = pages.astype(np.float64).reshape(len(planes), samples[0] * samples[1], *pages.shape[1:])
    if not np.isfinite(stack).all() or stack.min() < 0:
        raise DataError(f"{origin}: holds negative values or what is no number; subtract the background and clip at 0")
    light = stack[len(planes) // 2].sum((1, 2)).mean()
    if light <= 0:
        raise DataError(f"{origin}: its middle plane is all dark; check the order (z, a, c, y, x) of its images")
    images = (stack / light).astype(np.float32)
    found = MeasuredImages(planes, images, MeasuredStack(_hash(images), radius))
    for z_um in settings.volume.planes_um:
        found.at(z_um)
    return found


def _require_pixel(pixel_um: float, instrument: Instrument) -> None:
    if abs(pixel_um / instrument.pixel_um - 1) > PIXEL_TOLERANCE:
        raise SettingsError(
            f"microscope.measured_psf.pixel_um {pixel_um:g}: the light field has {instrument.pixel_um:.4g} um;"
            " resample the stack to its pixels"
        )


def _radius(
    pages: npt.NDArray[np.number], planes: int, samples: tuple[int, int], pixels: tuple[int, int], origin: str
) -> tuple[int, int]:
    """Cells (y, x) on each side of the window's middle one."""
    count, *size = pages.shape
    if count != planes * samples[0] * samples[1]:
        wanted = f"{planes} planes of {samples[0]} x {samples[1]} samples are {planes * samples[0] * samples[1]}"
        raise DataError(
            f"{origin}: holds {count} images, and {wanted}; check microscope.measured_psf.z_um and"
            " volume.samples_per_lenslet"
        )
    cells = [side // pixel for side, pixel in zip(size, pixels, strict=True)]
    if any(side % pixel or not cell % 2 for side, pixel, cell in zip(size, pixels, cells, strict=True)):
        unit = "pixels" if pixels == (1, 1) else f"cells of {pixels[0]} x {pixels[1]} px"
        held = f"its images are {size[0]} x {size[1]} px"
        raise DataError(f"{origin}: {held}; they must be an odd number of {unit} a side; cut or pad them")
    return cells[0] // 2, cells[1] // 2


def _hash(images: Images) -> str:
    digest = hashlib.sha256(np.ascontiguousarray(images).tobytes())
    return digest.hexdigest()[:16]


def nearest_position(instrument: Instrument, samples_per_lenslet: int, offset_um: Sequence[float]) -> int:
    """Which of the measured positions is nearest to the offset (dy, dx) in um from the axis of the middle lenslet."""
    samples = instrument.cell.samples(samples_per_lenslet)
    row, column = (
        int(np.clip(round(offset / side * count + (count - 1) / 2), 0, count - 1))
        for offset, side, count in zip(offset_um, instrument.object_cell_um, samples, strict=True)
    )
    return row * samples[1] + column
