"""``lfcore init --from-lfanalyze`` as a command."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_init_converts_the_metadata_of_lfanalyze(lfcore: Callable[..., Any], tmp_path: Path) -> None:
    metadata = tmp_path / "m.txt"
    calibrate = {"ulens_pitch": 100, "pixel_size": 10}
    metadata.write_text(json.dumps({"calibrate": calibrate, "deconvolve": {"input_file": "a b.tif"}}))
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a b.tif").touch()
    result = lfcore("init", tmp_path / "new", "--from-lfanalyze", metadata, "--schema")
    assert (result.code, result.err) == (0, "")
    assert "Note: calibrate.objective_na is not given; LFAnalyze's default 0.5 is used" in result.out
    assert (tmp_path / "new" / "dataset.yaml").read_text().startswith("# yaml-language-server: $schema=dataset.schema")
    again = lfcore("init", tmp_path / "new", "--from-lfanalyze", metadata)
    assert again.code == 2
    bad = lfcore("init", tmp_path / "other", "--from-lfanalyze", tmp_path / "none.txt")
    assert (bad.code, bad.err.count("Error: ")) == (65, 1)
