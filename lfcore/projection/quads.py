"""Quad order: the rows of a cell sorted so that mirror images stand together (``kernels/quad.cl``).

A position (i, j) of an ``n`` x ``n`` cell and its mirror images make one quad of four rows. Where ``n`` is odd, the
pair (middle, j) and (middle, j') shares a quad with (j, middle) and (j', middle), and the middle stands alone.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.projection.cell import even_count

Rows = npt.NDArray[np.int32]
EMPTY = -1
FULL, LINES, CENTRE = 0, 1, 2


@dataclass(frozen=True)
class QuadOrder:
    """The quads of one cell.

    ``kinds`` (quad,) is FULL, LINES or CENTRE. ``positions`` (quad, 4, 2): row and column in the cell of each slot, and
    ``parities`` (quad, 4, 2): row and column in the parity basis of ``cell.parity_matrix``; both EMPTY where unused.
    """

    length: int
    kinds: npt.NDArray[np.uint8]
    positions: Rows
    parities: Rows

    @property
    def quads(self) -> int:
        """Number of quads."""
        return len(self.kinds)

    def row_of_channel(self) -> Rows:
        """(n * n,) the row (4 * quad + slot) of each channel of the cell, in row-major order."""
        rows = np.empty(self.length * self.length, np.int32)
        for row, (down, right) in enumerate(self.positions.reshape(-1, 2)):
            if down != EMPTY:
                rows[down * self.length + right] = row
        return rows


def quad_order(length: int) -> QuadOrder:
    """The quads of a ``length`` x ``length`` cell."""
    pairs, evens, last = length // 2, even_count(length), length - 1
    kinds, positions, parities = [], [], []
    for i in range(pairs):
        for j in range(pairs):
            kinds.append(FULL)
            positions.append([(i, j), (i, last - j), (last - i, j), (last - i, last - j)])
            parities.append([(i, j), (i, evens + j), (evens + i, j), (evens + i, evens + j)])
    empty, middle = (EMPTY, EMPTY), pairs
    if length % 2:
        for j in range(pairs):
            kinds.append(LINES)
            positions.append([(middle, j), (middle, last - j), (j, middle), (last - j, middle)])
            parities.append([(middle, j), (middle, evens + j), (j, middle), (evens + j, middle)])
        kinds.append(CENTRE)
        positions.append([(middle, middle), empty, empty, empty])
        parities.append([(middle, middle), empty, empty, empty])
    return QuadOrder(length, np.array(kinds, np.uint8), np.array(positions, np.int32), np.array(parities, np.int32))


def plane_rows(order: QuadOrder, planes: int) -> Rows:
    """(plane * n * n, 2) for each channel its row, and the row of its transpose (c, a) of the same plane."""
    own = order.row_of_channel()
    swapped = own.reshape(order.length, order.length).T.ravel()
    first = 4 * order.quads * np.arange(planes, dtype=np.int32)[:, None]
    return np.stack([(own + first).ravel(), (swapped + first).ravel()], axis=1).astype(np.int32)


def padded_kinds(order: QuadOrder, planes: int, multiple: int) -> npt.NDArray[np.uint8]:
    """(quads,) kinds of the quads of all planes, filled up to a multiple of ``multiple`` with empty ones."""
    kinds = np.tile(order.kinds, planes)
    return np.concatenate([kinds, np.full(-len(kinds) % multiple, CENTRE, np.uint8)])
