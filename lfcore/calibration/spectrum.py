"""A first lattice from the spectrum of a frame: square or hexagonal, two reciprocal vectors and their phases.

A square lattice of bright discs gives four strong spectral peaks, a quarter turn apart, a hexagonal one six, a sixth
of a turn apart; their phases give the discs' places without any pixel window, so nothing depends on the parity of the
pitch in pixels.
"""

import math
from typing import Literal

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy import ndimage

from lfcore.calibration.distortion import point
from lfcore.calibration.model import Lattice
from lfcore.errors import CalibrationError

Floats = NDArray[np.float64]
Tiling = Literal["square", "hexagonal"]

SEARCH_FACTOR = 1.25
"""Pitches from nominal / SEARCH_FACTOR to nominal * SEARCH_FACTOR are looked for; below sqrt(2), so that the lattice's
diagonal frequency cannot be taken for its fundamental."""

PEAK_OVER_FLOOR = 12.0
"""Power of the weakest peak over the annulus' floor. White noise reaches 5, the sea urchin's white frame a million."""

SMALLEST_PITCH_PX, LARGEST_PITCH_PX = 4.0, 120.0

MOST_UNEQUAL_PEAKS = 0.02
"""The weakest peak's power over the strongest one's. Stripes have a peak in one direction only."""

TURNS_DEG: dict[Tiling, tuple[int, ...]] = {"square": (0, 90), "hexagonal": (0, 60, 120)}
"""Directions of the independent peaks of a lattice's spectrum, from the first one."""

FREQUENCY: dict[Tiling, float] = {"square": 1.0, "hexagonal": 2 / math.sqrt(3)}
"""The fundamental frequency times the distance of neighbours."""

CLEARLY = 4.0
"""A lattice is clearly of the other kind when its weakest peak has so much more power."""


class LatticeKindError(CalibrationError):
    """The lattice in the frame is of another kind than the settings say."""


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


def first_lattice(contrast: Floats, nominal_pitch_px: float, expected: Tiling | None = None) -> Lattice:
    """The square or hexagonal lattice near the nominal pitch, good to about a hundredth of it.

    ``contrast`` is (y, x), what ``flatten_locally`` makes of a frame. The origin is a disc's centre near the frame's
    middle; the column step points within 45 degrees of +x. With ``expected`` None the kind is found out.

    Raises ``LatticeKindError`` for a lattice that is clearly not of the kind ``expected``, and ``CalibrationError``
    when none stands out within ``SEARCH_FACTOR``.
    """
    window = np.outer(np.hanning(contrast.shape[0] + 2)[1:-1], np.hanning(contrast.shape[1] + 2)[1:-1])
    contrast = window * (contrast - np.sum(window * contrast) / np.sum(window))
    # A peak falls between bins, and those of a slightly oblong lattice are not at exact angles.
    power = ndimage.maximum_filter(np.abs(scipy.fft.fft2(contrast)) ** 2, 3, mode="wrap")
    peaks = {kind: _strongest(power, kind, nominal_pitch_px, SEARCH_FACTOR) for kind in TURNS_DEG}
    likely = max(peaks, key=lambda kind: peaks[kind][1])
    bin_size = 1 / np.array(contrast.shape)
    if expected and likely != expected and peaks[likely][1] > CLEARLY * max(peaks[expected][1], PEAK_OVER_FLOOR):
        seen = _refined(contrast, peaks[likely][0], bin_size)
        raise LatticeKindError(_other_kind(likely, expected, FREQUENCY[likely] / float(np.hypot(*seen))))
    kind = expected or likely
    peak, strength = peaks[kind]
    reciprocal = np.stack([_refined(contrast, _turned(peak, turn), bin_size) for turn in TURNS_DEG[kind]])
    lengths = np.hypot(*reciprocal.T) * nominal_pitch_px / FREQUENCY[kind]
    # The flank of a peak outside the annulus can stand out inside it.
    if strength < PEAK_OVER_FLOOR or lengths.min() < 0.95 / SEARCH_FACTOR or lengths.max() > 1.05 * SEARCH_FACTOR:
        raise CalibrationError(_refusal(power, nominal_pitch_px))
    if _coarser_lattice(contrast, reciprocal, bin_size):
        raise CalibrationError(
            f"white frame: its lattice is coarser than the nominal pitch of {nominal_pitch_px:.2f} px; "
            "check microlens_array.pitch_um and camera.pixel_um"
        )
    return _from_reciprocal(contrast, reciprocal, kind)


def _from_reciprocal(contrast: Floats, reciprocal: Floats, kind: Tiling) -> Lattice:
    """The lattice of the reciprocal vectors (2 or 3, 2) [y, x] cycles/px; three are averaged to what two determine."""
    if kind == "hexagonal":
        # The middle one is the sum of its neighbours, up to what noise there is.
        excess = (reciprocal[1] - reciprocal[0] - reciprocal[2]) / 3
        reciprocal = np.stack([reciprocal[0] + excess, reciprocal[2] + excess])
    basis = np.asarray(np.linalg.inv(reciprocal), dtype=np.float64)  # columns: primitive steps
    phases = np.array([np.angle(_fourier(contrast, vector[:1], vector[1:])[0, 0]) for vector in reciprocal])
    origin = basis @ (-phases / (2 * np.pi))
    middle = (np.array(contrast.shape) - 1) / 2
    origin = origin + basis @ np.rint(reciprocal @ (middle - origin))
    return _lattice_of_basis(point(origin), basis, kind)


def _lattice_of_basis(origin: tuple[float, float], basis: Floats, kind: Tiling) -> Lattice:
    """The lattice whose lenslets lie at whole multiples of the columns of ``basis`` (2, 2), counted in cells."""
    first, second = basis.T
    around = [first, second, first + second, first - second]
    around.sort(key=lambda step: float(np.hypot(*step)))
    neighbours = np.array([sign * step for step in around[: len(TURNS_DEG[kind])] for sign in (1, -1)])
    right, down = neighbours[np.argmax(neighbours[:, 1])], neighbours[np.argmax(neighbours[:, 0])]
    if kind == "square":
        return Lattice(origin, point(down), point(right))
    pitch = float(np.hypot(*right))
    if abs(right[0]) < abs(down[1]):  # a row of lenslets runs along x, more nearly than a column along y
        return Lattice(origin, point(neighbours[neighbours[:, 0] > 0.4 * pitch].sum(axis=0)), point(right), kind)
    across = neighbours[neighbours[:, 1] > 0.4 * pitch].sum(axis=0)
    return Lattice(origin, point(down), point(across), kind, "columns")


def _turned(frequency: Floats, turn_deg: float) -> Floats:
    """[y, x] turned; a whole number of quarter turns is exact."""
    cosine, sine = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    return np.array([cosine * frequency[0] + sine * frequency[1], cosine * frequency[1] - sine * frequency[0]])


def _strongest(power: Floats, kind: Tiling, pitch_px: float, factor: float) -> tuple[Floats, float]:
    """Frequency [y, x] (cycles/px) at which all peaks of a kind of lattice are high, and how far above the floor.

    Pitches within ``factor`` of ``pitch_px`` are looked for.
    """
    fy = np.fft.fftfreq(power.shape[0])[:, None]
    fx = np.fft.fftfreq(power.shape[1])[None, :]
    length = np.hypot(fy, fx) * pitch_px / FREQUENCY[kind]
    inside = (length >= 1 / factor) & (length <= factor)
    # One sector holds one of the peaks, however the lattice is turned.
    half_angle = np.deg2rad(45 if kind == "square" else 30)
    angle = np.arctan2(fy, fx)
    rows, columns = np.nonzero(inside & (angle >= -half_angle) & (angle < half_angle))
    if rows.size == 0:
        return np.array([0.0, 1.0]), 0.0
    frequencies = np.stack([fy[rows, 0], fx[0, columns]], axis=0)
    at_turns = []
    for turn in TURNS_DEG[kind]:
        y, x = _turned(frequencies, turn) * np.array(power.shape)[:, None]
        at_turns.append(power[np.rint(y).astype(int) % power.shape[0], np.rint(x).astype(int) % power.shape[1]])
    peaks = np.stack(at_turns)
    weakest = np.where(peaks.min(axis=0) >= MOST_UNEQUAL_PEAKS * peaks.max(axis=0), peaks.min(axis=0), 0.0)
    best = int(np.argmax(weakest))
    # A low quantile, since in a field of ten lenslets the peaks themselves fill a good part of the annulus.
    floor = float(np.quantile(power[inside], 0.2))
    return frequencies[:, best], float(weakest[best]) / max(floor, np.finfo(np.float64).tiny)


def _fourier(image: Floats, fy: Floats, fx: Floats) -> NDArray[np.complex128]:
    """Fourier sum of ``image`` at the grid ``fy`` x ``fx`` (cycles/px)."""
    y, x = np.arange(image.shape[0]), np.arange(image.shape[1])
    along_y = 2 * np.pi * np.outer(fy, y)
    # Twice real is quicker than once complex, for which the image would be copied.
    rows = np.cos(along_y) @ image - 1j * (np.sin(along_y) @ image)
    return np.asarray(rows @ np.exp(-2j * np.pi * np.outer(x, fx)))


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


def _coarser_lattice(image: Floats, reciprocal: Floats, bin_size: Floats) -> bool:
    """Whether the peaks are harmonics: those at half or at the half-diagonals of their frequencies are stronger."""

    def weakest(peaks: Floats) -> float:
        offsets = np.array([-0.5, 0.0, 0.5])
        return min(
            float(np.abs(_fourier(image, f[0] + offsets * bin_size[0], f[1] + offsets * bin_size[1])).max())
            for f in peaks
        )

    coarser = [0.5 * reciprocal]
    if len(reciprocal) == 2:
        coarser.append(0.5 * np.stack([reciprocal[0] + reciprocal[1], reciprocal[0] - reciprocal[1]]))
    return max(weakest(peaks) for peaks in coarser) > weakest(reciprocal)


def _refusal(power: Floats, nominal_pitch_px: float) -> str:
    """One line that says what was looked for, and which other pitch stands out, if one does."""
    message = f"white frame: no lattice of lenslets stands out near the nominal pitch of {nominal_pitch_px:.2f} px"
    middle, factor = math.sqrt(SMALLEST_PITCH_PX * LARGEST_PITCH_PX), math.sqrt(LARGEST_PITCH_PX / SMALLEST_PITCH_PX)
    kind, (peak, strength) = max(
        ((kind, _strongest(power, kind, middle, factor)) for kind in TURNS_DEG), key=lambda found: found[1][1]
    )
    if strength < PEAK_OVER_FLOOR:
        return message + "; check that images.radiometry is a white frame taken through the microlens array"
    pitch_px = FREQUENCY[kind] / float(np.hypot(*peak))
    return message + f", but one of about {pitch_px:.1f} px does; check microlens_array.pitch_um and camera.pixel_um"


def _other_kind(seen: Tiling, expected: Tiling, pitch_px: float) -> str:
    angle = 60 if seen == "hexagonal" else 90
    return (
        f"white frame: its lattice is {seen} (neighbours {pitch_px:.2f} px apart, {angle} degrees between them), but "
        f"microlens_array.lattice is '{expected}'; set it to '{seen}', or give this array's own frames"
    )
