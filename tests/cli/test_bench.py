"""``lfcore bench`` as a command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lfcore.opencl.device import DEVICE_VARIABLE


@pytest.fixture(autouse=True)
def _numpy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(DEVICE_VARIABLE, "numpy")
    monkeypatch.chdir(tmp_path)


def test_table(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    result = lfcore("bench", "--case", "tiny", "--repeat", 1)
    assert (result.code, result.err) == (0, "")
    machine, ceilings, head, *rows = result.out.splitlines()
    assert "numpy" in machine
    assert ceilings.startswith("copy ")
    assert head.split() == ["case", "ms", "floor", "ms", "share", "what", "it", "includes"]
    assert len(rows) == 5
    assert rows[0].startswith("tiny-projections forward")
    assert "%" in rows[0]
    assert not list(tmp_path.iterdir())


def test_history_in_a_file_of_its_own(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    for _ in range(2):
        result = lfcore("bench", "--case", "tiny", "--repeat", 1, "--json", "--history", tmp_path / "h.jsonl")
        assert result.code == 0
    lines = (tmp_path / "h.jsonl").read_text().splitlines()
    assert len(lines) == 10
    assert lines[5:] == result.out.splitlines()
    assert {"commit", "dirty", "date", "device", "driver", "lfcore", "case", "includes"} <= json.loads(lines[0]).keys()


def test_history_in_its_usual_place(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "benchmarks").mkdir()
    assert lfcore("bench", "--history", "--case", "tiny", "--repeat", 1).code == 0
    assert (tmp_path / "benchmarks" / "history.jsonl").exists()


def test_history_that_cannot_be_written_is_told_before_the_work(lfcore: Callable[..., Any]) -> None:
    result = lfcore("bench", "--history", "nowhere/h.jsonl", "--case", "tiny", "--repeat", 1)
    assert result.code == 2
    assert "nowhere" in result.error
    assert result.out == ""


def test_unknown_case(lfcore: Callable[..., Any]) -> None:
    result = lfcore("bench", "--case", "fastest")
    assert result.code == 2
    assert "--case fastest" in result.error
    assert "planes-10" in result.error
