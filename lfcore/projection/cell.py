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


def even_count(length: int) -> int:
    """Even members of the parity basis of ``length`` points; the rest are odd."""
    return (length + 1) // 2


def sample_offsets(samples: int) -> Array:
    """(samples,) positions of the volume samples in front of a lenslet, in lenslets from its centre."""
    return (np.arange(samples) - (samples - 1) / 2) / samples


def octant(samples: int) -> list[tuple[int, int]]:
    """Lateral sample positions (a, c) that no symmetry of the square relates: ``c <= a < even_count(samples)``."""
    return [(a, c) for a in range(even_count(samples)) for c in range(a + 1)]


def to_parity(array: Array, axis: int) -> Array:
    """``array`` with one axis taken to the parity basis; the transform is orthonormal."""
    moved = np.moveaxis(array, axis, 0)
    length, pairs = moved.shape[0], moved.shape[0] // 2
    evens = even_count(length)
    result = np.empty_like(moved)
    mirrored = moved[: length - pairs - 1 : -1]
    np.add(moved[:pairs], mirrored, out=result[:pairs])
    np.subtract(moved[:pairs], mirrored, out=result[evens:])
    _halve_pairs(result, moved)
    return np.moveaxis(result, 0, axis)


def from_parity(array: Array, axis: int) -> Array:
    """Inverse (and transpose) of ``to_parity``."""
    moved = np.moveaxis(array, axis, 0)
    length, pairs = moved.shape[0], moved.shape[0] // 2
    evens = even_count(length)
    result = np.empty_like(moved)
    np.add(moved[:pairs], moved[evens:], out=result[:pairs])
    np.subtract(moved[:pairs], moved[evens:], out=result[: length - pairs - 1 : -1])
    _halve_pairs(result, moved)
    return np.moveaxis(result, 0, axis)


def _halve_pairs(result: Array, source: Array) -> None:
    """Scale the pairs to an orthonormal basis and carry the unpaired middle over."""
    pairs, evens = len(result) // 2, even_count(len(result))
    scale = result.dtype.type(np.sqrt(0.5))
    result[:pairs] *= scale
    result[evens:] *= scale
    result[pairs:evens] = source[pairs:evens]


def is_odd(length: int) -> npt.NDArray[np.bool_]:
    """(length,) which members of the parity basis of one axis change sign in its mirror."""
    return np.arange(length) >= even_count(length)


def pair_weight(length: int) -> Array:
    """(even_count,) sqrt 2 for a pair, one for the unpaired middle."""
    weight = np.full(even_count(length), np.sqrt(2.0))
    weight[length // 2 :] = 1.0
    return weight
