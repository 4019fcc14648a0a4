"""Progress as a log shows it, and as a terminal does."""

import io

from lfcore.stages.progress import Console, Progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _lines(total: int, stream: io.StringIO) -> str:
    console = Console(stream)
    for finished in range(total + 1):
        console(Progress("reconstruct", finished, total, 2.0 * finished))
    return stream.getvalue()


def test_a_log_gets_a_line_every_few_per_cent() -> None:
    lines = _lines(1000, io.StringIO()).splitlines()
    assert len(lines) == 21
    assert lines[10] == "reconstruct 500/1000 (50 %), 17 min, 17 min left"
    assert lines[-1] == "reconstruct 1000/1000 (100 %), 33 min"


def test_a_log_of_few_items_gets_a_line_each() -> None:
    assert len(_lines(3, io.StringIO()).splitlines()) == 4


def test_a_terminal_gets_one_line_that_changes() -> None:
    text = _lines(10, Terminal())
    assert text.count("\n") == 1
    assert text.endswith("] reconstruct 10/10 (100 %), 20.0 s\n")


def test_notes_are_always_shown() -> None:
    stream = io.StringIO()
    Console(stream)(Progress("normalise", 7, 1000, 1.0, "frame_000006 set aside: x.tif: is cut short"))
    assert stream.getvalue() == "normalise: frame_000006 set aside: x.tif: is cut short\n"


def test_a_log_hears_of_an_item_that_takes_long() -> None:
    stream = io.StringIO()
    console = Console(stream)
    for second in range(0, 41):
        console(Progress("reconstruct", 0, 1, float(second), part=second / 40))
    assert stream.getvalue().splitlines() == [
        "reconstruct 0/1 (0 %), 0.0 s",
        "reconstruct 0/1 (25 %), 10.0 s, 30.0 s left",
        "reconstruct 0/1 (50 %), 20.0 s, 20.0 s left",
        "reconstruct 0/1 (75 %), 30.0 s, 10.0 s left",
        "reconstruct 0/1 (100 %), 40.0 s",
    ]
