"""Figures for how faithful a volume is."""

import numpy as np
import numpy.typing as npt

from lfcore.errors import DataError

NEAREST = 2
"""A harmonic's own bins, which a window spreads: so many on each side."""

SMALLEST_HALF_WIDTH = 3


def lattice_index(plane: npt.NDArray[np.floating], samples_per_lenslet: int | tuple[int, int]) -> float:
    """How much a plane (y, x) shows the lenslets: power at their harmonics over the median of its neighbourhood.

    The plane, mean off and under a Hann window, has ``samples_per_lenslet`` (or (y, x) of a cell) samples; harmonics
    are all frequencies of whole periods a cell but zero. A neighbourhood reaches a third of the cells (at least three
    bins) to each side, without the 5 x 5 bins about the harmonic. The mean over the harmonics: 1.44 for white noise,
    zero for an even plane. Raises ``DataError`` for a plane that does not hold whole cells, or one sample of each.
    """
    samples = np.broadcast_to(samples_per_lenslet, 2)
    if plane.ndim != 2 or np.any(np.array(plane.shape) % samples) or samples.prod() < 2:
        wanted = f"{samples[0]} x {samples[1]}"
        raise DataError(
            f"lattice index: plane {plane.shape} of {wanted} samples a cell; give whole cells of two or more"
        )
    window = np.outer(*(np.hanning(length + 1)[:-1] for length in plane.shape))
    power = np.abs(np.fft.fft2((plane - plane.mean(dtype=np.float64)) * window)) ** 2
    cells = np.array(plane.shape) // samples
    harmonics = [np.array(order) * cells for order in np.ndindex(*samples) if any(order)]
    return float(np.mean([_prominence(power, harmonic, cells) for harmonic in harmonics]))


def _prominence(power: npt.NDArray[np.float64], place: npt.NDArray[np.intp], cells: npt.NDArray[np.intp]) -> float:
    """Power at ``place`` over the median around it; zero where there is none."""
    down, right = np.maximum(cells // 3, SMALLEST_HALF_WIDTH)
    y, x = np.mgrid[-down : down + 1, -right : right + 1]
    around = np.maximum(abs(y), abs(x)) > NEAREST
    neighbours = power[(place[0] + y[around]) % power.shape[0], (place[1] + x[around]) % power.shape[1]]
    middle = np.median(neighbours)
    return float(power[tuple(place)] / middle) if middle else 0.0
