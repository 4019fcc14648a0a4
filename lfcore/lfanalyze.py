"""LFAnalyze's and napari-LF's ``metadata.txt`` as settings: what each of its keys becomes, and what it cannot.

The file is JSON in the sections main, calibrate, rectify, deconvolve and hw. Nothing of it is lost silently: a key is
taken, changed with a remark, or listed with the reason why it is not taken.
"""

import glob
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from lfcore.errors import DataError

Value = str | int | float | bool | None


class Taken(NamedTuple):
    """A number that becomes a setting: times ``factor``; ``default`` is LFAnalyze's, None where it has none."""

    place: str
    factor: float
    default: float | None


TAKEN = {
    "calibrate.objective_magnification": Taken("microscope.magnification", 1, 20),
    "calibrate.objective_na": Taken("microscope.numerical_aperture", 1, 0.5),
    "calibrate.medium_index": Taken("microscope.medium_index", 1, 1.33),
    "calibrate.center_wavelength": Taken("microscope.wavelength_um", 1e-3, 509),
    "calibrate.tubelens_focal_length": Taken("microscope.tube_lens_mm", 1, 200),
    "calibrate.ulens_pitch": Taken("microlens_array.pitch_um", 1, None),
    "calibrate.ulens_focal_length": Taken("microlens_array.focal_length_um", 1, 2432.72),
    "calibrate.pixel_size": Taken("camera.pixel_um", 1, None),
    "calibrate.supersample": Taken("volume.samples_per_lenslet", 1, 1),
    "deconvolve.max_iter": Taken("reconstruction.iterations", 1, 15),
}

IMAGES = {
    "deconvolve.input_file": "images.light_field",
    "calibrate.radiometry_frame_file": "images.radiometry",
    "calibrate.dark_frame_file": "images.dark",
}

NOT_TAKEN = {
    "one calibration serves a run, and is found again where it is needed": (
        "calibrate.output_filename",
        "rectify.calibration_file",
        "deconvolve.calibration_file",
    ),
    "volumes and reports lie in RUN; 'lfcore rectify' and 'refocus' take -o": (
        "rectify.output_filename",
        "deconvolve.output_filename",
        "calibrate.pinhole_filename",
        "calibrate.lenslet_filename",
    ),
    "an option of a command here: 'lfcore rectify' has --frame and --views, 'lfcore refocus' makes focal stacks": (
        "rectify.input_file",
        "rectify.subaperture",
        "deconvolve.focalstack",
    ),
    "ignored there too; calibration.pixels_per_lenslet sets it here": ("rectify.output_pixels_per_lenslet",),
    "without effect there: voxels are points either way": ("calibrate.voxels_as_points",),
    "stored there and never used": ("calibrate.pixel_fill_factor",),
    "the lattice is fitted here in one way, which adds distortion where residuals pay for it": (
        "calibrate.align_radiometry",
        "calibrate.affine_alignment",
        "calibrate.isometry_alignment",
        "calibrate.chief_ray_image",
        "calibrate.crop_center_lenslets",
        "calibrate.skip_alignment",
        "calibrate.skip_subpixel_alignment",
    ),
    "'lfcore simulate' makes synthetic data sets": ("calibrate.synthetic_lf",),
    "belongs to a solver or filter that is not taken over": (
        "deconvolve.alpha",
        "deconvolve.regularization_lambda",
        "deconvolve.regularization_lambda2",
        "deconvolve.multiscale_smoothing",
        "deconvolve.save_multiscale",
        "deconvolve.remove_grid",
        "deconvolve.pinhole_filename",
    ),
    "counts in LFAnalyze's denominator; reconstruction.background is a fraction of the frame's mean": (
        "deconvolve.background_level",
        "deconvolve.readnoise_variance",
    ),
    "its default never stopped anything; here the number of iterations does": ("deconvolve.conv_thresh",),
    "shown by the widget, known to no program of LFAnalyze": (
        "calibrate.use_ray_optics",
        "deconvolve.decon_type",
        "deconvolve.reg_factor",
        "deconvolve.h5py_cov_filename",
        "deconvolve.benchmark",
        "deconvolve.log_convergence",
    ),
    "--device or LFCORE_DEVICE chooses; 'lfcore doctor' lists what there is": (
        "hw.gpu_id",
        "hw.platform_id",
        "hw.disable_gpu",
    ),
    "taken care of by itself": ("hw.use_single_prec", "calibrate.num_threads", "calibrate.debug"),
}
"""Reason: keys."""

ELSEWHERE = (
    "main.comments",
    "calibrate.ulens_focal_distance",
    "calibrate.ulens_profile",
    "calibrate.ulens_fill_factor",
    "calibrate.num_slices",
    "calibrate.um_per_slice",
    "calibrate.z_center",
    "deconvolve.solver",
)
"""Keys with a function of their own below."""

PROFILES = {"rect": "square", "circ": "round"}


@dataclass
class Conversion:
    """``values`` and ``remarks`` by place (``section.key``), ``notes`` to read, and by reason what is ``left``."""

    values: dict[str, Any] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    left: dict[str, list[str]] = field(default_factory=dict)
    comment: str = ""

    def put(self, place: str, value: object, remark: str) -> None:
        """Give the setting at ``place`` a value."""
        self.values[place] = value
        self.remarks[place] = remark

    def leave(self, key: str, value: object, reason: str) -> None:
        """Say why a key becomes no setting."""
        self.left.setdefault(reason, []).append(f"{key} {json.dumps(value, ensure_ascii=False)}")


def convert(text: str, origin: str) -> Conversion:
    """The settings in the text of a ``metadata.txt``.

    Raises ``DataError``, one line that names ``origin`` and the key, for what is no such file, for a number that is
    none, and where the lenslet pitch or the pixel is not given.
    """
    source = Source.parse(text, origin)
    found = Conversion(comment=" ".join(source.text("main.comments").split()))
    for key, taken in TAKEN.items():
        number = source.number(key, taken.default, found)
        found.put(taken.place, tidy(number * taken.factor), f"{key} {number:g}")
    _sensor_distance(source, found)
    _lenslet_shape(source, found)
    _planes(source, found)
    _solver(source, found)
    _images(source, found)
    _contradictions(source, found)
    _rest(source, found)
    return found


@dataclass(frozen=True)
class Source:
    """The keys of a metadata file as ``section.key``."""

    content: Mapping[str, Any]
    origin: str

    @classmethod
    def parse(cls, text: str, origin: str) -> "Source":
        """Read the JSON. Raises ``DataError`` for anything else."""
        try:
            sections = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(f"{origin}: is not JSON, as LFAnalyze's metadata.txt is ({error})") from error
        if not isinstance(sections, dict) or not isinstance(sections.get("calibrate"), dict):
            raise DataError(f"{origin}: has no section 'calibrate'; give the metadata.txt of an LFAnalyze project")
        flat = {
            f"{section}.{key}": value
            for section, keys in sections.items()
            for key, value in (keys.items() if isinstance(keys, dict) else [("", keys)])
        }
        return cls(flat, origin)

    def text(self, key: str) -> str:
        """The value of ``key`` as text; empty where it is not given."""
        value = self.content.get(key)
        return "" if value is None else str(value).strip()

    def number(self, key: str, default: float | None, found: Conversion) -> float:
        """The value of ``key``, or LFAnalyze's default, with a note. Raises ``DataError`` where there is neither."""
        text = self.text(key)
        if not text and default is None:
            raise DataError(f"{self.origin}: {key} is missing; LFAnalyze has no default for it, so add it")
        if not text:
            found.notes.append(f"{key} is not given; LFAnalyze's default {default:g} is used")
        try:
            number = float(text or str(default))
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise DataError(f"{self.origin}: {key} is {text!r}; it must be a number")
        return number


def tidy(number: float) -> int | float:
    """``number`` without the digits that arithmetic adds, and whole where it is whole."""
    rounded = float(f"{number:.10g}")
    return int(rounded) if rounded.is_integer() else rounded


def _sensor_distance(source: Source, found: Conversion) -> None:
    key = "calibrate.ulens_focal_distance"
    if not source.text(key):
        return
    distance, focal = source.number(key, None, found), found.values["microlens_array.focal_length_um"]
    found.put("microlens_array.sensor_distance_um", tidy(distance), f"{key} {distance:g}")
    if distance != focal:
        found.notes.append(f"{key} {distance:g} is not the focal length {focal:g}: the sensor is out of focus by that")


def _lenslet_shape(source: Source, found: Conversion) -> None:
    """LFAnalyze's fill factor is that of a side or diameter, with opaque gaps."""
    key = "calibrate.ulens_profile"
    profile = source.text(key) or "rect"
    if profile not in PROFILES:
        raise DataError(f"{source.origin}: {key} is '{profile}'; it must be one of {', '.join(PROFILES)}")
    found.put("microlens_array.aperture", PROFILES[profile], f"{key} {profile}")
    key = "calibrate.ulens_fill_factor"
    factor = source.number(key, None, found) if source.text(key) else 1.0
    if factor != 1:
        clear_um = tidy(factor * found.values["microlens_array.pitch_um"])
        found.put("microlens_array.aperture_um", clear_um, f"{key} {factor:g} times the pitch")
    else:
        found.leave(key, factor, "lenslets without gaps, as is the default here")


def _planes(source: Source, found: Conversion) -> None:
    """Slices about the centre; z counts towards the objective there and here."""
    count, step, centre = (
        source.number(f"calibrate.{key}", default, found)
        for key, default in (("num_slices", 30), ("um_per_slice", 10), ("z_center", 0))
    )
    if count < 1 or not count.is_integer() or step <= 0:
        problem = f"calibrate.num_slices {count:g} of um_per_slice {step:g}"
        raise DataError(f"{source.origin}: {problem} are no planes; give a whole number above 0 and a distance above 0")
    half = (count - 1) / 2 * step
    planes = {"start": tidy(round(centre - half, 6)), "stop": tidy(round(centre + half, 6)), "step": tidy(step)}
    found.put("volume.z_um", planes, f"num_slices {count:g}, um_per_slice {step:g}, z_center {centre:g}; same sign")
    offsets = ((centre - half) + step * index for index in range(min(int(count), 10_000)))
    if any(abs(z_um) < 0.1 for z_um in offsets):
        found.notes.append("a plane lies at z = 0; LFAnalyze computed +0.1 um in its place, here it is computed at 0")


def _solver(source: Source, found: Conversion) -> None:
    solver = source.text("deconvolve.solver") or "rl"
    found.put("reconstruction.solver", "richardson_lucy", f"deconvolve.solver {solver}")
    found.put("reconstruction.acceleration", False, "as there, so that iterations mean the same")
    if solver != "rl":
        found.notes.append(f"deconvolve.solver '{solver}' is not taken over; set reconstruction.solver as you like")


def _images(source: Source, found: Conversion) -> None:
    for key, place in IMAGES.items():
        name = source.text(key)
        if not name and place == "images.light_field":
            found.notes.append(f"{key} is not given; set images.light_field")
        if not name:
            continue
        base = re.split(r"[/\\]", name)[-1]
        # LFAnalyze averages what a pattern matches, except for the light field, whose name it takes as it is.
        pattern = glob.escape(base) if place == "images.light_field" else base
        found.put(place, pattern, key)
        if base != name:
            found.notes.append(f"{key} '{name}': the folder is left out; images lie below the data set")
    if "images.radiometry" not in found.values:
        found.put("images.radiometry", None, "calibrate.radiometry_frame_file is not given")


def _contradictions(source: Source, found: Conversion) -> None:
    samples = found.values["volume.samples_per_lenslet"]
    for key in ("calibrate.output_filename", "deconvolve.output_filename"):
        named = re.search(r"SS(\d+)", source.text(key))
        if named and int(named[1]) != samples:
            found.notes.append(f"{key} '{source.text(key)}' says SS{named[1]}, calibrate.supersample says {samples}")
            break
    calibration, used = source.text("calibrate.output_filename"), source.text("deconvolve.calibration_file")
    if calibration and used and calibration != used:
        found.notes.append(
            f"deconvolve.calibration_file '{used}' is not calibrate.output_filename '{calibration}': the optics here"
            " are those of section calibrate, and the volume may have been made with others"
        )
    if source.text("calibrate.synthetic_lf") == "True":
        found.notes.append("calibrate.synthetic_lf is true: that calibration was of no image")


def _rest(source: Source, found: Conversion) -> None:
    """Say of every key that became no setting why, and note those that are not known at all."""
    reasons = {key: reason for reason, keys in NOT_TAKEN.items() for key in keys}
    for key in source.content:
        if key in reasons:
            found.leave(key, source.content[key], reasons[key])
        elif key not in TAKEN and key not in IMAGES and key not in ELSEWHERE:
            found.notes.append(f"unknown key '{key}': not taken")
