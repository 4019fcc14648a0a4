"""Memory that is taken, given back and capped; programs built once; arrays that come back as they went."""

import gc
from dataclasses import replace

import numpy as np
import pytest

from lfcore.errors import DeviceMemoryError
from lfcore.opencl.device import Device
from lfcore.opencl.session import Session
from tests.devices import PoisonedSession

MEGABYTE = 10**6


@pytest.fixture
def session(cpu_device: Device) -> Session:
    return Session(cpu_device)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float16, np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("shape", [(1,), (7,), (3, 5, 2), (1000, 33)])
def test_arrays_come_back_as_they_went(session: Session, dtype: type, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(11).integers(0, 200, shape).astype(dtype)
    np.testing.assert_array_equal(session.download(session.upload(array), shape, dtype), array)


def test_an_array_goes_in_its_own_order_whatever_its_strides(session: Session) -> None:
    array = np.random.default_rng(12).random((6, 8)).astype(np.float32)
    for view in (array.T, array[::-1], array[::2, 1::3]):
        np.testing.assert_array_equal(session.download(session.upload(view), view.shape, np.float32), view)


def test_the_first_values_can_be_fetched_alone(session: Session) -> None:
    array = np.arange(100, dtype=np.int32)
    np.testing.assert_array_equal(session.download(session.upload(array), (7,), np.int32), array[:7])


def test_what_is_written_anew_replaces_the_beginning(session: Session) -> None:
    lease = session.upload(np.arange(100, dtype=np.int32))
    session.write(lease, np.full(3, -1, np.int32))
    np.testing.assert_array_equal(session.download(lease, (5,), np.int32), [-1, -1, -1, 3, 4])


def test_a_part_is_copied_to_its_place(session: Session) -> None:
    source, target = session.upload(np.arange(10, dtype=np.int32)), session.upload(np.zeros(8, np.int32))
    session.copy(source, 3 * 4, target, 5 * 4, 2 * 4)
    np.testing.assert_array_equal(session.download(target, (8,), np.int32), [0, 0, 0, 0, 0, 3, 4, 0])


def test_a_buffer_goes_to_the_next_of_its_kind_and_size(session: Session) -> None:
    first = session.upload(np.full(8, 7, np.float32), "spectra")
    buffer, taken = first.buffer, session.taken_bytes
    del first
    gc.collect()
    other_kind, other_size = session.take("values", 32), session.take("spectra", 64)
    assert buffer not in (other_kind.buffer, other_size.buffer)
    again = session.take("spectra", 32, zeroed=True)
    assert again.buffer is buffer
    np.testing.assert_array_equal(session.download(again, (8,), np.float32), np.full(8, 7))
    assert session.taken_bytes == taken + 32 + 64


def test_a_buffer_in_use_is_nobody_elses(session: Session) -> None:
    leases = [session.upload(np.full(16, i, np.float32)) for i in range(5)]
    for i, lease in enumerate(leases):
        np.testing.assert_array_equal(session.download(lease, (16,), np.float32), np.full(16, i))


@pytest.mark.parametrize("size_bytes", [1, 15, 16, 17, 4 * MEGABYTE + 5])
def test_a_new_buffer_begins_as_zeros_where_that_is_asked(session: Session, size_bytes: int) -> None:
    found = session.download(session.take("spectra", size_bytes, zeroed=True), (size_bytes,), np.uint8)
    assert not found.any()


def test_a_cleared_buffer_is_zero(session: Session) -> None:
    lease = session.upload(np.ones(1234, np.float32))
    session.clear(lease)
    assert not session.download(lease, (1234,), np.float32).any()


def test_more_than_the_cap_is_refused_in_one_line(cpu_device: Device) -> None:
    session = Session(cpu_device, 3 * MEGABYTE)
    held = session.take("volume values", 2 * MEGABYTE)
    with pytest.raises(DeviceMemoryError) as caught:
        session.take("matrices", 1500 * 1000)
    text = str(caught.value)
    assert "\n" not in text
    assert all(words in text for words in (cpu_device.name, "matrices", "fewer frames"))
    assert session.taken_bytes == held.buffer.size == session.peak_bytes


def test_unused_buffers_make_room_before_anything_is_refused(cpu_device: Device) -> None:
    session = Session(cpu_device, 3 * MEGABYTE)
    for size_bytes in (2_000_000, 2_500_000, 3_000_000, 1_000_000):
        lease = session.take("volume values", size_bytes)
        del lease
    assert session.taken_bytes <= 3 * MEGABYTE
    session.release_free()
    assert session.taken_bytes == 0
    assert session.peak_bytes == 3_000_000


def test_the_cap_is_never_above_what_the_device_has(cpu_device: Device) -> None:
    small = replace(cpu_device, memory_bytes=10 * MEGABYTE)
    assert Session(small, 50 * MEGABYTE).memory_bytes <= 10 * MEGABYTE
    with pytest.raises(DeviceMemoryError):
        Session(small, 50 * MEGABYTE).take("matrices", 11 * MEGABYTE)


def test_a_program_is_built_once_for_the_same_definitions(session: Session) -> None:
    first = session.kernels(("fields.cl",), {"WORK": 64})
    assert session.kernels(["fields.cl"], {"WORK": 64}) is first
    assert session.kernels(("fields.cl",), {"WORK": 128}) is not first


def test_kernels_take_leases_and_plain_values(session: Session) -> None:
    values = np.random.default_rng(13).random((2, 10), np.float32)
    first, second, result = session.upload(values), session.upload(values / 4), session.take("values", values.nbytes)
    difference = session.kernels(("fields.cl",), {"WORK": 64})["difference"]
    session.launch(difference, (64, 1), (64, 1), first, second, result, np.uint64(10))
    session.finish()
    np.testing.assert_array_equal(session.download(result, (2, 10), np.float32), values - values / 4)


def test_poison_is_there_until_a_kernel_writes(cpu_device: Device) -> None:
    """The tests of kernels rely on it."""
    session = PoisonedSession(cpu_device)
    for _ in range(2):
        lease = session.take("values", 64)
        assert np.isnan(session.download(lease, (16,), np.float32)).all()
        session.clear(lease)
        del lease
