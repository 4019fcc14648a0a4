import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from demo.verdict import join, judge_files, judge_jobs, judge_volume
from lfcore.contracts import Stage


def jobs(**counts: int) -> Counter[str]:
    return Counter({stage.value: 1 for stage in Stage} | {"reconstruct": 4} | counts)


def test_a_complete_run_has_no_faults() -> None:
    assert judge_jobs(jobs()).faults == []


def test_a_stage_without_a_job_is_a_fault() -> None:
    assert judge_jobs(jobs(calibrate=0)).faults == ["no Batch job of stage 'calibrate' succeeded"]


def test_too_few_reconstruct_jobs_are_a_fault() -> None:
    assert judge_jobs(jobs(reconstruct=3)).faults == ["only 3 reconstruct jobs ran, fewer than 4"]


@pytest.mark.parametrize(("found", "total", "good"), [(95, 100, True), (94, 100, False), (0, 0, False), (40, 40, True)])
def test_beads_must_be_found_again(
    found: int, total: int, good: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def compare_run(dataset: str, run: str) -> dict[str, Any]:
        return {"beads_found": found, "beads_total": total, "ncc": 0.91}

    comparison = ModuleType("lfcore.simulation.compare")
    vars(comparison)["compare_run"] = compare_run
    monkeypatch.setitem(sys.modules, "lfcore.simulation.compare", comparison)
    verdict = judge_volume(tmp_path, tmp_path)
    assert (verdict.faults == []) is good
    assert "0.910" in verdict.lines[1]


def test_missing_files_are_faults_and_all_faults_are_told(tmp_path: Path) -> None:
    verdict = join(judge_jobs(jobs(plan=0)), judge_files(tmp_path, tmp_path / "index.html"))
    assert verdict.faults == ["no Batch job of stage 'plan' succeeded", f"{tmp_path}/index.html was not written"]
    assert verdict.lines[-2:] == [f"volume: {tmp_path}", f"report: {tmp_path}/index.html"]
