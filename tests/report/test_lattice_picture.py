"""The picture of the lattice: what was left out or not seen shows, arrows have the stated scale, any field is drawn."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lfcore.report.lattice_picture import lattice_picture

Floats = NDArray[np.float64]


def opened(png: bytes) -> NDArray[np.int_]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def lattice(rows: int, columns: int, pitch: float) -> tuple[Floats, Floats]:
    centres = (np.stack(np.mgrid[:rows, :columns], axis=-1) * pitch + pitch / 2).reshape(-1, 2)
    y, x = np.mgrid[: int(rows * pitch), : int(columns * pitch)]
    white = 100.0 * (np.hypot(y % pitch - pitch / 2, x % pitch - pitch / 2) < 0.45 * pitch)
    return white, centres


def pink(image: NDArray[np.int_]) -> int:
    return np.count_nonzero((image[..., 0] > 200) & (image[..., 1] < 140) & (image[..., 2] > 100))


def blue(image: NDArray[np.int_]) -> int:
    return np.count_nonzero((image[..., 0] < 120) & (image[..., 1] > 150) & (image[..., 2] > 200))


@pytest.mark.parametrize(("rows", "columns"), [(5, 5), (12, 7), (60, 80)])
def test_what_was_left_out_and_what_was_not_seen_is_marked(rows: int, columns: int) -> None:
    white, centres = lattice(rows, columns, 10.0)
    places = centres + np.random.default_rng(0).normal(0, 0.1, centres.shape)
    everything = np.ones(len(centres), dtype=bool)
    plain = opened(lattice_picture(white, centres, places, everything, 10.0))
    left_out = everything.copy()
    left_out[columns + 1] = False
    with_stray = opened(lattice_picture(white, centres, places, left_out, 10.0))
    places[3], left_out[3], white[3, 4] = np.nan, False, np.nan
    with_both = opened(lattice_picture(white, centres, places, left_out, 10.0))
    assert pink(plain) < pink(with_stray) < pink(with_both)


def test_residuals_are_drawn_as_arrows() -> None:
    white, centres = lattice(12, 12, 10.0)
    shifted = centres + np.array([0.05, 0.0])
    everything = np.ones(len(centres), dtype=bool)
    still, moved = (opened(lattice_picture(white, centres, places, everything, 10.0)) for places in (centres, shifted))
    assert blue(moved) > blue(still)


def test_a_perfect_lattice_and_one_that_nothing_was_seen_of_can_be_drawn() -> None:
    white, centres = lattice(6, 6, 10.0)
    everything = np.ones(len(centres), dtype=bool)
    opened(lattice_picture(white, centres, centres, everything, 10.0))
    opened(lattice_picture(white, centres, np.full_like(centres, np.nan), ~everything, 10.0))
    nothing = np.zeros((0, 2))
    opened(lattice_picture(white, nothing, nothing, np.zeros(0, bool), 1.0))
