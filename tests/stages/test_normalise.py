"""Dark frames, saturation, hot pixels, and frames that hold nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from lfcore.errors import DataError
from lfcore.stages.normalise import (
    mark_hot_pixels,
    normalise_frame,
    read_dark,
    read_normalised,
    saturation_level,
)

Array = np.ndarray[Any, Any]


def _frame(dtype: str = "uint16", seed: int = 3) -> Array:
    generator = np.random.default_rng(seed)
    light = 100 + 80 * np.add.outer(np.sin(np.arange(60)), np.cos(np.arange(80)))
    return generator.poisson(np.maximum(light, 1)).astype(dtype)


def test_the_dark_frame_is_taken_off_without_clipping() -> None:
    raw = _frame()
    dark = np.full(raw.shape, 30.25)
    normalised = normalise_frame(raw, dark, None)
    assert normalised.dtype == np.float32
    np.testing.assert_array_equal(normalised, raw.astype(np.float32) - np.float32(30.25))
    assert normalised.min() < 0


@pytest.mark.parametrize(
    ("dtype", "level"), [("uint8", 255), ("uint16", 65535), ("uint16", 4095), ("uint16", 65520), ("uint16", 16383)]
)
def test_saturated_pixels_are_missing(dtype: str, level: int) -> None:
    raw = np.minimum(_frame().astype(np.int64) * level // 180, level)
    assert (raw == level).sum() > 100
    raw = raw.astype(dtype)
    assert saturation_level(raw) == level
    np.testing.assert_array_equal(np.isnan(normalise_frame(raw, None, saturation_level(raw))), raw == level)


def test_an_ordinary_maximum_is_no_saturation() -> None:
    raw = _frame()
    assert saturation_level(raw) is None
    raw[5, 5] = 4095
    assert saturation_level(raw) is None
    assert saturation_level(raw.astype(np.float32)) is None


def test_a_plateau_that_no_converter_has_is_no_saturation() -> None:
    assert saturation_level(np.minimum(_frame(), 150)) is None


def test_hot_pixels_of_the_dark_frame_are_missing() -> None:
    dark = np.random.default_rng(4).normal(100, 2, (60, 80))
    dark[10, 20], dark[30, 40] = 400, 180
    marked = mark_hot_pixels(dark)
    assert sorted(zip(*np.nonzero(np.isnan(marked)), strict=True)) == [(10, 20), (30, 40)]
    normalised = normalise_frame(_frame() + np.uint16(300), marked, None)
    assert np.isnan(normalised[10, 20])
    assert np.isnan(normalised).sum() == 2


def test_a_dark_frame_without_noise_marks_nothing() -> None:
    dark = np.full((60, 80), 3.0)
    dark[1, 1] = 5
    assert not np.isnan(mark_hot_pixels(dark)).any()


def test_numbers_that_are_none_are_missing() -> None:
    raw = _frame("float32")
    raw[0, 0], raw[1, 1], raw[2, 2] = np.nan, np.inf, -np.inf
    assert np.isnan(normalise_frame(raw, None, None)).sum() == 3


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (np.zeros((60, 80), np.uint16), "no light in it"),
        (np.full((60, 80), 100, np.uint16), "no light in it"),
        (np.random.default_rng(1).poisson(100, (60, 80)).astype(np.uint16), "no light in it"),
        (np.full((60, 80), 255, np.uint8), "100% of its pixels are saturated"),
        (np.full((60, 80), 4095, np.uint16), "100% of its pixels are saturated"),
        (np.full((60, 80), np.nan, np.float32), "holds no numbers"),
        (np.zeros((60, 80), np.float32), "no light in it"),
    ],
)
def test_a_frame_that_says_nothing_is_refused(tmp_path: Path, raw: Array, problem: str) -> None:
    path = f"{tmp_path}/x.tif"
    tifffile.imwrite(path, raw)
    dark = np.full(raw.shape, 100.0) if raw.std() > 0 else None
    with pytest.raises(DataError, match=rf"^{path}, frame 0: .*{problem}"):
        read_normalised(path, 0, dark)


def test_a_dim_frame_is_light() -> None:
    generator = np.random.default_rng(6)
    light = np.full((60, 80), 100.0)
    light[20:24, 20:24] += 60
    raw = generator.poisson(light).astype(np.uint16)
    assert np.isfinite(normalise_frame(raw, np.full(raw.shape, 100.0), None)).all()


def test_a_dark_frame_of_another_size_is_refused() -> None:
    with pytest.raises(DataError, match="use images of one size"):
        normalise_frame(_frame(), np.zeros((3, 3)), None)


def test_real_frames_hold_light_and_their_dark_frames_none(shared_data: Path) -> None:
    for name in ("seaurchin", "guvsimul1"):
        folder = shared_data / name
        dark = read_dark([str(folder / "dark.tif")])
        for image in ("light_field", "radiometry"):
            assert np.isnan(read_normalised(str(folder / f"{image}.tif"), 0, dark)).mean() < 1e-4
        with pytest.raises(DataError, match="no light in it"):
            read_normalised(str(folder / "dark.tif"), 0, dark)
