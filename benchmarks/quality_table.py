"""The table of ``docs/quality.md`` from the lines of ``quality``: ``python -m benchmarks.quality_table LINES``."""

import json
import sys
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Line = dict[str, Any]
Floats = np.ndarray[Any, np.dtype[np.float64]]


def table(lines: Iterable[Line]) -> str:
    """Markdown, a row a solver and photon count; means over structures and seeds, root mean squares over beads."""
    lines = list(lines)
    kinds = list(dict.fromkeys(line["kind"] for line in lines))
    head = [
        "solver",
        "photons",
        *(f"NCC {kind}" for kind in kinds),
        "NCC",
        "PSNR, dB",
        "SSIM",
        "lattice index",
        "found",
        "z, y, x, um",
        "z, y, x, of the resolution",
        "residual",
        "s a frame",
    ]
    rows = [head, ["---"] * len(head)]
    for solver in dict.fromkeys(line["solver"] for line in lines):
        for photons in sorted({line["photons"] for line in lines}):
            some = [line for line in lines if (line["solver"], line["photons"]) == (solver, photons)]
            if some:
                rows.append([solver, f"{photons:,}", *_row(some, kinds)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _row(lines: list[Line], kinds: list[str]) -> list[str]:
    by_kind = [_mean([line for line in lines if line["kind"] == kind], "ncc") for kind in kinds]
    beads = [line for line in lines if line["kind"] == "beads"]
    errors = [np.array([e for line in beads for e in line[key]]) for key in ("error_um", "error_in_resolution")]
    return [
        *(f"{value:.3f}" for value in by_kind),
        f"{np.mean(by_kind):.3f}",
        f"{_mean(lines, 'psnr_db'):.1f}",
        f"{_mean(lines, 'ssim'):.3f}",
        f"{_mean(lines, 'lattice_index'):.1f}",
        f"{np.isfinite(errors[0][:, 0]).mean():.0%}",
        ", ".join(f"{value:.2f}" for value in _rms(errors[0])),
        ", ".join(f"{value:.2f}" for value in _rms(errors[1])),
        f"{_mean(lines, 'residual'):.3f}",
        f"{_mean(lines, 'seconds'):.1f}",
    ]


def by_depth(lines: Iterable[Line], photons: int, edges_um: tuple[float, ...]) -> str:
    """Markdown, a row a solver: beads' errors (z, y, x) in parts of the resolution, by distance from the native plane.

    ``edges_um`` part the distances.
    """
    ranges = list(pairwise(edges_um))
    head = ["solver", *(f"{low:g} to {high:g} um" for low, high in ranges)]
    rows = [head, ["---"] * len(head)]
    some = [line for line in lines if line["kind"] == "beads" and line["photons"] == photons]
    for solver in dict.fromkeys(line["solver"] for line in some):
        mine = [line for line in some if line["solver"] == solver]
        distance = np.abs([z_um for line in mine for z_um in line["z_um"]])
        errors = np.array([error for line in mine for error in line["error_in_resolution"]])
        parts = [errors[(distance >= low) & (distance < high)] for low, high in ranges]
        rows.append([solver, *(", ".join(f"{value:.2f}" for value in _rms(part)) for part in parts)])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _mean(lines: list[Line], key: str) -> float:
    return float(np.mean([line[key] for line in lines]))


def _rms(errors: Floats) -> Floats:
    """(3,) over the beads that were found."""
    return np.asarray(np.sqrt(np.nanmean(np.square(errors), axis=0)))


if __name__ == "__main__":
    read = [json.loads(line) for line in Path(sys.argv[1]).read_text().splitlines()]
    print(table(read), by_depth(read, 1000, (0, 2.5, 10, 25, 45, 56)), sep="\n\n")
