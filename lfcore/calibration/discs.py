"""Centroids of the discs under the lenslets, free of pixel parity, background and uneven illumination."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PASSES = 5
"""Windows are re-centred this often."""

OVERSHOOT = 4 / 3
"""The centroid in an off-centre window shows the whole offset of a small disc, and half that of one which fills the
window; with this factor a pass leaves at most a third of either."""

LARGEST_MISSING = 0.02
"""A disc is measured when no more of its window than this is missing or off the camera."""

LARGEST_SHIFT = 0.35
"""A centroid further than this part of a pitch from where it is looked for is another thing's."""

WINDOW_RADIUS, WINDOW_EDGE = 0.52, 0.10
"""The window falls to nothing over this width about this radius, in pitches: outside a disc, inside its neighbours."""

GAP = 0.12
"""Half the side, in pitches, of the squares around the corners of a cell that no disc reaches."""

LENSLETS_AT_ONCE = 4096
"""Bounds the memory of the windows."""


@dataclass(frozen=True)
class Discs:
    """What was measured at n places: centroids (n, 2) [y, x] px, brightness (n,) over ``background`` (n,).

    ``whole`` (n,) is False where too much of the window was missing or the centroid belongs to something else.
    """

    centroids: Floats
    brightness: Floats
    background: Floats
    whole: Flags


def measure_discs(white: Floats, centres: Floats, steps: Floats) -> Discs:
    """Centroids and brightness of the discs near ``centres`` (n, 2) [y, x] px of a lattice of ``steps`` (2, 2).

    ``white`` is (y, x), NaN where missing. The window is round, a pitch wide, with a soft edge, and is re-centred on
    the centroid: what is symmetric about a disc, such as its neighbours and a constant background, then moves nothing.
    """
    pitch_px = _side(steps)
    margin = 2 * int(np.ceil(pitch_px)) + 4
    padded = np.pad(white, margin, constant_values=np.nan)
    parts = [centres[start : start + LENSLETS_AT_ONCE] for start in range(0, len(centres), LENSLETS_AT_ONCE)]
    measured = [_measure_part(padded, part + margin, steps) for part in parts]
    return Discs(
        centroids=np.concatenate([discs.centroids for discs in measured]) - margin,
        brightness=np.concatenate([discs.brightness for discs in measured]),
        background=np.concatenate([discs.background for discs in measured]),
        whole=np.concatenate([discs.whole for discs in measured]),
    )


def _side(steps: Floats) -> float:
    """Side of the square that has a lenslet's area, px."""
    return float(np.sqrt(np.abs(np.linalg.det(steps))))


def _measure_part(padded: Floats, centres: Floats, steps: Floats) -> Discs:
    """``measure_discs`` for as many lenslets as memory holds; ``centres`` lie well inside ``padded``."""
    pitch_px = _side(steps)
    reach = int(np.ceil((WINDOW_RADIUS + 0.5 * WINDOW_EDGE) * pitch_px)) + 1
    offsets = np.arange(-reach, reach + 1)
    background = _in_gaps(_patches(padded, centres, offsets), steps)
    centroids = centres
    for _ in range(PASSES):
        around = _patches(padded, centroids, offsets)
        values = around.values - background[:, None, None]
        shift, brightness, share_missing = _weigh(values, around.missing, around.dy, around.dx, pitch_px)
        moved = centroids + OVERSHOOT * shift
        near = np.abs(moved - centres).max(axis=1) < LARGEST_SHIFT * pitch_px
        whole = (share_missing <= LARGEST_MISSING) & near
        centroids = np.where(whole[:, None], moved, centres)
    return Discs(centroids, brightness, background, whole)


@dataclass(frozen=True)
class _Patches:
    """Pixels (n, h, w) around n places, which were missing, and the rows' and columns' distances (n, h), (n, w)."""

    values: Floats
    missing: Flags
    dy: Floats
    dx: Floats


def _patches(padded: Floats, places: Floats, offsets: NDArray[np.intp]) -> _Patches:
    """The pixels around ``places``; missing ones take the value across the place, so that they pull nowhere."""
    base = np.rint(places).astype(np.intp)
    rows, columns = base[:, 0, None] + offsets, base[:, 1, None] + offsets
    values = padded[rows[:, :, None], columns[:, None, :]]
    missing = np.isnan(values)
    lenslet, row, column = np.nonzero(missing)
    opposite = np.rint(2 * places[lenslet]).astype(np.intp)
    across = padded[opposite[:, 0] - rows[lenslet, row], opposite[:, 1] - columns[lenslet, column]]
    values[missing] = np.where(np.isnan(across), 0.0, across)
    return _Patches(values, missing, rows - places[:, :1], columns - places[:, 1:])


def _in_gaps(around: _Patches, steps: Floats) -> Floats:
    """Mean (n,) of each patch where the cells of four lenslets meet, between their discs.

    A mean and not the darkest pixels, since noise makes those too dark, which dim corners would magnify.
    """
    per_px = np.linalg.inv(steps)
    in_gap = np.ones(around.values.shape, dtype=bool)
    for axis in range(2):
        cells = (per_px[axis, 0] * around.dy)[:, :, None] + (per_px[axis, 1] * around.dx)[:, None, :]
        in_gap &= np.abs(np.abs(cells) - 0.5) < GAP
    return np.asarray(np.sum(around.values * in_gap, axis=(1, 2)) / np.maximum(np.sum(in_gap, axis=(1, 2)), 1))


def _weigh(patch: Floats, missing: Flags, dy: Floats, dx: Floats, pitch_px: float) -> tuple[Floats, Floats, Floats]:
    """Shift (n, 2) to the windowed centroid, brightness (n,) and missing share (n,) of patches (n, h, w).

    ``dy`` (n, h) and ``dx`` (n, w) are the distances of rows and columns from the window's centre, px.
    """
    radius = np.sqrt((dy**2)[:, :, None] + (dx**2)[:, None, :])
    edge = np.clip((radius - WINDOW_RADIUS * pitch_px) / max(WINDOW_EDGE * pitch_px, 1.0) + 0.5, 0, 1)
    window = 1 - edge**2 * (3 - 2 * edge)
    area = np.sum(window, axis=(1, 2))
    lit = window * patch
    by_row, by_column = np.sum(lit, axis=2), np.sum(lit, axis=1)
    total = np.sum(by_row, axis=1)
    scale = np.where(total > 0, total, np.inf)
    shift = np.stack([np.sum(by_row * dy, axis=1), np.sum(by_column * dx, axis=1)], axis=1) / scale[:, None]
    share_missing = np.sum(window * missing, axis=(1, 2)) / area if missing.any() else np.zeros(len(patch))
    return shift, total / area, share_missing


class Surface:
    """A smooth function of the place on the camera: a polynomial fitted to scattered values, strays left out."""

    def __init__(self, places: Floats, values: Floats, shape: tuple[int, ...]) -> None:
        """Fit to ``values`` (n,) at ``places`` (n, 2) [y, x] px of a camera of ``shape``."""
        self._shape = shape
        degree = 4 if len(places) >= 80 else 2 if len(places) >= 20 else 0
        self._powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        design = self._design(places)
        kept = np.ones(len(places), dtype=bool)
        for _ in range(8):
            self._coefficients = np.linalg.lstsq(design[kept], values[kept], rcond=None)[0]
            distance = np.abs(values - design @ self._coefficients)
            now_kept = distance <= 3 * 1.4826 * float(np.median(distance[kept])) + 1e-9
            if np.array_equal(now_kept, kept) or np.count_nonzero(now_kept) < 2 * len(self._powers):
                break
            kept = now_kept

    def _design(self, places: Floats) -> Floats:
        v, u = 2 * places[:, 0] / self._shape[0] - 1, 2 * places[:, 1] / self._shape[1] - 1
        return np.stack([v**i * u**j for i, j in self._powers], axis=-1)

    def at(self, places: Floats) -> Floats:
        """Values (n,) at ``places`` (n, 2) [y, x] px."""
        return np.asarray(self._design(places) @ self._coefficients)

    def image(self) -> Floats:
        """Value (y, x) at each camera pixel."""
        v, u = (2 * np.arange(extent) / extent - 1 for extent in self._shape)
        degree = max(i for i, _ in self._powers)
        table = np.zeros((degree + 1, degree + 1))
        table[tuple(np.transpose(self._powers))] = self._coefficients
        return np.asarray(np.polynomial.polynomial.polygrid2d(v, u, table))


class Illumination:
    """The light's unevenness over the camera, from the discs' brightness, and the background between the discs."""

    def __init__(self, discs: Discs, shape: tuple[int, ...]) -> None:
        """Fit to the ``discs`` of a frame of ``shape``; missing and dirty ones are left out."""
        brightest = np.max(discs.brightness[discs.whole], initial=0.0)
        lit = discs.whole & (discs.brightness > 0.02 * brightest)
        self._logarithm = Surface(discs.centroids[lit], np.log(discs.brightness[lit]), shape)
        self._background = Surface(discs.centroids[discs.whole], discs.background[discs.whole], shape)

    def expected(self, places: Floats) -> Floats:
        """Brightness (n,) that a clean disc has at ``places`` (n, 2) [y, x] px."""
        return np.exp(self._logarithm.at(places))

    def flattened(self, frame: Floats) -> Floats:
        """``frame`` (y, x) with the background taken off and every clean disc brought to the same brightness.

        A slope of either across a disc would pull its centroid, always inwards, and so shrink the pitch.
        """
        return np.asarray((frame - self._background.image()) / np.exp(self._logarithm.image()))
