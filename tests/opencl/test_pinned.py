import gc

import numpy as np

from lfcore.opencl.device import Device
from lfcore.opencl.session import Session


def test_memory_is_lent_again_only_when_the_last_view_of_it_is_gone(cpu_device: Device) -> None:
    pinned = Session(cpu_device).pinned
    first = pinned.array((3, 4))
    first[:] = 1
    view = first[1:].T
    del first
    gc.collect()
    second = pinned.array((3, 4))
    second[:] = 2
    np.testing.assert_array_equal(view, 1)
    place = view.ctypes.data - 4 * 4
    del view
    gc.collect()
    assert pinned.array((3, 4)).ctypes.data == place
    assert second.ctypes.data != place


def test_what_was_fetched_stays_when_more_is_fetched(cpu_device: Device) -> None:
    session = Session(cpu_device)
    values = [np.random.default_rng(seed).random((2, 5), np.float32) for seed in range(4)]
    waits = [session.fetch(session.upload(value), value.shape) for value in values]
    for fetched, value in zip([wait() for wait in waits], values, strict=True):
        np.testing.assert_array_equal(fetched, value)
