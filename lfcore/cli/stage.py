"""The verbs that do one stage, or one slice of it: normalise, calibrate, transforms, reconstruct, report."""

import click

from lfcore.cli.options import Slice, device_option, run_argument, slice_option
from lfcore.contracts import COMPUTING, RunPaths, Stage


def _command(stage: Stage, text: str) -> click.Command:
    @click.command(str(stage), help=text)
    @run_argument
    @slice_option
    def command(run_root: str, slice_: Slice) -> None:
        from lfcore.stages.progress import Console
        from lfcore.stages.work import do_slice

        do_slice(RunPaths(run_root), stage, *slice_, Console())

    return device_option(command) if stage in COMPUTING else command


normalise = _command(
    Stage.NORMALISE,
    "Bring the frames of a planned RUN into the standard format: dark subtracted, float32, NaN where missing. "
    "A frame that cannot be used is set aside in quarantine/, and the others go on.",
)
calibrate = _command(Stage.CALIBRATE, "Find the lenslet lattice and the sensitivity of a planned RUN.")
transforms = _command(
    Stage.TRANSFORMS, "Compute the kernels of every plane of a RUN; runs with the same optics share them."
)
reconstruct = _command(Stage.RECONSTRUCT, "Estimate the volume of every frame of a RUN.")
report = _command(
    Stage.REPORT, "Write the report page of a RUN and its numbers. Ends with exit code 65 if frames were set aside."
)
