"""A Methods paragraph, ready for a paper, made from the settings that were really used."""

from collections.abc import Mapping
from typing import Any

from lfcore.settings import Settings

REFERENCES = (
    "Biggs D. S. C., Andrews M. (1997), Acceleration of iterative image restoration algorithms, "
    "Applied Optics 36, 1766-1775.",
    "Broxton M. et al. (2013), Wave optics theory and 3-D deconvolution for the light field microscope, "
    "Optics Express 21, 25418-25439.",
    "Levoy M., Ng R., Adams A., Footer M., Horowitz M. (2006), Light field microscopy, "
    "ACM Transactions on Graphics 25, 924-934.",
    "Lucy L. B. (1974), An iterative technique for the rectification of observed distributions, "
    "The Astronomical Journal 79, 745-754.",
    "Richardson W. H. (1972), Bayesian-based iterative method of image restoration, "
    "Journal of the Optical Society of America 62, 55-59.",
)
"""The works that the paragraphs cite."""


def methods_text(settings: Mapping[str, Any], calibration: Mapping[str, Any] | None = None) -> list[str]:
    """Paragraphs on acquisition, calibration and reconstruction.

    ``settings`` are a complete data set's, ``calibration`` is the content of ``calibration.json``. Raises
    ``pydantic.ValidationError`` when the settings are not complete.
    """
    used = Settings.model_validate(dict(settings))
    return [_acquisition(used), _calibration(used, calibration), _reconstruction(used)]


def _acquisition(used: Settings) -> str:
    microscope, array, camera = used.microscope, used.microlens_array, used.camera
    wavelengths = sorted(1000 * um for um, _ in microscope.spectrum)
    emission = " to ".join(f"{nm:.0f}" for nm in dict.fromkeys([wavelengths[0], wavelengths[-1]]))
    return (
        f"Light fields were recorded with a light field microscope (Levoy 2006): "
        f"objective {microscope.magnification:g}x, NA {microscope.numerical_aperture:g}, "
        f"medium index {microscope.medium_index:g}, tube lens {microscope.tube_lens_mm:g} mm "
        f"(true magnification {microscope.true_magnification:g}), emission at {emission} nm; "
        f"a {array.lattice} array of {array.aperture} microlenses of nominal pitch {array.pitch_um:g} um and "
        f"focal length {array.focal_length_um:g} um, {array.sensor_distance_um or array.focal_length_um:g} um before "
        f"the camera, whose pixel is {camera.pixel_um:g} um ({camera.pixel_at_array_um:g} um at the array)."
    )


def _calibration(used: Settings, calibration: Mapping[str, Any] | None) -> str:
    dark = "A dark frame was subtracted. " if used.images.dark else ""
    if calibration is None:
        return dark + "No calibration was made."
    pitch_y, pitch_x = calibration["pitch_px"]
    lenslets, size = calibration["lenslets"], calibration["pixels_per_lenslet"]
    kind, source = calibration.get("lattice", "square"), calibration["source"].replace("_", " ")
    if kind == "none":
        return f"{dark}The array being in the pupil, each camera pixel stood for itself."
    if source == "nominal":
        found = f"The lenslets' {kind} lattice was taken from nominal values: pitch {pitch_y:.3f} x {pitch_x:.3f} px."
    else:
        bent = " with perspective and radial terms" if calibration.get("distortion") else ""
        found = (
            f"The lenslets' {kind} lattice was found in the spectrum of the {source} frames and refined by a robust "
            f"weighted fit{bent} to the places of {lenslets['inliers']} discs, where the mean disc fits best: "
            f"steps {pitch_y:.3f} x {pitch_x:.3f} px, rotation {calibration['rotation_deg']:+.3f} degrees, residual "
            f"{calibration['residual_px']['rms']:.3f} px rms."
        )
    cells = "lenslets" if kind == "square" else "cells of two lenslets"
    return (
        f"{dark}{found} Frames were resampled by cubic splines, {size} pixels to the pitch, on {lenslets['rows']} x "
        f"{lenslets['columns']} {cells}."
    )


METHODS = {
    "richardson_lucy": "Richardson-Lucy deconvolution (Richardson 1972, Lucy 1974)",
    "rl_tv": "Richardson-Lucy deconvolution with total variation (Dey 2006)",
    "least_squares": "least squares with Tikhonov's regularisation (LSMR, Fong and Saunders 2011)",
    "admm_tv": "non-negative least squares with total variation (ADMM, Boyd 2011)",
}


def _reconstruction(used: Settings) -> str:
    planes, reconstruction, samples = used.volume.planes_um, used.reconstruction, used.volume.samples_per_lenslet
    accelerated = " with acceleration (Biggs and Andrews 1997)" if reconstruction.accelerates else ""
    where = f"z = {planes[0]:g} um"
    if len(planes) > 1:
        where = f"{len(planes)} planes from {min(planes):g} to {max(planes):g} um"
    return (
        f"Point images were {_model(used)} for {where} (positive towards the "
        f"objective) and {samples} x {samples} lateral samples a lenslet. Volumes were estimated by at most "
        f"{reconstruction.iterations} iterations of {METHODS[reconstruction.solver]}{accelerated}, with the "
        "sensitivity of each pixel, missing pixels and those too dark in the model or the white frame left out, and "
        f"a constant background of {reconstruction.background:g} of the frame's mean.{_artefact_removal(used)}"
    )


def _model(used: Settings) -> str:
    if used.microscope.measured_psf is not None:
        return "measured on beads"
    return "traced by rays" if used.microscope.model == "rays" else "computed by scalar wave optics (Broxton 2013)"


def _artefact_removal(used: Settings) -> str:
    """What was done against the lattice near the native plane."""
    chosen, said = used.reconstruction, ""
    if used.microlens_array.lattice == "none":
        return said
    if chosen.anti_aliasing:
        said += (
            " Against blocks near the native plane the volume was a sum of functions "
            f"{chosen.anti_aliasing:g} times as deep as is resolved there (a sieve, Snyder and Miller 1985)."
        )
    if chosen.lattice_suppression:
        said += " What was left there of a pattern with the lenslets' period was estimated and taken off."
    return said
