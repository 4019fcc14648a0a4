"""The lattice over the frame that it was found in: where the discs are against where the lattice has them."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lfcore.report.canvas import ACCENT, DARK, LIGHT, MARK, WARNING, canvas, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]

ARROWS_ACROSS = 24
"""More arrows along a side than this would hide the frame."""

CROP_PITCHES = 2.3
"""Half the side of the enlarged parts."""


def lattice_picture(frame: Floats, centres: Floats, places: Floats, inliers: Flags, pitch_px: float) -> bytes:
    """The whole frame with the residuals as arrows, enlarged by a stated factor, and five enlarged parts of it, as PNG.

    ``frame`` is (y, x). Of n lenslets on the camera, ``centres`` (n, 2) [y, x] px are the lattice's, ``places`` (n, 2)
    those where they were seen, NaN where they were not; ``inliers`` (n,) marks those that the fit rests on.
    """
    overview = min(8.8 * frame.shape[0] / frame.shape[1], 12.0) + 0.7
    with canvas(10.0, overview + 2.2) as figure:
        grid = figure.add_gridspec(2, 1, height_ratios=(overview, 2.2))
        _draw_residuals(figure.add_subplot(grid[0]), frame, centres, places, inliers, pitch_px)
        reach = CROP_PITCHES * pitch_px
        low, high = np.full(2, reach), np.array(frame.shape) - 1 - reach
        corners = {
            "top left": (low[0], low[1]),
            "top right": (low[0], high[1]),
            "middle": tuple((low + high) / 2),
            "bottom left": (high[0], low[1]),
            "bottom right": (high[0], high[1]),
        }
        crops = grid[1].subgridspec(1, len(corners))
        for index, (name, middle) in enumerate(corners.items()):
            axes = figure.add_subplot(crops[index])
            _draw_crop(axes, frame, centres, places, inliers, (np.array(middle), reach))
            axes.set_title(name)
        return png(figure)


def _draw_residuals(
    axes: "Axes", frame: Floats, centres: Floats, places: Floats, inliers: Flags, pitch_px: float
) -> None:
    """The whole frame with residual vectors, averaged over blocks and enlarged; what was not used is marked."""
    block_px = max(pitch_px, max(frame.shape) / ARROWS_ACROSS)
    middles, vectors = _block_means(centres[inliers], (places - centres)[inliers], block_px)
    typical = float(np.sqrt(np.mean(np.sum(vectors**2, axis=1)))) if len(vectors) else 0.0
    # One digit, so that the title can be checked with a ruler; a perfect frame's noise stays small.
    enlarged = float(f"{min(0.5 * block_px / max(typical, 1e-6), 1e4):.1g}")
    # Drawn at half its brightness, so that the arrows stand out.
    axes.imshow(frame, cmap="gray", vmin=0, vmax=2 * float(np.nanquantile(frame, 0.99)))
    axes.quiver(
        *middles[:, ::-1].T, *vectors[:, ::-1].T,
        color=ACCENT, angles="xy", scale_units="xy", scale=1 / enlarged, width=0.0022,
    )  # fmt: skip
    seen = np.isfinite(places[:, 0])
    _mark(axes, centres[seen & ~inliers], "x", f"seen, but left out of the fit: {np.count_nonzero(seen & ~inliers)}")
    _mark(axes, centres[~seen], "s", f"not seen: {np.count_nonzero(~seen)}")
    if not inliers.all():
        axes.legend(loc="lower right", framealpha=0.8, facecolor=DARK, labelcolor=LIGHT)
    many = "each disc" if block_px == pitch_px else f"means over {block_px:.0f} x {block_px:.0f} px"
    title = f"disc less lattice ({many}), enlarged {enlarged:g} times; {np.count_nonzero(inliers)} lenslets in the fit"
    axes.set_title(title if inliers.any() else "the lattice from nominal values: nothing was found to fit it to")
    axes.set_xlabel("x (camera px)")
    axes.set_ylabel("y (camera px)")


def _mark(axes: "Axes", places: Floats, sign: str, label: str) -> None:
    if len(places):
        axes.plot(*places[:, ::-1].T, sign, color=WARNING, ms=5, mfc="none", ls="none", label=label)


def _block_means(centres: Floats, residuals: Floats, block_px: float) -> tuple[Floats, Floats]:
    """Mean centre and mean residual, (n, 2) each, of every block of the camera in which discs were measured."""
    keys = np.floor(centres / block_px).astype(np.intp)
    if not len(keys):
        return np.zeros((0, 2)), np.zeros((0, 2))
    _, block = np.unique(keys, axis=0, return_inverse=True)
    count = np.bincount(block.ravel())
    means = [
        np.stack([np.bincount(block.ravel(), values[:, axis]) / count for axis in (0, 1)], axis=-1)
        for values in (centres, residuals)
    ]
    return means[0], means[1]


def _draw_crop(
    axes: "Axes", frame: Floats, centres: Floats, places: Floats, inliers: Flags, window: tuple[Floats, float]
) -> None:
    """A few lenslets around the middle of ``window`` (middle, half side): the lattice's centres and the discs."""
    middle, reach = window
    axes.imshow(frame, cmap="gray", vmin=0, vmax=float(np.nanquantile(frame, 0.999)), interpolation="nearest")
    near = np.all(np.abs(centres - middle) <= reach, axis=1)
    seen = near & inliers
    axes.plot(*centres[near][:, ::-1].T, "+", color=ACCENT, ms=7)
    axes.plot(*places[seen][:, ::-1].T, "o", color=MARK, ms=3)
    axes.plot(*centres[near & ~inliers][:, ::-1].T, "x", color=WARNING, ms=7)
    axes.set_xlim(middle[1] - reach, middle[1] + reach)
    axes.set_ylim(middle[0] + reach, middle[0] - reach)
    axes.tick_params(labelsize=7)
