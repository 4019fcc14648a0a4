"""The Fourier transform over the grid of cells as real matrix products, arranged for the operator's matrices.

Along an axis of ``L`` cells a channel ``x`` of the parity basis is transformed with the orthonormal functions

    c_k(l) = w cos(2 pi k l / L),    s_k(l) = w sin(2 pi k l / L),    w = sqrt(2 / L), for k = 0 sqrt(1 / L).

The *pair* of an even channel at ``k`` is ``(c_k . x, s_k . x)``, that of an odd one ``(-s_k . x, c_k . x)``. A kernel
between channels of equal parity multiplies both numbers by its cosine transform, one from odd to even by its sine
transform, one from even to odd by minus that: real, and the same for both.

A field has tens of cells a side. There a product with a table is quicker than an FFT: it needs no padding, leaves
out what lies outside the field, and brings signs and order with it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.projection.cell import Array, Index, change_axis, even_count, parity_matrix
from lfcore.projection.spectrum import FrequencyGroups, frequencies
from lfcore.threads import in_parts

Complex = npt.NDArray[np.complexfloating]

ALL = slice(None)


@dataclass(frozen=True)
class Window:
    """The cells ``first`` to ``first + count - 1`` of a periodic axis of ``cells``; the others are zero."""

    first: int
    count: int
    cells: int

    def table(self, dtype: npt.DTypeLike) -> Array:
        """(parity, 2 * frequency, cell): the functions of the pairs of even and of odd channels."""
        k = frequencies(self.cells)[:, None]
        angle = 2 * np.pi / self.cells * k * np.arange(self.first, self.first + self.count)
        weight = np.sqrt(np.where(k == 0, 1, 2) / self.cells)
        cosine, sine = weight * np.cos(angle), weight * np.sin(angle)
        pairs = np.stack([np.stack([cosine, sine], axis=1), np.stack([-sine, cosine], axis=1)])
        return pairs.reshape(2, -1, self.count).astype(dtype)


class Scratch:
    """Work arrays that are kept: to touch fresh memory costs as much as the products that fill it."""

    def __init__(self, dtype: npt.DTypeLike) -> None:
        self._dtype = dtype
        self._arrays: dict[str, Array] = {}

    def array(self, name: str, *shape: int) -> Array:
        """The array ``name``, its content undefined."""
        if name not in self._arrays or self._arrays[name].shape != shape:
            self._arrays[name] = np.empty(shape, self._dtype)
        return self._arrays[name]


class CellTransform:
    """Cells of ``shape`` (y, x) channels in ``planes`` planes, to and from the columns of matrix products.

    Cells are (frame, plane * y * x, row, column) in pixel order, over the cells of a window an axis. Columns are
    (frame, group, plane * y * x, column) in the parity basis: the two pairs' four numbers at the group's frequency,
    then in square groups four of the exchanged channels at the exchanged frequency.

    Spectra and columns are the transform's own and last until it is used again, by one caller at a time with BLAS held
    to one thread.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        planes: int,
        windows: tuple[Window, Window],
        groups: FrequencyGroups,
        dtype: npt.DTypeLike,
    ) -> None:
        self._shape, self._planes, self._scratch = shape, planes, Scratch(dtype)
        self._pair = np.result_type(dtype, np.complex64)
        self._basis_y, self._basis_x = (parity_matrix(length, dtype) for length in shape)
        self._down, self._right = (window.table(dtype) for window in windows)
        self._members_y, self._members_x = ((slice(even_count(n)), slice(even_count(n), n)) for n in shape)
        self._order = _column_order(shape, planes, groups)
        self._place = _inverse(self._order).reshape(planes * shape[1], shape[0], self._down.shape[1], -1)

    @property
    def width(self) -> int:
        """Columns a group and frame."""
        return 2 * int(self._order.shape[2])

    def analyse(self, cells: Array) -> Array:
        """The spectrum of cells, for ``gather``."""
        parity_x, lines, parity_y, spectrum = self._stages(len(cells))
        source, target = cells.reshape(parity_x.shape), self._by_rows(lines)

        def along_x(*part: slice) -> None:
            here = ALL, *part
            change_axis(source[here], self._basis_x, 3, out=parity_x[here])
            for table, members in zip(self._right, self._members_x, strict=True):
                np.matmul(parity_x[here][..., members, :, :], table.T, out=target[here][..., members, :, :])

        def along_y(part: slice) -> None:
            change_axis(lines[:, part], self._basis_y, 2, out=parity_y[:, part])
            for table, members in zip(self._down, self._members_y, strict=True):
                np.matmul(table, parity_y[:, part, members], out=spectrum[:, part, members])

        self._in_rows(along_x)
        in_parts(lines.shape[1], along_y)
        return spectrum

    def gather(self, spectrum: Array, groups: slice) -> Array:
        """The columns of some groups."""
        columns = self.columns(len(spectrum))[:, groups]
        self._pairs(spectrum).take(self._order[groups], axis=1, out=columns.view(self._pair), mode="clip")
        return columns

    def columns(self, frames: int) -> Array:
        """The columns of all groups, their content undefined; in memory frames lie together, as they share matrices."""
        groups, channels = self._order.shape[:2]
        return self._scratch.array("columns", groups, frames, channels, self.width).swapaxes(0, 1)

    def synthesise(self, columns: Array) -> Array:
        """The cells whose spectrum has these columns, as far as the windows reach."""
        frames = len(columns)
        parity_x, lines, parity_y, spectrum = self._stages(frames)
        source, target = self._by_rows(lines), np.empty_like(parity_x)

        def along_y(part: slice) -> None:
            pairs = spectrum[:, part].view(self._pair)
            self._pairs(columns).take(self._place[part], axis=1, out=pairs, mode="clip")
            for table, members in zip(self._down, self._members_y, strict=True):
                np.matmul(table.T, spectrum[:, part, members], out=parity_y[:, part, members])
            change_axis(parity_y[:, part], self._basis_y.T, 2, out=lines[:, part])

        def along_x(*part: slice) -> None:
            here = ALL, *part
            for table, members in zip(self._right, self._members_x, strict=True):
                np.matmul(source[here][..., members, :, :], table, out=parity_x[here][..., members, :, :])
            change_axis(parity_x[here], self._basis_x.T, 3, out=target[here])

        in_parts(lines.shape[1], along_y)
        self._in_rows(along_x)
        return target.reshape(frames, -1, *target.shape[4:])

    def _stages(self, frames: int) -> tuple[Array, Array, Array, Array]:
        """Work arrays for a field on its way between cells and spectrum.

        First with the cells' rows in the parity basis: (frame, plane, row of the cell, column of the cell, y, x). Then
        transformed along x, and after that with the cells' columns in the parity basis: (frame, plane * column of the
        cell, row of the cell, y, 2 * frequency). Last the spectrum: (…, 2 * frequency, 2 * frequency).
        """
        array, (height, width) = self._scratch.array, self._shape
        (across, right), (down, below) = self._right.shape[1:], self._down.shape[1:]
        lines = frames, self._planes * width, height
        return (
            array("parity x", frames, self._planes, height, width, below, right),
            array("lines", *lines, below, across),
            array("parity y", *lines, below, across),
            array("spectrum", *lines, down, across),
        )

    def _by_rows(self, lines: Array) -> Array:
        """A view of ``lines`` as (frame, plane, row of the cell, column of the cell, y, 2 * frequency)."""
        return lines.reshape(len(lines), self._planes, self._shape[1], *lines.shape[2:]).swapaxes(2, 3)

    def _pairs(self, array: Array) -> Complex:
        """A view as (frame, pair)."""
        return array.reshape(len(array), -1).view(self._pair)

    def _in_rows(self, work: Callable[[slice, slice], None]) -> None:
        """Call ``work`` on parts of (plane, row of the cell), along the longer of the two."""
        if self._planes >= self._shape[0]:
            in_parts(self._planes, lambda part: work(part, ALL))
        else:
            in_parts(self._shape[0], lambda part: work(ALL, part))


def _column_order(shape: tuple[int, int], planes: int, groups: FrequencyGroups) -> Index:
    """(group, channel, pair) place of every pair of the columns in the spectrum of a frame."""
    down, right = (len(frequencies(cells)) for cells in groups.grid)
    height, width = shape
    # In the spectrum the column of the cell comes before its row.
    channels = planes * height * width
    spectrum = np.arange(channels * down * 2 * right).reshape(planes, width, height, down, 2, right)
    places = [spectrum.swapaxes(1, 2)[:, :, :, groups.ky, :, groups.kx]]
    if groups.square:
        places.append(spectrum[:, :, :, groups.kx, :, groups.ky])
    return np.concatenate(places, axis=-1).reshape(len(groups.ky), channels, -1)


def _inverse(order: Index) -> Index:
    """(pair,) place of every pair of the spectrum in the columns.

    Frequencies on the diagonal come twice there. All are read at their first place: their two matrices are equal to
    rounding only, and the operator's transpose must use the same.
    """
    columns = np.arange(order.size).reshape(order.shape)
    place = np.empty(order.max() + 1, np.intp)
    for pair in reversed(range(order.shape[2])):
        place[order[..., pair]] = columns[..., pair]
    return place
