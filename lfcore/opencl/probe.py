"""The probe, a process of its own: lists the OpenCL devices and tries each of them, for `lfcore.opencl.device`.

Arguments: selectors of devices to list but not to try. Output: two lines of JSON a device, first what it is, then why
it is refused, or null. Where the process dies or hangs, the last line tells at which device.
"""

import json
import os
import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import TextIO

import numpy as np
import pyopencl

from lfcore.errors import LfcoreError
from lfcore.opencl.device import Device
from lfcore.opencl.program import ADVICE, build, kernels

ITEMS = 256
ITEMS_PER_GROUP = 32
# A device that claims to be everything is a processor.
KINDS = {pyopencl.device_type.CPU: "cpu", pyopencl.device_type.GPU: "gpu"}
SIMULATORS = ("Oclgrind",)


def main() -> None:
    """Write the report to stdout, which is kept from drivers that are talkative there."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as report:
        os.dup2(2, 1)
        list_devices(report, sys.argv[1:])
    # Some drivers crash when a process that used them ends.
    os._exit(0)


def list_devices(report: TextIO, skip: Collection[str]) -> None:
    """Write what there is, and what came of trying it, to ``report``."""
    for selector, handle in _handles():
        device = describe(selector, handle)
        print(json.dumps({"device": asdict(device)}), file=report, flush=True)
        print(json.dumps({"refused": None if selector in skip else refusal(device)}), file=report, flush=True)


def describe(selector: str, handle: pyopencl.Device) -> Device:
    """The facts of a device."""
    is_nvidia = "cl_nv_device_attribute_query" in handle.extensions.split()
    return Device(
        selector=selector,
        platform=handle.platform.name.strip(),
        name=handle.name.strip(),
        vendor=handle.vendor.strip(),
        driver=handle.driver_version.strip(),
        kind=next((kind for flag, kind in KINDS.items() if handle.type & flag), "accelerator"),
        memory_bytes=handle.global_mem_size,
        largest_allocation_bytes=handle.max_mem_alloc_size,
        local_bytes=handle.local_mem_size,
        compute_units=handle.max_compute_units,
        has_matrix_units=is_nvidia and handle.compute_capability_major_nv >= 8,
    )


def refusal(device: Device) -> str | None:
    """Why a device cannot be used, found by building and running a kernel on it; None where it can."""
    if device.platform in SIMULATORS:
        return "a simulator, for tests of kernels only"
    try:
        right = np.array_equal(*probe_result(device))
    except LfcoreError as error:
        return str(error).removeprefix(f"{device}: ").removesuffix(ADVICE)
    except pyopencl.Error as error:
        return " ".join(f"fails with {error}".split())
    return None if right else "computes wrong numbers"


def probe_result(device: Device) -> tuple[np.ndarray, np.ndarray]:
    """What the device makes of the probe kernel, and what is right."""
    context = device.context()
    kernel = kernels(build(context, device, ["probe.cl"], {"GROUP": ITEMS_PER_GROUP}))["probe"]
    given = np.arange(ITEMS, dtype=np.float16)
    flags = pyopencl.mem_flags
    there = pyopencl.Buffer(context, flags.READ_ONLY | flags.COPY_HOST_PTR, hostbuf=given)
    back = pyopencl.Buffer(context, flags.WRITE_ONLY, 4 * ITEMS)
    result = np.full(ITEMS, np.nan, np.float32)
    with pyopencl.CommandQueue(context) as queue:
        kernel(queue, (ITEMS,), (ITEMS_PER_GROUP,), there, back)
        pyopencl.enqueue_copy(queue, result, back)
    reversed_in_groups = given.astype(np.float32).reshape(-1, ITEMS_PER_GROUP)[:, ::-1].ravel()
    return result, 2 * reversed_in_groups + np.arange(ITEMS)


def _handles() -> Iterator[tuple[str, pyopencl.Device]]:
    try:
        platforms = pyopencl.get_platforms()
    except pyopencl.LogicError:
        # So does a loader say that there is no platform at all.
        return
    for platform_index, platform in enumerate(platforms):
        try:
            handles = platform.get_devices()
        except pyopencl.Error as error:
            print(f"{platform.name}: lists no devices, {error}", file=sys.stderr)
            continue
        for device_index, handle in enumerate(handles):
            yield f"{platform_index}:{device_index}", handle


if __name__ == "__main__":
    main()
