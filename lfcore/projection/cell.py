"""The lenslet cell: lateral sample positions, their symmetry, and the parity basis.

A square lenslet and a round pupil look the same in a mirror along either axis and with the axes exchanged. In the
*parity basis* along one axis, the pairs ``j`` and ``n - 1 - j`` become ``(x_j + x_{n-1-j}) / sqrt 2`` (even) and
``(x_j - x_{n-1-j}) / sqrt 2`` (odd), the unpaired middle stays; evens come first. A mirror is then a sign and an
exchange of axes a permutation.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Index = npt.NDArray[np.intp]

LARGEST_JOINT_CELL = 8
"""Up to this length one product with the Kronecker square is quicker than one product an axis."""


def even_count(length: int) -> int:
    """Even members of the parity basis of ``length`` points; the rest are odd."""
    return (length + 1) // 2


def sample_offsets(samples: int) -> Array:
    """(samples,) positions of the volume samples in front of a lenslet, in lenslets from its centre."""
    return (np.arange(samples) - (samples - 1) / 2) / samples


def octant(samples: int) -> list[tuple[int, int]]:
    """Lateral sample positions (a, c) that no symmetry of the square relates: ``c <= a < even_count(samples)``."""
    return [(a, c) for a in range(even_count(samples)) for c in range(a + 1)]


def parity_matrix(length: int, dtype: npt.DTypeLike) -> Array:
    """(length, length) orthonormal matrix that takes one axis to the parity basis; its transpose takes it back."""
    pairs, evens = length // 2, even_count(length)
    matrix = np.zeros((length, length))
    index = np.arange(pairs)
    matrix[index, index] = matrix[index, length - 1 - index] = matrix[evens + index, index] = np.sqrt(0.5)
    matrix[evens + index, length - 1 - index] = -np.sqrt(0.5)
    matrix[pairs:evens, pairs:evens] = 1
    return matrix.astype(dtype)


def change_basis(cells: Array, matrix: Array) -> Array:
    """``A X A^T`` for every cell ``X`` of ``cells`` (…, n, n) with ``A`` = ``matrix`` (n, n)."""
    length = len(matrix)
    if length <= LARGEST_JOINT_CELL:
        return (cells.reshape(-1, length * length) @ np.kron(matrix, matrix).T).reshape(cells.shape)
    rows = (cells.reshape(-1, length) @ matrix.T).reshape(-1, length, length)
    return np.asarray(np.matmul(matrix, rows)).reshape(cells.shape)


def change_axis(array: Array, matrix: Array, axis: int, out: Array) -> None:
    """``matrix`` (n, n) applied along one axis of ``array``; the axes after it must lie together, in ``out`` too."""
    flat = *array.shape[: axis + 1], -1
    np.matmul(matrix, array.reshape(flat), out=out.reshape(flat, copy=False))


def pair_weight(length: int) -> Array:
    """(even_count,) sqrt 2 for a pair, one for the unpaired middle."""
    weight = np.full(even_count(length), np.sqrt(2.0))
    weight[length // 2 :] = 1.0
    return weight
