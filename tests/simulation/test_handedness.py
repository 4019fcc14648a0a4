"""The sign of z and handedness: a simulated bead comes back at its own (z, y, x).

Through the simulated camera, the rectifier, the operator and the solver; the beads' places are such that any flip or
exchange of axes would move them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest

from lfcore.calibration.lattice import Calibration, fit_lattice
from lfcore.calibration.rectify import rectify
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.settings import Reconstruction
from lfcore.simulation.camera import Bench, expected_frames, white_frame
from lfcore.simulation.compare import find_peaks
from lfcore.simulation.dataset import Scenario, camera_px_of, make_bench
from lfcore.simulation.phantoms import Phantom
from lfcore.stages.reconstruct import weight_of
from lfcore.stages.series import reconstruct_frames
from tests.instruments import instrument

Floats = npt.NDArray[np.float64]
PLANES_UM = tuple(float(z) for z in range(-24, 25, 8))
SAMPLES = 3
HEXAGONAL = {"lattice": "hexagonal", "aperture": "hexagonal"}


@dataclass(frozen=True)
class Setting:
    """A field in cells, the lenslet pitch on the camera and how many pixels it is rectified to."""

    rows: int
    columns: int
    pitch_px: float
    pixels: int
    rotation_deg: float
    optics: Mapping[str, str] = field(default_factory=dict)


SETTINGS = {
    "odd, square": Setting(13, 13, 9.0, 9, 0.0),
    "even, square": Setting(13, 13, 10.2, 10, 0.7),
    "odd, oblong": Setting(12, 16, 9.2, 9, -0.8),
    "even, upright": Setting(17, 11, 10.0, 10, 0.4),
    "hexagonal, rows": Setting(9, 13, 9.2, 9, 0.7, HEXAGONAL | {"orientation": "rows"}),
    "hexagonal, columns": Setting(13, 10, 8.0, 8, -0.6, HEXAGONAL | {"orientation": "columns"}),
}


def volume_of(bench: Bench, setting: Setting, phantom: Phantom) -> tuple[npt.NDArray[np.floating], Calibration]:
    """The volume (z, y, x) without margin, and the calibration that was found on the way."""
    white = white_frame(bench)
    calibration = calibrated(bench, setting, white)
    assert (calibration.rows, calibration.columns) == (setting.rows, setting.columns)
    kernels = [plane_kernels(bench.instrument, z_um, SAMPLES) for z_um in PLANES_UM]
    projector = NumpyProjector(kernels, calibration.rows, calibration.columns)
    weight = weight_of(projector, rectify(white, calibration))
    frame = rectify(expected_frames(bench, phantom)[0] * 1000, calibration)
    volume = reconstruct_frames(projector, frame[None], weight, Reconstruction(iterations=12)).volume[0]
    return volume, calibration


def calibrated(bench: Bench, setting: Setting, white: Floats) -> Calibration:
    """What is found in the white frame; of a hexagonal array, what was put in."""
    if bench.lattice.kind == "square":
        return fit_lattice(white, setting.pitch_px, setting.pixels).calibration
    field = setting.rows, setting.columns, 0, 0, 0.0, 0.0, setting.pixels
    return Calibration(bench.lattice, *field, bench.image_shape)


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_beads_come_back_at_their_own_places(setting: Setting) -> None:
    optics = instrument(pixels_per_lenslet=setting.pixels, **setting.optics)
    bench = make_bench(
        optics,
        Scenario(
            rows=setting.rows, columns=setting.columns, pitch_px=setting.pitch_px, rotation_deg=setting.rotation_deg
        ),
    )
    # In cells from the field's corner: none is on a plane of symmetry, and no mirror takes the set to itself.
    cells = np.array([[3.3, 3.1], [setting.rows - 4.6, 4.2], [4.1, setting.columns - 4.4]])
    z_um = np.array([16.0, -16.0, 8.0])
    phantom = Phantom(np.column_stack([z_um, cells * optics.object_cell_um]), np.array([[1.0, 0.9, 0.8]]))
    volume, calibration = volume_of(bench, setting, phantom)
    lattice = calibration.lattice
    places = lattice.cells_at(camera_px_of(bench, phantom))
    expected = np.column_stack([(z_um - PLANES_UM[0]) / 8, (places + 0.5) * optics.cell.samples(SAMPLES) - 0.5])
    peaks = find_peaks(volume)
    distance = np.abs(expected[:, None] - peaks[None]).max(2)
    assert distance.min(1).max() <= 0.5, f"expected {expected.round(2)}, found {peaks.round(2)}"
    # And nothing else is nearly as bright.
    brightest = volume[tuple(np.rint(peaks).astype(int).T)]
    strange = brightest[distance.min(0) > 1]
    assert strange.size == 0 or strange.max() < 0.3 * volume.max()
