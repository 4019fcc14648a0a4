"""How the lattice of lenslets is found in a white frame.

A first lattice from the spectrum, then centroids of the discs with the light's unevenness taken out, then an affine fit
that leaves strays out. Nothing is random, and no length is in pixels: all scale with the pitch.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfcore.calibration.discs import Discs, Illumination, measure_discs
from lfcore.calibration.model import Calibration, Lattice, LatticeFit, Source, point
from lfcore.calibration.spectrum import first_lattice
from lfcore.errors import CalibrationError

__all__ = ["Calibration", "Lattice", "LatticeFit", "find_lattice", "fit_lattice"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

WHOLE_TOLERANCE_PX = 0.5
"""A lenslet that overhangs the camera by no more than this counts as whole."""

DIMMEST_DISC = 0.3
"""A disc is found when it has this fraction of the brightness that its neighbourhood lets expect."""

STRAY_SIGMAS = 5.0
"""A centroid further off than this many standard deviations of the residual is left out of the fit."""

SMALLEST_STRAY = 0.01
"""A centroid nearer than this, in pitches, is never left out: ray-traced frames leave no residual to speak of."""

SMALLEST_FIELD = 5
"""Fewer rows or columns than this are no lattice to fit."""

FEWEST_DISCS = SMALLEST_FIELD**2

SMALLEST_SHARE = 0.5
"""Of the discs that lie whole on the camera, this share must agree with the lattice."""

LARGEST_RESIDUAL = 0.1
"""The largest believable residual, rms, in pitches."""

SMALLEST_FINITE_SHARE = 0.5
"""Of a white frame's pixels, this share must be there."""


@dataclass(frozen=True)
class _Measured:
    """A lattice with the discs that it was fitted to; the arrays are (n,) along ``indices`` (n, 2) [row, column]."""

    lattice: Lattice
    indices: NDArray[np.intp]
    discs: Discs
    found: Flags
    inliers: Flags


def find_lattice(
    white: NDArray[np.floating[Any]],
    nominal_pitch_px: float,
    pixels_per_lenslet: int | None = None,
    source: Source = "radiometry",
) -> Calibration:
    """The calibration of ``fit_lattice`` without what it was fitted to."""
    return fit_lattice(white, nominal_pitch_px, pixels_per_lenslet, source).calibration


def fit_lattice(
    white: NDArray[np.floating[Any]],
    nominal_pitch_px: float,
    pixels_per_lenslet: int | None = None,
    source: Source = "radiometry",
) -> LatticeFit:
    """Find the square lattice of lenslets in a white frame.

    ``white`` is (y, x), NaN where missing or saturated; the true pitch may differ from ``nominal_pitch_px`` by a fifth.
    ``pixels_per_lenslet`` defaults to the measured pitch, rounded; ``source`` names the image in the calibration.

    Raises ``CalibrationError`` when no lattice is there.
    """
    frame = _checked(white)
    lattice = Lattice(*(point(vector) for vector in first_lattice(frame, nominal_pitch_px)))
    coarse, illumination = _refined(frame, lattice)
    measured, _ = _refined(illumination.flattened(frame), coarse.lattice)
    return _on_grid(frame.shape, measured, pixels_per_lenslet, source)


def _checked(white: NDArray[np.floating[Any]]) -> Floats:
    """``white`` in double precision, if there is any light in it."""
    if white.ndim != 2:
        raise CalibrationError(f"white frame: it has {white.ndim} axes; give one monochrome image (y, x)")
    frame = np.asarray(white, dtype=np.float64)
    finite = np.isfinite(frame)
    share = np.count_nonzero(finite) / max(frame.size, 1)
    if share < SMALLEST_FINITE_SHARE:
        raise CalibrationError(
            f"white frame: {1 - share:.0%} of its pixels are saturated or missing; take it with a shorter exposure"
        )
    darkest, brightest = np.quantile(frame[finite], (0.02, 0.98))
    if brightest <= 0 or brightest - darkest <= 1e-6 * abs(brightest):
        raise CalibrationError(
            "white frame: it is evenly dark or bright and shows no discs; check images.radiometry and images.dark"
        )
    return np.where(finite, frame, np.nan)


def _refined(frame: Floats, lattice: Lattice) -> tuple[_Measured, Illumination]:
    """The lattice fitted to the discs around its own centres, and the illumination that their brightness shows."""
    indices = _indices_on(frame.shape, lattice)
    discs = measure_discs(frame, _places(lattice, indices), lattice.steps)
    if np.count_nonzero(discs.whole & (discs.brightness > 0)) < FEWEST_DISCS:
        raise CalibrationError(
            f"white frame: fewer than {FEWEST_DISCS} whole discs can be measured; "
            "check that it is not saturated and shows the array"
        )
    illumination = Illumination(discs, frame.shape)
    found = discs.whole & (discs.brightness > DIMMEST_DISC * illumination.expected(discs.centroids))
    fitted, inliers = _fit_affine(indices, discs.centroids, found, lattice.mean_pitch_px)
    return _Measured(fitted, indices, discs, found, inliers), illumination


def _places(lattice: Lattice, indices: NDArray[np.intp]) -> Floats:
    return np.asarray(lattice.origin_px + indices @ lattice.steps.T)


def _indices_on(shape: tuple[int, ...], lattice: Lattice) -> NDArray[np.intp]:
    """[row, column] of every lenslet whose centre lies on the camera, (n, 2)."""
    corners = np.array([[0, 0], [0, shape[1]], [shape[0], 0], shape]) - 0.5
    fractional = np.linalg.solve(lattice.steps, (corners - lattice.origin_px).T).T
    first, last = np.floor(fractional.min(axis=0)).astype(int), np.ceil(fractional.max(axis=0)).astype(int)
    axes = [np.arange(low, high + 1) for low, high in zip(first, last, strict=True)]
    indices = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    places = _places(lattice, indices)
    return np.asarray(indices[np.all((places >= -0.5) & (places <= np.array(shape) - 0.5), axis=1)])


def _fit_affine(indices: NDArray[np.intp], centroids: Floats, found: Flags, pitch_px: float) -> tuple[Lattice, Flags]:
    """Least squares over the discs in agreement with one another, and which those are (iterated rejection)."""
    design = np.concatenate([np.ones((len(indices), 1)), indices], axis=1)
    kept = found
    for _ in range(20):
        if np.count_nonzero(kept) < FEWEST_DISCS:
            raise CalibrationError(
                f"white frame: fewer than {FEWEST_DISCS} discs agree on a lattice; "
                "check that it shows the microlens array"
            )
        solution = np.linalg.lstsq(design[kept], centroids[kept], rcond=None)[0]
        residual = np.hypot(*(centroids - design @ solution).T)
        # The median length of a two-dimensional normal deviate is 1.177 standard deviations.
        sigma = float(np.median(residual[kept])) / 1.177
        agreeing = found & (residual <= max(STRAY_SIGMAS * sigma, SMALLEST_STRAY * pitch_px))
        if np.array_equal(agreeing, kept):
            break
        kept = agreeing
    return Lattice(*(point(vector) for vector in solution)), kept


def _whole_range(extent: int, start: float, step: float, half: float) -> tuple[int, int]:
    """First and last index whose lenslet, centred at ``start + index * step``, lies whole on the camera's axis."""
    low, high = -0.5 + half - WHOLE_TOLERANCE_PX, extent - 0.5 - half + WHOLE_TOLERANCE_PX
    return int(np.ceil((low - start) / step)), int(np.floor((high - start) / step))


def _on_grid(shape: tuple[int, ...], measured: _Measured, pixels_per_lenslet: int | None, source: Source) -> LatticeFit:
    """Number the lenslets from the first row and column whose middle one is whole, and judge the fit on that grid."""
    lattice = measured.lattice
    middle = (np.array(shape) - 1) / 2
    row, column = np.rint(np.linalg.solve(lattice.steps, middle - lattice.origin_px)).astype(int)
    pitch_y, pitch_x = lattice.pitch_px
    at_column, at_row = _places(lattice, np.array([[0, column], [row, 0]]))
    first_row, last_row = _whole_range(shape[0], at_column[0], lattice.row_step_px[0], pitch_y / 2)
    first_column, last_column = _whole_range(shape[1], at_row[1], lattice.column_step_px[1], pitch_x / 2)
    rows, columns = last_row - first_row + 1, last_column - first_column + 1
    if min(rows, columns) < SMALLEST_FIELD:
        raise CalibrationError(
            f"white frame: only {max(rows, 0)} x {max(columns, 0)} lenslets lie on the camera; "
            f"at least {SMALLEST_FIELD} x {SMALLEST_FIELD} are needed"
        )
    first = np.array([first_row, first_column])
    numbers = measured.indices - first
    on_grid = np.all((numbers >= 0) & (numbers < (rows, columns)), axis=1)
    found, inliers = measured.found & on_grid, measured.inliers & on_grid
    centroids = np.full((rows, columns, 2), np.nan)
    centroids[tuple(numbers[found].T)] = measured.discs.centroids[found]
    flags = np.zeros((rows, columns), dtype=bool)
    flags[tuple(numbers[inliers].T)] = True
    numbered = Lattice(point(_places(lattice, first[None])[0]), lattice.row_step_px, lattice.column_step_px)
    lengths = np.hypot(*(centroids - numbered.centres(rows, columns))[flags].T)
    calibration = Calibration(
        lattice=numbered,
        rows=rows,
        columns=columns,
        found=int(np.count_nonzero(found)),
        inliers=int(np.count_nonzero(inliers)),
        residual_rms_px=float(np.sqrt(np.sum(lengths**2) / max(lengths.size, 1))),
        residual_max_px=float(np.max(lengths, initial=0.0)),
        pixels_per_lenslet=pixels_per_lenslet or round(lattice.mean_pitch_px),
        image_shape=(shape[0], shape[1]),
        source=source,
    )
    _judge(calibration, int(np.count_nonzero(measured.discs.whole & on_grid)))
    return LatticeFit(calibration, centroids, flags)


def _judge(calibration: Calibration, whole: int) -> None:
    """Raise ``CalibrationError`` when the discs do not bear the lattice out; ``whole`` counts those that could."""
    pitch_px = calibration.lattice.mean_pitch_px
    if (
        calibration.inliers < max(SMALLEST_SHARE * whole, FEWEST_DISCS)
        or calibration.residual_rms_px > LARGEST_RESIDUAL * pitch_px
    ):
        raise CalibrationError(
            f"white frame: only {calibration.inliers} of {whole} discs agree with a lattice of {pitch_px:.2f} px "
            f"(rms {calibration.residual_rms_px:.2f} px); check that images.radiometry is a white frame, in focus"
        )
