"""Gradients of volumes (frame, z, y, x) on the host, by differences of neighbouring voxels.

Voxels count as cubes; at the volume's end there is no difference. ``divergence`` is less the transpose of ``gradient``,
so ``-divergence(gradient(x) / |gradient(x)|)`` is the slope of the total variation (Rudin 1992, Physica D 60, 259).
"""

import numpy as np
import numpy.typing as npt

from lfcore.projection.protocol import Host

Array = npt.NDArray[np.floating]

LEAST_DIVISOR = 0.1
"""A step is at most so many times larger (1 / this) for the sake of smoothness, and never negative."""


def gradient(volume: Array) -> Array:
    """(3, frame, z, y, x) differences to the next voxel along z, y and x."""
    result = np.zeros((3, *volume.shape), volume.dtype)
    for axis in range(3):
        before, after = _neighbours(axis)
        result[axis][before] = volume[after] - volume[before]
    return result


def divergence(field: Array) -> Array:
    """(frame, z, y, x) of a field (3, frame, z, y, x)."""
    result = np.zeros(field.shape[1:], field.dtype)
    for axis in range(3):
        before, after = _neighbours(axis)
        result[before] += field[axis][before]
        result[after] -= field[axis][before]
    return result


def lengths(field: Array, smallest: Host | float = 0.0) -> Array:
    """(frame, z, y, x) lengths of a field's vectors and of ``smallest``, (frame,) or one number, together."""
    squares = np.square(field).sum(0)
    floor = np.reshape(np.square(smallest), (-1, 1, 1, 1)).astype(field.dtype)
    return np.asarray(np.sqrt(squares + floor))


def tempered(stepped: Array, before: Array, strength: float, smallest: Host) -> Array:
    """See ``Projector.temper``, on host volumes."""
    slope = gradient(before)
    # Where a frame is all zeros there is nothing to divide by, and no edge.
    length = lengths(slope, np.where(smallest > 0, smallest, 1))
    divisor = 1 - strength * divergence(slope / length)
    return np.asarray(stepped / np.maximum(divisor, LEAST_DIVISOR))


def _neighbours(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """All voxels (frame, z, y, x) that have a next one along an axis of (z, y, x), and those next ones."""
    whole = [slice(None)] * 4
    before, after = whole.copy(), whole.copy()
    before[axis + 1], after[axis + 1] = slice(None, -1), slice(1, None)
    return tuple(before), tuple(after)
