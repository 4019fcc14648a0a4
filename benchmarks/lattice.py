"""How well lattices are found: ``python -m benchmarks.lattice [FRAMES [FIRST_SEED]]`` prints JSON.

Draws seeded random white frames of all kinds (square and hexagonal, 6 to 60 px, from 10 x 10 lenslets, turned up to 10
degrees, nominal pitch off by up to 10 %, dim corners, missing and dirty lenslets, saturated discs, 8 and 16 bits, 30 to
10,000 photons, a quarter of them bent) and says how many lattices were found and how far off these were, in px and
degrees and in units of what the photons allow (Cramer-Rao, everything but the lattice being known).
"""

import json
import math
import sys
import time
from dataclasses import asdict

import numpy as np

from benchmarks.white_frames import Kind, WhiteFrame
from lfcore.calibration.lattice import fit_lattice
from lfcore.errors import CalibrationError

LARGEST_PX = 300
TARGETS = {"pitch_px": 0.003, "rotation_deg": 0.003, "centres_px": 0.05}
POSSIBLE = 2.0
"""A target is possible on a frame when it is this many standard deviations of the bound or more."""


def random_kind(seed: int, largest_px: int = LARGEST_PX) -> tuple[Kind, float]:
    """One frame of all kinds, and its nominal pitch over the true one."""
    random = np.random.default_rng(seed)
    pitch_px = math.exp(random.uniform(math.log(6), math.log(60)))
    counts = random.uniform(10, max(10.01, min(40, largest_px / pitch_px)), 2)
    shape = (math.ceil((counts[0] + 1) * pitch_px), math.ceil((counts[1] + 1) * pitch_px))
    bent, reach = random.random() < 0.25, 0.5 * math.hypot(*shape)
    kind = Kind(
        shape=shape,
        pitch_px=pitch_px,
        rotation_deg=random.uniform(-10, 10),
        origin_px=(random.uniform(0, pitch_px), random.uniform(0, pitch_px)),
        lattice="hexagonal" if random.random() < 0.5 else "square",
        orientation="columns" if random.random() < 0.5 else "rows",
        disc=random.uniform(0.7, 0.98),
        softness_px=math.exp(random.uniform(math.log(0.5), math.log(max(0.6, 0.05 * pitch_px)))),
        corner_light=random.uniform(0.2, 1),
        missing=0.1 * (random.random() < 0.5),
        background=random.uniform(0, 0.2),
        photons=math.exp(random.uniform(math.log(30), math.log(10000))),
        bits=8 if random.random() < 0.5 else 16,
        exposure=float(random.choice([0.5, 0.9, 0.9, 1.1])),
        projective=(random.uniform(-0.01, 0.01), random.uniform(-0.01, 0.01)) if bent else (0.0, 0.0),
        radial=random.uniform(-2, 2) / reach if bent else 0.0,
        seed=seed,
    )
    return kind, random.uniform(0.9, 1.1)


def measured(kind: Kind, nominal: float) -> dict[str, float | bool]:
    """Errors of one frame's lattice, and what bounds them; ``found`` is False when there is none or a wrong kind."""
    frame = WhiteFrame(kind)
    image = frame.image
    start = time.process_time()
    try:
        fit = fit_lattice(image, nominal * kind.pitch_px)
    except CalibrationError as error:
        print(kind.seed, error, file=sys.stderr)
        return {"found": False}
    lattice = fit.calibration.lattice
    orientation = kind.orientation if kind.lattice == "hexagonal" else "rows"
    if (lattice.kind, lattice.orientation) != (kind.lattice, orientation):
        return {"found": False}
    errors = {
        "pitch_px": float(np.max(np.abs(np.array(lattice.pitch_px) - np.hypot(*frame.steps)))),
        "rotation_deg": abs(lattice.rotation_deg - kind.rotation_deg),
        "centres_px": float(np.sqrt(np.mean(frame.error_px(fit.centres[fit.on_grid]) ** 2))),
    }
    bounds = {f"bound_{name}": value for name, value in frame.bound().items()}
    return {"found": True, "seconds": time.process_time() - start, **errors, **bounds}


def summary(rows: list[dict[str, float | bool]]) -> dict[str, object]:
    """Counts, quantiles and the worst of all frames, and of those on which the photons allow the targets."""
    there = [row for row in rows if row["found"]]
    result: dict[str, object] = {"frames": len(rows), "found": len(there)}
    for name, target in TARGETS.items():
        error = np.array([row[name] for row in there])
        bound = np.array([row[f"bound_{name}"] for row in there])
        possible = bound * POSSIBLE <= target
        result[name] = {
            "quantiles_50_90_99": [round(float(q), 5) for q in np.quantile(error, (0.5, 0.9, 0.99))],
            "worst": round(float(error.max()), 5),
            "target": target,
            "share_within": round(float(np.mean(error <= target)), 4),
            "frames_where_possible": int(possible.sum()),
            "share_within_where_possible": round(float(np.mean(error[possible] <= target)), 4),
            "median_over_bound": round(float(np.median(error / bound)), 2),
        }
    return result


def main(frames: int = 200, first: int = 0) -> None:
    """Draw, measure, print: a line a frame on stderr, the summary on stdout."""
    rows = []
    for seed in range(first, first + frames):
        kind, nominal = random_kind(seed)
        row = measured(kind, nominal)
        print(json.dumps({"seed": seed, **row, "kind": asdict(kind)}), file=sys.stderr, flush=True)
        rows.append(row)
    print(json.dumps(summary(rows), indent=1))


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
