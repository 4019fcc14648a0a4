"""Where the discs under the lenslets are: the mean disc, fitted to each by least squares weighted with the noise.

A disc is modelled as ``a T(x - d) + b``, linear in the shift ``d`` about where the lattice has it; with the template
``T`` known this is the most that the photons tell, three to five times less noisy than a centroid is in the dark.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lfcore.calibration.pixels import Lenslets, Strip, strips
from lfcore.calibration.template import Template, TemplateSum

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST_SEEN = 0.7
"""A disc is measured when this part of its cell is on the camera and not missing."""

LARGEST_SHIFT = 0.4
"""A disc further than this part of a pitch from where it is looked for is another thing."""

NOISE_SAMPLE = 50_000
"""Pixels from which the noise is estimated."""


@dataclass(frozen=True)
class Noise:
    """Variance of a pixel: ``floor`` and ``gain`` times its light, in the frame's units."""

    floor: float = 1.0
    gain: float = 0.0

    def variance(self, light: Floats) -> Floats:
        """Variance of pixels with this much ``light``."""
        return self.floor + self.gain * np.maximum(light, 0.0)


@dataclass(frozen=True)
class Discs:
    """What was measured of n lenslets: shifts (n, 2) [y, x] px from the lattice, and their standard errors (n,) px.

    ``brightness`` (n,) over ``background`` (n,), with ``brightness_error`` (n,). ``whole`` (n,) is False where too
    little is seen, or the shift belongs to something else.
    """

    shifts: Floats
    errors: Floats
    brightness: Floats
    brightness_error: Floats
    background: Floats
    whole: Flags


class Sight:
    """A frame under a lattice: all sums over pixels go through here.

    ``frame`` (y, x), NaN where missing, is what the light would be if it fell evenly: the camera's is ``light`` times
    that, over ``background``, and has the noise. Where ``seen`` is True something was there, if only saturated. With
    ``slopes`` the light may slant across each disc by itself, as it does under a sample.
    """

    def __init__(
        self,
        frame: Floats,
        light: Floats,
        background: Floats,
        seen: Flags,
        lenslets: Lenslets,
        slopes: bool = False,
    ) -> None:
        self.lenslets = lenslets
        self._frame, self._light, self._background, self._seen, self._slopes = frame, light, background, seen, slopes
        # A frame is gone through three times with one lattice.
        self._strips = list(strips((frame.shape[0], frame.shape[1]), lenslets))
        self._to_px = np.linalg.inv(lenslets.lattice.steps @ lenslets.lattice.primitive)

    def measure(self, template: Template, noise: Noise, before: Discs | None) -> Discs:
        """The discs; ``before`` is what they were found to be last time, for the noise of each pixel."""
        count = len(self.lenslets.numbers)
        terms = 6 if self._slopes else 4
        pairs = [(i, j) for i in range(terms) for j in range(i, terms)]
        matrix, right = np.zeros((count, terms, terms)), np.zeros((count, terms))
        seen, power, pixels = np.zeros(count), np.zeros(count), np.zeros(count)
        for strip, values in self._finite():
            columns = self._columns(strip, template)
            weight = 1 / self._variance(strip, columns[0], noise, before)
            weighted = [weight * column for column in columns]
            for i, j in pairs:
                matrix[:, i, j] += np.bincount(strip.lenslet, weighted[i] * columns[j], count)
            power += np.bincount(strip.lenslet, weight * values**2, count)
            pixels += np.bincount(strip.lenslet, minlength=count)
            for i in range(terms):
                right[:, i] += np.bincount(strip.lenslet, weighted[i] * values, count)
        for strip in self._strips:
            seen += np.bincount(strip.lenslet, self._seen.ravel()[strip.flat], count)
        lower = np.tril_indices(terms, -1)
        matrix[:, lower[0], lower[1]] = matrix[:, lower[1], lower[0]]
        discs, left = self._solved(matrix, right, seen)
        if before is not None:
            return discs
        # Without a noise to go by, what the fit leaves over tells it.
        scale = np.sqrt(np.maximum(power - left, 0.0) / np.maximum(pixels - terms, 1))
        return replace(discs, errors=scale * discs.errors, brightness_error=scale * discs.brightness_error)

    def mean_disc(self, discs: Discs, used: Flags) -> Template:
        """The template that fits the ``used`` (n,) discs."""
        total = TemplateSum(self.lenslets.lattice)
        brightness = np.where(used, discs.brightness, 0.0)
        for strip, values in self._finite():
            total.add(strip, values, brightness, discs.background)
        return total.template()

    def noise(self, template: Template, discs: Discs, used: Flags) -> Noise:
        """The noise that the ``used`` (n,) discs show beside their fit."""
        every = max(1, self._frame.size // NOISE_SAMPLE)
        light, squares = [], []
        for strip, values in self._finite(every):
            kept = used[strip.lenslet]
            value = self._model(strip, self._columns(strip, template), discs)
            scale = self._light.ravel()[strip.flat]
            light.append((scale * value + self._background.ravel()[strip.flat])[kept])
            squares.append(((scale * (values - value)) ** 2)[kept])
        return _fitted_noise(np.concatenate(light), np.concatenate(squares))

    def _finite(self, every: int = 1) -> Iterator[tuple[Strip, Floats]]:
        """The pixels that are there, or one in ``every``, and their values."""
        flat = self._frame.ravel()
        for strip in self._strips:
            chosen = np.isfinite(flat[strip.flat])
            if every > 1:
                # A step that shares no factor with the width does not fall into step with the rows.
                chosen &= np.arange(len(chosen)) * 7919 % every == 0
            part = strip if chosen.all() else strip.only(chosen)
            yield part, flat[part.flat]

    def _columns(self, strip: Strip, template: Template) -> list[Floats]:
        """The regressors (m,): disc, background, what shifts along y and x do, slants along y and x."""
        value, slopes = template.at(strip.inside)
        moved = [-(slopes[0] * self._to_px[0, axis] + slopes[1] * self._to_px[1, axis]) for axis in (0, 1)]
        columns = [value, np.ones_like(value), *moved]
        if self._slopes:
            columns += [value * strip.inside[0], value * strip.inside[1]]
        return columns

    def _model(self, strip: Strip, columns: list[Floats], discs: Discs) -> Floats:
        """The fit's values (m,)."""
        n = strip.lenslet
        moved = discs.shifts[n, 0] * columns[2] + discs.shifts[n, 1] * columns[3]
        return np.asarray(discs.brightness[n] * (columns[0] + moved) + discs.background[n])

    def _variance(self, strip: Strip, value: Floats, noise: Noise, before: Discs | None) -> Floats:
        if before is None:
            return np.ones_like(value)
        scale, n = self._light.ravel()[strip.flat], strip.lenslet
        light = scale * (np.maximum(before.brightness[n], 0) * value + before.background[n])
        return noise.variance(light + self._background.ravel()[strip.flat]) / scale**2

    def _solved(self, matrix: Floats, right: Floats, seen: Floats) -> tuple[Discs, Floats]:
        """The discs of normal equations (n, terms, terms), (n, terms) and pixels ``seen`` (n,); the power explained."""
        terms = matrix.shape[1]
        diagonal = matrix[:, range(terms), range(terms)]
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        # A lenslet of which next to nothing is seen has no solution; it is thrown out below.
        even = matrix / (scale[:, :, None] * scale[:, None, :]) + 1e-9 * np.eye(terms)
        covariance = np.linalg.inv(even) / (scale[:, :, None] * scale[:, None, :])
        solution = np.einsum("nij,nj->ni", covariance, right)
        brightness = solution[:, 0]
        # What is darker than its surroundings is no disc.
        safe = np.where(brightness > 0, brightness, np.inf)
        shifts = solution[:, 2:4] / safe[:, None]
        errors = np.sqrt(0.5 * (covariance[:, 2, 2] + covariance[:, 3, 3])) / safe
        lattice = self.lenslets.lattice
        area = abs(np.linalg.det(lattice.steps @ lattice.primitive))
        near = np.hypot(*shifts.T) < LARGEST_SHIFT * lattice.mean_pitch_px
        whole = (seen >= LEAST_SEEN * area) & near & (brightness > 0)
        discs = Discs(shifts, errors, brightness, np.sqrt(covariance[:, 0, 0]), solution[:, 1], whole)
        return discs, np.sum(solution * right, axis=1)


def _fitted_noise(light: Floats, squares: Floats) -> Noise:
    """A straight line through the median squares of ten classes of brightness, neither end of it below zero."""
    edges = np.quantile(light, np.linspace(0, 1, 11))
    classes = np.clip(np.searchsorted(edges, light) - 1, 0, 9)
    # The median square of a normal deviate is 0.455 of its variance.
    there = [c for c in range(10) if np.count_nonzero(classes == c) >= 20]
    if len(there) < 2:
        return Noise(max(float(np.median(squares)) / 0.455, 1e-12))
    level = np.array([np.mean(light[classes == c]) for c in there])
    variance = np.array([np.median(squares[classes == c]) for c in there]) / 0.455
    gain, floor = np.polyfit(level, variance, 1, w=1 / np.maximum(variance, 1e-3 * variance.max() + 1e-300))
    smallest = max(0.05 * float(np.median(variance)), 1e-12)
    return Noise(max(float(floor), smallest), max(float(gain), 0.0))
