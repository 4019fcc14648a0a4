"""Reconstruct: from a normalised frame to its volume."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from lfcore.calibration.lattice import Calibration
from lfcore.calibration.radiometry import sensitivity
from lfcore.contracts import RunPaths, Stage, WorkItem
from lfcore.errors import UsageError
from lfcore.io import ome_tiff, ome_zarr, sources, store
from lfcore.opencl.device import choose
from lfcore.projection.protocol import Host, Projector, Resident
from lfcore.settings import Reconstruction
from lfcore.solvers.problem import Estimate
from lfcore.stages.artefacts import ArtefactRemoval
from lfcore.stages.devices import share_out
from lfcore.stages.engine import Engine
from lfcore.stages.grid import volume_grid
from lfcore.stages.progress import Listener, silent
from lfcore.stages.record import RunRecord, read_run
from lfcore.stages.runner import Do, Outcome, Pulse, Record, planned_hashes, process, require_frame
from lfcore.stages.series import reconstruct_frames
from lfcore.stages.transforms import TransformStore, read_calibration

Image = npt.NDArray[np.float32]


def run_items(run: RunPaths, items: Sequence[WorkItem], listener: Listener = silent) -> Outcome:
    """Reconstruct the frames of ``items`` on all devices that are wanted; each builds its projector once."""
    devices = choose()
    if len(devices) > 1:
        return share_out(run, Stage.RECONSTRUCT, items, devices, prepare, listener)
    return process(run, Stage.RECONSTRUCT, items, partial(prepare, run, None), listener)


def prepare(run: RunPaths, device: str | None, pulse: Pulse) -> Do:
    """What reconstructs a frame on one ``device``, as `lfcore.opencl.device.choose` has it.

    A warm start needs the frame before to have been the last one done here, so it depends on how a run is cut into
    slices and on where it was interrupted. Each completion record says under ``started_from`` what its frame started
    from.
    """
    scene = Scene.load(run, device)
    last = _Last()
    _create_output(run, scene)
    normalised = planned_hashes(run, Stage.NORMALISE)

    def do(item: WorkItem) -> Record:
        frame = int(item["frame"])
        require_frame(run, Stage.NORMALISE, str(item["id"]), normalised.get(item["id"]))
        start = last.volume if last.frame == frame - 1 else None
        estimate = scene.reconstruct(sources.read_frame(run.normalised(frame)).astype(np.float32), pulse, start)
        last.frame, last.volume = frame, estimate.whole
        volume = np.ascontiguousarray(estimate.volume[0], np.float32)
        return {
            "outputs": _write(run, scene, frame, volume),
            "residuals": [round(float(value), 6) for value in estimate.residuals[:, 0]],
            "stopped": estimate.stopped,
            "started_from": "back projection" if start is None else f"frame_{frame - 1:06d}",
        }

    return do


@dataclass
class _Last:
    """The last frame that was done here, and its volume where the next one is to start from it."""

    frame: int | None = None
    volume: Host | None = None


@dataclass(frozen=True)
class Scene:
    """What all frames of a run share."""

    record: RunRecord
    calibration: Calibration
    engine: Engine
    weight: Image
    removal: ArtefactRemoval

    @classmethod
    def load(cls, run: RunPaths, device: str | None = None) -> "Scene":
        """Read calibration and kernels and build the projector, for ``device`` as `lfcore.opencl.device.choose` has it.

        Raises ``UsageError`` when an earlier stage is missing.
        """
        record, calibration = read_run(run), read_calibration(run)
        kept = TransformStore.of_run(record, calibration)
        planes = record.settings.volume.planes_um
        missing = [z_um for z_um in planes if not store.exists(kept.path(z_um))]
        if missing:
            raise UsageError(
                f"{run.root}: {len(missing)} of {len(planes)} planes have no transforms; run 'lfcore transforms' first"
            )
        devices = choose(device)
        kernels, settings = [kept.read(z_um) for z_um in planes], record.settings.reconstruction
        removal = ArtefactRemoval.of(settings, kept.instrument, kernels)
        engine = Engine(devices[0] if devices else None, removal.kernels(kernels), calibration, keeps_volumes(settings))
        white, measured = sources.read_frame(run.sensitivity).astype(np.float32), bool(record.inputs_of("radiometry"))
        weight = engine.attempt(lambda: weight_of(engine.projector, white, measured))
        return cls(record, calibration, engine, weight, removal)

    def reconstruct(self, frame: Image, pulse: Pulse = lambda part: None, start: Host | None = None) -> Estimate:
        """The volume of a normalised frame (y, x) in camera coordinates, from a volume ``start`` or from nothing."""
        engine, used = self.engine, self.record.settings
        return engine.attempt(
            lambda: reconstruct_frames(
                engine.projector,
                engine.rectify(frame)[None],
                self.weight,
                used.reconstruction,
                pulse,
                self.removal,
                used.camera,
                start,
            )
        )


def keeps_volumes(settings: Reconstruction) -> bool:
    """Whether the solver needs earlier volumes beside the last, as acceleration does; devices plan their memory so."""
    return settings.accelerates or settings.warm_start or settings.solver != "richardson_lucy"


def weight_of(projector: Projector[Resident], white: Image, measured: bool = True) -> Image:
    """The sensitivity ``W`` (y, x) from the rectified white frame (y, x), zero where unusable.

    When it was not ``measured``, ``white`` says no more than which pixels are there, and these are equally sensitive.
    """
    uniform = projector.pack_volume(np.ones((1, *projector.volume_shape), np.float32))
    response = projector.unpack_image(projector.forward(uniform))[0]
    # Equal sensitivity means that the model's own answer is what a white frame would show.
    return sensitivity(np.where(white > 0, white if measured else white * response, np.nan), response)


def _create_output(run: RunPaths, scene: Scene) -> None:
    settings = scene.record.settings
    if settings.output.format == "ome-tiff":
        return
    grid = volume_grid(settings, scene.calibration)
    series = ome_zarr.VolumeSeries(
        shape=(scene.record.frames, *grid.shape),
        planes_um=settings.volume.planes_um,
        lateral_um=grid.voxel_um[1:],
        frame_interval_s=settings.camera.frame_interval_s,
        dtype=settings.output.dtype,
        name=run.root.rstrip("/").rpartition("/")[2],
        provenance=_provenance(scene.record),
    )
    ome_zarr.create(run.ome_zarr, series)


def _write(run: RunPaths, scene: Scene, frame: int, volume: Image) -> list[str]:
    """Write one volume and return the paths that hold it."""
    settings = scene.record.settings
    if settings.output.format == "ome-zarr":
        return ome_zarr.write_frame(run.ome_zarr, frame, volume)
    path, interval_s = run.ome_tiff(frame), settings.camera.frame_interval_s
    ome_tiff.write_volume(
        path,
        volume,
        volume_grid(settings, scene.calibration).voxel_um,
        settings.output.dtype,
        None if interval_s is None else frame * interval_s,
        {key: str(value) for key, value in _provenance(scene.record).items()},
    )
    return [path]


def _provenance(record: RunRecord) -> dict[str, str]:
    return {"dataset": record.dataset, "settings_hash": record.hash, "lfcore": record.software["lfcore"]}
