"""White frames drawn from a known lattice, and how well a lattice could be known from them at all.

Independent of ``lfcore.calibration``: nearest lenslets are found on two rectangular lattices, discs are integrated over
each pixel by 4 x 4 samples.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """What a frame is drawn from: lengths in px, ``rotation_deg`` positive when y grows along a row.

    ``disc`` is the diameter in pitches; ``corner_light`` the illumination at the corners, 1 in the middle; ``missing``
    the share of dark lenslets; half as many again are dirty, dim on one side. ``photons`` arrive on the brightest
    pixel, which reads ``bits`` bits full when ``exposure`` is 1; beyond that it saturates. ``projective`` and
    ``radial`` bend the lattice as `lfcore.calibration.distortion` states.
    """

    shape: tuple[int, int]
    pitch_px: float
    rotation_deg: float = 0.0
    origin_px: tuple[float, float] = (0.0, 0.0)
    lattice: Literal["square", "hexagonal"] = "square"
    orientation: Literal["rows", "columns"] = "rows"
    disc: float = 0.94
    softness_px: float = 0.6
    corner_light: float = 1.0
    missing: float = 0.0
    background: float = 0.05
    photons: float = math.inf
    read_noise: float = 2.0
    bits: int = 16
    exposure: float = 0.9
    projective: tuple[float, float] = (0.0, 0.0)
    radial: float = 0.0
    seed: int = 0


class WhiteFrame:
    """A drawn frame: ``image`` (y, x), in units of full scale, NaN where saturated; ``steps`` takes cells to px."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        angle = np.deg2rad(kind.rotation_deg)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        sides = {"rows": (math.sqrt(3), 1.0), "columns": (1.0, math.sqrt(3))}[kind.orientation]
        self.steps = kind.pitch_px * turn @ np.diag(sides if kind.lattice == "hexagonal" else (1.0, 1.0))
        self.origin = np.array(kind.origin_px)
        random = np.random.default_rng(kind.seed)
        span = int(1.6 * max(kind.shape) / kind.pitch_px) + 8
        self._fates = random.random((4 * span, 4 * span))
        self._random = random

    @cached_property
    def light(self) -> Floats:
        """Expected light (y, x), 1 at the middle of a clean disc in the middle of the frame."""
        return self._drawn(np.zeros(2))

    @cached_property
    def image(self) -> Floats:
        """What the camera reads."""
        kind = self.kind
        full = 2.0**kind.bits - 1
        counts = self.light * kind.exposure
        if math.isfinite(kind.photons):
            electrons = self._random.poisson(self.light * kind.photons) + self._random.normal(
                0, kind.read_noise, kind.shape
            )
            counts = electrons / kind.photons * kind.exposure
        read = np.rint(counts * full)
        return np.where(read >= full, np.nan, np.maximum(read, 0) / full)

    def bent(self, ideal: Floats) -> Floats:
        """Places (..., 2) of ideal places (..., 2)."""
        middle, radius = (np.array(self.kind.shape) - 1) / 2, 0.5 * math.hypot(*self.kind.shape)
        q = (ideal - middle) / radius
        up = 1 + self.kind.radial * (q[..., :1] ** 2 + q[..., 1:] ** 2)
        return np.asarray(middle + radius * q * up / (1 + q @ np.array(self.kind.projective)[:, None]))

    def error_px(self, centres: Floats) -> Floats:
        """Distance of each of ``centres`` (..., 2) [y, x] from the nearest true centre."""
        numbers, _ = self._nearest(self._ideal(centres.reshape(-1, 2)))
        true = self.bent(self.origin + numbers @ self.steps.T)
        return np.asarray(np.hypot(*(centres.reshape(-1, 2) - true).T).reshape(centres.shape[:-1]))

    def _drawn(self, offset_px: Floats) -> Floats:
        """The light with all lenslets moved by ``offset_px``, but nothing else."""
        kind = self.kind
        height, width = kind.shape
        total = np.zeros(kind.shape)
        grid = np.stack(np.mgrid[:height, :width], axis=-1).astype(float)
        for sub_y in (np.arange(4) - 1.5) / 4:
            for sub_x in (np.arange(4) - 1.5) / 4:
                numbers, away = self._nearest(self._ideal(grid + np.array([sub_y, sub_x])) - offset_px)
                edge = (np.hypot(away[..., 0], away[..., 1]) - 0.5 * kind.disc * kind.pitch_px) / 0.35
                disc = 1 / (1 + np.exp(np.clip(edge / kind.softness_px, -50, 50)))
                keys = np.rint(2 * numbers).astype(int) + self._fates.shape[0] // 2
                fate = self._fates[keys[..., 0], keys[..., 1]]
                dirty = (fate >= kind.missing) & (fate < 1.5 * kind.missing) & (away[..., 0] > 0)
                total += np.where(fate < kind.missing, 0.0, np.where(dirty, 0.4 * disc, disc)) / 16
        y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        uneven = 1 - (1 - kind.corner_light) * (y**2 + x**2) / 2
        return np.asarray((total * uneven + kind.background) / (1 + kind.background))

    def _ideal(self, places: Floats) -> Floats:
        ideal = places
        if self.kind.radial or any(self.kind.projective):
            for _ in range(12):
                ideal = ideal + places - self.bent(ideal)
        return ideal

    def _nearest(self, ideal: Floats) -> tuple[Floats, Floats]:
        """Numbers in cells of the lenslet nearest to each place (..., 2), and the way from it to the place, px."""
        fractional = (ideal - self.origin) @ np.linalg.inv(self.steps).T
        numbers = np.rint(fractional)
        if self.kind.lattice == "hexagonal":
            between = np.floor(fractional) + 0.5
            ways = [np.sum(((fractional - near) @ self.steps.T) ** 2, axis=-1) for near in (numbers, between)]
            numbers = np.where((ways[1] < ways[0])[..., None], between, numbers)
        return numbers, (fractional - numbers) @ self.steps.T

    def bound(self) -> dict[str, float]:
        """The Cramer-Rao bounds, one standard deviation, of an unbent lattice, everything else being known.

        ``pitch_px`` of the worse step, ``rotation_deg``, and ``centres_px``, rms over the frame.
        """
        kind, step = self.kind, 0.02
        slopes = [(self._drawn(step * unit) - self.light) / step for unit in np.eye(2)]
        variance = (self.light * kind.photons + kind.read_noise**2) / kind.photons**2
        variance = variance + 1 / (12 * ((2.0**kind.bits - 1) * kind.exposure) ** 2)
        weight = np.where(np.isfinite(self.image), 1 / variance, 0.0).ravel()
        grid = np.stack(np.mgrid[: kind.shape[0], : kind.shape[1]], axis=-1).reshape(-1, 2).astype(float)
        numbers, _ = self._nearest(self._ideal(grid))
        design = np.concatenate([np.ones((len(numbers), 1)), numbers], axis=1)
        jacobian = np.concatenate([slope.ravel()[:, None] * design for slope in slopes], axis=1)
        # Order: origin, row step, column step in y, then the same in x.
        covariance = np.linalg.inv((jacobian * weight[:, None]).T @ jacobian)
        lengths = np.hypot(*self.steps)
        worst = [self._along(covariance, index, self.steps[:, index - 1] / lengths[index - 1]) for index in (1, 2)]
        across = [
            self._along(covariance, index, self.steps[::-1, index - 1] * (1, -1) / lengths[index - 1])
            / lengths[index - 1]
            for index in (1, 2)
        ]
        spread = sum(np.einsum("ni,ij,nj->n", design, covariance[p, p], design) for p in (np.s_[:3], np.s_[3:]))
        return {
            "pitch_px": max(worst),
            "rotation_deg": math.degrees(0.5 * math.hypot(*across)),
            "centres_px": float(np.sqrt(np.mean(spread))),
        }

    @staticmethod
    def _along(covariance: Floats, index: int, direction: Floats) -> float:
        part = covariance[np.ix_([index, 3 + index], [index, 3 + index])]
        return float(np.sqrt(direction @ part @ direction))
