"""Lengths that the device's two-stage transforms handle, and their roots of unity (``kernels/transform.cl``)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Places = npt.NDArray[np.int_]
FLOAT2_BYTES = 8
BANK_STEP = 8
RADICES = (2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 16)


@dataclass(frozen=True)
class Length:
    """``points`` = ``first`` * ``second``, both radices of ``kernels/radix.cl``."""

    points: int
    first: int
    second: int

    def roots(self) -> npt.NDArray[np.complex64]:
        """(points,) ``exp(-2 pi i j / points)``."""
        turns = np.arange(self.points) / self.points
        return np.asarray(np.exp(-2j * np.pi * turns), np.complex64)


@dataclass(frozen=True)
class PlaneLayout:
    """Where ``transform.cl`` keeps a plane of ``y`` x ``x`` lenslets in local memory.

    Row pairs stand ``stride`` float2 apart; in a row, the ``x.first`` parts stand ``pitch`` apart.
    """

    y: Length
    x: Length
    pitch: int
    stride: int

    @property
    def size_bytes(self) -> int:
        """Bytes of the plane."""
        return self.y.points // 2 * self.stride * FLOAT2_BYTES

    def columns(self) -> npt.NDArray[np.int32]:
        """Frequencies 0 to x.points / 2 with their places in even and odd rows, packed as ``transform.cl`` has them.

        They come in the order of the places.
        """
        half = np.arange(self.x.points // 2 + 1)
        even, odd = self._places
        return (half | even << 10 | odd << 20)[np.argsort(even)].astype(np.int32)

    def place(self, ky: int, kx: int) -> int:
        """Where the plane keeps frequency (ky, kx), 0 <= ky < y.points, 0 <= kx <= x.points / 2."""
        row = self.y.second * (ky % self.y.first) + ky // self.y.first
        return row // 2 * self.stride + int(self._places[row % 2][kx])

    @cached_property
    def _places(self) -> tuple[Places, Places]:
        """Places in even and in odd rows of frequencies 0 to x.points / 2.

        An odd row keeps a frequency where the even one keeps its negative; zero and the last one go into gaps.
        """
        half = np.arange(self.x.points // 2 + 1)
        even, odd = self._place(half), self._place(-half % self.x.points)
        if self.pitch > self.x.second:
            odd[0], odd[-1] = self.x.second, self.pitch + self.x.second
        else:
            odd[0], odd[-1] = self.x.points, self.x.points + 1
        return even, odd

    def _place(self, frequency: Places) -> Places:
        return self.pitch * (frequency % self.x.first) + frequency // self.x.first


def plane_layout(y: Length, x: Length, local_bytes: int) -> PlaneLayout | None:
    """The layout with the fewest bank conflicts that fits ``local_bytes``; None when none does.

    An odd pitch and rows that are an odd multiple of eight float2 apart keep neighbouring work-items in different
    banks.
    """
    odd_pitch = x.second + 1 + x.second % 2
    padded = x.first * odd_pitch
    candidates = (
        PlaneLayout(y, x, odd_pitch, padded + (BANK_STEP - padded) % (2 * BANK_STEP)),
        PlaneLayout(y, x, odd_pitch, padded),
        PlaneLayout(y, x, x.second, x.points + 2),
    )
    return next((layout for layout in candidates if layout.size_bytes <= local_bytes), None)


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
