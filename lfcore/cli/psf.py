"""``lfcore psf``: the camera image of one point."""

import click

from lfcore.cli.options import dataset_argument, parse_assignments, set_option


@click.command()
@dataset_argument
@click.option("--z", "z_um", type=float, required=True, help="Depth of the point, um; z > 0 is towards the objective.")
@click.option("--dy", "dy_um", type=float, default=0.0, help="Offset down from the axis of the middle lenslet, um.")
@click.option("--dx", "dx_um", type=float, default=0.0, help="Offset right from the axis of the middle lenslet, um.")
@click.option("--lenslets", type=click.IntRange(1), help="Lenslets a side, odd; default: the blur and a wide margin.")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False), required=True, help="TIFF file to write, float32 (y, x)."
)
@set_option
def psf(
    dataset: str,
    z_um: float,
    dy_um: float,
    dx_um: float,
    lenslets: int | None,
    output: str,
    assignments: tuple[str, ...],
) -> None:
    """Write the camera image of one point, with the optics of DATASET as its settings state them.

    The image is centred on a lenslet, has pixels_per_lenslet pixels a lenslet, and the light that passes the pupil sums
    to one. With microscope.measured_psf it is the measured image of the nearest sample.
    """
    from lfcore.stages.model import point_image

    energy = point_image(dataset, parse_assignments(assignments), z_um, (dy_um, dx_um), lenslets, output)
    click.echo(f"{output}: {energy:.4f} of the pupil's energy is inside")
