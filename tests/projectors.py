"""A projector on the device beside its twin on the processor, in float64, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.opencl.session import Session
from lfcore.projection.cell import octant
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.opencl_matrices import PlaneImages
from lfcore.projection.opencl_products import Products
from lfcore.projection.opencl_projector import OpenclProjector
from lfcore.projection.tiling import Tiling, tiling

Values = npt.NDArray[np.floating]


@dataclass(frozen=True)
class Case:
    """Cells, blurs (one a plane), and a field of ``rows`` x ``columns`` lenslets in ``tiles`` (y, x)."""

    samples: int
    pixels: int
    radii: tuple[int, ...]
    rows: int
    columns: int
    tiles: tuple[int, int] = (1, 1)
    frames: int = 1

    def kernels(self, seed: int) -> list[PlaneKernels]:
        """Random kernels."""
        generator = np.random.default_rng(seed)
        return [random_kernels(self.samples, self.pixels, radius, generator) for radius in self.radii]


@dataclass(frozen=True)
class Pair:
    """The same operator twice."""

    device: OpenclProjector
    twin: NumpyProjector

    @property
    def image_shape(self) -> tuple[int, int]:
        """(y, x) of a light field."""
        return self.twin.image_shape

    def volumes(self, generator: np.random.Generator, frames: int | None = None) -> Values:
        """Random volumes in [0, 1), as many as planned or ``frames``."""
        return generator.random((frames or self.device.frames, *self.twin.volume_shape), np.float32)

    def images(self, generator: np.random.Generator, frames: int | None = None) -> Values:
        """Random light fields in [0, 1)."""
        return generator.random((frames or self.device.frames, *self.image_shape), np.float32)


def random_kernels(samples: int, pixels: int, radius: int, generator: np.random.Generator) -> PlaneKernels:
    """Kernels with random images that have the symmetries of their positions and no others."""
    side = (2 * radius + 1) * pixels
    images = generator.random((len(octant(samples)), side, side))
    for image, (a, c) in zip(images, octant(samples), strict=True):
        if 2 * a + 1 == samples:
            image += image[::-1]
        if 2 * c + 1 == samples:
            image += image[:, ::-1]
        if a == c:
            image += image.T
    images /= images.sum((1, 2), keepdims=True)
    return PlaneKernels(0.0, (samples, samples), (pixels, pixels), images.astype(np.float32))


def tiling_of(case: Case, local_bytes: int) -> Tiling:
    """How the field of a case lies on the device."""
    found = tiling(case.rows, case.columns, max(case.radii), local_bytes, *case.tiles)
    assert found is not None
    return found


def plane_images(session: Session, kernels: Sequence[PlaneKernels]) -> list[PlaneImages]:
    """Kernels on the device."""
    return [PlaneImages(kernel.radius_cells[0], session.upload(kernel.images)) for kernel in kernels]


def projector_pair(
    session: Session,
    case: Case,
    kernels: Sequence[PlaneKernels],
    half: bool = False,
    products: type[Products] | None = None,
    tiles_at_a_time: int | None = None,
    spends: bool = False,
) -> Pair:
    """Both projectors; the device's for ``case.frames`` frames at a time."""
    grids, planes = tiling_of(case, session.device.local_bytes), plane_images(session, kernels)
    cells = case.samples, case.pixels
    device = OpenclProjector(session, grids, planes, *cells, case.frames, half, products, tiles_at_a_time, spends)
    return Pair(device, NumpyProjector(kernels, case.rows, case.columns, np.float64))


def distance(found: Values, expected: Values) -> float:
    """Relative L2 distance, the largest of all frames."""
    assert found.shape == expected.shape
    axes = tuple(range(1, found.ndim))
    difference = np.sqrt(np.square(found.astype(np.float64) - expected).sum(axes))
    return float((difference / np.sqrt(np.square(expected, dtype=np.float64).sum(axes))).max())
