"""The objective's pupil: what path light takes to each place of it, and how much arrives there.

A place of the pupil is ``s = (sy, sx)``, the sine of the ray's angle times the refractive index (sine condition), up
to the numerical aperture. Light from depth ``z`` through layers of index ``n_j`` and thickness ``t_j`` has the path

    W(s) = sum_j t_j (sqrt(n_j^2 - s^2) - n_j) + sum_k path_k Z_k(s / NA).

Without layers it is ``-z`` of the medium: ``z > 0`` is nearer to the objective. With layers (Gibson and Lanni 1991, J.
Opt. Soc. Am. A 8, 1601) they are sample, coverslip and immersion as they are, less coverslip and immersion as designed;
the immersion is as thick as puts the paraxial image of ``z = 0`` on the array. ``Z_k`` are Zernike polynomials of unit
root mean square (Noll 1976, J. Opt. Soc. Am. 66, 207), their angle counted from x towards y, which is down.

A ray through ``s`` crosses the native object plane off its point by minus the gradient of ``W``.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lfcore.settings import Layers

Real = npt.NDArray[np.floating]
Complex = npt.NDArray[np.complexfloating]

LARGEST_SINE = 0.9999
"""Rays closer to the critical angle are taken to be this close."""

DIFFERENCE = 1e-5
"""Step of numerical gradients over the pupil of radius one."""

BLUR_ENERGY = 0.998
"""The part of an aberrated pupil's light that the stated blur holds."""

ZernikeTerms = tuple[tuple[int, int, float], ...]


@dataclass(frozen=True)
class Pupil:
    """The pupil of an objective that looks into a medium, through ``layers`` if there are any.

    ``zernike`` holds (n, m, path in um), root mean square.
    """

    numerical_aperture: float
    medium_index: float
    layers: Layers | None = None
    zernike: ZernikeTerms = ()

    @property
    def edge(self) -> float:
        """Largest ``|s|`` that light from the medium reaches: less than the aperture beyond the critical angle."""
        return min(self.numerical_aperture, self.medium_index)

    @property
    def energy(self) -> float:
        """Integral of ``|A|^2`` over the pupil: ``2 pi n^2 (1 - cos(alpha))``."""
        cosine = math.sqrt(1 - (self.edge / self.medium_index) ** 2)
        return 2 * math.pi * self.medium_index**2 * (1 - cosine)

    def amplitude(self, radius: Real, step: float) -> Real:
        """Aperture and apodisation ``cos(theta)^(-1/2)`` over ``|s|``, sampled every ``step``; the edge is as wide.

        A soft edge weighs each sample by the area that it covers, and the apodisation's energy is the mean over that
        area, ``2 n / (sum of n cos(theta) at both ends)``: both keep the pupil's energy right on coarse grids.
        """
        cover = np.clip((self.edge - radius) / step + 0.5, 0, 1)
        inner = np.clip(radius - step / 2, 0, self.edge)
        outer = np.clip(radius + step / 2, 0, self.edge)
        ends = [np.sqrt(self.medium_index**2 - end**2) for end in (inner, outer)]
        # Beyond an edge at the critical angle both ends are zero, and the cover is none.
        both = np.maximum(ends[0] + ends[1], np.finfo(np.float64).tiny)
        return np.asarray(cover * np.sqrt(2 * self.medium_index / both))

    def energy_density(self, squared: Real) -> Real:
        """``|A|^2`` over ``s^2`` inside the pupil: ``1 / cos(theta)`` in the medium."""
        return np.asarray(self.medium_index / _root(self.medium_index, squared))

    def path_um(self, z_um: float, down: Real, right: Real) -> Real:
        """Optical path ``W`` from depth ``z_um`` to ``s`` = (down, right), um; arrays broadcast."""
        squared = down**2 + right**2
        path = sum(
            (thickness * (_root(index, squared) - index) for index, thickness in self._stack(z_um)),
            np.zeros(np.shape(squared)),
        )
        return np.asarray(path + self._aberration_um(down / self.numerical_aperture, right / self.numerical_aperture))

    def gradient_um(self, z_um: float | Real, down: Real, right: Real) -> tuple[Real, Real]:
        """Gradient of ``path_um`` over ``s``, um; a depth for all places or one for each."""
        squared = down**2 + right**2
        radial = -sum(thickness / _root(index, squared) for index, thickness in self._stack(z_um))
        if not self.zernike:
            return np.asarray(radial * down), np.asarray(radial * right)
        y, x, step = down / self.numerical_aperture, right / self.numerical_aperture, DIFFERENCE
        scale = 1 / (2 * step * self.numerical_aperture)
        slope_y = (self._aberration_um(y + step, x) - self._aberration_um(y - step, x)) * scale
        slope_x = (self._aberration_um(y, x + step) - self._aberration_um(y, x - step)) * scale
        return np.asarray(radial * down + slope_y), np.asarray(radial * right + slope_x)

    def blur_um(self, z_um: float) -> float:
        """Radius of the geometric blur in the object of a point at ``z_um``, um."""
        if self.layers is None and not self.zernike:
            return abs(z_um) * math.tan(math.asin(self.numerical_aperture / self.medium_index))
        radius = self.edge * np.sqrt((np.arange(400)[:, None] + 0.5) / 400)
        angle = 2 * np.pi * (np.arange(48) + 0.5) / 48
        down, right = radius * np.sin(angle), radius * np.cos(angle)
        distance = np.hypot(*self.gradient_um(z_um, down, right)).ravel()
        weight = self.energy_density(down**2 + right**2).ravel()
        order = np.argsort(distance)
        held = np.cumsum(weight[order])
        return float(distance[order][np.searchsorted(held, BLUR_ENERGY * held[-1])])

    def _stack(self, z_um: float | Real) -> tuple[tuple[float, float | Real], ...]:
        """(index, thickness in um) of the layers; those of the design count negatively."""
        layers, index = self.layers, self.medium_index
        if layers is None:
            return ((index, -z_um),)
        immersion, glass = layers.immersion_index, layers.coverslip_index
        design, glass_design = layers.immersion_design_index or immersion, layers.coverslip_design_index
        design_um = layers.immersion_design_um or 0.0
        reduced_um = (
            layers.coverslip_design_um / glass_design
            + design_um / design
            - layers.coverslip_um / glass
            - layers.focus_depth_um / index
        )
        return (
            (index, layers.focus_depth_um - z_um),
            (glass, layers.coverslip_um),
            (glass_design, -layers.coverslip_design_um),
            (immersion, immersion * reduced_um),
            (design, -design_um),
        )

    def _aberration_um(self, y: Real, x: Real) -> Real:
        """Sum of the Zernike terms over the pupil of radius one, um."""
        return sum((path_um * zernike(n, m, y, x) for n, m, path_um in self.zernike), np.zeros(np.shape(y + x)))


def zernike(n: int, m: int, y: Real, x: Real) -> Real:
    """Zernike polynomial of unit root mean square over the unit disc (Noll 1976), continued beyond it.

    The sine term for ``m < 0``; the angle is counted from x towards y.
    """
    squared, order = y**2 + x**2, abs(m)
    pairs = (n - order) // 2
    radial = sum(
        (-1) ** k
        * math.factorial(n - k)
        / (math.factorial(k) * math.factorial((n + order) // 2 - k) * math.factorial(pairs - k))
        * squared ** (pairs - k)
        for k in range(pairs + 1)
    )
    harmonic = (x + 1j * y) ** order
    norm = math.sqrt(n + 1) if m == 0 else math.sqrt(2 * (n + 1))
    return np.asarray(norm * radial * (harmonic.imag if m < 0 else harmonic.real))


def _root(index: float, squared: Real) -> Real:
    return np.asarray(np.sqrt(np.maximum(index**2 - squared, (1 - LARGEST_SINE**2) * index**2)))
