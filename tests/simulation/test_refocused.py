"""Frames of hexagonal arrays, simulated by waves on a turned lattice: rectified and refocused, beads are in place."""

from typing import Literal

import numpy as np
import pytest

from lfcore.calibration.model import Calibration
from lfcore.calibration.rectify import rectify
from lfcore.projection.refocus import refocus
from lfcore.simulation.camera import expected_frames, white_frame
from lfcore.simulation.dataset import Scenario, camera_px_of, make_bench
from lfcore.simulation.phantoms import Phantom
from tests.instruments import instrument

PLANES_UM = tuple(float(z) for z in range(-52, 53, 4))
SAMPLES = 5


@pytest.mark.parametrize(("orientation", "cells"), [("rows", (12, 20)), ("columns", (20, 12))])
def test_beads_come_to_focus_at_their_places(orientation: Literal["rows", "columns"], cells: tuple[int, int]) -> None:
    optics = instrument(lattice="hexagonal", aperture="hexagonal", orientation=orientation, pixels_per_lenslet=11)
    scenario = Scenario(rows=cells[0], columns=cells[1], lattice="hexagonal", orientation=orientation, rotation_deg=1.0)
    bench = make_bench(optics, scenario)
    # Parts of the field, such that no mirror or exchange of axes takes the beads to themselves.
    parts = np.array([[0.3, 0.25], [0.65, 0.3], [0.4, 0.7]])
    z_um = np.array([32.0, -32.0, 24.0])
    places_um = parts * cells * optics.object_cell_um
    phantom = Phantom(np.column_stack([z_um, places_um]), np.ones((1, 3)))
    calibration = Calibration(bench.lattice, *cells, 0, 0, 0.0, 0.0, optics.pixels_per_lenslet, bench.image_shape)
    white = rectify(white_frame(bench), calibration)
    light_field = rectify(expected_frames(bench, phantom)[0], calibration)
    stack = refocus(light_field, np.where(white > 0.05, white, 0), optics, PLANES_UM, SAMPLES)
    voxels = (bench.lattice.cells_at(camera_px_of(bench, phantom)) + 0.5) * optics.cell.samples(SAMPLES) - 0.5
    for depth, place in zip(z_um, voxels, strict=True):
        down, right = np.rint(place).astype(int)
        around = stack[:, down - 4 : down + 5, right - 4 : right + 5]
        plane = int(np.unravel_index(around.argmax(), around.shape)[0])
        assert PLANES_UM[plane] == pytest.approx(depth, abs=4.1)
        light = around[plane] * (around[plane] > 0.4 * around[plane].max())
        centroid = [(light.sum(1 - axis) @ np.arange(9)) / light.sum() - 4 for axis in (0, 1)]
        np.testing.assert_allclose([down + centroid[0], right + centroid[1]], place, atol=0.4)
