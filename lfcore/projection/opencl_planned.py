"""From a plan to a projector on its device."""

from collections.abc import Sequence
from typing import overload

from lfcore.opencl.session import Session
from lfcore.projection.device_plan import DevicePlan
from lfcore.projection.kernels import PlaneKernels
from lfcore.projection.opencl_matrices import PlaneImages
from lfcore.projection.opencl_projector import OpenclProjector


class KernelImages(Sequence[PlaneImages]):
    """Point images of planes, each sent to the device when it is asked for, so that only one or two lie there."""

    def __init__(self, session: Session, kernels: Sequence[PlaneKernels]) -> None:
        self.session, self.kernels = session, kernels

    def __len__(self) -> int:
        return len(self.kernels)

    @overload
    def __getitem__(self, index: int) -> PlaneImages: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[PlaneImages]: ...
    def __getitem__(self, index: int | slice) -> PlaneImages | Sequence[PlaneImages]:
        if isinstance(index, slice):
            return KernelImages(self.session, self.kernels[index])
        # Planes differ in size, so what is left of others is of no use to this one.
        self.session.release_free()
        kernels = self.kernels[index]
        return PlaneImages(kernels.radius_cells, self.session.upload(kernels.images, "point images"))


def projector_for(session: Session, plan: DevicePlan, kernels: Sequence[PlaneKernels]) -> OpenclProjector:
    """A projector laid out by ``plan``.

    Raises ``SettingsError`` when the plan was made for another device, and ``DeviceMemoryError`` when its memory does
    not do after all.
    """
    plan.check_device(session.device)
    case = plan.shape.case
    return OpenclProjector(
        session,
        plan.tiling,
        KernelImages(session, kernels),
        case.samples,
        case.pixels,
        plan.frames,
        plan.shape.half,
        tiles_at_a_time=plan.tiles_at_a_time,
        spends=not case.accelerate,
    )
