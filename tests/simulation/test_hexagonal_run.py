"""A hexagonal array from raw frames to volumes: the lattice is found and told apart, and beads come back."""

import json
from pathlib import Path
from typing import Literal

import pytest

from lfcore.contracts import RunPaths
from lfcore.simulation.compare import compare_run
from lfcore.simulation.dataset import Scenario, simulate
from lfcore.stages.run import run_all


@pytest.mark.parametrize("orientation", ["rows", "columns"])
def test_beads_of_a_hexagonal_array_come_back_at_their_places(
    tmp_path: Path, orientation: Literal["rows", "columns"]
) -> None:
    rows, columns = (10, 14) if orientation == "rows" else (14, 10)
    scenario = Scenario(
        frames=1, rows=rows, columns=columns, pitch_px=9.4, points=6, lattice="hexagonal", orientation=orientation
    )
    dataset, run = str(tmp_path / "dataset"), RunPaths(str(tmp_path / "run"))
    simulate(dataset, scenario)
    run_all(dataset, run)
    calibration = json.loads(Path(run.calibration_json).read_text())
    assert (calibration["lattice"], calibration["orientation"]) == ("hexagonal", orientation)
    found = compare_run(dataset, run.root)
    assert found["beads_found"] == found["beads_total"] == 6
    assert found["false_peaks"] == 0
    assert max(found["largest_offset_voxels"]) <= 0.5  # type: ignore[call-overload]
