"""Transforms are computed once for all runs with the same optics, and a damaged one is told by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lfcore.contracts import RunPaths, Stage
from lfcore.errors import DataError, UsageError
from lfcore.projection.kernels import kernels_from_bytes, plane_kernels
from lfcore.stages.plan import plan
from lfcore.stages.record import read_run
from lfcore.stages.transforms import TransformStore, read_calibration
from lfcore.stages.work import do_slice

MakeDataset = Callable[..., Path]


def calibrated(dataset: Path, root: Path, overrides: dict[str, Any] | None = None) -> RunPaths:
    run = RunPaths(str(root))
    plan(str(dataset), run, overrides)
    do_slice(run, Stage.CALIBRATE)
    return run


def records(run: RunPaths) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(Path(run.root, "done", "transforms").iterdir())]


def kept(run: RunPaths) -> TransformStore:
    return TransformStore.of_run(read_run(run), read_calibration(run))


def test_every_plane_gets_its_kernels(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    run = calibrated(tiny_dataset(), tmp_path / "runs" / "one")
    assert do_slice(run, Stage.TRANSFORMS).done == 3
    store = kept(run)
    assert Path(store.root).parent == tmp_path / "runs" / "transforms"
    assert json.loads(Path(store.root, "instrument.json").read_text())["pixels_per_lenslet"] == 10
    for z_um in (-10.0, 0.0, 10.0):
        expected = plane_kernels(store.instrument, z_um, 2)
        np.testing.assert_array_equal(store.read(z_um).images, expected.images)
        content = Path(store.path(z_um)).read_bytes()
        assert kernels_from_bytes(content, z_um, (2, 2), (10, 10), "file").radius_cells == expected.radius_cells
    for record in records(run):
        assert record["reused"] is False
        assert 0.95 < record["energy_inside"] <= 1


def test_a_run_with_the_same_optics_uses_them_again(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = tiny_dataset()
    first = calibrated(dataset, tmp_path / "runs" / "one")
    do_slice(first, Stage.TRANSFORMS)
    files = sorted((tmp_path / "runs" / "transforms").rglob("*"))
    times = [path.stat().st_mtime_ns for path in files]
    second = calibrated(dataset, tmp_path / "runs" / "two", {"reconstruction": {"iterations": 3}})
    assert do_slice(second, Stage.TRANSFORMS).done == 3
    assert all(record["reused"] for record in records(second))
    assert sorted((tmp_path / "runs" / "transforms").rglob("*")) == files
    assert [path.stat().st_mtime_ns for path in files] == times


def test_a_new_plane_alone_is_computed(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = tiny_dataset()
    do_slice(calibrated(dataset, tmp_path / "runs" / "one"), Stage.TRANSFORMS)
    second = calibrated(dataset, tmp_path / "runs" / "two", {"volume": {"z_um": [-10, 5, 10]}})
    do_slice(second, Stage.TRANSFORMS)
    assert sorted(record["reused"] for record in records(second)) == [False, True, True]


@pytest.mark.parametrize(
    "overrides",
    [
        {"microscope": {"wavelength_um": 0.6}},
        {"microlens_array": {"sensor_distance_um": 1900}},
        {"calibration": {"pixels_per_lenslet": 9}},
        {"volume": {"samples_per_lenslet": 3}},
    ],
    ids=lambda overrides: next(iter(overrides)),
)
def test_a_run_with_other_optics_does_not(tiny_dataset: MakeDataset, tmp_path: Path, overrides: dict[str, Any]) -> None:
    dataset = tiny_dataset()
    first = calibrated(dataset, tmp_path / "runs" / "one")
    do_slice(first, Stage.TRANSFORMS)
    second = calibrated(dataset, tmp_path / "runs" / "two", overrides)
    do_slice(second, Stage.TRANSFORMS)
    assert not any(record["reused"] for record in records(second))
    assert kept(first).path(0.0) != kept(second).path(0.0)


def test_a_damaged_transform_is_told_by_name(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = tiny_dataset()
    first = calibrated(dataset, tmp_path / "runs" / "one")
    do_slice(first, Stage.TRANSFORMS)
    damaged = Path(kept(first).path(0.0))
    damaged.write_bytes(damaged.read_bytes()[:-50])
    second = calibrated(dataset, tmp_path / "runs" / "two")
    with pytest.raises(DataError, match=damaged.name.replace("+", r"\+")):
        do_slice(second, Stage.TRANSFORMS)
    damaged.unlink()
    do_slice(second, Stage.TRANSFORMS)
    np.testing.assert_array_equal(kept(second).read(0.0).images, plane_kernels(kept(second).instrument, 0.0, 2).images)


def test_transforms_before_calibrate_say_what_to_run_first(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    run = RunPaths(f"{tmp_path}/run")
    plan(str(tiny_dataset()), run)
    with pytest.raises(UsageError, match="run 'lfcore calibrate"):
        do_slice(run, Stage.TRANSFORMS)


def measured(dataset: Path, planes: int = 3) -> dict[str, Any]:
    """Point images of three cells a side, one for each sample of each plane, in the data set; and settings for them."""
    images = np.random.default_rng(4).uniform(0, 9, (planes * 4, 30, 30)).astype(np.float32)
    tifffile.imwrite(dataset / "psf.tif", images)
    about = {"file": "psf.tif", "z_um": {"start": -10, "stop": 10, "step": 10}, "pixel_um": 10}
    return {"microscope": {"measured_psf": about}}


def test_measured_point_images_are_the_kernels(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = tiny_dataset()
    run = calibrated(dataset, tmp_path / "runs" / "one", measured(dataset))
    assert do_slice(run, Stage.TRANSFORMS).done == 3
    pages, store = tifffile.imread(dataset / "psf.tif"), kept(run)
    light = pages[4:8].sum((1, 2)).mean()
    kernels = store.read(10.0)
    np.testing.assert_allclose(kernels.images, pages[8:] / light, rtol=1e-5)
    np.testing.assert_array_equal(kernels.image(0, 1), kernels.images[1])
    tifffile.imwrite(dataset / "psf.tif", pages[::-1])
    assert kept(run).root != store.root


def test_a_measured_stack_that_does_not_fit_is_said(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = tiny_dataset()
    run = calibrated(dataset, tmp_path / "runs" / "one", measured(dataset, planes=2))
    with pytest.raises(DataError, match="holds 8 images, and 3 planes of 2 x 2 samples are 12"):
        do_slice(run, Stage.TRANSFORMS)


def test_a_measured_stack_that_is_not_there_is_said_when_the_run_is_planned(
    tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset = tiny_dataset()
    settings = measured(dataset)
    (dataset / "psf.tif").unlink()
    with pytest.raises(DataError, match=r"psf\.tif is not there; check the path"):
        plan(str(dataset), RunPaths(str(tmp_path / "run")), settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"microscope": {"model": "rays"}},
        {"microscope": {"layers": {"immersion_index": 1.515}, "zernike": [{"n": 3, "m": 1, "path_um": 0.1}]}},
        {"microlens_array": {"sensor_distance_um": 500}},
    ],
)
def test_other_optics_have_kernels_of_their_own(
    tiny_dataset: MakeDataset, tmp_path: Path, settings: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    run = calibrated(tiny_dataset(), tmp_path / "runs" / "one", settings)
    assert do_slice(run, Stage.TRANSFORMS).done == 3
    store = kept(run)
    expected = plane_kernels(store.instrument, 10.0, 2)
    np.testing.assert_allclose(store.read(10.0).images, expected.images, atol=1e-6 * expected.images.max())
    assert json.loads(Path(store.root, "instrument.json").read_text())["model"] == store.instrument.model
    assert not caplog.records


def test_light_at_the_edge_of_a_window_is_said(
    tiny_dataset: MakeDataset, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = calibrated(tiny_dataset(), tmp_path / "runs" / "one")
    monkeypatch.setattr("lfcore.optics.instrument.MARGIN_LENSLETS", 0)
    do_slice(run, Stage.TRANSFORMS)
    assert "plane -10 um" in caplog.text
    assert "% of a point's light is at the edge of its window" in caplog.text
    assert all(record["energy_in_outer_ring"] > 0.02 for record in records(run))
