"""``lfcore plan``: write ``run.json`` and the work items."""

import click

from lfcore.cli.options import dataset_argument, parse_assignments, require_own_folder, run_argument, set_option
from lfcore.contracts import RunPaths, Stage, plan_item


@click.command()
@dataset_argument
@run_argument
@set_option
def plan(dataset: str, run_root: str, assignments: tuple[str, ...]) -> None:
    """Check the data set and write run.json and the work items of every stage into RUN."""
    from lfcore.stages.progress import Console
    from lfcore.stages.work import stage_function

    require_own_folder(dataset, run_root)
    item = plan_item(dataset, run_root, parse_assignments(assignments))
    stage_function(Stage.PLAN)(RunPaths(run_root), [item], Console())
