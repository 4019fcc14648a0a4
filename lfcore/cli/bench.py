"""``lfcore bench``: how long the main steps take here, and how long they would take at least."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lfcore.cli.options import device_option
from lfcore.errors import UsageError

if TYPE_CHECKING:
    from lfcore.projection.roofline import Ceilings
    from lfcore.stages.bench_timing import Figure

HISTORY = "benchmarks/history.jsonl"


@click.command()
@click.option("--case", "names", multiple=True, metavar="NAME", help="A case or a group of them; repeatable.")
@device_option
@click.option("--repeat", type=click.IntRange(1), default=5, show_default=True, help="Runs whose median is taken.")
@click.option("--memory-gib", type=click.FloatRange(0, min_open=True), help="Most device memory to use.")
@click.option(
    "--history",
    type=click.Path(path_type=Path, dir_okay=False),
    is_flag=False,
    flag_value=HISTORY,
    help=f"Append each figure to a file, {HISTORY} if none is named.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the lines of the history instead of a table.")
def bench(names: tuple[str, ...], repeat: int, memory_gib: float | None, history: Path | None, as_json: bool) -> None:
    """Time the cases of benchmarks/README.md on the first device that --device gives, or with numpy.

    Each figure stands beside its floor: what the bytes and operations of its kernels would take at the rates that a
    copy, multiply-adds, matrix units and transfers reach on this machine, measured first.
    """
    from lfcore.stages.bench import Bench, line_of, run_bench

    if history is not None and not history.absolute().parent.is_dir():
        raise UsageError(f"--history {history}: there is no folder {history.parent}; make it, or name another file")
    planned = Bench.of(names, repeat, None if memory_gib is None else int(memory_gib * 2**30))
    machine, ceilings = planned.machine(), planned.ceilings()
    if not as_json:
        click.echo(f"{machine['device']}, driver {machine['driver']}, lfcore {machine['lfcore']}")
        click.echo(ceilings_line(ceilings))
        click.echo(f"{'case':<22} {'ms':>10} {'floor ms':>10} {'share':>6}  what it includes")

    def tell(figure: "Figure") -> None:
        click.echo(json.dumps(line_of(machine, figure, ceilings)) if as_json else row_of(figure))

    run_bench(planned, history, tell, machine, ceilings)


def ceilings_line(ceilings: "Ceilings") -> str:
    """The ceilings in words."""
    rates = {
        "copy": (ceilings.copy_rate, "GB/s read and written", 1e9),
        "float32": (ceilings.float_rate, "TFLOP/s", 1e12),
        "matrix units": (ceilings.matrix_rate, "TFLOP/s", 1e12),
        "to the device": (ceilings.to_device_rate, "GB/s", 1e9),
        "to the host": (ceilings.to_host_rate, "GB/s", 1e9),
    }
    return ", ".join(f"{name} {rate / unit:.4g} {word}" for name, (rate, word, unit) in rates.items() if rate)


def row_of(figure: "Figure") -> str:
    """A row of the table."""
    floor = "" if figure.floor_ms is None else f"{figure.floor_ms:.4g}"
    share = "" if figure.share is None else f"{100 * figure.share:.0f} %"
    return f"{figure.case:<22} {figure.median_ms:>10.4g} {floor:>10} {share:>6}  {figure.includes}"
