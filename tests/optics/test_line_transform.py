"""Line transforms: their tables, and the kernels of ``line.cl`` against numpy's transform."""

import numpy as np
import pyopencl
import pytest
from scipy.fft import fftfreq, next_fast_len

from lfcore.opencl.device import Device
from lfcore.opencl.program import source
from lfcore.optics.line_transform import RADICES, LineTransform, line_transform

KERNEL = """
kernel void transformed(PLAN, __global float2 *lines, const int inverse, __local float2 *line) {
    FOR_LINE(position) line[at(position)] = lines[at(position)];
    barrier(CLK_LOCAL_MEM_FENCE);
    transform(line, plan, stages, roots, inverse);
    FOR_LINE(position) lines[at(position)] = line[at(position)];
}
"""
EVERY_RADIX = ((15,), (2, 3), (6, 7, 4), (8, 9), (10, 11, 5), (2, 4, 8, 3))
"""Radices of transforms, some in an order that ``line_transform`` would not choose."""


@pytest.fixture(scope="module")
def kernel(cpu_device: Device) -> pyopencl.Kernel:
    text = source(["radix.cl", "line.cl"]) + KERNEL
    return pyopencl.Program(cpu_device.context(), text).build(["-cl-std=CL1.2"]).transformed


def on_the_device(kernel: pyopencl.Kernel, line: LineTransform, values: np.ndarray, inverse: bool) -> np.ndarray:
    """(position, line) complex64 through the kernel in one work-group of eight items a line."""
    context, result = kernel.context, values.copy()
    flags = pyopencl.mem_flags.COPY_HOST_PTR
    stages, roots, lines = (
        pyopencl.Buffer(context, flags, hostbuf=table) for table in (line.stages(), line.roots(), result)
    )
    plan, count = np.array([line.size, len(line.radices)], np.int32), values.shape[1]
    with pyopencl.CommandQueue(context) as queue:
        local = pyopencl.LocalMemory(8 * values.size)
        kernel(queue, (count, 8), (count, 8), plan, stages, roots, lines, np.int32(inverse), local)
        pyopencl.enqueue_copy(queue, result, lines)
    return result


def test_the_radices_here_are_the_kernels(kernel: pyopencl.Kernel) -> None:
    assert {radix for radices in EVERY_RADIX for radix in radices} == set(RADICES)


@pytest.mark.parametrize("radices", EVERY_RADIX, ids=str)
def test_forward_and_inverse_agree_with_numpy(kernel: pyopencl.Kernel, radices: tuple[int, ...]) -> None:
    line = LineTransform(int(np.prod(radices)), radices)
    random = np.random.default_rng(20 + line.size)
    values = random.normal(size=(line.size, 3)) + 1j * random.normal(size=(line.size, 3))
    values = values.astype(np.complex64)
    order = line.frequencies() % line.size
    spectrum = np.fft.fft(values, axis=0)[order]
    found = on_the_device(kernel, line, values, inverse=False)
    np.testing.assert_allclose(found, spectrum, atol=1e-6 * np.abs(spectrum).max())
    # The inverse takes and gives values with real and imaginary parts exchanged.
    back = on_the_device(kernel, line, (1j * spectrum.conj()).astype(np.complex64), inverse=True)
    np.testing.assert_allclose(1j * back.conj(), line.size * values, atol=2e-6 * line.size * np.abs(values).max())


def test_every_length_of_a_grid_can_be_transformed() -> None:
    for size in {next_fast_len(length) for length in range(4, 4096)}:
        line = line_transform(size)
        assert np.prod(line.radices) == size
        assert len(line.radices) <= 5
        np.testing.assert_array_equal(np.sort(line.frequencies()), np.sort(fftfreq(size, 1 / size).astype(int)))


def test_other_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="26 points: not a product"):
        line_transform(26)
