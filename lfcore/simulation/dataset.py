"""A synthetic data set on disk: raw frames, white and dark frames, settings, and the truth.

``truth/points.json`` holds the points (z in um, y and x in camera pixels, brightness in every frame), and
``truth/volume.ome.tif`` the first frame's volume on the data set's own voxel grid, to look at.
"""

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np
import yaml

from lfcore.calibration.lattice import Lattice
from lfcore.contracts import join
from lfcore.errors import SettingsError
from lfcore.io import ome_tiff, store, tiff
from lfcore.optics.instrument import Instrument, Orientation, instrument_from
from lfcore.settings import Settings, parse_settings
from lfcore.simulation.camera import Bench, Exposure, expected_frames, record, vignetting, white_frame
from lfcore.simulation.phantoms import PRESETS, Extent, Floats, Phantom, render

UNIFORM = "uniform"
POINTS_FILE = "truth/points.json"
DARK_FRAMES = 4
WHITE_PHOTONS = 20_000.0
EDGE_PX = 0.6


@dataclass(frozen=True)
class Scenario:
    """What to simulate: ``pitch_px`` is the lenslet pitch on the camera, ``rows`` and ``columns`` whole cells.

    A cell of a hexagonal ``lattice`` holds two lenslets; its lenslets stand in ``orientation``.
    """

    preset: str = "beads"
    frames: int = 4
    seed: int = 0
    rows: int = 26
    columns: int = 30
    pitch_px: float = 11.4
    rotation_deg: float = 0.6
    points: int | None = None
    exposure: Exposure = field(default_factory=Exposure)
    lattice: Literal["square", "hexagonal"] = "square"
    orientation: Orientation = "rows"


def simulate(folder: str, scenario: Scenario) -> Phantom:
    """Write the data set and return the truth. Raises ``SettingsError`` when ``folder`` already holds one."""
    if store.exists(join(folder, "dataset.yaml")):
        raise SettingsError(f"{folder}: already holds a data set; give a new folder")
    rng = np.random.default_rng(scenario.seed)
    settings_text = _settings_text(scenario)
    settings = parse_settings(settings_text, "simulated dataset.yaml")
    bench = make_bench(instrument_from(settings, orientation=scenario.orientation), scenario)
    phantom = make_phantom(settings, bench, scenario, rng)
    light = vignetting(bench.image_shape, scenario.exposure.corner_light)
    white = white_frame(bench) * light
    frames = (
        expected_frames(bench, phantom) * light if scenario.preset != UNIFORM else np.stack([white] * scenario.frames)
    )
    _write_images(folder, frames, white, scenario.exposure, rng)
    _write_truth(folder, settings, bench, phantom, scenario)
    store.write_bytes(join(folder, "dataset.yaml"), settings_text.encode())
    return phantom


def make_bench(instrument: Instrument, scenario: Scenario) -> Bench:
    """A camera that holds the scenario's cells whole, its lattice turned about the middle of the image."""
    angle = math.radians(scenario.rotation_deg)
    height_px, width_px = (side_um / instrument.pitch_um * scenario.pitch_px for side_um in instrument.cell.size_um)
    row = (height_px * math.cos(angle), -height_px * math.sin(angle))
    column = (width_px * math.sin(angle), width_px * math.cos(angle))
    # The corners of the outermost cells, turned, must lie on the camera, and no further row or column may fit.
    steps = np.array([row, column]).T
    edges = np.array([[r, c] for r in (-0.5, scenario.rows - 0.5) for c in (-0.5, scenario.columns - 0.5)])
    corners = edges @ steps.T
    extent = corners.max(0) - corners.min(0) + EDGE_PX
    shape = (math.ceil(extent[0]), math.ceil(extent[1]))
    origin = -corners.min(0) + EDGE_PX / 2 - 0.5
    first = float(origin[0]), float(origin[1])
    lattice = Lattice(first, row, column, instrument.lattice, instrument.orientation)
    return Bench(instrument, lattice, shape)


def make_phantom(settings: Settings, bench: Bench, scenario: Scenario, rng: np.random.Generator) -> Phantom:
    """The scenario's object. Raises ``SettingsError`` for an unknown preset."""
    if scenario.preset == UNIFORM:
        return Phantom(np.empty((0, 3)), np.empty((scenario.frames, 0)))
    if scenario.preset not in PRESETS:
        raise SettingsError(f"preset '{scenario.preset}': must be one of {', '.join([*PRESETS, UNIFORM])}")
    (height_um, width_um), planes = bench.instrument.object_cell_um, settings.volume.planes_um
    size_um = scenario.rows * height_um, scenario.columns * width_um
    extent = Extent((min(planes), max(planes)), size_um, bench.instrument.object_pitch_um)
    count = {} if scenario.points is None else {"count": scenario.points}
    return PRESETS[scenario.preset](extent, scenario.frames, rng, **count)


def voxels_of(settings: Settings, lattice: Lattice, z_um: Floats, camera_px: Floats) -> Floats:
    """Fractional voxel indices (point, 3) of points at ``z_um`` (point,).

    ``camera_px`` (point, 2) is where their chief rays meet the camera, [y, x].
    """
    cell = instrument_from(settings, orientation=lattice.orientation).cell
    samples, planes = cell.samples(settings.volume.samples_per_lenslet), np.array(settings.volume.planes_um)
    order = np.argsort(planes)
    index = np.interp(z_um, planes[order], np.arange(len(planes))[order])
    return np.column_stack([index, (lattice.cells_at(camera_px) + 0.5) * samples - 0.5])


def camera_px_of(bench: Bench, phantom: Phantom) -> Floats:
    """(point, 2) where the chief rays of the points meet the camera, [y, x] px."""
    return bench.lattice.places(phantom.positions_um[:, 1:] / bench.instrument.object_cell_um)


def _settings_text(scenario: Scenario) -> str:
    pitch_um, depth_um = 125.0, 40.0
    content: dict[str, Any] = {
        "microscope": {"magnification": 20, "numerical_aperture": 0.5, "medium_index": 1.33, "wavelength_um": 0.51},
        "microlens_array": {"pitch_um": pitch_um, "focal_length_um": 2433.0, "lattice": scenario.lattice},
        "camera": {"pixel_um": pitch_um / scenario.pitch_px, "frame_interval_s": 0.1},
        "images": {"light_field": "raw/*.tif", "radiometry": "radiometry.tif", "dark": "dark.tif"},
        "volume": {"z_um": {"start": -depth_um, "stop": depth_um, "step": 8.0}, "samples_per_lenslet": 3},
        "reconstruction": {"solver": "richardson_lucy", "iterations": 16, "acceleration": True},
        "output": {"format": "ome-zarr", "dtype": "float32"},
    }
    header = (
        f"# Simulated by 'lfcore simulate --preset {scenario.preset} --seed {scenario.seed}'; the truth is in truth/.\n"
    )
    return header + yaml.safe_dump(content, sort_keys=False)


def _write_images(folder: str, frames: Floats, white: Floats, exposure: Exposure, rng: np.random.Generator) -> None:
    scale = exposure.photons / frames.max()
    for index, frame in enumerate(frames):
        path = join(folder, f"raw/frame_{index:06d}.tif")
        store.write_bytes(path, tiff.encode_image(record(frame * scale, exposure.read_noise, rng)))
    white_counts = record(white * WHITE_PHOTONS, exposure.read_noise, rng)
    darks = np.stack([record(np.zeros_like(white), exposure.read_noise, rng) for _ in range(DARK_FRAMES)])
    store.write_bytes(join(folder, "radiometry.tif"), tiff.encode_image(white_counts))
    store.write_bytes(join(folder, "dark.tif"), tiff.encode_image(np.rint(darks.mean(0)).astype(np.uint16)))


def _write_truth(folder: str, settings: Settings, bench: Bench, phantom: Phantom, scenario: Scenario) -> None:
    camera_px = camera_px_of(bench, phantom)
    points = {
        "scenario": asdict(scenario),
        "lattice": asdict(bench.lattice),
        "z_um": phantom.positions_um[:, 0].tolist(),
        "camera_px": camera_px.tolist(),
        "brightness": phantom.brightness.tolist(),
    }
    store.write_bytes(join(folder, POINTS_FILE), (json.dumps(points, indent=1) + "\n").encode())
    down, right = bench.instrument.cell.samples(settings.volume.samples_per_lenslet)
    planes = settings.volume.planes_um
    shape = (len(planes), scenario.rows * down, scenario.columns * right)
    voxels = voxels_of(settings, bench.lattice, phantom.positions_um[:, 0], camera_px)
    height_um, width_um = bench.instrument.object_cell_um
    voxel_um = planes[1] - planes[0], height_um / down, width_um / right
    volume = render(voxels, phantom.brightness[:1], shape)[0]
    ome_tiff.write_volume(join(folder, "truth/volume.ome.tif"), volume, voxel_um)
