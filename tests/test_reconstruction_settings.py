"""What the section ``reconstruction`` refuses, and in which words."""

import pytest
import yaml

from lfcore.errors import SettingsError
from lfcore.settings import REQUIRED_KEYS, merge, parse_settings


def parse(reconstruction: dict[str, object], camera: dict[str, object] | None = None) -> None:
    overrides = {"reconstruction": reconstruction, "camera": camera or {}}
    parse_settings(yaml.safe_dump(merge(REQUIRED_KEYS, overrides)), "dataset.yaml")


@pytest.mark.parametrize(
    ("reconstruction", "message"),
    [
        ({"solver": "wiener"}, "solver"),
        ({"solver": "admm_tv", "acceleration": True}, "acceleration: admm_tv cannot; say acceleration: false"),
        ({"solver": "least_squares", "acceleration": True}, "acceleration: least_squares cannot"),
        ({"regularisation": 0.1}, "richardson_lucy has none; choose solver rl_tv, or leave it out"),
        ({"solver": "rl_tv", "regularisation": -0.1}, "regularisation"),
        ({"solver": "admm_tv", "regularisation": 0}, "admm_tv needs more than 0"),
        ({"solver": "rl_tv", "huber": 0.1}, "huber: rl_tv has none; choose solver admm_tv"),
        ({"stopping": {"rule": "patience"}}, "rule"),
        ({"stopping": {"rule": "change", "tolerance": 0}}, "tolerance"),
        ({"stopping": {"rule": "discrepancy"}}, "needs camera.counts_per_electron"),
    ],
)
def test_what_does_not_fit_together_is_told(reconstruction: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as error:
        parse(reconstruction)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "reconstruction",
    [
        {"solver": "rl_tv", "acceleration": True, "regularisation": 0.0},
        {"solver": "admm_tv", "regularisation": 0.1, "huber": 0.2, "warm_start": True},
        {"solver": "least_squares", "stopping": {"rule": "change"}},
        {"stopping": {"rule": "discrepancy", "tolerance": 1.1}},
        {"stopping": {"rule": "none"}},
        {"stopping": None},
    ],
)
def test_what_fits_is_taken(reconstruction: dict[str, object]) -> None:
    parse(reconstruction, {"counts_per_electron": 0.46, "read_noise_electrons": 1.6})
