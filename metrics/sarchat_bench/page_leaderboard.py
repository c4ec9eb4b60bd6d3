"""The visitor's result beside the 16 models of the paper's Table 3, as HTML tables.

Everything that comes from outside is escaped here, so that a model's name can hold any text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple


class Column(NamedTuple):
    """One column of Table 3: the task it belongs to, its two-level heading, and its key in the metric's result."""

    task: str
    group: str
    label: str
    key: str


COLUMNS = (
    Column("counting", "Counting", "Count", "counting"),
    Column("counting", "Counting", "IoU .25", "counting_iou25"),
    Column("counting", "Counting", "IoU .5", "counting_iou50"),
    Column("grounding", "Grounding", "Abstract", "grounding_abstract"),
    Column("grounding", "Grounding", "Multi", "grounding_multi"),
    Column("grounding", "Grounding", "Single", "grounding_single"),
    Column("identification", "Identification", "Multi", "identification_multi"),
    Column("identification", "Identification", "Single", "identification_single"),
    Column("referring", "Referring, multi", "IoU .25", "referring_multi_iou25"),
    Column("referring", "Referring, multi", "IoU .5", "referring_multi_iou50"),
    Column("referring", "Referring, single", "IoU .25", "referring_single_iou25"),
    Column("referring", "Referring, single", "IoU .5", "referring_single_iou50"),
    Column("description", "Describe", "Pairs", "description"),
    Column("classification", "Classify", "Class", "classification"),
)

TASKS = ("classification", "description", "counting", "grounding", "identification", "referring")

Scores = Mapping[str, Any]
"""Figures in percent by the metric's keys; a figure that rests on no record is None or missing."""


class Model(NamedTuple):
    """A named row of the leaderboard."""

    name: str
    scores: Scores


def _read_published() -> tuple[tuple[Model, ...], dict[str, int]]:
    table = json.loads(Path(__file__).with_name("published.json").read_text(encoding="utf-8"))
    models = [
        Model(f"{row['model']}-{row['parameters']}", {"overall": row["overall"], **row["columns"]})
        for row in table["models"]
    ]
    return tuple(sorted(models, key=lambda model: -model.scores["overall"])), table["test_records"]


PUBLISHED, TEST_RECORDS = _read_published()
"""Table 3's models, best first, and the records of the paper's test split by task (Table 5)."""


def task_score(scores: Scores, task: str) -> float | None:
    """Give a model's score on a task: the mean of the task's columns (equation 5), without those that are None.

    >>> task_score({"identification_multi": 98.0, "identification_single": 99.0}, "identification")
    98.5
    """
    keys = (column.key for column in COLUMNS if column.task == task)
    values = [scores[key] for key in keys if scores.get(key) is not None]
    return sum(values) / len(values) if values else None


def leaderboard_html(own: Model | None = None) -> str:
    """Give Table 3 with the visitor's model, if there is one, in its first row; the best published figures are bold."""
    best = {key: max(model.scores[key] for model in PUBLISHED) for key in ("overall", *(c.key for c in COLUMNS))}
    rows = [_row(own, {}, "own")] if own else []
    rows += [_row(model, best) for model in PUBLISHED]
    head = f"<tr><th rowspan='2' scope='col'>Model</th><th rowspan='2' scope='col'>Avg score</th>{_groups()}</tr><tr>"
    head += "".join(f"<th scope='col'>{escape(column.label)}</th>" for column in COLUMNS) + "</tr>"
    return frame(f"<table class='board'><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>", "Leaderboard")


def task_table_html(models: Sequence[Model]) -> str:
    """Give the six task scores of the models in the radar plot; a column's head shows the model's line in the plot."""
    head = "".join(
        f"<th scope='col'><span class='key series-{number}'></span>{escape(model.name)}</th>"
        for number, model in enumerate(models)
    )
    rows = "".join(
        f"<tr><th scope='row'>{task.capitalize()}</th>"
        + "".join(_cell(task_score(model.scores, task)) for model in models)
        + "</tr>"
        for task in TASKS
    )
    table = f"<table class='tasks'><thead><tr><th scope='col'>Task</th>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return frame(table, "Task scores")


def frame(table: str, label: str) -> str:
    """Give a table the frame in which it scrolls by itself, with the keyboard too."""
    return f"<div class='frame' tabindex='0' role='region' aria-label='{escape(label)}'>{table}</div>"


def _groups() -> str:
    """Write the upper heading: neighbouring columns of one group share a cell."""
    groups: dict[str, int] = {}
    for column in COLUMNS:
        groups[column.group] = groups.get(column.group, 0) + 1
    return "".join(f"<th colspan='{width}' scope='colgroup'>{escape(group)}</th>" for group, width in groups.items())


def _row(model: Model, best: Scores, style: str = "") -> str:
    cells = (_cell(model.scores.get(key), best.get(key)) for key in ("overall", *(column.key for column in COLUMNS)))
    return f"<tr class='{style}'><th scope='row'>{escape(model.name)}</th>{''.join(cells)}</tr>"


def _cell(value: float | None, best: float | None = None) -> str:
    if value is None:
        return "<td class='none' title='rests on no record'>–</td>"
    return f"<td class='best'>{value:.2f}</td>" if value == best else f"<td>{value:.2f}</td>"
