"""The curve of resolution against depth, as PNG bytes, drawn on white like the other curves."""

from collections.abc import Sequence

import numpy as np

from lfcore.report.canvas import canvas, png

MEASURED, FORMULA, INK = "#3a7ca5", "#c1121f", "#20242a"


def resolution_picture(
    z_um: Sequence[float],
    band_limit: Sequence[float],
    lenslet_limit: Sequence[float],
    depth_um: Sequence[float],
    *,
    valid_from_um: float,
    pitch_um: float,
) -> bytes:
    """Shortest resolved period, lateral (left) and along z (right), against ``z_um``.

    ``band_limit`` and ``lenslet_limit``, which holds from ``valid_from_um`` on, are in 1/um; ``pitch_um`` is that of a
    lenslet in the object.
    """
    depth, limit = np.asarray(z_um), np.asarray(lenslet_limit)
    with canvas(9.0, 3.8, paper="white", ink=INK) as figure:
        lateral, axial = figure.subplots(1, 2)
        lateral.plot(z_um, 1 / np.asarray(band_limit), "o-", ms=3, color=MEASURED, label="of the operator")
        for side, label in ((depth <= -valid_from_um, "Broxton 2013"), (depth >= valid_from_um, None)):
            lateral.plot(depth[side], 1 / limit[side], "--", color=FORMULA, label=label)
        lateral.axhline(2 * pitch_um, color=INK, lw=1, ls=":", label="two lenslets")
        lateral.set_ylabel("lateral period resolved (um)")
        lateral.legend(frameon=False)
        axial.plot(z_um, depth_um, "o-", ms=3, color=MEASURED)
        axial.set_ylabel("period resolved along z (um)")
        for axes in (lateral, axial):
            axes.set_xlabel("z from the native plane (um)")
            axes.set_ylim(bottom=0)
            axes.grid(color="#00000020")
            axes.spines[["top", "right"]].set_visible(False)
        return png(figure)
