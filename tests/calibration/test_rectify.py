import time

import numpy as np
import pytest
from numpy.typing import NDArray

from lfcore.calibration.model import Calibration, Lattice
from lfcore.calibration.rectify import Rectifier, rectify
from lfcore.errors import DataError

Floats = NDArray[np.float64]


def calibration_of(
    shape: tuple[int, int],
    pitch_px: float,
    rotation_deg: float,
    origin_px: tuple[float, float],
    rows: int,
    columns: int,
    size: int,
) -> Calibration:
    angle = np.deg2rad(rotation_deg)
    row_step = (pitch_px * np.cos(angle), -pitch_px * np.sin(angle))
    column_step = (pitch_px * np.sin(angle), pitch_px * np.cos(angle))
    lattice = Lattice(origin_px, row_step, column_step)
    return Calibration(lattice, rows, columns, rows * columns, rows * columns, 0.0, 0.0, size, shape)


def places_of(calibration: Calibration) -> Floats:
    """Camera coordinates (y, x) of every rectified pixel, by the contract's own formula."""
    size = calibration.pixels_per_lenslet
    pixel = (np.arange(size) - (size - 1) / 2) / size
    row = (np.arange(calibration.rows)[:, None] + pixel).ravel()[:, None, None]
    column = (np.arange(calibration.columns)[:, None] + pixel).ravel()[None, :, None]
    lattice = calibration.lattice
    return np.array(lattice.origin_px) + row * np.array(lattice.row_step_px) + column * np.array(lattice.column_step_px)


def waves(y: Floats, x: Floats) -> Floats:
    """A band-limited function, up to a quarter of a cycle a pixel."""
    random = np.random.default_rng(4)
    total = np.full(np.broadcast(y, x).shape, 5.0)
    for _ in range(12):
        fy, fx = random.uniform(-0.17, 0.17, 2)
        total = total + np.cos(2 * np.pi * (fy * y + fx * x) + random.uniform(0, 6)) / 12
    return total


@pytest.mark.parametrize("size", [15, 16, 17])
@pytest.mark.parametrize("rotation_deg", [0.0, 0.18, -7.0])
def test_a_band_limited_image_comes_out_as_sampled_on_the_new_grid(size: int, rotation_deg: float) -> None:
    shape = (230, 260)
    calibration = calibration_of(shape, 16.37, rotation_deg, (35.2, 40.9), 9, 10, size)
    frame = waves(*np.mgrid[: shape[0], : shape[1]]).astype(np.float32)
    places = places_of(calibration)
    expected = waves(places[..., 0], places[..., 1])
    rectified = rectify(frame, calibration)
    assert rectified.dtype == np.float32
    inside = np.all((places > 8) & (places < np.array(shape) - 9), axis=-1)
    assert inside.mean() > 0.9
    error = np.linalg.norm((rectified - expected)[inside]) / np.linalg.norm((expected - 5)[inside])
    assert error < 0.02


@pytest.mark.parametrize("size", [15, 16])
def test_pixels_are_symmetric_about_the_lenslets_centre(size: int) -> None:
    """The first moment of a centred disc is zero: no half pixel is lost for even or odd sizes."""
    calibration = calibration_of((200, 200), 15.6, 0.0, (20.3, 21.8), 10, 10, size)
    y, x = np.mgrid[:200, :200]
    centre = calibration.lattice.centres(10, 10)[4, 5]
    frame = np.exp(-((y - centre[0]) ** 2 + (x - centre[1]) ** 2) / (2 * 3.0**2))
    lenslet = rectify(frame, calibration)[4 * size : 5 * size, 5 * size : 6 * size]
    offset = np.arange(size) - (size - 1) / 2
    assert np.sum(lenslet * offset[:, None]) / lenslet.sum() == pytest.approx(0, abs=1e-3)
    assert np.sum(lenslet * offset[None, :]) / lenslet.sum() == pytest.approx(0, abs=1e-3)


def test_an_exact_lattice_is_only_cropped() -> None:
    frame = np.random.default_rng(2).random((70, 90)).astype(np.float32)
    calibration = calibration_of((70, 90), 8.0, 0.0, (5.5, 6.5), 8, 10, 8)
    np.testing.assert_allclose(rectify(frame, calibration), frame[2:66, 3:83], atol=1e-5)


@pytest.mark.parametrize("size", [7, 9, 17, 33])
def test_intensity_per_area_is_kept(size: int) -> None:
    calibration = calibration_of((200, 200), 17.2, 0.3, (12.0, 12.0), 10, 10, size)
    assert rectify(np.full((200, 200), 3.5), calibration) == pytest.approx(3.5, rel=1e-5)


def test_large_pixels_are_means_and_do_not_alias() -> None:
    """A checkerboard of single pixels vanishes when four of them make a rectified pixel."""
    y, x = np.mgrid[:200, :200]
    frame = 1.0 + (-1.0) ** (y + x)
    calibration = calibration_of((200, 200), 16.0, 0.0, (20.0, 20.0), 9, 9, 8)
    np.testing.assert_allclose(rectify(frame, calibration), 1.0, atol=1e-4)


def test_off_the_camera_is_missing() -> None:
    calibration = calibration_of((160, 160), 16.0, 3.0, (7.5, 7.5), 10, 10, 16)
    rectified = rectify(np.ones((160, 160)), calibration)
    places = places_of(calibration)
    off = np.any((places < -0.5) | (places > 159.5), axis=-1)
    assert off.any()
    assert np.array_equal(np.isnan(rectified), off)


def test_a_missing_pixel_stays_missing_and_spoils_nothing_else() -> None:
    shape = (120, 120)
    calibration = calibration_of(shape, 12.3, 0.5, (10.0, 9.0), 8, 8, 12)
    clean = waves(*np.mgrid[: shape[0], : shape[1]])
    frame = clean.copy()
    frame[50, 61] = np.nan
    rectified, expected = rectify(frame, calibration), rectify(clean, calibration)
    distance = np.abs(places_of(calibration) - (50, 61)).max(axis=-1)
    assert np.isnan(rectified[distance < 1]).all()
    assert not np.isnan(rectified[distance > 1.6]).any()
    there = ~np.isnan(rectified)
    assert np.abs(rectified - expected)[there].max() < 0.1


def test_a_frame_of_another_size_is_refused_in_one_line() -> None:
    calibration = calibration_of((120, 120), 12.0, 0.0, (10.0, 9.0), 8, 8, 12)
    with pytest.raises(DataError, match="same camera region") as caught:
        rectify(np.zeros((120, 121)), calibration)
    assert "\n" not in str(caught.value)


def test_many_frames_share_one_preparation() -> None:
    calibration = calibration_of((1024, 1024), 17.2, 0.2, (12.0, 12.0), 58, 58, 17)
    prepared = Rectifier(calibration)
    frame = np.random.default_rng(0).random((1024, 1024)).astype(np.float32)
    start = time.process_time()
    prepared(frame)
    assert time.process_time() - start < 1.0
