"""Time of one projection and one Richardson-Lucy iteration with the numpy back end: ``python benchmarks/operator.py``.

Each line is one case as JSON: medians of wall and processor milliseconds over ``REPEATS`` runs on random data, the
bytes of the matrices that a projection must read at least once, and the floating point operations of its products.
Below them stands what the machine reaches in a copy and in a matrix product, measured in the same run.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lfcore.optics.instrument import Instrument
from lfcore.projection.kernels import plane_kernels
from lfcore.projection.numpy_projector import NumpyProjector
from lfcore.solvers.richardson_lucy import richardson_lucy

REPEATS = 15
SEED = 1


@dataclass(frozen=True)
class Case:
    """A field of ``rows`` x ``columns`` lenslets in front of ``planes_um``."""

    name: str
    instrument: Instrument
    planes_um: tuple[float, ...]
    samples_per_lenslet: int
    rows: int
    columns: int


def instrument(
    magnification: float, aperture: float, index: float, um: float, pitch_um: float, f_um: float, size: int
) -> Instrument:
    """A square array whose camera stands in the lenslets' focal plane."""
    return Instrument(magnification, aperture, index, ((um, 1.0),), pitch_um, f_um, f_um, "square", size)


CASES = (
    Case(
        "10 planes of 1 um, N 16, S 4, 28 x 27 lenslets, 60x/1.2",
        instrument(60, 1.2, 1.35, 0.593, 100, 2500, 16),
        tuple(float(z) for z in np.arange(10) - 4.5),
        4,
        28,
        27,
    ),
    Case(
        "5 planes in +-40 um, N = S = 15, 15 x 15 lenslets, 20x/0.5",
        instrument(20, 0.5, 1.0, 0.525, 150, 3000, 15),
        (-40.0, -20.0, 0.0, 20.0, 40.0),
        15,
        15,
        15,
    ),
    Case(
        "30 planes of 12 um, N 17, S 3, 69 x 69 lenslets, 20x/0.5 (the sea urchin's)",
        instrument(20, 0.5, 1.35, 0.593, 127.3, 2500, 17),
        tuple(float(z) for z in np.arange(30) * 12 - 174),
        3,
        69,
        69,
    ),
)


def milliseconds(work: Callable[[], object]) -> dict[str, float]:
    """Median wall and processor time of ``work``, after one run that is not counted."""
    work()
    wall, processor = [], []
    for _ in range(REPEATS):
        started, used = time.perf_counter(), time.process_time()
        work()
        wall.append(1e3 * (time.perf_counter() - started))
        processor.append(1e3 * (time.process_time() - used))
    return {"wall_ms": round(statistics.median(wall), 2), "processor_ms": round(statistics.median(processor), 2)}


def measure(case: Case) -> dict[str, object]:
    """All figures of one case."""
    generator = np.random.default_rng(SEED)
    started = time.perf_counter()
    kernels = [plane_kernels(case.instrument, z_um, case.samples_per_lenslet) for z_um in case.planes_um]
    kernels_s = time.perf_counter() - started
    started = time.perf_counter()
    projector = NumpyProjector(kernels, case.rows, case.columns)
    build_s = time.perf_counter() - started
    volume = projector.pack_volume(generator.random((1, *projector.volume_shape), np.float32))
    image = projector.forward(volume)
    measured = projector.unpack_image(image)
    weight, background = np.ones_like(measured), np.zeros(1)

    def solve(iterations: int) -> float:
        return milliseconds(lambda: richardson_lucy(projector, measured, weight, background, iterations))["wall_ms"]

    matrix_bytes = projector._matrices.nbytes  # the one figure that the protocol has no reason to tell
    return {
        "case": case.name,
        "kernels_s": round(kernels_s, 2),
        "matrices_s": round(build_s, 2),
        "forward": milliseconds(lambda: projector.forward(volume)),
        "adjoint": milliseconds(lambda: projector.adjoint(image)),
        "iteration_ms": round((solve(6) - solve(1)) / 5, 2),
        "matrix_megabytes": round(matrix_bytes / 1e6, 1),
        "product_megaflop": round(2 * 8 * matrix_bytes / 4 / 1e6, 1),
    }


def ceilings() -> dict[str, float]:
    """What this machine reaches: gigabytes a second of a copy (read and written), gigaflops of a float32 product."""
    source = np.ones(64_000_000, np.float32)
    target = np.empty_like(source)
    copy = milliseconds(lambda: np.copyto(target, source))["wall_ms"]
    matrix = np.ones((2048, 2048), np.float32)
    product = milliseconds(lambda: matrix @ matrix)["wall_ms"]
    return {
        "copy_GB_s": round(2 * source.nbytes / copy / 1e6, 1),
        "product_GFLOP_s": round(2 * 2048**3 / product / 1e6, 1),
    }


if __name__ == "__main__":
    for case in CASES:
        print(json.dumps(measure(case)))
    print(json.dumps(ceilings()))
