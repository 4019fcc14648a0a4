"""What a plan holds, that it is the same twice, and what it refuses before anything is written."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lfcore.contracts import PLANNED, RunPaths, Stage, parse_items
from lfcore.errors import DataError, SettingsError
from lfcore.io import store
from lfcore.stages.plan import plan
from lfcore.stages.record import read_run

MakeDataset = Callable[..., Path]


def _hashes(run: RunPaths) -> dict[str, dict[str, str]]:
    return {
        str(stage): {item["id"]: item["hash"] for item in parse_items(store.read_bytes(run.items(stage)))}
        for stage in PLANNED
    }


def _files(root: str) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


def test_a_plan_lists_every_frame_and_plane(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(frames=2), RunPaths(f"{tmp_path}/runs/one")
    stack = np.stack([tifffile.imread(dataset / "raw" / "frame_0.tif")] * 5)
    tifffile.imwrite(dataset / "raw" / "frame_10.tif", stack)
    plan(str(dataset), run)
    items = {stage: parse_items(store.read_bytes(run.items(stage))) for stage in PLANNED}
    sources = [(Path(item["source"]).name, item["page"]) for item in items[Stage.NORMALISE]]
    assert sources == [("frame_0.tif", 0), ("frame_1.tif", 0), *(("frame_10.tif", page) for page in range(5))]
    assert [item["frame"] for item in items[Stage.RECONSTRUCT]] == list(range(7))
    assert [item["z_um"] for item in items[Stage.TRANSFORMS]] == [-10, 0, 10]
    assert len(items[Stage.CALIBRATE]) == len(items[Stage.REPORT]) == 1
    for stage, planned in items.items():
        assert len({item["id"] for item in planned}) == len(planned)
        assert all(item["stage"] == stage and item["run"] == run.root for item in planned)


def test_run_json_says_what_the_run_is_made_of(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/runs/one")
    plan(str(dataset), run, {"reconstruction": {"iterations": 7}})
    content = json.loads(Path(run.run_json).read_text())
    assert content["frames"] == 3
    assert content["frame_shape"] == [100, 120]
    assert content["settings"]["reconstruction"]["iterations"] == 7
    assert content["settings"]["reconstruction"]["solver"] == "richardson_lucy"
    white = next(entry for entry in content["inputs"] if entry["role"] == "radiometry")
    assert white["size"] == (dataset / "radiometry.tif").stat().st_size
    assert white["pages"] == 1
    assert content["transforms"] == f"{tmp_path}/runs/transforms"
    assert {"lfcore", "numpy", "python"} <= content["software"].keys()
    assert content["estimates"]["reconstruct"]["items"] == 3
    assert all(estimate["memory_bytes"] > 0 for estimate in content["estimates"].values())
    record = read_run(run)
    assert record.hash == content["hash"]
    assert json.loads(json.dumps(record.to_json())) == content


def test_planning_again_changes_nothing(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    plan(str(dataset), run)
    before = _files(run.root)
    plan(str(dataset), run)
    assert _files(run.root) == before


def test_a_new_frame_gives_that_frame_alone_a_new_hash(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    plan(str(dataset), run)
    before = _hashes(run)
    frame = dataset / "raw" / "frame_1.tif"
    tifffile.imwrite(frame, tifffile.imread(frame) + 1)
    tifffile.imwrite(dataset / "raw" / "frame_3.tif", tifffile.imread(frame))
    plan(str(dataset), run)
    after = _hashes(run)
    for stage in ("normalise", "reconstruct"):
        changed = {item for item in after[stage] if before[stage].get(item) != after[stage][item]}
        assert changed == {"frame_000001", "frame_000003"}
    assert after["calibrate"] == before["calibrate"]
    assert after["transforms"] == before["transforms"]


def test_a_new_white_frame_concerns_all_but_normalise(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    plan(str(dataset), run)
    before = _hashes(run)
    white = dataset / "radiometry.tif"
    tifffile.imwrite(white, tifffile.imread(white) + 1)
    plan(str(dataset), run)
    after = _hashes(run)
    assert after["normalise"] == before["normalise"]
    for stage in ("calibrate", "transforms", "reconstruct"):
        assert not set(after[stage].values()) & set(before[stage].values())


def test_a_run_of_other_settings_is_refused(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    first = plan(str(dataset), run)
    before = _files(run.root)
    with pytest.raises(SettingsError, match=rf"settings {first.hash}, and these are [0-9a-f]{{16}}; use a new run"):
        plan(str(dataset), run, {"reconstruction": {"iterations": 9}})
    assert _files(run.root) == before


def test_a_run_of_another_data_set_is_refused(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, other, run = tiny_dataset("one"), tiny_dataset("two"), RunPaths(f"{tmp_path}/run")
    plan(str(dataset), run)
    with pytest.raises(SettingsError, match=r"is a run of .*one, not of .*two; use a new run folder"):
        plan(str(other), run)


def test_an_unreadable_frame_is_planned_to_be_set_aside(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    (dataset / "raw" / "frame_1.tif").write_bytes(b"no image")
    assert plan(str(dataset), run).frames == 3


def _break_all_frames(dataset: Path) -> None:
    for path in (dataset / "raw").iterdir():
        path.write_bytes(b"no image")


def _crop(name: str) -> Callable[[Path], None]:
    def crop(dataset: Path) -> None:
        tifffile.imwrite(dataset / name, tifffile.imread(dataset / name)[1:])

    return crop


BAD_DATA: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no settings": (lambda dataset: (dataset / "dataset.yaml").unlink(), r"holds no dataset\.yaml; 'lfcore init"),
    "settings in another coding": (
        lambda dataset: (dataset / "dataset.yaml").write_bytes(b"\xff\xfe\x00\xd8"),
        "not a text file in UTF-8",
    ),
    "no frames": (
        lambda dataset: (dataset / "raw").rename(dataset / "other"),
        r"images\.light_field: 'raw/\*\.tif' matches no file below",
    ),
    "no frame is readable": (_break_all_frames, r"frame_0\.tif: not a readable TIFF"),
    "white frame missing": (
        lambda dataset: (dataset / "radiometry.tif").unlink(),
        r"images\.radiometry: 'radiometry\.tif' matches no file",
    ),
    "white frame unreadable": (
        lambda dataset: (dataset / "radiometry.tif").write_bytes(b"x"),
        r"radiometry\.tif: not a readable TIFF",
    ),
    "frame of another size": (
        _crop("raw/frame_1.tif"),
        r"frame_1\.tif: is 99 x 120 px \(y, x\), but .*frame_0\.tif is 100 x 120 px",
    ),
    "dark frame of another size": (_crop("dark.tif"), r"dark\.tif: is 99 x 120 px"),
    "white frame of another size": (_crop("radiometry.tif"), r"radiometry\.tif: is 99 x 120 px"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_is_refused_before_anything_is_written(tiny_dataset: MakeDataset, tmp_path: Path, case: str) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    harm, message = BAD_DATA[case]
    harm(dataset)
    with pytest.raises(DataError, match=message):
        plan(str(dataset), run)
    assert not Path(run.root).exists()


def test_without_a_white_frame_the_calibration_depends_on_the_light_field(
    tiny_dataset: MakeDataset, tmp_path: Path
) -> None:
    dataset, run = tiny_dataset(settings={"images": {"light_field": "raw/*.tif"}}), RunPaths(f"{tmp_path}/run")

    def planned() -> str:
        plan(str(dataset), run)
        return str(parse_items(store.read_bytes(run.items(Stage.CALIBRATE)))[0]["hash"])

    before = planned()
    assert planned() == before
    frame = dataset / "raw" / "frame_1.tif"
    tifffile.imwrite(frame, tifffile.imread(frame)[::-1])
    assert planned() != before


def _bin(name: str, factor: int) -> Callable[[Path], None]:
    def bin_(dataset: Path) -> None:
        image = tifffile.imread(dataset / name)
        height, width = (length // factor for length in image.shape)
        parts = image[: height * factor, : width * factor].reshape(height, factor, width, factor)
        tifffile.imwrite(dataset / name, parts.sum(axis=(1, 3)).astype(np.uint16))

    return bin_


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_binned_white_frame_is_told_before_anything_is_written(
    tiny_dataset: MakeDataset, tmp_path: Path, factor: int
) -> None:
    dataset, run = tiny_dataset(), RunPaths(f"{tmp_path}/run")
    _bin("radiometry.tif", factor)(dataset)
    with pytest.raises(DataError, match=rf"radiometry\.tif looks binned by {factor}; take all images") as caught:
        plan(str(dataset), run)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 65
    assert not Path(run.root).exists()


def test_a_binned_light_field_is_told_by_its_own_name(tiny_dataset: MakeDataset, tmp_path: Path) -> None:
    dataset = tiny_dataset(frames=1)
    _bin("raw/frame_0.tif", 2)(dataset)
    with pytest.raises(DataError, match=r"frame_0\.tif looks binned by 2"):
        plan(str(dataset), RunPaths(f"{tmp_path}/run"))


def test_a_data_set_and_a_run_in_an_object_store(tiny_dataset: MakeDataset, s3_bucket: str) -> None:
    dataset = tiny_dataset()
    remote = f"{s3_bucket}/fish [3]"
    for path in dataset.rglob("*"):
        if path.is_file():
            store.write_bytes(f"{remote}/{path.relative_to(dataset)}", path.read_bytes())
    run = RunPaths(f"{s3_bucket}/runs/one")
    record = plan(remote, run)
    assert record.frames == 3
    assert record.transforms == f"{s3_bucket}/runs/transforms"
    assert len(parse_items(store.read_bytes(run.items(Stage.NORMALISE)))) == 3
