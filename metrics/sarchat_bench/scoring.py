"""From texts to figures: every record is read and judged, counts are summed, and sums become percentages.

`judge` gives, for every subset, how many TP, FP and FN each record adds to each column (`Judged`), and `figures` turns
the sums of them into percentages. What a column compares is said by README.md and, task by task, in `_Run` below.

Decisions that the paper leaves open:
- Overall is the mean over the tasks that have records, weighted by their records (Eq. 4 over the tasks present).
- identification_*_exact asks for everything that the reference states; without a readable category it is unreadable.
- identification_*_size, _region and _shape rest on the records whose reference states it; not said is unreadable.
- description_size compares (category, size) pairs as multisets, "very small" as small and "very large" as large.
- grounding_abstract compares sets: a region that is named twice for an abstract category counts once.
- grounding_relations compares (two categories, close or far) and (two categories, direction); a prediction's distances
  count only where the record's reference states distances, and likewise directions.
- Predicted pairs of a category that the reference does not have belong to the multi or single column of their subset.
- `unreadable` is the share of a task's records in which nothing was found of what the task asks for: no category
  (classification, identification), neither number nor box (counting), no pair (description), neither pair nor box
  (grounding), no box (referring).
- Detail by category: a pair belongs to its own category, an identification to the reference's, a counting or referring
  record to the one that its question asks for; classification is judged yes or no for each category.
"""

from array import array
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .boxes import NOTATIONS, box_array, choose_space, doubts, to_floats, vote
from .matching import match_boxes, match_multisets
from .reading import MOST_REMEMBERED, Reader, answer_part

SUBSETS = (
    "classification",
    "description",
    "counting",
    "grounding_single",
    "grounding_multi",
    "identification_single",
    "identification_multi",
    "referring_single",
    "referring_multi",
)
TASKS = {
    "counting": ("counting", "counting_iou25", "counting_iou50"),
    "grounding": ("grounding_abstract", "grounding_multi", "grounding_single"),
    "identification": ("identification_multi", "identification_single"),
    "referring": (
        "referring_multi_iou25",
        "referring_multi_iou50",
        "referring_single_iou25",
        "referring_single_iou50",
    ),
    "description": ("description",),
    "classification": ("classification",),
}
"""The tasks in the order of Table 3, each with the columns whose mean is its score (Eq. 5)."""

COLUMNS_OF_SUBSET = {
    "classification": ("classification",),
    "description": ("description", "description_size"),
    "counting": ("counting", "counting_iou25", "counting_iou50"),
    **{
        f"grounding_{scene}": (
            "grounding_abstract",
            f"grounding_{scene}",
            f"grounding_{scene}_iou25",
            f"grounding_{scene}_iou50",
            "grounding_relations",
        )
        for scene in ("multi", "single")
    },
    **{
        f"identification_{scene}": tuple(
            f"identification_{scene}{what}" for what in ("", "_size", "_region", "_shape", "_exact")
        )
        for scene in ("multi", "single")
    },
    **{f"referring_{scene}": (f"referring_{scene}_iou25", f"referring_{scene}_iou50") for scene in ("multi", "single")},
}

_SHOWN = 120
"""Characters of a text that an error message quotes."""


def task_of(subset):
    """Give the task that a subset is a part of."""
    return subset.partition("_")[0]


class Judged(NamedTuple):
    """What was counted for the records of one subset."""

    positions: np.ndarray
    """Where in the run the records stand, (records,)."""
    columns: dict
    """For each column an array (records, 3): TP, FP and FN of every record."""
    unreadable: np.ndarray
    """Whether nothing could be read, (records,)."""
    abstract_pairs: int
    """How many reference pairs grounding_abstract rests on."""


class Verdict(NamedTuple):
    """Everything that `judge` has to say."""

    subsets: dict
    """`Judged` for each subset that has records, in the order of SUBSETS."""
    box_format: str
    """The notation and the space that the predicted boxes were read in."""
    warnings: list
    """What seems wrong with the boxes, in sentences."""
    boxes: dict
    """For each subset that asks for boxes: predicted boxes in pixels and how many each record has, the same of the
    references; arrays (boxes, 4) and (records,)."""


def judge(texts, references, positions, lexicon, box_format=(None, None), sizes=None, categories=None, detail=False):
    """Read and judge all records of a run.

    texts, references: what was predicted and what is right, a list of strings each.
    positions: for each subset the positions of its records, an integer array.
    box_format: notation and space of the predicted boxes, each None to be chosen here from all predictions.
    sizes: width and height in pixels of every record's image, an array (records, 2), or None.
    categories: the category that each record's question asks for, an array (records,), -1 where unknown, or None.
    detail: whether every column is also counted for each category, under "<column>/<category>".

    Raises ValueError for a reference that cannot be read, with its index and text.
    """
    notation, space = box_format
    if notation is None:
        boxed = (p for subset in positions if subset in _BOX_COLUMNS for p in positions[subset].tolist())
        notation = vote(answer_part(texts[position]) for position in boxed)
    run = _Run(texts, references, lexicon, notation, categories, detail)
    judged = {
        subset: getattr(run, task_of(subset))(subset, positions[subset]) for subset in SUBSETS if subset in positions
    }
    space, warnings, boxes = run.match_boxes(judged, notation, space, sizes)
    for subset, (_, columns, *_rest) in judged.items():
        order = [column for column in COLUMNS_OF_SUBSET[subset] if column in columns]
        ordered = {column: columns[column] for column in [*order, *(c for c in columns if c not in order)]}
        columns.clear()
        columns.update(ordered)
    return Verdict(judged, f"{notation}/{space}", warnings, boxes)


_BOX_COLUMNS = {
    "counting": ("counting_iou25", "counting_iou50"),
    **{
        f"{task}_{scene}": (f"{task}_{scene}_iou25", f"{task}_{scene}_iou50")
        for task in ("grounding", "referring")
        for scene in ("multi", "single")
    },
}


class _Boxes:
    """Boxes of many records as they stand in the texts: their numbers, and how many boxes each record has."""

    def __init__(self):
        self.numbers, self.counts = array("d"), array("q")

    def add(self, numbers):
        self.numbers.extend(to_floats(numbers))
        self.counts.append(len(numbers) // 4)

    def arrays(self):
        """Give the boxes as written, (boxes, 4), and the counts, (records,)."""
        return np.array(self.numbers).reshape(-1, 4), np.array(self.counts)


class _Rows:
    """Elements of many records' answers: (record, element, times) rows."""

    def __init__(self):
        self.numbers = array("q")

    def add(self, record, element, times):
        self.numbers.extend((record, element, times))

    def array(self):
        return np.array(self.numbers).reshape(-1, 3)


class _Run:
    """The reading and judging of one run, one method per task."""

    def __init__(self, texts, references, lexicon, notation, categories, detail):
        self.texts, self.references = texts, references
        self.predicted = Reader(lexicon, NOTATIONS[notation])
        self.right = self.predicted.with_notation(NOTATIONS["paper"])
        self.names = lexicon.names
        self.categories = categories
        self.detail = detail
        self.boxes = {}  # of each subset: (predicted, right), as _Boxes
        # Boxes have no say in these two, so that one reader serves predictions and references.
        self.identifications = lru_cache(MOST_REMEMBERED)(_packed(self.right))
        self.classifications = lru_cache(MOST_REMEMBERED)(self.right.classification)

    def _need(self, readable, positions, subset, what):
        """Raise ValueError for the first reference that is not readable."""
        wrong = np.flatnonzero(~np.asarray(readable, dtype=bool))
        if len(wrong):
            position = int(positions[wrong[0]])
            text = self.references[position]
            shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
            raise ValueError(
                f"The reference at index {position} (subset {subset!r}) cannot be read, no {what} was found in it: "
                f"{shown!r}. Pass the dataset's answer, with vocabulary= if its categories are not SARDet-100K's."
            )

    def _by_category(self, columns, category_of_record):
        """Add to columns, in which a record belongs to one category, those columns for every category."""
        if self.detail and category_of_record is not None:
            for column in list(columns):
                for category, name in enumerate(self.names):
                    columns[f"{column}/{name}"] = columns[column] * (category_of_record == category)[:, None]

    def identification(self, subset, positions):
        """Compare category, size, region and shape: one answer each, and all of them together."""
        ours, theirs = (
            _unpack(
                np.fromiter(
                    map(self.identifications, map(texts.__getitem__, positions.tolist())),
                    dtype=np.int64,
                    count=len(positions),
                )
            )
            for texts in (self.texts, self.references)
        )
        self._need(theirs[0] >= 0, positions, subset, "category")
        same = [one == other for one, other in zip(ours, theirs, strict=True)]
        readable = ours[0] >= 0
        columns = {subset: _one_answer(same[0], readable)}
        for what, one, other, equal in zip(("size", "region", "shape"), ours[1:], theirs[1:], same[1:], strict=True):
            columns[f"{subset}_{what}"] = _one_answer(equal, one >= 0, other >= 0)
        exact = same[0].copy()
        for other, equal in zip(theirs[1:], same[1:], strict=True):
            exact &= equal | (other < 0)
        columns[f"{subset}_exact"] = _one_answer(exact, readable)
        self._by_category(columns, theirs[0])
        return Judged(positions, columns, ~readable, 0)

    def classification(self, subset, positions):
        """Compare the sets of categories, which must be equal."""
        ours, theirs = (
            [self.classifications(texts[position]) for position in positions.tolist()]
            for texts in (self.texts, self.references)
        )
        readable = np.array([found > 0 for found in ours], dtype=bool)
        self._need([found > 0 for found in theirs], positions, subset, "category")
        equal = np.array([one == other for one, other in zip(ours, theirs, strict=True)], dtype=bool)
        columns = {subset: _one_answer(equal, readable)}
        if self.detail:
            for category, name in enumerate(self.names):
                one = np.array([found >> category & 1 for found in ours], dtype=bool)
                other = np.array([found >> category & 1 for found in theirs], dtype=bool)
                columns[f"{subset}/{name}"] = np.stack([one & other, one & ~other, ~one & other], axis=1).astype(
                    np.int64
                )
        return Judged(positions, columns, ~readable, 0)

    def counting(self, subset, positions):
        """Compare the stated numbers; a text without one states as many as it has boxes."""
        numbers = np.full((2, len(positions)), np.nan)
        boxes = self.boxes[subset] = _Boxes(), _Boxes()
        sides = ((self.texts, self.predicted), (self.references, self.right))
        for side, (texts, reader) in enumerate(sides):
            for record, position in enumerate(positions.tolist()):
                number, found = reader.counting(texts[position])
                boxes[side].add(found)
                if number is None and found:
                    number = len(found) // 4
                if number is not None:
                    numbers[side, record] = number
        readable = ~np.isnan(numbers)
        self._need(readable[1], positions, subset, "number and no box")
        columns = {"counting": _one_answer(numbers[0] == numbers[1], readable[0])}
        return Judged(positions, columns, ~readable[0], 0)

    def referring(self, subset, positions):
        """Read the boxes; `match_boxes` compares them."""
        ours, theirs = self.boxes[subset] = _Boxes(), _Boxes()
        for position in positions.tolist():
            ours.add(self.predicted.boxes(self.texts[position]))
            theirs.add(self.right.boxes(self.references[position]))
        self._need(np.array(theirs.counts) > 0, positions, subset, "box")
        return Judged(positions, {}, np.array(ours.counts) == 0, 0)

    def description(self, subset, positions):
        """Compare (category, region) pairs and (category, size) pairs, as multisets."""
        rows = {(what, side): _Rows() for what in ("pair", "size") for side in (0, 1)}
        readable = np.zeros((2, len(positions)), dtype=bool)
        sides = ((self.texts, self.predicted), (self.references, self.right))
        for side, (texts, reader) in enumerate(sides):
            for record, position in enumerate(positions.tolist()):
                places, _ = reader.places(texts[position])
                readable[side, record] = bool(places.pairs)
                for category, region, times in places.pairs:
                    rows["pair", side].add(record, 9 * category + region, times)
                for category, size, times in places.sizes:
                    rows["size", side].add(record, 3 * category + min(max(size, 1), 3) - 1, times)
        self._need(readable[1], positions, subset, "category with a region")
        columns = {}
        self._compare(columns, subset, rows["pair", 0], rows["pair", 1], len(positions), 9)
        self._compare(columns, f"{subset}_size", rows["size", 0], rows["size", 1], len(positions), 3)
        return Judged(positions, columns, ~readable[0], 0)

    def grounding(self, subset, positions):
        """Compare (category, region) pairs, by what the reference says of the category, and relations."""
        rows = {(what, side): _Rows() for what in ("abstract", "placed", "relation") for side in (0, 1)}
        boxes = self.boxes[subset] = _Boxes(), _Boxes()
        readable = np.zeros((2, len(positions)), dtype=bool)
        for record, position in enumerate(positions.tolist()):
            theirs, numbers = self.right.places(self.references[position])
            boxes[1].add(numbers)
            readable[1, record] = bool(theirs.pairs)
            ours, numbers = self.predicted.places(self.texts[position])
            boxes[0].add(numbers)
            readable[0, record] = bool(ours.pairs or numbers)
            abstract = {category for category, _, _ in theirs.pairs} - theirs.boxed
            for side, places in enumerate((ours, theirs)):
                for category, region in {pair[:2] for pair in places.pairs if pair[0] in abstract}:
                    rows["abstract", side].add(record, 9 * category + region, 1)
                for category, region, times in places.pairs:
                    if category not in abstract:
                        rows["placed", side].add(record, 9 * category + region, times)
                kinds = {value > 1 for *_, value in theirs.relations}
                for one, other, value in places.relations:
                    if (value > 1) in kinds:
                        rows["relation", side].add(record, (one * len(self.names) + other) * 5 + value, 1)
        self._need(readable[1], positions, subset, "category with a region")
        columns = {}
        self._compare(columns, "grounding_abstract", rows["abstract", 0], rows["abstract", 1], len(positions), 9)
        self._compare(columns, subset, rows["placed", 0], rows["placed", 1], len(positions), 9)
        self._compare(columns, "grounding_relations", rows["relation", 0], rows["relation", 1], len(positions), None)
        return Judged(positions, columns, ~readable[0], int(columns["grounding_abstract"][:, ::2].sum()))

    def _compare(self, columns, column, ours, theirs, records, kinds):
        """Add a column of multisets; `kinds` is how many elements each category has, None for no detail."""
        ours, theirs = ours.array(), theirs.array()
        columns[column] = _list_answer(ours, theirs, records)
        if self.detail and kinds:
            for category, name in enumerate(self.names):
                of_category = [rows[rows[:, 1] // kinds == category] for rows in (ours, theirs)]
                columns[f"{column}/{name}"] = _list_answer(*of_category, records)

    def match_boxes(self, judged, notation, space, sizes):
        """Add the columns of boxes; returns the space they were read in, what seems wrong with it, and the boxes."""
        subsets = [subset for subset in judged if subset in self.boxes]
        written = {subset: self.boxes[subset][0].arrays() for subset in subsets}
        numbers = np.concatenate([written[subset][0] for subset in subsets] or [np.zeros((0, 4))])
        of_box = None
        if sizes is not None:
            record = [np.repeat(judged[subset].positions, written[subset][1]) for subset in subsets]
            of_box = sizes[np.concatenate(record)] if record else np.zeros((0, 2))
        space = space or choose_space(notation, numbers, of_box)
        predicted = box_array(numbers, None if space == "pixels" else of_box / float(space))
        compared, farthest, first = {}, 0.0, 0
        for subset in subsets:
            theirs, reference_counts = self.boxes[subset][1].arrays()
            theirs = box_array(theirs)
            farthest = max(farthest, theirs.max(initial=0.0))
            counts = written[subset][1]
            ours = predicted[first : first + counts.sum()]
            first += counts.sum()
            compared[subset] = ours, counts, theirs, reference_counts
            matched = match_boxes(*compared[subset])
            columns = {
                column: np.stack([shared, counts - shared, reference_counts - shared], axis=1)
                for column, shared in zip(_BOX_COLUMNS[subset], matched.T, strict=True)
            }
            judged[subset].columns.update(columns)
            if task_of(subset) != "grounding" and self.categories is not None:
                of_subset = {column: judged[subset].columns[column] for column in COLUMNS_OF_SUBSET[subset]}
                self._by_category(of_subset, self.categories[judged[subset].positions])
                judged[subset].columns.update(of_subset)
        return space, doubts(f"{notation}/{space}", numbers, predicted, of_box, farthest), compared


def _packed(reader):
    """Make a function that reads an identification as one whole number."""

    def read(text):
        category, size, region, shape = reader.identification(text)
        return (((category + 1) * 6 + size + 1) * 10 + region + 1) * 4 + shape + 1

    return read


def _unpack(codes):
    codes, shape = np.divmod(codes, 4)
    codes, region = np.divmod(codes, 10)
    category, size = np.divmod(codes, 6)
    return category - 1, size - 1, region - 1, shape - 1


def _one_answer(right, readable, asked=True):
    """Count one answer per record: right is TP, wrong FP, unreadable FN; nothing where it is not asked for."""
    right, readable = right & readable & asked, readable & asked
    return np.stack([right, readable & ~right, ~readable & np.broadcast_to(asked, right.shape)], axis=1).astype(
        np.int64
    )


def _list_answer(ours, theirs, records):
    """Count the elements of multisets, given as (record, element, times) rows."""
    shared = match_multisets(ours, theirs, records)
    predicted, right = (
        np.bincount(rows[:, 0], weights=rows[:, 2], minlength=records).astype(np.int64) for rows in (ours, theirs)
    )
    return np.stack([shared, predicted - shared, right - shared], axis=1)


def sums_of(judged):
    """Sum TP, FP and FN of every column over all records: for each column an array (1, 3)."""
    sums = {}
    for result in judged.values():
        for column, counts in result.columns.items():
            sums[column] = sums.get(column, 0) + counts.sum(axis=0, keepdims=True)
    return sums


def records_of(judged):
    """Count the records of every task, and the unreadable ones among them: {task: (records, unreadable)}."""
    return {
        task: (
            sum(len(part.positions) for subset, part in judged.items() if task_of(subset) == task),
            sum(int(part.unreadable.sum()) for subset, part in judged.items() if task_of(subset) == task),
        )
        for task in TASKS
    }


def accuracy(counts):
    """Give Acc (Eq. 3) in percent of TP, FP and FN in the last axis of an array; NaN where all of them are 0.

    >>> accuracy(np.array([[3, 1, 0], [0, 0, 0]]))
    array([75., nan])
    """
    total = counts.sum(axis=-1)
    return np.where(total > 0, 100.0 * counts[..., 0] / np.maximum(total, 1), np.nan)


def mean_where_known(values, weights):
    """Give the weighted mean of arrays of equal shape, leaving out NaN; NaN where nothing is left."""
    values = np.stack(values)
    weights = np.where(
        np.isnan(values), 0.0, np.reshape(np.asarray(weights, dtype=float), (-1, *[1] * (values.ndim - 1)))
    )
    total = weights.sum(axis=0)
    return np.where(total > 0, (np.nan_to_num(values) * weights).sum(axis=0) / np.where(total > 0, total, 1), np.nan)


def figures(subsets, sums, records):
    """Make every figure of the result from sums: the columns, each task's score, and overall.

    subsets: those whose columns the result has, with NaN where nothing was counted.
    sums: for each column TP, FP and FN, an array (samples, 3); one sample for the result itself, many for a bootstrap.
    records: how many each task has.

    Returns for each key an array (samples,) in percent.
    """
    samples = max(map(len, sums.values()), default=1)
    unknown = np.full(samples, np.nan)
    asked = dict.fromkeys(column for names in TASKS.values() for column in names)
    columns = {column: None for subset in subsets for column in COLUMNS_OF_SUBSET[subset]}
    columns = {**{c: None for c in asked if c in columns}, **columns, **dict.fromkeys(sums)}
    result = {column: accuracy(sums[column]) if column in sums else unknown for column in columns}
    tasks = [task for task in TASKS if task in map(task_of, subsets)]
    for task in tasks:
        result[f"{task}_score"] = mean_where_known(
            [result.get(column, unknown) for column in TASKS[task]], [1] * len(TASKS[task])
        )
    result["overall"] = mean_where_known([result[f"{task}_score"] for task in tasks], [records[task] for task in tasks])
    return result


def overall_score(columns, counts):
    """Give the overall score (Eq. 4) in percent from columns in percent and the number of records of each task.

    A column that is missing or None is left out of its task's mean (Eq. 5), a task without columns or records out of
    the overall mean; None if nothing is left. Raises ValueError for a name that is no column or no task.

    >>> columns = {"counting": 60.0, "counting_iou25": 30.0, "classification": 80.0}
    >>> overall_score(columns, {"counting": 3, "classification": 1})
    53.75
    """
    known = [column for names in TASKS.values() for column in names]
    for what, given, names in (("columns", columns, known), ("counts", counts, list(TASKS))):
        for name in given:
            if name not in names:
                raise ValueError(f"{what}: {name!r} is unknown: use {', '.join(names)}.")
    values = {column: np.array(np.nan if columns.get(column) is None else float(columns[column])) for column in known}
    scores = [mean_where_known([values[column] for column in names], [1] * len(names)) for names in TASKS.values()]
    overall = float(mean_where_known(scores, [counts.get(task, 0) for task in TASKS]))
    return None if np.isnan(overall) else overall
