"""Volumes of many rectified frames: the next frames are prepared, and the last ones brought back, beside the work."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic

import numpy as np
import numpy.typing as npt

from lfcore.errors import SettingsError
from lfcore.projection.protocol import Host, Projector, Resident
from lfcore.settings import Camera, Reconstruction
from lfcore.solvers.problem import Estimate, Options, Problem, Weighting
from lfcore.solvers.solve import solve
from lfcore.stages.artefacts import ArtefactRemoval

Image = npt.NDArray[np.float32]
Pulse = Callable[[float], None]

RESAMPLED_VARIANCE = 0.764
"""What is left of white noise, on average, by a cubic spline at places spread evenly between pixels: 0.874 an axis."""


def reconstruct_frames(
    projector: Projector[Resident],
    rectified: Image,
    weight: Image,
    settings: Reconstruction,
    pulse: Pulse = lambda part: None,
    removal: ArtefactRemoval | None = None,
    camera: Camera | None = None,
    start: Host | None = None,
) -> Estimate:
    """Volumes (frame, z, y, x), without the margin, of rectified frames (frame, y, x) with NaN where missing.

    ``weight`` (y, x) is the sensitivity. The background is the stated fraction of each frame's mean over usable pixels.
    Raises ``DataError`` for a frame without light.
    """
    return next(reconstruct_series(projector, weight, [rectified], settings, pulse, removal, camera, start))


def reconstruct_series(
    projector: Projector[Resident],
    weight: Image,
    batches: Iterable[Image],
    settings: Reconstruction,
    pulse: Pulse = lambda part: None,
    removal: ArtefactRemoval | None = None,
    camera: Camera | None = None,
    start: Host | None = None,
) -> Iterator[Estimate]:
    """``reconstruct_frames`` for batch after batch, in order; a batch holds as many frames as the projector takes.

    With ``settings.warm_start`` all frames of a batch start from the last one of the batch before, the first from
    ``start`` (1, z, y, x) as ``Estimate.whole`` is, if there is one. ``camera`` tells what noise is to be expected.
    ``pulse`` hears which part of a batch's iterations is done. ``removal`` is that for which the projector's kernels
    were made; without one the volume is as the solver leaves it.
    """
    series = _Series(projector, weight, settings, pulse, removal or ArtefactRemoval.nothing(), camera, start)
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
    own doing; ``background`` and ``noise`` (frame,) as in ``Problem``.
    """

    light: Image
    usable: npt.NDArray[np.bool_] | None
    background: Host
    noise: Host | None


class _Series(Generic[Resident]):
    """What all batches share."""

    def __init__(
        self,
        projector: Projector[Resident],
        weight: Image,
        settings: Reconstruction,
        pulse: Pulse,
        removal: ArtefactRemoval,
        camera: Camera | None,
        start: Host | None,
    ) -> None:
        self.projector, self.weight, self.settings, self.pulse = projector, weight, settings, pulse
        self.removal, self.camera, self.before = removal, camera, start
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
        return _Batch(light, None if same else usable, background, self._noise(light, usable, background))

    def start(self, batch: _Batch) -> Callable[[], Estimate]:
        """Compute a batch; the result waits for its way to the host."""
        settings, rule = self.settings, self.settings.stopping_rule
        problem = Problem(self.projector, batch.light, self._weighting(batch), batch.background, batch.noise)
        options = Options(
            settings.iterations, settings.accelerates, settings.regularisation, settings.huber, rule.rule, rule.limit
        )
        start = None if self.before is None else np.repeat(self.before[-1:], len(batch.light), 0)
        solution = solve(
            settings.solver,
            problem,
            options,
            start,
            lambda iteration, residual: self.pulse(iteration / settings.iterations),
        )
        # Before what follows uses it up.
        self.before = whole = self.projector.unpack_volume(solution.volume) if settings.warm_start else None
        fetched = self.projector.fetch_inside(self.removal.volume(self.projector, solution.volume))
        rest = solution.residuals, solution.stopped, whole
        return lambda: Estimate(self.removal.without_pattern(fetched()), *rest)

    def _blank(self, rectified: Image, light: Image, usable: npt.NDArray[np.bool_]) -> float:
        """Fill ``light`` and ``usable`` of one frame; returns its mean over usable pixels."""
        np.isfinite(rectified, out=usable)
        usable &= self.seen
        light[...] = 0
        np.copyto(light, rectified, where=usable)
        mean = float(light.sum(dtype=np.float64)) / max(int(np.count_nonzero(usable)), 1)
        np.maximum(light, 0, out=light)
        return mean

    def _noise(self, light: Image, usable: npt.NDArray[np.bool_], background: Host) -> Host | None:
        """(frame,) the relative residual that photons and read-out leave; residuals count the background too."""
        rule = self.settings.stopping_rule.rule
        if rule != "discrepancy" or self.camera is None or self.camera.counts_per_electron is None:
            return None
        gain, read = self.camera.counts_per_electron, self.camera.read_noise_electrons
        counts, pixels = light.sum((1, 2), dtype=np.float64), np.count_nonzero(usable, axis=(1, 2))
        squares = RESAMPLED_VARIANCE * (gain * counts + pixels * (gain * read) ** 2) + pixels * background**2
        norms = np.square(light, dtype=np.float64).sum((1, 2))
        return np.asarray(np.sqrt(np.divide(squares, norms, out=np.zeros_like(squares), where=norms > 0)))

    def _weighting(self, batch: _Batch) -> Weighting[Resident]:
        if batch.usable is not None:
            return Weighting.of(self.projector, np.where(batch.usable, self.weight, 0))
        if self._shared is None:
            self._shared = Weighting.of(self.projector, np.where(self.seen, self.weight, 0)[None])
        return self._shared
