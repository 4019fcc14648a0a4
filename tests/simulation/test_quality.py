"""The quality bench: what it compares, and how its lines become a table."""

from typing import Any, get_args

import numpy as np
import pytest

from benchmarks.quality import KINDS, PLANES_UM, SAMPLES, TWENTY_TIMES, Truth, phantom_of, solvers
from benchmarks.quality_table import by_depth, table
from lfcore.settings import Reconstruction
from lfcore.simulation.phantoms import Extent, Phantom

NOTHING = float("nan")


# ``more`` is what a line of JSON holds.
def line(kind: str, solver: str, photons: int, ncc: float, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    figures = {"psnr_db": 30.0, "ssim": 0.9, "lattice_index": 2.0, "residual": 0.1, "seconds": 1.0}
    return {"kind": kind, "solver": solver, "photons": photons, "seed": 1, "ncc": ncc} | figures | more


LINES = [
    line(
        "beads", "a", 10, 0.5, z_um=[1.0, 30.0], error_um=[[3.0, 0.0, 1.0]] * 2, error_in_resolution=[[0.3, 0, 0.1]] * 2
    ),
    line("beads", "a", 10, 0.7, z_um=[-5.0], error_um=[[NOTHING] * 3], error_in_resolution=[[NOTHING] * 3]),
    line("bars", "a", 10, 0.2),
    line("bars", "a", 100, 0.3),
    line("beads", "a", 100, 0.4, z_um=[2.0], error_um=[[-4.0, 2.0, 0.0]], error_in_resolution=[[-0.4, 0.2, 0.0]]),
]


def cells(markdown: str) -> list[dict[str, str]]:
    head, _, *rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in markdown.splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_every_solver_of_the_settings_is_compared() -> None:
    names = get_args(Reconstruction.model_fields["solver"].annotation)
    assert {settings.solver for settings in solvers().values()} == set(names)
    assert all(solvers()[name] == Reconstruction(solver=name) for name in names)


def test_a_row_holds_means_over_structures_and_errors_of_found_beads() -> None:
    few, many = cells(table(LINES))
    assert (few["solver"], few["photons"], many["photons"]) == ("a", "10", "100")
    assert (few["NCC beads"], few["NCC bars"], few["NCC"]) == ("0.600", "0.200", "0.400")
    assert few["found"] == "67%"
    assert few["z, y, x, um"] == "3.00, 0.00, 1.00"
    assert many["z, y, x, of the resolution"] == "0.40, 0.20, 0.00"


def test_errors_are_told_apart_by_depth() -> None:
    [row] = cells(by_depth(LINES, 10, (0, 20, 40)))
    assert row["20 to 40 um"] == "0.30, 0.00, 0.10"


@pytest.mark.parametrize("kind", KINDS)
def test_the_truth_is_brightest_where_points_are(kind: str) -> None:
    extent = Extent((-55.0, 55.0), (131.25, 131.25), TWENTY_TIMES.object_pitch_um)
    phantom = phantom_of(kind, 5, extent)
    point = Phantom(phantom.positions_um[:1], phantom.brightness[:, :1])
    truth = Truth.of(point)
    found = np.unravel_index(truth.volume.argmax(), truth.volume.shape)
    z_um, y_um, x_um = point.positions_um[0]
    assert abs(PLANES_UM[found[0]] - z_um) <= 2.5
    voxel_um = TWENTY_TIMES.object_pitch_um / SAMPLES
    # The first sample lies half a lenslet, less half a voxel, before the axis of the first lenslet.
    for index, place_um in ((found[1], y_um), (found[2], x_um)):
        assert abs((index - 2) * voxel_um - place_um) <= voxel_um / 2 + 1e-9
