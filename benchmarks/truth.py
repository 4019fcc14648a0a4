"""A volume against a known truth: ``python benchmarks/truth.py RUN TRUTH.tif`` prints their cross-correlation.

It is normalised, means taken off. The truth (z, y, x) lies in the middle of the first volume, on the same voxels.
"""

import sys

import numpy as np
import tifffile

from lfcore.contracts import RunPaths
from lfcore.io import ome_zarr
from lfcore.simulation.compare import correlation

if __name__ == "__main__":
    run, truth_file = sys.argv[1:3]
    truth = tifffile.imread(truth_file).astype(np.float64)
    volume = ome_zarr.read_frame(RunPaths(run).ome_zarr, 0)
    start = [(outer - inner) // 2 for outer, inner in zip(volume.shape, truth.shape, strict=True)]
    inside = volume[tuple(slice(low, low + length) for low, length in zip(start, truth.shape, strict=True))]
    print(f"{correlation(inside, truth):.4f}")
