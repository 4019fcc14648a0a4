"""Richardson-Lucy with a measured sensitivity, missing pixels and a background (Richardson 1972; Lucy 1974).

For counts with mean ``E[b] = W (H x) + g`` the likelihood grows with every step of

    x <- x * H^T( W b / (W H x + g) ) / H^T W.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lfcore.errors import DataError
from lfcore.projection.protocol import Host, Projector, Resident

Progress = Callable[[int, Host], None]


@dataclass(frozen=True)
class Estimate:
    """``volume`` (frame, z, y, x), margin included; ``residuals`` (iteration, frame): ``|b - W H x| / |b|`` over ``W > 0``.

    ``residuals[i]`` belongs to the volume after ``i`` iterations; the last one is the returned volume's.
    """

    volume: Host
    residuals: Host


def richardson_lucy(
    projector: Projector[Resident],
    measured: Host,
    weight: Host,
    background: Host,
    iterations: int,
    on_iteration: Progress = lambda iteration, residual: None,
) -> Estimate:
    """Estimate the volumes of several frames at once.

    ``measured`` and ``weight`` are (frame, y, x), the latter zero where a pixel says nothing; ``background`` is (frame,) counts a
    pixel. The start is the back projection. ``on_iteration(i, residual)`` hears the (frame,) residuals of the volume after
    ``i`` iterations. Raises ``DataError`` for a frame without a single usable pixel or without light.
    """
    seen = weight > 0
    light = np.where(seen, np.maximum(measured, 0), 0)
    norms = np.sqrt(np.square(light, dtype=np.float64).sum((1, 2)))
    if not norms.all():
        raise DataError(f"frame {int(np.argmin(norms))} of this batch holds no light where the camera is usable; leave it out")
    weights, counts = projector.pack_image(weight), projector.pack_image(light)
    offset = projector.pack_image(np.where(seen, background[:, None, None], 0))
    normaliser = projector.adjoint(weights)
    volume = _back_projection(projector, counts, weights, normaliser)
    residuals = []
    for iteration in range(iterations + 1):
        correction, squares = projector.compare(counts, projector.forward(volume), weights, offset)
        residuals.append(np.sqrt(squares) / norms)
        on_iteration(iteration, residuals[-1])
        if iteration < iterations:
            volume = projector.update(volume, projector.adjoint(correction), normaliser)
    return Estimate(projector.unpack_volume(volume), np.stack(residuals))


def _back_projection(
    projector: Projector[Resident], counts: Resident, weights: Resident, normaliser: Resident
) -> Resident:
    """``H^T W b / H^T W^2``: a weighted mean of what each voxel's pixels saw, of the right order from the first step."""
    uniform = projector.pack_volume(np.ones((len(projector.unpack_image(counts)), *projector.volume_shape)))
    expected = projector.weigh(projector.forward(uniform), weights)
    correction = projector.adjoint(projector.weigh(counts, weights))
    return projector.update(uniform, correction, projector.adjoint(projector.weigh(expected, weights)))
