"""OME-Zarr and OME-TIFF as their own validators and readers see them."""

import json
import multiprocessing
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import ome_types
import pytest
import tifffile
import yaozarrs
import zarr

from lfcore.errors import DataError
from lfcore.io import ome_tiff, ome_zarr, store

SHAPE = (11, 300, 270)


def _series(frames: int = 3, dtype: Literal["float32", "uint16"] = "float32") -> ome_zarr.VolumeSeries:
    planes = [-5.0 + index for index in range(SHAPE[0])]
    return ome_zarr.VolumeSeries((frames, *SHAPE), planes, (0.5, 0.25), 0.1, dtype, "fish", {"hash": "abc"})


def _volume(seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).random(SHAPE, dtype=np.float32) * 40


def test_metadata_is_valid_and_carries_units(tmp_path: Path) -> None:
    path = f"{tmp_path}/v.ome.zarr"
    ome_zarr.create(path, _series())
    yaozarrs.validate_zarr_store(path)
    attributes = json.loads(Path(path, "zarr.json").read_text())["attributes"]
    (image,) = attributes["ome"]["multiscales"]
    assert [(axis["name"], axis["unit"]) for axis in image["axes"]] == [
        ("t", "second"),
        ("z", "micrometer"),
        ("y", "micrometer"),
        ("x", "micrometer"),
    ]
    scale, translation = image["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [0.1, 1.0, 0.5, 0.25]
    assert translation["translation"] == [0.0, -5.0, 0.0, 0.0]
    assert attributes["lfcore"]["hash"] == "abc"
    assert len(attributes["lfcore"]["planes_um"]) == SHAPE[0]


def test_plain_zarr_reads_what_was_written(tmp_path: Path) -> None:
    path = f"{tmp_path}/v.ome.zarr"
    ome_zarr.create(path, _series())
    outputs = ome_zarr.write_frame(path, 1, _volume(1))
    assert all(Path(output).is_file() for output in outputs)
    array = zarr.open_group(path, mode="r")["0"]
    assert array.metadata.dimension_names == ("t", "z", "y", "x")
    np.testing.assert_array_equal(array[1], _volume(1))


def test_a_frame_of_zeros_is_stored_too(tmp_path: Path) -> None:
    path = f"{tmp_path}/v.ome.zarr"
    ome_zarr.create(path, _series())
    assert all(Path(output).is_file() for output in ome_zarr.write_frame(path, 0, np.zeros(SHAPE, np.float32)))


def test_sixteen_bits_with_a_scale_for_each_frame(tmp_path: Path) -> None:
    path = f"{tmp_path}/v.ome.zarr"
    ome_zarr.create(path, _series(dtype="uint16"))
    yaozarrs.validate_zarr_store(path)
    for frame, factor in ((0, 1.0), (2, 1e-3)):
        volume = factor * _volume(frame)
        assert all(Path(output).is_file() for output in ome_zarr.write_frame(path, frame, volume))
        step = (volume.max() - volume.min()) / 65535
        np.testing.assert_allclose(ome_zarr.read_frame(path, frame), volume, atol=0.51 * step)
    group = zarr.open_group(path, mode="r")
    assert group["0"].dtype == np.uint16
    scale, offset = group["quantisation"][2]
    np.testing.assert_allclose(group["0"][2] * scale + offset, 1e-3 * _volume(2), atol=1e-6)


def test_a_longer_series_keeps_its_frames_and_display_range(tmp_path: Path) -> None:
    path = f"{tmp_path}/v.ome.zarr"
    ome_zarr.create(path, _series(2))
    ome_zarr.write_frame(path, 1, _volume(1))
    ome_zarr.set_display_range(path, 0, 7)
    ome_zarr.create(path, _series(5))
    np.testing.assert_array_equal(ome_zarr.read_frame(path, 1), _volume(1))
    ome_zarr.write_frame(path, 4, _volume(4))
    yaozarrs.validate_zarr_store(path)
    omero = json.loads(Path(path, "zarr.json").read_text())["attributes"]["ome"]["omero"]
    assert omero["channels"][0]["window"]["end"] == 7


def test_a_volume_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    path = f"{tmp_path}/v.ome.zarr"
    ome_zarr.create(path, _series(2))
    with pytest.raises(DataError, match="does not fit"):
        ome_zarr.write_frame(path, 0, np.zeros((3, 3, 3), np.float32))
    with pytest.raises(DataError, match="does not fit"):
        ome_zarr.write_frame(path, 2, _volume(0))


def test_uneven_planes_are_kept_in_full(tmp_path: Path) -> None:
    path = f"{tmp_path}/v.ome.zarr"
    ome_zarr.create(path, replace(_series(), shape=(1, 4, 20, 20), planes_um=[-10.0, -8.0, -6.0, 30.0]))
    attributes = json.loads(Path(path, "zarr.json").read_text())["attributes"]
    scale = attributes["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert scale[1] == 2.0
    assert attributes["lfcore"]["planes_um"] == [-10.0, -8.0, -6.0, 30.0]


def _create_and_write(path: str, frame: int) -> None:
    ome_zarr.create(path, _series(6))
    ome_zarr.write_frame(path, frame, _volume(frame))


def test_jobs_that_start_together_do_not_harm_each_other(tmp_path: Path) -> None:
    path = f"{tmp_path}/v.ome.zarr"
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.starmap(_create_and_write, [(path, frame) for frame in range(6)], chunksize=1)
    for frame in range(6):
        np.testing.assert_array_equal(ome_zarr.read_frame(path, frame), _volume(frame))


def test_volumes_in_an_object_store(s3_bucket: str) -> None:
    path = f"{s3_bucket}/run 1/v.ome.zarr"
    ome_zarr.create(path, _series())
    outputs = ome_zarr.write_frame(path, 1, _volume(1))
    assert all(store.exists(output) for output in outputs)
    np.testing.assert_array_equal(ome_zarr.read_frame(path, 1), _volume(1))


@pytest.mark.parametrize("dtype", ["float32", "uint16"])
def test_ome_tiff_round_trip(tmp_path: Path, dtype: Literal["float32", "uint16"]) -> None:
    path, volume = f"{tmp_path}/v.ome.tif", _volume(3)[:, :40, :30]
    ome_tiff.write_volume(path, volume, (2.0, 0.5, 0.25), dtype, delta_t_s=1.5, provenance={"hash": "abc"})
    ome = ome_types.from_tiff(path)
    pixels = ome.images[0].pixels
    assert (pixels.physical_size_z, pixels.physical_size_y, pixels.physical_size_x) == (2.0, 0.5, 0.25)
    assert pixels.physical_size_z_unit.value == "µm"
    assert (pixels.size_z, pixels.size_y, pixels.size_x, pixels.type.value) == (
        11,
        40,
        30,
        "float" if dtype == "float32" else dtype,
    )
    assert pixels.planes[3].delta_t == 1.5
    notes = {entry.k: entry.value for entry in ome.structured_annotations[0].value.ms}
    assert notes["hash"] == "abc"
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
    atol = 0 if dtype == "float32" else 0.51 * (volume.max() - volume.min()) / 65535
    np.testing.assert_allclose(ome_tiff.read_volume(path), volume, rtol=0, atol=atol)
