"""``lfcore refocus``: a frame's focal stack."""

import click

from lfcore.cli.options import calibration_option, dataset_argument, frame_option, parse_assignments, set_option


@click.command()
@dataset_argument
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), required=True, help="OME-TIFF stack to write (z, y, x)."
)
@click.option(
    "--all-in-focus", "sharp", type=click.Path(dir_okay=False), help="Write what is sharp in any plane (y, x)."
)
@click.option("--depth", type=click.Path(dir_okay=False), help="Write the depth at which it is sharp (y, x), um.")
@frame_option
@calibration_option
@set_option
def refocus(
    dataset: str,
    output: str,
    sharp: str | None,
    depth: str | None,
    frame: int,
    run: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Write the focal stack of one frame of DATASET, on the planes and voxels that its volume has.

    A quick look by shift-and-add (Ng 2005): what is out of focus stays as blur, which 'lfcore run' takes away.
    """
    from lfcore.stages.refocus import write_focal_stack

    shape = write_focal_stack(
        dataset, parse_assignments(assignments), output, frame=frame, run=run, sharp=sharp, depth=depth
    )
    click.echo(f"{output}: {' x '.join(map(str, shape))} (z, y, x)")
