"""How ``lfcore bench`` takes times, on any projector."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lfcore.projection.protocol import Projector, Resident
from lfcore.projection.roofline import Ceilings, Work, floor_seconds
from lfcore.settings import Reconstruction
from lfcore.stages.bench_cases import ITERATIONS, SEED, Scene
from lfcore.stages.series import reconstruct_series

BACKGROUND = 0.02
Frames = npt.NDArray[np.float32]
Action = Callable[[], object]


def nothing() -> None:
    """There is nothing to wait for."""


@dataclass(frozen=True)
class Figure:
    """One measured time in ms, the floor in ms that ceilings set, if it is known, and what each kernel has of it.

    ``includes`` says in words what the time covers.
    """

    case: str
    includes: str
    median_ms: float
    floor_ms: float | None = None
    kernel_floors_ms: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float | None:
        """How much of the time the floor explains: 1 is all that the machine can do."""
        return None if self.floor_ms is None else self.floor_ms / self.median_ms

    def as_json(self) -> dict[str, Any]:
        """For the history: times with four digits that count."""
        facts = asdict(self) | {"share": self.share}
        return {key: _short(value) for key, value in facts.items()}


def figure_of(case: str, includes: str, seconds: list[float], works: list[Work], ceilings: Ceilings) -> Figure:
    """The figure of kernels that follow each other."""
    return divided_by(1, case, includes, seconds, works, ceilings)


def divided_by(
    frames: int, case: str, includes: str, seconds: list[float], works: list[Work], ceilings: Ceilings
) -> Figure:
    """The same, shared evenly by the frames of a batch."""
    a_frame_ms = 1e3 / frames
    floors: dict[str, float] = {}
    for work in works:
        floors[work.name] = floors.get(work.name, 0.0) + a_frame_ms * work.seconds(ceilings)
    median_ms = a_frame_ms * statistics.median(seconds)
    return Figure(case, includes, median_ms, a_frame_ms * floor_seconds(works, ceilings), floors)


def timed(action: Action, repeat: int, finish: Action = nothing) -> list[float]:
    """Seconds of each of ``repeat`` runs of ``action`` and ``finish``, after one that is not counted."""
    found = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        action()
        finish()
        found.append(time.perf_counter() - started)
    return found[1:]


def random_frames(scene: Scene, frames: int, generator: np.random.Generator) -> Frames:
    """(frame, y, x) light fields with no structure: nothing that is timed depends on it."""
    return generator.random((frames, *scene.image_shape), np.float32)


def one_iteration(projector: Projector[Resident], scene: Scene, frames: int) -> Action:
    """An iteration of Richardson-Lucy on what already lies where the projector wants it."""
    generator = np.random.default_rng(SEED)
    measured = projector.pack_image(random_frames(scene, frames, generator))
    weight = projector.pack_image(np.ones((1, *scene.image_shape), np.float32))
    background = np.full(frames, BACKGROUND)
    normaliser = projector.adjoint(weight)
    volume = projector.update(normaliser, projector.adjoint(measured), normaliser)

    def iterate() -> None:
        nonlocal volume
        correction, _ = projector.compare(measured, projector.forward(volume), weight, background)
        volume = projector.update(volume, projector.adjoint(correction), normaliser)

    return iterate


def series_seconds(projector: Projector[Resident], scene: Scene, frames: int, repeat: int) -> list[float]:
    """Seconds from one batch's volumes in host memory to the next batch's.

    The first is not counted, nor the last: the series brings it back while there is nothing left to compute.
    """
    generator = np.random.default_rng(SEED)
    batches = [random_frames(scene, frames, generator) for _ in range(repeat + 2)]
    return [float(seconds) for seconds in np.diff(list(_arrivals(projector, scene, batches)))[:-1]]


def alone_seconds(projector: Projector[Resident], scene: Scene, repeat: int) -> list[float]:
    """Seconds of series of a single frame, which prepare the sensitivity anew."""
    generator = np.random.default_rng(SEED)
    frames = iter([random_frames(scene, 1, generator) for _ in range(repeat + 1)])
    return timed(lambda: list(_arrivals(projector, scene, [next(frames)])), repeat)


def _arrivals(projector: Projector[Resident], scene: Scene, batches: list[Frames]) -> Iterator[float]:
    """When the volumes of each batch came; none is kept, so that its memory may be used again."""
    settings = Reconstruction(iterations=ITERATIONS, acceleration=False, background=BACKGROUND)
    for _ in reconstruct_series(projector, np.ones(scene.image_shape, np.float32), batches, settings):
        yield time.perf_counter()


def _short(value: object) -> object:
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items()}
    return float(f"{value:.4g}") if isinstance(value, float) else value
