"""Quad order: the rows of a cell sorted so that mirror images stand together (``kernels/quad.cl``).

A position (i, j) of a cell and its mirror images make one quad of four rows. A pair (middle, j) and (middle, j') shares
a quad with (j, middle) and (j', middle), as far as the cell has both, and a middle of both axes stands alone.
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

    shape: tuple[int, int]
    kinds: npt.NDArray[np.uint8]
    positions: Rows
    parities: Rows

    @property
    def quads(self) -> int:
        """Number of quads."""
        return len(self.kinds)

    def row_of_channel(self) -> Rows:
        """(channel,) the row (4 * quad + slot) of each channel of the cell, in row-major order."""
        height, width = self.shape
        rows = np.empty(height * width, np.int32)
        for row, (down, right) in enumerate(self.positions.reshape(-1, 2)):
            if down != EMPTY:
                rows[down * width + right] = row
        return rows


def quad_order(shape: tuple[int, int]) -> QuadOrder:
    """The quads of a cell of ``shape`` (y, x)."""
    (height, width), (below, right) = shape, (side - 1 for side in shape)
    (pairs_y, pairs_x), (evens_y, evens_x) = (side // 2 for side in shape), map(even_count, shape)
    kinds, positions, parities = [], [], []
    for i in range(pairs_y):
        for j in range(pairs_x):
            kinds.append(FULL)
            positions.append([(i, j), (i, right - j), (below - i, j), (below - i, right - j)])
            parities.append([(i, j), (i, evens_x + j), (evens_y + i, j), (evens_y + i, evens_x + j)])
    empty = EMPTY, EMPTY
    for k in range(max(pairs_x * (height % 2), pairs_y * (width % 2))):
        in_row, in_column = height % 2 and k < pairs_x, width % 2 and k < pairs_y
        kinds.append(LINES)
        across = [(pairs_y, k), (pairs_y, right - k)], [(pairs_y, k), (pairs_y, evens_x + k)]
        down = [(k, pairs_x), (below - k, pairs_x)], [(k, pairs_x), (evens_y + k, pairs_x)]
        for rows, own_across, own_down in zip((positions, parities), across, down, strict=True):
            rows.append((own_across if in_row else [empty] * 2) + (own_down if in_column else [empty] * 2))
    if height % 2 and width % 2:
        kinds.append(CENTRE)
        positions.append([(pairs_y, pairs_x), empty, empty, empty])
        parities.append([(pairs_y, pairs_x), empty, empty, empty])
    return QuadOrder(shape, np.array(kinds, np.uint8), np.array(positions, np.int32), np.array(parities, np.int32))


def plane_rows(order: QuadOrder, planes: int) -> Rows:
    """(plane * channel, 2) for each channel its row, and the row of its transpose (c, a) of the same plane.

    An oblong cell has no transposes; its channels stand for their own, and nothing asks for them.
    """
    own = order.row_of_channel()
    swapped = own.reshape(order.shape).T.ravel() if order.shape[0] == order.shape[1] else own
    first = 4 * order.quads * np.arange(planes, dtype=np.int32)[:, None]
    return np.stack([(own + first).ravel(), (swapped + first).ravel()], axis=1).astype(np.int32)


def padded_kinds(order: QuadOrder, planes: int, multiple: int) -> npt.NDArray[np.uint8]:
    """(quads,) kinds of the quads of all planes, filled up to a multiple of ``multiple`` with empty ones."""
    kinds = np.tile(order.kinds, planes)
    return np.concatenate([kinds, np.full(-len(kinds) % multiple, CENTRE, np.uint8)])
