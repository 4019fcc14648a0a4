"""The spatial frequencies of the lenslet grid and the symmetries that relate them.

With ``H(k)`` the operator's matrix at lenslet frequency ``k`` and ``s`` a symmetry of the square,
``H(s k)[s p, s q] = H(k)[p, q]``: mirrors leave a quarter of the plane, an exchange of the axes half of that.
"""

from dataclasses import dataclass

import numpy as np

from lfcore.projection.cell import Array, Index

SQUARE_LIMIT = 1.5


def grid_lenslets(rows: int, columns: int) -> tuple[int, int]:
    """Size of the periodic lenslet grid that holds ``rows`` x ``columns`` lenslets.

    Square when that costs less than half as much again: a square grid shares each matrix between twice as many
    frequencies.
    """
    side = max(rows, columns)
    return (side, side) if side * side <= SQUARE_LIMIT * rows * columns else (rows, columns)


def frequencies(lenslets: int) -> Array:
    """(frequency,) cycles round a periodic axis, the positive half: 0, 1, … on an odd grid, 1/2, 3/2, … on an even one.

    With halves a field changes sign from one period to the next. That is as good as any other continuation, since
    nothing that wraps round reaches the camera; and no frequency is its own mirror, which makes one less of them.
    """
    return np.arange((lenslets + 1) // 2) + (0.5 if lenslets % 2 == 0 else 0.0)


@dataclass(frozen=True)
class FrequencyGroups:
    """Which frequencies share a matrix.

    ``ky``, ``kx``: (group,) index into ``frequencies`` of the stored matrix, which serves the mirror images as well. On
    a ``square`` grid ``kx <= ky``, and the matrix serves (kx, ky) with the axes of its channels exchanged.
    """

    grid: tuple[int, int]
    ky: Index
    kx: Index

    @property
    def square(self) -> bool:
        """Whether an exchange of axes is a symmetry of the grid."""
        return self.grid[0] == self.grid[1]


def frequency_groups(lenslets_y: int, lenslets_x: int) -> FrequencyGroups:
    """Groups of the quarter plane of a ``lenslets_y`` x ``lenslets_x`` grid."""
    ky, kx = np.meshgrid(np.arange((lenslets_y + 1) // 2), np.arange((lenslets_x + 1) // 2), indexing="ij")
    keep = kx <= ky if lenslets_y == lenslets_x else np.full(ky.shape, True)
    return FrequencyGroups((lenslets_y, lenslets_x), ky[keep], kx[keep])
