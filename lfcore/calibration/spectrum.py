"""A first lattice from the spectrum of a white frame: two reciprocal vectors and their phases.

A lattice of bright discs gives two strong spectral peaks at right angles, a lenslet's frequency from zero; the peaks'
phases give the discs' places without any pixel window, so nothing depends on the parity of the pitch in pixels.
"""

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from lfcore.errors import CalibrationError

Floats = NDArray[np.float64]

SEARCH_FACTOR = 1.25
"""Pitches from nominal / SEARCH_FACTOR to nominal * SEARCH_FACTOR are looked for; below sqrt(2), so that the lattice's
diagonal frequency cannot be taken for its fundamental."""

PEAK_OVER_FLOOR = 12.0
"""Power of the weaker peak over the annulus' floor. White noise reaches 5, the sea urchin's white frame a million."""

SMALLEST_PITCH_PX, LARGEST_PITCH_PX = 4.0, 120.0


MOST_UNEQUAL_PEAKS = 0.02
"""The weaker peak's power over the stronger one's. Stripes have a peak in one direction only."""


def flatten_locally(white: Floats, size_px: int) -> Floats:
    """``white`` over its local mean, less one; missing pixels (NaN) become 0.

    ``white`` is (y, x); the local mean is a box of ``size_px``, applied twice. Dim corners get the middle's contrast.
    """

    def local_mean(image: Floats) -> Floats:
        once = ndimage.uniform_filter(image, size_px, mode="constant")
        return np.asarray(ndimage.uniform_filter(once, size_px, mode="constant"))

    valid = np.isfinite(white)
    filled = np.where(valid, white, 0.0)
    mean = local_mean(filled) / np.maximum(local_mean(valid.astype(np.float64)), 1e-6)
    # The floor keeps noise from being blown up where no light falls at all.
    floor = 0.02 * float(np.max(mean, initial=0.0))
    contrast = filled / np.maximum(mean, max(floor, np.finfo(np.float64).tiny)) - 1
    return np.where(valid, np.clip(contrast, -1.0, 4.0), 0.0)


def first_lattice(white: Floats, nominal_pitch_px: float) -> tuple[Floats, Floats, Floats]:
    """Origin, row step and column step, each [y, x] in px, of the square lattice near the nominal pitch.

    ``white`` is (y, x) with NaN where missing. The origin is a disc's centre near the frame's middle; the column step
    points within 45 degrees of +x. Raises ``CalibrationError`` when no lattice stands out within ``SEARCH_FACTOR``.
    """
    contrast = flatten_locally(white, round(3 * nominal_pitch_px))
    window = np.outer(np.hanning(white.shape[0] + 2)[1:-1], np.hanning(white.shape[1] + 2)[1:-1])
    contrast = window * (contrast - np.sum(window * contrast) / np.sum(window))
    power = np.abs(scipy.fft.fft2(contrast)) ** 2
    lowest, highest = 1 / (nominal_pitch_px * SEARCH_FACTOR), SEARCH_FACTOR / nominal_pitch_px
    peak, strength = _strongest_pair(power, lowest, highest)
    bin_size = 1 / np.array(white.shape)
    along_columns = _refined(contrast, peak, bin_size)
    along_rows = _refined(contrast, np.array([peak[1], -peak[0]]), bin_size)
    reciprocal = np.stack([_pointing_down(along_rows), along_columns])
    lengths = np.hypot(*reciprocal.T)
    # The flank of a peak outside the annulus can stand out inside it.
    if strength < PEAK_OVER_FLOOR or np.any(lengths < 0.95 * lowest) or np.any(lengths > 1.05 * highest):
        raise CalibrationError(_refusal(power, nominal_pitch_px))
    steps = np.asarray(np.linalg.inv(reciprocal), dtype=np.float64)  # columns: row step, column step
    if _coarser_lattice(contrast, reciprocal, bin_size):
        raise CalibrationError(
            f"white frame: its lattice is coarser than the nominal pitch of {nominal_pitch_px:.2f} px; "
            "check microlens_array.pitch_um and camera.pixel_um"
        )
    phases = np.array([np.angle(_fourier(contrast, vector[:1], vector[1:])[0, 0]) for vector in reciprocal])
    origin = steps @ (-phases / (2 * np.pi))
    middle = (np.array(white.shape) - 1) / 2
    nearest = np.rint(reciprocal @ (middle - origin))
    return np.asarray(origin + steps @ nearest), steps[:, 0], steps[:, 1]


def _strongest_pair(power: Floats, lowest: float, highest: float) -> tuple[Floats, float]:
    """Frequency [y, x] (cycles/px) whose power and whose quarter turn's are both high, and how far above the floor.

    ``lowest`` and ``highest`` bound the frequency's length.
    """
    # A peak falls between bins, and the two of a slightly oblong lattice have no exact quarter turn.
    power = ndimage.maximum_filter(power, 3, mode="wrap")
    fy = np.fft.fftfreq(power.shape[0])[:, None]
    fx = np.fft.fftfreq(power.shape[1])[None, :]
    length = np.hypot(fy, fx)
    inside = (length >= lowest) & (length <= highest)
    rows, columns = np.nonzero(inside & (fx > 0) & (fy >= -fx) & (fy < fx))
    if rows.size == 0:
        return np.zeros(2), 0.0
    frequencies = np.stack([fy[rows, 0], fx[0, columns]], axis=1)
    turned_rows = np.rint(frequencies[:, 1] * power.shape[0]).astype(int) % power.shape[0]
    turned_columns = np.rint(-frequencies[:, 0] * power.shape[1]).astype(int) % power.shape[1]
    pair = np.stack([power[rows, columns], power[turned_rows, turned_columns]])
    both = np.where(pair.min(axis=0) >= MOST_UNEQUAL_PEAKS * pair.max(axis=0), pair.min(axis=0), 0.0)
    best = int(np.argmax(both))
    # A low quantile, since in a field of ten lenslets the peaks themselves fill a good part of the annulus.
    floor = float(np.quantile(power[inside], 0.2))
    return frequencies[best], float(both[best]) / max(floor, np.finfo(np.float64).tiny)


def _fourier(image: Floats, fy: Floats, fx: Floats) -> NDArray[np.complex128]:
    """Fourier sum of ``image`` at the grid ``fy`` x ``fx`` (cycles/px)."""
    y, x = np.arange(image.shape[0]), np.arange(image.shape[1])
    along_y = np.exp(-2j * np.pi * np.outer(fy, y))
    return np.asarray((along_y @ image) @ np.exp(-2j * np.pi * np.outer(x, fx)))


def _refined(image: Floats, frequency: Floats, bin_size: Floats) -> Floats:
    """The peak of the spectrum near ``frequency``, by Fourier sums on ever finer grids."""
    step = bin_size
    offsets = np.arange(-4, 5)
    for _ in range(9):
        fy, fx = frequency[0] + 0.5 * step[0] * offsets, frequency[1] + 0.5 * step[1] * offsets
        row, column = np.unravel_index(int(np.argmax(np.abs(_fourier(image, fy, fx)))), (9, 9))
        frequency = np.array([fy[row], fx[column]])
        step = step / 3
    return frequency


def _pointing_down(frequency: Floats) -> Floats:
    return -frequency if frequency[0] < 0 else frequency


def _coarser_lattice(image: Floats, reciprocal: Floats, bin_size: Floats) -> bool:
    """Whether the peaks are harmonics: a pair at half or at the half-diagonals of their frequencies is stronger."""

    def weaker(pair: Floats) -> float:
        offsets = np.array([-0.5, 0.0, 0.5])
        return min(
            float(np.abs(_fourier(image, f[0] + offsets * bin_size[0], f[1] + offsets * bin_size[1])).max())
            for f in pair
        )

    halves = 0.5 * reciprocal
    diagonals = 0.5 * np.stack([reciprocal[0] + reciprocal[1], reciprocal[0] - reciprocal[1]])
    return max(weaker(halves), weaker(diagonals)) > weaker(reciprocal)


def _refusal(power: Floats, nominal_pitch_px: float) -> str:
    """One line that says what was looked for, and which other pitch stands out, if one does."""
    message = f"white frame: no lattice of lenslets stands out near the nominal pitch of {nominal_pitch_px:.2f} px"
    peak, strength = _strongest_pair(power, 1 / LARGEST_PITCH_PX, 1 / SMALLEST_PITCH_PX)
    if strength < PEAK_OVER_FLOOR:
        return message + "; check that images.radiometry is a white frame taken through the microlens array"
    pitch_px = 1 / float(np.hypot(*peak))
    return message + f", but one of about {pitch_px:.1f} px does; check microlens_array.pitch_um and camera.pixel_um"
