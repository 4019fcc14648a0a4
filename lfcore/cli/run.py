"""``lfcore run``: every stage on this machine."""

import click

from lfcore.cli.options import (
    dataset_argument,
    device_option,
    parse_assignments,
    require_own_folder,
    run_argument,
    set_option,
)
from lfcore.contracts import RunPaths


@click.command()
@dataset_argument
@run_argument
@set_option
@device_option
def run(dataset: str, run_root: str, assignments: tuple[str, ...]) -> None:
    """Do every stage of a run of DATASET in the folder or prefix RUN, without Airflow.

    May be started again at any time: finished work is not done again. Ends with exit code 65 if frames were set aside.
    """
    from lfcore.stages.progress import Console
    from lfcore.stages.run import run_all

    require_own_folder(dataset, run_root)
    run_all(dataset, RunPaths(run_root), parse_assignments(assignments), Console())
    click.echo(f"report: {RunPaths(run_root).report_html}")
