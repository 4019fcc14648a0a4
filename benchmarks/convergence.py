"""How many iterations acceleration and a warm start save: ``python benchmarks/convergence.py RUN [COUNT]``.

``RUN`` is a run that has reached ``reconstruct``; its first frame is solved ``COUNT`` (default 60) plain iterations.
Then its volume, shifted from frame to frame and brightened, is projected, with photon noise, and solved as a series.
One JSON line a figure.
"""

import json
import sys
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.ndimage import shift

from lfcore.contracts import RunPaths
from lfcore.io import sources
from lfcore.projection.protocol import Host, Projector
from lfcore.solvers.problem import Options, Problem, Weighting
from lfcore.solvers.solve import solve
from lfcore.stages.reconstruct import Scene

SHIFTS_VOXELS = 0.1, 0.25
BRIGHTENING = 1.02
FRAMES = 3
SEED = 3


class Listening:
    """A projector that notes the Poisson log-likelihood of what is compared."""

    def __init__(self, projector: Projector[Any]) -> None:
        self.projector = projector
        self.likelihoods: list[float] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # whatever the projector has
        return getattr(self.projector, name)

    # Resident arrays are of whatever type the projector has.
    def compare(self, measured: Any, expected: Any, weight: Any, background: Host) -> tuple[Any, Host]:  # noqa: ANN401
        """As the projector's."""
        counts, model, sensitivity = map(self.projector.unpack_image, (measured, expected, weight))
        seen = (sensitivity > 0) & (counts >= 0)
        mean = np.maximum(sensitivity * model, 0)[seen].astype(np.float64) + background[0] + 1e-9
        self.likelihoods.append(float((counts[seen] * np.log(mean) - mean).sum()))
        result: tuple[Any, Host] = self.projector.compare(measured, expected, weight, background)
        return result


def acceleration(problem: Problem[Any], count: int) -> None:
    """Accelerated iterations that reach the likelihood of plain ones."""
    traces = []
    for accelerate in (False, True):
        listening = Listening(problem.projector)
        heard: Any = Problem(listening, problem.light, problem.weighting, problem.background)
        solve("richardson_lucy", heard, Options(count, accelerate))
        traces.append(np.array(listening.likelihoods))
    plain, accelerated = traces
    for iterations in (15, 30, 45, 60, 90, 120):
        if iterations <= count:
            needed = int(np.argmax(accelerated >= plain[iterations]))
            print(json.dumps({"plain": iterations, "accelerated": needed, "share": round(needed / iterations, 3)}))


def warm_start(problem: Problem[Any], count: int, shift_voxels: float) -> None:
    """Iterations of each later frame of a series that reach the residual of ``count`` from the back projection."""
    projector = problem.projector
    volume = projector.unpack_volume(solve("richardson_lucy", problem, Options(count)).volume)
    generator, before = np.random.default_rng(SEED), None
    for frame in range(FRAMES):
        moved = shift(volume, (0, 0, 0, frame * shift_voxels), order=1, mode="nearest") * BRIGHTENING**frame
        posed = Problem(projector, photons(problem, moved, generator), problem.weighting, problem.background)
        cold = solve("richardson_lucy", posed, Options(count))
        if before is not None:
            warm = solve("richardson_lucy", posed, Options(count), before)
            needed = int(np.argmax(warm.residuals[:, 0] <= cold.residuals[-1, 0]))
            reached = bool((warm.residuals[:, 0] <= cold.residuals[-1, 0]).any())
            figures = {"shift_voxels": shift_voxels, "frame": frame, "cold": count, "warm": needed, "reached": reached}
            print(json.dumps(figures))
        before = projector.unpack_volume(cold.volume)


def photons(problem: Problem[Any], volume: Host, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Counts (1, y, x) of a volume."""
    projector = problem.projector
    model = projector.weigh(projector.forward(projector.pack_volume(volume)), problem.weighting.weight)
    mean = np.maximum(projector.unpack_image(model), 0) + problem.background[0]
    seen = projector.unpack_image(problem.weighting.weight) > 0
    return np.where(seen, generator.poisson(mean), 0).astype(np.float32)


def first_frame(run: str) -> Problem[Any]:
    """The problem that the run's first frame poses."""
    paths = RunPaths(run)
    scene = Scene.load(paths)
    projector, settings = scene.engine.projector, scene.record.settings.reconstruction
    frame = scene.engine.rectify(sources.read_frame(paths.normalised(0)).astype(np.float32))[None]
    weight = np.where(np.isfinite(frame), scene.weight, 0)
    light = np.where(weight > 0, np.maximum(np.nan_to_num(frame), 0), 0)
    background = np.array([settings.background * light[weight > 0].mean()])
    return Problem(projector, light, Weighting.of(projector, weight), background)


if __name__ == "__main__":
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    posed = first_frame(sys.argv[1])
    acceleration(posed, count)
    for shift_voxels in SHIFTS_VOXELS:
        warm_start(posed, min(count, 20), shift_voxels)
