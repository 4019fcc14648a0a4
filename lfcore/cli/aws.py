"""``lfcore aws``: runs on AWS Batch without Airflow."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from lfcore.cli.costs import prices_option
from lfcore.cli.options import (
    Location,
    dataset_argument,
    parse_assignments,
    require_own_folder,
    run_argument,
    set_option,
)
from lfcore.contracts import RunPaths, Stage
from lfcore.errors import DataError, LfcoreError, TemporaryError, UsageError

if TYPE_CHECKING:
    from lfcore.batch.status import Standing
    from lfcore.batch.submission import Submission
    from lfcore.job_names import Places
    from lfcore.prices.table import PriceTable
    from lfcore.stages.spent import StageCost

STATES = ("PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
FAILURES_SHOWN = 10

region_option = click.option("--region", help="AWS region; default that of the environment.")


def _places_options(command: Callable[..., Any]) -> Callable[..., Any]:
    names = (
        ("--cpu-queue", "LIGHTFIELD_JOB_QUEUE_CPU"),
        ("--gpu-queue", "LIGHTFIELD_JOB_QUEUE_GPU"),
        ("--job-definition", "LIGHTFIELD_JOB_DEFINITION"),
    )
    for name, variable in names:
        command = click.option(name, metavar="NAME", help=f"Default: {variable}.")(command)
    return region_option(command)


def _caps_options(command: Callable[..., Any]) -> Callable[..., Any]:
    minutes = click.option("--job-minutes", type=click.FloatRange(0.01, 1440), default=10.0, show_default=True)
    gpu = click.option("--max-gpu-jobs", type=click.IntRange(1, 10_000), default=64, show_default=True)
    cpu = click.option("--max-cpu-jobs", type=click.IntRange(1, 10_000), default=32, show_default=True)
    return minutes(gpu(cpu(command)))


@click.group()
def aws() -> None:
    """Runs on AWS Batch without Airflow: submit, watch, stop and resume them, and say what they cost.

    Queues and job definition come from the options, or from LIGHTFIELD_JOB_QUEUE_CPU, LIGHTFIELD_JOB_QUEUE_GPU and
    LIGHTFIELD_JOB_DEFINITION; AWS_ENDPOINT_URL_BATCH leads to a stand-in.
    """


@aws.command()
@dataset_argument
@run_argument
@_caps_options
@_places_options
@set_option
@click.option("--airflow", is_flag=True, help="Through Airflow: LIGHTFIELD_AIRFLOW_URL, LIGHTFIELD_AIRFLOW_TOKEN.")
def submit(dataset: str, run_root: str, airflow: bool, assignments: tuple[str, ...], **options: Any) -> None:  # noqa: ANN401  # what the shared options are given
    """Submit a run of DATASET in RUN: the plan, and when that is done every other stage.

    What is done of the run already is not done again.
    """
    require_own_folder(dataset, run_root)
    settings = parse_assignments(assignments)
    if airflow:
        from lfcore.batch.airflow import trigger

        run_id, page = trigger(dataset, run_root, settings)
        click.echo(f"Airflow run {run_id}: {page}")
        return
    _submit(dataset, run_root, settings, options)


@aws.command()
@run_argument
@_caps_options
@_places_options
def resume(run_root: str, **options: Any) -> None:  # noqa: ANN401  # what the shared options are given
    """Submit a RUN again: what is done is left, and only what is missing is submitted.

    It goes where the last submission went, but for what is given.
    """
    from lfcore.batch.submission import last_submission

    one = last_submission(RunPaths(run_root))
    names = {"cpu_queue": "cpu_queue", "gpu_queue": "gpu_queue", "job_definition": "definition"}
    before = {"region": one.region, **{option: one.places.get(name) for option, name in names.items()}}
    given = {option: value for option, value in options.items() if value is not None}
    _submit(one.dataset, run_root, one.settings, before | given)


def _submit(dataset: str, run_root: str, settings: Mapping[str, Any], options: dict[str, Any]) -> None:
    from lfcore.batch.client import batch_client, logs_client
    from lfcore.batch.submit import Caps, Submitter

    region = options["region"]
    caps = Caps(options["max_gpu_jobs"], options["max_cpu_jobs"], options["job_minutes"])
    Submitter(batch_client(region), logs_client(region), RunPaths(run_root), _places(options), caps, click.echo).submit(
        dataset, settings
    )
    click.echo(f"submitted; 'lfcore aws status {run_root} --watch' follows it")


def _places(options: dict[str, Any]) -> "Places":
    from lfcore.job_names import Places

    return Places.chosen(options["cpu_queue"], options["gpu_queue"], options["job_definition"])


@aws.command()
@run_argument
@click.option("--watch", is_flag=True, help="Look again until all jobs are over.")
@click.option("--interval", type=click.FloatRange(0.1), default=10.0, show_default=True, help="Seconds between looks.")
@prices_option
@region_option
def status(run_root: str, watch: bool, interval: float, prices: str, region: str | None) -> None:
    """How a RUN stands: items and jobs by stage, rate, time left, dollars so far.

    With --watch it ends with the last job: exit code 65 where jobs failed for good, 75 where a retry may help.
    """
    from lfcore.batch.client import batch_client
    from lfcore.batch.status import standing
    from lfcore.batch.submission import last_submission

    run = RunPaths(run_root)
    one = last_submission(run)
    client, table = batch_client(region or one.region), _table(prices, region or one.region)
    while True:
        found = standing(client, run, one, table)
        _show(run_root, one.submitted, found)
        if not watch or not found.live:
            break
        time.sleep(interval)
        click.echo()
    if watch and found.failures:
        _fail(run_root, found)


def _fail(run_root: str, found: "Standing") -> None:
    from lfcore.batch.reasons import is_permanent

    said = f"{run_root}: {found.failures} jobs failed; 'lfcore aws logs {run_root}' shows why"
    raise DataError(said) if is_permanent(found.failed) else TemporaryError(f"{said}, 'lfcore aws resume' goes on")


def _show(run_root: str, submitted: str, found: "Standing") -> None:
    frames = found.progress.frames
    done = f"{frames.done} of {frames.total} frames done, {frames.quarantined} aside"
    click.echo(f"{run_root}, submitted {submitted}: {done}")
    columns = "".join(f"{state.lower():>10}" for state in STATES)
    click.echo(f"{'stage':<12}{'items':>7}{'done':>7}{'aside':>6}{'a minute':>9} | jobs{columns}")
    counted = {stage.stage: stage for stage in found.progress.stages}
    for name in Stage:
        states = found.states.get(name.value)
        cells = "".join(f"{states[state] if states else 0:>10}" for state in STATES)
        stage = counted.get(name.value)
        items = f"{stage.items:>7}{stage.done:>7}{stage.quarantined:>6}" if stage else " " * 20
        rate = "" if stage is None or stage.items_per_minute is None else f"{stage.items_per_minute:.3g}"
        note = "  forgotten by Batch" if states and states["FORGOTTEN"] else ""
        click.echo(f"{name.value:<12}{items}{rate:>9} |     {cells}{note}")
    left = found.progress.seconds_left
    click.echo(f"left: {'not known yet' if left is None else f'{left / 60:.1f} min'}; {_so_far(found.costs)}")
    for line in found.troubles[:FAILURES_SHOWN]:
        click.echo(line)


def _so_far(costs: "Sequence[StageCost]") -> str:
    from lfcore.stages.spent import total

    seconds, dollars = sum(cost.job_seconds for cost in costs), total(costs)
    words = "dollars not known" if dollars is None else f"${dollars:.4g}"
    return f"so far {seconds / 3600:.3g} job hours, {words} (by a record a stage)"


@aws.command()
@run_argument
@click.argument("stage", type=click.Choice([stage.value for stage in Stage]), required=False)
@click.option("--slice", "index", type=click.IntRange(0), help="Of an array: which job, from 0.")
@click.option("--follow", is_flag=True, help="Go on until the job is over.")
@region_option
def logs(run_root: str, stage: str | None, index: int | None, follow: bool, region: str | None) -> None:
    """What a job of a RUN has written: of a STAGE and slice, else of a failed job, else of one that is running."""
    from lfcore.batch.client import batch_client, logs_client
    from lfcore.batch.logs import choose_job, read_log
    from lfcore.batch.submission import last_submission

    one = last_submission(RunPaths(run_root))
    client = batch_client(region or one.region)
    job = choose_job(client, one, None if stage is None else Stage(stage), index)
    click.echo(f"{job['jobName']} {job['jobId']} {job['status']}", err=True)
    for line in read_log(client, logs_client(region or one.region), str(job["jobId"]), follow):
        click.echo(line)


@aws.command()
@run_argument
@click.option("--patience", type=click.FloatRange(1), default=300.0, show_default=True, help="Seconds to wait at most.")
@_places_options
def stop(run_root: str, patience: float, **options: Any) -> None:  # noqa: ANN401  # what the shared options are given
    """End every job of a RUN, and make sure that none is left: only then the exit code is 0."""
    from lfcore.batch.client import batch_client
    from lfcore.batch.jobs import end_all
    from lfcore.batch.submission import known_ids, mark_stopped, read_submissions
    from lfcore.job_names import CLI, run_prefix

    run, places = RunPaths(run_root), _places(options)
    past: list[Submission] = _despite_files(lambda: read_submissions(run)) or []
    queues = dict.fromkeys([*places.queues, *(job.queue for one in past for job in one.jobs)])
    _despite_files(lambda: mark_stopped(run))
    ended = end_all(
        batch_client(options["region"] or (past[-1].region if past else None)),
        list(queues),
        run_prefix(CLI, run.root),
        lambda: _despite_files(lambda: known_ids(run)) or [],
        "stopped by 'lfcore aws stop'",
        patience,
        tell=click.echo,
    )
    click.echo(f"{run_root}: {ended} jobs ended, none is left")


def _despite_files(work: Callable[[], Any]) -> Any:  # noqa: ANN401  # what the work gives
    """Jobs must end also where the run's folder cannot be read or written; they are found by their names."""
    try:
        return work()
    except LfcoreError as error:
        click.echo(f"Warning: {error}", err=True)
        return None


@aws.command()
@run_argument
@prices_option
@region_option
def cost(run_root: str, prices: str, region: str | None) -> None:
    """What a RUN has cost: seconds of its records at the price of the machines that they name, by stage."""
    from lfcore.stages.spent import costs_of_run, total

    costs = costs_of_run(RunPaths(run_root), _table(prices, region))
    for one in costs:
        dollars = "not known" if one.dollars is None else f"${one.dollars:.4g}"
        click.echo(f"{one.stage:<12} {one.job_seconds:>10.1f} s  {dollars:<10} {one.how}")
    frames, dollars_in_all = _frames_done(run_root), total(costs)
    if dollars_in_all is None:
        click.echo("in all: not known; machines say what they are on AWS Batch only, and prices age (--prices)")
    else:
        click.echo(f"in all: ${dollars_in_all:.4g}" + (f", ${dollars_in_all / frames:.4g} a frame" if frames else ""))
    click.echo("(items that are done; machines that start or wait, lost attempts, storage and requests come on top)")


@aws.command("list")
@click.argument("prefix", type=Location())
def list_runs(prefix: str) -> None:
    """Runs in the folder or prefix PREFIX that were submitted from here, newest first."""
    from lfcore.batch.submission import read_submissions
    from lfcore.io import store
    from lfcore.stages.watch import watch

    found = []
    for path in store.glob(prefix, "*/submission.json"):
        run = RunPaths(path.rpartition("/")[0])
        past = read_submissions(run)
        frames = watch(run).frames
        found.append((past[-1].submitted, run.root, frames.done, frames.total, frames.quarantined, len(past)))
    if not found:
        raise UsageError(f"{prefix}: holds no run that was submitted with 'lfcore aws submit'")
    for submitted, root, done, total, aside, times in sorted(found, reverse=True):
        click.echo(f"{submitted}  {done:>6} of {total} frames, {aside} aside, submitted {times} x  {root}")


def _frames_done(run_root: str) -> int:
    from lfcore.stages.watch import watch

    return watch(RunPaths(run_root)).frames.done


def _table(prices: str, region: str | None) -> "PriceTable":
    from lfcore.cli.costs import chosen_prices, default_region

    return chosen_prices(prices, region or default_region())
