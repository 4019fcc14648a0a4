"""Seconds that a frame takes on a GPU that is not here, from its memory and bandwidth alone.

Reconstruction is bound by memory there (``roofline``), so a frame's time is the bytes that the planner counts, over the
share of the data sheet's bandwidth that was reached on a measured device. What is assumed: that other GPUs reach the
same share, and that their matrix units and transfers are as fast beside their memory as that one's.
"""

from lfcore.errors import DeviceMemoryError
from lfcore.opencl.device import Device
from lfcore.optics.instrument import instrument_from
from lfcore.projection.cost import STEPS
from lfcore.projection.device_memory import Case
from lfcore.projection.device_plan import plan_device
from lfcore.settings import Settings

BANDWIDTH_SHARE = 0.7
"""Of 4,800 GB/s an H200 reached 0.69 (case F, batch of 24) and 0.75 (case P): ``benchmarks/history.jsonl``."""

FRAME_OVERHEAD_S = 0.01
"""Rectifying, transfers and the host's part; what a frame of F took beside its kernels on the same device."""

LOCAL_BYTES = 48 << 10
"""The least local memory of the GPUs in question."""

START_ITERATIONS = 2
"""A back projection, a last residual and the solver's normaliser take as long as so many iterations."""


def why_not_a_gpu(settings: Settings) -> str | None:
    """What about a microscope a GPU cannot do here; None where it can."""
    instrument = instrument_from(settings)
    if instrument.cell.pixels == (1, 1):
        return "cells of one pixel: done by the processor"
    if not (instrument.symmetry.mirror_y and instrument.symmetry.mirror_x):
        return "point images that mirrors change: done by the processor"
    return None


def device_frame_seconds(
    settings: Settings, rows: int, columns: int, memory_gib: float, memory_gb_per_s: float
) -> float:
    """Seconds of one frame of ``rows`` x ``columns`` cells on a GPU with so much memory, writing left out.

    Raises ``DeviceMemoryError`` where the frame's volumes do not fit.
    """
    instrument, planes = instrument_from(settings), settings.volume.planes_um
    solver = settings.reconstruction
    case = Case(
        rows,
        columns,
        instrument.cell.pixels,
        instrument.cell.samples(settings.volume.samples_per_lenslet),
        tuple(instrument.window_radius_cells(z) for z in planes),
        solver.accelerates or solver.warm_start or solver.solver != "richardson_lucy",
        exchange=instrument.symmetry.exchange,
    )
    memory = int(memory_gib * 2**30)
    gpu = Device("-", "-", "GPU of the price table", "-", "-", "gpu", memory, memory // 4, LOCAL_BYTES, 1, True)
    iterations = STEPS[solver.solver] * solver.iterations + START_ITERATIONS
    try:
        moved = plan_device(gpu, memory, case, frames=1).moved_bytes(1)
    except DeviceMemoryError as error:
        raise DeviceMemoryError(f"its {memory_gib:g} GiB do not hold a frame's volumes") from error
    return FRAME_OVERHEAD_S + iterations * moved / (BANDWIDTH_SHARE * memory_gb_per_s * 1e9)
