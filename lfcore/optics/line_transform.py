"""How the device transforms a line in local memory: radices, roots of unity and the order of frequencies.

The kernels are in ``kernels/line.cl``, which says what the tables mean.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RADICES = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15)
"""What ``line.cl`` has butterflies for. Every length of ``scipy.fft.next_fast_len`` is a product of them."""


@dataclass(frozen=True)
class LineTransform:
    """A transform of ``size`` points in stages of ``radices``, whose product it is, the largest span first."""

    size: int
    radices: tuple[int, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """Distance of the elements that a stage joins, for each stage."""
        joined = np.cumprod(self.radices)
        return tuple(self.size // int(points) for points in joined)

    def stages(self) -> npt.NDArray[np.int32]:
        """(stage, 4): radix, span, where the stage's roots begin, 0."""
        lengths = [radix * span for radix, span in zip(self.radices, self.spans, strict=True)]
        begins = np.cumsum([0, *lengths[:-1]])
        return np.stack([self.radices, self.spans, begins, np.zeros_like(begins)], axis=1).astype(np.int32)

    def roots(self) -> npt.NDArray[np.complex64]:
        """``exp(-2 pi i j k / (R M))`` for each stage of radix ``R`` and span ``M``, (k, j) within a stage."""
        tables = [
            np.exp(-2j * np.pi / (radix * span) * np.outer(np.arange(radix), np.arange(span))).ravel()
            for radix, span in zip(self.radices, self.spans, strict=True)
        ]
        return np.concatenate(tables).astype(np.complex64)

    def frequencies(self) -> npt.NDArray[np.int32]:
        """(size,) signed whole frequency at each position of a line that was transformed forward."""
        positions, frequencies, factor = np.arange(self.size), np.zeros(self.size, np.int32), 1
        for radix, span in zip(self.radices, self.spans, strict=True):
            frequencies += (positions // span % radix * factor).astype(np.int32)
            factor *= radix
        # The same signs as fftfreq's: half the size counts as negative.
        return np.where(2 * frequencies >= self.size, frequencies - self.size, frequencies).astype(np.int32)


def line_transform(size: int) -> LineTransform:
    """The transform of ``size`` points, a product of primes up to 11, in as few stages as can be.

    Odd radices come last: there the elements of neighbouring work-items are one radix apart, and an odd distance keeps
    them in different banks of local memory. Raises ``ValueError`` for any other size.
    """
    radices = _fewest(size)
    if radices is None:
        raise ValueError(f"{size} points: not a product of primes up to 11")
    return LineTransform(size, tuple(sorted(radices, key=lambda radix: (radix % 2, radix))))


@functools.cache
def _fewest(size: int) -> tuple[int, ...] | None:
    """The fewest radices whose product is ``size``, of those the ones with the least sum; None if there are none."""
    if size == 1:
        return ()
    rests = ((radix, _fewest(size // radix)) for radix in RADICES if size % radix == 0)
    found = [(radix, *rest) for radix, rest in rests if rest is not None]
    return min(found, key=lambda radices: (len(radices), sum(radices)), default=None)
