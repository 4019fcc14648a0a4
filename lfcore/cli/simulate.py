"""``lfcore simulate``: a synthetic data set with its ground truth."""

from typing import Any

import click

from lfcore.cli.options import Location


@click.command()
@click.argument("folder", metavar="DIR", type=Location())
@click.option("--preset", default="beads", show_default=True, help="beads, vessels, planes or uniform.")
@click.option("--frames", type=click.IntRange(1), default=4, show_default=True, help="Frames to record.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of places and noise.")
@click.option(
    "--lattice",
    type=click.Choice(["square", "hexagonal"]),
    default="square",
    show_default=True,
    help="Arrangement of the lenslets.",
)
@click.option(
    "--orientation",
    type=click.Choice(["rows", "columns"]),
    default="rows",
    show_default=True,
    help="Along what a hexagonal array's lenslets touch.",
)
@click.option("--rows", type=click.IntRange(8), default=26, show_default=True, help="Rows of whole cells.")
@click.option("--columns", type=click.IntRange(8), default=30, show_default=True, help="Columns of whole cells.")
@click.option(
    "--pitch-px", type=click.FloatRange(6), default=11.4, show_default=True, help="Lenslet pitch on the camera."
)
@click.option(
    "--rotation-deg", type=click.FloatRange(-10, 10), default=0.6, show_default=True, help="Turn of the lattice."
)
@click.option("--photons", type=click.FloatRange(1), default=2000.0, show_default=True, help="At the brightest pixel.")
@click.option("--points", type=click.IntRange(1), help="Beads, vessels or planes; default: as the preset has them.")
def simulate(folder: str, preset: str, photons: float, points: int | None, **field: Any) -> None:  # noqa: ANN401 - each of its own kind
    """Make a synthetic data set in DIR: frames, white and dark frames, dataset.yaml, and the truth beside them."""
    from lfcore.simulation.camera import Exposure
    from lfcore.simulation.dataset import Scenario
    from lfcore.simulation.dataset import simulate as make

    # Click has checked their kinds.
    scenario = Scenario(preset=preset, exposure=Exposure(photons), points=points, **field)
    phantom = make(folder, scenario)
    click.echo(f"{folder}: {field['frames']} frames, {len(phantom.positions_um)} points, truth in {folder}/truth")
