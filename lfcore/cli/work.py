"""``lfcore work``: a container's entry point."""

import click

from lfcore.cli.options import device_option


@click.command()
@device_option
def work() -> None:
    """Do this job's slice of the list of work items named in its environment.

    LIST_FILE_S3_PATH names the list; ARRAY_SIZE is the number of slices; AWS_BATCH_JOB_ARRAY_INDEX or SLICE_INDEX is
    this job's slice.
    """
    from lfcore.stages.progress import Console
    from lfcore.stages.work import do_job

    do_job(listener=Console())
