"""A smooth function of the place on the camera, for the unevenness of the light."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Surface:
    """A polynomial fitted to scattered values, strays left out."""

    def __init__(self, places: Floats, values: Floats, shape: tuple[int, ...]) -> None:
        """Fit to ``values`` (n,) at ``places`` (n, 2) [y, x] px of a camera of ``shape``."""
        self._shape = shape
        degree = 4 if len(places) >= 80 else 3 if len(places) >= 45 else 2 if len(places) >= 20 else 0
        self._powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
        design = self._design(places)
        kept = np.ones(len(places), dtype=bool)
        for _ in range(8):
            self._coefficients = linear_fit(design[kept], values[kept])
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
        down, right = (np.polynomial.polynomial.polyvander(along, degree) for along in (v, u))
        return np.asarray(down @ table @ right.T)


def linear_fit(design: Floats, values: Floats) -> Floats:
    """The shortest ``x`` (m,) or (m, k) for which ``design`` (n, m) @ ``x`` is nearest to ``values`` (n,) or (n, k).

    By the normal equations, which halve the digits: for well-scaled columns, where ten times the speed counts for more.
    """
    return np.asarray(np.linalg.lstsq(design.T @ design, design.T @ values, rcond=None)[0], dtype=np.float64)
