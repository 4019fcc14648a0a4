"""The cases of ``lfcore bench`` that an OpenCL device computes."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lfcore.errors import UnavailableError
from lfcore.opencl import ceilings as ceilings_of
from lfcore.opencl.device import Device
from lfcore.opencl.program import OPENCL_C_1_2
from lfcore.opencl.session import Session
from lfcore.optics.opencl_psf import DevicePointImages, layout
from lfcore.projection.cell import octant, sample_offsets
from lfcore.projection.opencl_fields import WORK
from lfcore.projection.opencl_matrices import PlaneImages
from lfcore.projection.opencl_products import UnitProducts
from lfcore.projection.opencl_projector import OpenclProjector
from lfcore.projection.roofline import Ceilings, IterationWork, Work, floor_seconds
from lfcore.projection.tiling import Tiling, tiling
from lfcore.stages.bench_cases import ITERATIONS, Case, Kind, Scene
from lfcore.stages.bench_timing import (
    Figure,
    alone_seconds,
    divided_by,
    figure_of,
    one_iteration,
    series_seconds,
    timed,
)

FLOAT_BYTES = 4
RECONSTRUCTION = f"back projection, {ITERATIONS} iterations and the last residual"


def device_ceilings(device: Device, memory_bytes: int | None) -> Ceilings:
    """What the device reaches now; its memory is given back."""
    session = Session(device, memory_bytes)
    found = Ceilings(
        copy_rate=ceilings_of.copy_rate(session),
        float_rate=ceilings_of.float_rate(session),
        matrix_rate=ceilings_of.matrix_rate(session) if device.has_matrix_units else None,
        to_device_rate=ceilings_of.to_device_rate(session),
        to_host_rate=ceilings_of.to_host_rate(session),
    )
    session.release_free()
    return found


def measure(case: Case, ceilings: Ceilings, repeat: int, device: Device, memory_bytes: int | None) -> Iterator[Figure]:
    """The figures of one case, from a session of its own."""
    if case.kind is Kind.SETUP:
        yield from _setup(case, ceilings, repeat, device, memory_bytes)
        return
    session = Session(device, memory_bytes)
    projector = build(session, case.scene, case.frames)
    yield MEASURES[case.kind](case, projector, ceilings, repeat)
    del projector
    session.release_free()


def build(session: Session, scene: Scene, frames: int) -> OpenclProjector:
    """From the settings to a projector in reduced precision, all on the device."""
    offsets_um = sample_offsets(scene.samples_per_lenslet) * scene.instrument.object_pitch_um
    positions = [(float(offsets_um[a]), float(offsets_um[c])) for a, c in octant(scene.samples_per_lenslet)]
    points, radius = DevicePointImages(session, scene.instrument), scene.instrument.window_radius_cells
    planes = [PlaneImages(radius(z_um), points.images(z_um, positions)) for z_um in scene.planes_um]
    cell, grids = scene.instrument.cell, _grids(session, scene)
    samples = cell.samples(scene.samples_per_lenslet)
    return OpenclProjector(session, grids, planes, samples, cell.pixels, frames, half=True)


def _grids(session: Session, scene: Scene) -> Tiling:
    margin = max(scene.instrument.window_radius_cells(z_um) for z_um in scene.planes_um)
    # The steps of an iteration keep a sum a work-item beside the grid.
    local_bytes = session.device.local_bytes - FLOAT_BYTES * WORK
    found = tiling(scene.rows, scene.columns, margin, local_bytes, *scene.tiles)
    if found is None:
        raise UnavailableError(
            f"{session.device}: its local memory does not hold the grid of {scene.title}; use --case tiny"
        )
    return found


def _iteration(case: Case, projector: OpenclProjector, ceilings: Ceilings, repeat: int) -> Figure:
    seconds = timed(one_iteration(projector, case.scene, case.frames), repeat, projector.session.finish)
    works = _work(case, projector).iteration()
    return _a_frame(case, "one iteration, everything on the device", seconds, works, ceilings)


def _series(case: Case, projector: OpenclProjector, ceilings: Ceilings, repeat: int) -> Figure:
    """The floor is that of the kernels, or of the longer transfer where that takes longer: all may go on at a time."""
    seconds = series_seconds(projector, case.scene, case.frames, repeat)
    works, transfers = _reconstruction(case, projector), _transfers(case.scene, case.frames, ceilings)
    longest = max(transfers, key=lambda work: work.seconds(ceilings))
    if longest.seconds(ceilings) > floor_seconds(works, ceilings):
        works = [longest]
    return _a_frame(case, f"host to host, {RECONSTRUCTION}, from one result to the next", seconds, works, ceilings)


def _alone(case: Case, projector: OpenclProjector, ceilings: Ceilings, repeat: int) -> Figure:
    """Nothing overlaps here: transfers, the three projections of the sensitivity, and the kernels add up."""
    seconds = alone_seconds(projector, case.scene, repeat)
    inwards, outwards = _transfers(case.scene, 1, ceilings)
    work = _work(case, projector)
    sensitivity = [*work.forward(), *(2 * work.adjoint())]
    works = [inwards, *sensitivity, *_reconstruction(case, projector), outwards]
    return _a_frame(case, f"host to host, sensitivity, {RECONSTRUCTION}", seconds, works, ceilings)


def _reconstruction(case: Case, projector: OpenclProjector) -> list[Work]:
    work = _work(case, projector)
    return [*work.back_projection(), *(ITERATIONS * work.iteration()), *work.forward(), work.compare()]


def _a_frame(case: Case, what: str, seconds: list[float], works: list[Work], ceilings: Ceilings) -> Figure:
    """A figure of a batch, said in words."""
    batch = f"batch of {case.frames}, per frame" if case.frames > 1 else "one frame"
    return divided_by(case.frames, case.name, f"{what}; {batch}", seconds, works, ceilings)


def _work(case: Case, projector: OpenclProjector) -> IterationWork:
    return IterationWork(projector.layout, case.frames, isinstance(projector.products, UnitProducts))


def _transfers(scene: Scene, frames: int, ceilings: Ceilings) -> list[Work]:
    """Light fields in and volumes out, as bytes that a copy on the device would move in that time."""
    height, width = scene.image_shape
    voxels = len(scene.planes_um) * scene.rows * scene.columns * scene.samples_per_lenslet**2
    on_device = ceilings.copy_rate
    inwards = FLOAT_BYTES * frames * height * width / (ceilings.to_device_rate or on_device)
    outwards = FLOAT_BYTES * frames * voxels / (ceilings.to_host_rate or on_device)
    return [Work("to the device", inwards * on_device, 0), Work("to the host", outwards * on_device, 0)]


class _UncachedSession(Session):
    """A session whose programs no cache of an earlier run holds."""

    def __init__(self, device: Device, memory_bytes: int | None) -> None:
        super().__init__(device, memory_bytes)
        self.name = f"at_{time.time_ns()}"

    def kernels(
        self, files: Sequence[str], defines: Mapping[str, int | float | str], options: Sequence[str] = OPENCL_C_1_2
    ) -> dict[str, Any]:
        """As ``Session.kernels``, with a definition that no other session has."""
        return super().kernels(files, {**defines, "SESSION": self.name}, options)


def _setup(case: Case, ceilings: Ceilings, repeat: int, device: Device, memory_bytes: int | None) -> Iterator[Figure]:
    """From the settings to a projector: in a session that has no kernels yet, and again in the same."""
    started = time.perf_counter()
    session = _UncachedSession(device, memory_bytes)
    projector = build(session, case.scene, case.frames)
    session.finish()
    cold = time.perf_counter() - started
    works = [*_point_image_works(case.scene), _matrices_work(projector)]
    what = f"settings to projector for batches of {case.frames}: point images and matrices"
    yield figure_of(f"{case.name} cold", f"{what}, with compilation", [cold], works, ceilings)
    del projector
    warm = timed(lambda: build(session, case.scene, case.frames), repeat, session.finish)
    yield figure_of(f"{case.name} warm", f"{what}, compiled before", warm, works, ceilings)
    session.release_free()


def _point_image_works(scene: Scene) -> list[Work]:
    """Per plane and wavelength; the counts of one point are those of its layout."""
    points, instrument = len(octant(scene.samples_per_lenslet)), scene.instrument
    layouts = [
        layout(instrument, wavelength_um, instrument.window_radius_lenslets(z_um))
        for z_um in scene.planes_um
        for wavelength_um, _ in instrument.spectrum
    ]
    return [Work("point images", points * here.moved_bytes, points * here.operations) for here in layouts]


def _matrices_work(projector: OpenclProjector) -> Work:
    """They are written once; what they are made from is small beside them."""
    return Work("matrices", projector.layout.size_bytes, 0)


MEASURES = {Kind.ITERATION: _iteration, Kind.SERIES: _series, Kind.ALONE: _alone}
