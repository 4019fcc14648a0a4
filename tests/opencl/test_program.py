import logging

import numpy as np
import pyopencl
import pytest

from lfcore.errors import KernelBuildError
from lfcore.opencl import program
from lfcore.opencl.device import Device
from lfcore.opencl.program import build, first_complaint, kernels, literal


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Kernel files that stand in for those of the package."""
    texts: dict[str, str] = {}

    class Folder:
        def joinpath(self, name: str) -> "Folder":
            self.name = name
            return self

        def read_text(self, encoding: str) -> str:
            return texts[self.name]

    monkeypatch.setattr(program.resources, "files", lambda package: Folder())
    return texts


def run(device: Device, kernel: pyopencl.Kernel, items: int) -> np.ndarray:
    result = np.zeros(items, np.float32)
    back = pyopencl.Buffer(device.context(), pyopencl.mem_flags.WRITE_ONLY, result.nbytes)
    with pyopencl.CommandQueue(device.context()) as queue:
        kernel(queue, (items,), None, back)
        pyopencl.enqueue_copy(queue, result, back)
    return result


def test_files_and_definitions_make_a_program(cpu_device: Device, files: dict[str, str]) -> None:
    files["a.cl"] = "float scaled(float x) { return x * SCALE; }"
    files["b.cl"] = "kernel void fill(global float *out) { out[get_global_id(0)] = scaled(COUNT) + OFFSET; }"
    built = build(cpu_device.context(), cpu_device, ["a.cl", "b.cl"], {"SCALE": 0.1, "COUNT": 7, "OFFSET": "(SCALE+1)"})
    expected = np.float32(0.1) * np.float32(7) + (np.float32(0.1) + np.float32(1))
    np.testing.assert_allclose(run(cpu_device, kernels(built)["fill"], 3), [expected] * 3, rtol=1e-6)


def test_a_refused_kernel_is_named_with_its_line_and_the_device(
    cpu_device: Device, files: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    files["good.cl"] = "float half_of(float x)\n{\n    return x / 2;\n}\n"
    files["bad.cl"] = "// first\nkernel void f(global float *out)\n{\n    out[0] = half_of(missing);\n}\n"
    with caplog.at_level(logging.DEBUG), pytest.raises(KernelBuildError) as caught:
        build(cpu_device.context(), cpu_device, ["good.cl", "bad.cl"], {})
    text = str(caught.value)
    assert cpu_device.name in text
    assert "bad.cl:4: use of undeclared identifier 'missing'" in text
    assert "\n" not in text
    assert caught.value.exit_code == 69
    assert any("bad.cl:4:" in record.getMessage() and record.levelno == logging.DEBUG for record in caplog.records)


def test_an_unknown_option_is_a_refusal_too(cpu_device: Device, files: dict[str, str]) -> None:
    files["a.cl"] = "kernel void f(global float *out) { out[0] = 1; }"
    with pytest.raises(KernelBuildError, match=r"refuses a\.cl: .*-unheard-of"):
        build(cpu_device.context(), cpu_device, ["a.cl"], {}, ["-unheard-of"])


def test_options_replace_the_language_version(cpu_device: Device, files: dict[str, str]) -> None:
    files["a.cl"] = "kernel void f(global float *out) { out[0] = __OPENCL_C_VERSION__; }"
    [in_12] = run(cpu_device, kernels(build(cpu_device.context(), cpu_device, ["a.cl"], {}))["f"], 1)
    [in_30] = run(cpu_device, kernels(build(cpu_device.context(), cpu_device, ["a.cl"], {}, ["-cl-std=CL3.0"]))["f"], 1)
    assert (in_12, in_30) == (120, 300)


@pytest.mark.parametrize(
    ("log", "place", "message"),
    [
        ("error: b.cl:2:23: use of y\nerror: b.cl:5:9: expected ')'\nDevice x failed to build", "b.cl:2", "use of y"),
        ("error: a.cl:11:17 <Spelling=<command line>:6:17>: no type", "a.cl:11", "no type"),
        ("warning: a.cl:1:1: unused\nerror: b.cl:9:3: no such type", "b.cl:9", "no such type"),
        (
            "<kernel>:551:3: error: use of cp\n   PUT(block)\n   ^\n<kernel>:552:25: note: here",
            "<kernel>:551",
            "use of cp",
        ),
        ("/tmp/x-1/b.cl:3:5: fatal error: 'a.h' file not found", "/tmp/x-1/b.cl:3", "'a.h' file not found"),
        ("b.cl:7: error: too few arguments", "b.cl:7", "too few arguments"),
        (
            "\nptxas error   : Entry function 'product' uses too much shared data (0x10000 bytes, 0xc000 max)\n",
            "",
            "ptxas error : Entry function 'product' uses too much shared data (0x10000 bytes, 0xc000 max)",
        ),
        (
            "Error(s) while linking: \nCannot find symbol _Z7missing\n",
            "",
            "Error(s) while linking: Cannot find symbol _Z7missing",
        ),
        ("\n\nunknown target CPU 'generic'\n", "", "unknown target CPU 'generic'"),
        ("", "", "no message"),
    ],
    ids=[
        "pocl",
        "pocl-macro",
        "pocl-warning-first",
        "nvidia",
        "amd",
        "no-column",
        "ptxas",
        "pocl-linker",
        "pocl-without-error",
        "empty",
    ],
)
def test_the_first_complaint_of_a_log(log: str, place: str, message: str) -> None:
    assert first_complaint(log) == (place, message)


@pytest.mark.parametrize(("value", "text"), [(3, "3"), (-1.5, "-1.5f"), (1e-7, "1e-07f"), ("(a+b)", "(a+b)")])
def test_literals(value: int | float | str, text: str) -> None:
    assert literal(value) == text


def test_kernels_of_a_program_are_made_once_and_found_by_name(cpu_device: Device, files: dict[str, str]) -> None:
    files["a.cl"] = "kernel void one(global float *x) { x[0] = 1; }\nkernel void two(global float *x) { x[0] = 2; }"
    found = kernels(build(cpu_device.context(), cpu_device, ["a.cl"], {}))
    assert sorted(found) == ["one", "two"]
    assert [run(cpu_device, found[name], 1)[0] for name in ("one", "two", "two")] == [1, 2, 2]
