"""Bad input by the command line: one line that says what to do, the right exit code, and nothing that looks whole."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

MakeDataset = Callable[..., Path]
Lfcore = Callable[..., Any]


def _set(*assignments: str) -> list[str]:
    return [part for assignment in assignments for part in ("--set", assignment)]


def _volumes(run: Path) -> np.ndarray[Any, Any]:
    return np.asarray(zarr.open_group(run / "volumes.ome.zarr", mode="r")["0"])


def _remove_settings(dataset: Path) -> None:
    (dataset / "dataset.yaml").unlink()


def _white_without_lattice(dataset: Path) -> None:
    noise = np.random.default_rng(2).poisson(1000, (100, 120)).astype(np.uint16)
    tifffile.imwrite(dataset / "radiometry.tif", noise)


def _saturated_white(dataset: Path) -> None:
    tifffile.imwrite(dataset / "radiometry.tif", np.full((100, 120), 65535, np.uint16))


def _other_size(dataset: Path) -> None:
    tifffile.imwrite(dataset / "raw" / "frame_1.tif", np.full((90, 120), 7, np.uint16))


def _as_it_is(dataset: Path) -> None:
    """The settings alone are wrong."""


CASES: dict[str, tuple[Callable[[Path], None], list[str], int, str]] = {
    "no dataset.yaml": (_remove_settings, [], 65, "holds no dataset.yaml; 'lfcore init"),
    "mistyped key": (
        _as_it_is,
        _set("microscope.numerical_apperture=0.5"),
        78,
        "unknown key 'microscope.numerical_apperture'; did you mean 'microscope.numerical_aperture'?",
    ),
    "mistyped section": (_as_it_is, _set("volum.z_um=3"), 78, "did you mean 'volume'?"),
    "mistyped key within a choice": (
        _as_it_is,
        _set("volume.z_um.strt=3"),
        78,
        "Error: --set: unknown key 'volume.z_um.strt'; did you mean 'volume.z_um.start'?",
    ),
    "aperture above index": (
        _as_it_is,
        _set("microscope.numerical_aperture=1.4"),
        78,
        "numerical_aperture 1.4 must be below medium_index 1.33",
    ),
    "falling planes": (_as_it_is, _set("volume.z_um=[10, 0, -10]"), 78, "from the lowest to the highest"),
    "a plane twice": (_as_it_is, _set("volume.z_um=[0, 0]"), 78, "every plane once"),
    "no planes": (_as_it_is, _set("volume.z_um.start=20"), 78, "z_um holds no planes"),
    "pattern without files": (
        _as_it_is,
        _set("images.light_field=other/*.tif"),
        65,
        "images.light_field: 'other/*.tif' matches no file below",
    ),
    "pattern with ..": (_as_it_is, _set("images.dark=../dark.tif"), 78, "'../dark.tif' leaves the data set"),
    "images of different sizes": (
        _other_size,
        [],
        65,
        "frame_1.tif: is 90 x 120 px (y, x), but ",
    ),
    "white frame without lattice": (_white_without_lattice, [], 65, "radiometry.tif: "),
    "saturated white frame": (_saturated_white, [], 65, "radiometry.tif, frame 0: no usable pixel, 100% of its pixels"),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_input_ends_the_run(lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path, case: str) -> None:
    harm, arguments, code, message = CASES[case]
    dataset, run = tiny_dataset(), tmp_path / "run"
    harm(dataset)
    result = lfcore("run", dataset, run, *arguments)
    assert (result.code, message in result.error) == (code, True), result.err
    for name in ("calibration", "volumes.ome.zarr", "report", "done/calibrate"):
        assert not (run / name).exists()
    assert "white" in case or not run.exists()


BAD_FRAMES: dict[str, tuple[Callable[[bytes], bytes | np.ndarray[Any, Any]], str]] = {
    "truncated": (lambda whole: whole[: len(whole) // 2], "is cut short"),
    "no image": (lambda whole: b"GIF89a", "not a readable TIFF image"),
    "empty": (lambda whole: b"", "not a readable TIFF image"),
    "all dark": (lambda whole: np.random.default_rng(1).poisson(100, (100, 120)).astype(np.uint16), "no light in it"),
    "saturated": (lambda whole: np.full((100, 120), 4095, np.uint16), "100% of its pixels are saturated"),
    "not a number": (lambda whole: np.full((100, 120), np.nan, np.float32), "holds no numbers"),
}


@pytest.mark.parametrize("case", BAD_FRAMES)
def test_a_bad_frame_is_set_aside_and_the_others_are_done(
    lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path, case: str
) -> None:
    spoil, message = BAD_FRAMES[case]
    dataset, run = tiny_dataset(), tmp_path / "run"
    frame = dataset / "raw" / "frame_1.tif"
    spoiled = spoil(frame.read_bytes())
    if isinstance(spoiled, bytes):
        frame.write_bytes(spoiled)
    else:
        tifffile.imwrite(frame, spoiled)
    result = lfcore("run", dataset, run)
    assert result.code == 65
    assert "frame_000001 of 3 frames set aside" in result.error
    assert message in result.error
    assert str(frame) in result.error
    metrics = json.loads((run / "report" / "metrics.json").read_text())
    assert metrics["frames"] == {"total": 3, "done": 2, "quarantined": 1}
    for stage in ("normalise", "reconstruct"):
        assert message in json.loads((run / "quarantine" / stage / "frame_000001.json").read_text())["error"]
    volumes = _volumes(run)
    assert volumes[0].any()
    assert volumes[2].any()
    assert not volumes[1].any()
    assert not (run / "normalised" / "frame_000001.tif").exists()


def test_missing_pixels_reach_no_volume_as_not_a_number(
    lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, run = tiny_dataset(frames=1), tmp_path / "run"
    path = dataset / "raw" / "frame_0.tif"
    frame = tifffile.imread(path).astype(np.float32)
    frame[40:45, 30:38] = np.nan
    tifffile.imwrite(path, frame)
    assert lfcore("run", dataset, run).code == 0
    assert np.isnan(tifffile.imread(run / "normalised" / "frame_000000.tif")).sum() == 40
    assert np.isfinite(_volumes(run)).all()
    assert _volumes(run).any()


def test_a_run_folder_of_other_settings_is_left_alone(
    lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, run = tiny_dataset(frames=1), tmp_path / "run"
    assert lfcore("run", dataset, run).code == 0
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    result = lfcore("run", dataset, run, *_set("reconstruction.iterations=3"))
    assert result.code == 78
    hashes = json.loads((run / "run.json").read_text())["hash"]
    assert f"was planned with settings {hashes}, and these are " in result.error
    assert "use a new run folder" in result.error
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("name", ["fish [3] #1%20 é", "a..b", "$(touch x); *?", "-rf", "日本 'q' \"d\""])
def test_odd_names_work_from_end_to_end(lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path, name: str) -> None:
    dataset, run = tiny_dataset(name, frames=1), tmp_path / "runs" / name
    result = lfcore("run", dataset, run)
    assert result.code == 0, result.err
    assert _volumes(run).any()
    assert json.loads((run / "report" / "metrics.json").read_text())["frames"]["done"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({name, "runs"})


def _lfcore_with_files_up_to(limit_bytes: int, *arguments: object) -> "subprocess.CompletedProcess[str]":
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    command = [sys.executable, "-m", "lfcore", *map(str, arguments)]
    return subprocess.run(command, check=False, capture_output=True, text=True, preexec_fn=limit)


def test_a_disk_that_fills_up_ends_with_75_and_leaves_no_half_file(
    lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    """The limits stop the run further and further on: at the plan, a frame, the calibration, the volume, the report."""
    dataset, run, undisturbed = tiny_dataset(frames=1), tmp_path / "runs" / "full", tmp_path / "other" / "run"
    settings = _set("volume.samples_per_lenslet=4")
    for limit_bytes in (1_000, 10_000, 25_000, 60_000):
        full = _lfcore_with_files_up_to(limit_bytes, "run", dataset, run, *settings)
        assert full.returncode == 75, full.stderr
        assert full.stderr.count("Error: ") == 1
        assert "disk full" in full.stderr
        assert "free space and run again" in full.stderr
        for record in run.glob("done/*/*.json"):
            assert all((run / output).exists() for output in json.loads(record.read_text())["outputs"])
        assert not list(run.rglob("*.part*"))
    assert lfcore("run", dataset, run, *settings).code == 0
    assert lfcore("run", dataset, undisturbed, *settings).code == 0
    np.testing.assert_array_equal(_volumes(run), _volumes(undisturbed))


def test_a_small_disk_that_is_really_full(
    lfcore: Lfcore, tiny_dataset: MakeDataset, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    request.addfinalizer(lambda: subprocess.run(["umount", str(disk)], check=True))
    result = lfcore("run", tiny_dataset(), disk / "run")
    assert result.code == 75
    assert "disk full (No space left on device); free space and run again" in result.error
    subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
    assert lfcore("run", tmp_path / "data set", disk / "run").code == 0
