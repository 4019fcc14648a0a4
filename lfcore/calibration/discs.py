"""Centroids of the discs under the lenslets, free of pixel parity, background and uneven illumination."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PASSES = 6
"""Windows are re-centred this often; a pass at least halves what is left of an offset."""

LARGEST_MISSING = 0.08
"""A disc is measured when no more of its window than this is missing or off the camera."""

LARGEST_SHIFT = 0.35
"""A centroid further than this part of a pitch from where it is looked for is another thing's."""

LENSLETS_AT_ONCE = 4096
"""Bounds the memory of the windows."""


@dataclass(frozen=True)
class Discs:
    """What was measured at n places: centroids (n, 2) [y, x] px, brightness (n,) over background.

    ``whole`` (n,) is False where too much of the window was missing or the centroid belongs to something else.
    """

    centroids: Floats
    brightness: Floats
    whole: Flags


def measure_discs(white: Floats, centres: Floats, pitch_px: float) -> Discs:
    """Centroids and brightness of the discs near ``centres`` (n, 2) [y, x] px.

    ``white`` is (y, x), NaN where missing. The window is round, a pitch wide, with a soft edge, and is re-centred on
    the centroid: what is symmetric about a disc, such as its neighbours and a constant background, then moves nothing.
    """
    margin = 2 * int(np.ceil(pitch_px)) + 4
    padded = np.pad(white, margin, constant_values=np.nan)
    parts = [centres[start : start + LENSLETS_AT_ONCE] for start in range(0, len(centres), LENSLETS_AT_ONCE)]
    measured = [_measure_part(padded, part + margin, pitch_px) for part in parts]
    return Discs(
        centroids=np.concatenate([discs.centroids for discs in measured]) - margin,
        brightness=np.concatenate([discs.brightness for discs in measured]),
        whole=np.concatenate([discs.whole for discs in measured]),
    )


def _measure_part(padded: Floats, centres: Floats, pitch_px: float) -> Discs:
    """``measure_discs`` for as many lenslets as memory holds; ``centres`` lie well inside ``padded``."""
    reach = int(np.ceil(0.56 * pitch_px)) + 1
    offsets = np.arange(-reach, reach + 1)
    centroids = centres
    brightness = np.zeros(len(centres))
    whole = np.ones(len(centres), dtype=bool)
    for _ in range(PASSES):
        base = np.rint(centroids).astype(np.intp)
        rows, columns = base[:, 0, None] + offsets, base[:, 1, None] + offsets
        patch = padded[rows[:, :, None], columns[:, None, :]]
        dy, dx = rows - centroids[:, :1], columns - centroids[:, 1:]
        missing = np.isnan(patch)
        _fill_from_opposite(patch, padded, centroids, rows, columns)
        shift, brightness, share_missing = _weigh(patch, missing, dy[:, :, None], dx[:, None, :], pitch_px)
        moved = centroids + shift
        whole = (share_missing <= LARGEST_MISSING) & (np.abs(moved - centres).max(axis=1) < LARGEST_SHIFT * pitch_px)
        centroids = np.where(whole[:, None], moved, centres)
    return Discs(centroids, brightness, whole)


def _fill_from_opposite(
    patch: Floats, padded: Floats, centroids: Floats, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> None:
    """Give missing pixels of ``patch`` (n, h, w) the value across the centroid, so that they pull nowhere."""
    lenslet, row, column = np.nonzero(np.isnan(patch))
    opposite = np.rint(2 * centroids[lenslet]).astype(np.intp)
    values = padded[opposite[:, 0] - rows[lenslet, row], opposite[:, 1] - columns[lenslet, column]]
    patch[lenslet, row, column] = np.where(np.isnan(values), 0.0, values)


def _weigh(patch: Floats, missing: Flags, dy: Floats, dx: Floats, pitch_px: float) -> tuple[Floats, Floats, Floats]:
    """Shift (n, 2) to the windowed centroid, brightness (n,) over background and missing share (n,) of patches."""
    radius = np.hypot(dy, dx)
    taper_px = max(0.12 * pitch_px, 1.0)
    window = 0.5 - 0.5 * np.sin(np.pi * np.clip((radius - 0.5 * pitch_px) / taper_px, -0.5, 0.5))
    area = np.sum(window, axis=(1, 2))
    flat = patch.reshape(len(patch), -1)
    darkest = flat.shape[1] // 12
    background = np.partition(flat, darkest, axis=1)[:, darkest]
    lit = window * (patch - background[:, None, None])
    total = np.sum(lit, axis=(1, 2))
    scale = np.where(total > 0, total, np.inf)
    shift = np.stack([np.sum(lit * dy, axis=(1, 2)), np.sum(lit * dx, axis=(1, 2))], axis=1) / scale[:, None]
    return shift, total / area, np.sum(window * missing, axis=(1, 2)) / area


class Illumination:
    """Smooth unevenness of the light over the camera: a polynomial in the logarithm of the discs' brightness."""

    def __init__(self, places: Floats, brightness: Floats, shape: tuple[int, int]) -> None:
        """Fit to ``brightness`` (n,) at ``places`` (n, 2) [y, x] px; missing and dirty discs are left out."""
        self._shape = shape
        lit = brightness > 0.02 * np.max(brightness, initial=0.0)
        places, logarithm = places[lit], np.log(brightness[lit])
        self._degree = 4 if len(places) >= 80 else 2 if len(places) >= 20 else 0
        design = self._design(places[:, 0], places[:, 1])
        kept = np.ones(len(places), dtype=bool)
        for _ in range(8):
            self._coefficients = np.linalg.lstsq(design[kept], logarithm[kept], rcond=None)[0]
            residual = logarithm - design @ self._coefficients
            spread = 1.4826 * float(np.median(np.abs(residual[kept])))
            now_kept = np.abs(residual) <= max(3 * spread, 0.02)
            if np.array_equal(now_kept, kept) or np.count_nonzero(now_kept) < 2 * design.shape[1]:
                break
            kept = now_kept

    def _design(self, y: Floats, x: Floats) -> Floats:
        v, u = 2 * y / self._shape[0] - 1, 2 * x / self._shape[1] - 1
        powers = [(i, j) for i in range(self._degree + 1) for j in range(self._degree + 1 - i)]
        return np.stack([v**i * u**j for i, j in powers], axis=-1)

    def at(self, places: Floats) -> Floats:
        """Expected brightness (n,) at ``places`` (n, 2) [y, x] px."""
        return np.asarray(np.exp(self._design(places[:, 0], places[:, 1]) @ self._coefficients))

    def image(self) -> Floats:
        """Expected brightness (y, x) of each camera pixel."""
        v = 2 * np.arange(self._shape[0]) / self._shape[0] - 1
        u = 2 * np.arange(self._shape[1]) / self._shape[1] - 1
        table = np.zeros((self._degree + 1, self._degree + 1))
        powers = [(i, j) for i in range(self._degree + 1) for j in range(self._degree + 1 - i)]
        for (i, j), coefficient in zip(powers, self._coefficients, strict=True):
            table[i, j] = coefficient
        return np.asarray(np.exp(np.polynomial.polynomial.polygrid2d(v, u, table)))
