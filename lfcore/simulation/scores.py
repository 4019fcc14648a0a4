"""Figures for how faithful a volume is: likeness to the truth, places of beads, the lenslets' pattern."""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, maximum_filter, uniform_filter
from scipy.optimize import linear_sum_assignment

from lfcore.errors import DataError

Floats = npt.NDArray[np.float64]
Volume = npt.NDArray[np.floating]

NEAREST = 2
"""A harmonic's own bins, which a window spreads: so many on each side."""

SMALLEST_HALF_WIDTH = 3

SSIM_WINDOW = 7

PEAK_LEVEL = 0.05
"""A peak counts from this fraction of the brightest one."""

UNMATCHED = 2.0
"""What a pair out of reach costs, where one within reach costs one at most."""

LEAST = 1e-6


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


def matched(volume: Volume, truth: Volume) -> Floats:
    """``volume`` times the factor that brings it nearest to ``truth`` in the least squares' sense."""
    a, b = (array.ravel().astype(np.float64) for array in (volume, truth))
    energy = a @ a
    return np.asarray(volume * (a @ b / energy if energy else 0.0))


def psnr_db(volume: Volume, truth: Volume) -> float:
    """Peak of the truth over the root mean square error, dB; infinite where there is none. Scales must agree."""
    error = float(np.mean(np.square(volume - truth, dtype=np.float64)))
    return float(10 * np.log10(float(truth.max()) ** 2 / error)) if error else np.inf


def ssim(volume: Volume, truth: Volume) -> float:
    """Structural similarity (Wang 2004), mean over all places of a uniform window of seven voxels on each axis.

    Both are of one shape, seven or more long on each axis, and their scales must agree; the range is the truth's peak.
    """
    a, b = volume.astype(np.float64), truth.astype(np.float64)
    inside = (slice(SSIM_WINDOW // 2, -(SSIM_WINDOW // 2)),) * a.ndim
    mean_a, mean_b, square_a, square_b, product = (
        uniform_filter(array, SSIM_WINDOW)[inside] for array in (a, b, a * a, b * b, a * b)
    )
    unbiased = SSIM_WINDOW**a.ndim / (SSIM_WINDOW**a.ndim - 1)
    spread_a, spread_b = unbiased * (square_a - mean_a**2), unbiased * (square_b - mean_b**2)
    together = unbiased * (product - mean_a * mean_b)
    small, smaller = (0.01 * truth.max()) ** 2, (0.03 * truth.max()) ** 2
    alike = (2 * mean_a * mean_b + small) * (2 * together + smaller)
    return float(np.mean(alike / ((mean_a**2 + mean_b**2 + small) * (spread_a + spread_b + smaller))))


def located(volume: Volume, voxels: Floats, reach: Floats) -> Floats:
    """Where beads are seen: (point, 3) fractional voxels, NaN for those that are not.

    ``voxels`` (point, 3) is where they are, ``reach`` (point, 3) the half axes of the ellipsoid in which a peak counts.
    Peaks of the volume (z, y, x), smoothed by a Gaussian of one voxel, stand for one bead each, those pairs that are
    least apart in sum; their places are vertices of parabolas through the logarithms of the neighbours.
    """
    smooth = gaussian_filter(volume.astype(np.float64), 1.0)
    level = PEAK_LEVEL * smooth.max()
    peaks = np.argwhere((smooth == maximum_filter(smooth, 3)) & (smooth > level))
    places = np.array([_vertex(smooth, peak) for peak in peaks]).reshape(-1, 3)
    apart = np.linalg.norm((places[None] - voxels[:, None]) / reach[:, None], axis=2)
    found = np.full(voxels.shape, np.nan)
    for point, peak in zip(*linear_sum_assignment(np.minimum(apart, UNMATCHED)), strict=True):
        if apart[point, peak] <= 1:
            found[point] = places[peak]
    return found


def _vertex(volume: Floats, peak: npt.NDArray[np.intp]) -> Floats:
    """(3,) the place of a peak between voxels; on the volume's faces the voxel."""
    place = peak.astype(np.float64)
    for axis in range(3):
        if 0 < peak[axis] < volume.shape[axis] - 1:
            line = volume[tuple(slice(i - 1, i + 2) if n == axis else i for n, i in enumerate(peak))]
            below, middle, above = np.log(np.maximum(line, LEAST * line[1]))
            bend = below - 2 * middle + above
            place[axis] += 0.5 * (below - above) / bend if bend else 0.0
    return place
