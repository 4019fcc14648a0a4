"""The lattice of lenslets on the camera, its extent, and how well the discs of a white frame agree with it.

Coordinates are [y, x] in pixels of the raw image, pixel centres at integers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from lfcore.errors import CalibrationError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Point = tuple[float, float]


@dataclass(frozen=True)
class Lattice:
    """A square lattice, a little sheared or oblong as measurement has it.

    ``origin_px`` is the centre of lenslet (0, 0); the steps lead to the next row and the next column.
    """

    origin_px: Point
    row_step_px: Point
    column_step_px: Point

    @property
    def pitch_px(self) -> Point:
        """Length of the row step and of the column step, px."""
        return math.hypot(*self.row_step_px), math.hypot(*self.column_step_px)

    @property
    def mean_pitch_px(self) -> float:
        """Side of the square that has the area of a lenslet, px."""
        (a, b), (c, d) = self.row_step_px, self.column_step_px
        return math.sqrt(abs(a * d - b * c))

    @property
    def rotation_deg(self) -> float:
        """Mean turn of both steps from the camera's axes, degrees; positive when y grows along a row of lenslets."""
        (row_y, row_x), (column_y, column_x) = self.row_step_px, self.column_step_px
        return math.degrees(0.5 * (math.atan2(column_y, column_x) + math.atan2(-row_x, row_y)))

    @property
    def steps(self) -> Floats:
        """(2, 2) matrix that takes [row, column] to [y, x] relative to the origin, px."""
        return np.array([self.row_step_px, self.column_step_px]).T

    def centres(self, rows: int, columns: int) -> Floats:
        """Centres (rows, columns, 2) of the first lenslets, [y, x] px."""
        indices = np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1)
        return np.asarray(self.origin_px + indices @ self.steps.T)


@dataclass(frozen=True)
class Calibration:
    """The lattice with its extent on the camera and how well the discs agree with it.

    ``found`` counts discs whose centroid could be measured, ``inliers`` those that the fit rests on; residuals are
    lengths over the inliers, px. ``source`` names the image that the lattice was found in, of ``image_shape`` (y, x).
    """

    lattice: Lattice
    rows: int
    columns: int
    found: int
    inliers: int
    residual_rms_px: float
    residual_max_px: float
    pixels_per_lenslet: int
    image_shape: tuple[int, int]
    source: str = "radiometry"

    def to_json(self) -> dict[str, Any]:
        """The content of ``calibration.json``."""
        return {
            "pitch_px": list(self.lattice.pitch_px),
            "rotation_deg": self.lattice.rotation_deg,
            "lenslets": {"rows": self.rows, "columns": self.columns, "found": self.found, "inliers": self.inliers},
            "residual_px": {"rms": self.residual_rms_px, "max": self.residual_max_px},
            "origin_px": list(self.lattice.origin_px),
            "row_step_px": list(self.lattice.row_step_px),
            "column_step_px": list(self.lattice.column_step_px),
            "pixels_per_lenslet": self.pixels_per_lenslet,
            "image_shape": list(self.image_shape),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``. Raises ``CalibrationError`` when a key is missing or of another kind."""
        try:
            lattice = Lattice(*(point(content[key]) for key in ("origin_px", "row_step_px", "column_step_px")))
            return cls(
                lattice=lattice,
                rows=int(content["lenslets"]["rows"]),
                columns=int(content["lenslets"]["columns"]),
                found=int(content["lenslets"]["found"]),
                inliers=int(content["lenslets"]["inliers"]),
                residual_rms_px=float(content["residual_px"]["rms"]),
                residual_max_px=float(content["residual_px"]["max"]),
                pixels_per_lenslet=int(content["pixels_per_lenslet"]),
                image_shape=(int(content["image_shape"][0]), int(content["image_shape"][1])),
                source=str(content["source"]),
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CalibrationError(
                f"calibration.json: {error!r} where the lattice should be; remove the file and calibrate again"
            ) from error


@dataclass(frozen=True)
class LatticeFit:
    """A calibration and what it was fitted to, for pictures and diagnosis.

    ``centroids`` is (rows, columns, 2) [y, x] px, NaN where no disc was found; ``inliers`` is (rows, columns).
    """

    calibration: Calibration
    centroids: Floats
    inliers: Flags


def point(values: Any) -> Point:  # noqa: ANN401 - a JSON list or an array
    """``values`` as (y, x)."""
    y, x = values
    return float(y), float(x)
