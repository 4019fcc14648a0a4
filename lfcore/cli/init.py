"""``lfcore init``: a commented template, or the settings of an LFAnalyze project."""

import click

from lfcore.cli.options import Location
from lfcore.errors import UsageError


@click.command()
@click.argument("folder", metavar="DIR", type=Location())
@click.option("--schema", is_flag=True, help="Write its JSON Schema too, for editors.")
@click.option(
    "--from-lfanalyze",
    "metadata",
    metavar="METADATA",
    type=Location(),
    help="Convert the metadata.txt of an LFAnalyze or napari-LF project.",
)
def init(folder: str, schema: bool, metadata: str | None) -> None:
    """Write a commented dataset.yaml into the folder or prefix DIR."""
    from lfcore import template
    from lfcore.contracts import join
    from lfcore.io import store
    from lfcore.stages.dataset import SETTINGS_FILE
    from lfcore.stages.lfanalyze import write_converted

    path = join(folder, SETTINGS_FILE)
    if store.exists(path):
        raise UsageError(f"{path}: is there already; edit it, or remove it first")
    notes = write_converted(metadata, folder, schema) if metadata else []
    if not metadata:
        store.write_bytes(path, template.template(schema).encode())
    if schema:
        store.write_bytes(join(folder, template.SCHEMA_FILE), template.schema().encode())
    click.echo(f"wrote {path}; {'compare' if metadata else 'set'} every value, then try 'lfcore check {folder}'")
    for note in notes:
        click.echo(f"Note: {note}")
