"""Kernels of one plane: the point images from which every other image follows by symmetry and whole-cell shifts."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lfcore.errors import DataError
from lfcore.optics.instrument import Instrument, Symmetry
from lfcore.optics.psf import RealImage, point_images
from lfcore.projection.cell import SQUARE, Position, Relation, positions, relations, sample_offsets


@dataclass(frozen=True)
class PlaneKernels:
    """Point images of one plane.

    ``images`` is (position, y, x) with ``pixels`` (y, x) a cell and an odd number of cells along either axis, for the
    lateral positions ``cell.positions(samples, symmetry)``; ``samples`` (y, x) are those of a cell.
    """

    z_um: float
    samples: tuple[int, int]
    pixels: tuple[int, int]
    images: RealImage
    symmetry: Symmetry = SQUARE

    @property
    def radius_cells(self) -> tuple[int, int]:
        """Cells (y, x) on each side of the middle one."""
        height, width = self.images.shape[1:]
        return (height // self.pixels[0] - 1) // 2, (width // self.pixels[1] - 1) // 2

    @property
    def energy_inside(self) -> float:
        """Mean fraction of the pupil's energy that the window holds."""
        return float(self.images.sum((1, 2), dtype=np.float64).mean())

    def image(self, a: int, c: int) -> RealImage:
        """(y, x) image of the sample ``a`` down and ``c`` right in the cell, from its relative that was computed."""
        index, relation = self._relatives[a, c]
        return relation.image(self.images[index])

    @cached_property
    def _relatives(self) -> dict[Position, tuple[int, Relation]]:
        """For each sample of the cell the image that it follows from, and how."""
        found: dict[Position, tuple[int, Relation]] = {}
        for index, place in enumerate(positions(self.samples, self.symmetry)):
            for relation in relations(self.symmetry):
                found.setdefault(relation.position(place, self.samples), (index, relation))
        return found

    def to_bytes(self) -> bytes:
        """The content of a transform file: the images as ``.npy``."""
        buffer = io.BytesIO()
        np.save(buffer, self.images, allow_pickle=False)
        return buffer.getvalue()


def largest_radius(kernels: Sequence[PlaneKernels]) -> tuple[int, int]:
    """Cells (y, x) that the widest blur reaches."""
    down, right = zip(*(kernel.radius_cells for kernel in kernels), strict=True)
    return max(down), max(right)


def offsets_um(instrument: Instrument, samples: tuple[int, int]) -> list[tuple[float, float]]:
    """Lateral positions (dy, dx) of ``cell.positions(samples, instrument.symmetry)``, um in the object."""
    down, right = (
        sample_offsets(count) * side_um for count, side_um in zip(samples, instrument.object_cell_um, strict=True)
    )
    return [(float(down[a]), float(right[c])) for a, c in positions(samples, instrument.symmetry)]


def plane_kernels(instrument: Instrument, z_um: float, samples_per_lenslet: int) -> PlaneKernels:
    """Compute the kernels of the plane ``z_um``, float32."""
    cell = instrument.cell
    samples = cell.samples(samples_per_lenslet)
    images = point_images(instrument, z_um, offsets_um(instrument, samples))
    return PlaneKernels(z_um, samples, cell.pixels, images, instrument.symmetry)


def kernels_from_bytes(
    content: bytes,
    z_um: float,
    samples: tuple[int, int],
    pixels: tuple[int, int],
    origin: str,
    symmetry: Symmetry = SQUARE,
) -> PlaneKernels:
    """Read a transform file. Raises ``DataError`` naming ``origin`` when it is not one of this instrument."""
    try:
        images = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise DataError(
            f"{origin}: not a transform file ({error}); delete it and run the transforms stage again"
        ) from error
    expected = len(positions(samples, symmetry))
    whole = images.ndim == 3 and all(
        side % size == 0 and side // size % 2 for side, size in zip(images.shape[1:], pixels, strict=True)
    )
    whole = whole and (images.shape[1] == images.shape[2] or not symmetry.exchange)
    if images.dtype.kind != "f" or not whole or len(images) != expected or not np.isfinite(images).all():
        held = f"holds {images.dtype} {images.shape}, not {expected} whole images of one plane"
        raise DataError(f"{origin}: {held}; delete it and run transforms again")
    return PlaneKernels(z_um, samples, pixels, images, symmetry)
