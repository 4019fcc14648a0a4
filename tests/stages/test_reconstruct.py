"""The reconstruct stage: what it needs first, what it writes, and that the numbers are the solver's."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lfcore.contracts import RunPaths, Stage
from lfcore.errors import SettingsError, UsageError
from lfcore.io import ome_tiff, ome_zarr
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.settings import Reconstruction
from lfcore.stages.plan import plan
from lfcore.stages.reconstruct import Scene, weight_of
from lfcore.stages.series import reconstruct_frames
from lfcore.stages.work import do_slice
from tests.instruments import instrument

MakeDataset = Callable[..., Path]
BEFORE = (Stage.NORMALISE, Stage.CALIBRATE, Stage.TRANSFORMS)


def prepared(dataset: Path, root: Path, overrides: dict[str, Any] | None = None) -> RunPaths:
    run = RunPaths(str(root))
    plan(str(dataset), run, overrides)
    for stage in BEFORE:
        do_slice(run, stage)
    return run


@pytest.mark.parametrize("missing", BEFORE)
def test_an_earlier_stage_that_is_missing_is_named(tiny_dataset: MakeDataset, tmp_path: Path, missing: Stage) -> None:
    run = RunPaths(f"{tmp_path}/run")
    plan(str(tiny_dataset()), run)
    for stage in BEFORE[: BEFORE.index(missing)] if missing is not Stage.NORMALISE else BEFORE[1:]:
        do_slice(run, stage)
    with pytest.raises(UsageError, match=f"lfcore {missing}"):
        do_slice(run, Stage.RECONSTRUCT)
    assert not Path(run.done(Stage.RECONSTRUCT, "frame_000000")).exists()


@pytest.mark.parametrize(("replaced", "stage"), [("raw", Stage.NORMALISE), ("radiometry.tif", Stage.CALIBRATE)])
def test_what_was_made_from_an_earlier_input_is_not_taken_for_the_new_one(
    tiny_dataset: MakeDataset, tmp_path: Path, replaced: str, stage: Stage
) -> None:
    dataset = tiny_dataset(frames=1)
    run = prepared(dataset, tmp_path / "run")
    for path in sorted((dataset / replaced).glob("*.tif")) or [dataset / replaced]:
        tifffile.imwrite(path, tifffile.imread(path) + 1)
    plan(str(dataset), run)
    with pytest.raises(UsageError, match=f"as it is planned now; run 'lfcore {stage}"):
        do_slice(run, Stage.RECONSTRUCT)
    for again in BEFORE:
        do_slice(run, again)
    assert do_slice(run, Stage.RECONSTRUCT).done == 1


def test_a_run_that_was_moved_goes_on_where_it_is(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = tiny_dataset(frames=1)
    prepared(dataset, tmp_path / "here" / "run")
    (tmp_path / "there").mkdir()
    run = RunPaths(str((tmp_path / "here" / "run").rename(tmp_path / "there" / "run")))
    plan(str(dataset), run)
    assert [do_slice(run, stage).skipped for stage in BEFORE] == [1, 1, 0]
    assert do_slice(run, Stage.RECONSTRUCT).done == 1


def test_volumes_and_residuals_are_the_solvers(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    run = prepared(tiny_dataset(frames=2), tmp_path / "run")
    assert do_slice(run, Stage.RECONSTRUCT).done == 2
    scene = Scene.load(run)
    for frame in range(2):
        estimate = scene.reconstruct(tifffile.imread(run.normalised(frame)))
        volume = ome_zarr.read_frame(run.ome_zarr, frame)
        assert volume.shape == (3, 20, 24)
        np.testing.assert_allclose(volume, estimate.volume[0], rtol=1e-4, atol=1e-4)
        record = json.loads(Path(run.done(Stage.RECONSTRUCT, f"frame_{frame:06d}")).read_text())
        np.testing.assert_allclose(record["residuals"], estimate.residuals[:, 0], atol=2e-6)
        assert len(record["residuals"]) == 3
        assert record["residuals"][-1] < record["residuals"][0]


def test_the_formats_hold_the_same_volume(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = tiny_dataset(frames=1)
    volumes = {}
    for kind in ("ome-zarr", "ome-tiff"):
        for dtype in ("float32", "uint16"):
            output = {"output": {"format": kind, "dtype": dtype}}
            run = prepared(dataset, tmp_path / f"{kind}-{dtype}", output)
            do_slice(run, Stage.RECONSTRUCT)
            read = ome_zarr.read_frame(run.ome_zarr, 0) if kind == "ome-zarr" else ome_tiff.read_volume(run.ome_tiff(0))
            volumes[kind, dtype] = read
            assert Path(run.ome_zarr).exists() == (kind == "ome-zarr")
            assert Path(run.ome_tiff(0)).exists() == (kind == "ome-tiff")
    expected = volumes["ome-zarr", "float32"]
    np.testing.assert_allclose(volumes["ome-tiff", "float32"], expected, rtol=1e-4, atol=1e-4)
    for kind in ("ome-zarr", "ome-tiff"):
        # Half a step of 65535 is what a stored scale may lose.
        np.testing.assert_allclose(volumes[kind, "uint16"], expected, atol=2 * expected.max() / 65535)


def small_projector() -> NumpyProjector:
    return NumpyProjector([plane_kernels(instrument(), z_um, 2) for z_um in (-5.0, 5.0)], 6, 7)


def test_the_weight_takes_the_models_own_answer_out() -> None:
    projector = small_projector()
    response = projector.unpack_image(projector.forward(projector.pack_volume(np.ones((1, *projector.volume_shape)))))[
        0
    ]
    vignetting = np.linspace(0.5, 1.5, response.shape[1])
    white = (response * vignetting * 700).astype(np.float32)
    white[:5, :5] = 0
    weight = weight_of(projector, white)
    assert np.abs(weight[:5, :5]).max() == 0
    seen = weight > 0
    assert seen.mean() > 0.5
    ratio = (weight / vignetting)[seen]
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=1e-4)


def test_missing_pixels_and_the_background_reach_the_solver() -> None:
    projector = small_projector()
    rng = np.random.default_rng(5)
    frame = rng.poisson(50, (1, 30, 35)).astype(np.float32)
    weight = np.ones((30, 35), np.float32)
    expected = reconstruct_frames(projector, frame, weight, Reconstruction(iterations=3))
    holed = frame.copy()
    holed[0, 10:12, 10:12] = np.nan
    estimate = reconstruct_frames(projector, holed, weight, Reconstruction(iterations=3))
    assert np.isfinite(estimate.volume).all()
    assert not np.allclose(estimate.volume, expected.volume)
    weight[10:12, 10:12] = 0
    same = reconstruct_frames(projector, np.where(np.isnan(holed), 7, holed), weight, Reconstruction(iterations=3))
    np.testing.assert_allclose(same.volume, estimate.volume, rtol=1e-5)
    darker = reconstruct_frames(projector, frame, np.ones_like(weight), Reconstruction(iterations=3, background=0.5))
    assert darker.volume.sum() < 0.8 * expected.volume.sum()


def test_a_frame_of_another_size_is_refused_by_the_projector() -> None:
    with pytest.raises(SettingsError, match="takes"):
        reconstruct_frames(
            small_projector(), np.ones((1, 30, 30), np.float32), np.ones((30, 30), np.float32), Reconstruction()
        )
