"""The numbers that the wave model needs, free of files and of the user's choices of format."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lfcore.contracts import fingerprint
from lfcore.optics.pupil import Pupil
from lfcore.settings import Layers, Settings

MARGIN_LENSLETS = 2
"""A point image is cut off so far outside its geometric blur."""

MARGIN_AIRY, MARGIN_PIXELS = 4, 3
"""The same behind an array in the pupil: so many times ``lambda d / pitch``, and pixels."""

Orientation = Literal["rows", "columns"]


@dataclass(frozen=True)
class Cell:
    """The rectangle over which the array repeats, centred on a lenslet: (y, x) in pixels and in um at the array."""

    pixels: tuple[int, int]
    size_um: tuple[float, float]

    def samples(self, samples_per_lenslet: int) -> tuple[int, int]:
        """Volume samples of the cell along y and x: ``samples_per_lenslet`` along the shorter side; of a pixel, one."""
        if self.pixels == (1, 1):
            return 1, 1
        shorter = min(self.size_um)
        down, right = (round(samples_per_lenslet * side / shorter) for side in self.size_um)
        return down, right


@dataclass(frozen=True)
class Box:
    """Voxels that are full of light: ``depth_um`` deep, ``samples_per_lenslet`` beside each other."""

    depth_um: float
    samples_per_lenslet: int


@dataclass(frozen=True)
class MeasuredStack:
    """What is known of measured point images: a hash of what they hold, and the window's (y, x) radius in cells."""

    content: str
    radius: tuple[int, int]


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
    (n, m, path in um); ``layers`` immersion and coverslip. ``orientation`` is that of a hexagonal array. With lattice
    ``none`` the array stands in the pupil behind the lens ``fourier_lens_um``, its lenslets lie as ``arrangement``
    says, and ``camera_pixel_um`` is the pixel. ``box`` is None for voxels that are points, ``measured`` for the model.
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
    arrangement: Literal["square", "hexagonal"] = "square"
    camera_pixel_um: float | None = None
    box: Box | None = None
    measured: MeasuredStack | None = None

    @property
    def cell(self) -> Cell:
        """The rectangle over which the array repeats (``docs/decisions/0003-microscopes.md``)."""
        size, pitch = self.pixels_per_lenslet, self.pitch_um
        if self.lattice == "none":
            return Cell((1, 1), (self.pixel_um, self.pixel_um))
        if self.lattice == "square":
            return Cell((size, size), (pitch, pitch))
        long = round(math.sqrt(3) * size)
        return Cell((long, size) if self.orientation == "rows" else (size, long), self.lenslet_cell_um)

    @property
    def is_hexagonal(self) -> bool:
        """Whether the lenslets lie in a hexagonal lattice, wherever the array stands."""
        return self.lattice == "hexagonal" or (self.lattice == "none" and self.arrangement == "hexagonal")

    @property
    def lenslet_cell_um(self) -> tuple[float, float]:
        """Sides (y, x) of the rectangle over which the lenslets repeat, um at the array."""
        long = math.sqrt(3) * self.pitch_um if self.is_hexagonal else self.pitch_um
        return (long, self.pitch_um) if self.orientation == "rows" else (self.pitch_um, long)

    @property
    def pupil(self) -> Pupil:
        """The objective's pupil, with what aberrates it."""
        return Pupil(self.numerical_aperture, self.medium_index, self.layers, self.zernike)

    @property
    def symmetry(self) -> Symmetry:
        """The symmetries of the point images: the cell's, less those that an aberration breaks; none if measured."""
        if self.measured is not None:
            return Symmetry(mirror_y=False, mirror_x=False, inversion=False, exchange=False)
        return Symmetry(
            mirror_y=all(m >= 0 for _, m, _ in self.zernike),
            mirror_x=all(m % 2 == (0 if m >= 0 else 1) for _, m, _ in self.zernike),
            inversion=all(m % 2 == 0 for _, m, _ in self.zernike),
            exchange=not self.is_hexagonal and all(m % 4 == (0 if m >= 0 else 2) for _, m, _ in self.zernike),
        )

    @property
    def pixel_um(self) -> float:
        """Side of a rectified camera pixel, um at the array; of a hexagonal cell's, along its short side."""
        return self.camera_pixel_um or self.pitch_um / self.pixels_per_lenslet

    @property
    def image_magnification(self) -> float:
        """Magnification to where cells are counted: to the array, or to the camera behind one in the pupil."""
        if self.fourier_lens_um is None:
            return self.magnification
        return self.magnification * self.sensor_distance_um / self.fourier_lens_um

    @property
    def object_cell_um(self) -> tuple[float, float]:
        """Sides (y, x) of the cell in the object, um."""
        height_um, width_um = self.cell.size_um
        return height_um / self.image_magnification, width_um / self.image_magnification

    @property
    def object_pitch_um(self) -> float:
        """Lenslet pitch in the object, um."""
        return self.pitch_um / self.magnification

    def fingerprint(self) -> str:
        """Identifies everything that determines a point image."""
        return fingerprint(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """All numbers, as JSON has them."""
        return asdict(self) | {"layers": self.layers and self.layers.model_dump()}

    def blur_radius_lenslets(self, z_um: float) -> float:
        """Radius of the geometric blur of a voxel at ``z_um``, in lenslets."""
        half_depth_um = self.box.depth_um / 2 if self.box else 0.0
        return max(self.pupil.blur_um(z_um + side * half_depth_um) for side in (-1, 1)) / self.object_pitch_um

    def window_radius_cells(self, z_um: float) -> tuple[int, int]:
        """Cells above and below, and on each side of, the middle one that a point image at ``z_um`` needs."""
        if self.measured is not None:
            return self.measured.radius
        reach_um = self._pattern_reach_um(z_um) if self.lattice == "none" else self._reach_um(z_um)
        down, right = (math.ceil(reach_um / side_um) for side_um in self.cell.size_um)
        return down, right

    def _reach_um(self, z_um: float) -> float:
        return (self.blur_radius_lenslets(z_um) + self._spot_reach_lenslets + MARGIN_LENSLETS) * self.pitch_um

    @property
    def _spot_reach_lenslets(self) -> float:
        """How far light strays past the neighbours' middles behind a lenslet, in pitches: out of focus it does.

        The ray that meets a lenslet at ``x`` with the sine ``s`` meets the camera at ``x (1 - d/f) + d s``.
        """
        slope = self.numerical_aperture / self.magnification
        beside_um = abs(1 - self.sensor_distance_um / self.focal_length_um) * self.pitch_um / 2
        return max(0.0, (beside_um + self.sensor_distance_um * slope) / self.pitch_um - 1)

    def _pattern_reach_um(self, z_um: float) -> float:
        """Radius on the camera of all sub-images of a point at ``z_um`` behind an array in the pupil, um."""
        if self.fourier_lens_um is None:
            return self.pitch_um
        distance_um, lens_um = self.sensor_distance_um, self.fourier_lens_um
        pupil_um = lens_um * self.pupil.edge / self.magnification + self.pitch_um / 2
        blur_um = self.blur_radius_lenslets(z_um) * self.object_pitch_um * self.image_magnification
        beside_um = abs(1 - distance_um / self.focal_length_um) * self.pitch_um / 2
        airy_um = max(um for um, _ in self.spectrum) * distance_um / self.pitch_um
        return pupil_um + blur_um + beside_um + MARGIN_AIRY * airy_um + MARGIN_PIXELS * self.pixel_um

    def window_radius_lenslets(self, z_um: float) -> int:
        """Lenslets on each side of the middle one that a point image at ``z_um`` needs: its blur and a margin."""
        return math.ceil(self._reach_um(z_um) / self.pitch_um)


def device_models(instrument: Instrument) -> bool:
    """Whether the device's kernels model this instrument: points in waves, on a square lattice."""
    plain = instrument.model == "waves" and instrument.box is None and instrument.measured is None
    return instrument.lattice == "square" and plain


def instrument_from(
    settings: Settings,
    pitch_px: float | None = None,
    pixels_per_lenslet: int | None = None,
    orientation: Orientation = "rows",
    measured: MeasuredStack | None = None,
) -> Instrument:
    """The instrument that ``settings`` describe.

    With a measured ``pitch_px`` the array's pitch is ``pitch_px`` times the camera pixel (four digits, so that runs
    whose calibrations differ by noise share transforms); without, it is the nominal pitch. An array in the pupil is as
    the settings say. ``measured`` says what the settings' file of measured point images holds.
    """
    array, microscope = settings.microlens_array, settings.microscope
    in_pupil = array.lattice == "none"
    tiling: Literal["square", "hexagonal"] = "hexagonal" if array.lattice == "hexagonal" else "square"
    pixel_um = settings.camera.pixel_at_array_um
    step_um = settings.volume.plane_step_um if settings.volume.voxels == "boxes" else None
    return Instrument(
        magnification=microscope.true_magnification,
        numerical_aperture=microscope.numerical_aperture,
        medium_index=microscope.medium_index,
        spectrum=microscope.spectrum,
        pitch_um=array.pitch_um if pitch_px is None or in_pupil else float(f"{pitch_px * pixel_um:.4g}"),
        focal_length_um=array.focal_length_um,
        sensor_distance_um=array.sensor_distance_um or array.focal_length_um,
        aperture=array.aperture or tiling,
        pixels_per_lenslet=pixels_per_lenslet or settings.nominal_pixels_per_lenslet,
        lattice=array.lattice,
        orientation=("columns" if array.arrangement == "columns" else "rows") if in_pupil else orientation,
        aperture_um=array.aperture_um,
        gaps=array.gaps,
        model=microscope.model,
        layers=microscope.layers,
        zernike=tuple((term.n, term.m, term.path_um) for term in microscope.zernike),
        fourier_lens_um=None if array.fourier_lens_mm is None else 1e3 * array.fourier_lens_mm,
        arrangement="square" if array.arrangement == "square" else "hexagonal",
        camera_pixel_um=pixel_um if in_pupil else None,
        box=None if step_um is None else Box(step_um, settings.volume.samples_per_lenslet),
        measured=measured,
    )
