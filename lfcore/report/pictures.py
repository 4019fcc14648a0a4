"""Pictures for the report, as PNG bytes.

Camera images and volumes are drawn on dark ground, as they are looked at; curves on white, which the page inverts in
its dark theme.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from lfcore.report.canvas import WARNING, canvas, plain, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

Floats = NDArray[np.floating[Any]]
Flags = NDArray[np.bool_]


def _with_missing_in_red() -> "Colormap":
    from matplotlib import colormaps

    return colormaps["gray"].with_extremes(bad=WARNING)


def frame_picture(frame: Floats, title: str) -> bytes:
    """One camera frame (y, x) in grey, missing pixels in red, with the scale of its values."""
    with canvas(9.0, 7.4) as figure:
        axes = figure.add_subplot()
        there = frame[np.isfinite(frame)]
        low, high = np.quantile(there, (0.001, 0.999)) if there.size else (0.0, 1.0)
        drawn = axes.imshow(frame, cmap=_with_missing_in_red(), vmin=low, vmax=max(high, low + 1e-9))
        axes.set_title(plain(title))
        axes.set_xlabel("x (camera px)")
        axes.set_ylabel("y (camera px)")
        figure.colorbar(drawn, ax=axes, label="value over dark (camera units)", shrink=0.85)
        return png(figure)


def convergence_curve(residuals: Sequence[Sequence[float]]) -> bytes:
    """Relative residual against iteration, from 0, a thin line a frame and their median.

    ``residuals[frame][iteration]``.
    """
    from matplotlib.collections import LineCollection

    with canvas(9.0, 4.2, paper="white", ink="#20242a") as figure:
        axes = figure.add_subplot()
        curves = [np.asarray(curve, dtype=np.float64) for curve in residuals if len(curve)]
        # One artist for all: ten thousand frames would take half a minute one by one.
        lines = [np.column_stack([np.arange(len(curve)), curve]) for curve in curves]
        opacity = max(0.15, 1 / max(len(curves), 1) ** 0.5)
        axes.add_collection(LineCollection(lines, colors="#3a7ca5", alpha=opacity, linewidths=1))
        axes.autoscale_view()
        if len(curves) > 1:
            shortest = min(len(curve) for curve in curves)
            median = np.median([curve[:shortest] for curve in curves], axis=0)
            axes.plot(np.arange(shortest), median, color="#c1121f", lw=2, label=f"median of {len(curves)} frames")
            axes.legend(frameon=False, loc="upper right")
        axes.set_xlabel("iteration")
        axes.set_ylabel(r"relative residual  $\|b - W H x\| \,/\, \|b\|$")
        axes.set_ylim(bottom=0)
        axes.locator_params(axis="x", integer=True)
        axes.grid(color="#00000020")
        axes.spines[["top", "right"]].set_visible(False)
        return png(figure)


def maximum_projections(
    volume: Floats, dz_um: float, dy_um: float, dx_um: float, title: str, first_z_um: float = 0.0
) -> bytes:
    """Maximum projections of a volume (z, y, x) along z, y and x on one scale, axes in um.

    ``dz_um``, ``dy_um``, ``dx_um`` are the voxel's sides, ``first_z_um`` the z of plane 0.
    """
    finite = np.nan_to_num(volume, nan=0.0, posinf=0.0, neginf=0.0)
    depth, height, width = (count * side for count, side in zip(volume.shape, (dz_um, dy_um, dx_um), strict=True))
    # A shallow volume's side views would be slits; they are stretched then, which the axes show.
    drawn_depth = max(depth, 0.12 * max(width, height))
    with canvas(9.0, 7.6 * (height + drawn_depth) / (width + drawn_depth) + 0.9) as figure:
        figure.set_layout_engine("compressed")
        grid = figure.add_gridspec(2, 2, width_ratios=(width, drawn_depth), height_ratios=(height, drawn_depth))
        z_range = (first_z_um - 0.5 * dz_um, first_z_um - 0.5 * dz_um + depth)
        views = (
            (grid[0, 0], finite.max(axis=0), (0, width), (0, height), "", "y (um)"),
            (grid[0, 1], finite.max(axis=2).T, z_range, (0, height), "z (um)", ""),
            (grid[1, 0], finite.max(axis=1), (0, width), z_range, "x (um)", "z (um)"),
        )
        high = max(float(np.quantile(views[0][1], 0.999)), 1e-12)
        aspect: Literal["equal", "auto"] = "equal" if drawn_depth == depth else "auto"
        for place, view, horizontal, vertical, below, beside in views:
            axes = figure.add_subplot(place)
            extent = (*horizontal, vertical[1], vertical[0])
            image = axes.imshow(view, cmap="inferno", vmin=0, vmax=high, extent=extent, aspect=aspect)
            axes.set_xlabel(below)
            axes.set_ylabel(beside)
        _scale_bar(figure.axes[0], width, height)
        figure.suptitle(plain(title))
        figure.colorbar(image, ax=figure.axes, label="largest intensity along the line of sight", shrink=0.6, aspect=40)
        return png(figure)


def _scale_bar(axes: "Axes", width_um: float, height_um: float) -> None:
    """A bar of a round length, about a fifth of the width, in the lower right corner."""
    magnitude = 10 ** np.floor(np.log10(width_um / 5))
    length = max(step * magnitude for step in (1, 2, 5) if step * magnitude <= width_um / 5)
    right, bottom = 0.96 * width_um, 0.96 * height_um
    axes.plot([right - length, right], [bottom, bottom], color="white", lw=3, solid_capstyle="butt")
    axes.text(right - length / 2, bottom - 0.015 * height_um, f"{length:g} um", color="white", ha="center", va="bottom")
