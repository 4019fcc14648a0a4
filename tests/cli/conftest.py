"""The command line in this process, with what it prints."""

import signal
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from lfcore.cli.main import main


class Result(NamedTuple):
    """Exit code, standard output and standard error of one command."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line that an error is."""
        lines = [line for line in self.err.splitlines() if line.startswith("Error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


@pytest.fixture
def lfcore(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Result]]:
    """A function that runs ``lfcore`` with the arguments given."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def run(*arguments: object) -> Result:
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)
