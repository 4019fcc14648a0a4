"""Bench: times of the work's main steps on this machine, each beside the least time that its ceilings allow."""

import datetime
import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lfcore
from lfcore.opencl.device import Device, choose
from lfcore.projection.roofline import Ceilings
from lfcore.stages import bench_host
from lfcore.stages.bench_cases import Case, choose_cases
from lfcore.stages.bench_timing import Figure

CPU_FACTS = Path("/proc/cpuinfo")
COMPILED_ANEW = {"CUDA_CACHE_DISABLE": "1", "PYOPENCL_NO_CACHE": "1"}
"""Caches of compiled kernels that outlive a process, which would make a cold start warm."""


@dataclass(frozen=True)
class Bench:
    """Cases on one machine; ``device`` None stands for numpy."""

    device: Device | None
    cases: list[Case]
    repeat: int
    memory_bytes: int | None

    @classmethod
    def of(cls, names: tuple[str, ...], repeat: int, memory_bytes: int | None) -> "Bench":
        """On the first device that the user wants (``lfcore.opencl.device.choose``).

        Raises ``UsageError`` for an unknown case, ``UnavailableError`` for a device that is not there.
        """
        device = next(iter(choose()), None)
        return cls(device, choose_cases(names, on_device=device is not None), repeat, memory_bytes)

    def ceilings(self) -> Ceilings:
        """Measured now."""
        if self.device is None:
            return bench_host.host_ceilings()
        os.environ.update(COMPILED_ANEW)
        from lfcore.stages.bench_device import device_ceilings

        return device_ceilings(self.device, self.memory_bytes)

    def figures(self, ceilings: Ceilings) -> Iterator[Figure]:
        """Case after case, as they are measured."""
        for case in self.cases:
            if self.device is None:
                yield from bench_host.measure(case, ceilings, self.repeat)
                continue
            from lfcore.stages import bench_device

            yield from bench_device.measure(case, ceilings, self.repeat, self.device, self.memory_bytes)

    def machine(self) -> dict[str, Any]:
        """What was measured: the commit, where that is known, the date, the device and its driver."""
        device = self.device
        return {
            **commit(Path(lfcore.__file__).parent),
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "lfcore": lfcore.__version__,
            "device": device.name if device else f"{processor()}, {os.cpu_count()} cores",
            "driver": device.driver if device else f"numpy {np.__version__}",
        }


def processor() -> str:
    """The processor's name as Linux tells it, or as much of it as other systems tell."""
    if CPU_FACTS.exists():
        for line in CPU_FACTS.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def commit(folder: Path) -> dict[str, Any]:
    """``commit`` and whether files differ from it (``dirty``), or None both where there is no git or no checkout."""
    git = shutil.which("git")
    if git is None:
        return {"commit": None, "dirty": None}

    def ask(*words: str) -> str | None:
        answer = subprocess.run([git, "-C", str(folder), *words], capture_output=True, text=True, check=False)
        return answer.stdout.strip() if answer.returncode == 0 else None

    head, changes = ask("rev-parse", "HEAD"), ask("status", "--porcelain")
    return {"commit": head, "dirty": None if changes is None else bool(changes)}


def run_bench(
    bench: Bench,
    history: Path | None,
    tell: Callable[[Figure], None],
    machine: dict[str, Any],
    ceilings: Ceilings,
) -> None:
    """Measure all cases, ``tell`` each figure as it comes and append it to the ``history``."""
    for figure in bench.figures(ceilings):
        tell(figure)
        if history is not None:
            with history.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line_of(machine, figure, ceilings)) + "\n")


def line_of(machine: dict[str, Any], figure: Figure, ceilings: Ceilings) -> dict[str, Any]:
    """A line of the history."""
    return {**machine, **figure.as_json(), "ceilings": asdict(ceilings)}
