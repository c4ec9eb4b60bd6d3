"""Made-up SAR scenes in SARDet-100K's layout, for the demo, for tests and for runs at full scale.

A scene is made in two steps. *Planning* decides size, file type and boxes (or takes them from an annotation file).
*Drawing* turns a plan into pixels as a radar would: a map of reflectivity (dark water, textured land, bright targets
where the boxes are) times speckle, which is multiplicative. Textures and speckle are cut at random places out of a few
large sheets that every process makes once, so that an image of 256 × 256 pixels costs about as much as its encoding.

Everything about an image follows from the seed, its split and its position, whatever the number of processes.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import shutil
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from sarchat2m.errors import SARChatError
from sarchat2m.schedulers import local_processes
from sarchat2m.vocabulary import CATEGORIES

__all__ = ["Plan", "draw", "plan_scene", "synthesize"]

Pixels = NDArray[np.float32]
Bbox = tuple[float, float, float, float]

_SPLITS = ("train", "val", "test")
_SHARES = (0.81, 0.09, 0.10)


class Plan(NamedTuple):
    """What an image shows, before it is drawn."""

    key: tuple[int, int, int]
    """Seed, split and position: all that chance depends on."""
    file_name: str
    width: int
    height: int
    targets: tuple[tuple[str, Bbox], ...]
    """The category's name and COCO's box, [x, y, width, height] in pixels."""


def _generator(key: tuple[int, int, int], step: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([*key, step]))


# Planning -------------------------------------------------------------------------------------------------------------


class _Kind(NamedTuple):
    """A kind of scene: one of the ten sources of SARDet-100K, roughly, or a part of one."""

    weight: float
    prefix: str
    extension: str
    sizes: tuple[tuple[int, int], ...]
    contents: tuple[tuple[str, int, int, float, float], ...]
    """Of each category: least and most targets, least and most length as a share of the image's shorter side."""


_SQUARES = ((512, 512), (640, 640), (800, 800))
_KINDS = (
    _Kind(44, "sea", ".jpg", ((256, 256),), (("ship", 1, 2, 0.08, 0.24),)),
    _Kind(3, "anchorage", ".jpg", ((256, 256),), (("ship", 2, 6, 0.06, 0.16),)),
    _Kind(1, "coast", ".png", ((800, 800), (640, 640)), (("ship", 3, 14, 0.03, 0.12),)),
    _Kind(1, "strait", ".jpg", ((500, 350), (416, 320)), (("ship", 1, 4, 0.06, 0.3),)),
    _Kind(16, "river", ".jpg", ((256, 256),), (("bridge", 1, 2, 0.12, 0.5),)),
    _Kind(4, "port", ".png", ((256, 256), (512, 512)), (
        ("harbor", 0, 1, 0.2, 0.45), ("bridge", 1, 2, 0.1, 0.35), ("ship", 1, 4, 0.06, 0.16),
    )),
    _Kind(5, "depot", ".jpg", ((256, 256),), (("tank", 1, 8, 0.05, 0.16),)),
    _Kind(1.5, "terminal", ".png", ((256, 256),), (
        ("tank", 1, 8, 0.06, 0.14), ("harbor", 0, 1, 0.25, 0.5), ("ship", 0, 3, 0.08, 0.18),
    )),
    _Kind(10, "airport", ".jpg", _SQUARES, (("aircraft", 1, 7, 0.07, 0.17),)),
    _Kind(2, "apron", ".jpg", ((224, 224),), (("aircraft", 1, 3, 0.2, 0.62),)),
    _Kind(1, "street", ".jpg", ((512, 512),), (("car", 3, 17, 0.03, 0.06),)),
    _Kind(0.5, "roadstead", ".bmp", ((512, 512), (640, 640)), (("ship", 1, 5, 0.08, 0.3),)),
    _Kind(0.15, "fleet", ".png", ((800, 800),), (("ship", 31, 48, 0.02, 0.05),)),
)  # fmt: skip
# The weights give the categories' shares about as the paper's Table 1 has them: ship 47 %, aircraft 20, car 5, tank 12,
# bridge 14, harbor 2.
_PROBABILITIES = np.array([kind.weight for kind in _KINDS]) / sum(kind.weight for kind in _KINDS)

# Every split opens with these, so that a handful of images already holds each category, each subset and each file type:
# one target; several categories; more than 30 targets of one category; large targets for the descriptions; cars.
_OPENING = (
    _Kind(0, "sea", ".jpg", ((256, 256),), (("ship", 1, 1, 0.22, 0.4),)),
    _Kind(0, "port", ".png", ((512, 512),), (
        ("harbor", 1, 1, 0.28, 0.4), ("bridge", 1, 1, 0.25, 0.35), ("ship", 3, 4, 0.12, 0.22),
    )),
    _Kind(0, "depot", ".jpg", ((640, 640),), (("tank", 34, 40, 0.05, 0.09), ("ship", 1, 2, 0.12, 0.2))),
    _Kind(0, "airport", ".jpg", ((512, 512),), (("aircraft", 3, 6, 0.14, 0.24),)),
    _Kind(0, "street", ".bmp", ((512, 512),), (("car", 4, 9, 0.04, 0.08), ("bridge", 1, 1, 0.3, 0.4))),
)  # fmt: skip

_BREADTHS = {"ship": (0.16, 0.34), "bridge": (0.1, 0.22), "car": (0.4, 0.5)}
"""Breadth by length of the long categories, which lie in any direction; the others fill a nearly square box."""


def _box_size(category: str, length: float, rng: np.random.Generator) -> tuple[float, float]:
    if category in _BREADTHS:
        breadth = length * rng.uniform(*_BREADTHS[category])
        angle = rng.uniform(0, math.pi / 2)
        return (
            length * math.cos(angle) + breadth * math.sin(angle),
            length * math.sin(angle) + breadth * math.cos(angle),
        )
    ratio = rng.uniform(0.97, 1.03) if category == "tank" else rng.uniform(0.75, 1.35)
    return length * math.sqrt(ratio), length / math.sqrt(ratio)


def _apart(box: Bbox, others: Sequence[tuple[str, Bbox]], gap: float) -> bool:
    x, y, width, height = box
    return all(
        x + width + gap <= other[0]
        or other[0] + other[2] + gap <= x
        or y + height + gap <= other[1]
        or other[1] + other[3] + gap <= y
        for _, other in others
    )


def plan_scene(seed: int, split: int, index: int) -> Plan:
    """Plan the scene at a position of a split (0 train, 1 val, 2 test).

    >>> plan_scene(0, 0, 1).file_name, sorted({category for category, _ in plan_scene(0, 0, 1).targets})
    ('port_train_000001.png', ['bridge', 'harbor', 'ship'])
    """
    rng = _generator((seed, split, index), 0)
    kind = _OPENING[index] if index < len(_OPENING) else _KINDS[int(rng.choice(len(_KINDS), p=_PROBABILITIES))]
    width, height = kind.sizes[int(rng.integers(len(kind.sizes)))]
    targets: list[tuple[str, Bbox]] = []
    for category, least, most, shortest, longest in kind.contents:
        for _ in range(int(rng.integers(least, most + 1))):
            for _ in range(60):
                length = min(width, height) * rng.uniform(shortest, longest)
                box_width, box_height = (max(round(side, 1), 3.0) for side in _box_size(category, length, rng))
                x = round(rng.uniform(0, width - box_width), 1)
                y = round(rng.uniform(0, height - box_height), 1)
                if _apart((x, y, box_width, box_height), targets, gap=3):
                    targets.append((category, (x, y, box_width, box_height)))
                    break
    file_name = f"{kind.prefix}_{_SPLITS[split]}_{index:06d}{kind.extension}"
    return Plan((seed, split, index), file_name, width, height, tuple(targets))


def _split_sizes(images: int) -> list[int]:
    """Share out the images as SARDet-100K does, at least one to a split."""
    sizes = [max(1, round(images * share)) for share in _SHARES]
    sizes[0] = max(1, images - sizes[1] - sizes[2])
    return sizes


# Drawing: the sheets --------------------------------------------------------------------------------------------------

_SHEET = 1280  # pixels a side: 800 of the largest scene, and room to cut it out at many places


def _fractal(rng: np.random.Generator, coarsest: int, octaves: int) -> Pixels:
    """Draw a smooth random surface of mean 0 and deviation 1, its largest features `coarsest` pixels wide."""
    surface = np.zeros((_SHEET, _SHEET), np.float32)
    for octave in range(octaves):
        cells = _SHEET * 2**octave // coarsest + 3
        grid = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
        surface += np.asarray(grid.resize((_SHEET, _SHEET), Image.Resampling.BICUBIC)) * np.float32(0.55**octave)
    surface -= surface.mean()
    surface /= surface.std()
    return surface


def _turned(sheet: Pixels, degrees: float) -> Pixels:
    """Turn a sheet that is half as large again, and cut the middle out of it."""
    turned = Image.fromarray(sheet).rotate(degrees, Image.Resampling.BILINEAR)
    margin = (turned.width - _SHEET) // 2
    return np.asarray(turned)[margin : margin + _SHEET, margin : margin + _SHEET]


def _fields(rng: np.random.Generator) -> Pixels:
    """Draw farmland: a turned chequer of patches, each of its own brightness."""
    side = _SHEET * 3 // 2
    grid = Image.fromarray(rng.gamma(6, 1 / 6, (side // 36, side // 22)).astype(np.float32))
    return _turned(np.asarray(grid.resize((side, side), Image.Resampling.NEAREST)), 24)


def _buildings(rng: np.random.Generator) -> Pixels:
    """Draw streets of houses: short bright edges in rows, with gaps."""
    side = _SHEET * 3 // 2
    sheet = np.zeros((side, side), np.float32)
    for y in range(4, side - 8, 11):
        for x in range(4, side - 12, 13):
            if rng.random() < 0.6:
                top, left = y + rng.integers(3), x + rng.integers(4)
                length, brightness = rng.integers(2, 10), rng.gamma(1, 2.2)
                along, across = (1, length) if rng.random() < 0.5 else (length, 1)
                sheet[top : top + along + 1, left : left + across + 1] = brightness
    return _turned(sheet, -31)


class _Sheets(NamedTuple):
    speckle: tuple[Pixels, ...]
    """Amplitude of mean square 1 for 1, 3 and 10 looks, slightly correlated as oversampled images are."""
    relief: Pixels
    """What decides between land and water."""
    swell: Pixels
    land: Pixels
    town: Pixels


@lru_cache(maxsize=1)
def _sheets() -> _Sheets:
    rng = np.random.Generator(np.random.PCG64(2502_08168))
    speckle = []
    for looks in (1, 3, 10):
        intensity = rng.gamma(looks, 1 / looks, (_SHEET, _SHEET)).astype(np.float32)
        neighbours = np.roll(intensity, 1, 0) + np.roll(intensity, 1, 1) + np.roll(intensity, (1, 1), (0, 1))
        speckle.append(np.sqrt(0.55 * intensity + 0.15 * neighbours, dtype=np.float32))
    roughness = np.exp(0.35 * _fractal(rng, 40, 4))
    land = roughness * (0.5 + 0.5 * _fields(rng))
    relief = _fractal(rng, 320, 6)
    town = land * 0.55 + _buildings(rng) * np.clip(0.6 + 0.7 * _fractal(rng, 160, 3), 0, 2)
    swell = np.exp(0.22 * _fractal(rng, 90, 3))
    return _Sheets(tuple(speckle), relief, swell.astype(np.float32), land.astype(np.float32), town.astype(np.float32))


def _cut(sheet: Pixels, width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Cut a piece out of a sheet at a random place, mirrored at random; a larger piece than the sheet repeats it."""
    repeats = -(-height // _SHEET), -(-width // _SHEET)
    if repeats != (1, 1):
        sheet = np.tile(sheet, repeats)
    y, x = (int(rng.integers(sheet.shape[axis] - side + 1)) for axis, side in ((0, height), (1, width)))
    piece = sheet[y : y + height, x : x + width]
    mirror = int(rng.integers(4))
    return piece[:: -1 if mirror & 1 else 1, :: -1 if mirror & 2 else 1]


# Drawing: the ground --------------------------------------------------------------------------------------------------

_AFLOAT = ("ship", "bridge", "harbor")


def _grown(box: Bbox, margin: float, width: int, height: int) -> tuple[slice, slice]:
    """Give the part of the image that a box covers when it grows by a margin on every side."""
    x, y, box_width, box_height = box
    return (
        slice(max(0, math.floor(y - margin)), min(height, math.ceil(y + box_height + margin))),
        slice(max(0, math.floor(x - margin)), min(width, math.ceil(x + box_width + margin))),
    )


def _hill(box: Bbox, margin: float, window: tuple[slice, slice]) -> Pixels:
    """Rise from 0 far off to 1 at the centre of a box, and be one half about where the box, grown by a margin, ends."""
    rows, columns = window
    x, y, box_width, box_height = box
    down = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5 - (y + box_height / 2)) / (box_height / 2 + margin)
    right = (np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5 - (x + box_width / 2)) / (
        box_width / 2 + margin
    )
    hill: Pixels = np.exp(np.float32(-0.7) * down**2)[:, None] * np.exp(np.float32(-0.7) * right**2)[None, :]
    return hill


def _across(width: int, height: int, centre: tuple[float, float], angle: float) -> Pixels:
    """Give every pixel's distance in pixels, with its sign, from a line through `centre` that runs at `angle`."""
    right = (np.arange(width, dtype=np.float32) + 0.5 - centre[0]) * np.float32(math.sin(angle))
    down = (np.arange(height, dtype=np.float32) + 0.5 - centre[1]) * np.float32(math.cos(angle))
    distance: Pixels = down[:, None] - right[None, :]
    return distance


def _seaward(plan: Plan, centre: tuple[float, float], angles: Sequence[float]) -> float:
    """Choose the direction (0 is down, a quarter turn is right) in which the ships lie most to sea of a centre."""
    ships = [(x + w / 2 - centre[0], y + h / 2 - centre[1]) for name, (x, y, w, h) in plan.targets if name == "ship"]
    return max(angles, key=lambda a: min((dx * math.sin(a) + dy * math.cos(a) for dx, dy in ships), default=0))


def _relief(plan: Plan, rng: np.random.Generator) -> Pixels:
    """Draw what decides between land (above 0) and water: a tilted plane with hills, cut by rivers under bridges."""
    width, height = plan.width, plan.height
    side = min(width, height)
    categories = {category for category, _ in plan.targets}
    relief: Pixels = 0.55 * _cut(_sheets().relief, width, height, rng)
    if not categories & set(_AFLOAT):
        relief += 3
    elif not categories & {"ship", "harbor"}:
        relief += 1.6
    else:
        centre = (width * rng.uniform(0.35, 0.65), height * rng.uniform(0.35, 0.65))
        seaward = _seaward(plan, centre, rng.uniform(0, 2 * math.pi, 6).tolist())
        for category, box in plan.targets:
            if category == "harbor":  # the coast runs along its quay
                x, y, box_width, box_height = box
                seaward = _quay(plan, box) * math.pi / 2
                centre = (
                    x + box_width * (0.5 - 0.4 * math.sin(seaward)),
                    y + box_height * (0.5 - 0.4 * math.cos(seaward)),
                )
        relief -= _across(width, height, centre, -seaward) * np.float32(5 / side)
        if "tank" in categories and "harbor" not in categories:
            relief += 1.6
    bridges = [box for category, box in plan.targets if category == "bridge"]
    for box in bridges:  # for its ends to stand on
        length = math.hypot(box[2], box[3])
        window = _grown(box, 0.8 * length, width, height)
        shore = 5 * (_hill(box, 0.2 * length, window) - np.float32(0.35))
        np.maximum(relief[window], 0.4 * relief[window] + shore, out=relief[window])
    banks = np.clip(relief, -1.5, 1.5) * np.float32(0.12)
    for box in bridges:
        x, y, box_width, box_height = box
        along = math.atan2(box_height, box_width) * _leaning(plan, box)
        river = np.abs(_across(width, height, (x + box_width / 2, y + box_height / 2), along + math.pi / 2))
        bank = np.float32(0.36 * math.hypot(box_width, box_height))
        np.minimum(relief, (river - bank) / np.float32(0.2 * side) + banks, out=relief)
    margin = 0.02 * side
    # Ships last, since a ship on land would look stranger than a tank by the water.
    for category, box in sorted(plan.targets, key=lambda target: target[0] == "ship"):
        if category == "ship" or category not in _AFLOAT:
            window = _grown(box, 0.9 * max(box[2], box[3]) + 3 * margin, width, height)
            shore = 5 * (_hill(box, margin, window) - np.float32(0.45))
            if category == "ship":
                np.minimum(relief[window], 0.4 * relief[window] - shore, out=relief[window])
            else:
                np.maximum(relief[window], 0.4 * relief[window] + shore, out=relief[window])
    return relief


def _ground(plan: Plan, rng: np.random.Generator) -> Pixels:
    """Draw the reflectivity (an amplitude; 1 is mean land) of water and land around the targets of a plan."""
    sheets, width, height = _sheets(), plan.width, plan.height
    categories = {category for category, _ in plan.targets}
    side = min(width, height)
    sea = np.float32(rng.choice((0.05, 0.1, 0.22, 0.42), p=(0.3, 0.3, 0.25, 0.15))) * rng.uniform(0.8, 1.25)
    water: Pixels = _cut(sheets.swell, width, height, rng) * np.float32(sea)
    if categories <= {"ship"} and rng.random() < 0.55:
        return water

    relief = _relief(plan, rng)
    is_urban = bool(rng.random() < 0.5) or "car" in categories
    land = _cut(sheets.town if is_urban else sheets.land, width, height, rng)
    water *= np.float32(0.6)
    ground: Pixels = np.where(relief > 0, land * np.float32(rng.uniform(0.35, 0.8)), water)
    if "aircraft" in categories or "car" in categories:
        for _ in range(2):  # runways, roads
            line = _across(width, height, (rng.uniform(0, width), rng.uniform(0, height)), rng.uniform(0, math.pi))
            ground[(np.abs(line) < 0.025 * side) & (relief > 0)] = 0.08
    for category, box in plan.targets:
        if category in ("aircraft", "tank", "car"):  # paved: smooth and rather dark
            window = _grown(box, 0.7 * max(box[2], box[3]) + 6, width, height)
            ground[window] += _hill(box, 2, window) * (np.float32(0.14) - ground[window])
    return ground


# Drawing: the targets -------------------------------------------------------------------------------------------------


def _leaning(plan: Plan, box: Bbox) -> int:
    """Decide whether a long target runs down (1) or up (-1) from left to right: the box alone does not say."""
    return 1 if (int(box[0]) * 7 + int(box[1]) * 13 + plan.key[2]) % 2 else -1


def _quay(plan: Plan, box: Bbox) -> int:
    """Decide to which side of a harbor the water lies: 0 below, 1 right, 2 above, 3 left of its quay."""
    first = (int(box[0]) * 3 + int(box[1]) * 5 + plan.key[2]) % 4
    sides = [(first + turn) % 4 for turn in range(4)]
    centre = (box[0] + box[2] / 2, box[1] + box[3] / 2)
    return round(_seaward(plan, centre, [side * math.pi / 2 for side in sides]) * 2 / math.pi)


def _axis(width: float, height: float, breadth: float) -> tuple[float, float]:
    """Give angle and length of a bar of the given breadth by length whose bounding box is width × height."""
    down, right = max(height - breadth * width, 0), max(width - breadth * height, 0)
    angle = math.atan2(down, right)
    return angle, max(width, height) / (
        max(math.cos(angle), math.sin(angle)) + breadth * min(math.cos(angle), math.sin(angle))
    )


def _distance(x: Pixels, y: Pixels, segments: Sequence[tuple[float, float, float, float]]) -> Pixels:
    """Give every pixel's distance to the nearest of some line segments (x1, y1, x2, y2)."""
    nearest = np.full(np.broadcast_shapes(x.shape, y.shape), np.inf, np.float32)
    for x1, y1, x2, y2 in segments:
        dx, dy = x2 - x1, y2 - y1
        share = np.clip(((x - x1) * dx + (y - y1) * dy) / max(dx * dx + dy * dy, 1e-6), 0, 1)
        np.minimum(nearest, np.hypot(x - x1 - share * dx, y - y1 - share * dy), out=nearest)
    return nearest


def _ship(plan: Plan, box: Bbox, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    _, _, width, height = box
    breadth = rng.uniform(*_BREADTHS["ship"])
    angle, length = _axis(width, height, breadth)
    angle *= _leaning(plan, box)
    along = ((x - width / 2) * math.cos(angle) + (y - height / 2) * math.sin(angle)) / (length / 2)
    across = ((y - height / 2) * math.cos(angle) - (x - width / 2) * math.sin(angle)) / (length / 2)
    half = max(breadth, 2.2 / length)
    hull = np.abs(across) < half * (1 - 0.7 * np.clip(np.abs(along), 0, 1) ** 3)
    bridge = rng.uniform(0.45, 0.75) * rng.choice((-1, 1))
    superstructure = np.exp(-(((along - bridge) / 0.2) ** 2) - (across / half) ** 2)
    rim = np.clip(np.abs(across) / half, 0, 1) ** 2
    return np.where(hull & (np.abs(along) <= 1), 0.7 + 1.3 * rim + 5 * superstructure, 0)


def _aircraft(plan: Plan, box: Bbox, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    _, _, width, height = box
    heading = rng.uniform(0, 2 * math.pi)
    sine, cosine = math.sin(heading), math.cos(heading)
    corners = [(0, -1), (0, 1), (-0.95, 0.3), (0.95, 0.3), (0, -0.15), (-0.36, 0.98), (0.36, 0.98), (0, 0.75)]
    turned = [(a * cosine - b * sine, a * sine + b * cosine) for a, b in corners]
    left, top = (min(point[axis] for point in turned) for axis in (0, 1))
    right, bottom = (max(point[axis] for point in turned) for axis in (0, 1))
    thickness = max(0.9, 0.05 * min(width, height))
    points = [
        (
            thickness + (px - left) / (right - left) * max(width - 2 * thickness, 0),
            thickness + (py - top) / (bottom - top) * max(height - 2 * thickness, 0),
        )
        for px, py in turned
    ]
    nose, tail, wing_left, wing_right, root, fin_left, fin_right, fin = points
    segments = [(*nose, *tail), (*wing_left, *root), (*wing_right, *root), (*fin_left, *fin), (*fin_right, *fin)]
    body: Pixels = np.float32(1.1) * np.exp(-((_distance(x, y, segments) / thickness) ** 2))
    engines = [(0.55 * wx + 0.45 * root[0], 0.55 * wy + 0.45 * root[1]) for wx, wy in (wing_left, wing_right)]
    spots = [(*point, *point) for point in (*engines, nose, root, fin, wing_left, wing_right)]
    body += np.float32(5) * np.exp(-((_distance(x, y, spots) / (0.9 * thickness)) ** 2))
    return body


def _tank(plan: Plan, box: Bbox, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    _, _, width, height = box
    right, down = (x - width / 2) / (width / 2), (y - height / 2) / (height / 2)
    radius = np.hypot(right, down)
    look = rng.uniform(-0.5, 0.5)  # the side that faces the radar returns most
    facing = np.clip(-(right * math.cos(look) + down * math.sin(look)) / np.maximum(radius, 0.05), 0, 1)
    rim = np.exp(-(((radius - 0.84) / max(0.12, 1.2 / width)) ** 2)) * (0.5 + 4.5 * facing**3)
    roof = np.exp(-(((right + 0.45) / 0.12) ** 2) - ((down - 0.5 * look) / 0.16) ** 2)
    return np.where(radius < 1.02, rim + 2.2 * roof + 0.1, 0)


def _bridge(plan: Plan, box: Bbox, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    _, _, width, height = box
    angle, length = _axis(width, height, 0.1)
    angle *= _leaning(plan, box)
    along = (x - width / 2) * math.cos(angle) + (y - height / 2) * math.sin(angle)
    across = (y - height / 2) * math.cos(angle) - (x - width / 2) * math.sin(angle)
    half = max(1.1, 0.035 * length)
    deck = np.exp(-((across / half) ** 2)) * (np.abs(along) < length / 2)
    echo = np.exp(-(((across - 2.8 * half) / half) ** 2)) * (np.abs(along) < 0.4 * length)  # by way of the water
    piers = np.cos(along * (2 * math.pi * rng.integers(4, 9) / length)) > 0.75
    body: Pixels = deck * (1.8 + 2.2 * piers) + 0.7 * echo
    return body


def _harbor(plan: Plan, box: Bbox, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    _, _, width, height = box
    piers = int(rng.integers(3, 6))
    thick = 0.045 * min(width, height) + 0.6
    # A quay along one side of the box, piers from it to the other side: drawn in a unit square, then turned.
    teeth = [((i + 0.5) / piers, 0.12, (i + 0.5) / piers, rng.uniform(0.7, 0.97)) for i in range(piers)]
    segments = [(0.02, 0.1, 0.98, 0.1), *teeth]
    seaward = _quay(plan, box)
    if seaward in (2, 3):
        segments = [(a, 1 - b, c, 1 - d) for a, b, c, d in segments]
    if seaward in (1, 3):
        segments = [(b, a, d, c) for a, b, c, d in segments]
    scaled = [(a * width, b * height, c * width, d * height) for a, b, c, d in segments]
    distance = _distance(x, y, scaled)
    return np.where(distance < thick, 1.0 + 2.4 * (distance > 0.45 * thick), 0)


def _car(plan: Plan, box: Bbox, x: Pixels, y: Pixels, rng: np.random.Generator) -> Pixels:
    _, _, width, height = box
    angle, length = _axis(width, height, 0.45)
    angle *= _leaning(plan, box)
    along = ((x - width / 2) * math.cos(angle) + (y - height / 2) * math.sin(angle)) / (length / 2)
    across = ((y - height / 2) * math.cos(angle) - (x - width / 2) * math.sin(angle)) / (0.45 * length / 2)
    edge = np.maximum(np.abs(along), np.abs(across))
    return np.where(edge < 1, 0.8 + 4.5 * (edge > 0.6), 0)


_PAINTERS: dict[str, Callable[[Plan, Bbox, Pixels, Pixels, np.random.Generator], Pixels]] = {
    "ship": _ship,
    "aircraft": _aircraft,
    "car": _car,
    "tank": _tank,
    "bridge": _bridge,
    "harbor": _harbor,
}


def _paint_target(ground: Pixels, plan: Plan, category: str, box: Bbox, rng: np.random.Generator) -> None:
    """Paint one target into its box; of another set's category, a bright body like a ship's."""
    x, y, width, height = box
    window = rows, columns = _grown(box, 0, plan.width, plan.height)
    if rows.start >= rows.stop or columns.start >= columns.stop or width <= 0 or height <= 0:
        return
    right = (np.arange(columns.start, columns.stop, dtype=np.float32) + np.float32(0.5 - x))[None, :]
    down = (np.arange(rows.start, rows.stop, dtype=np.float32) + np.float32(0.5 - y))[:, None]
    body = _PAINTERS.get(category, _ship)(plan, box, right, down, rng)
    # Corners and edges of metal scatter far more than the rest: single-look speckle, squared, makes such points.
    scatterers = _cut(_sheets().speckle[0], columns.stop - columns.start, rows.stop - rows.start, rng) ** 3
    body = body * (0.25 + 0.9 * scatterers) * np.float32(rng.uniform(0.7, 1.4))
    if category == "car":
        shadow = (slice(rows.start, rows.stop), slice(columns.stop, min(columns.stop + round(width / 2), plan.width)))
        ground[shadow] *= 0.2
    np.maximum(ground[window], body, out=ground[window])
    if category == "ship" and rng.random() < 0.2:  # sidelobes of a strong scatterer, along range and azimuth
        row, column = np.unravel_index(int(body.argmax()), body.shape)
        row, column = int(row) + rows.start, int(column) + columns.start
        reach = np.float32(rng.uniform(2, 5))
        for line, centre in ((ground[row], column), (ground[:, column], row)):
            away = np.abs(np.arange(len(line), dtype=np.float32) - np.float32(centre))
            np.maximum(line, np.float32(3) / (1 + away / reach) - np.float32(0.06), out=line)


def draw(plan: Plan) -> NDArray[np.uint8]:
    """Draw a planned scene: an array of height × width grey values.

    >>> draw(plan_scene(0, 0, 0)).shape
    (256, 256)
    """
    rng = _generator(plan.key, 1)
    ground = _ground(plan, rng)
    for category, box in plan.targets:
        _paint_target(ground, plan, category, box, rng)
    looks = int(rng.choice(3, p=(0.35, 0.45, 0.2)))
    amplitude = ground * _cut(_sheets().speckle[looks], plan.width, plan.height, rng)
    amplitude *= np.float32(rng.uniform(95, 150))
    grey: NDArray[np.uint8] = np.minimum(amplitude, 255).astype(np.uint8)
    return grey


# Writing --------------------------------------------------------------------------------------------------------------


def _encoded(plan: Plan) -> bytes:
    image = Image.fromarray(draw(plan))
    extension = PurePosixPath(plan.file_name).suffix.lower()
    stream = io.BytesIO()
    if extension in (".jpg", ".jpeg"):
        image.save(stream, "JPEG", quality=90)
    elif extension == ".png":
        image.save(stream, "PNG", compress_level=1)
    else:
        image.save(stream, Image.registered_extensions()[extension])
    return stream.getvalue()


def _write(path: Path, content: bytes) -> None:
    """Write a file so that its final name only ever stands for the whole of it."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)


def _draw_into(chunk: tuple[Path, Sequence[Plan]]) -> int:
    folder, plans = chunk
    for plan in plans:
        path = folder / plan.file_name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write(path, _encoded(plan))
    return len(plans)


def _coco(plans: Sequence[Plan]) -> bytes:
    """Write down the plans of one split in COCO's detection format."""
    images = [
        {"id": i, "file_name": plan.file_name, "width": plan.width, "height": plan.height}
        for i, plan in enumerate(plans)
    ]
    targets = [(i, target) for i, plan in enumerate(plans) for target in plan.targets]
    annotations = [
        {
            "id": number,
            "image_id": image,
            "category_id": CATEGORIES.index(category),
            "bbox": list(box),
            "area": round(box[2] * box[3], 2),
            "iscrowd": 0,
        }
        for number, (image, (category, box)) in enumerate(targets)
    ]
    categories = [{"id": i, "name": name, "supercategory": "none"} for i, name in enumerate(CATEGORIES)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories}).encode()


def _read_like(path: Path, images: int | None) -> dict[str, Any]:
    """Read an annotation file, or as much of it as belongs to its first `images` images."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        data: dict[str, Any] = json.loads(content)
        data["images"] = data["images"][:images]
        wanted = {image["id"] for image in data["images"]}
        data["annotations"] = [a for a in data["annotations"] if a["image_id"] in wanted]
    except FileNotFoundError:
        raise SARChatError(f"There is no annotation file {path}: name a COCO file (.json or .json.gz).") from None
    except (OSError, EOFError, ValueError, TypeError, KeyError) as error:
        raise _not_coco(path, error) from None
    return data


def _not_coco(path: Path, error: Exception) -> SARChatError:
    return SARChatError(
        f'{path} cannot be read as COCO\'s detection format, with "images", "annotations" and "categories" '
        f"({type(error).__name__}: {error})."
    )


def _plans_like(path: Path, data: dict[str, Any], seed: int) -> list[Plan]:
    try:
        names = {category["id"]: str(category["name"]) for category in data["categories"]}
        targets: dict[Any, list[tuple[str, Bbox]]] = {image["id"]: [] for image in data["images"]}
        for annotation in data["annotations"]:
            x, y, width, height = (float(value) for value in annotation["bbox"])
            if all(map(math.isfinite, (x, y, width, height))):
                targets[annotation["image_id"]].append((names[annotation["category_id"]], (x, y, width, height)))
        plans = [
            Plan((seed, 0, i), str(o["file_name"]), int(o["width"]), int(o["height"]), tuple(targets[o["id"]]))
            for i, o in enumerate(data["images"])
        ]
    except (ValueError, TypeError, KeyError) as error:
        raise _not_coco(path, error) from None
    for plan in plans:
        name = PurePosixPath(plan.file_name)
        can_save = Image.registered_extensions().get(name.suffix.lower()) in Image.SAVE
        if name.is_absolute() or ".." in name.parts or not can_save:
            raise SARChatError(f'{path}: no image can be written under the name "{plan.file_name}"; rename it there.')
        if plan.width < 1 or plan.height < 1:
            raise SARChatError(f'{path}: image "{plan.file_name}" has no size ({plan.width} × {plan.height}).')
    return plans


def synthesize(
    out: Path,
    images: int | None = None,
    seed: int = 0,
    like: Path | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write made-up SAR images with their annotations in SARDet-100K's layout.

    The folder gets `Annotations/{train,val,test}.json` (COCO detection) and `JPEGImages/<split>/<file_name>`: all six
    categories, 224 to 800 pixels, .jpg, .png and .bmp, with about 81, 9 and 10 % of the images in the three splits and
    at least one in each. From 50 images on every split holds each category, and single, multiple and dense scenes.

    The work is done in `<out>.partial`, out of which the whole takes its final name at the end. After an interruption
    the same call goes on with what is there.

    Args:
        out: The folder to write; it must not exist, or be empty.
        images: How many images in all, at least 3; with `like`, how many of its images, and without a number all.
        seed: Another seed gives other scenes; the same seed and number of images give the same bytes.
        like: An annotation file (.json or .json.gz) to draw images for, under the names, sizes and boxes that it
            states. The folder then has the split `train` alone.
        workers: Number of processes.
        progress: Called now and then with the number of images done and the number in all.

    Raises:
        SARChatError: `out` holds something, `images` is too small, `like` cannot be read, or the disk is full.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SARChatError(f"{out} is there already and not empty: name a new folder, or remove it first.")
    if like is not None:
        data = _read_like(like, images)
        plans = {"train": _plans_like(like, data, seed)}
        annotations = {"train": json.dumps(data).encode()}
    elif images is None or images < len(_SPLITS):
        raise SARChatError(f"{images or 0} images do not fill the three splits: ask for at least {len(_SPLITS)}.")
    else:
        sizes = zip(_SPLITS, _split_sizes(images), strict=True)
        plans = {name: [plan_scene(seed, i, k) for k in range(size)] for i, (name, size) in enumerate(sizes)}
        annotations = {name: _coco(scenes) for name, scenes in plans.items()}

    work = out.with_name(out.name + ".partial")
    tree = work / "tree"
    try:
        _open_work(work, {"seed": seed, "annotations": {k: sha256(v).hexdigest() for k, v in annotations.items()}})
        chunks = [
            (tree / "JPEGImages" / name, scenes[start : start + 64])
            for name, scenes in plans.items()
            for start in range(0, len(scenes), 64)
        ]
        total, done = sum(map(len, plans.values())), 0
        with local_processes(workers) as run:
            for drawn in run(_draw_into, chunks):
                done += drawn
                if progress:
                    progress(done, total)
        for name, content in annotations.items():
            (tree / "Annotations").mkdir(exist_ok=True)
            _write(tree / "Annotations" / f"{name}.json", content)
        if out.exists():
            out.rmdir()  # empty, as seen above; not every system lets a folder take the name of another
        tree.replace(out)
        shutil.rmtree(work)
    except OSError as error:
        raise SARChatError(f"{out} cannot be written ({error.strerror}: {error.filename}).") from error


def _open_work(work: Path, contents: dict[str, Any]) -> None:
    """Make the folder that the work is done in; one that the same call left behind is kept, another call's emptied."""
    label = work / "synthesis.json"
    if work.exists():
        if not label.exists():
            raise SARChatError(f"{work} is in the way and not ours: remove it, or name another folder.")
        if json.loads(label.read_text()) == contents:
            return
        shutil.rmtree(work)
    work.mkdir(parents=True)
    _write(label, json.dumps(contents).encode())
    (work / "tree").mkdir()
