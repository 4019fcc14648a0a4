"""``lfcore rectify``: a frame resampled to the lenslets, or its views."""

import click

from lfcore.cli.options import calibration_option, dataset_argument, frame_option, parse_assignments, set_option


@click.command()
@dataset_argument
@click.option("-o", "--output", type=click.Path(dir_okay=False), required=True, help="OME-TIFF file to write, float32.")
@click.option("--views", "as_views", is_flag=True, help="Write the sub-aperture images (v, u, y, x) instead.")
@click.option("--flat", is_flag=True, help="Divide by the white frame; NaN where that is too dim.")
@frame_option
@calibration_option
@set_option
def rectify(
    dataset: str,
    output: str,
    as_views: bool,
    flat: bool,
    frame: int,
    run: str | None,
    assignments: tuple[str, ...],
) -> None:
    """Write one frame of DATASET rectified (y, x): dark subtracted, a whole number of pixels under every lenslet.

    Values are camera counts less the dark frame, negative ones included; NaN where nothing is known (saturated or hot
    pixels, off the camera). The lattice is found anew, unless RUN has found it.
    """
    from lfcore.stages.rectified import write_rectified

    shape = write_rectified(
        dataset, parse_assignments(assignments), output, frame=frame, run=run, flat=flat, as_views=as_views
    )
    click.echo(f"{output}: {' x '.join(map(str, shape))} ({'v, u, y, x' if as_views else 'y, x'})")
