import numpy as np
import pytest
from numpy.typing import NDArray

from lfcore.calibration.radiometry import sensitivity
from lfcore.errors import CalibrationError

Floats = NDArray[np.float64]

SIZE = 9


def disc(radius: float) -> Floats:
    offset = np.arange(SIZE) - (SIZE - 1) / 2
    return 1.0 * (np.hypot(offset[:, None], offset[None, :]) < radius)


def test_the_camera_s_gain_is_recovered_where_model_and_light_meet() -> None:
    gain = 0.5 + np.random.default_rng(0).random((5 * SIZE, 6 * SIZE))
    model = disc(3.9)
    weights = sensitivity(200 * gain * np.tile(model, (5, 6)), 7 * model)
    lit = np.tile(model, (5, 6)) > 0
    np.testing.assert_allclose(weights[lit], gain[lit] / np.median(gain[lit]), rtol=1e-6)
    assert np.median(weights[lit]) == pytest.approx(1)
    assert not weights[~lit].any()
    assert weights.dtype == np.float32


def test_a_whole_model_image_is_taken_as_it_is() -> None:
    model = np.tile(disc(3.9), (4, 4)) * np.linspace(1, 2, 4 * SIZE)
    weights = sensitivity(3 * model, model)
    np.testing.assert_allclose(weights[model > 0], 1, rtol=1e-6)


def test_missing_and_dim_pixels_weigh_nothing() -> None:
    white = np.full((4 * SIZE, 4 * SIZE), 100.0)
    white[3, 4] = np.nan
    white[5, 6] = 1.0
    white[7, 8] = -2.0
    model = np.ones((SIZE, SIZE))
    model[0, 0] = 0.01
    weights = sensitivity(white, model)
    assert weights[3, 4] == weights[5, 6] == weights[7, 8] == weights[SIZE, SIZE] == 0
    assert np.isfinite(weights).all()
    assert np.count_nonzero(weights == 0) == 3 + 16


@pytest.mark.parametrize("white", [np.zeros((18, 18)), np.full((18, 18), np.nan), np.full((18, 18), -1.0)])
def test_a_dark_or_saturated_white_frame_is_refused_in_one_line(white: Floats) -> None:
    with pytest.raises(CalibrationError, match="white frame") as caught:
        sensitivity(white, np.ones((SIZE, SIZE)))
    assert "\n" not in str(caught.value)


def test_a_model_that_does_not_repeat_is_refused() -> None:
    with pytest.raises(CalibrationError, match="does not repeat"):
        sensitivity(np.ones((18, 20)), np.ones((SIZE, SIZE)))
