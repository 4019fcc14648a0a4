"""Lengths that the device's two-stage transforms handle, and their roots of unity (``kernels/transform.cl``)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RADICES = (2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 16)


@dataclass(frozen=True)
class Length:
    """``points`` = ``first`` * ``second``, both radices of ``kernels/radix.cl``."""

    points: int
    first: int
    second: int

    def roots(self) -> npt.NDArray[np.complex64]:
        """(points,) ``exp(-2 pi i j / points)``."""
        return np.exp(-2j * np.pi * np.arange(self.points) / self.points).astype(np.complex64)


def _even_lengths() -> tuple[Length, ...]:
    """Every even product of two radices, split as evenly as can be, in rising order."""
    found: dict[int, Length] = {}
    for first in RADICES:
        for second in RADICES:
            length = Length(first * second, first, second)
            known = found.get(length.points)
            if length.points % 2 == 0 and first >= second and (known is None or first < known.first):
                found[length.points] = length
    return tuple(found[points] for points in sorted(found))


LENGTHS = _even_lengths()


def shortest(points: int) -> Length | None:
    """The shortest length of at least ``points``; None when there is none."""
    return next((length for length in LENGTHS if length.points >= points), None)
