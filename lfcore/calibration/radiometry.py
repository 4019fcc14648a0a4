"""The sensitivity of each rectified pixel: what was measured on a white frame over what the model answers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lfcore.errors import CalibrationError

# On the sea urchin sample these two drop the corners between discs, 4 % of the pixels, where stray light outweighs the
# model; what is left lies between 0.3 and 3.2.
DIMMEST_WHITE = 0.05
"""White pixels below this fraction of the white frame's bright level are too dim to divide."""

DIMMEST_MODEL = 0.05
"""Pixels where the model's answer to a uniform volume is below this fraction of its bright level are too dim too."""

BRIGHT_QUANTILE = 0.95
"""The bright level: above the gaps between discs, below dirt and hot pixels."""

SMALLEST_USABLE_SHARE = 0.05
"""Fewer usable pixels than this share cannot carry a reconstruction."""


def sensitivity(
    rectified_white: NDArray[np.floating[Any]], model_response: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Sensitivity ``W`` (y, x) float32, in units of its median over usable pixels; 0 where there is none.

    ``rectified_white`` is (rows * N, columns * N), dark subtracted, NaN where missing. ``model_response`` is the
    model's answer ``H 1`` to a uniform volume: of the same shape, or (N, N), repeated over the lenslets. ``W`` is 0,
    which makes data missing and not dark, where the white frame is missing and where either is too dim to divide.

    Raises ``CalibrationError`` when the shapes do not fit or hardly a pixel is usable.
    """
    model = _repeated(model_response, rectified_white.shape)
    white = np.asarray(rectified_white, dtype=np.float64)
    there = np.isfinite(white)
    if not there.any() or not np.isfinite(model).all():
        raise CalibrationError("white frame: no rectified pixel is usable; check images.radiometry")
    usable = there & (model > DIMMEST_MODEL * np.quantile(model, BRIGHT_QUANTILE))
    usable &= np.where(there, white, 0.0) > DIMMEST_WHITE * max(np.quantile(white[there], BRIGHT_QUANTILE), 0.0)
    if np.count_nonzero(usable) < SMALLEST_USABLE_SHARE * usable.size:
        raise CalibrationError(
            f"white frame: only {np.count_nonzero(usable) / usable.size:.0%} of the rectified pixels are lit and not "
            "saturated; take it with another exposure"
        )
    ratio = np.divide(white, model, out=np.zeros_like(white), where=usable)
    return np.asarray(ratio / np.median(ratio[usable]), dtype=np.float32)


def _repeated(model_response: NDArray[np.floating[Any]], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """``model_response`` at the size of the rectified frame."""
    model = np.asarray(model_response, dtype=np.float64)
    if model.shape == shape:
        return model
    if model.ndim != 2 or len(shape) != 2 or shape[0] % model.shape[0] or shape[1] % model.shape[1]:
        raise CalibrationError(f"model response of {model.shape} px: it does not repeat over a frame of {shape} px")
    return np.tile(model, (shape[0] // model.shape[0], shape[1] // model.shape[1]))
