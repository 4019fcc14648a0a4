"""Bench: its figures on small cases, its floors against sums done by hand, and what it may import."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lfcore.errors import UsageError
from lfcore.opencl import ceilings as ceilings_of
from lfcore.opencl.device import Device
from lfcore.opencl.session import Session
from lfcore.projection.matrix_layout import MatrixLayout
from lfcore.projection.quads import quad_order
from lfcore.projection.roofline import Ceilings, IterationWork, Work, floor_seconds
from lfcore.projection.tiling import tiling
from lfcore.stages.bench import Bench, commit, run_bench
from lfcore.stages.bench_cases import DEVICE_CASES, HOST_CASES, choose_cases
from lfcore.stages.bench_timing import Figure

MEMORY_BYTES = 2**29
ROUND = Ceilings(copy_rate=1e9, float_rate=1e10, matrix_rate=1e12, to_device_rate=1e8, to_host_rate=2e8)
NOT_NEEDED = ("imagecodecs", "zarr", "yaozarrs", "upath", "fsspec", "s3fs", "matplotlib", "boto3")
UNDER_A_BLOCK = f"""
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {NOT_NEEDED!r}:
            raise ImportError(f"{{name}} is not to be imported")

sys.meta_path.insert(0, Blocker())
from lfcore.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def figures_of(bench: Bench, history: Path | None = None, ceilings: Ceilings = ROUND) -> list[Figure]:
    found: list[Figure] = []
    run_bench(bench, history, found.append, bench.machine(), ceilings)
    return found


def operator(tiles: tuple[int, int] = (1, 1), frames: int = 3) -> IterationWork:
    """5 planes of S = 3 before N = 4, 10 x 10 lenslets and a blur of 2: a grid of 16 x 16, or tiles of 10 x 10."""
    grids = tiling(10, 10, (2, 2), 2**16, *tiles)
    assert grids is not None
    return IterationWork(MatrixLayout(grids, quad_order((3, 3)), quad_order((4, 4)), 5, half=True), frames, True)


def test_tiny_cases_on_a_device(cpu_device: Device, tmp_path: Path) -> None:
    bench = Bench(cpu_device, choose_cases(("tiny",), on_device=True), 2, MEMORY_BYTES)
    history = tmp_path / "history.jsonl"
    history.write_text('{"case": "earlier"}\n')
    figures = figures_of(bench, history)
    names = ["tiny-setup cold", "tiny-setup warm", "tiny-alone", "tiny-series", "tiny-iteration"]
    assert [figure.case for figure in figures] == names
    times = {figure.case: figure.median_ms for figure in figures}
    assert times["tiny-setup cold"] > times["tiny-setup warm"] > 0
    assert times["tiny-series"] > times["tiny-iteration"] > 0
    lines = [json.loads(line) for line in history.read_text().splitlines()]
    assert [line["case"] for line in lines] == ["earlier", *names]
    for line, figure in zip(lines[1:], figures, strict=True):
        assert line["device"] == cpu_device.name
        assert line["ceilings"]["copy_rate"] == ROUND.copy_rate
        assert line["median_ms"] == pytest.approx(figure.median_ms, rel=1e-3)
        assert line["share"] == pytest.approx(line["floor_ms"] / line["median_ms"], rel=1e-2)
        assert line["floor_ms"] == pytest.approx(sum(line["kernel_floors_ms"].values()), rel=1e-2)


def test_tiny_case_with_numpy() -> None:
    figures = figures_of(Bench(None, choose_cases(("tiny",), on_device=False), 2, None))
    assert [figure.case.rpartition(" ")[2] for figure in figures] == [
        *("forward", "adjoint", "iteration"),
        *("kernels", "matrices"),
    ]
    forward, adjoint, iteration = figures[:3]
    assert forward.floor_ms == adjoint.floor_ms
    assert iteration.floor_ms == pytest.approx(2 * (forward.floor_ms or 0))
    assert all(figure.median_ms > 0 for figure in figures)


def test_measured_ceilings_of_a_device(cpu_device: Device) -> None:
    session = Session(cpu_device, MEMORY_BYTES)
    rates = [
        ceilings_of.copy_rate(session),
        ceilings_of.float_rate(session),
        ceilings_of.to_device_rate(session),
        ceilings_of.to_host_rate(session),
    ]
    # Any processor of this century moves more than 50 MB and computes more than 50 MFLOP a second, none a petaflop.
    assert all(5e7 < rate < 1e15 for rate in rates), rates
    assert 1e4 < ceilings_of.matrix_rate(session, ptx=False) < rates[1]


def test_a_kernel_takes_the_longer_of_moving_and_computing() -> None:
    assert Work("moves", 1e9, 1e9).seconds(ROUND) == pytest.approx(1.0)
    assert Work("computes", 1e6, 1e10).seconds(ROUND) == pytest.approx(1.0)
    assert Work("multiplies", 1e6, 1e12, on_matrix_units=True).seconds(ROUND) == pytest.approx(1.0)
    without = Ceilings(copy_rate=1e9, float_rate=1e10)
    assert Work("multiplies", 1e6, 1e12, on_matrix_units=True).seconds(without) == pytest.approx(100.0)
    assert floor_seconds([Work("moves", 1e9, 0), Work("computes", 0, 2e10)], ROUND) == pytest.approx(3.0)


def test_work_of_a_fused_iteration() -> None:
    work = operator()
    grid, channels, pixels, frames = 16, 5 * 9, 16, 3
    assert work.layout.tiling.plane.y.points == grid
    product, image_step, transposed, volume_step = work.iteration()
    # A frame's spectrum has as many numbers as its grid; every one meets every element of a matrix once.
    useful = 2 * channels * pixels * grid**2 * frames
    assert product.operations == transposed.operations == useful
    assert product.moved_bytes == transposed.moved_bytes
    # Padding and pieces that serve both members of a mirror line can only add to the bytes.
    assert product.moved_bytes > work.layout.size_bytes + 4 * frames * grid**2 * (channels + pixels)
    assert volume_step.moved_bytes > 4 * channels * (2 * frames * grid**2 + (2 * frames + 1) * 14 * 14)
    assert image_step.moved_bytes > 4 * pixels * (2 * frames * grid**2 + (frames + 1) * 10 * 10)
    assert image_step.operations == pytest.approx(2 * frames * pixels * 2.5 * 256 * 8)
    assert volume_step.operations == pytest.approx(2 * frames * channels * 2.5 * 256 * 8)


def test_tiles_need_transforms_of_their_own() -> None:
    work = operator((2, 2))
    names = [kernel.name for kernel in work.iteration()]
    assert names == [
        *("volume to spectrum", "forward product", "image step"),
        *("image to spectrum", "transposed product", "volume step"),
    ]
    assert work.columns == 4 * work.frames


def test_names_of_cases_are_unique_and_groups_select() -> None:
    for cases in (DEVICE_CASES, HOST_CASES):
        assert len({case.name for case in cases}) == len(cases)
    everything = choose_cases((), on_device=True)
    assert {case.group for case in everything} == {"f", "p"}
    assert [case.name for case in choose_cases(("p-iteration", "f-frame"), on_device=True)] == [
        "f-frame",
        "p-iteration",
    ]
    with pytest.raises(UsageError, match="--case f: no case for the processor; there are "):
        choose_cases(("f",), on_device=False)


def test_commit_of_a_folder_outside_any_checkout(tmp_path: Path) -> None:
    assert commit(tmp_path) == {"commit": None, "dirty": None}


def test_commit_of_a_checkout(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(tmp_path), *identity, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init")
    git("commit", "--allow-empty", "-m", "first")
    assert commit(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "new").touch()
    assert commit(tmp_path)["dirty"] is True


@pytest.mark.parametrize("device", ["numpy", "device"])
def test_bench_imports_no_library_of_files(device: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """A machine that only measures needs none of them."""
    selector = device if device == "numpy" else request.getfixturevalue("cpu_device").selector
    arguments = ["bench", "--device", selector, "--case", "tiny", "--repeat", "1", "--memory-gib", "0.5", "--json"]
    command = [sys.executable, "-c", UNDER_A_BLOCK, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 5
    assert all(line["median_ms"] > 0 for line in lines)
    assert not list(tmp_path.iterdir())


def test_the_machine_is_named(cpu_device: Device) -> None:
    on_device, on_processor = (Bench(device, [], 1, None).machine() for device in (cpu_device, None))
    assert (on_device["device"], on_device["driver"]) == (cpu_device.name, cpu_device.driver)
    assert on_processor["driver"] == f"numpy {np.__version__}"
    assert re.fullmatch(r".+, [1-9][0-9]* cores", on_processor["device"])
