"""How the lattice of lenslets is found, in a white frame or in a light field.

A first lattice from the spectrum, then the mean disc and its place under each lenslet, in turns, with the light's
unevenness taken out; then bending terms if they pay. Nothing is random, and no length is in pixels: all scale with the
pitch.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lfcore.calibration.discs import Discs, Noise, Sight
from lfcore.calibration.fit import FEWEST_DISCS, Sighting, Terms, robust_fit, terms_that_pay
from lfcore.calibration.model import Calibration, Lattice, LatticeFit, Source
from lfcore.calibration.numbering import nominal_fit, numbered, on_grid
from lfcore.calibration.pixels import Lenslets
from lfcore.calibration.spectrum import Tiling, first_lattice, flatten_locally
from lfcore.calibration.surface import Surface
from lfcore.calibration.template import Template, first_template
from lfcore.errors import CalibrationError

__all__ = ["Calibration", "Lattice", "LatticeFit", "fit_lattice", "nominal_fit"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Pulse = Callable[[float], None]

DIMMEST_DISC = 0.3
"""A disc is found when it has this fraction of the brightness that its neighbourhood lets expect."""

FAINTEST_SIGMAS, FAINTEST_SHARE = 6.0, 0.05
"""Under a sample, whose brightness nothing foretells: standard errors, and part of the brightest lenslets' light."""

SMALLEST_SHARE = 0.5
"""Of the discs that lie whole on the camera, this share must agree with the lattice."""

LARGEST_RESIDUAL = 0.1
"""The largest believable residual, rms, in pitches."""

SMALLEST_FINITE_SHARE = 0.15
"""Of a frame's pixels, this share must be there; saturated discs still have edges."""

LARGEST_GAP = 0.6
"""Missing pixels nearer than this, in pitches, to one that is there are taken for a saturated disc's."""

SETTLED_PX = 2e-4
"""The lattice is found when a further round moves no corner of it by more than this, or after ``MOST_ROUNDS``."""

MOST_ROUNDS = 8


@dataclass(frozen=True)
class _Round:
    """What one round has found: n lenslets and their discs, which are there, and on which the lattice rests."""

    lenslets: Lenslets
    discs: Discs
    found: Flags
    inliers: Flags
    lattice: Lattice
    template: Template

    @property
    def places(self) -> Floats:
        """Where the discs are, (n, 2) [y, x] px."""
        return self.lenslets.lattice.places(self.lenslets.cells) + self.discs.shifts

    @property
    def sighting(self) -> Sighting:
        """The discs as they are fitted."""
        return Sighting(self.lenslets.cells, self.places, self.discs.errors, self.found)


def fit_lattice(
    frame: NDArray[np.floating[Any]],
    nominal_pitch_px: float,
    pixels_per_lenslet: int | None = None,
    source: Source = "radiometry",
    kind: Tiling | None = None,
    pulse: Pulse = lambda part: None,
) -> LatticeFit:
    """Find the lattice of lenslets in a frame.

    ``frame`` is (y, x), NaN where missing or saturated; the true pitch may differ from ``nominal_pitch_px`` by a fifth.
    ``pixels_per_lenslet`` defaults to the measured pitch, rounded. ``source`` says what the frame is: a white frame is
    lit evenly up to smooth changes, a light field is not. With ``kind`` None it is found out whether the lattice is
    square or hexagonal. ``pulse`` is told the part done.

    Raises ``CalibrationError`` when no lattice is there, or one that is clearly of another kind.
    """
    image = _checked(frame)
    pulse(0.1)
    filled = _gaps_filled(image, nominal_pitch_px)
    contrast = flatten_locally(filled, round(3 * nominal_pitch_px))
    lattice = first_lattice(contrast, nominal_pitch_px, kind)
    pulse(0.2)
    last = _Search(image, np.isfinite(filled), source).settled(contrast, lattice, pulse)
    return _on_grid(image.shape, last, pixels_per_lenslet, source)


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


def _gaps_filled(frame: Floats, pitch_px: float) -> Floats:
    """``frame`` with the nearest value where one is no further than a lenslet reaches: saturated discs, dead pixels."""
    missing = np.isnan(frame)
    if not missing.any():
        return frame
    distance, nearest = ndimage.distance_transform_edt(missing, return_indices=True)
    return np.where(distance <= LARGEST_GAP * pitch_px, frame[tuple(nearest)], np.nan)


class _Search:
    """Rounds on one frame: mean disc, places of the discs, lattice; what a round learns, the next one uses."""

    def __init__(self, image: Floats, seen: Flags, source: Source) -> None:
        self._image, self._seen, self._shape, self._evenly = image, seen, image.shape, source == "radiometry"
        self._light, self._background = np.ones(image.shape), np.zeros(image.shape)
        self._noise = Noise()
        self._terms = Terms()

    def settled(self, contrast: Floats, lattice: Lattice, pulse: Pulse) -> _Round:
        """The round after which the lattice stays where it is; the first one looks at the frame's ``contrast``."""
        light = np.ones(self._shape), np.zeros(self._shape)
        contrast = np.where(self._seen, contrast, np.nan)
        last = self._round(Sight(contrast, *light, self._seen, Lenslets.on_camera(self._shape, lattice)), None)
        for count in range(MOST_ROUNDS):
            pulse(0.2 + 0.8 * count / MOST_ROUNDS)
            this = self._next(last, first=count == 0)
            moved, last = _move(last.lattice, this.lattice, self._shape), this
            terms = self._terms
            # From the third round on the mean disc is sharp. Under a sample, parallax bends as optics do.
            if self._evenly and count in (2, 4):
                self._terms = terms_that_pay(this.sighting.of(this.inliers), this.lattice, self._shape)
            if count >= 2 and moved < SETTLED_PX and self._terms == terms:
                break
        return last

    def _next(self, last: _Round, first: bool) -> _Round:
        """The round after ``last``, whose discs are of the frame itself unless it was the ``first``."""
        lenslets = Lenslets.on_camera(self._shape, last.lattice)
        flat = (self._image - self._background) / self._light
        sight = Sight(flat, self._light, self._background, self._seen, lenslets, slopes=not self._evenly)
        same = not first and np.array_equal(lenslets.numbers, last.lenslets.numbers)
        this = self._round(sight, last.discs if same else None, None if first else last.template)
        template = sight.mean_disc(this.discs, this.inliers)
        self._noise = sight.noise(this.template, this.discs, this.inliers)
        if self._evenly:
            self._learn_light(this, with_background=not first)
        return replace(this, template=template)

    def _round(self, sight: Sight, before: Discs | None, template: Template | None = None) -> _Round:
        """Measure and fit; without a ``template`` the first guess serves."""
        lenslets = sight.lenslets
        template = template or first_template(lenslets.lattice)
        discs = sight.measure(template, self._noise, before)
        found = discs.whole & self._bright_enough(lenslets, discs)
        places = lenslets.lattice.places(lenslets.cells) + discs.shifts
        seen = Sighting(lenslets.cells, places, discs.errors, found)
        lattice, inliers = robust_fit(seen, lenslets.lattice, self._terms, self._shape)
        return _Round(lenslets, discs, found, inliers, lattice, template)

    def _bright_enough(self, lenslets: Lenslets, discs: Discs) -> Flags:
        """Which discs (n,) are there at all."""
        measured = discs.brightness[discs.whole]
        if not len(measured):
            return discs.whole
        if not self._evenly:
            level = FAINTEST_SHARE * float(np.quantile(measured, 0.95))
            return (discs.brightness > FAINTEST_SIGMAS * discs.brightness_error) & (discs.brightness > level)
        lit = discs.whole & (discs.brightness > 0.02 * np.max(measured))
        places = lenslets.lattice.places(lenslets.cells)
        expected = np.exp(Surface(places[lit], np.log(discs.brightness[lit]), self._shape).at(places))
        return np.asarray(discs.brightness > DIMMEST_DISC * expected)

    def _learn_light(self, this: _Round, with_background: bool) -> None:
        """Light and background (y, x) from those of the discs, so that neither's slope pulls at a disc."""
        places = this.places[this.inliers]
        y, x = (np.clip(np.rint(places[:, axis]).astype(int), 0, self._shape[axis] - 1) for axis in (0, 1))
        light = self._light[y, x]
        background = self._background[y, x] + this.discs.background[this.inliers] * light
        light = light * this.discs.brightness[this.inliers]
        self._light = np.exp(Surface(places, np.log(light), self._shape).image())
        if with_background:
            self._background = Surface(places, background, self._shape).image()


def _move(before: Lattice, after: Lattice, shape: tuple[int, ...]) -> float:
    """The longest way, px, that a change of lattice moves a lenslet in the camera's corners."""
    corners = np.array([[0, 0], [0, shape[1]], [shape[0], 0], shape], dtype=np.float64)
    return float(np.max(np.hypot(*(after.places(before.cells_at(corners)) - corners).T)))


def _on_grid(shape: tuple[int, ...], last: _Round, pixels_per_lenslet: int | None, source: Source) -> LatticeFit:
    """Number the cells from the first row and column whose middle one is whole, and judge the fit on that grid."""
    lattice, rows, columns = numbered(last.lattice, shape)
    cells = np.round(2 * lattice.cells_at(last.lattice.places(last.lenslets.cells))) / 2
    inside = on_grid(cells, rows, columns)
    found, inliers = last.found & inside, last.inliers & inside
    centres = lattice.places(cells)
    lengths = np.hypot(*(last.places - centres)[inliers].T)
    calibration = Calibration(
        lattice=lattice,
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
    whole = last.discs.whole if source == "radiometry" else last.found
    _judge(calibration, int(np.count_nonzero(whole & inside)), float(np.median(last.discs.errors[last.inliers])))
    return LatticeFit(calibration, centres, np.where(last.found[:, None], last.places, np.nan), last.inliers, inside)


def _judge(calibration: Calibration, whole: int, error_px: float) -> None:
    """Raise ``CalibrationError`` when the discs do not bear the lattice out.

    ``whole`` counts those that could, ``error_px`` is the standard error of one that noise alone makes.
    """
    pitch_px = calibration.lattice.mean_pitch_px
    if calibration.inliers < max(SMALLEST_SHARE * whole, FEWEST_DISCS) or calibration.residual_rms_px > max(
        LARGEST_RESIDUAL * pitch_px, 2 * error_px
    ):
        raise CalibrationError(
            f"white frame: only {calibration.inliers} of {whole} discs agree with a lattice of {pitch_px:.2f} px "
            f"(rms {calibration.residual_rms_px:.2f} px); check that images.radiometry is a white frame, in focus"
        )
