"""Transforms are computed once for all runs with the same optics, and a damaged one is told by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

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
