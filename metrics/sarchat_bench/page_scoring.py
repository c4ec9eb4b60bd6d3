"""The page's use of the metric: what was uploaded goes in, figures and judged records come out, and files of both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import evaluate
from page_files import Answers, PageError
from page_leaderboard import COLUMNS

BENCH = evaluate.load(str(Path(__file__).with_name("sarchat_bench.py")))
"""Loaded once: `compute` on whole lists keeps nothing between two calls."""

BOX_FORMATS = [
    ("automatic", "auto"),
    ("{<x1><y1><x2><y2>} (paper)", "paper"),
    ("<box>[[x1,y1,x2,y2]]</box>, to 1000 (box)", "box"),
    ("<|box_start|>(x1,y1),(x2,y2), to 1000 (box_start)", "box_start"),
    ('"bbox_2d": [x1,y1,x2,y2] (bbox_2d)', "bbox_2d"),
    ("<|det|>[[x1,y1,x2,y2]], to 1000 (det)", "det"),
    ("[x1,y1,x2,y2], pixels (list)", "list"),
    ("[x1,y1,x2,y2], to 1 (list/1)", "list/1"),
    ("[x1,y1,x2,y2], to 100 (list/100)", "list/100"),
    ("[x1,y1,x2,y2], to 1000 (list/1000)", "list/1000"),
]
"""What the page offers; any other notation/space of the metric can be typed in."""

VERDICTS = ("right", "partly right", "wrong", "unreadable")

_SCORED = {column.key for column in COLUMNS}


class Record(NamedTuple):
    """One record as judged: the texts, what was read from them, and TP, FP, FN by column."""

    id: str
    subset: str
    prediction: str | None
    prediction_read: str
    reference: str
    reference_read: str
    verdict: str
    counts: Mapping[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Scored:
    """A scored model. Its downloads lie in a folder that goes when this does."""

    name: str
    scores: Mapping[str, Any]
    records: list[Record]
    warnings: list[str]
    notes: list[str]
    folder: TemporaryDirectory[str] = field(default_factory=lambda: TemporaryDirectory(prefix="sarchat_bench_"))


def score(answers: Answers, name: str, box_format: str) -> Scored:
    """Score a model's answers; raises PageError with the metric's own sentence where it cannot."""
    try:
        result = BENCH.compute(
            predictions=answers.predictions,
            references=answers.references,
            subsets=answers.subsets,
            box_format=box_format,
            image_sizes=answers.image_sizes,
            per_record=True,
        )
    except ValueError as error:
        raise PageError(str(error)) from None
    judged, warnings = result.pop("records"), result.pop("warnings")
    records = [
        Record(
            id=answers.ids[row["index"]],
            subset=row["subset"],
            prediction=answers.predictions[row["index"]],
            prediction_read=row["prediction"],
            reference=answers.references[row["index"]],
            reference_read=row["reference"],
            verdict=verdict(row["counts"], row["verdict"] == "unreadable"),
            counts=row["counts"],
        )
        for row in judged
    ]
    return Scored(name, result, records, warnings, answers.notes)


def verdict(counts: Mapping[str, tuple[int, int, int]], unreadable: bool = False) -> str:
    """Judge a record by the columns that enter the score; what is counted beside them is only shown.

    >>> verdict({"counting": (1, 0, 0), "counting_iou25": (1, 1, 0)})
    'partly right'
    >>> verdict({"identification_multi": (1, 0, 0), "identification_multi_size": (0, 1, 0)})
    'right'
    """
    if unreadable:
        return "unreadable"
    right, too_many, missing = (
        sum(counts[column][part] for column in counts if column in _SCORED) for part in range(3)
    )
    if not too_many and not missing:
        return "right"
    return "partly right" if right else "wrong"


def write_downloads(scored: Scored) -> tuple[Path, Path]:
    """Write the figures as one JSON file and the judged records as JSON lines; give both paths."""
    scores, records = Path(scored.folder.name) / "scores.json", Path(scored.folder.name) / "records.jsonl"
    about = {"model": scored.name, "scores": scored.scores, "warnings": scored.warnings, "notes": scored.notes}
    scores.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    with records.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(record._asdict(), ensure_ascii=False) + "\n" for record in scored.records)
    return scores, records
