"""What the user decides: the models behind ``dataset.yaml``, the command line and the trigger form.

Every number carries its unit in its name. Unknown keys are refused, naming the nearest known one.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from lfcore.errors import SettingsError
from lfcore.explain import Path, explain, is_of_a_branch
from lfcore.settings_base import MAXIMUM_PLANES, Positive, Section
from lfcore.settings_base import ZRange as ZRange
from lfcore.settings_reconstruction import Reconstruction as Reconstruction

MOST_DETAILS = 100
"""Complaints that are looked at; their number is the sender's choice, and the time goes with its square."""


class SpectralLine(Section):
    """One wavelength of an emission band."""

    um: Positive = Field(description="wavelength in vacuum, um")
    weight: float = Field(ge=0, allow_inf_nan=False, description="relative power")


class ZernikeTerm(Section):
    """One aberration of the pupil: a Zernike polynomial, normalised to unit root mean square (Noll 1976)."""

    n: int = Field(ge=1, le=20, description="radial order")
    m: int = Field(description="azimuthal order; negative for the sine term")
    path_um: float = Field(allow_inf_nan=False, description="optical path, root mean square over the pupil, um")

    @model_validator(mode="after")
    def _orders_belong_together(self) -> Self:
        if abs(self.m) > self.n or (self.n - self.m) % 2:
            raise ValueError(f"zernike n {self.n}, m {self.m}: |m| must be at most n, and n - m even")
        return self


class Layers(Section):
    """Immersion and coverslip between objective and sample, where their indices differ (Gibson and Lanni 1991)."""

    immersion_index: float = Field(ge=1, le=2.5, description="refractive index of the immersion in use")
    immersion_design_index: float | None = Field(
        default=None, ge=1, le=2.5, description="index that the objective is designed for; default: the one in use"
    )
    immersion_design_um: Positive | None = Field(
        default=None, description="thickness of immersion it is designed for, um; where its index is another"
    )
    coverslip_um: float = Field(default=170.0, ge=0, allow_inf_nan=False, description="thickness of the coverslip, um")
    coverslip_design_um: float = Field(
        default=170.0, ge=0, allow_inf_nan=False, description="thickness that the objective is designed for, um"
    )
    coverslip_index: float = Field(default=1.5255, ge=1, le=2.5, description="refractive index of the coverslip")
    coverslip_design_index: float = Field(default=1.5255, ge=1, le=2.5, description="index it is designed for")
    focus_depth_um: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="depth of the native object plane below the coverslip, um"
    )

    @model_validator(mode="after")
    def _immersion_is_known(self) -> Self:
        if self.immersion_design_index in (None, self.immersion_index) or self.immersion_design_um is not None:
            return self
        raise ValueError("immersion_design_um: must be given where immersion_design_index is not immersion_index")

    @property
    def smallest_index(self) -> tuple[str, float]:
        """Name and value of the smallest index between sample and objective, which bounds the numerical aperture."""
        names = ("immersion_index", "immersion_design_index", "coverslip_index", "coverslip_design_index")
        index, name = min((index, name) for name in names if (index := getattr(self, name)) is not None)
        return name, index


class MeasuredPsf(Section):
    """Point images measured on beads, in place of the model."""

    file: str = Field(min_length=1, description="stack (z, y, x), or (z, a, c, y, x) with a and c the samples")
    z_um: ZRange | list[Annotated[float, Field(allow_inf_nan=False)]] = Field(
        description="planes of the stack, um: {start, stop, step} or a rising list"
    )
    pixel_um: Positive = Field(description="pixel of the stack, um at the array")

    @model_validator(mode="after")
    def _planes_rise(self) -> Self:
        if not self.planes_um or any(above <= below for below, above in pairwise(self.planes_um)):
            raise ValueError("measured_psf.z_um must list every plane once, from the lowest to the highest")
        if self.file.startswith("/") or ".." in self.file.split("/") or "://" in self.file:
            raise ValueError(f"measured_psf.file: '{self.file}' leaves the data set; give a path below dataset.yaml")
        return self

    @property
    def planes_um(self) -> tuple[float, ...]:
        """The stack's planes, um, in its order."""
        return tuple(self.z_um) if isinstance(self.z_um, list) else self.z_um.planes_um


class Microscope(Section):
    """Objective, medium and emission."""

    magnification: Positive = Field(description="magnification of the objective at its design tube length")
    numerical_aperture: Positive = Field(description="numerical aperture of the objective")
    medium_index: float = Field(default=1.33, ge=1, le=2.5, description="refractive index around the sample")
    wavelength_um: Positive | list[SpectralLine] = Field(
        description="emission wavelength in vacuum, um; or a list of {um, weight}"
    )
    model: Literal["waves", "rays"] = Field(
        default="waves", description="'rays' leaves diffraction out, as ray-traced images do"
    )
    tube_lens_mm: Positive = Field(default=200.0, description="focal length of the tube lens in use, mm")
    design_tube_lens_mm: Positive | None = Field(
        default=None, description="tube lens that the magnification is stated for, mm; default: the one in use"
    )
    layers: Layers | None = Field(default=None, description="immersion and coverslip, where indices are mismatched")
    zernike: list[ZernikeTerm] = Field(default=[], description="aberrations: a list of {n, m, path_um}")
    measured_psf: MeasuredPsf | None = Field(default=None, description="point images measured on beads")

    @model_validator(mode="after")
    def _aperture_fits_index(self) -> Self:
        name, index = "medium_index", self.medium_index
        if self.layers is not None:
            smallest, index = self.layers.smallest_index
            name = f"layers.{smallest}"
        if self.numerical_aperture >= index:
            raise ValueError(f"numerical_aperture {self.numerical_aperture:g} must be below {name} {index:g}")
        if isinstance(self.wavelength_um, list) and not self.wavelength_um:
            raise ValueError("wavelength_um: the list is empty; give at least one {um, weight}")
        if isinstance(self.wavelength_um, list) and not any(line.weight for line in self.wavelength_um):
            raise ValueError("wavelength_um: the weights sum to nothing; give at least one a weight above 0")
        return self

    @property
    def spectrum(self) -> tuple[tuple[float, float], ...]:
        """(wavelength in um, weight) pairs; the weights sum to one."""
        if isinstance(self.wavelength_um, list):
            total = sum(line.weight for line in self.wavelength_um)
            return tuple((line.um, line.weight / total) for line in self.wavelength_um if line.weight)
        return ((self.wavelength_um, 1.0),)

    @property
    def true_magnification(self) -> float:
        """Magnification with the tube lens in use."""
        return self.magnification * self.tube_lens_mm / (self.design_tube_lens_mm or self.tube_lens_mm)


class MicrolensArray(Section):
    """The microlens array at the native image plane."""

    pitch_um: Positive = Field(description="distance of neighbouring lenslets, um")
    focal_length_um: Positive = Field(description="focal length of a lenslet, um")
    sensor_distance_um: Positive | None = Field(
        default=None, description="distance from array to camera, um; default: the focal length"
    )
    lattice: Literal["square", "hexagonal", "none"] = Field(default="square", description="arrangement of the lenslets")
    arrangement: Literal["square", "rows", "columns"] = Field(
        default="square",
        description="with lattice 'none': lenslets in a square lattice, in hexagonal rows along x, or columns along y",
    )
    aperture: Literal["square", "hexagonal", "round"] | None = Field(
        default=None,
        description="shape of one lenslet; default: the lattice's cell, without gaps; square where there is none",
    )
    aperture_um: Positive | None = Field(
        default=None, description="side or diameter of a lenslet's clear part, um; default: the pitch"
    )
    gaps: Literal["opaque", "clear"] = Field(default="opaque", description="what lies between the lenslets")
    fourier_lens_mm: Positive | None = Field(
        default=None, description="lens in front of a pupil-plane array, mm; with lattice 'none' and no measured psf"
    )

    @model_validator(mode="after")
    def _shapes_belong_together(self) -> Self:
        if self.lattice != "none" and self.aperture not in (None, "round", self.lattice):
            raise ValueError(
                f"aperture '{self.aperture}' does not tile lattice '{self.lattice}'; leave it out or say 'round'"
            )
        if self.lattice != "none" and self.arrangement != "square":
            raise ValueError(f"arrangement '{self.arrangement}': only lattice 'none' has one; leave it out")
        if self.aperture_um is not None and self.aperture_um > self.pitch_um:
            raise ValueError(f"aperture_um {self.aperture_um:g} must not exceed pitch_um {self.pitch_um:g}")
        return self


class Camera(Section):
    """The camera behind the array."""

    pixel_um: Positive = Field(description="camera pixel, um")
    relay_magnification: Positive = Field(default=1.0, description="magnification from the array to the camera")
    frame_interval_s: Positive | None = Field(default=None, description="time between frames, s; written to the output")
    counts_per_electron: Positive | None = Field(default=None, description="gain; what noise is expected rests on it")
    read_noise_electrons: float = Field(
        default=0.0, ge=0, allow_inf_nan=False, description="read noise of a pixel, rms"
    )

    @property
    def pixel_at_array_um(self) -> float:
        """Camera pixel referred to the microlens array, um."""
        return self.pixel_um / self.relay_magnification


class Images(Section):
    """Which files hold what; patterns are relative to ``dataset.yaml``."""

    light_field: str = Field(min_length=1, description="pattern of the light field frames; stacks and single frames")
    radiometry: str | None = Field(default=None, description="pattern of the white frames, averaged")
    dark: str | None = Field(default=None, description="pattern of the dark frames, averaged")

    @model_validator(mode="after")
    def _patterns_stay_inside(self) -> Self:
        for name in ("light_field", "radiometry", "dark"):
            pattern = getattr(self, name)
            if pattern is not None and (pattern.startswith("/") or ".." in pattern.split("/") or "://" in pattern):
                raise ValueError(f"{name}: '{pattern}' leaves the data set; give a path below dataset.yaml")
        return self


class CalibrationSettings(Section):
    """How frames are resampled to the lattice."""

    pixels_per_lenslet: int | None = Field(
        default=None, ge=3, le=101, description="pixels per lenslet, rectified; default: the measured pitch, rounded"
    )


class Volume(Section):
    """Where the volume is sampled."""

    z_um: ZRange | list[Annotated[float, Field(allow_inf_nan=False)]] = Field(
        description="planes, um: {start, stop, step} or a rising list; z > 0 is towards the objective"
    )
    samples_per_lenslet: int = Field(default=8, ge=1, le=64, description="volume samples per lenslet, laterally")
    voxels: Literal["points", "boxes"] = Field(
        default="points", description="what a voxel stands for: a point in its middle, or light all over it"
    )

    @model_validator(mode="after")
    def _has_planes(self) -> Self:
        count = len(self.planes_um)
        if count == 0:
            raise ValueError("z_um holds no planes; stop must not be below start")
        if count > MAXIMUM_PLANES:
            raise ValueError(f"z_um holds {count} planes, more than {MAXIMUM_PLANES}; use a larger step")
        # A volume's metadata hold one start and one step, so the first plane must be the lowest.
        if any(above <= below for below, above in pairwise(self.planes_um)):
            raise ValueError("z_um must list every plane once, from the lowest to the highest")
        return self

    @property
    def planes_um(self) -> tuple[float, ...]:
        """The planes' z, um, in the order of the volume's first axis."""
        return tuple(self.z_um) if isinstance(self.z_um, list) else self.z_um.planes_um

    @property
    def plane_step_um(self) -> float | None:
        """Distance of planes, um; None where it is not the same for all or there is but one in a list."""
        if isinstance(self.z_um, ZRange):
            return self.z_um.step
        steps = [above - below for below, above in pairwise(self.z_um)]
        is_even = bool(steps) and max(steps) - min(steps) <= 1e-6 * max(steps)
        return steps[0] if is_even else None


class Output(Section):
    """What is written."""

    format: Literal["ome-zarr", "ome-tiff"] = Field(default="ome-zarr", description="file format of the volumes")
    dtype: Literal["float32", "uint16"] = Field(default="float32", description="uint16 is written with a stored scale")


class Settings(Section):
    """All of ``dataset.yaml``."""

    microscope: Microscope
    microlens_array: MicrolensArray
    camera: Camera
    images: Images
    calibration: CalibrationSettings = CalibrationSettings()
    volume: Volume
    reconstruction: Reconstruction = Reconstruction()
    output: Output = Output()

    @model_validator(mode="after")
    def _a_pupil_array_is_described(self) -> Self:
        array, measured = self.microlens_array, self.microscope.measured_psf
        if array.lattice == "none" and array.fourier_lens_mm is None and measured is None:
            raise ValueError("lattice 'none' needs microlens_array.fourier_lens_mm or microscope.measured_psf")
        if array.lattice != "none" and array.fourier_lens_mm is not None:
            raise ValueError(f"microlens_array.fourier_lens_mm belongs to lattice 'none', not to '{array.lattice}'")
        if array.lattice == "none" and self.volume.samples_per_lenslet != 1:
            raise ValueError("volume.samples_per_lenslet must be 1 with lattice 'none', whose voxels are camera pixels")
        return self

    @model_validator(mode="after")
    def _the_noise_is_known(self) -> Self:
        if self.reconstruction.stopping_rule.rule == "discrepancy" and self.camera.counts_per_electron is None:
            raise ValueError("reconstruction.stopping.rule 'discrepancy' needs camera.counts_per_electron")
        return self

    @model_validator(mode="after")
    def _boxes_have_a_depth(self) -> Self:
        boxes = self.volume.voxels == "boxes"
        if boxes and self.microscope.measured_psf is not None:
            raise ValueError("volume.voxels: a measured_psf is of points, not of 'boxes'; say 'points'")
        if boxes and self.volume.plane_step_um is None:
            raise ValueError("volume.voxels 'boxes' needs planes at equal distances; say z_um: {start, stop, step}")
        return self

    @property
    def nominal_pitch_px(self) -> float:
        """Lenslet pitch in camera pixels as the settings state it."""
        return self.microlens_array.pitch_um / self.camera.pixel_at_array_um

    @property
    def nominal_pixels_per_lenslet(self) -> int:
        """Pixels per lenslet before any calibration: as set, else the nominal pitch, rounded."""
        return self.calibration.pixels_per_lenslet or round(self.nominal_pitch_px)


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with ``overrides`` laid over it, mapping by mapping; lists and scalars are replaced.

    A mapping with other keys than ``start``, ``stop``, ``step`` never replaces a list.
    """
    merged = dict(base)
    for key, value in overrides.items():
        below = merged.get(key)
        merged[key] = merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def parse_settings(text: str, origin: str, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Settings from the text of a ``dataset.yaml``, with ``overrides`` laid over them.

    Raises ``SettingsError``, one line that names ``origin``, the key and the remedy.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingsError(f"{origin}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise SettingsError(f"{origin}: holds no settings; 'lfcore init DIR' writes a commented template")
    # A section whose keys are all commented out reads as null.
    merged = merge({key: {} if value is None else value for key, value in content.items()}, overrides or {})
    try:
        return Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(f"{origin}: {explain(error.errors(), merged, Settings)}") from error


REQUIRED_KEYS: Mapping[str, Any] = {
    "microscope": {"magnification": 20, "numerical_aperture": 0.5, "wavelength_um": 0.51},
    "microlens_array": {"pitch_um": 125, "focal_length_um": 2500},
    "camera": {"pixel_um": 6.5},
    "images": {"light_field": "raw/*.tif"},
    "volume": {"z_um": {"start": 0, "stop": 0, "step": 1}},
}
"""The keys without a default, with values that are in order: what overrides are tried on."""

ABOUT_THE_OTHER_HALF = ("value_error", "missing")
"""What pydantic calls problems that overrides alone may have, for what they rest on is in ``dataset.yaml``."""


def _is_of_another_branch(location: Path, merged: Mapping[str, Any], open_ends: Sequence[Path]) -> bool:
    """Whether a problem is with a branch of a union of which another branch only wants what may be elsewhere."""
    above = location[:-1]
    return is_of_a_branch(location, merged) and any(end[: len(above)] == above for end in open_ends)


def check_overrides(overrides: Mapping[str, Any], origin: str) -> None:
    """Check overrides by themselves, before the ``dataset.yaml`` below them is read.

    Keys and values are checked; how values fit together is not, since the other half is not known.
    Raises ``SettingsError``, one line that names ``origin``, the key and the remedy.
    """
    merged = merge(REQUIRED_KEYS, overrides)
    try:
        Settings.model_validate(merged)
    except ValidationError as error:
        problems = error.errors()[:MOST_DETAILS]
        open_ends = [problem["loc"] for problem in problems if problem["type"] in ABOUT_THE_OTHER_HALF]
        details = [
            problem
            for problem in problems
            if problem["type"] not in ABOUT_THE_OTHER_HALF
            and not _is_of_another_branch(problem["loc"], merged, open_ends)
        ]
        if details:
            raise SettingsError(f"{origin}: {explain(details, merged, Settings)}") from error
