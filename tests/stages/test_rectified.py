"""One frame, rectified and refocused from its files: against the simulated truth, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from lfcore.contracts import RunPaths, Stage, plan_item
from lfcore.errors import DataError, SettingsError, UsageError
from lfcore.simulation.dataset import Scenario, simulate, voxels_of
from lfcore.stages.dataset import read_settings
from lfcore.stages.progress import silent
from lfcore.stages.rectified import load, write_rectified
from lfcore.stages.refocus import write_focal_stack
from lfcore.stages.work import do_slice, stage_function

MakeDataset = Callable[..., Path]


@pytest.fixture(scope="module")
def beads(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Three simulated beads with noise, on a turned lattice."""
    folder = str(tmp_path_factory.mktemp("beads") / "data")
    simulate(folder, Scenario(frames=2, seed=6, rows=20, columns=22, points=3))
    return folder


def test_beads_come_to_focus_at_their_true_places(beads: str, tmp_path: Path) -> None:
    overrides = {"volume": {"z_um": {"start": -52, "stop": 52, "step": 4}, "samples_per_lenslet": 5}}
    settings = read_settings(beads, overrides)
    output, sharp, depth = (str(tmp_path / name) for name in ("stack.tif", "sharp.tif", "depth.tif"))
    shape = write_focal_stack(beads, overrides, output, frame=1, sharp=sharp, depth=depth)
    stack, depths = tifffile.imread(output), tifffile.imread(depth)
    assert shape == stack.shape == (27, 100, 110)
    points = json.loads((Path(beads) / "truth" / "points.json").read_text())
    found = load(beads, {})
    lattice = found.calibration.lattice
    for z, y, x in voxels_of(settings, lattice, np.array(points["z_um"]), np.array(points["camera_px"])):
        down, right = round(float(y)), round(float(x))
        around = stack[:, down - 4 : down + 5, right - 4 : right + 5]
        plane, _, _ = np.unravel_index(around.argmax(), around.shape)
        z_um = settings.volume.planes_um[0] + 4 * z
        # Where the blur is below a lenslet, one lenslet holds all light: place and depth are as vague as that.
        planes, samples = (1.2, 0.5) if found.instrument.blur_radius_lenslets(z_um) > 1 else (3.0, 2.5)
        assert plane == pytest.approx(z, abs=planes)
        light = around[plane] * (around[plane] > 0.4 * around[plane].max())
        centroid = [(light.sum(1 - axis) @ np.arange(9)) / light.sum() - 4 for axis in (0, 1)]
        assert (down + centroid[0], right + centroid[1]) == pytest.approx((y, x), abs=samples)
        assert depths[down, right] == pytest.approx(z_um, abs=5 * planes)
        assert tifffile.imread(sharp)[down, right] >= 0.7 * around.max()


def test_a_frame_is_rectified_less_dark_and_divided_by_white_if_wanted(
    tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    """The tiny recording of a white frame: divided by itself it is even, and nothing else would be."""
    dataset = tiny_dataset(frames=1)
    (dataset / "raw" / "frame_0.tif").write_bytes((dataset / "radiometry.tif").read_bytes())
    plain, flat = (str(tmp_path / name) for name in ("plain.tif", "flat.tif"))
    assert write_rectified(str(dataset), {}, plain) == (100, 120)
    write_rectified(str(dataset), {}, flat, flat=True)
    counts, even = tifffile.imread(plain), tifffile.imread(flat)
    assert np.nanmax(counts) == pytest.approx(2000, rel=0.15)
    assert np.nanmin(counts) < 100
    assert np.nanstd(even) < 1e-3 * np.nanmean(even)
    # Between the discs there is no light to divide by.
    assert 0.1 < np.isnan(even).mean() < 0.5


def test_views_are_a_stack_that_says_its_axes(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, whole, output = str(tiny_dataset(frames=1)), str(tmp_path / "whole.tif"), str(tmp_path / "views.tif")
    assert write_rectified(dataset, {}, output, as_views=True) == (10, 10, 10, 12)
    write_rectified(dataset, {}, whole)
    with tifffile.TiffFile(output) as file:
        assert file.series[0].axes == "TZYX"
        assert 'K="axes">v u y x (v as T, u as Z)<' in (file.ome_metadata or "")
        assert 'PhysicalSizeX="5.0' in (file.ome_metadata or "")
        found = file.asarray()
    np.testing.assert_array_equal(found[3, 7], tifffile.imread(whole)[3::10, 7::10])


def test_the_calibration_of_a_run_gives_the_same(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = str(tiny_dataset(frames=1)), str(tmp_path / "run")
    stage_function(Stage.PLAN)(RunPaths(run), [plan_item(dataset, run)], silent)
    with pytest.raises(UsageError, match="has not been calibrated"):
        load(dataset, {}, run=run)
    do_slice(RunPaths(run), Stage.CALIBRATE, 0, 1, silent)
    anew, again = load(dataset, {}), load(dataset, {}, run=run)
    assert again.calibration == anew.calibration
    np.testing.assert_array_equal(again.light_field, anew.light_field)
    np.testing.assert_allclose(again.flat, anew.flat, rtol=1e-6)


def test_a_recording_without_a_white_frame_can_be_refocused(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    """The lattice is found in its light field, and no pixel counts for more than another."""
    dataset, without = str(tiny_dataset()), {"images": {"radiometry": None}}
    bare = load(dataset, without)
    assert bare.calibration.source == "light_field"
    assert bare.calibration.lattice.mean_pitch_px == pytest.approx(10, abs=0.02)
    assert set(np.unique(bare.flat)) <= {0.0, 1.0}
    assert write_focal_stack(dataset, without, str(tmp_path / "stack.tif")) == (3, 20, 24)
    with pytest.raises(UsageError, match=r"--flat: .* has no white frame to divide by"):
        write_rectified(dataset, without, str(tmp_path / "flat.tif"), flat=True)


def test_what_cannot_be_rectified_is_refused(tiny_dataset: MakeDataset) -> None:
    dataset = tiny_dataset(frames=2)
    with pytest.raises(UsageError, match=r"--frame 2: .* has 2 frames; give one from 0 to 1"):
        load(str(dataset), {}, frame=2)
    pupil = {"microlens_array": {"lattice": "none", "fourier_lens_mm": 100}, "volume": {"samples_per_lenslet": 1}}
    with pytest.raises(SettingsError, match="a Fourier light field: there is nothing to rectify"):
        load(str(dataset), pupil)
    (dataset / "raw" / "frame_1.tif").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"frame_1\.tif"):
        load(str(dataset), {}, frame=1)
