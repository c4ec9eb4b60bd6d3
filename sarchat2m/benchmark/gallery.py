"""The best and the worst records of each task, ready to be drawn on their images (the paper's Figure 3).

What was read from a text, and how it was judged, comes from the metric's table of records; it is not read again here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sarchat2m.benchmark.predictions import Answer
from sarchat2m.benchmark.scoring import TABLE3, Score
from sarchat2m.errors import SARChatError
from sarchat2m.reading import Dataset
from sarchat2m.vocabulary import REGIONS, TASK_OF_SUBSET, TASKS

__all__ = ["Mark", "Shown", "chosen_records", "record_score"]

_WRITTEN_BOX = re.compile(r"\{\s*<(\d+)>\s*<(\d+)>\s*<(\d+)>\s*<(\d+)>\s*\}")
_NUMBER = r"(-?\d+(?:\.\d+)?)"
_READ_BOX = re.compile(rf"\({_NUMBER}, {_NUMBER}, {_NUMBER}, {_NUMBER}\)")
_READ_PLACE = re.compile(rf"(?:\d+ × )?(\w[\w ]*) in the ({'|'.join(REGIONS)})")

_Box = tuple[float, float, float, float]

_COLUMNS = {column.key for column in TABLE3}


@dataclass(frozen=True)
class Mark:
    """Something that a text places in the image: a box, or a cell of the 3 × 3 grid."""

    box: _Box
    """x1, y1, x2, y2 in pixels of the image."""
    label: str
    """What is there; empty if the text names nothing."""
    is_cell: bool
    """Whether it is a region rather than a target."""


@dataclass(frozen=True)
class Shown:
    """One record with all that is shown of it."""

    task: str
    verdict: str
    score: float
    """Accuracy over the record's own columns, from 0 to 1."""
    answer: Answer
    image: bytes
    """As a JPEG of at most 512 pixels."""
    width: int
    """Of the original image, in whose pixels the marks are."""
    height: int
    reference_marks: list[Mark]
    prediction_marks: list[Mark]


def record_score(row: dict[str, Any]) -> tuple[float, int]:
    """Give a record's accuracy over the columns of Table 3 that it enters, and how many elements that rests on."""
    counts = [counts for column, counts in row["counts"].items() if column in _COLUMNS and sum(counts)]
    right, all_of_them = sum(tp for tp, _, _ in counts), sum(map(sum, counts))
    return (right / all_of_them if all_of_them else 0.0), all_of_them


def chosen_records(score: Score, dataset: str, split: str, each: int = 2) -> dict[str, dict[str, list[Shown]]]:
    """Choose the best and the worst records of every task, each of another image where there are enough.

    Of equally good records the one with more to say comes first, of equally bad ones the one with more mistakes.
    Returns, by task, the lists "best" and "worst". Raises `SARChatError` if the images cannot be had.
    """
    places = {task: _best_and_worst(score, task, each) for task in TASKS}
    rows = {row["index"]: row for row in score.figures["records"]}
    wanted = {place for of_task in places.values() for chosen in of_task.values() for place in chosen}
    answers = {place: score.run.answers[place] for place in wanted}
    image_ids = {place: image_id for place in wanted if (image_id := _image_id(answers[place])) is not None}
    if len(image_ids) < len(wanted):
        raise SARChatError(
            f"{score.run.name}: its records have no ids of a dataset; give --dataset to find their images."
        )
    images = dict(Dataset(dataset, "all", split).images(image_ids.values()))
    if missing := sorted(set(image_ids.values()) - images.keys()):
        raise SARChatError(
            f"{score.run.name}: {dataset} ({split}) has no image {missing[0]}; give --dataset and --split."
        )
    shown = {
        place: _shown(answers[place], rows[place], images[image_ids[place]], str(score.figures["box_format"]))
        for place in wanted
    }
    return {
        task: {end: [shown[place] for place in chosen] for end, chosen in of_task.items()}
        for task, of_task in places.items()
        if any(of_task.values())
    }


def _image_id(answer: Answer) -> int | None:
    """Read the image off a record's id, such as counting/test/17/ship; None if it is no such id."""
    found = re.match(r"[a-z_]+/[a-z]+/(-?\d+)(?:/|$)", answer.id or "")
    return int(found[1]) if found else None


def _best_and_worst(score: Score, task: str, each: int) -> dict[str, list[int]]:
    rows = [row for row in score.figures["records"] if TASK_OF_SUBSET[row["subset"]] == task]
    ranked = [(*record_score(row), row["index"]) for row in rows]
    best = _of_different_images(score, sorted(ranked, key=lambda r: (-r[0], -r[1], r[2])), each)
    worst = _of_different_images(score, sorted(ranked, key=lambda r: (r[0], -r[1], r[2])), each)
    return {"best": best, "worst": [place for place in worst if place not in best]}


def _of_different_images(score: Score, ranked: Sequence[tuple[float, int, int]], each: int) -> list[int]:
    firsts: dict[int, int] = {}
    for _, _, place in ranked:
        image_id = _image_id(score.run.answers[place])
        firsts.setdefault(-1 - place if image_id is None else image_id, place)
        if len(firsts) == each:
            break
    return list(firsts.values())


def _shown(answer: Answer, row: dict[str, Any], stored: bytes, box_format: str) -> Shown:
    from PIL import Image

    with Image.open(io.BytesIO(stored)) as opened:
        picture = opened.convert("L")
    width, height = picture.size
    picture.thumbnail((512, 512))
    small = io.BytesIO()
    picture.save(small, "JPEG", quality=82)
    space = box_format.partition("/")[2]
    scale = (width / float(space), height / float(space)) if space.isdigit() else (1.0, 1.0)
    task = TASK_OF_SUBSET[answer.subset or ""]
    asked = _boxes(_WRITTEN_BOX, answer.question or "")
    right = _boxes(_WRITTEN_BOX, answer.reference or "")
    read = _boxes(_READ_BOX, row["prediction"], *scale)
    if task == "identification":
        reference_marks = [Mark(box, row["reference"].split(",")[0], False) for box in asked]
        prediction_marks = [Mark(box, row["prediction"].split(",")[0], False) for box in asked]
    else:
        reference_marks = [Mark(box, "", False) for box in right] or _cells(row["reference"], width, height)
        prediction_marks = [Mark(box, "", False) for box in read] or _cells(row["prediction"], width, height)
    accuracy, _ = record_score(row)
    return Shown(
        task=task,
        verdict=_in_words(row["verdict"]),
        score=accuracy,
        answer=answer,
        image=small.getvalue(),
        width=width,
        height=height,
        reference_marks=reference_marks,
        prediction_marks=prediction_marks,
    )


def _boxes(pattern: re.Pattern[str], text: str, x: float = 1.0, y: float = 1.0) -> list[_Box]:
    """Find the boxes of a text, in pixels if it counts in units of x and y pixels."""
    return [(float(x1) * x, float(y1) * y, float(x2) * x, float(y2) * y) for x1, y1, x2, y2 in pattern.findall(text)]


def _cells(told: str, width: int, height: int) -> list[Mark]:
    """Turn "ship in the top left; tank in the middle center" into the cells of the grid, one mark for each cell."""
    labels: dict[str, list[str]] = {}
    for category, region in _READ_PLACE.findall(told):
        labels.setdefault(region, []).append(category)
    marks = []
    for region, categories in labels.items():
        row, column = divmod(REGIONS.index(region), 3)
        box = (column * width / 3, row * height / 3, (column + 1) * width / 3, (row + 1) * height / 3)
        marks.append(Mark(box, ", ".join(dict.fromkeys(categories)), True))
    return marks


def _in_words(verdict: str) -> str:
    return verdict.replace("_", " ").replace(" iou25", " at IoU .25").replace(" iou50", " at IoU .5")
