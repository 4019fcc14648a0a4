"""The projector on the processor: Fourier transforms over the cells and one real matrix a group of frequencies.

Resident volumes are (frame, z * sample, y, x) and resident images (frame, pixel, y, x) over their cells, samples and
pixels of a cell in row order. Every other back end is tested against this one.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.projection.cell import Array
from lfcore.projection.fourier import CellTransform, Window
from lfcore.projection.kernels import PlaneKernels, largest_radius
from lfcore.projection.matrices import matrices
from lfcore.projection.numpy_steps import NumpySteps
from lfcore.projection.parity import Turns, parity_classes
from lfcore.projection.protocol import Host
from lfcore.projection.spectrum import frequency_groups, grid_cells
from lfcore.threads import in_parts, single_threaded_blas

Product = Callable[[Array, Array, Array], None]

SMALL_PRODUCT = 1_000_000
"""Multiplications up to which OpenBLAS reads operands where they lie; for more it makes a copy of them first."""


class NumpyProjector(NumpySteps):
    """``Projector[Array]`` for a field of ``rows`` x ``columns`` cells, in float32 or float64."""

    def __init__(
        self, kernels: Sequence[PlaneKernels], rows: int, columns: int, dtype: npt.DTypeLike = np.float32
    ) -> None:
        if not kernels or rows < 1 or columns < 1:
            raise SettingsError(
                f"{len(kernels)} planes over {rows} x {columns} cells: a projector needs at least one of each"
            )
        self.rows, self.columns, self.planes = rows, columns, len(kernels)
        self.samples, self.pixels, self.symmetry = kernels[0].samples, kernels[0].pixels, kernels[0].symmetry
        self.dtype = np.dtype(dtype)
        above, left = self.margin_cells = largest_radius(kernels)
        down, right = rows + 2 * above, columns + 2 * left
        self.grid = grid_cells(down, right, self.symmetry.exchange)
        groups = frequency_groups(*self.grid, self.symmetry.exchange)
        whole = Window(0, down, self.grid[0]), Window(0, right, self.grid[1])
        seen = Window(above, rows, self.grid[0]), Window(left, columns, self.grid[1])
        self._volumes = CellTransform(self.samples, self.planes, whole, groups, self.dtype)
        self._images = CellTransform(self.pixels, 1, seen, groups, self.dtype)
        self._matrices = _in_small_blocks(matrices(kernels, groups, self.dtype), self._images.width)
        self._turns = Turns(parity_classes(self.symmetry), self._images.width)

    @property
    def volume_shape(self) -> tuple[int, int, int]:
        """(z, y, x) of one frame's volume, margin included."""
        (above, left), (down, right) = self.margin_cells, self.samples
        return self.planes, (self.rows + 2 * above) * down, (self.columns + 2 * left) * right

    @property
    def image_shape(self) -> tuple[int, int]:
        """(y, x) of one frame's light field."""
        return self.rows * self.pixels[0], self.columns * self.pixels[1]

    def image_room(self, frames: int) -> Host:
        """See ``Projector.image_room``."""
        return np.empty((frames, *self.image_shape), np.float32)

    def pack_image(self, image: Host) -> Array:
        """(frame, y, x) to cells; raises ``SettingsError`` on another shape."""
        expected = self.image_shape
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
        above, left = self.margin_cells
        inside = volume[:, :, above : above + self.rows, left : left + self.columns]
        return lambda: _from_cells(inside, self.samples)

    def forward(self, volume: Array) -> Array:
        """``H x``; resident volume to resident image."""
        return self._project(volume, self._volumes, self._images, self._multiply)

    def adjoint(self, image: Array) -> Array:
        """``H^T y``; resident image to resident volume."""
        return self._project(image, self._images, self._volumes, self._multiply_transposed)

    def _project(self, cells: Array, source: CellTransform, target: CellTransform, multiply: Product) -> Array:
        """Analyse, multiply each group's columns while they are in cache, synthesise."""
        result = target.columns(len(cells))
        with single_threaded_blas():
            spectrum = source.analyse(cells)

            def work(groups: slice) -> None:
                multiply(self._matrices[groups], source.gather(spectrum, groups), result[:, groups])

            in_parts(len(self._matrices), work)
            return target.synthesise(result)

    def _multiply(self, matrices: Array, columns: Array, out: Array) -> None:
        """Volume columns (frame, group, channel, column) to image columns (frame, group, pixel, column)."""
        if self._turns.count == 1:
            _multiply(matrices, columns, out)
            return
        products = np.empty((*columns.shape[:2], matrices.shape[-1], columns.shape[-1]), self.dtype)
        _multiply(matrices, columns, products)
        self._turns.gather(products, out)

    def _multiply_transposed(self, matrices: Array, columns: Array, out: Array) -> None:
        """Image columns to volume columns."""
        _multiply_transposed(matrices, columns if self._turns.count == 1 else self._turns.spread(columns), out)


def _in_small_blocks(matrices: Array, columns: int) -> Array:
    """(group, channel, pixel) matrices as (group, block, channel, pixel), each block for a product that is small."""
    groups, channels, pixels = matrices.shape
    divisors = (count for count in range(1, channels + 1) if channels % count == 0)
    blocks = next((count for count in divisors if channels // count * pixels * columns <= SMALL_PRODUCT), channels)
    return matrices.reshape(groups, blocks, -1, pixels)


def _multiply(matrices: Array, columns: Array, out: Array) -> None:
    """Volume columns (frame, group, channel, column) to image columns by matrices (group, block, channel, pixel)."""
    blocks = columns.reshape(*columns.shape[:2], *matrices.shape[1:3], -1)
    np.matmul(matrices[:, 0].swapaxes(1, 2), blocks[:, :, 0], out=out)
    for block in range(1, matrices.shape[1]):
        out += np.matmul(matrices[:, block].swapaxes(1, 2), blocks[:, :, block])


def _multiply_transposed(matrices: Array, columns: Array, out: Array) -> None:
    """Image columns to volume columns."""
    np.matmul(matrices, columns[:, :, None], out=out.reshape(*out.shape[:2], *matrices.shape[1:3], -1))


def _to_cells(array: Host, shape: tuple[int, int]) -> Array:
    """(frame, z, Y * y, X * x) to (frame, z * y * x, Y, X) for cells of ``shape`` (y, x)."""
    (frames, planes, height, width), (down, right) = array.shape, shape
    cells = array.reshape(frames, planes, height // down, down, width // right, right).transpose(0, 1, 3, 5, 2, 4)
    return np.ascontiguousarray(cells).reshape(frames, -1, *cells.shape[4:])


def _from_cells(cells: Array, shape: tuple[int, int]) -> Host:
    """Inverse of ``_to_cells``."""
    (frames, channels, rows, columns), (down, right) = cells.shape, shape
    array = cells.reshape(frames, -1, down, right, rows, columns).transpose(0, 1, 4, 2, 5, 3)
    return array.reshape(frames, channels // (down * right), rows * down, columns * right)
