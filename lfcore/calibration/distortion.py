"""How optics bend a lattice: perspective, where array and camera are not parallel, and a lens's radial distortion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Point = tuple[float, float]

MOST_INVERSE_STEPS = 20
INVERSE_PX = 1e-5
"""The inverse is found by fixed-point steps, to this; each gains two digits at a distortion of 1 %."""


@dataclass(frozen=True)
class Distortion:
    """Moves an ideal place to ``middle + radius q (1 + radial |q|^2) / (1 + projective . q)``.

    ``q`` is the ideal place less ``middle_px``, in units of ``radius_px``; places are [y, x] px. At the middle nothing
    moves and no length changes, so a lattice's steps are those that it has there.
    """

    middle_px: Point
    radius_px: float
    projective: Point = (0.0, 0.0)
    radial: float = 0.0

    def applied(self, ideal_px: Floats) -> Floats:
        """Places (..., 2) on the camera of ideal places (..., 2)."""
        y, x = ((ideal_px[..., axis] - self.middle_px[axis]) / self.radius_px for axis in (0, 1))
        stretch = 1 + self.radial * (y * y + x * x)
        depth = 1 + (y * self.projective[0] + x * self.projective[1])
        scale = self.radius_px * stretch / depth
        return np.stack([self.middle_px[0] + scale * y, self.middle_px[1] + scale * x], axis=-1)

    def removed(self, places_px: Floats) -> Floats:
        """Ideal places (..., 2) of places (..., 2) on the camera."""
        ideal = places_px
        for _ in range(MOST_INVERSE_STEPS):
            step = places_px - self.applied(ideal)
            ideal = ideal + step
            if np.max(np.abs(step), initial=0.0) < INVERSE_PX:
                break
        return ideal

    def to_json(self) -> dict[str, Any]:
        """The terms as ``calibration.json`` has them."""
        return {
            "middle_px": list(self.middle_px),
            "radius_px": self.radius_px,
            "projective": list(self.projective),
            "radial": self.radial,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``."""
        return cls(
            point(content["middle_px"]),
            float(content["radius_px"]),
            point(content["projective"]),
            float(content["radial"]),
        )


def point(values: Any) -> Point:  # noqa: ANN401 - a JSON list or an array
    """``values`` as (y, x)."""
    y, x = values
    return float(y), float(x)
