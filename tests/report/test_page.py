import re
from html.parser import HTMLParser
from typing import Any

import pytest

from lfcore.report.page import Facts, render
from lfcore.report.words import bytes_in_words, calibration_verdicts, seconds_in_words
from lfcore.settings import Settings

PNG = b"\x89PNG\r\n\x1a\n-not-really"

CALIBRATION = {
    "pitch_px": [17.2011, 17.2007],
    "rotation_deg": 0.178,
    "lenslets": {"rows": 69, "columns": 69, "found": 4761, "inliers": 4757},
    "residual_px": {"rms": 0.19, "max": 0.61},
    "origin_px": [8.7, 21.0],
    "row_step_px": [17.2, -0.05],
    "column_step_px": [0.05, 17.2],
    "pixels_per_lenslet": 17,
    "image_shape": [1200, 1200],
    "source": "radiometry",
}


def settings(**microscope: object) -> dict[str, Any]:
    return Settings.model_validate(
        {
            "microscope": {"magnification": 20, "numerical_aperture": 0.5, "wavelength_um": 0.593} | microscope,
            "microlens_array": {"pitch_um": 125, "focal_length_um": 2500},
            "camera": {"pixel_um": 7.4},
            "images": {"light_field": "raw/*.tif", "dark": "dark.tif"},
            "volume": {"z_um": {"start": -60, "stop": 60, "step": 4}, "samples_per_lenslet": 3},
            "reconstruction": {"iterations": 15},
        }
    ).model_dump(mode="json")


def least() -> Facts:
    return Facts(
        dataset="fish3",
        run="runs/fish3",
        created="2026-01-02 03:04 UTC",
        settings_hash="0123456789abcdef",
        settings=settings(),
        frames={"total": 3, "done": 2, "quarantined": 1},
        stages=[{"stage": "reconstruct", "items": 2, "seconds": 75.0, "peak_memory_bytes": 3 * 1024**3}],
        quarantine=[{"stage": "normalise", "item": "frame_000002", "reason": "raw/c.tif: not a TIFF file"}],
        versions={"lfcore": "0.1.0"},
    )


def full() -> Facts:
    return Facts(
        **least(),
        inputs=[{"role": "light field", "name": "raw/a.tif", "frames": 3, "bytes": 2048}],
        volume={
            "path": "runs/fish3/volumes.ome.zarr",
            "format": "ome-zarr",
            "dtype": "float32",
            "shape": (31, 207, 207),
            "voxel_um": (4.0, 2.0833, 2.0833),
        },
        calibration=CALIBRATION,
        nominal_pitch_px=16.892,
        relative_residual=0.0912,
        frame_png=PNG,
        lattice_png=PNG,
        projections=[{"frame": 0, "png": PNG}],
        convergence_png=PNG,
        resolution_png=PNG,
        sampling_remarks=["volume.z_um: a step of 8 um is coarser than <needed>"],
    )


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags, self.attributes, self.text, self.open = [], [], "", []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in {"meta", "img"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data


@pytest.mark.parametrize("facts", [least(), full()], ids=["least", "full"])
def test_the_page_is_well_formed_and_stands_alone(facts: Facts) -> None:
    html = render(facts)
    page = Page(html)
    assert page.open == []
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert not re.search(r"https?://|@import|url\(", html)
    assert all(value.startswith("data:image/png;base64,") for name, value in page.attributes if name == "src")


def test_everything_that_is_known_is_on_the_page() -> None:
    text = Page(render(full())).text
    for expected in (
        "fish3",
        "2 of 3",
        "0.0912",
        "31 \N{MULTIPLICATION SIGN} 207",
        "4,757 of 4,761",
        "+0.178 degrees",
        "raw/c.tif: not a TIFF file",
        "1 min 15 s",
        "3.0 GiB",
        "2.0 KiB",
        "microscope.magnification",
        "lfcore 0.1.0",
        "a step of 8 um is coarser than <needed>",
    ):
        assert expected in text


def test_the_sections_follow_the_work() -> None:
    order = "summary input calibration reconstruction quarantine effort settings methods versions"
    assert re.findall(r'<section id="(\w+)"', render(full())) == order.split()


def test_methods_state_the_settings_that_were_used_and_whom_to_cite() -> None:
    text = Page(render(full())).text
    for expected in ("20x", "NA 0.5", "593 nm", "31 planes from -60 to 60 um", "15 iterations", "17.201", "3 x 3"):
        assert expected in text
    for author in ("Broxton M.", "Levoy M.", "Richardson W. H.", "Lucy L. B."):
        assert author in text


def test_hostile_names_are_text_and_nothing_else() -> None:
    hostile = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>{{ 7*7 }}"
    facts = full()
    facts["dataset"] = facts["run"] = hostile
    facts["quarantine"] = [{"stage": hostile, "item": hostile, "reason": hostile}]
    facts["inputs"] = [{"role": hostile, "name": hostile, "frames": 1, "bytes": 1, "checksum": hostile}]
    facts["versions"] = {hostile: hostile}
    facts["settings"]["images"]["light_field"] = hostile
    page = Page(render(facts))
    assert "script" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert page.text.count(hostile) >= 8


def test_what_is_not_there_is_said() -> None:
    text = Page(render(least())).text
    assert "No calibration was made" in text
    assert "No frame was reconstructed" in text


def test_a_band_of_wavelengths_is_named_by_its_ends() -> None:
    facts = full()
    facts["settings"] = settings(wavelength_um=[{"um": 0.5, "weight": 1}, {"um": 0.56, "weight": 2}])
    assert "emission at 500 to 560 nm" in Page(render(facts)).text


def test_a_poor_calibration_is_flagged() -> None:
    assert all(verdict.is_good for verdict in calibration_verdicts(CALIBRATION, 16.892))
    poor = CALIBRATION | {"residual_px": {"rms": 1.0, "max": 3.0}}
    flagged = {verdict.name for verdict in calibration_verdicts(poor, 15.0) if not verdict.is_good}
    assert flagged == {"residual, rms", "residual, largest", "measured over nominal pitch"}


def test_numbers_in_words() -> None:
    assert [bytes_in_words(count) for count in (0, 1023, 1536, 5 * 1024**4)] == ["0 B", "1023 B", "1.5 KiB", "5.0 TiB"]
    assert [seconds_in_words(s) for s in (0.04, 59.9, 61, 3725)] == ["0.0 s", "59.9 s", "1 min 1 s", "1 h 2 min"]
