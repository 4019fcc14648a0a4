"""Kernels of one plane: the point images from which every other image follows by symmetry and whole-lenslet shifts."""

import io
from dataclasses import dataclass

import numpy as np

from lfcore.errors import DataError
from lfcore.optics.instrument import Instrument
from lfcore.optics.psf import RealImage, point_images
from lfcore.projection.cell import octant, sample_offsets


@dataclass(frozen=True)
class PlaneKernels:
    """Point images of one plane.

    ``images`` is (position, y, x) with ``pixels_per_lenslet`` pixels a lenslet and an odd number of lenslets a side,
    for the lateral positions of ``cell.octant(samples_per_lenslet)``.
    """

    z_um: float
    samples_per_lenslet: int
    pixels_per_lenslet: int
    images: RealImage

    @property
    def radius_lenslets(self) -> int:
        """Lenslets on each side of the middle one."""
        return (int(self.images.shape[1]) // self.pixels_per_lenslet - 1) // 2

    @property
    def energy_inside(self) -> float:
        """Mean fraction of the pupil's energy that the window holds."""
        return float(self.images.sum((1, 2), dtype=np.float64).mean())

    def image(self, a: int, c: int) -> RealImage:
        """(y, x) image of the sample ``a`` down and ``c`` right in the cell, from its relative in the octant."""
        last = self.samples_per_lenslet - 1
        down, right = min(a, last - a), min(c, last - c)
        image = self.images[octant(self.samples_per_lenslet).index((max(down, right), min(down, right)))]
        if down < right:
            image = image.T
        return np.asarray(image[:: 1 if a == down else -1, :: 1 if c == right else -1])

    def to_bytes(self) -> bytes:
        """The content of a transform file: the images as ``.npy``."""
        buffer = io.BytesIO()
        np.save(buffer, self.images, allow_pickle=False)
        return buffer.getvalue()


def octant_offsets_um(instrument: Instrument, samples_per_lenslet: int) -> list[tuple[float, float]]:
    """Lateral positions (dy, dx) of ``cell.octant(samples_per_lenslet)``, um in the object."""
    offsets = sample_offsets(samples_per_lenslet) * instrument.object_pitch_um
    return [(float(offsets[a]), float(offsets[c])) for a, c in octant(samples_per_lenslet)]


def plane_kernels(instrument: Instrument, z_um: float, samples_per_lenslet: int) -> PlaneKernels:
    """Compute the kernels of the plane ``z_um``, float32."""
    images = point_images(instrument, z_um, octant_offsets_um(instrument, samples_per_lenslet))
    return PlaneKernels(z_um, samples_per_lenslet, instrument.pixels_per_lenslet, images)


def kernels_from_bytes(
    content: bytes, z_um: float, samples_per_lenslet: int, pixels_per_lenslet: int, origin: str
) -> PlaneKernels:
    """Read a transform file. Raises ``DataError`` naming ``origin`` when it is not one of this instrument."""
    try:
        images = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(
            f"{origin}: not a transform file ({error}); delete it and run the transforms stage again"
        ) from error
    expected = len(octant(samples_per_lenslet))
    side = pixels_per_lenslet * (2 * ((images.shape[-1] // pixels_per_lenslet) // 2) + 1) if images.ndim == 3 else 0
    if images.dtype.kind != "f" or images.shape != (expected, side, side) or not np.isfinite(images).all():
        held = f"holds {images.dtype} {images.shape}, not {expected} whole images of one plane"
        raise DataError(f"{origin}: {held}; delete it and run transforms again")
    return PlaneKernels(z_um, samples_per_lenslet, pixels_per_lenslet, images)
