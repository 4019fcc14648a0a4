"""The spatial frequencies of the grid of cells and the symmetries that relate them.

With ``H(k)`` the operator's matrix at frequency ``k`` and ``s`` a symmetry of the square,
``H(s k)[s p, s q] = H(k)[p, q]``: mirrors leave a quarter of the plane, an exchange of the axes half of that. A mirror
that is no symmetry relates the matrices of the parity classes all the same.
"""

from dataclasses import dataclass

import numpy as np

from lfcore.projection.cell import Array, Index

SQUARE_LIMIT = 1.5


def grid_cells(rows: int, columns: int, exchange: bool = True) -> tuple[int, int]:
    """Size of the periodic grid that holds ``rows`` x ``columns`` cells.

    Square when that costs less than half as much again, provided that an ``exchange`` of the axes is a symmetry: a
    square grid then shares each matrix between twice as many frequencies.
    """
    side = max(rows, columns)
    return (side, side) if exchange and side * side <= SQUARE_LIMIT * rows * columns else (rows, columns)


def frequencies(cells: int) -> Array:
    """(frequency,) cycles round a periodic axis, the positive half: 0, 1, … on an odd grid, 1/2, 3/2, … on an even one.

    With halves a field changes sign from one period to the next. That is as good as any other continuation, since
    nothing that wraps round reaches the camera; and no frequency is its own mirror, which makes one less of them.
    """
    return np.arange((cells + 1) // 2) + (0.5 if cells % 2 == 0 else 0.0)


@dataclass(frozen=True)
class FrequencyGroups:
    """Which frequencies share a matrix.

    ``ky``, ``kx``: (group,) index into ``frequencies`` of the stored matrix, which serves the mirror images as well. In
    a ``square`` set ``kx <= ky``, and the matrix serves (kx, ky) with the axes of its channels exchanged.
    """

    grid: tuple[int, int]
    ky: Index
    kx: Index
    square: bool


def frequency_groups(cells_y: int, cells_x: int, exchange: bool = True) -> FrequencyGroups:
    """Groups of the quarter plane of a ``cells_y`` x ``cells_x`` grid; ``exchange``: whether that is a symmetry."""
    ky, kx = np.meshgrid(np.arange((cells_y + 1) // 2), np.arange((cells_x + 1) // 2), indexing="ij")
    square = exchange and cells_y == cells_x
    keep = kx <= ky if square else np.full(ky.shape, True)
    return FrequencyGroups((cells_y, cells_x), ky[keep], kx[keep], square)
