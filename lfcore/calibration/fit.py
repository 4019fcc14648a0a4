"""A lattice fitted to the places of discs, strays left out; with bending terms when these pay for themselves."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from lfcore.calibration.distortion import Distortion, point
from lfcore.calibration.model import Lattice
from lfcore.calibration.surface import linear_fit
from lfcore.errors import CalibrationError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

STRAY_SIGMAS = 5.0
"""A disc further off than this many standard deviations is left out of the fit."""

SMALLEST_STRAY = 0.01
"""A disc nearer than this, in pitches, is never left out: ray-traced frames leave no residual to speak of."""

FEWEST_DISCS = 25

FOLDS = 5
PAYS_SIGMAS = 2.0
PAYS_SHARE = 0.05
SMALLEST_BEND_PX = 0.01
"""Terms pay when squared errors at left-out discs fall by so many standard errors, and by this share of them, and the
terms move the discs by this much, rms: less is nothing that resampling could show."""


@dataclass(frozen=True)
class Terms:
    """Which bending terms are fitted."""

    projective: bool = False
    radial: bool = False

    @property
    def count(self) -> int:
        """Free numbers of these terms."""
        return 2 * self.projective + self.radial


CANDIDATES = (Terms(), Terms(projective=True), Terms(radial=True), Terms(True, True))


@dataclass(frozen=True)
class Sighting:
    """n discs: ``cells`` (n, 2) [row, column], ``places`` (n, 2) [y, x] px, ``errors`` (n,) px; ``found`` (n,)."""

    cells: Floats
    places: Floats
    errors: Floats
    found: Flags

    def of(self, chosen: Flags) -> "Sighting":
        """The ``chosen`` (n,) of them."""
        return Sighting(self.cells[chosen], self.places[chosen], self.errors[chosen], self.found[chosen])


def robust_fit(seen: Sighting, start: Lattice, terms: Terms, shape: tuple[int, ...]) -> tuple[Lattice, Flags]:
    """The lattice of the discs in agreement with one another, and which those are (iterated rejection).

    The weight of a disc is one over its variance: that of its noise, and what all scatter besides.
    Raises ``CalibrationError`` when too few agree.
    """
    lattice, kept, scatter = start, seen.found, 0.0
    for _ in range(20):
        if np.count_nonzero(kept) < FEWEST_DISCS:
            raise CalibrationError(
                f"white frame: fewer than {FEWEST_DISCS} discs agree on a lattice; "
                "check that it shows the microlens array"
            )
        lattice = solve(seen.of(kept), lattice, terms, shape, scatter)
        residual = np.hypot(*(seen.places - lattice.places(seen.cells)).T)
        # The median length of a two-dimensional normal deviate is 1.177 standard deviations.
        excess = np.median(residual[kept]) ** 2 / 1.386 - np.median(seen.errors[kept]) ** 2
        scatter = float(np.sqrt(max(excess, 0.0)))
        sigma = np.hypot(np.minimum(seen.errors, 3 * np.median(seen.errors[kept])), scatter)
        limit = np.maximum(STRAY_SIGMAS * sigma, SMALLEST_STRAY * lattice.mean_pitch_px)
        agreeing = seen.found & (residual <= limit)
        if np.array_equal(agreeing, kept):
            break
        kept = agreeing
    return lattice, kept


def solve(seen: Sighting, start: Lattice, terms: Terms, shape: tuple[int, ...], scatter: float = 0.0) -> Lattice:
    """Weighted least squares on a camera of ``shape``, from ``start``, whose kind and orientation are kept."""
    variance = seen.errors**2 + scatter**2
    weight = 1 / np.sqrt(np.maximum(variance, 1e-6 * float(np.mean(variance)) + 1e-12))
    if not terms.count:
        design = np.concatenate([np.ones((len(seen.cells), 1)), seen.cells], axis=1)
        return _lattice(linear_fit(design * weight[:, None], seen.places * weight[:, None]), start, None)

    def built(numbers: Floats) -> Lattice:
        return _lattice(numbers[:6].reshape(3, 2), start, _bent(numbers[6:], terms, shape))

    def misfit(numbers: Floats) -> Floats:
        return np.asarray(((built(numbers).places(seen.cells) - seen.places) * weight[:, None]).ravel())

    affine = np.array([start.origin_px, start.row_step_px, start.column_step_px]).ravel()
    bend = start.distortion
    bending = np.zeros(terms.count) if bend is None else np.array([*bend.projective, bend.radial])[_used(terms)]
    return built(optimize.least_squares(misfit, np.concatenate([affine, bending]), x_scale="jac", method="lm").x)


def terms_that_pay(seen: Sighting, start: Lattice, shape: tuple[int, ...]) -> Terms:
    """The fewest terms that no others beat at discs left out of the fit (five folds, drawn with a fixed seed)."""
    fold = np.random.default_rng(0).permutation(len(seen.cells)) % FOLDS
    straight = solve(seen, replace(start, distortion=None), Terms(), shape).places(seen.cells)
    best, best_errors = CANDIDATES[0], _left_out(seen, fold, start, CANDIDATES[0], shape)
    for terms in CANDIDATES[1:]:
        bend = solve(seen, start, terms, shape).places(seen.cells) - straight
        errors = _left_out(seen, fold, start, terms, shape)
        gain = best_errors - errors
        needed = max(PAYS_SIGMAS * float(np.std(gain)) / np.sqrt(len(gain)), PAYS_SHARE * float(np.mean(best_errors)))
        if np.mean(gain) > needed and np.sqrt(np.mean(np.sum(bend**2, axis=1))) > SMALLEST_BEND_PX:
            best, best_errors = terms, errors
    return best


def _left_out(seen: Sighting, fold: NDArray[np.intp], start: Lattice, terms: Terms, shape: tuple[int, ...]) -> Floats:
    """Squared distance (n,) px^2 of each disc from a lattice fitted to the other folds."""
    errors = np.empty(len(seen.cells))
    for part in range(FOLDS):
        out = fold == part
        lattice = solve(seen.of(~out), replace(start, distortion=None), terms, shape)
        errors[out] = np.sum((seen.places[out] - lattice.places(seen.cells[out])) ** 2, axis=1)
    return errors


def _used(terms: Terms) -> Flags:
    return np.array([terms.projective, terms.projective, terms.radial])


def _bent(numbers: Floats, terms: Terms, shape: tuple[int, ...]) -> Distortion:
    values = np.zeros(3)
    values[_used(terms)] = numbers
    middle = (np.array(shape) - 1) / 2
    return Distortion(point(middle), 0.5 * math.hypot(*shape), point(values[:2]), float(values[2]))


def _lattice(solution: Floats, like: Lattice, distortion: Distortion | None) -> Lattice:
    origin, row_step, column_step = (point(vector) for vector in solution)
    return Lattice(origin, row_step, column_step, like.kind, like.orientation, distortion)
