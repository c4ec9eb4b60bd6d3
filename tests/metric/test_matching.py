"""The counts of matches against a second implementation that shares no code: slow, plain, by trying everything."""

from collections import Counter
from fractions import Fraction
from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask


def plain_iou(a, b):
    """IoU as a fraction, straight from its definition."""
    width = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return Fraction(width * height, area) if area else Fraction(0)


def plain_matches(predicted, reference, threshold):
    """The most pairs of any assignment, found by trying all of them."""
    few, many = sorted((predicted, reference), key=len)
    return max(
        sum(plain_iou(a, b) >= threshold and plain_iou(a, b) > 0 for a, b in zip(few, order, strict=True))
        for order in permutations(many, len(few))
    )


small = st.integers(0, 8)
box = st.tuples(small, small, small, small).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
answers = st.lists(st.tuples(st.lists(box, max_size=5), st.lists(box, max_size=5)), min_size=1, max_size=6)


def arrays(lists):
    flat = np.array([b for boxes in lists for b in boxes], dtype=float).reshape(-1, 4)
    return flat, np.array([len(boxes) for boxes in lists])


@settings(max_examples=500, deadline=None)
@given(answers)
def test_matches_are_those_of_trying_everything(modules, records):
    matched = modules("matching").match_boxes(*arrays([p for p, _ in records]), *arrays([r for _, r in records]))
    for (predicted, reference), found in zip(records, matched.tolist(), strict=True):
        assert found == [plain_matches(predicted, reference, Fraction(1, n)) for n in (4, 2)]


@settings(max_examples=50, deadline=None)
@given(answers)
def test_one_record_with_many_boxes_is_matched_alike(modules, records):
    matching = modules("matching")
    at_once = matching._PAIRS_AT_ONCE
    p, r = arrays([p for p, _ in records]), arrays([r for _, r in records])
    try:
        whole = matching.match_boxes(*p, *r).tolist()
        matching._PAIRS_AT_ONCE = 3
        assert matching.match_boxes(*p, *r).tolist() == whole
    finally:
        matching._PAIRS_AT_ONCE = at_once


def test_thresholds_are_inclusive(modules):
    matching = modules("matching")

    def matched(a, b):
        return matching.match_boxes(*arrays([[a]]), *arrays([[b]]))[0].tolist()

    assert matched((0, 0, 10, 10), (0, 0, 10, 5)) == [1, 1]  # exactly 1/2
    assert matched((0, 0, 10, 10), (0, 0, 5, 5)) == [1, 0]  # exactly 1/4
    assert matched((0, 0, 1001, 10), (0, 0, 250, 10)) == [0, 0]
    assert matched((0, 0, 3, 1), (1, 0, 4, 1)) == [1, 1]  # 2/4
    assert matched((0, 0, 4_000_000, 3_000_001), (0, 0, 4_000_000, 1_500_000)) == [1, 0]  # a hair below 1/2
    assert matched((5, 5, 5, 5), (5, 5, 5, 5)) == [0, 0]  # no area


@settings(max_examples=300, deadline=None)
@given(box, box)
def test_iou_is_that_of_pycocotools(modules, a, b):
    sides = [np.array([[c[0], c[1], c[2] - c[0], c[3] - c[1]]], dtype=float) for c in (a, b)]
    found = mask.iou(*sides, [0]).item()
    assert modules("matching").match_boxes(*arrays([[a]]), *arrays([[b]])).tolist() == [[found >= 0.25, found >= 0.5]]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.lists(st.tuples(st.integers(0, 4), st.integers(1, 3)), max_size=6)] * 2), min_size=1, max_size=5
    )
)
def test_multisets_share_what_counters_share(modules, records):
    rows = [[], []]
    for number, sides in enumerate(records):
        for side, elements in enumerate(sides):
            rows[side] += [(number, element, times) for element, times in elements]
    shared = modules("matching").match_multisets(*(np.array(r).reshape(-1, 3).astype(int) for r in rows), len(records))
    for (ours, theirs), found in zip(records, shared.tolist(), strict=True):
        one, other = Counter(), Counter()
        for element, times in ours:
            one[element] += times
        for element, times in theirs:
            other[element] += times
        assert found == sum((one & other).values())
