"""The calibration stage on a lattice that is known, and on a white frame without one."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lfcore.contracts import RunPaths, Stage
from lfcore.errors import DataError
from lfcore.stages.lattice import read_white
from lfcore.stages.plan import plan
from lfcore.stages.work import do_slice

MakeDataset = Callable[..., Path]


def test_the_known_lattice_is_found_and_written(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    run = RunPaths(f"{tmp_path}/run")
    plan(str(tiny_dataset()), run)
    assert do_slice(run, Stage.CALIBRATE).done == 1
    found = json.loads(Path(run.calibration_json).read_text())
    np.testing.assert_allclose(found["pitch_px"], [10, 10], atol=0.01)
    assert found["lenslets"]["rows"] == 10
    assert found["lenslets"]["columns"] == 12
    assert Path(run.lattice_picture).read_bytes().startswith(b"\x89PNG")
    sensitivity = tifffile.imread(run.sensitivity)
    assert sensitivity.shape == (100, 120)
    assert sensitivity.dtype == np.float32
    assert np.isfinite(sensitivity).all()
    middles = sensitivity[5::10, 5::10]
    np.testing.assert_allclose(np.median(middles), 2000, rtol=0.05)
    assert do_slice(run, Stage.CALIBRATE).skipped == 1


def test_a_white_frame_without_lattice_ends_the_run(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    noise = np.random.default_rng(2).poisson(1000, (100, 120)).astype(np.uint16)
    tifffile.imwrite(dataset / "radiometry.tif", noise)
    plan(str(dataset), run)
    with pytest.raises(DataError, match=r"radiometry\.tif: "):
        do_slice(run, Stage.CALIBRATE)
    assert not Path(run.root, "calibration").exists()
    assert not Path(run.done(Stage.CALIBRATE, "calibrate")).exists()
    assert Path(run.quarantine(Stage.CALIBRATE, "calibrate")).exists()


def test_white_frames_are_averaged_less_dark(tmp_path: Path) -> None:
    white = np.random.default_rng(8).poisson(900, (4, 30, 40)).astype(np.uint16)
    white[2, 4, 5] = 65535
    tifffile.imwrite(tmp_path / "w1.tif", white[:3], photometric="minisblack")
    tifffile.imwrite(tmp_path / "w2.tif", white[3])
    tifffile.imwrite(tmp_path / "d.tif", np.full((30, 40), 100, np.uint16))
    mean = read_white([f"{tmp_path}/w1.tif", f"{tmp_path}/w2.tif"], [f"{tmp_path}/d.tif"])
    expected = white.mean(axis=0) - 100
    expected[4, 5] = np.nan
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
