"""Calibrate: the lenslet lattice and the sensitivity, from the white frames."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lfcore.calibration.lattice import Calibration, LatticeFit, fit_lattice
from lfcore.calibration.rectify import rectify
from lfcore.contracts import RunPaths, Stage, WorkItem
from lfcore.errors import CalibrationError
from lfcore.io import sources, store, tiff
from lfcore.report.pictures import lattice_picture
from lfcore.stages.normalise import read_dark, read_normalised
from lfcore.stages.progress import Listener, silent
from lfcore.stages.record import read_run
from lfcore.stages.runner import Do, Outcome, Pulse, Record, process, write_json


def run_items(run: RunPaths, items: Sequence[WorkItem], listener: Listener = silent) -> Outcome:
    """Calibrate the run: ``calibration.json``, ``lattice.png`` and ``sensitivity.tif``."""

    def prepare(pulse: Pulse) -> Do:
        return lambda item: calibrate(run)

    return process(run, Stage.CALIBRATE, items, prepare, listener)


def calibrate(run: RunPaths) -> Record:
    """Write the calibration of a run and return what its completion record says.

    Raises ``CalibrationError`` naming the white frame when there is no lattice in it.
    """
    record = read_run(run)
    settings = record.settings
    white = read_white(record.inputs_of("radiometry"), record.inputs_of("dark"))
    fit = fit_lattice_in(
        white, settings.nominal_pitch_px, settings.calibration.pixels_per_lenslet, record.inputs_of("radiometry")[0]
    )
    calibration = fit.calibration
    centres = calibration.lattice.centres(calibration.rows, calibration.columns)
    store.write_bytes(run.sensitivity, tiff.encode_image(sensitivity(white, calibration)))
    store.write_bytes(run.lattice_picture, lattice_picture(white, centres, fit.centroids, fit.inliers))
    write_json(run.calibration_json, calibration.to_json())
    outputs = [run.calibration_json, run.lattice_picture, run.sensitivity]
    return {"outputs": outputs, "pitch_px": calibration.lattice.mean_pitch_px, "lenslets": calibration.inliers}


def read_white(radiometry: list[str], dark: list[str]) -> npt.NDArray[np.float32]:
    """The mean of the white frames less the dark frame, (y, x), NaN where any of them is saturated or hot."""
    dark_frame = read_dark(dark)
    pages = [(path, page) for path in radiometry for page in range(sources.inspect(path).frames)]
    with sources.FrameReader() as reader:
        total = read_normalised(*pages[0], dark_frame, reader.read).astype(np.float64)
        for path, page in pages[1:]:
            total += read_normalised(path, page, dark_frame, reader.read)
    return (total / len(pages)).astype(np.float32)


def fit_lattice_in(
    white: npt.NDArray[np.float32], nominal_pitch_px: float, pixels_per_lenslet: int | None, origin: str
) -> LatticeFit:
    """`calibration.lattice.fit_lattice`, with the file's name in its errors."""
    try:
        return fit_lattice(white, nominal_pitch_px, pixels_per_lenslet)
    except CalibrationError as error:
        raise CalibrationError(f"{origin}: {error}") from error


def sensitivity(white: npt.NDArray[np.float32], calibration: Calibration) -> npt.NDArray[np.float32]:
    """The rectified white frame (y, x), zero where unusable: missing, off the camera or not brighter than dark."""
    rectified = rectify(white, calibration)
    return np.where(np.isfinite(rectified) & (rectified > 0), rectified, 0).astype(np.float32)
