"""Which devices are found, which are refused and why, and which one a wish leads to."""

import json
import pickle
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from lfcore.errors import UnavailableError, UsageError
from lfcore.opencl import device as module
from lfcore.opencl import probe as probe_module
from lfcore.opencl import program
from lfcore.opencl.device import Device, absence, candidates, choose

Listing = Callable[..., None]


def made_up(selector: str, name: str, kind: str = "gpu", memory_gb: int = 8, platform: str = "NVIDIA CUDA") -> Device:
    vendor = "NVIDIA Corporation" if "NVIDIA" in platform else "someone"
    return Device(selector, platform, name, vendor, "1.0", kind, memory_gb << 30, memory_gb << 28, 49152, 10, False)


SMALL = made_up("0:0", "Quadro P400", memory_gb=2)
LARGE = made_up("0:1", "NVIDIA H200", memory_gb=140)
HUGE_CPU = made_up("1:0", "pthread-something", "cpu", 500, "Portable Computing Language")
BROKEN_TWIN = made_up("2:0", "pthread-something", "cpu", 500, "Portable Computing Language")
CARD = made_up("3:0", "Numbers 9", "accelerator", 16, "Fast Cards")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test finds the devices anew and is asked for none."""
    monkeypatch.delenv(module.DEVICE_VARIABLE, raising=False)
    monkeypatch.setattr(module, "NVIDIA_IS_HERE", Path("/nonexistent"))
    found = module._survey
    found.cache_clear()
    module._say_once.cache_clear()
    yield
    found.cache_clear()


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """A function that puts a script in the probe's place; it may call ``show(device)`` and ``judge(refused)``."""

    def replace(script: str) -> None:
        head = (
            "import json, os, sys, time\n"
            "def show(facts): print(json.dumps({'device': facts}), flush=True)\n"
            "def judge(refused): print(json.dumps({'refused': refused}), flush=True)\n"
        )
        monkeypatch.setattr(module, "PROBE_COMMAND", (sys.executable, "-c", head + script))

    return replace


@pytest.fixture
def listing(probe: Callable[[str], None]) -> Listing:
    """A function that makes the probe find these devices, refused for the reasons given by selector."""

    def find(*devices: Device, refused: dict[str, str] | None = None) -> None:
        probe(
            "".join(
                f"show({asdict(device)!r}); judge({(refused or {}).get(device.selector)!r})\n" for device in devices
            )
        )

    return find


def selectors(wanted: str | None) -> list[str]:
    return [device.selector for device in choose(wanted)]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, ["0:1"]),
        ("auto", ["0:1"]),
        ("numpy", []),
        ("opencl", ["0:1"]),
        ("all", ["0:1", "3:0", "0:0"]),
        ("0:0", ["0:0"]),
        ("1:0", ["1:0"]),
        ("h200", ["0:1"]),
        ("nvidia", ["0:1"]),
        ("Portable Computing", ["1:0"]),
        ("0:0, H200 ,0:0", ["0:0", "0:1"]),
    ],
)
def test_a_wish_leads_to_devices(wanted: str | None, expected: list[str], listing: Listing) -> None:
    listing(SMALL, LARGE, HUGE_CPU, BROKEN_TWIN, CARD, refused={"2:0": "unknown target CPU 'generic'"})
    assert selectors(wanted) == expected


def test_the_environment_is_asked_where_no_flag_is_given(listing: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    listing(SMALL, LARGE)
    monkeypatch.setenv(module.DEVICE_VARIABLE, "p400")
    assert (selectors(None), selectors("0:1")) == (["0:0"], ["0:1"])


def test_a_processor_is_used_only_when_demanded(
    listing: Listing, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing(HUGE_CPU)
    assert [selectors("auto"), selectors("auto"), selectors("opencl")] == [[], [], ["1:0"]]
    [said] = [record.getMessage() for record in caplog.records]
    assert said == "no usable GPU, computing with numpy: 1:0 pthread-something: usable cpu"
    with pytest.raises(UnavailableError, match="device 'all': no such usable device; 1:0 pthread-something: usable"):
        choose("all")


@pytest.mark.parametrize("wanted", ["opencl", "all", "0:1", "h200", "0:0"])
def test_a_demand_that_cannot_be_met_says_what_was_found(wanted: str, listing: Listing) -> None:
    listing(SMALL, refused={"0:0": "computes wrong numbers"})
    with pytest.raises(UnavailableError) as caught:
        choose(wanted)
    assert str(caught.value) == (
        f"device '{wanted}': no such usable device; 0:0 Quadro P400: computes wrong numbers; "
        "'lfcore doctor' lists devices, and --device numpy needs none"
    )
    assert caught.value.exit_code == 69


@pytest.mark.parametrize("wanted", ["numpy,0:0", "0:0,,0:1", "auto,h200"])
def test_a_wish_that_makes_no_sense_is_wrong_usage(wanted: str, listing: Listing) -> None:
    listing(SMALL, LARGE)
    with pytest.raises(UsageError, match="give one of auto, numpy, opencl, all, or selectors and names"):
        choose(wanted)


@pytest.mark.parametrize(
    ("death", "reason"),
    [
        ("sys.exit('no\\nlinker')", "the driver ended its process, code 1: linker"),
        ("os._exit(3)", "the driver ended its process, code 3"),
        ("time.sleep(60)", "the driver did not answer within 0.5 s"),
    ],
)
def test_a_driver_that_kills_or_hangs_its_process_is_refused_and_the_others_are_tried(
    death: str, reason: str, probe: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROBE_TIMEOUT_S", 0.5)
    probe(
        f"show({asdict(SMALL)!r})\n"
        f"if '0:0' not in sys.argv: {death}\n"
        f"judge(None); show({asdict(LARGE)!r}); judge('no'); show({asdict(CARD)!r}); judge(None)"
    )
    assert candidates() == [(SMALL, reason), (LARGE, "no"), (CARD, None)]
    assert selectors("auto") == ["3:0"]
    assert absence() == ""


def test_a_driver_that_dies_while_listing_is_said_and_what_it_said_before_counts(
    probe: Callable[[str], None],
) -> None:
    probe(f"show({asdict(SMALL)!r}); judge(None); os.kill(os.getpid(), 6)")
    assert candidates() == [(SMALL, None)]
    assert absence() == ("the list of OpenCL devices is not whole: the driver ended its process, code -6")
    with pytest.raises(UnavailableError, match="Quadro P400: usable gpu; the list of OpenCL devices is not whole"):
        choose("h200")


def test_nothing_at_all(listing: Listing, caplog: pytest.LogCaptureFixture) -> None:
    listing()
    reason = "no OpenCL driver is registered in /etc/OpenCL/vendors; install the one of the GPU"
    assert (choose("auto"), absence()) == ([], reason)
    assert reason in caplog.text
    with pytest.raises(UnavailableError, match=reason):
        choose("opencl")


def test_an_nvidia_gpu_whose_driver_is_not_registered_is_told_apart(
    listing: Listing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "NVIDIA_IS_HERE", tmp_path)
    listing(HUGE_CPU)
    assert "/etc/OpenCL/vendors/nvidia.icd must hold the line libnvidia-opencl.so.1" in absence()
    module._survey.cache_clear()
    listing(SMALL)
    assert absence() == ""


def test_without_pyopencl_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(module, "PROBE_COMMAND", ("/nonexistent",))
    assert (candidates(), absence()) == ([], "pyopencl is not installed; pip install 'lfcore[opencl]'")


def test_the_pocl_device_passes_the_real_probe(cpu_device: Device) -> None:
    assert (cpu_device.kind, cpu_device.has_matrix_units) == ("cpu", False)
    assert cpu_device in [device for device, refused in candidates() if refused is None]
    handle = cpu_device.handle
    assert (handle.name, handle.max_compute_units) == (cpu_device.name, cpu_device.compute_units)
    assert cpu_device.context() is cpu_device.context()
    assert pickle.loads(pickle.dumps(cpu_device)) == cpu_device
    assert json.loads(json.dumps(asdict(cpu_device))) == asdict(cpu_device)


def test_a_real_device_that_refuses_every_build(cpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    # The environment reaches the real probe, and the real compiler then fails on every source.
    monkeypatch.setenv("PYOPENCL_BUILD_OPTIONS", "-Dscratch=7")
    assert dict(candidates())[cpu_device] == ("its compiler refuses probe.cl:11: expected identifier or '('")
    with pytest.raises(UnavailableError, match=r"probe\.cl:11"):
        choose("opencl")


def test_a_device_that_computes_wrong_numbers_is_refused(cpu_device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "kernel void probe(global const half *in, global float *out) { out[get_global_id(0)] = 1; }"
    assert probe_module.refusal(cpu_device) is None
    monkeypatch.setattr(program, "source", lambda files: wrong)
    assert probe_module.refusal(cpu_device) == "computes wrong numbers"


def test_a_real_driver_that_aborts_at_its_first_kernel(
    cpu_device: Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # PoCL calls the system's linker, and aborts the process where there is none.
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("POCL_CACHE_DIR", str(tmp_path / "empty"))
    assert dict(candidates())[cpu_device] == (
        "the driver ended its process, code -6: Final linking of kernel probe failed."
    )


def test_a_simulator_is_never_used() -> None:
    assert (
        probe_module.refusal(made_up("0:0", "Oclgrind Simulator", platform="Oclgrind"))
        == "a simulator, for tests of kernels only"
    )


def test_a_machine_without_drivers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OCL_ICD_VENDORS", str(tmp_path / "nowhere"))
    assert (candidates(), choose("auto")) == ([], [])
    assert "no OpenCL driver is registered" in absence()


def test_a_device_that_has_gone_or_changed_is_not_used(cpu_device: Device) -> None:
    with pytest.raises(UnavailableError, match=r"device 7:3 \(Numbers 9\): is there no more"):
        made_up("7:3", "Numbers 9").handle  # noqa: B018  # the access is the test
    with pytest.raises(UnavailableError, match=f"is {cpu_device.name.partition('(')[0]}"):
        made_up(cpu_device.selector, "Numbers 9").handle  # noqa: B018  # the access is the test
