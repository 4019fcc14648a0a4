"""What a device reaches at most, measured on the spot (``kernels/ceilings.cl``): bytes and operations a second."""

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyopencl

from lfcore.opencl.session import Session

MOST_COPY_BYTES = 2**30
MOST_TRANSFER_BYTES = 2**28
ENOUGH_S = 0.03
TRIALS = 3
WORK_ITEMS = 256
GROUPS_A_UNIT = 16
FLOAT_STEPS, FLOAT_OPERATIONS = 1024, 128
"""Turns of the loop of ``float_rate``, so many that no launch is felt; operations of a turn, a work-item."""

MATRIX_STEPS, MATRIX_OPERATIONS = 1024, 8 * 2 * 16 * 16 * 8 // 32
"""The same of ``matrix_rate``."""

SMALL_HALVES = 0x04000400
"""Two halves of 2^-14, whose products stay finite however many are summed."""


def copy_rate(session: Session) -> float:
    """Bytes a second that a copy from device memory to device memory reads and writes."""
    size_bytes = _part_of_memory(session, MOST_COPY_BYTES)
    source, target = (session.take("copies", size_bytes, zeroed=True) for _ in range(2))
    rate = _rate(session, lambda: pyopencl.enqueue_copy(session.queue, target.buffer, source.buffer))
    return 2 * size_bytes * rate


def float_rate(session: Session) -> float:
    """Operations a second of float32, a multiply-add counted as two."""
    kernel = session.kernels(("ceilings.cl",), {})["float_rate"]
    factors = np.float32(0.999), np.float32(0.001)
    return _arithmetic(session, kernel, np.int32(FLOAT_STEPS), *factors) * FLOAT_STEPS * FLOAT_OPERATIONS


def matrix_rate(session: Session, ptx: bool = True) -> float:
    """Operations a second of the matrix units, halves summed in single; without ``ptx`` emulated, for tests."""
    defines = {"PTX": int(ptx), "WARPS": WORK_ITEMS // 32}
    kernel = session.kernels(("matrix_units.cl", "ceilings.cl"), defines)["matrix_rate"]
    steps = MATRIX_STEPS if ptx else 1
    factors = np.uint32(SMALL_HALVES), np.uint32(SMALL_HALVES)
    return _arithmetic(session, kernel, np.int32(steps), *factors) * steps * MATRIX_OPERATIONS


def to_device_rate(session: Session) -> float:
    """Bytes a second from pinned host memory to the device."""
    host = _host(session)
    lease = session.take("transfers", host.nbytes)
    return host.nbytes * _rate(session, lambda: pyopencl.enqueue_copy(session.queue, lease.buffer, host))


def to_host_rate(session: Session) -> float:
    """Bytes a second from the device to pinned host memory."""
    host = _host(session)
    lease = session.take("transfers", host.nbytes)
    return host.nbytes * _rate(session, lambda: pyopencl.enqueue_copy(session.queue, host, lease.buffer))


def _host(session: Session) -> npt.NDArray[np.float32]:
    host = session.pinned.array((_part_of_memory(session, MOST_TRANSFER_BYTES) // 4,))
    host[:] = 1
    return host


def _part_of_memory(session: Session, most_bytes: int) -> int:
    """A size that leaves memory for others, a multiple of 16."""
    return min(most_bytes, session.device.largest_allocation_bytes // 2, session.memory_bytes // 16) // 16 * 16


def _arithmetic(session: Session, kernel: pyopencl.Kernel, *arguments: object) -> float:
    """Work-items a second."""
    items = session.device.compute_units * GROUPS_A_UNIT * WORK_ITEMS
    out = session.take("sums", 4 * items)
    return items * _rate(session, lambda: session.launch(kernel, (items,), (WORK_ITEMS,), out, *arguments))


def _rate(session: Session, start: Callable[[], object]) -> float:
    """How often a second ``start`` is done: the best of some trials, each long enough to be timed."""
    start()
    session.finish()
    times = 1
    found: list[float] = []
    while len(found) < TRIALS:
        started = time.perf_counter()
        for _ in range(times):
            start()
        session.finish()
        elapsed = time.perf_counter() - started
        if elapsed >= ENOUGH_S:
            found.append(times / elapsed)
        else:
            times *= 2
    return max(found)
