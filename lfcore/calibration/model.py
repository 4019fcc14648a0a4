"""The lattice of lenslets on the camera, its extent, and how well the discs of a frame agree with it.

Coordinates are [y, x] in pixels of the raw image, pixel centres at integers. A lattice is counted in *cells*
(``docs/decisions/0003-microscopes.md``): a cell of a square lattice is a lenslet, one of a hexagonal lattice is a
rectangle with a lenslet in its middle and one, shared, at its corners.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

from lfcore.calibration.distortion import Distortion, Point, point
from lfcore.errors import CalibrationError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Kind = Literal["square", "hexagonal", "none"]
Orientation = Literal["rows", "columns"]
Source = Literal["radiometry", "light_field", "nominal", "none"]

_PRIMITIVE = {"rows": ((0.5, 0.0), (0.5, 1.0)), "columns": ((1.0, 0.5), (0.0, 0.5))}
_HEXAGONAL_AREA = math.sqrt(3)
"""Area of a hexagonal lattice's cell, in squared distances of neighbours."""


@dataclass(frozen=True)
class Lattice:
    """A square or hexagonal lattice, a little sheared or oblong as measurement has it.

    ``origin_px`` is the centre of cell (0, 0), before any ``distortion``; the steps lead to the next row and the next
    column of cells. ``kind`` ``none`` is the camera's own pixels, where no array images the pupil.
    """

    origin_px: Point
    row_step_px: Point
    column_step_px: Point
    kind: Kind = "square"
    orientation: Orientation = "rows"
    distortion: Distortion | None = None

    @property
    def pitch_px(self) -> Point:
        """Length of the row step and of the column step, px."""
        return math.hypot(*self.row_step_px), math.hypot(*self.column_step_px)

    @property
    def mean_pitch_px(self) -> float:
        """Distance of neighbouring lenslets, px: that of an undeformed lattice whose cells have the same area."""
        (a, b), (c, d) = self.row_step_px, self.column_step_px
        return math.sqrt(abs(a * d - b * c) / (_HEXAGONAL_AREA if self.kind == "hexagonal" else 1.0))

    @property
    def rotation_deg(self) -> float:
        """Mean turn of both steps from the camera's axes, degrees; positive when y grows along a row of lenslets."""
        (row_y, row_x), (column_y, column_x) = self.row_step_px, self.column_step_px
        return math.degrees(0.5 * (math.atan2(column_y, column_x) + math.atan2(-row_x, row_y)))

    @property
    def steps(self) -> Floats:
        """(2, 2) matrix that takes [row, column] to [y, x] relative to the origin, px."""
        return np.array([self.row_step_px, self.column_step_px]).T

    @property
    def primitive(self) -> Floats:
        """(2, 2) matrix from whole numbers, a pair a lenslet, to [row, column] in cells; 60 degrees in hexagonal ones.

        The lenslets between the middles of cells have half-numbered rows and columns.
        """
        return np.array(_PRIMITIVE[self.orientation]) if self.kind == "hexagonal" else np.eye(2)

    def places(self, cells: NDArray[Any]) -> Floats:
        """Camera places (..., 2) [y, x] px of ``cells`` (..., 2) [row, column], which need not be whole."""
        ideal = np.asarray(self.origin_px + cells @ self.steps.T)
        return ideal if self.distortion is None else self.distortion.applied(ideal)

    def cells_at(self, places_px: Floats) -> Floats:
        """[row, column] (..., 2) in cells, with fractions, of camera places (..., 2) [y, x] px."""
        ideal = places_px if self.distortion is None else self.distortion.removed(places_px)
        return np.asarray((ideal - self.origin_px) @ np.linalg.inv(self.steps).T)

    def centres(self, rows: int, columns: int) -> Floats:
        """Centres (rows, columns, 2) of the first cells, [y, x] px."""
        return self.places(np.stack(np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"), axis=-1))


@dataclass(frozen=True)
class Calibration:
    """The lattice with its extent on the camera and how well the discs agree with it.

    ``rows`` and ``columns`` count cells. ``found`` counts discs whose place could be measured, ``inliers`` those that
    the fit rests on; residuals are lengths over the inliers, px. ``source`` says what the lattice was found in: the
    radiometry frame, the light field, or nothing (nominal values); the frame is of ``image_shape`` (y, x).
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
    source: Source = "radiometry"

    @property
    def orientation(self) -> Orientation:
        """Which way the rows of a hexagonal lattice run."""
        return self.lattice.orientation

    @property
    def cell_pixels(self) -> tuple[int, int]:
        """Rectified pixels of a cell (y, x): ``pixels_per_lenslet`` along its short side."""
        size = self.pixels_per_lenslet
        if self.lattice.kind != "hexagonal":
            return size, size
        long = round(_HEXAGONAL_AREA * size)
        return (long, size) if self.orientation == "rows" else (size, long)

    @property
    def rectified_shape(self) -> tuple[int, int]:
        """Shape (y, x) of a rectified frame."""
        return self.rows * self.cell_pixels[0], self.columns * self.cell_pixels[1]

    def to_json(self) -> dict[str, Any]:
        """The content of ``calibration.json``."""
        lattice = self.lattice
        return {
            "pitch_px": list(lattice.pitch_px),
            "rotation_deg": lattice.rotation_deg,
            "lenslets": {"rows": self.rows, "columns": self.columns, "found": self.found, "inliers": self.inliers},
            "residual_px": {"rms": self.residual_rms_px, "max": self.residual_max_px},
            "origin_px": list(lattice.origin_px),
            "row_step_px": list(lattice.row_step_px),
            "column_step_px": list(lattice.column_step_px),
            "lattice": lattice.kind,
            "orientation": lattice.orientation,
            "distortion": None if lattice.distortion is None else lattice.distortion.to_json(),
            "pixels_per_lenslet": self.pixels_per_lenslet,
            "image_shape": list(self.image_shape),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``; without ``lattice`` it is a square one, as earlier versions knew no other.

        Raises ``CalibrationError`` when a key is missing or of another kind.
        """
        try:
            bend = content.get("distortion")
            lattice = Lattice(
                point(content["origin_px"]),
                point(content["row_step_px"]),
                point(content["column_step_px"]),
                kind=content.get("lattice", "square"),
                orientation=content.get("orientation", "rows"),
                distortion=None if bend is None else Distortion.from_json(bend),
            )
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
                source=content["source"],
            )
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise CalibrationError(
                f"calibration.json: {error!r} where the lattice should be; remove the file and calibrate again"
            ) from error


@dataclass(frozen=True)
class LatticeFit:
    """A calibration and what it was fitted to, for pictures and diagnosis; the arrays are along the n lenslets.

    ``centres`` (n, 2) [y, x] px has all lenslets on the camera, also those between the middles of cells, ``places``
    (n, 2) where each was seen, NaN where it was not; ``inliers`` (n,) marks those that the fit rests on, ``on_grid``
    (n,) those within the calibration's rows and columns.
    """

    calibration: Calibration
    centres: Floats
    places: Floats
    inliers: Flags
    on_grid: Flags
