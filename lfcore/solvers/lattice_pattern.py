"""The faint pattern of lenslet period that is left in a volume near the native plane, and a way to take it off.

What repeats there from lenslet to lenslet is the instrument and not the sample: a pattern with the lenslets' period
cannot be told from an error of the model by a few per cent. It is estimated relative to the mean over one lenslet,
which takes off slopes; limited, so that edges and beads hardly count; and averaged over neighbouring lenslets.
"""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve1d, gaussian_filter

from lfcore.threads import in_parts

Volume = npt.NDArray[np.float32]

LARGEST_SHARE = 0.6
"""A pattern deeper than this part of the local mean is taken for the sample's."""

REACH_LENSLETS = 2.0
"""Standard deviation of the neighbourhood over which lenslets must agree."""

PASSES = 6
"""What is left after one pass is a third or so, since its own limits hide a part."""


def without_lattice_pattern(
    volume: Volume, samples: tuple[int, int], planes: npt.NDArray[np.bool_], passes: int = PASSES
) -> Volume:
    """``volume`` (frame, z, y, x) with the pattern taken off those of its ``planes`` (z,) that are True.

    ``samples`` (y, x) are those of a cell; the volume holds whole cells. Voxels change by a factor between 0.4 and 1.6
    a pass, so none becomes negative and none is made of nothing. With one sample a cell there is no pattern.
    """
    result, chosen = volume.copy(), np.flatnonzero(planes)
    if samples == (1, 1) or not len(chosen):
        return result
    places = [(frame, int(plane)) for frame in range(len(volume)) for plane in chosen]

    def work(part: slice) -> None:
        for frame, plane in places[part]:
            for _ in range(passes):
                result[frame, plane] *= np.float32(1) - _pattern(result[frame, plane], samples)

    in_parts(len(places), work)
    return result


def _pattern(plane: Volume, samples: tuple[int, int]) -> Volume:
    """(y, x) the part of the local mean by which each sample of a cell differs from it in all cells around."""
    mean = plane
    for axis, count in enumerate(samples):
        mean = np.asarray(convolve1d(mean, _over_one_cell(count), axis=axis, mode="nearest"))
    least = 1e-6 * max(float(np.max(mean)), float(np.finfo(np.float32).tiny))
    share = np.clip((plane - mean) / np.maximum(mean, least), -LARGEST_SHARE, LARGEST_SHARE)
    (down, right), (height, width) = samples, plane.shape
    cells = share.reshape(height // down, down, width // right, right)
    common = gaussian_filter(cells, (REACH_LENSLETS, 0, REACH_LENSLETS, 0), mode="nearest")
    common -= common.mean((1, 3), keepdims=True)
    return np.asarray(common.reshape(plane.shape), np.float32)


def _over_one_cell(samples: int) -> npt.NDArray[np.float64]:
    """Weights of a mean over exactly one cell, centred on a sample; the ends of an even cell count half."""
    weights = np.ones(samples if samples % 2 else samples + 1)
    if samples % 2 == 0:
        weights[[0, -1]] = 0.5
    return weights / samples
