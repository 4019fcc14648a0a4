"""Where a run takes its lattice from, what it says about that, and what follows for the sensitivity."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import yaml

from benchmarks.white_frames import Kind, WhiteFrame
from lfcore.contracts import RunPaths, Stage
from lfcore.errors import CalibrationError, DataError
from lfcore.stages.lattice import read_combined
from lfcore.stages.plan import plan
from lfcore.stages.work import do_slice
from tests.conftest import TINY_SETTINGS

MakeDataset = Callable[..., Path]
WITHOUT_WHITE = {"images": {"light_field": "raw/*.tif", "dark": "dark.tif"}}


def calibrated(dataset: Path, tmp_path: Path) -> tuple[dict[str, Any], RunPaths]:
    run = RunPaths(f"{tmp_path}/run")
    plan(str(dataset), run)
    do_slice(run, Stage.CALIBRATE)
    return json.loads(Path(run.calibration_json).read_text()), run


def test_without_a_white_frame_the_light_field_shows_the_lattice(
    tiny_dataset: MakeDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        found, run = calibrated(tiny_dataset(settings=WITHOUT_WHITE), tmp_path)
    assert found["source"] == "light_field"
    np.testing.assert_allclose(found["pitch_px"], [10, 10], atol=0.02)
    assert (found["lenslets"]["rows"], found["lenslets"]["columns"]) == (10, 12)
    assert "images.radiometry is not set" in found["warning"]
    assert found["warning"] in caplog.text
    np.testing.assert_array_equal(np.unique(tifffile.imread(run.sensitivity)), [1])


def test_a_whole_run_without_a_white_frame_says_so_in_its_report(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    _, run = calibrated(tiny_dataset(frames=1, settings=WITHOUT_WHITE), tmp_path)
    for stage in (Stage.NORMALISE, Stage.TRANSFORMS, Stage.RECONSTRUCT, Stage.REPORT):
        do_slice(run, stage)
    metrics = json.loads(Path(run.metrics_json).read_text())
    assert 0 < metrics["relative_residual"] < 0.7
    assert "images.radiometry is not set" in Path(run.report_html).read_text()


def test_when_nothing_shows_a_lattice_it_is_the_nominal_one(
    tiny_dataset: MakeDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    dataset, random = tiny_dataset(frames=2, settings=WITHOUT_WHITE), np.random.default_rng(3)
    for frame in range(2):
        tifffile.imwrite(dataset / "raw" / f"frame_{frame}.tif", random.poisson(500, (100, 120)).astype(np.uint16))
    with caplog.at_level(logging.WARNING):
        found, run = calibrated(dataset, tmp_path)
    assert found["source"] == "nominal"
    assert found["pitch_px"] == [10, 10]
    assert found["rotation_deg"] == 0
    assert found["lenslets"]["inliers"] == 0
    assert "the lattice is the nominal one, 10.00 px, unturned and centred (light field: no lattice" in found["warning"]
    assert found["warning"] in caplog.text
    assert Path(run.lattice_picture).read_bytes().startswith(b"\x89PNG")


def test_without_an_array_before_the_camera_each_pixel_is_a_cell(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    array = TINY_SETTINGS["microlens_array"] | {"lattice": "none", "fourier_lens_mm": 100}
    volume = TINY_SETTINGS["volume"] | {"samples_per_lenslet": 1}
    found, run = calibrated(tiny_dataset(settings={"microlens_array": array, "volume": volume}), tmp_path)
    assert found["source"] == "none"
    assert found["lenslets"] == {"rows": 100, "columns": 120, "found": 0, "inliers": 0}
    assert (found["pixels_per_lenslet"], found["pitch_px"], found["origin_px"]) == (1, [1, 1], [0, 0])
    white = tifffile.imread(run.sensitivity)
    assert white.shape == (100, 120)
    assert white[5::10, 5::10].mean() == pytest.approx(2000, rel=0.05)


def hexagonal_dataset(folder: Path, lattice: str, radiometry: bool = True) -> Path:
    frame = WhiteFrame(Kind((150, 160), 12.0, 1.0, lattice="hexagonal", photons=3000, background=0.0))
    (folder / "raw").mkdir(parents=True)
    counts = np.nan_to_num(3000 * frame.image, nan=3000).astype(np.uint16)
    tifffile.imwrite(folder / "raw" / "frame_0.tif", counts)
    tifffile.imwrite(folder / "radiometry.tif", counts)
    images = {"light_field": "raw/*.tif"} | ({"radiometry": "radiometry.tif"} if radiometry else {})
    array = {"pitch_um": 120, "focal_length_um": 2000, "lattice": lattice}
    (folder / "dataset.yaml").write_text(yaml.safe_dump(TINY_SETTINGS | {"images": images, "microlens_array": array}))
    return folder


def test_a_hexagonal_array_is_calibrated_in_cells(tmp_path: Path) -> None:
    found, run = calibrated(hexagonal_dataset(tmp_path / "data", "hexagonal"), tmp_path)
    assert (found["lattice"], found["orientation"]) == ("hexagonal", "rows")
    assert found["pitch_px"] == pytest.approx([12 * 3**0.5, 12], abs=0.01)
    rows, columns = found["lenslets"]["rows"], found["lenslets"]["columns"]
    white = tifffile.imread(run.sensitivity)
    assert white.shape == (21 * rows, 12 * columns)
    # A disc in the middle of a cell, and one shared by the corners of four.
    gaps = white[17::21, 5::12].max()
    assert white[10::21, 6::12].min() > 1.5 * gaps
    assert white[21::21, 12::12].min() > 1.5 * gaps


@pytest.mark.parametrize("radiometry", [True, False])
def test_a_hexagonal_frame_with_lattice_square_is_told(tmp_path: Path, radiometry: bool) -> None:
    with pytest.raises(CalibrationError, match=r"its lattice is hexagonal .*set it to 'hexagonal'") as caught:
        calibrated(hexagonal_dataset(tmp_path / "data", "square", radiometry), tmp_path)
    assert "\n" not in str(caught.value)
    assert ("light field" in str(caught.value)) is not radiometry
    assert caught.value.exit_code == 65


def test_frames_are_combined_between_their_mean_and_their_maximum(tmp_path: Path) -> None:
    random = np.random.default_rng(8)
    frames = random.integers(100, 900, (20, 30, 40)).astype(np.uint16)
    frames[0, 4, 5] = 65535
    tifffile.imwrite(tmp_path / "a.tif", frames, photometric="minisblack")
    (tmp_path / "b.tif").write_bytes(b"no image")
    combined = read_combined([f"{tmp_path}/a.tif", f"{tmp_path}/b.tif"], [])
    used = frames[[index * 19 // 7 for index in range(8)]].astype(float)
    assert np.all(combined >= np.where(used == 65535, np.nan, used).mean(axis=0) - 1e-3, where=used.max(axis=0) < 65535)
    assert np.all(combined <= used.max(axis=0) + 1e-3)
    np.testing.assert_allclose(combined[4, 5], np.sqrt(np.mean(used[1:, 4, 5] ** 2)), rtol=1e-5)


def test_frames_none_of_which_can_be_used_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((30, 40), 65535, np.uint16))
    with pytest.raises(DataError, match=r"a\.tif, frame 0: no usable pixel"):
        read_combined([f"{tmp_path}/a.tif"], [])
