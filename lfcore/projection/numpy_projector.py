"""The projector on the processor: Fourier transforms over the lenslets and one real matrix a group of frequencies.

Resident volumes are (frame, z * S * S, y, x) and resident images (frame, N * N, y, x) over their lenslets, with cells
in pixel order. Every other back end is tested against this one.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.projection.cell import Array
from lfcore.projection.fourier import CellTransform, Window
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.matrices import matrices
from lfcore.projection.protocol import Host
from lfcore.projection.spectrum import frequency_groups, grid_lenslets
from lfcore.threads import in_parts, single_threaded_blas

Product = Callable[[Array, Array, Array], None]

UNSEEN = 1e-6
SMALL_PRODUCT = 1_000_000
"""Multiplications up to which OpenBLAS reads operands where they lie; for more it makes a copy of them first."""


class NumpyProjector:
    """``Projector[Array]`` for a field of ``rows`` x ``columns`` lenslets, in float32 or float64."""

    def __init__(
        self, kernels: Sequence[PlaneKernels], rows: int, columns: int, dtype: npt.DTypeLike = np.float32
    ) -> None:
        if not kernels or rows < 1 or columns < 1:
            raise SettingsError(
                f"{len(kernels)} planes over {rows} x {columns} lenslets: a projector needs at least one of each"
            )
        self.rows, self.columns, self.planes = rows, columns, len(kernels)
        self.samples, self.pixels = kernels[0].samples_per_lenslet, kernels[0].pixels_per_lenslet
        self.dtype = np.dtype(dtype)
        self._margin = max(kernel.radius_lenslets for kernel in kernels)
        down, right = rows + 2 * self._margin, columns + 2 * self._margin
        self.grid = grid_lenslets(down, right)
        groups = frequency_groups(*self.grid)
        whole = Window(0, down, self.grid[0]), Window(0, right, self.grid[1])
        seen = Window(self._margin, rows, self.grid[0]), Window(self._margin, columns, self.grid[1])
        self._volumes = CellTransform(self.samples, self.planes, whole, groups, self.dtype)
        self._images = CellTransform(self.pixels, 1, seen, groups, self.dtype)
        self._matrices = _in_small_blocks(matrices(kernels, self.grid, groups, self.dtype), self._images.width)

    @property
    def margin_lenslets(self) -> int:
        """Lenslets by which the volume reaches past the camera: the largest blur."""
        return self._margin

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """(z, y, x) of one frame's volume, margin included."""
        return (
            self.planes,
            (self.rows + 2 * self._margin) * self.samples,
            (self.columns + 2 * self._margin) * self.samples,
        )

    def image_room(self, frames: int) -> Host:
        """See ``Projector.image_room``."""
        return np.empty((frames, self.rows * self.pixels, self.columns * self.pixels), np.float32)

    def pack_image(self, image: Host) -> Array:
        """(frame, y, x) to cells; raises ``SettingsError`` on another shape."""
        expected = (self.rows * self.pixels, self.columns * self.pixels)
        if image.ndim != 3 or image.shape[1:] != expected:
            raise SettingsError(
                f"light field of shape {image.shape}: this projector takes (frame, {expected[0]}, {expected[1]})"
            )
        return _to_cells(image[:, None].astype(self.dtype), self.pixels)

    def unpack_image(self, image: Array) -> Host:
        """Cells to (frame, y, x)."""
        return _from_cells(image, self.pixels)[:, 0]

    def pack_volume(self, volume: Host) -> Array:
        """(frame, z, y, x) to cells; raises ``SettingsError`` on another shape."""
        expected = self.volume_shape
        if volume.ndim != 4 or volume.shape[1:] != expected:
            raise SettingsError(
                f"volume of shape {volume.shape}: this projector takes (frame, {', '.join(map(str, expected))})"
            )
        return _to_cells(volume.astype(self.dtype), self.samples)

    def unpack_volume(self, volume: Array) -> Host:
        """Cells to (frame, z, y, x), margin included."""
        return _from_cells(volume, self.samples)

    def fetch_inside(self, volume: Array) -> Callable[[], Host]:
        """See ``Projector.fetch_inside``; there is nothing to wait for."""
        start = self._margin
        inside = volume[:, :, start : start + self.rows, start : start + self.columns]
        return lambda: _from_cells(inside, self.samples)

    def forward(self, volume: Array) -> Array:
        """``H x``; resident volume to resident image."""
        return self._project(volume, self._volumes, self._images, _multiply)

    def adjoint(self, image: Array) -> Array:
        """``H^T y``; resident image to resident volume."""
        return self._project(image, self._images, self._volumes, _multiply_transposed)

    def _project(self, cells: Array, source: CellTransform, target: CellTransform, multiply: Product) -> Array:
        """Analyse, multiply each group's columns while they are in cache, synthesise."""
        result = target.columns(len(cells))
        with single_threaded_blas():
            spectrum = source.analyse(cells)

            def work(groups: slice) -> None:
                multiply(self._matrices[groups], source.gather(spectrum, groups), result[:, groups])

            in_parts(len(self._matrices), work)
            return target.synthesise(result)

    def weigh(self, image: Array, weight: Array) -> Array:
        """``W y``."""
        return image * weight

    def compare(self, measured: Array, expected: Array, weight: Array, background: Host) -> tuple[Array, Host]:
        """See ``Projector.compare``."""
        model = weight * expected
        squares = np.square(measured - model, where=weight > 0, out=np.zeros_like(model))
        total = model + background.astype(self.dtype)[:, None, None, None]
        correction = np.divide(weight * measured, total, out=np.zeros_like(total), where=total > 0)
        return correction, squares.reshape(len(squares), -1).sum(1, dtype=np.float64)

    def update(self, volume: Array, correction: Array, normaliser: Array) -> Array:
        """See ``Projector.update``; rounding must not make a voxel negative."""
        seen = normaliser > UNSEEN * normaliser.max((1, 2, 3), keepdims=True)
        factor = np.divide(correction, normaliser, out=np.zeros_like(correction), where=seen)
        return np.asarray(volume * np.maximum(factor, 0))

    def extrapolate(self, current: Array, previous: Array, step: Host) -> Array:
        """See ``Projector.extrapolate``."""
        change = (current - previous) * step.astype(self.dtype)[:, None, None, None]
        return np.asarray(np.maximum(current + change, 0, out=change))

    def difference(self, first: Array, second: Array) -> Array:
        """``first - second``."""
        return first - second

    def inner(self, first: Array, second: Array) -> Host:
        """(frame,) inner products."""
        return np.asarray(np.einsum("tyxc,tyxc->t", first, second, dtype=np.float64))


def _in_small_blocks(matrices: Array, columns: int) -> Array:
    """(group, channel, pixel) matrices as (group, block, channel, pixel), each block for a product that is small."""
    groups, channels, pixels = matrices.shape
    divisors = (count for count in range(1, channels + 1) if channels % count == 0)
    blocks = next((count for count in divisors if channels // count * pixels * columns <= SMALL_PRODUCT), channels)
    return matrices.reshape(groups, blocks, -1, pixels)


def _multiply(matrices: Array, columns: Array, out: Array) -> None:
    """Volume columns (frame, group, channel, column) to image columns, by matrices (group, block, channel, pixel)."""
    blocks = columns.reshape(*columns.shape[:2], *matrices.shape[1:3], -1)
    np.matmul(matrices[:, 0].swapaxes(1, 2), blocks[:, :, 0], out=out)
    for block in range(1, matrices.shape[1]):
        out += np.matmul(matrices[:, block].swapaxes(1, 2), blocks[:, :, block])


def _multiply_transposed(matrices: Array, columns: Array, out: Array) -> None:
    """Image columns to volume columns."""
    np.matmul(matrices, columns[:, :, None], out=out.reshape(*out.shape[:2], *matrices.shape[1:3], -1))


def _to_cells(array: Host, length: int) -> Array:
    """(frame, z, Y * length, X * length) to (frame, z * length * length, Y, X)."""
    frames, planes, height, width = array.shape
    cells = array.reshape(frames, planes, height // length, length, width // length, length).transpose(0, 1, 3, 5, 2, 4)
    return np.ascontiguousarray(cells).reshape(frames, -1, *cells.shape[4:])


def _from_cells(cells: Array, length: int) -> Host:
    """Inverse of ``_to_cells``."""
    frames, channels, down, right = cells.shape
    array = cells.reshape(frames, -1, length, length, down, right).transpose(0, 1, 4, 2, 5, 3)
    return array.reshape(frames, channels // length**2, down * length, right * length)
