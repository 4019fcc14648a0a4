"""The projector on the processor: FFTs over the lenslet grid and one real matrix product for each group of frequencies.

Resident volumes are (frame, grid y, grid x, z * S * S) and resident images (frame, rows, columns, N * N), both with
their cells in pixel order; the parity basis is entered on the way to the matrices. Every other back end is tested
against this one.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.fft import irfftn, rfftn

from lfcore.errors import SettingsError
from lfcore.projection.cell import Array, change_basis, parity_matrix
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.matrices import matrices
from lfcore.projection.protocol import Host
from lfcore.projection.spectrum import ChannelMap, Complex, channel_map, frequency_groups, grid_lenslets
from lfcore.projection.threads import in_parts, single_threaded_blas

UNSEEN = 1e-6


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
        self.grid = grid_lenslets(rows + 2 * self._margin, columns + 2 * self._margin)
        self._groups = frequency_groups(*self.grid)
        complex_dtype = np.result_type(self.dtype, np.complex64)
        self._sample_map = channel_map(self.samples, self._groups, complex_dtype)
        self._pixel_map = channel_map(self.pixels, self._groups, complex_dtype)
        self._sample_basis = parity_matrix(self.samples, self.dtype)
        self._pixel_basis = parity_matrix(self.pixels, self.dtype)
        self._matrices = matrices(kernels, self.grid, self._groups, self.dtype)

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
        """(frame, z, y, x) to cells on the periodic grid; raises ``SettingsError`` on another shape."""
        expected = self.volume_shape
        if volume.ndim != 4 or volume.shape[1:] != expected:
            raise SettingsError(
                f"volume of shape {volume.shape}: this projector takes (frame, {', '.join(map(str, expected))})"
            )
        cells = np.zeros((len(volume), *self.grid, self.planes * self.samples**2), self.dtype)
        cells[:, : self.rows + 2 * self._margin, : self.columns + 2 * self._margin] = _to_cells(
            volume.astype(self.dtype), self.samples
        )
        return cells

    def unpack_volume(self, volume: Array) -> Host:
        """Cells to (frame, z, y, x), margin included."""
        down, right = self.rows + 2 * self._margin, self.columns + 2 * self._margin
        return _from_cells(volume[:, :down, :right], self.samples)

    def forward(self, volume: Array) -> Array:
        """``H x``; resident volume to resident image."""
        spectrum = self._product(
            self._transform(volume, self._sample_basis), self._sample_map, self._pixel_map, forward=True
        )
        image = self._inverse(spectrum, self._pixel_basis)
        start = self._margin
        return np.ascontiguousarray(image[:, start : start + self.rows, start : start + self.columns])

    def adjoint(self, image: Array) -> Array:
        """``H^T y``; resident image to resident volume."""
        padded = np.zeros((len(image), *self.grid, self.pixels**2), self.dtype)
        start = self._margin
        padded[:, start : start + self.rows, start : start + self.columns] = image
        spectrum = self._product(
            self._transform(padded, self._pixel_basis), self._pixel_map, self._sample_map, forward=False
        )
        volume = self._inverse(spectrum, self._sample_basis)
        volume[:, self.rows + 2 * start :] = 0
        volume[:, :, self.columns + 2 * start :] = 0
        return volume

    def weigh(self, image: Array, weight: Array) -> Array:
        """``W y``."""
        return image * weight

    def compare(self, measured: Array, expected: Array, weight: Array, background: Array) -> tuple[Array, Host]:
        """See ``Projector.compare``."""
        model = weight * expected
        squares = np.square(measured - model, where=weight > 0, out=np.zeros_like(model))
        total = model + background
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

    def _transform(self, cells: Array, basis: Array) -> Complex:
        """FFT over the lenslet grid of cells in the parity basis: (frame, frequency, cell group, length * length)."""
        length = len(basis)
        with single_threaded_blas():
            parity = change_basis(cells.reshape(-1, length, length), basis)
        spectrum = rfftn(parity.reshape(cells.shape), axes=(1, 2), workers=-1)
        return np.asarray(spectrum).reshape(len(cells), -1, cells.shape[3] // length**2, length**2)

    def _inverse(self, spectrum: Complex, basis: Array) -> Array:
        """Inverse of ``_transform``: (frame, grid y, grid x, channel) cells in pixel order."""
        full = spectrum.reshape(len(spectrum), self.grid[0], self.grid[1] // 2 + 1, -1)
        parity = np.asarray(irfftn(full, self.grid, axes=(1, 2), workers=-1))
        with single_threaded_blas():
            return change_basis(parity.reshape(-1, len(basis), len(basis)), basis.T).reshape(parity.shape)

    def _product(self, spectrum: Complex, source: ChannelMap, target: ChannelMap, *, forward: bool) -> Complex:
        """Gather the members of each group as real rows, multiply by the shared matrix, scatter the results."""
        frames = len(spectrum)
        target_blocks = 1 if forward else self.planes
        result = np.empty((frames, spectrum.shape[1], target_blocks, target.order.shape[1]), spectrum.dtype)

        def work(part: slice) -> None:
            matrix = self._matrices[part]
            members = self._groups.members[part]
            rows = _gather(spectrum, members, source)
            if forward:
                product = np.matmul(rows, matrix)
            else:  # BLAS reads the matrices twice as fast in this order
                product = np.matmul(matrix, np.ascontiguousarray(rows.transpose(0, 2, 1))).transpose(0, 2, 1)
            _scatter(product, result, members, target)

        in_parts(len(self._matrices), work)
        return result


def _to_cells(array: Host, length: int) -> Array:
    """(frame, z, Y * length, X * length) to (frame, Y, X, z * length * length)."""
    frames, planes, height, width = array.shape
    cells = array.reshape(frames, planes, height // length, length, width // length, length)
    return np.ascontiguousarray(cells.transpose(0, 2, 4, 1, 3, 5)).reshape(
        frames, height // length, width // length, -1
    )


def _from_cells(cells: Array, length: int) -> Host:
    """Inverse of ``_to_cells``."""
    frames, down, right, _ = cells.shape
    split = cells.reshape(frames, down, right, -1, length, length).transpose(0, 3, 1, 4, 2, 5)
    return np.ascontiguousarray(split).reshape(frames, -1, down * length, right * length)


def _gather(spectrum: Complex, members: npt.NDArray[np.intp], channels: ChannelMap) -> Array:
    """(group, member * frame * {re, im}, channel) real rows in the basis of the shared matrix."""
    frames, _, blocks, size = spectrum.shape
    rows = np.empty((len(members), members.shape[1], frames, 2, blocks, size), spectrum.real.dtype)
    for member in range(members.shape[1]):
        taken = spectrum[:, members[:, member]][..., channels.order[member]] * channels.factor[member]
        rows[:, member, :, 0] = taken.real.swapaxes(0, 1)
        rows[:, member, :, 1] = taken.imag.swapaxes(0, 1)
    return rows.reshape(len(members), -1, blocks * size)


def _scatter(product: Array, result: Complex, members: npt.NDArray[np.intp], channels: ChannelMap) -> None:
    """Inverse of ``_gather``: put the rows back to their frequencies and channels."""
    frames, _, blocks, size = result.shape
    rows = product.reshape(len(members), members.shape[1], frames, 2, blocks, size)
    for member in range(members.shape[1]):
        values = (rows[:, member, :, 0] + 1j * rows[:, member, :, 1]).swapaxes(0, 1)
        back = np.empty_like(values)
        back[..., channels.order[member]] = values * channels.factor[member].conj()
        result[:, members[:, member]] = back
