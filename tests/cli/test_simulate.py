"""``lfcore simulate``: data sets that hold together, and whose truth the whole of ``lfcore run`` finds again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from lfcore.io import ome_tiff
from lfcore.settings import Settings
from lfcore.simulation.compare import compare_run

SMALL = ["--rows", 8, "--columns", 9, "--frames", 2, "--seed", 3, "--pitch-px", 7.3]
COUNTS = {"beads": 2, "vessels": 1, "planes": 1}


def simulate(lfcore: Callable[..., Any], folder: Path, preset: str, *more: object) -> Any:  # noqa: ANN401 - a Result
    points = ["--points", COUNTS[preset]] if preset in COUNTS else []
    return lfcore("simulate", folder, "--preset", preset, *SMALL, *points, *more)


@pytest.mark.parametrize("preset", ["beads", "vessels", "planes", "uniform"])
def test_every_preset_writes_a_data_set_in_order(lfcore: Callable[..., Any], tmp_path: Path, preset: str) -> None:
    folder = tmp_path / "set"
    result = simulate(lfcore, folder, preset)
    assert result.code == 0, result.err
    points = json.loads((folder / "truth" / "points.json").read_text())
    assert f"2 frames, {len(points['z_um'])} points" in result.out
    assert np.array(points["brightness"]).shape == (2, len(points["z_um"]))
    assert np.array(points["camera_px"]).size == 2 * len(points["z_um"])
    white, dark = tifffile.imread(folder / "radiometry.tif"), tifffile.imread(folder / "dark.tif")
    frames = [tifffile.imread(path) for path in sorted((folder / "raw").iterdir())]
    assert len(frames) == 2
    for image in (white, dark, *frames):
        assert image.shape == white.shape
        assert image.dtype == np.uint16
    assert white.max() < 65535
    assert np.median(dark) == pytest.approx(100, abs=1)
    assert max(int(frame.max()) for frame in frames) == pytest.approx(2100, abs=250)
    assert ome_tiff.read_volume(str(folder / "truth" / "volume.ome.tif")).shape == (11, 24, 27)
    check = lfcore("check", folder)
    assert (check.code, check.err) == (0, "")
    assert "8 x 9 lenslets" in check.out


def test_the_same_seed_gives_the_same_data_set(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate(lfcore, tmp_path / name, "beads")
    simulate(lfcore, tmp_path / "three", "beads", "--seed", 4)
    contents = [
        {path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*.tif")}
        for name in ("one", "two", "three")
    ]
    volume = Path("truth/volume.ome.tif")
    for content in contents:
        content.pop(volume)  # holds an identifier of its own
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_a_folder_that_holds_a_data_set_is_left_alone(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    simulate(lfcore, tmp_path / "set", "uniform")
    before = {path: path.read_bytes() for path in (tmp_path / "set").rglob("*") if path.is_file()}
    result = simulate(lfcore, tmp_path / "set", "beads")
    assert result.code == 78
    assert "already holds a data set" in result.error
    assert {path: path.read_bytes() for path in (tmp_path / "set").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "cubes"], "preset 'cubes': must be one of beads, vessels, planes, uniform"),
        (["--points", 500], "500 beads do not fit"),
    ],
)
def test_what_cannot_be_simulated_leaves_nothing(
    lfcore: Callable[..., Any], tmp_path: Path, arguments: list[object], message: str
) -> None:
    result = lfcore("simulate", tmp_path / "set", *SMALL, *arguments)
    assert result.code == 78
    assert message in result.error
    assert not (tmp_path / "set").exists()


def test_the_settings_say_what_was_asked_for(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    simulate(lfcore, tmp_path / "set", "uniform", "--rotation-deg", -2)
    settings = Settings.model_validate(yaml.safe_load((tmp_path / "set" / "dataset.yaml").read_text()))
    assert settings.nominal_pitch_px == pytest.approx(7.3)
    lattice = json.loads((tmp_path / "set" / "truth" / "points.json").read_text())["lattice"]
    np.testing.assert_allclose(np.hypot(*lattice["row_step_px"]), 7.3)
    assert np.degrees(np.arctan2(*lattice["column_step_px"])) == pytest.approx(-2)


@pytest.mark.parametrize("pitch_px", [9.2, 10.1])
def test_a_whole_run_finds_the_beads_again(lfcore: Callable[..., Any], tmp_path: Path, pitch_px: float) -> None:
    dataset, run = tmp_path / "set", tmp_path / "run"
    field = ["--rows", 14, "--columns", 18, "--pitch-px", pitch_px]
    assert lfcore("simulate", dataset, *field, "--frames", 2, "--points", 8, "--seed", 5).code == 0
    result = lfcore("run", dataset, run)
    assert result.code == 0, result.err
    figures = compare_run(str(dataset), str(run))
    assert figures["beads_total"] == 16
    assert figures["beads_found"] >= 0.95 * 16
    assert figures["false_peaks"] <= 1
    assert figures["ncc"] > 0.4
    assert json.loads((run / "report" / "metrics.json").read_text())["frames"]["done"] == 2
