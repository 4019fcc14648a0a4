"""The command as a whole: what it imports, how quickly it answers, and how every error ends."""

import errno
import subprocess
import sys
import time
from collections.abc import Callable

import click
import pytest

from lfcore.cli.main import VERBS, Interrupted, explain
from lfcore.errors import CalibrationError, SettingsError, TemporaryError, UnavailableError, UsageError

HEAVY = ("numpy", "scipy", "tifffile", "zarr", "pydantic", "yaml", "fsspec", "matplotlib")
STAGES = ("plan", "normalise", "calibrate", "transforms", "reconstruct", "report")


def _loads(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    )


@pytest.mark.parametrize("code", ["import lfcore", "from lfcore.cli.main import main; main(['-h'])"])
def test_help_and_import_load_nothing_heavy(code: str) -> None:
    assert not _loads(code) & set(HEAVY)


def test_the_light_modules_load_no_numpy() -> None:
    assert not _loads("import lfcore.settings, lfcore.contracts, lfcore.errors") & {"numpy", "scipy", "tifffile"}


def test_help_is_quick() -> None:
    def seconds() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "lfcore", "-h"], check=True, capture_output=True)
        return time.perf_counter() - started

    assert min(seconds() for _ in range(5)) < 0.5


def test_every_verb_is_there_with_its_help(lfcore: Callable[..., object]) -> None:
    assert set(STAGES) < set(VERBS)
    for verb in VERBS:
        code, out, _ = lfcore(verb, "-h")
        assert code == 0
        assert out.startswith(f"Usage: lfcore {verb}")


def test_version(lfcore: Callable[..., object]) -> None:
    from lfcore import __version__

    assert lfcore("--version") == (0, f"lfcore {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["paint"],
        ["run"],
        ["run", "a"],
        ["normalise", "r", "--slice", "2/2"],
        ["normalise", "r", "--slice", "x"],
        ["normalise", "r", "--slice", "\u00b2/3"],
    ],
)
def test_wrong_usage(lfcore: Callable[..., object], arguments: list[str]) -> None:
    result = lfcore(*arguments)
    assert result.code == 2
    assert "-h')" in result.error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CalibrationError("no lattice"), 65),
        (UnavailableError("no device"), 69),
        (TemporaryError("lost"), 75),
        (SettingsError("unknown"), 78),
        (UsageError("wrong"), 2),
        (Interrupted(), 75),
        (click.Abort(), 75),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 75),
        (ZeroDivisionError("one\nby zero"), 1),
    ],
)
def test_every_error_is_one_line_and_its_exit_code(error: BaseException, code: int) -> None:
    line, found = explain(error)
    assert found == code
    assert "\n" not in line


def test_a_traceback_with_debug_only(lfcore: Callable[..., object], tmp_path: object) -> None:
    assert "Traceback" not in lfcore("check", tmp_path).err
    for arguments in (["--debug", "check", tmp_path], ["check", tmp_path, "--debug"]):
        result = lfcore(*arguments)
        assert result.code == 65
        assert "Traceback" in result.err
