"""Devices: which ones are there, which of them really work, and which one the user wants.

OpenCL's list is not to be trusted: a platform may list a device and refuse every build, and a broken driver may hang or
crash whoever calls it. So a process of its own (`lfcore.opencl.probe`) lists the devices and tries each of them, once
for each process that asks.
"""

import functools
import importlib.util
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from lfcore.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    import pyopencl

LOG = logging.getLogger(__name__)
DEVICE_VARIABLE = "LFCORE_DEVICE"
MEMORY_VARIABLE = "LFCORE_DEVICE_MEMORY_GIB"
PROBE_COMMAND = (sys.executable, "-P", "-m", "lfcore.opencl.probe")
PROBE_TIMEOUT_S = 60.0
NVIDIA_IS_HERE = Path("/dev/nvidiactl")


@dataclass(frozen=True)
class Device:
    """An OpenCL device: facts only, so it may be sent to another process. Sizes are bytes.

    ``selector`` is ``platform:device`` as this machine counts them, ``kind`` is gpu, cpu or accelerator.
    ``has_matrix_units`` is known for NVIDIA only: compute capability 8.0 or more, which multiplies matrices in TF32.
    """

    selector: str
    platform: str
    name: str
    vendor: str
    driver: str
    kind: str
    memory_bytes: int
    largest_allocation_bytes: int
    local_bytes: int
    compute_units: int
    has_matrix_units: bool

    def __str__(self) -> str:
        return f"device {self.selector} ({self.name})"

    @property
    def handle(self) -> "pyopencl.Device":
        """The device as pyopencl knows it. Raises ``UnavailableError`` when it is there no more."""
        return _handle(self)

    def context(self) -> "pyopencl.Context":
        """The one context of this process on the device, so that all its buffers and programs go together."""
        return _context(self)


class Candidate(NamedTuple):
    """A device that a platform lists; ``refused`` says why it cannot be used, or is None where it can."""

    device: Device
    refused: str | None


def candidates() -> list[Candidate]:
    """Every device of every platform, each tried by building and running a kernel; found once a process."""
    return _survey()[0]


def absence() -> str:
    """Why OpenCL lists nothing, or not the NVIDIA GPU that is here; empty where nothing is missing."""
    found, trouble = _survey()
    if trouble:
        return trouble
    if NVIDIA_IS_HERE.exists() and not any("nvidia" in candidate.device.vendor.lower() for candidate in found):
        return (
            "an NVIDIA GPU is here but its OpenCL driver is not registered: "
            "/etc/OpenCL/vendors/nvidia.icd must hold the line libnvidia-opencl.so.1"
        )
    return "" if found else "no OpenCL driver is registered in /etc/OpenCL/vendors; install the one of the GPU"


def choose(wanted: str | None = None) -> list[Device]:
    """The devices to compute on, one worker each; none of them means the numpy back end.

    ``wanted`` (default: the environment's LFCORE_DEVICE, else ``auto``) is one word, or selectors and names in a list
    with commas:

    - ``auto``: the usable GPU or accelerator with the most memory, if there is one. Never a processor: BLAS is faster.
    - ``numpy``: none.
    - ``opencl``: as ``auto``, or else a processor; one must be there.
    - ``all``: every usable GPU and accelerator; one must be there.
    - ``0:1``: the device with this selector.
    - anything else: the first usable device with this in the names of itself and its platform, in any case.

    Raises ``UnavailableError`` when a device that was demanded is not there or does not work.
    """
    wanted = (wanted or os.environ.get(DEVICE_VARIABLE) or "auto").strip().lower()
    if wanted in _WORDS:
        devices = _WORDS[wanted]()
        if wanted == "auto" and not devices:
            _say_once(f"no usable GPU, computing with numpy: {_what_there_is()}")
        return devices
    parts = [part.strip() for part in wanted.split(",")]
    if not all(parts) or set(parts) & set(_WORDS):
        raise UsageError(
            f"device '{wanted}': give one of {', '.join(_WORDS)}, or selectors and names, for instance 0:0,0:1"
        )
    return list(dict.fromkeys(_demanded(part, _matching(part)) for part in parts))


def automatic() -> list[Device]:
    """What ``auto`` stands for: the best device that is no processor, or none."""
    return _usable(candidates(), processors=False)[:1]


def _any_device() -> list[Device]:
    return [_demanded("opencl", candidates())]


def _every_gpu() -> list[Device]:
    among = [candidate for candidate in candidates() if candidate.device.kind != "cpu"]
    _demanded("all", among)
    return _usable(among)


_WORDS: dict[str, Callable[[], list[Device]]] = {
    "auto": automatic,
    "numpy": list,
    "opencl": _any_device,
    "all": _every_gpu,
}


def _matching(part: str) -> list[Candidate]:
    exact = [candidate for candidate in candidates() if candidate.device.selector == part]
    return exact or [
        candidate
        for candidate in candidates()
        if part in f"{candidate.device.platform} {candidate.device.name}".lower()
    ]


def _demanded(wanted: str, among: Sequence[Candidate]) -> Device:
    usable = _usable(among)
    if not usable:
        raise UnavailableError(
            f"device '{wanted}': no such usable device; {_what_there_is()}; "
            "'lfcore doctor' lists devices, and --device numpy needs none"
        )
    return usable[0]


def _usable(among: Sequence[Candidate], processors: bool = True) -> list[Device]:
    """Those that work, processors last, those with the most memory first."""
    devices = [device for device, refused in among if refused is None and (processors or device.kind != "cpu")]
    return sorted(devices, key=lambda device: (device.kind == "cpu", -device.memory_bytes))


def _what_there_is() -> str:
    found = [
        f"{device.selector} {device.name}: {refused or f'usable {device.kind}'}" for device, refused in candidates()
    ]
    return "; ".join([*found, *filter(None, [absence()])])


def usable_bytes(device: Device) -> int:
    """The device's memory, or as much of it as the environment's LFCORE_DEVICE_MEMORY_GIB allows.

    Raises ``UsageError`` when that is no number above zero.
    """
    allowed = os.environ.get(MEMORY_VARIABLE, "").strip()
    if not allowed:
        return device.memory_bytes
    try:
        cap_bytes = int(float(allowed) * 2**30)
    except (ValueError, OverflowError):
        cap_bytes = 0
    if cap_bytes <= 0:
        raise UsageError(f"{MEMORY_VARIABLE}={allowed}: give the GiB of a device's memory to use, for instance 7.5")
    return min(cap_bytes, device.memory_bytes)


@functools.cache
def _say_once(text: str) -> None:
    LOG.warning("%s", text)


@functools.cache
def _handle(device: Device) -> "pyopencl.Device":
    import pyopencl

    platform, index = map(int, device.selector.split(":"))
    try:
        handle = pyopencl.get_platforms()[platform].get_devices()[index]
    except (pyopencl.Error, IndexError) as error:
        raise UnavailableError(f"{device}: is there no more; 'lfcore doctor' lists what is") from error
    if handle.name.strip() != device.name:
        raise UnavailableError(f"{device}: is {handle.name.strip()} now; 'lfcore doctor' lists what is there")
    return handle


@functools.cache
def _context(device: Device) -> "pyopencl.Context":
    import pyopencl

    return pyopencl.Context([device.handle])


@functools.cache
def _survey() -> tuple[list[Candidate], str]:
    """All candidates, and what kept OpenCL from listing them."""
    if importlib.util.find_spec("pyopencl") is None:
        return [], "pyopencl is not installed; pip install 'lfcore[opencl]'"
    refused: dict[str, str] = {}
    while True:
        devices, verdicts, ending = _probe(list(refused))
        under_trial = devices[len(verdicts) :]
        if not under_trial:
            tried = zip(devices, verdicts, strict=True)
            found = [Candidate(device, refused.get(device.selector, verdict)) for device, verdict in tried]
            return found, ending and f"the list of OpenCL devices is not whole: {ending}"
        refused[under_trial[0].selector] = ending


def _probe(skip: Sequence[str]) -> tuple[list[Device], list[str | None], str]:
    """The devices that the probe named, its verdicts on all or all but the last, and how it ended if not well."""
    process = subprocess.Popen(
        [*PROBE_COMMAND, *skip], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        output, errors = process.communicate(timeout=PROBE_TIMEOUT_S)
        last_words = errors.decode(errors="replace").strip().rpartition("\n")[2]
        code = f"the driver ended its process, code {process.returncode}" if process.returncode else ""
        ending = f"{code}: {last_words}" if code and last_words else code
    except subprocess.TimeoutExpired as expired:
        process.kill()
        # A process that hangs inside a driver may not even die.
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
        output, errors = expired.output or b"", expired.stderr or b""
        ending = f"the driver did not answer within {PROBE_TIMEOUT_S:g} s"
    LOG.debug("probe: %s", errors.decode(errors="replace"))
    said = [json.loads(line) for line in output.splitlines()]
    devices = [Device(**line["device"]) for line in said if "device" in line]
    return devices, [line["refused"] for line in said if "refused" in line], ending
