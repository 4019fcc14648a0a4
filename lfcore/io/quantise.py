"""Volumes in 16 bits: ``value = scale * stored + offset``."""

from typing import Any

import numpy as np
import numpy.typing as npt

LARGEST = 65535


def quantisation(volume: npt.NDArray[np.floating[Any]]) -> tuple[float, float]:
    """Scale and offset that spread a volume over the whole of uint16."""
    lowest, highest = float(volume.min()), float(volume.max())
    return (highest - lowest) / LARGEST or 1.0, lowest


def quantise(volume: npt.NDArray[np.floating[Any]], scale: float, offset: float) -> npt.NDArray[np.uint16]:
    """``volume`` in steps of ``scale`` from ``offset``, rounded to the nearest."""
    steps = np.rint((volume - offset) / scale)
    return np.asarray(np.clip(steps, 0, LARGEST), np.uint16)


def restore(stored: npt.NDArray[np.uint16], scale: float, offset: float) -> npt.NDArray[np.float32]:
    """The values that ``stored`` stands for."""
    return np.asarray(stored * np.float64(scale) + offset, np.float32)
