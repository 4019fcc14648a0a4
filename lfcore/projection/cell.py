"""The cell over which the array repeats: lateral sample positions, their symmetry, and the parity basis.

In the *parity basis* along one axis, the pairs ``j`` and ``n - 1 - j`` become ``(x_j + x_{n-1-j}) / sqrt 2`` (even) and
``(x_j - x_{n-1-j}) / sqrt 2`` (odd), the unpaired middle stays; evens come first. A mirror is then a sign and an
exchange of axes a permutation.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from lfcore.optics.instrument import Symmetry

Array = npt.NDArray[np.floating]
Index = npt.NDArray[np.intp]
Position = tuple[int, int]

LARGEST_JOINT_CELL = 64
"""Up to so many pixels one product with the Kronecker product is quicker than one product an axis."""

SQUARE = Symmetry()


def even_count(length: int) -> int:
    """Even members of the parity basis of ``length`` points; the rest are odd."""
    return (length + 1) // 2


def sample_offsets(samples: int) -> Array:
    """(samples,) positions of the volume samples along one side of a cell, in cells from its centre."""
    return (np.arange(samples) - (samples - 1) / 2) / samples


@dataclass(frozen=True)
class Relation:
    """A symmetry of the cell: the axes exchanged if so said, then mirrored."""

    exchange: bool
    mirror_y: bool
    mirror_x: bool

    def position(self, position: Position, samples: tuple[int, int]) -> Position:
        """Where it takes a sample of a cell of ``samples`` (y, x)."""
        a, c = position[::-1] if self.exchange else position
        return (samples[0] - 1 - a if self.mirror_y else a), (samples[1] - 1 - c if self.mirror_x else c)

    def image(self, image: Array) -> Array:
        """What it makes of an image (y, x)."""
        turned = image.T if self.exchange else image
        return np.asarray(turned[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1])


def relations(symmetry: Symmetry) -> list[Relation]:
    """All that can be composed of the symmetries that there are, the identity first."""
    mirrors = {(False, False)}
    mirrors |= {(True, False)} if symmetry.mirror_y else set()
    mirrors |= {(False, True)} if symmetry.mirror_x else set()
    mirrors |= {(True, True)} if symmetry.inversion or len(mirrors) > 2 else set()
    if symmetry.exchange:
        mirrors |= {(x, y) for y, x in mirrors}
        mirrors |= {(True, True)} if len(mirrors) > 2 else set()
    exchanges = (False, True) if symmetry.exchange else (False,)
    return [Relation(exchange, *mirror) for exchange in exchanges for mirror in sorted(mirrors)]


def positions(samples: tuple[int, int], symmetry: Symmetry) -> list[Position]:
    """Lateral sample positions (a, c) of a cell of ``samples`` (y, x) that ``symmetry`` does not relate.

    Of the square's they are an octant, ``c <= a < even_count(samples)``, of both mirrors a quarter, and so on.
    """
    related = relations(symmetry)

    def stands_for_all(place: Position) -> bool:
        return all(place[::-1] <= relation.position(place, samples)[::-1] for relation in related)

    return [place for place in product(range(samples[0]), range(samples[1])) if stands_for_all(place)]


def octant(samples: int) -> list[Position]:
    """``positions`` of a square cell with all symmetries of the square."""
    return positions((samples, samples), SQUARE)


def parity_matrix(length: int, dtype: npt.DTypeLike) -> Array:
    """(length, length) orthonormal matrix that takes one axis to the parity basis; its transpose takes it back."""
    pairs, evens = length // 2, even_count(length)
    matrix = np.zeros((length, length))
    index = np.arange(pairs)
    matrix[index, index] = matrix[index, length - 1 - index] = matrix[evens + index, index] = np.sqrt(0.5)
    matrix[evens + index, length - 1 - index] = -np.sqrt(0.5)
    matrix[pairs:evens, pairs:evens] = 1
    return matrix.astype(dtype)


def change_basis(cells: Array, down: Array, right: Array) -> Array:
    """``D X R^T`` for every cell ``X`` of ``cells`` (…, y, x), with ``D`` = ``down`` (y, y) and ``R`` = ``right``."""
    height, width = len(down), len(right)
    if height * width <= LARGEST_JOINT_CELL:
        return (cells.reshape(-1, height * width) @ np.kron(down, right).T).reshape(cells.shape)
    rows = (cells.reshape(-1, width) @ right.T).reshape(-1, height, width)
    return np.asarray(np.matmul(down, rows)).reshape(cells.shape)


def change_axis(array: Array, matrix: Array, axis: int, out: Array) -> None:
    """``matrix`` (n, n) applied along one axis of ``array``; the axes after it must lie together, in ``out`` too."""
    flat = *array.shape[: axis + 1], -1
    np.matmul(matrix, array.reshape(flat), out=out.reshape(flat, copy=False))


def pair_weight(length: int) -> Array:
    """(even_count,) sqrt 2 for a pair, one for the unpaired middle."""
    weight = np.full(even_count(length), np.sqrt(2.0))
    weight[length // 2 :] = 1.0
    return weight
