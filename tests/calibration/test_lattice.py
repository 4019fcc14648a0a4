import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from lfcore.calibration.lattice import Calibration, fit_lattice
from lfcore.errors import EXIT_BAD_DATA, CalibrationError

Floats = NDArray[np.float64]


def found_in(image: NDArray[Any], nominal_pitch_px: float, pixels_per_lenslet: int | None = None) -> Calibration:
    return fit_lattice(image, nominal_pitch_px, pixels_per_lenslet).calibration


def agrees(
    calibration: Calibration,
    error_px: Callable[[Floats], Floats],
    pitch_px: float,
    rotation_deg: float,
    centres_px: float = 0.05,
    pitch_error_px: float = 0.003,
    rotation_error_deg: float = 0.003,
) -> None:
    errors = error_px(calibration.lattice.centres(calibration.rows, calibration.columns))
    assert np.sqrt(np.mean(errors**2)) < centres_px
    assert calibration.lattice.pitch_px == pytest.approx((pitch_px, pitch_px), abs=pitch_error_px)
    assert calibration.lattice.rotation_deg == pytest.approx(rotation_deg, abs=rotation_error_deg)


@pytest.mark.parametrize(
    ("shape", "pitch_px", "rotation_deg", "origin_px"),
    [
        ((240, 240), 15.0, 0.0, (7.0, 7.0)),
        ((240, 240), 16.0, 0.0, (7.5, 7.5)),
        ((240, 240), 16.0, 0.0, (7.8, 3.3)),
        ((300, 190), 17.206, 0.177, (8.4, 20.7)),
        ((190, 300), 11.37, -3.0, (2.2, 5.9)),
        ((260, 260), 12.7, 10.0, (0.0, 0.0)),
        ((260, 240), 12.4, -10.0, (1.0, 4.0)),
        ((66, 66), 6.0, 2.0, (3.1, 2.9)),
        ((640, 620), 57.3, 1.5, (30.0, 20.0)),
    ],
)
@pytest.mark.parametrize("nominal", [0.9, 1.0, 1.1])
def test_a_clean_lattice_is_found_wherever_it_lies(
    white_frame: Callable[..., Any],
    shape: tuple[int, int],
    pitch_px: float,
    rotation_deg: float,
    origin_px: tuple[float, float],
    nominal: float,
) -> None:
    frame = white_frame(shape, pitch_px, rotation_deg, origin_px)
    calibration = found_in(frame.image, nominal * pitch_px)
    # At the rim of the smallest field 0.02 degrees are a hundredth of a pixel.
    agrees(calibration, frame.error_px, pitch_px, rotation_deg, rotation_error_deg=0.003 if min(shape) > 100 else 0.02)
    assert calibration.pixels_per_lenslet == round(pitch_px)
    assert calibration.inliers >= 0.97 * calibration.found
    assert calibration.residual_rms_px <= calibration.residual_max_px


@pytest.mark.parametrize("seed", range(6))
def test_a_dirty_noisy_unevenly_lit_frame_is_no_obstacle(white_frame: Callable[..., Any], seed: int) -> None:
    random = np.random.default_rng(seed)
    pitch_px, rotation_deg = random.uniform(9, 30), random.uniform(-10, 10)
    shape = tuple(int(count * pitch_px) for count in random.integers(14, 22, 2))
    frame = white_frame(
        shape,
        pitch_px,
        rotation_deg,
        tuple(random.uniform(0, pitch_px, 2)),
        disc=random.uniform(0.7, 0.98),
        corner_light=0.3,
        missing=0.1,
        noise=0.03,
        seed=seed,
    )
    agrees(found_in(frame.image, 1.06 * pitch_px), frame.error_px, pitch_px, rotation_deg, rotation_error_deg=0.01)


@pytest.mark.parametrize("pitch_px", [15.0, 16.0])
@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.5, 0.75])
def test_centres_do_not_depend_on_parity_or_on_the_fraction_of_a_pixel(
    white_frame: Callable[..., Any], pitch_px: float, fraction: float
) -> None:
    origin = (5.0 + fraction, 9.0 - fraction)
    frame = white_frame((200, 200), pitch_px, 0.0, origin)
    calibration = found_in(frame.image, pitch_px)
    offset = (np.array(calibration.lattice.origin_px) - origin) / pitch_px
    assert np.hypot(*(offset - np.rint(offset))) * pitch_px < 0.05


def test_rows_and_columns_are_those_that_lie_whole_on_the_camera(white_frame: Callable[..., Any]) -> None:
    calibration = found_in(white_frame((160, 192), 16.0, 0.0, (7.5, 7.5)).image, 15.4)
    assert (calibration.rows, calibration.columns) == (10, 12)
    assert calibration.lattice.origin_px == pytest.approx((7.5, 7.5), abs=0.01)
    shifted = found_in(white_frame((160, 192), 16.0, 0.0, (10.5, 5.5)).image, 15.4)
    assert (shifted.rows, shifted.columns) == (9, 11)
    assert shifted.lattice.origin_px == pytest.approx((10.5, 21.5), abs=0.01)


def test_the_same_frame_gives_the_same_lattice_twice(white_frame: Callable[..., Any]) -> None:
    frame = white_frame((200, 220), 13.3, 1.0, noise=0.1, missing=0.1, seed=3)
    assert found_in(frame.image, 13.0) == found_in(frame.image, 13.0)


def test_missing_pixels_do_not_move_the_lattice(white_frame: Callable[..., Any]) -> None:
    frame = white_frame((240, 240), 14.7, 0.5, (4.0, 4.0))
    random = np.random.default_rng(7)
    image = frame.image.copy()
    image[random.random(image.shape) < 0.01] = np.nan
    image[60:90, 100:140] = np.nan
    fit = fit_lattice(image, 14.7)
    agrees(fit.calibration, frame.error_px, 14.7, 0.5, rotation_error_deg=0.01)
    assert fit.calibration.found < fit.calibration.rows * fit.calibration.columns
    assert np.count_nonzero(np.isfinite(fit.places[fit.on_grid]).all(axis=1)) == fit.calibration.found
    assert np.count_nonzero(fit.inliers & fit.on_grid) == fit.calibration.inliers


@pytest.mark.parametrize("level", [1.045, 0.9, 0.5])
def test_saturated_discs_still_have_edges(white_frame: Callable[..., Any], level: float) -> None:
    frame = white_frame((240, 240), 14.7, 0.5, (4.0, 4.0), softness_px=3.0)
    calibration = found_in(np.where(frame.image > level, np.nan, frame.image), 14.7)
    agrees(calibration, frame.error_px, 14.7, 0.5)
    assert calibration.inliers == calibration.rows * calibration.columns


def test_a_frame_that_is_saturated_up_to_the_gaps_is_refused_naming_saturation(white_frame: Callable[..., Any]) -> None:
    frame = white_frame((240, 240), 14.7, 0.5, (4.0, 4.0), softness_px=3.0)
    with pytest.raises(CalibrationError, match="saturated") as caught:
        found_in(np.where(frame.image > 0.08, np.nan, frame.image), 14.7)
    assert "\n" not in str(caught.value)


def test_the_number_of_pixels_can_be_set(white_frame: Callable[..., Any]) -> None:
    assert found_in(white_frame((160, 160), 16.0).image, 16.0, pixels_per_lenslet=15).pixels_per_lenslet == 15


def test_json_holds_the_contract_and_comes_back(white_frame: Callable[..., Any]) -> None:
    calibration = found_in(white_frame((160, 192), 16.0, 1.0).image, 16.0)
    content = json.loads(json.dumps(calibration.to_json()))
    for key in ("pitch_px", "origin_px", "row_step_px", "column_step_px"):
        assert len(content[key]) == 2
    assert set(content["lenslets"]) == {"rows", "columns", "found", "inliers"}
    assert set(content["residual_px"]) == {"rms", "max"}
    assert {"rotation_deg", "pixels_per_lenslet"} <= set(content)
    assert Calibration.from_json(content) == calibration


def test_a_broken_json_is_refused_in_one_line(white_frame: Callable[..., Any]) -> None:
    content = found_in(white_frame((160, 192), 16.0, 1.0).image, 16.0).to_json()
    del content["origin_px"]
    with pytest.raises(CalibrationError, match=r"calibrate again") as caught:
        Calibration.from_json(content)
    assert "\n" not in str(caught.value)


def no_lattice(kind: str) -> Floats:
    random = np.random.default_rng(1)
    y, x = np.mgrid[:200, :220].astype(float)
    return {
        "noise": random.normal(100, 10, y.shape),
        "gradient": 10 + x + 0.3 * y,
        "stripes": 100 + 50 * np.cos(2 * np.pi * x / 15),
        "blobs": 10 + 100 * np.exp(-((y - 90) ** 2 + (x - 130) ** 2) / 900),
        "dark": np.zeros(y.shape),
        "negative": random.normal(-5, 0.1, y.shape),
        "uniform": np.full(y.shape, 37.0),
        "saturated": np.full(y.shape, np.nan),
        "scattered points": np.where(random.random(y.shape) < 0.003, 500.0, 1.0),
    }[kind]


@pytest.mark.parametrize(
    "kind",
    ["noise", "gradient", "stripes", "blobs", "dark", "negative", "uniform", "saturated", "scattered points"],
)
def test_a_frame_without_a_lattice_is_refused_in_one_line(kind: str) -> None:
    with pytest.raises(CalibrationError) as caught:
        found_in(no_lattice(kind), 15.0)
    assert "\n" not in str(caught.value)
    assert "white frame" in str(caught.value)
    assert caught.value.exit_code == EXIT_BAD_DATA


def test_a_stack_is_refused() -> None:
    with pytest.raises(CalibrationError, match="3 axes"):
        found_in(np.zeros((2, 20, 20)), 5.0)


@pytest.mark.parametrize("factor", [0.5, 0.7, 1.5, 2.0])
def test_a_nominal_pitch_that_is_far_off_is_told_and_not_locked_to_a_harmonic(
    white_frame: Callable[..., Any], factor: float
) -> None:
    with pytest.raises(CalibrationError, match=r"pitch_um"):
        found_in(white_frame((320, 320), 16.0, 1.0).image, factor * 16.0)


def test_sea_urchin(shared_data: Path) -> None:
    folder = shared_data / "seaurchin"
    white = tifffile.imread(folder / "radiometry.tif").astype(np.float32) - tifffile.imread(folder / "dark.tif")
    calibration = found_in(white, 125 / 7.4)
    assert calibration.lattice.pitch_px == pytest.approx((17.206, 17.206), abs=0.02)
    assert calibration.lattice.rotation_deg == pytest.approx(0.177, abs=0.02)
    assert calibration.inliers >= 4600
    assert (calibration.rows, calibration.columns) == (69, 69)
    assert calibration.residual_rms_px < 0.2
    assert calibration.pixels_per_lenslet == 17


@pytest.mark.parametrize("pitch_um", [100, 104])
def test_vesicle_whatever_the_nominal_pitch(shared_data: Path, pitch_um: float) -> None:
    white = tifffile.imread(shared_data / "guvsimul1" / "radiometry.tif").astype(np.float32)
    calibration = found_in(white, pitch_um / 6.5)
    assert calibration.lattice.pitch_px == pytest.approx((16, 16), abs=1e-3)
    assert calibration.lattice.rotation_deg == pytest.approx(0, abs=1e-3)
    assert calibration.lattice.origin_px == pytest.approx((7.5, 7.5), abs=1e-3)
    assert (calibration.rows, calibration.columns, calibration.inliers) == (29, 29, 29 * 29)
    assert calibration.pixels_per_lenslet == 16
