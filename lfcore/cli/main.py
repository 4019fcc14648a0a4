"""The ``lfcore`` command: finds the verb, and turns every error into one line and an exit code."""

import importlib
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import NamedTuple, NoReturn

import click

from lfcore import __version__
from lfcore.errors import DISK_IS_FULL, EXIT_DONE, EXIT_TEMPORARY, LfcoreError

EXIT_UNEXPECTED = 1
DEBUG_FLAG = "--debug"


class Interrupted(BaseException):
    """The process was asked to end.

    No ``KeyboardInterrupt``: CPython remembers that one when it passes through ``exec``, as in the making of a
    dataclass, and then ends the process by SIGINT whatever exit code it was given.
    """


class Verb(NamedTuple):
    """Where a verb's command lives, and what it does in a few words."""

    module: str
    help: str


VERBS = {
    "init": Verb("lfcore.cli.init", "write a commented dataset.yaml"),
    "simulate": Verb("lfcore.cli.simulate", "make a synthetic data set with its ground truth"),
    "check": Verb("lfcore.cli.check", "validate settings against files; say what would be computed"),
    "doctor": Verb("lfcore.cli.doctor", "say what this machine has: versions, threads, OpenCL, storage, AWS"),
    "bench": Verb("lfcore.cli.bench", "times of the main steps, beside what this machine could do at most"),
    "run": Verb("lfcore.cli.run", "every stage on this machine, without Airflow"),
    "plan": Verb("lfcore.cli.plan", "write run.json and the work items"),
    "normalise": Verb("lfcore.cli.stage", "bring the frames into the standard format"),
    "calibrate": Verb("lfcore.cli.stage", "find the lenslet lattice and the sensitivity"),
    "transforms": Verb("lfcore.cli.stage", "compute the kernels of every plane"),
    "reconstruct": Verb("lfcore.cli.stage", "estimate the volumes"),
    "report": Verb("lfcore.cli.stage", "write the report page and its numbers"),
    "work": Verb("lfcore.cli.work", "a container's entry point: this job's slice of its list"),
    "aws": Verb("lfcore.cli.aws", "runs on AWS Batch without Airflow: submit, status, logs, stop, resume, cost, list"),
    "psf": Verb("lfcore.cli.psf", "the camera image of one point"),
    "project": Verb("lfcore.cli.project", "the ideal light field of a volume, or the transpose"),
    "rectify": Verb("lfcore.cli.rectify", "a frame resampled to the lenslets, or its views"),
    "refocus": Verb("lfcore.cli.refocus", "a frame's focal stack, the quick look"),
}


class LazyGroup(click.Group):
    """A group that imports a verb's module only when the verb is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs in the order of the work."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a verb: the function of that name in the verb's module."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        command: click.Command = getattr(importlib.import_module(verb.module), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The verbs, without importing them."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in VERBS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", message="lfcore %(version)s")
@click.option(DEBUG_FLAG, is_flag=True, help="Show tracebacks; may stand anywhere in the command.")
def lfcore(debug: bool) -> None:
    """Light field microscopy: from camera frames to volumes.

    Exit codes: 0 done, 2 wrong usage, 65 bad input data, 69 something needed is not there,
    75 temporary (retrying helps), 78 bad settings.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one line on stderr."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = DEBUG_FLAG in given
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _interrupt)
    try:
        code = lfcore.main([part for part in given if part != DEBUG_FLAG], "lfcore", standalone_mode=False)
        return code if isinstance(code, int) else EXIT_DONE
    except (Exception, Interrupted) as error:
        if debug:
            traceback.print_exc()
        line, code = explain(error)
        click.echo(line, err=True)
        return code


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise Interrupted


def explain(error: BaseException) -> tuple[str, int]:
    """The line and the exit code that a user gets for an error."""
    if isinstance(error, click.ClickException):
        usage = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "lfcore"
        return f"Error: {error.format_message()} (see '{usage} -h')", error.exit_code
    if isinstance(error, Interrupted | click.Abort):
        return "Interrupted: nothing half-written is left; run the same command again to go on", EXIT_TEMPORARY
    if isinstance(error, LfcoreError):
        return f"Error: {one_line(error)}", error.exit_code
    if isinstance(error, OSError) and error.errno in DISK_IS_FULL:
        return f"Error: {error.filename or 'storage'}: disk full; free space and run again", EXIT_TEMPORARY
    kind = type(error).__name__
    return f"Error: unexpected {kind}: {one_line(error)} (repeat with --debug for the traceback)", EXIT_UNEXPECTED


def one_line(error: BaseException) -> str:
    """The message of an error without line breaks."""
    return " ".join(str(error).split())


if __name__ == "__main__":
    sys.exit(main())
