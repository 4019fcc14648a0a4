"""Volumes of many rectified frames: the next frames are prepared, and the last ones brought back, beside the work."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.projection.protocol import Host, Projector, Resident
from lfcore.settings import Reconstruction
from lfcore.solvers.richardson_lucy import Estimate, Weighting, solve
from lfcore.stages.artefacts import ArtefactRemoval

Image = npt.NDArray[np.float32]
Pulse = Callable[[float], None]


def reconstruct_frames(
    projector: Projector[Resident],
    rectified: Image,
    weight: Image,
    settings: Reconstruction,
    pulse: Pulse = lambda part: None,
    removal: ArtefactRemoval | None = None,
) -> Estimate:
    """Volumes (frame, z, y, x), without the margin, of rectified frames (frame, y, x) with NaN where missing.

    ``weight`` (y, x) is the sensitivity. The background is the stated fraction of each frame's mean over usable pixels.
    Raises ``DataError`` for a frame without light.
    """
    return next(reconstruct_series(projector, weight, [rectified], settings, pulse, removal))


def reconstruct_series(
    projector: Projector[Resident],
    weight: Image,
    batches: Iterable[Image],
    settings: Reconstruction,
    pulse: Pulse = lambda part: None,
    removal: ArtefactRemoval | None = None,
) -> Iterator[Estimate]:
    """``reconstruct_frames`` for batch after batch, in order; a batch holds as many frames as the projector takes.

    ``pulse`` hears which part of a batch's iterations is done. ``removal`` is that for which the projector's kernels
    were made; without one the volume is as the solver leaves it.
    """
    series = _Series(projector, weight, settings, pulse, removal or ArtefactRemoval.nothing())
    last: Callable[[], Estimate] | None = None
    with ThreadPoolExecutor() as workers, ThreadPoolExecutor(1) as ahead:
        pending = None
        for rectified in batches:
            following = ahead.submit(series.prepare, rectified, workers)
            if pending is not None:
                started = series.start(pending.result())
                if last is not None:
                    yield last()
                last = started
            pending = following
        if pending is not None:
            started = series.start(pending.result())
            if last is not None:
                yield last()
            yield started()


@dataclass(frozen=True)
class _Batch:
    """Frames ready for the solver.

    ``light`` (frame, y, x) with zeros where nothing is known; ``usable`` likewise, or None where that is the weight's
    own doing; ``background`` (frame,).
    """

    light: Image
    usable: npt.NDArray[np.bool_] | None
    background: Host


class _Series(Generic[Resident]):
    """What all batches share."""

    def __init__(
        self,
        projector: Projector[Resident],
        weight: Image,
        settings: Reconstruction,
        pulse: Pulse,
        removal: ArtefactRemoval,
    ) -> None:
        self.projector, self.weight, self.settings, self.pulse = projector, weight, settings, pulse
        self.removal = removal
        self.seen = weight > 0
        self._shared: Weighting[Resident] | None = None

    def prepare(self, rectified: Image, workers: ThreadPoolExecutor) -> _Batch:
        """Blank what is missing and measure the background."""
        light, usable = self.projector.image_room(len(rectified)), np.empty(rectified.shape, np.bool_)
        if light.shape != rectified.shape:
            raise SettingsError(
                f"light field of shape {rectified.shape[1:]}: this projector takes {light.shape[1:]}; "
                "frames and calibration must belong together"
            )
        means = list(workers.map(self._blank, rectified, light, usable))
        same = np.count_nonzero(usable) == len(usable) * np.count_nonzero(self.seen)
        background = np.maximum(self.settings.background * np.array(means), 0)
        return _Batch(light, None if same else usable, background)

    def start(self, batch: _Batch) -> Callable[[], Estimate]:
        """Compute a batch; the result waits for its way to the host."""
        settings = self.settings
        volume, residuals = solve(
            self.projector,
            batch.light,
            self._weighting(batch),
            batch.background,
            settings.iterations,
            settings.acceleration,
            lambda iteration, residual: self.pulse(iteration / settings.iterations),
        )
        fetched = self.projector.fetch_inside(self.removal.volume(self.projector, volume))
        return lambda: Estimate(self.removal.without_pattern(fetched()), residuals)

    def _blank(self, rectified: Image, light: Image, usable: npt.NDArray[np.bool_]) -> float:
        """Fill ``light`` and ``usable`` of one frame; returns its mean over usable pixels."""
        np.isfinite(rectified, out=usable)
        usable &= self.seen
        light[...] = 0
        np.copyto(light, rectified, where=usable)
        mean = float(light.sum(dtype=np.float64)) / max(int(np.count_nonzero(usable)), 1)
        np.maximum(light, 0, out=light)
        return mean

    def _weighting(self, batch: _Batch) -> Weighting[Resident]:
        if batch.usable is not None:
            return Weighting.of(self.projector, np.where(batch.usable, self.weight, 0))
        if self._shared is None:
            self._shared = Weighting.of(self.projector, np.where(self.seen, self.weight, 0)[None])
        return self._shared
