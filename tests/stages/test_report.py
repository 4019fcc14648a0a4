"""What the report counts, and how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lfcore.calibration.lattice import Calibration
from lfcore.contracts import RunPaths, Stage
from lfcore.errors import DataError, UsageError
from lfcore.io import ome_zarr, store
from lfcore.stages import runner
from lfcore.stages.grid import volume_grid
from lfcore.stages.plan import plan
from lfcore.stages.record import read_run
from lfcore.stages.work import do_slice

MakeDataset = Callable[..., Path]


def _reconstruct(run: RunPaths, frames: slice = slice(None)) -> None:
    """Noise volumes with the records that the real stage writes; ``residuals`` end at 0.1, 0.2, …"""
    record = read_run(run)
    grid = volume_grid(record.settings, Calibration.from_json(json.loads(store.read_bytes(run.calibration_json))))

    def prepare(pulse: runner.Pulse) -> runner.Do:
        series = ome_zarr.VolumeSeries(
            (record.frames, *grid.shape), record.settings.volume.planes_um, grid.voxel_um[1:], None, "float32", "x", {}
        )
        ome_zarr.create(run.ome_zarr, series)
        return do

    normalised = runner.planned_hashes(run, Stage.NORMALISE)

    def do(item: runner.WorkItem) -> runner.Record:
        runner.require_frame(run, Stage.NORMALISE, item["id"], normalised[item["id"]])
        volume = np.random.default_rng(item["frame"]).random(grid.shape, dtype=np.float32) * 5
        outputs = ome_zarr.write_frame(run.ome_zarr, item["frame"], volume)
        return {"outputs": outputs, "residuals": [0.9, 0.1 * (1 + item["frame"])], "stopped": "iterations"}

    items = runner.read_items(run, Stage.RECONSTRUCT)[frames]
    runner.process(run, Stage.RECONSTRUCT, items, prepare)


def _run_up_to_reconstruct(dataset: Path, run: RunPaths, frames: slice = slice(None)) -> None:
    plan(str(dataset), run)
    do_slice(run, Stage.NORMALISE)
    do_slice(run, Stage.CALIBRATE)
    _reconstruct(run, frames)


def test_a_whole_run(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    run = RunPaths(f"{tmp_path}/run")
    _run_up_to_reconstruct(tiny_dataset(), run)
    do_slice(run, Stage.REPORT)
    metrics = json.loads(Path(run.metrics_json).read_text())
    assert metrics["frames"] == {"total": 3, "done": 3, "quarantined": 0}
    assert metrics["relative_residual"] == pytest.approx(0.2)
    assert metrics["stopped"] == {"iterations": 3}
    for stage in ("normalise", "calibrate", "reconstruct"):
        assert metrics["seconds"][stage] > 0
        assert metrics["peak_memory_bytes"][stage] > 1 << 20
    page = Path(run.report_html).read_text()
    assert page.count("data:image/png;base64,") >= 4
    assert "http://" not in page.replace("http://www.w3.org", "")
    omero = json.loads(Path(run.ome_zarr, "zarr.json").read_text())["attributes"]["ome"]["omero"]
    assert omero["channels"][0]["window"]["end"] == pytest.approx(5, rel=0.02)


def test_frames_set_aside_are_counted_named_and_end_the_report_with_65(
    tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    (dataset / "raw" / "frame_1.tif").write_bytes(b"no image")
    _run_up_to_reconstruct(dataset, run)
    with pytest.raises(DataError, match=r"frame_000001 of 3 frames set aside .*the others are done") as caught:
        do_slice(run, Stage.REPORT)
    assert caught.value.exit_code == 65
    assert json.loads(Path(run.metrics_json).read_text())["frames"] == {"total": 3, "done": 2, "quarantined": 1}
    downstream = json.loads(Path(run.quarantine(Stage.RECONSTRUCT, "frame_000001")).read_text())
    assert downstream["error"].startswith("normalise: ")
    assert "not a readable TIFF image" in Path(run.report_html).read_text()


def test_a_repaired_frame_is_no_longer_set_aside(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    frame = dataset / "raw" / "frame_1.tif"
    whole = frame.read_bytes()
    frame.write_bytes(whole[:500])
    _run_up_to_reconstruct(dataset, run)
    with pytest.raises(DataError):
        do_slice(run, Stage.REPORT)
    frame.write_bytes(whole)
    _run_up_to_reconstruct(dataset, run)
    do_slice(run, Stage.REPORT)
    assert json.loads(Path(run.metrics_json).read_text())["frames"] == {"total": 3, "done": 3, "quarantined": 0}


def test_an_unfinished_run_says_so(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    run = RunPaths(f"{tmp_path}/run")
    _run_up_to_reconstruct(tiny_dataset(), run, slice(0, 2))
    with pytest.raises(UsageError, match="2 of 3 frames are done"):
        do_slice(run, Stage.REPORT)
    assert Path(run.report_html).exists()
