"""Synthetic white frames whose lattice is known."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass(frozen=True)
class WhiteFrame:
    """An image (y, x) and the lattice that it was drawn from: ``steps`` takes [row, column] to [y, x]."""

    image: NDArray[np.float64]
    origin_px: NDArray[np.float64]
    steps: NDArray[np.float64]

    def error_px(self, centres: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distance of each of ``centres`` (..., 2) from the nearest true centre."""
        numbers = np.rint(np.linalg.solve(self.steps, (centres - self.origin_px).reshape(-1, 2).T).T)
        nearest = self.origin_px + numbers @ self.steps.T
        return np.asarray(np.hypot(*(centres.reshape(-1, 2) - nearest).T).reshape(centres.shape[:-1]))


@lru_cache(maxsize=32)
def draw_white_frame(
    shape: tuple[int, int],
    pitch_px: float,
    rotation_deg: float = 0.0,
    origin_px: tuple[float, float] = (0.0, 0.0),
    disc: float = 0.94,
    softness_px: float = 0.6,
    corner_light: float = 1.0,
    missing: float = 0.0,
    noise: float = 0.0,
    background: float = 0.05,
    seed: int = 0,
) -> WhiteFrame:
    """Discs of ``disc`` pitches across, edges ``softness_px`` wide, integrated over each pixel by 4 x 4 samples.

    ``corner_light`` is the illumination at the corners (1 in the middle), ``missing`` the share of dark lenslets; half
    as many again are dirty: dim on one side. ``noise`` is the standard deviation over a disc's brightness.
    """
    random = np.random.default_rng(seed)
    angle = np.deg2rad(rotation_deg)
    steps = pitch_px * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    origin = np.array(origin_px, dtype=float)
    span = int(1.6 * max(shape) / pitch_px) + 4
    fates = random.random((2 * span, 2 * span))
    image = np.zeros(shape)
    for sub_y in (np.arange(4) - 1.5) / 4:
        for sub_x in (np.arange(4) - 1.5) / 4:
            places = np.stack(np.mgrid[: shape[0], : shape[1]], axis=-1) + np.array([sub_y, sub_x])
            fractional = (places - origin) @ np.linalg.inv(steps).T
            numbers = np.rint(fractional).astype(int)
            offset = (fractional - numbers) * pitch_px
            radius = np.hypot(offset[..., 0], offset[..., 1])
            light = 1 / (1 + np.exp((radius - 0.5 * disc * pitch_px) / (0.35 * softness_px)))
            fate = fates[numbers[..., 0] + span, numbers[..., 1] + span]
            light = np.where(fate < missing, 0.0, light)
            dirty = (fate >= missing) & (fate < 1.5 * missing) & (offset[..., 0] > 0)
            image += np.where(dirty, 0.4 * light, light) / 16
    y, x = np.ogrid[-1 : 1 : shape[0] * 1j, -1 : 1 : shape[1] * 1j]
    image = image * (1 - (1 - corner_light) * (y**2 + x**2) / 2) + background
    return WhiteFrame(image + noise * random.standard_normal(shape), origin, steps)


@pytest.fixture(scope="session")
def white_frame() -> Callable[..., WhiteFrame]:
    """``draw_white_frame``."""
    return draw_white_frame
