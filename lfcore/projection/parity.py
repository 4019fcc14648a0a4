"""Parity classes: the parts of a kernel by their signs under the mirrors in y and in x.

Any kernel is the sum of at most four parts, each even or odd under either mirror. Along an axis under whose mirror a
part is even, its matrix in the parity basis multiplies both numbers of a pair of ``fourier``. An odd part maps even
fields to odd ones: in its matrix cosines and sines change places, and the pair is turned, ``(a, b) -> (-b, a)``, before
or after the product. So an operator without symmetry is a sum of products of one kind: their matrices lie side by side
along the pixels, and the columns of each are turned in its own way.
"""

from dataclasses import dataclass

import numpy as np

from lfcore.optics.instrument import Symmetry
from lfcore.projection.cell import Array, Index, relations
from lfcore.projection.kernels import PlaneKernels


@dataclass(frozen=True)
class ParityClass:
    """The part of a kernel that is odd under the mirrors said, even under the others."""

    odd_y: bool
    odd_x: bool

    def image(self, kernel: PlaneKernels, a: int, c: int) -> Array:
        """(y, x) this part of the image of sample (a, c)."""
        last_a, last_c = kernel.samples[0] - 1, kernel.samples[1] - 1
        above, below = (kernel.image(place, c) for place in (a, last_a - a))
        above_mirrored, below_mirrored = (kernel.image(place, last_c - c)[:, ::-1] for place in (a, last_a - a))
        sign_y, sign_x = (-1 if odd else 1 for odd in (self.odd_y, self.odd_x))
        upright, turned = above + sign_x * above_mirrored, below + sign_x * below_mirrored
        return np.asarray((upright + sign_y * turned[::-1]) / 4)

    def turn(self, width: int, *, back: bool) -> tuple[Index, Array]:
        """(width,) column that each of ``width`` columns is taken from, and its sign; ``back`` is the transpose.

        Columns come in fours: the pair along y holds a pair along x each.
        """
        column, sign = np.arange(width).reshape(-1, 2, 2), np.ones((width // 4, 2, 2), np.float32)
        negative = int(back)
        if self.odd_y:
            column = column[:, ::-1]
            sign[:, negative] *= -1
        if self.odd_x:
            column = column[..., ::-1]
            sign[..., negative] *= -1
        return column.ravel(), sign.ravel()


def parity_classes(symmetry: Symmetry) -> list[ParityClass]:
    """The classes that ``symmetry`` leaves, the even one first."""
    every = [ParityClass(odd_y, odd_x) for odd_y in (False, True) for odd_x in (False, True)]
    mirrors = [relation for relation in relations(symmetry) if not relation.exchange]

    def left(part: ParityClass) -> bool:
        return all((part.odd_y and mirror.mirror_y) == (part.odd_x and mirror.mirror_x) for mirror in mirrors)

    return [part for part in every if left(part)]


class Turns:
    """Image columns (frame, group, pixel, column) to and from those of all classes, one class after the other."""

    def __init__(self, classes: list[ParityClass], width: int) -> None:
        self.count = len(classes)
        self._forward = [part.turn(width, back=False) for part in classes]
        self._back = [part.turn(width, back=True) for part in classes]

    def gather(self, products: Array, out: Array) -> None:
        """Sum the products of all classes (frame, group, class * pixel, column), each turned, into ``out``."""
        out[...] = 0
        for part, (column, sign) in zip(np.split(products, self.count, axis=2), self._forward, strict=True):
            out += part[..., column] * sign.astype(part.dtype)

    def spread(self, columns: Array) -> Array:
        """(frame, group, class * pixel, column): the columns turned for the transposed product of each class."""
        return np.concatenate(
            [columns[..., column] * sign.astype(columns.dtype) for column, sign in self._back], axis=2
        )
