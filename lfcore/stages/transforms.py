"""Transforms: the kernels of every plane, kept where all runs with the same optics find them."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from lfcore.calibration.lattice import Calibration
from lfcore.contracts import RunPaths, Stage, WorkItem, join
from lfcore.errors import UsageError
from lfcore.io import store
from lfcore.opencl.device import choose
from lfcore.optics.instrument import Instrument, device_models
from lfcore.optics.measured import MeasuredImages
from lfcore.optics.psf import outer_ring_energy
from lfcore.projection.kernels import PlaneKernels, kernels_from_bytes, offsets_um
from lfcore.stages.grid import instrument_of
from lfcore.stages.measured import kernels_of, with_measured
from lfcore.stages.progress import Listener, silent
from lfcore.stages.record import RunRecord, read_run
from lfcore.stages.runner import Do, Outcome, Pulse, Record, current_record, planned_hashes, process, write_json

LOG = logging.getLogger(__name__)

KERNEL_FORMAT = 3
"""Raised when kernels of an earlier version are no longer right."""

OUTER_RING_TOLERANCE = 0.02
"""A plane's images with more of their light than this in the outermost cells have some beyond: said in the log."""


@dataclass(frozen=True)
class TransformStore:
    """Where the kernels of one instrument lie, by plane: ``<transforms>/<hash of the optics>/``."""

    root: str
    instrument: Instrument
    samples_per_lenslet: int
    measured: MeasuredImages | None = None

    @classmethod
    def of_run(cls, record: RunRecord, calibration: Calibration) -> Self:
        """The store that a run shares with all runs of the same optics."""
        modelled = instrument_of(record.settings, calibration)
        instrument, measured = with_measured(record.dataset, record.settings, modelled)
        root = join(record.transforms, f"{instrument.fingerprint()}-v{KERNEL_FORMAT}")
        return cls(root, instrument, record.settings.volume.samples_per_lenslet, measured)

    def path(self, z_um: float) -> str:
        """The file of one plane."""
        return join(self.root, f"z_{z_um:+.6f}_um_samples_{self.samples_per_lenslet}.npy")

    def read(self, z_um: float) -> PlaneKernels:
        """The kernels of one plane. Raises ``DataError`` for a file that is not a whole set of kernels."""
        path, cell = self.path(z_um), self.instrument.cell
        samples = cell.samples(self.samples_per_lenslet)
        return kernels_from_bytes(store.read_bytes(path), z_um, samples, cell.pixels, path, self.instrument.symmetry)

    def write(self, kernels: PlaneKernels) -> None:
        """Keep the kernels of one plane, and beside them what instrument they belong to."""
        about = join(self.root, "instrument.json")
        if not store.exists(about):
            write_json(about, self.instrument.to_json())
        store.write_bytes(self.path(kernels.z_um), kernels.to_bytes())


def run_items(run: RunPaths, items: Sequence[WorkItem], listener: Listener = silent) -> Outcome:
    """Compute the kernels of the planes of ``items`` that no run has computed yet."""

    def prepare(pulse: Pulse) -> Do:
        kept = TransformStore.of_run(read_run(run), read_calibration(run))
        compute = _kernels_of(kept)

        def do(item: WorkItem) -> Record:
            z_um = float(item["z_um"])
            path = kept.path(z_um)
            found = store.exists(path)
            kernels = kept.read(z_um) if found else compute(z_um)
            if not found:
                kept.write(kernels)
            outside = outer_ring_energy(kernels.images, kept.instrument)
            if outside > OUTER_RING_TOLERANCE:
                LOG.warning("plane %g um: %.1f %% of a point's light is at the edge of its window", z_um, 100 * outside)
            energies = {"energy_inside": kernels.energy_inside, "energy_in_outer_ring": outside}
            return {"outputs": [path], "reused": found} | {name: round(part, 5) for name, part in energies.items()}

        return do

    return process(run, Stage.TRANSFORMS, items, prepare, listener)


def _kernels_of(kept: TransformStore) -> Callable[[float], PlaneKernels]:
    """What computes the kernels of a plane, on the device that is wanted or with numpy; both agree to 1e-6."""
    instrument, devices = kept.instrument, choose() if kept.measured is None else []
    if devices and not device_models(instrument):
        LOG.info("numpy computes the point images of this microscope, which the device's kernels do not model")
    if not devices or not device_models(instrument):
        return kernels_of(instrument, kept.samples_per_lenslet, kept.measured)
    from lfcore.opencl.session import Session
    from lfcore.optics.opencl_psf import DevicePointImages

    points, cell, symmetry = DevicePointImages(Session(devices[0]), instrument), instrument.cell, instrument.symmetry
    samples = cell.samples(kept.samples_per_lenslet)
    offsets = offsets_um(instrument, samples)
    return lambda z_um: PlaneKernels(z_um, samples, cell.pixels, points.host_images(z_um, offsets), symmetry)


def read_calibration(run: RunPaths) -> Calibration:
    """The calibration of a run. Raises ``UsageError`` when the run has not been calibrated as it is planned now."""
    content = store.read_many([run.calibration_json])
    [(item_id, planned)] = planned_hashes(run, Stage.CALIBRATE).items()
    if not content or not current_record(run.done(Stage.CALIBRATE, item_id), planned):
        problem = "has not been calibrated as it is planned now"
        raise UsageError(f"{run.root}: {problem}; run 'lfcore calibrate {run.root}' first")
    return Calibration.from_json(json.loads(*content.values()))
