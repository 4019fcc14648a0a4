"""What ``lfcore check`` says about machines and dollars."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lfcore.prices.table import Market


def test_check_prints_offers_with_source_and_date(
    lfcore: Callable[..., object], tiny_dataset: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "LIGHTFIELD_PRICES"):
        monkeypatch.delenv(name, raising=False)
    result = lfcore("check", tiny_dataset(), "--region", "us-east-2", "--deadline", "2h", "--machines", 3)
    assert result.code == 0
    assert re.search(rf"^g6e.xlarge +{Market.SPOT} +\$0.53 to \$0.55 ", result.out, re.MULTILINE)
    assert re.search(r"^p5.4xlarge +on-demand +not known .* not known$", result.out, re.MULTILINE)
    assert re.search(r"^cheapest: \S+ spot in us-east-2, 1 machine ends within 2 h$", result.out, re.MULTILINE)
    assert "2026-11-22)" in result.out


@pytest.mark.parametrize("time", ["2", "h", "-1h", "2 fortnights", "0h"])
def test_a_deadline_that_is_no_time_is_wrong_usage(
    lfcore: Callable[..., object], tiny_dataset: Callable[..., Path], time: str
) -> None:
    result = lfcore("check", tiny_dataset(), "--deadline", time)
    assert result.code == 2
    assert "for instance 2h" in result.error
