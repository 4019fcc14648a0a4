"""Which lenslet each camera pixel belongs to, and where in that lenslet's cell it lies."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lfcore.calibration.model import Lattice

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

PIXELS_AT_ONCE = 1 << 19
"""Bounds the memory of what is kept for each pixel."""


@dataclass(frozen=True)
class Lenslets:
    """The n lenslets whose centres lie on the camera: ``numbers`` (n, 2), whole, and ``cells`` (n, 2) [row, column]."""

    lattice: Lattice
    numbers: Indices
    cells: Floats

    @classmethod
    def on_camera(cls, shape: tuple[int, ...], lattice: Lattice) -> "Lenslets":
        """Those of a camera of ``shape`` (y, x) px."""
        edge = np.linspace(-0.5, 0.5, 9)[:, None] * np.array(shape)
        along = [np.stack([edge[:, 0], np.full(9, side)], axis=1) for side in (edge[0, 1], edge[-1, 1])]
        along += [np.stack([np.full(9, side), edge[:, 1]], axis=1) for side in (edge[0, 0], edge[-1, 0])]
        rim = np.concatenate(along) + (np.array(shape) - 1) / 2
        fractional = lattice.cells_at(rim) @ np.linalg.inv(lattice.primitive).T
        axes = [
            np.arange(low, high + 1)
            for low, high in zip(
                np.floor(fractional.min(axis=0)).astype(int), np.ceil(fractional.max(axis=0)).astype(int), strict=True
            )
        ]
        numbers = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
        cells = numbers @ lattice.primitive.T
        places = lattice.places(cells)
        inside = np.all((places >= -0.5) & (places <= np.array(shape) - 0.5), axis=1)
        return cls(lattice, numbers[inside], cells[inside])


@dataclass(frozen=True)
class Strip:
    """m pixels: the lenslet (m,) each belongs to, and its place (2, m) from that, in parts of the primitive steps.

    ``flat`` (m,) are their indices in the frame.
    """

    lenslet: NDArray[np.int32]
    inside: NDArray[np.float32]
    flat: Indices

    def only(self, chosen: NDArray[np.bool_]) -> "Strip":
        """The ``chosen`` (m,) pixels."""
        return Strip(self.lenslet[chosen], self.inside[:, chosen], self.flat[chosen])


def strips(shape: tuple[int, int], lenslets: Lenslets) -> Iterator[Strip]:
    """The pixels of a camera of ``shape`` (y, x) that belong to ``lenslets``, strip by strip."""
    lowest = lenslets.numbers.min(axis=0) - 2
    table = np.full(lenslets.numbers.max(axis=0) - lowest + 3, -1, dtype=np.int32)
    table[tuple((lenslets.numbers - lowest).T)] = np.arange(len(lenslets.numbers))
    height, width = shape
    rows_at_once = max(1, PIXELS_AT_ONCE // width)
    for start in range(0, height, rows_at_once):
        rows = np.arange(start, min(start + rows_at_once, height))
        down, right = (along.ravel() for along in _fractional(rows, width, lenslets.lattice))
        row, column = _nearest(down, right, lenslets.lattice)
        lenslet = table[
            np.clip(row - lowest[0], 0, table.shape[0] - 1), np.clip(column - lowest[1], 0, table.shape[1] - 1)
        ]
        kept = np.flatnonzero(lenslet >= 0)
        inside = np.stack([(down - row)[kept], (right - column)[kept]]).astype(np.float32)
        yield Strip(lenslet[kept], inside, kept + start * width)


def _fractional(rows: Indices, width: int, lattice: Lattice) -> tuple[Floats, Floats]:
    """The place of each pixel of ``rows``, (rows, width), along both primitive steps."""
    y, x = rows[:, None].astype(np.float64), np.arange(width, dtype=np.float64)[None, :]
    if lattice.distortion is not None:
        ideal = lattice.distortion.removed(np.stack(np.broadcast_arrays(y, x), axis=-1))
        y, x = ideal[..., 0], ideal[..., 1]
    to_numbers = np.linalg.inv(lattice.steps @ lattice.primitive)
    start = to_numbers @ lattice.origin_px
    down, right = (to_numbers[axis, 0] * y + (to_numbers[axis, 1] * x - start[axis]) for axis in (0, 1))
    return down, right


def _nearest(down: Floats, right: Floats, lattice: Lattice) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Numbers, both (m,), of the lenslet nearest to each place; see ``_fractional``."""
    if lattice.kind != "hexagonal":
        return np.rint(down).astype(np.int32), np.rint(right).astype(np.int32)
    # In oblique coordinates the nearest is one of the four around a place, not always the rounded one.
    (yy, yx), (xy, xx) = lattice.steps @ lattice.primitive
    corner = np.floor(down).astype(np.int32), np.floor(right).astype(np.int32)
    a, b = down - corner[0], right - corner[1]
    best, shortest = np.zeros((2, len(a)), np.int32), np.full(len(a), np.inf)
    for step in ((0, 0), (0, 1), (1, 0), (1, 1)):
        length = (yy * (a - step[0]) + yx * (b - step[1])) ** 2 + (xy * (a - step[0]) + xx * (b - step[1])) ** 2
        nearer = length < shortest
        best[0, nearer], best[1, nearer] = step
        shortest = np.minimum(length, shortest)
    return corner[0] + best[0], corner[1] + best[1]
