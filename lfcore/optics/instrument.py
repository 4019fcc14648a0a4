"""The numbers that the wave model needs, free of files and of the user's choices of format."""

import math
from dataclasses import asdict, dataclass
from typing import Literal

from lfcore.contracts import fingerprint
from lfcore.settings import Layers, Settings

MARGIN_LENSLETS = 2
"""A point image is cut off so far outside its geometric blur."""


Orientation = Literal["rows", "columns"]


@dataclass(frozen=True)
class Cell:
    """The rectangle over which the array repeats, centred on a lenslet: (y, x) in pixels and in um at the array."""

    pixels: tuple[int, int]
    size_um: tuple[float, float]

    def samples(self, samples_per_lenslet: int) -> tuple[int, int]:
        """Volume samples of the cell along y and x: ``samples_per_lenslet`` along the shorter side."""
        shorter = min(self.size_um)
        down, right = (round(samples_per_lenslet * side / shorter) for side in self.size_um)
        return down, right


@dataclass(frozen=True)
class Symmetry:
    """What leaves the set of all point images as it is: mirrors in y and in x, both at once, the exchange of axes."""

    mirror_y: bool = True
    mirror_x: bool = True
    inversion: bool = True
    exchange: bool = True


@dataclass(frozen=True)
class Instrument:
    """A light field microscope (Levoy 2006; Broxton 2013); lengths in um, those of the array at the array.

    ``spectrum`` holds (vacuum wavelength in um, weight) pairs whose weights sum to one; ``zernike`` the aberrations as
    (n, m, path in um); ``layers`` immersion and coverslip. ``orientation`` is that of a hexagonal array.
    ``fourier_lens_um`` is the lens in front of an array in the pupil, with lattice ``none``.
    """

    magnification: float
    numerical_aperture: float
    medium_index: float
    spectrum: tuple[tuple[float, float], ...]
    pitch_um: float
    focal_length_um: float
    sensor_distance_um: float
    aperture: Literal["square", "hexagonal", "round"]
    pixels_per_lenslet: int
    lattice: Literal["square", "hexagonal", "none"] = "square"
    orientation: Orientation = "rows"
    aperture_um: float | None = None
    gaps: Literal["opaque", "clear"] = "opaque"
    model: Literal["waves", "rays"] = "waves"
    layers: Layers | None = None
    zernike: tuple[tuple[int, int, float], ...] = ()
    fourier_lens_um: float | None = None

    @property
    def cell(self) -> Cell:
        """The rectangle over which the array repeats (``docs/decisions/0003-microscopes.md``)."""
        size, pitch = self.pixels_per_lenslet, self.pitch_um
        if self.lattice != "hexagonal":
            return Cell((size, size), (pitch, pitch))
        long = round(math.sqrt(3) * size), math.sqrt(3) * pitch
        if self.orientation == "rows":
            return Cell((long[0], size), (long[1], pitch))
        return Cell((size, long[0]), (pitch, long[1]))

    @property
    def symmetry(self) -> Symmetry:
        """The symmetries of the point images: the cell's, less those that an aberration breaks."""
        square = self.lattice != "hexagonal"
        return Symmetry(
            mirror_y=all(m >= 0 for _, m, _ in self.zernike),
            mirror_x=all(m % 2 == (0 if m >= 0 else 1) for _, m, _ in self.zernike),
            inversion=all(m % 2 == 0 for _, m, _ in self.zernike),
            exchange=square and all(m % 4 == (0 if m >= 0 else 2) for _, m, _ in self.zernike),
        )

    @property
    def pixel_um(self) -> float:
        """Side of a rectified camera pixel, um at the array."""
        return self.pitch_um / self.pixels_per_lenslet

    @property
    def object_pitch_um(self) -> float:
        """Lenslet pitch in the object, um."""
        return self.pitch_um / self.magnification

    def fingerprint(self) -> str:
        """Identifies everything that determines a point image."""
        return fingerprint(asdict(self) | {"layers": self.layers and self.layers.model_dump()})

    def blur_radius_lenslets(self, z_um: float) -> float:
        """Radius of the geometric blur of a point at ``z_um``, in lenslets."""
        tangent = math.tan(math.asin(self.numerical_aperture / self.medium_index))
        return abs(z_um) * tangent / self.object_pitch_um

    def window_radius_cells(self, z_um: float) -> tuple[int, int]:
        """Cells above and below, and on each side of, the middle one that a point image at ``z_um`` needs."""
        reach_um = (self.blur_radius_lenslets(z_um) + MARGIN_LENSLETS) * self.pitch_um
        down, right = (math.ceil(reach_um / side_um) for side_um in self.cell.size_um)
        return down, right

    def window_radius_lenslets(self, z_um: float) -> int:
        """Lenslets on each side of the middle one that a point image at ``z_um`` needs: its blur and a margin."""
        return math.ceil(self.blur_radius_lenslets(z_um)) + MARGIN_LENSLETS


def instrument_from(
    settings: Settings,
    pitch_px: float | None = None,
    pixels_per_lenslet: int | None = None,
    orientation: Orientation = "rows",
) -> Instrument:
    """The instrument that ``settings`` describe.

    With a measured ``pitch_px`` the array's pitch is ``pitch_px`` times the camera pixel (four digits, so that runs
    whose calibrations differ by noise share transforms); without, it is the nominal pitch.
    """
    array, microscope = settings.microlens_array, settings.microscope
    tiling: Literal["square", "hexagonal"] = "hexagonal" if array.lattice == "hexagonal" else "square"
    pitch_um = array.pitch_um if pitch_px is None else float(f"{pitch_px * settings.camera.pixel_at_array_um:.4g}")
    return Instrument(
        magnification=microscope.true_magnification,
        numerical_aperture=microscope.numerical_aperture,
        medium_index=microscope.medium_index,
        spectrum=microscope.spectrum,
        pitch_um=pitch_um,
        focal_length_um=array.focal_length_um,
        sensor_distance_um=array.sensor_distance_um or array.focal_length_um,
        aperture=array.aperture or tiling,
        pixels_per_lenslet=pixels_per_lenslet or settings.nominal_pixels_per_lenslet,
        lattice=array.lattice,
        orientation=orientation,
        aperture_um=array.aperture_um,
        gaps=array.gaps,
        model=microscope.model,
        layers=microscope.layers,
        zernike=tuple((term.n, term.m, term.path_um) for term in microscope.zernike),
        fourier_lens_um=None if array.fourier_lens_mm is None else 1e3 * array.fourier_lens_mm,
    )
