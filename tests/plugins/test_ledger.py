import json
import logging
from dataclasses import replace
from pathlib import Path

import pytest

from lightfield import ledger
from lightfield.ledger import Record, State

RECORD = Record(
    "/data/fish 3", "0123456789abcdef", State.FAILED, 2, False, "frames: lost", "/data/runs/x", "nightly__x"
)


def at(tmp_path: Path, name: str = "fish 3") -> Record:
    return replace(RECORD, dataset=str(tmp_path / name))


def test_a_record_lies_beside_the_runs_and_comes_back(tmp_path: Path) -> None:
    record = at(tmp_path)
    ledger.write(record)
    [file] = (tmp_path / "runs/nightly").iterdir()
    assert file.name.startswith("fish-3-")
    assert json.loads(file.read_text())["state"] == "failed"
    found = ledger.read(record.dataset)
    assert found is not None
    assert found.updated
    assert replace(found, updated="") == record
    assert ledger.read_all([record.dataset, str(tmp_path / "other")]) == {record.dataset: found}


def test_the_environment_names_another_place_and_equal_names_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIGHTFIELD_RUNS", str(tmp_path / "results"))
    for folder in ("a", "b"):
        ledger.write(at(tmp_path / folder))
    assert len(list((tmp_path / "results/nightly").iterdir())) == 2
    assert len(ledger.read_all(str(tmp_path / folder / "fish 3") for folder in "abc")) == 2


@pytest.mark.parametrize("content", ["{", "[]", "null", "{}", '{"dataset": "x", "signature": "y", "state": "odd"}'])
def test_a_record_that_is_none_is_logged_and_passed_over(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    record = at(tmp_path)
    ledger.write(record)
    Path(ledger.place(record.dataset)).write_text(content)
    with caplog.at_level(logging.WARNING):
        assert ledger.read(record.dataset) is None
    assert "is looked at anew" in caplog.text


def test_what_a_later_version_adds_is_passed_over(tmp_path: Path) -> None:
    record = at(tmp_path)
    ledger.write(record)
    path = Path(ledger.place(record.dataset))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"more": 1}))
    found = ledger.read(record.dataset)
    assert found is not None
    assert found.message == "frames: lost"


def test_records_live_in_buckets_too(s3_bucket: str) -> None:
    record = replace(RECORD, dataset=f"{s3_bucket}/data/fish 3")
    assert ledger.read(record.dataset) is None
    ledger.write(record)
    found = ledger.read(record.dataset)
    assert found is not None
    assert replace(found, updated="") == record
