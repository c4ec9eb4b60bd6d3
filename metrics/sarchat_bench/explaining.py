"""Why a figure is what it is: for a record, what was read from its texts and how it was judged, in words."""

import numpy as np
from pycocotools import mask

from .boxes import NOTATIONS
from .lexicon import DIRECTIONS, DISTANCES, REGIONS, SHAPES, SIZES
from .reading import Reader
from .scoring import task_of

_BOXES_AT_ONCE = 10_000
"""Predicted boxes of a record that are compared together, to bound the memory that a runaway answer takes."""


class Explainer:
    """Tells in words what was read, for the vocabulary and the box format of a run."""

    def __init__(self, lexicon, box_format):
        """Take the run's `lexicon.Lexicon` and the box format that it took."""
        self.names = lexicon.names
        self.predicted = Reader(lexicon, NOTATIONS[box_format.partition("/")[0]])
        self.right = Reader(lexicon, NOTATIONS["paper"])

    def records(self, judged, texts, references):
        """List for each record of a `scoring.Verdict`: index, subset, prediction and reference as read, TP, FP and FN
        by column, verdict, and for every reference box the best IoU of a predicted one.
        """
        rows = []
        for subset, part in judged.subsets.items():
            tell = getattr(self, task_of(subset))
            columns = {name: counts.tolist() for name, counts in part.columns.items() if "/" not in name}
            ious = best_ious(*judged.boxes[subset]) if subset in judged.boxes else [[]] * len(part.positions)
            for record, position in enumerate(part.positions.tolist()):
                counts = {name: tuple(of_records[record]) for name, of_records in columns.items()}
                rows.append(
                    {
                        "index": position,
                        "subset": subset,
                        "prediction": tell(self.predicted, texts[position]),
                        "reference": tell(self.right, references[position]),
                        "counts": counts,
                        "ious": ious[record],
                        "verdict": verdict(counts, bool(part.unreadable[record])),
                    }
                )
        return sorted(rows, key=lambda row: row["index"])

    def _name(self, category):
        if category == len(self.names):
            return "two categories at once"
        return self.names[category] if category >= 0 else "no category"

    def identification(self, reader, text):
        """Tell of an identification: "very small ship, bottom center, wide"."""
        category, size, region, shape = reader.identification(text)
        first = " ".join(filter(None, (SIZES[size] if size >= 0 else "", self._name(category))))
        rest = [REGIONS[region]] * (region >= 0) + [SHAPES[shape]] * (shape >= 0)
        return ", ".join([first, *rest])

    def classification(self, reader, text):
        """Tell of a classification: "ship, harbor"."""
        found = reader.classification(text)
        return ", ".join(name for bit, name in enumerate(self.names) if found >> bit & 1) or "no category"

    def counting(self, reader, text):
        """Tell of a counting answer: "3, boxes: (1, 2, 3, 4)"."""
        number, boxes = reader.counting(text)
        if number is None:
            return f"no number{_boxes(boxes)}"
        return f"{number}{_boxes(boxes)}"

    def referring(self, reader, text):
        """Tell of a referring answer: "2 boxes: (1, 2, 3, 4) (5, 6, 7, 8)"."""
        boxes = reader.boxes(text)
        return _boxes(boxes)[2:] or "no box"

    def description(self, reader, text):
        """Tell of a description: "ship in the top left, small ship"."""
        places, _ = reader.places(text)
        return "; ".join([*self._pairs(places), *self._sizes(places)]) or "nothing placed"

    def grounding(self, reader, text):
        """Tell of a grounding answer: its pairs, its relations and its boxes."""
        places, boxes = reader.places(text)
        told = self._pairs(places)
        for one, other, value in places.relations:
            what = DISTANCES[value] if value < 2 else DIRECTIONS[value - 2]
            told.append(f"{self.names[one]} and {self.names[other]}: {what}")
        return ("; ".join(told) or "nothing placed") + _boxes(boxes)

    def _pairs(self, places):
        return [
            f"{f'{times} × ' if times > 1 else ''}{self.names[category]} in the {REGIONS[region]}"
            for category, region, times in places.pairs
        ]

    def _sizes(self, places):
        return [
            f"{f'{times} × ' if times > 1 else ''}{SIZES[size]} {self.names[category]}"
            for category, size, times in places.sizes
        ]


def _boxes(numbers):
    """Write boxes for people, the first ones only."""
    count = len(numbers) // 4
    if not count:
        return ""
    shown = [f"({', '.join(number[:12] for number in numbers[4 * k : 4 * k + 4])})" for k in range(min(count, 50))]
    return f", {count} box{'es' * (count > 1)}: {' '.join(shown)}{' …' * (count > 50)}"


def best_ious(predicted, predicted_counts, reference, reference_counts):
    """List for every record the IoU of each of its reference boxes with the predicted box that comes closest.

    >>> best_ious(np.array([[0.0, 0, 4, 4]]), np.array([1]), np.array([[0.0, 0, 4, 2], [8, 8, 9, 9]]), np.array([2]))
    [[0.5, 0.0]]
    """
    sides = [np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1) for boxes in (predicted, reference)]
    ends = zip(np.cumsum(predicted_counts).tolist(), np.cumsum(reference_counts).tolist(), strict=True)
    rows, ours, theirs = [], 0, 0
    for our_end, their_end in ends:
        best = np.zeros(their_end - theirs)
        for first in range(ours, our_end, _BOXES_AT_ONCE) if len(best) else ():
            some = sides[0][first : min(our_end, first + _BOXES_AT_ONCE)]
            best = np.maximum(best, np.max(mask.iou(some, sides[1][theirs:their_end], [0] * len(best)), axis=0))
        rows.append(best.round(4).tolist())
        ours, theirs = our_end, their_end
    return rows


def verdict(counts, unreadable):
    """Say how a record was judged: "right", "wrong", "unreadable", or what is right, too much and missing.

    >>> verdict({"counting": (1, 0, 0)}, False), verdict({"referring_single_iou50": (1, 2, 0)}, False)
    ('right', 'referring_single_iou50: 1 right, 2 too many')
    """
    if unreadable:
        return "unreadable"
    faults = []
    for column, (tp, fp, fn) in counts.items():
        if fp or fn:
            parts = [f"{tp} right"] * bool(tp) + [f"{fp} too many"] * bool(fp) + [f"{fn} missing"] * bool(fn)
            faults.append(f"{column}: {', '.join(parts)}")
    return "; ".join(faults) or "right"
