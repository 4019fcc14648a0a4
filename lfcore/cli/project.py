"""``lfcore project``: the ideal light field of a volume, or the transpose."""

import click

from lfcore.cli.options import calibration_option, dataset_argument, parse_assignments, set_option


@click.command()
@dataset_argument
@click.argument("source", metavar="VOLUME", type=click.Path(dir_okay=False))
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True, help="TIFF file to write, float32.")
@click.option(
    "--adjoint", is_flag=True, help="VOLUME is a rectified light field (y, x); write its back projection (z, y, x)."
)
@calibration_option
@set_option
def project(
    dataset: str, source: str, output: str, adjoint: bool, run: str | None, assignments: tuple[str, ...]
) -> None:
    """Write the ideal rectified light field (y, x) of VOLUME, a TIFF (z, y, x) on the voxel grid of DATASET.

    The optics are those that the settings state, the array's pitch and pixels too unless RUN has measured them, as for
    the light fields that 'lfcore rectify' writes. Nothing lies outside the volume; missing pixels must be set to 0.
    """
    from lfcore.stages.model import project_file

    shape = project_file(dataset, parse_assignments(assignments), source, output, adjoint=adjoint, run=run)
    click.echo(f"{output}: {' x '.join(map(str, shape))}")
