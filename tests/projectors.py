"""A projector on the device beside its twin on the processor, in float64, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lfcore.opencl.session import Session
from lfcore.projection.cell import SQUARE, positions
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.projection.opencl_matrices import PlaneImages
from lfcore.projection.opencl_products import Products
from lfcore.projection.opencl_projector import OpenclProjector
from lfcore.projection.tiling import Tiling, tiling

Values = npt.NDArray[np.floating]


Size = int | tuple[int, int]
"""Along both axes, or along y and x."""


def pair(size: Size) -> tuple[int, int]:
    """Along y and x."""
    return (size, size) if isinstance(size, int) else size


@dataclass(frozen=True)
class Case:
    """Cells, blurs (one a plane), and a field of ``rows`` x ``columns`` lenslets in ``tiles`` (y, x)."""

    samples: Size
    pixels: Size
    radii: tuple[Size, ...]
    rows: int
    columns: int
    tiles: tuple[int, int] = (1, 1)
    frames: int = 1
    exchange: bool = True

    @property
    def margin(self) -> tuple[int, int]:
        """Of the widest blur (y, x)."""
        down, right = zip(*map(pair, self.radii), strict=True)
        return max(down), max(right)

    def kernels(self, seed: int) -> list[PlaneKernels]:
        """Random kernels."""
        generator = np.random.default_rng(seed)
        cells = self.samples, self.pixels
        return [random_kernels(*cells, radius, generator, exchange=self.exchange) for radius in self.radii]


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


def random_kernels(
    samples: Size, pixels: Size, radius: Size, generator: np.random.Generator, *, exchange: bool = True
) -> PlaneKernels:
    """Kernels with random images that have the symmetries of their positions and no others."""
    (down, right), symmetry = pair(samples), replace(SQUARE, exchange=exchange)
    sides = ((2 * far + 1) * size for far, size in zip(pair(radius), pair(pixels), strict=True))
    places = positions((down, right), symmetry)
    images = generator.random((len(places), *sides))
    for image, (a, c) in zip(images, places, strict=True):
        if 2 * a + 1 == down:
            image += image[::-1]
        if 2 * c + 1 == right:
            image += image[:, ::-1]
        if a == c and exchange:
            image += image.T
    images /= images.sum((1, 2), keepdims=True)
    return PlaneKernels(0.0, (down, right), pair(pixels), images.astype(np.float32), symmetry)


def tiling_of(case: Case, local_bytes: int) -> Tiling:
    """How the field of a case lies on the device."""
    found = tiling(case.rows, case.columns, case.margin, local_bytes, *case.tiles, case.exchange)
    assert found is not None
    return found


def plane_images(session: Session, kernels: Sequence[PlaneKernels]) -> list[PlaneImages]:
    """Kernels on the device."""
    return [PlaneImages(kernel.radius_cells, session.upload(kernel.images)) for kernel in kernels]


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
    cells = pair(case.samples), pair(case.pixels)
    device = OpenclProjector(session, grids, planes, *cells, case.frames, half, products, tiles_at_a_time, spends)
    return Pair(device, NumpyProjector(kernels, case.rows, case.columns, np.float64))


def distance(found: Values, expected: Values) -> float:
    """Relative L2 distance, the largest of all frames."""
    assert found.shape == expected.shape
    axes = tuple(range(1, found.ndim))
    difference = np.sqrt(np.square(found.astype(np.float64) - expected).sum(axes))
    return float((difference / np.sqrt(np.square(expected, dtype=np.float64).sum(axes))).max())
