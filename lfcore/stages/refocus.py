"""Refocus: the focal stack of one frame, its sharp image and depth, without a run or with the calibration of one."""

from collections.abc import Mapping
from typing import Any

from lfcore.io import ome_tiff
from lfcore.projection.refocus import all_in_focus, refocus
from lfcore.stages.grid import volume_grid
from lfcore.stages.rectified import load


def write_focal_stack(
    dataset: str,
    overrides: Mapping[str, Any],
    output: str,
    *,
    frame: int = 0,
    run: str | None = None,
    sharp: str | None = None,
    depth: str | None = None,
) -> tuple[int, ...]:
    """Write the focal stack (z, y, x) on the data set's voxel grid, and return its shape.

    ``sharp`` and ``depth`` name files for the all-in-focus image and the depth map (y, x), um. Raises as
    `stages.rectified.load`.
    """
    found = load(dataset, overrides, frame, run)
    settings = found.settings
    planes, samples = settings.volume.planes_um, settings.volume.samples_per_lenslet
    stack = refocus(found.light_field, found.flat, found.instrument, planes, samples)
    voxel_um = volume_grid(settings, found.calibration).voxel_um
    notes = {"source": found.source, "z_um": " ".join(f"{z_um:g}" for z_um in planes)}
    ome_tiff.write_volume(output, stack, voxel_um, provenance=notes)
    if sharp or depth:
        images = all_in_focus(stack, planes, samples)
        for path, image in zip((sharp, depth), images, strict=True):
            if path:
                ome_tiff.write_image(path, image, voxel_um[1:], {"source": found.source})
    return stack.shape
