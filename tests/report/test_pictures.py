import io
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lfcore.report.pictures import convergence_curve, frame_picture, maximum_projections

Floats = NDArray[np.float64]


def opened(png: bytes) -> NDArray[np.int_]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_a_bead_is_bright_in_all_three_projections() -> None:
    volume = np.zeros((20, 30, 40), dtype=np.float32)
    empty = opened(maximum_projections(volume + 1e-3, 4, 2, 2, "empty"))
    volume[4:6, 10:12, 20:22] = 1.0
    image = opened(maximum_projections(volume, 4, 2, 2, "one bead", first_z_um=-40))
    bright = (image.sum(axis=2) > 600) & (image[..., 2] < 200)
    columns = np.flatnonzero(bright[:, : int(0.85 * image.shape[1])].any(axis=0))
    assert bright.any()
    assert np.count_nonzero(np.diff(columns) > 5) >= 1  # seen at two horizontal places: along z and x
    assert empty.shape[2] == 3


@pytest.mark.parametrize("shape", [(1, 12, 12), (3, 100, 50), (40, 8, 8)])
def test_volumes_of_any_proportion_are_drawn(shape: tuple[int, int, int]) -> None:
    volume = np.random.default_rng(1).random(shape)
    volume[0, 0, 0] = np.nan
    opened(maximum_projections(volume, 2.0, 0.5, 0.5, "<b>$\\frac{$ \n 100 %"))


@pytest.mark.parametrize("residuals", [[], [[0.5]], [[0.5, 0.4, 0.3]], [[0.5, 0.4], [0.6, 0.5, 0.45]] * 20])
def test_curves_of_any_number_are_drawn(residuals: list[list[float]]) -> None:
    opened(convergence_curve(residuals))


def test_every_frame_has_a_curve_of_its_own() -> None:
    def blue_rows(residuals: list[list[float]]) -> int:
        image = opened(convergence_curve(residuals))
        blue = (image[..., 2] > image[..., 0] + 40).any(axis=1)
        return np.count_nonzero(np.diff(np.flatnonzero(blue)) > 3) + 1

    assert [blue_rows([[level] * 5 for level in levels]) for levels in ([0.4], [0.4, 0.1], [0.4, 0.25, 0.1])] == [
        1,
        2,
        # The middle one is under the median.
        2,
    ]


@pytest.mark.parametrize("frame", [np.full((20, 30), np.nan), np.zeros((20, 30)), np.arange(600.0).reshape(20, 30)])
def test_any_frame_is_drawn(frame: Floats) -> None:
    opened(frame_picture(frame, "raw/a_$b.tif"))


def test_missing_pixels_are_red() -> None:
    frame = np.ones((20, 20)) * np.arange(20)
    frame[5:9, 5:9] = np.nan
    image = opened(frame_picture(frame, "frame"))
    assert np.count_nonzero((image == (255, 93, 143)).all(axis=2)) > 100


def test_pyplot_stays_out() -> None:
    draw = "import sys, numpy; from lfcore.report.pictures import frame_picture; frame_picture(numpy.eye(5), 'frame')"
    check = "sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", f"{draw}; {check}"], check=False).returncode == 0
