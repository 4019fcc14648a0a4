"""Programs: kernel sources put together, built for a device, and explained in one line where they are refused."""

import logging
import re
import warnings
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import NamedTuple

import pyopencl

from lfcore.errors import KernelBuildError
from lfcore.opencl.device import Device
from lfcore.opencl.faults import running

LOG = logging.getLogger(__name__)
OPENCL_C_1_2 = ("-cl-std=CL1.2",)

ADVICE = "; choose another device, or --device numpy"

_BUILD_FAILED = -11
_INVALID_OPTIONS = -43
_POCL_STYLE = re.compile(
    r"^error: (?P<file>[^:\n]+):(?P<line>\d+)(?::\d+)?(?: <Spelling=.*?\d>)?: *(?P<message>.+)$", re.MULTILINE
)
_CLANG_STYLE = re.compile(
    r"^(?P<file>[^:\n]+):(?P<line>\d+):(?:\d+:)? *(?:fatal )?error: *(?P<message>.+)$", re.MULTILINE
)
_PLACELESS = re.compile(r"^.*\berror\b.*?(?::[ \t]*\n.+)?$", re.MULTILINE | re.IGNORECASE)


class Complaint(NamedTuple):
    """The first error of a build log; ``place`` is ``name.cl:line``, or empty where the compiler named none."""

    place: str
    message: str


def build(
    context: pyopencl.Context,
    device: Device,
    files: Sequence[str],
    defines: Mapping[str, int | float | str],
    options: Sequence[str] = OPENCL_C_1_2,
) -> pyopencl.Program:
    """The program of the named files of ``lfcore/kernels``, concatenated in this order.

    ``defines`` become preprocessor definitions; a float becomes a single-precision literal; a text stands as it is,
    and has no spaces.

    Raises ``KernelBuildError`` when the compiler refuses it, ``TemporaryError`` when the device is lost meanwhile.
    """
    program = pyopencl.Program(context, source(files))
    definitions = [f"-D{name}={literal(value)}" for name, value in defines.items()]
    with running(device, f"building {', '.join(files)}"), warnings.catch_warnings():
        # Some compilers write a log for every program, and pyopencl warns of every log.
        warnings.simplefilter("ignore", pyopencl.CompilerWarning)
        try:
            program.build([*options, *definitions], [device.handle])
        except pyopencl.Error as error:
            if error.code not in (_BUILD_FAILED, _INVALID_OPTIONS):
                raise
            raise _refusal(device, files, str(error)) from error
    return program


def kernels(program: pyopencl.Program) -> dict[str, pyopencl.Kernel]:
    """The kernels of a program by name, to be made once: each access as an attribute makes a new one."""
    return {kernel.function_name: kernel for kernel in program.all_kernels()}


def source(files: Sequence[str]) -> str:
    """The named files of ``lfcore/kernels`` as one text in which compilers count the lines of each file anew."""
    folder = resources.files("lfcore.kernels")
    return "".join(f'#line 1 "{name}"\n{folder.joinpath(name).read_text(encoding="utf-8")}\n' for name in files)


def literal(value: int | float | str) -> str:
    """A value as OpenCL C writes it."""
    return f"{value!r}f" if isinstance(value, float) else str(int(value)) if isinstance(value, int) else value


def first_complaint(log: str) -> Complaint:
    """The first error in a build log, as PoCL, or clang and its relatives (NVIDIA, AMD, Intel), write it."""
    found = [match for style in (_POCL_STYLE, _CLANG_STYLE) for match in [style.search(log)] if match]
    if found:
        first = min(found, key=lambda match: match.start())
        return Complaint(f"{first['file']}:{first['line']}", first["message"].strip())
    # NVIDIA's assembler names no line: "ptxas error   : Entry function 'product' uses too much shared data".
    placeless = _PLACELESS.search(log)
    lines = log.split("\n")
    message = placeless[0] if placeless else next(filter(str.strip, lines), "no message")
    return Complaint("", " ".join(message.split()))


def _refusal(device: Device, files: Sequence[str], text: str) -> KernelBuildError:
    # pyopencl puts its own words before the compiler's, and the options after them.
    log = text.partition("Build on ")[2].partition("\n")[2].rpartition("\n(options: ")[0] or text
    LOG.debug("%s: build log of %s\n%s", device, ", ".join(files), log)
    complaint = first_complaint(log)
    place = complaint.place or ", ".join(files)
    return KernelBuildError(f"{device}: its compiler refuses {place}: {complaint.message}{ADVICE}")
