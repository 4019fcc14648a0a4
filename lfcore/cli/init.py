"""``lfcore init``: a commented template."""

import click

from lfcore.cli.options import Location
from lfcore.errors import UsageError


@click.command()
@click.argument("folder", metavar="DIR", type=Location())
@click.option("--schema", is_flag=True, help="Write its JSON Schema too, for editors.")
def init(folder: str, schema: bool) -> None:
    """Write a commented dataset.yaml into the folder or prefix DIR."""
    from lfcore import template
    from lfcore.contracts import join
    from lfcore.io import store
    from lfcore.stages.dataset import SETTINGS_FILE

    path = join(folder, SETTINGS_FILE)
    if store.exists(path):
        raise UsageError(f"{path}: is there already; edit it, or remove it first")
    if schema:
        store.write_bytes(join(folder, template.SCHEMA_FILE), template.schema().encode())
    store.write_bytes(path, template.template(schema).encode())
    click.echo(f"wrote {path}; set every value, then try 'lfcore check {folder}'")
