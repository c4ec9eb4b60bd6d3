"""Boxes and what is said of them: the published examples, every limit from both sides, exact rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sarchat2m import geometry
from sarchat2m.vocabulary import REGIONS


@st.composite
def boxes_in_images(draw):
    width, height = draw(st.integers(1, 1000)), draw(st.integers(1, 1000))
    x1, y1 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    return (x1, y1, draw(st.integers(x1 + 1, width)), draw(st.integers(y1 + 1, height))), width, height


@pytest.mark.parametrize(
    ("box", "region"),
    [
        ((393, 426, 470, 494), "bottom right"),
        ((294, 358, 329, 427), "bottom center"),
        ((61, 448, 122, 503), "bottom left"),
        ((27, 199, 78, 261), "middle left"),
        ((193, 157, 245, 306), "middle center"),
        ((88, 275, 177, 356), "middle left"),
    ],
)
def test_published_regions(box, region):
    assert geometry.region(box, 512, 512) == region


def test_published_area_ratio_and_size():
    box = (294, 358, 329, 427)
    assert f"{100 * geometry.area_ratio(box, 512, 512):.2f} %" == "0.92 %"
    assert geometry.identification_size(box, 512, 512) == "very small"


def test_notation():
    assert geometry.notation((393, 426, 470, 494)) == "{<393><426><470><494>}"
    assert geometry.notation((0, 0, 5, 12)) == "{<0><0><5><12>}"


@pytest.mark.parametrize(
    ("bbox", "written"),
    [
        ((10, 20, 30, 40), (10, 20, 40, 60)),
        ((10.4, 20.5, 30.2, 40.0), (10, 21, 41, 61)),  # a half goes up
        ((0.5, 1.5, 2, 2), (1, 2, 3, 4)),  # 0.5 and 2.5 too, which round() would send down
        ((-5, -5, 10, 10), (0, 0, 5, 5)),
        ((250, 90, 20, 20), (250, 90, 256, 100)),
        ((-10, -10, 500, 500), (0, 0, 256, 100)),
        ((300, 10, 5, 5), (256, 10, 256, 15)),
        ((-30, 10, 5, 5), (0, 10, 0, 15)),
        ((255.6, 99.6, 0.4, 0.4), (256, 100, 256, 100)),
    ],
)
def test_written_box_is_clipped_and_rounded(bbox, written):
    box = geometry.written_box(bbox, 256, 100)
    assert box == written
    assert all(type(corner) is int for corner in box)


@given(st.tuples(*[st.floats(-500, 1500)] * 2, *[st.floats(0, 2000)] * 2), st.integers(1, 1000), st.integers(1, 1000))
def test_written_boxes_lie_in_the_image(bbox, width, height):
    x1, y1, x2, y2 = geometry.written_box(bbox, width, height)
    assert 0 <= x1 <= x2 <= width
    assert 0 <= y1 <= y2 <= height


@pytest.mark.parametrize(
    ("x", "y", "region"),
    [
        (99, 99, "top left"),
        (100, 99, "top center"),  # on a line: right of it
        (99, 100, "middle left"),  # on a line: below it
        (100, 100, "middle center"),
        (199, 199, "middle center"),
        (200, 199, "middle right"),
        (200, 200, "bottom right"),
        (199, 200, "bottom center"),
        (299, 0, "top right"),
        (0, 299, "bottom left"),
    ],
)
def test_a_centre_on_a_line_belongs_right_of_it_and_below_it(x, y, region):
    assert geometry.region((x, y, x, y), 300, 300) == region


def test_thirds_are_exact_where_floats_are_not():
    # A third of 256 is 85.33…: 85 is left of it; a third of 255 is 85: 85 is on the line, and 84.5 is not.
    assert geometry.region((85, 0, 85, 0), 256, 256) == "top left"
    assert geometry.region((85, 0, 86, 0), 256, 256) == "top center"
    assert geometry.region((85, 0, 85, 0), 255, 255) == "top center"
    assert geometry.region((84, 0, 85, 0), 255, 255) == "top left"


def test_a_centre_on_the_far_edge_is_in_the_last_cell():
    assert geometry.region((300, 300, 300, 300), 300, 300) == "bottom right"


@given(boxes_in_images())
def test_region_in_rational_arithmetic(case):
    (x1, y1, x2, y2), width, height = case
    x, y = Fraction(x1 + x2, 2), Fraction(y1 + y2, 2)
    column = (x >= Fraction(width, 3)) + (x >= Fraction(2 * width, 3))
    row = (y >= Fraction(height, 3)) + (y >= Fraction(2 * height, 3))
    rows, columns = ("top", "middle", "bottom"), ("left", "center", "right")
    assert geometry.region((x1, y1, x2, y2), width, height) == f"{rows[row]} {columns[column]}"
    assert REGIONS[geometry.region_index((x1, y1, x2, y2), width, height)] == f"{rows[row]} {columns[column]}"


@pytest.mark.parametrize(
    ("columns", "size"),
    [(1, "very small"), (2, "very small"), (3, "small"), (9, "small"), (10, "medium"), (24, "medium"), (25, "large"),
     (39, "large"), (40, "very large"), (100, "very large")],
)  # fmt: skip
def test_sizes_of_identification(columns, size):
    assert geometry.identification_size((0, 0, columns, 100), 100, 100) == size


@pytest.mark.parametrize(
    ("columns", "size"), [(1, "small"), (4, "small"), (5, "medium"), (30, "medium"), (31, "large"), (100, "large")]
)
def test_sizes_of_description(columns, size):
    assert geometry.description_size((0, 0, columns, 100), 100, 100) == size


@given(boxes_in_images())
def test_sizes_in_rational_arithmetic(case):
    box, width, height = case
    share = Fraction((box[2] - box[0]) * (box[3] - box[1]), width * height)
    steps = [("very large", 40), ("large", 25), ("medium", 10), ("small", 3), ("very small", 0)]
    assert geometry.identification_size(box, width, height) == next(
        word for word, percent in steps if share >= Fraction(percent, 100)
    )
    assert geometry.description_size(box, width, height) == (
        "small" if share < Fraction(5, 100) else "large" if share > Fraction(30, 100) else "medium"
    )
    assert math.isclose(geometry.area_ratio(box, width, height), float(share))


@pytest.mark.parametrize(
    ("width", "height", "shape"),
    [
        (30, 20, "roughly square"),
        (301, 200, "wide"),
        (299, 200, "roughly square"),
        (67, 100, "roughly square"),
        (66, 100, "tall"),
        (669, 1000, "tall"),
        (671, 1000, "roughly square"),
        (1, 1, "roughly square"),
        (2, 3, "tall"),  # 0.666… is below 0.67
    ],
)
def test_shapes(width, height, shape):
    assert geometry.shape((5, 7, 5 + width, 7 + height)) == shape


@pytest.mark.parametrize(("width", "height", "elongated"), [(100, 10, False), (101, 10, True), (10, 101, True)])
def test_elongated_is_more_than_ten_to_one(width, height, elongated):
    assert geometry.is_elongated((1, 1, 1 + width, 1 + height)) is elongated
    assert geometry.is_elongated((1, 1, 1 + height, 1 + width)) is elongated


@pytest.mark.parametrize(
    ("dx", "dy", "close"), [(63, 0, True), (64, 0, False), (0, 63, True), (45, 45, True), (46, 45, False)]
)
def test_close_is_below_an_eighth_of_width_and_height(dx, dy, close):
    # 45² + 45² = 4050 < 64² = 4096 < 46² + 45² = 4141
    assert geometry.is_close((0, 0, 10, 10), (dx, dy, dx + 10, dy + 10), 256, 256) is close
    assert geometry.is_close((0, 0, 10, 10), (dx, dy, dx + 10, dy + 10), 200, 312) is close


@pytest.mark.parametrize(
    ("dx", "dy", "direction"),
    [
        (20, 10, "diagonal"), (21, 10, "horizontal"), (-21, 10, "horizontal"), (10, 20, "diagonal"),
        (10, 21, "vertical"), (10, -21, "vertical"), (15, 15, "diagonal"), (0, 0, "diagonal"), (1, 0, "horizontal"),
        (0, 1, "vertical"),
    ],
)  # fmt: skip
def test_direction(dx, dy, direction):
    first, second = (100, 100, 110, 110), (100 + dx, 100 + dy, 110 + dx, 110 + dy)
    assert geometry.direction(first, second) == geometry.direction(second, first) == direction


@given(boxes_in_images(), boxes_in_images())
def test_distance_and_direction_in_rational_arithmetic(one, other):
    (first, width, height), (second, _, _) = one, other
    dx = Fraction(second[0] + second[2] - first[0] - first[2], 2)
    dy = Fraction(second[1] + second[3] - first[1] - first[3], 2)
    assert geometry.squared_distance(first, second) == 4 * (dx * dx + dy * dy)
    assert geometry.is_close(first, second, width, height) == (dx * dx + dy * dy < Fraction(width + height, 8) ** 2)
    expected = "horizontal" if abs(dx) > 2 * abs(dy) else "vertical" if abs(dy) > 2 * abs(dx) else "diagonal"
    assert geometry.direction(first, second) == expected
