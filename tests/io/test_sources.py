"""Camera frames from every kind of TIFF that cameras and Fiji write, whole and damaged."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lfcore.errors import DataError, LfcoreError
from lfcore.io import sources

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "pages": {"metadata": None},
    "compressed": {"compression": "zlib"},
    "tiled": {"tile": (16, 16), "compression": "zstd"},
    "ome": {"ome": True},
    "imagej": {"imagej": True},
    "bigtiff": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
}


def _stack(dtype: str = "uint16") -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).integers(0, 250, (5, 40, 50)).astype(dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_every_frame_of_a_stack_is_read(tmp_path: Path, kind: str) -> None:
    stack, path = _stack(), f"{tmp_path}/x.tif"
    tifffile.imwrite(path, stack, **KINDS[kind])
    assert sources.inspect(path) == sources.ImageFacts(5, (40, 50), "uint16")
    for index, frame in enumerate(stack):
        np.testing.assert_array_equal(sources.read_frame(path, index), frame)
    with pytest.raises(DataError, match="has 5 frames"):
        sources.read_frame(path, 5)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_single_frames_of_any_depth(tmp_path: Path, dtype: str) -> None:
    frame, path = _stack(dtype)[0], f"{tmp_path}/x.tif"
    tifffile.imwrite(path, frame)
    read = sources.read_frame(path)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, frame)


def test_imagej_stack_with_one_page_only(tmp_path: Path) -> None:
    """Fiji writes stacks above 4 GB as one page with the other frames behind it."""
    stack, path = _stack(">u2"), tmp_path / "x.tif"
    description = "ImageJ=1.54f\nimages=5\nslices=5\n"
    tifffile.imwrite(path, stack[0], byteorder=">", description=description, metadata=None)
    with path.open("ab") as file:
        file.write(stack[1:].tobytes())
    assert sources.inspect(str(path)).frames == 5
    np.testing.assert_array_equal(sources.read_frame(str(path), 3), stack[3])
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match="ends in the middle of frame 4"):
        sources.read_frame(str(path), 4)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.3, 0.6, 0.9])
def test_no_frame_of_a_truncated_file_is_made_up(tmp_path: Path, kind: str, share: float) -> None:
    stack, path = _stack(), tmp_path / "x.tif"
    tifffile.imwrite(path, stack, **KINDS[kind])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refusals = []
    for index, frame in enumerate(stack):
        try:
            np.testing.assert_array_equal(sources.read_frame(str(path), index), frame)
        except DataError as error:
            refusals.append(str(error))
    assert refusals
    assert all(line.startswith(f"{path}: ") and "\n" not in line for line in refusals)


def test_a_truncated_single_frame_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, _stack()[0])
    path.write_bytes(path.read_bytes()[:-100])
    assert sources.inspect(str(path)).frames == 1
    with pytest.raises(DataError, match="cut short"):
        sources.read_frame(str(path))


def test_what_is_no_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    path.write_text("no image")
    with pytest.raises(DataError, match=r"x\.tif: not a readable TIFF image"):
        sources.inspect(str(path))


def test_colour_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, np.zeros((20, 30, 3), np.uint8), photometric="rgb")
    with pytest.raises(DataError, match=r"colour image.*save one channel as grey"):
        sources.inspect(str(path))


def test_mean_over_files_and_frames(tmp_path: Path) -> None:
    stack = _stack()
    tifffile.imwrite(tmp_path / "a.tif", stack[:4], photometric="minisblack")
    tifffile.imwrite(tmp_path / "b.tif", stack[4])
    mean = sources.read_mean([f"{tmp_path}/a.tif", f"{tmp_path}/b.tif"])
    np.testing.assert_allclose(mean, stack.mean(axis=0), rtol=1e-12)
    tifffile.imwrite(tmp_path / "c.tif", stack[0, 1:])
    with pytest.raises(DataError, match=r"c\.tif: is 39 x 50 px, but .*a\.tif is 40 x 50 px"):
        sources.read_mean([f"{tmp_path}/a.tif", f"{tmp_path}/c.tif"])


def test_frames_come_from_an_object_store(s3_bucket: str, tmp_path: Path) -> None:
    from lfcore.io import store

    stack = _stack()
    tifffile.imwrite(tmp_path / "x.tif", stack)
    store.write_bytes(f"{s3_bucket}/x.tif", (tmp_path / "x.tif").read_bytes())
    assert sources.inspect(f"{s3_bucket}/x.tif").frames == 5
    np.testing.assert_array_equal(sources.read_frame(f"{s3_bucket}/x.tif", 2), stack[2])


def test_a_reader_goes_from_file_to_file_and_on_after_a_bad_one(tmp_path: Path) -> None:
    stacks = np.random.default_rng(5).integers(0, 999, (2, 3, 8, 9)).astype(np.uint16)
    paths = [str(tmp_path / f"{name}.tif") for name in "ab"]
    for path, stack in zip(paths, stacks, strict=True):
        tifffile.imwrite(path, stack, photometric="minisblack")
    spoilt = tmp_path / "spoilt.tif"
    spoilt.write_bytes(b"II*\0 no image")
    with sources.FrameReader() as reader:
        for file, index in ((0, 2), (0, 0), (1, 1), (0, 1)):
            np.testing.assert_array_equal(reader.read(paths[file], index), stacks[file, index])
        for path, index in ((str(spoilt), 0), (paths[0], 3), (str(tmp_path / "none.tif"), 0)):
            with pytest.raises(LfcoreError, match=Path(path).name):
                reader.read(path, index)
            np.testing.assert_array_equal(reader.read(paths[1], 2), stacks[1, 2])
