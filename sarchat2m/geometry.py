"""Boxes, and what is said of them: region, area ratio, size, shape, distance and direction.

Pure functions over integers. A box is a tuple (x1, y1, x2, y2) in pixels of the original image: the top-left corner and
the bottom-right one, which lies just outside. Every comparison is made in integers, so that no result depends on the
rounding of a quotient such as 1/3 or 0.67.
"""

from __future__ import annotations

import math
from typing import Literal

from sarchat2m.vocabulary import REGIONS

__all__ = [
    "Box",
    "area_ratio",
    "clip_box",
    "description_size",
    "direction",
    "identification_size",
    "is_close",
    "is_elongated",
    "notation",
    "region",
    "region_index",
    "shape",
    "squared_distance",
    "written_box",
]

Box = tuple[int, int, int, int]
Direction = Literal["horizontal", "vertical", "diagonal"]


def clip_box(bbox: tuple[float, float, float, float], width: int, height: int) -> tuple[float, float, float, float]:
    """Turn COCO's [x, y, w, h] into the corners (x1, y1, x2, y2) of the part that lies in the image; no rounding.

    >>> clip_box((-3.0, 4.0, 10.5, 2.0), 256, 256)
    (0, 4.0, 7.5, 6.0)
    """
    x, y, box_width, box_height = bbox
    return (
        min(max(x, 0), width),
        min(max(y, 0), height),
        min(max(x + box_width, 0), width),
        min(max(y + box_height, 0), height),
    )


def written_box(bbox: tuple[float, float, float, float], width: int, height: int) -> Box:
    """Turn COCO's [x, y, w, h] into the box that the dialogues write: clipped to the image, rounded as floor(v + 0.5).

    >>> written_box((10.4, 20.5, 30.2, 40.0), 256, 256)
    (10, 21, 41, 61)
    """
    x1, y1, x2, y2 = clip_box(bbox, width, height)
    return math.floor(x1 + 0.5), math.floor(y1 + 0.5), math.floor(x2 + 0.5), math.floor(y2 + 0.5)


def notation(box: Box) -> str:
    """Write a box in the paper's notation (section 3.1.3, Dataset Definitions).

    >>> notation((393, 426, 470, 494))
    '{<393><426><470><494>}'
    """
    x1, y1, x2, y2 = box
    return f"{{<{x1}><{y1}><{x2}><{y2}>}}"


def region_index(box: Box, width: int, height: int) -> int:
    """Find the cell of the 3 × 3 grid that holds the centre of a box, as a position in `REGIONS`.

    A centre on a line between two cells belongs to the cell right of it or below it.
    """
    x1, y1, x2, y2 = box
    column = min(3 * (x1 + x2) // (2 * width), 2)
    row = min(3 * (y1 + y2) // (2 * height), 2)
    return 3 * row + column


def region(box: Box, width: int, height: int) -> str:
    """Name the cell of the 3 × 3 grid that holds the centre of a box.

    >>> region((393, 426, 470, 494), 512, 512)
    'bottom right'
    """
    return REGIONS[region_index(box, width, height)]


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def area_ratio(box: Box, width: int, height: int) -> float:
    """Give R, the share of the image's area that a box takes, between 0 and 1 (the paper's equation 1 without × 100).

    >>> round(area_ratio((294, 358, 329, 427), 512, 512), 4)
    0.0092
    """
    return _area(box) / (width * height)


def identification_size(box: Box, width: int, height: int) -> str:
    """Name the size of a target by R in the five steps of identification: 0.40, 0.25, 0.10 and 0.03.

    >>> identification_size((294, 358, 329, 427), 512, 512)
    'very small'
    """
    percent, whole = 100 * _area(box), width * height
    if percent < 3 * whole:
        return "very small"
    if percent < 10 * whole:
        return "small"
    if percent < 25 * whole:
        return "medium"
    if percent < 40 * whole:
        return "large"
    return "very large"


def description_size(box: Box, width: int, height: int) -> str:
    """Name the size of a target by R in the three steps of description: small below 0.05, large above 0.30.

    >>> description_size((0, 0, 100, 100), 256, 256)
    'medium'
    """
    percent, whole = 100 * _area(box), width * height
    if percent < 5 * whole:
        return "small"
    if percent > 30 * whole:
        return "large"
    return "medium"


def shape(box: Box) -> str:
    """Name the shape of a box by w/h: wide above 1.5, tall below 0.67, roughly square from one to the other.

    >>> shape((0, 0, 30, 20)), shape((0, 0, 31, 20)), shape((0, 0, 66, 100))
    ('roughly square', 'wide', 'tall')
    """
    box_width, box_height = box[2] - box[0], box[3] - box[1]
    if 2 * box_width > 3 * box_height:
        return "wide"
    if 100 * box_width < 67 * box_height:
        return "tall"
    return "roughly square"


def is_elongated(box: Box) -> bool:
    """Tell whether one side of a box is more than ten times the other, which description leaves out."""
    box_width, box_height = box[2] - box[0], box[3] - box[1]
    return box_width > 10 * box_height or box_height > 10 * box_width


def _doubled_offset(first: Box, second: Box) -> tuple[int, int]:
    """Give twice the way from one centre to the other: doubled, it is an integer."""
    return second[0] + second[2] - first[0] - first[2], second[1] + second[3] - first[1] - first[3]


def squared_distance(first: Box, second: Box) -> int:
    """Give four times the squared distance of two centres: an integer that compares as the distance does."""
    dx, dy = _doubled_offset(first, second)
    return dx * dx + dy * dy


def is_close(first: Box, second: Box, width: int, height: int) -> bool:
    """Tell whether two centres are nearer than (W + H) / 8, the paper's proximal threshold (section 3.1.3, task 4).

    >>> is_close((0, 0, 10, 10), (63, 0, 73, 10), 256, 256), is_close((0, 0, 10, 10), (64, 0, 74, 10), 256, 256)
    (True, False)
    """
    return 16 * squared_distance(first, second) < (width + height) ** 2


def direction(first: Box, second: Box) -> Direction:
    """Name the direction between two centres: horizontal if |dx| > 2|dy|, vertical if |dy| > 2|dx|, else diagonal.

    >>> direction((0, 0, 10, 10), (50, 10, 60, 20)), direction((0, 0, 10, 10), (20, 10, 30, 20))
    ('horizontal', 'diagonal')
    """
    dx, dy = (abs(offset) for offset in _doubled_offset(first, second))
    if dx > 2 * dy:
        return "horizontal"
    if dy > 2 * dx:
        return "vertical"
    return "diagonal"
