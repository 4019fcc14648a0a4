"""Calibrate: the lenslet lattice and the sensitivity, from the white frames or, without any, from the light field."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lfcore.calibration.lattice import Calibration
from lfcore.calibration.rectify import rectify
from lfcore.contracts import RunPaths, Stage, WorkItem
from lfcore.io import store, tiff
from lfcore.report.lattice_picture import lattice_picture
from lfcore.stages.lattice import find_lattice
from lfcore.stages.progress import Listener, silent
from lfcore.stages.record import read_run
from lfcore.stages.runner import Do, Outcome, Pulse, Record, process, write_json


def run_items(run: RunPaths, items: Sequence[WorkItem], listener: Listener = silent) -> Outcome:
    """Calibrate the run: ``calibration.json``, ``lattice.png`` and ``sensitivity.tif``."""

    def prepare(pulse: Pulse) -> Do:
        return lambda item: calibrate(run, pulse)

    return process(run, Stage.CALIBRATE, items, prepare, listener)


def calibrate(run: RunPaths, pulse: Pulse = lambda part: None) -> Record:
    """Write the calibration of a run and return what its completion record says.

    Raises ``CalibrationError`` naming the white frame when there is no lattice in it.
    """
    record = read_run(run)
    radiometry, light_field, dark = (record.inputs_of(role) for role in ("radiometry", "light_field", "dark"))
    found = find_lattice(record.settings, radiometry, light_field, dark, lambda part: pulse(0.8 * part))
    calibration = found.fit.calibration
    relative = sensitivity(found.frame, calibration, measured=bool(radiometry))
    store.write_bytes(run.sensitivity, tiff.encode_image(relative))
    pulse(0.9)
    # What the camera's edge cuts off is nothing that was missed.
    fit, shown = found.fit, found.fit.on_grid
    picture = lattice_picture(
        found.frame, fit.centres[shown], fit.places[shown], fit.inliers[shown], calibration.lattice.mean_pitch_px
    )
    store.write_bytes(run.lattice_picture, picture)
    write_json(run.calibration_json, calibration.to_json() | {"warning": found.warning})
    return {
        "outputs": [run.calibration_json, run.lattice_picture, run.sensitivity],
        "pitch_px": calibration.lattice.mean_pitch_px,
        "lenslets": calibration.inliers,
        "source": calibration.source,
    }


def sensitivity(
    frame: npt.NDArray[np.float32], calibration: Calibration, *, measured: bool = True
) -> npt.NDArray[np.float32]:
    """The rectified white frame (y, x), zero where unusable: missing, off the camera or not brighter than dark.

    When ``frame`` is none, and nothing ``measured``, it is one wherever the frame's pixels are.
    """
    if not measured:
        frame = np.where(np.isfinite(frame), np.float32(1), np.float32(np.nan))
    rectified = rectify(frame, calibration)
    return np.where(np.isfinite(rectified) & (rectified > 0), rectified, 0).astype(np.float32)
