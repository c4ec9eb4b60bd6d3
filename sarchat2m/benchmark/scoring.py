"""The score of runs: the metric beside the paper's Table 3, on the terminal, as JSON and as Markdown.

The metric itself is `metrics/sarchat_bench`, loaded as anybody would load it; here its figures are only arranged.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from sarchat2m.benchmark.predictions import Answer, Run
from sarchat2m.errors import SARChatError
from sarchat2m.locations import metric_path
from sarchat2m.terminal import plain_table
from sarchat2m.vocabulary import CATEGORIES

__all__ = [
    "TABLE3",
    "Column",
    "Comparison",
    "PublishedModel",
    "Score",
    "as_json",
    "as_markdown",
    "compare",
    "comparison_table",
    "load_metric",
    "nearest_published",
    "notes_on",
    "parameters_of",
    "published_models",
    "score",
    "score_tables",
    "task_score",
]


class Column(NamedTuple):
    """A column of Table 3."""

    task: str
    label: str
    """As in the table's head, under the name of the task."""
    key: str
    """In the metric's result."""


TABLE3 = (
    Column("overall", "Avg score", "overall"),
    Column("counting", "Only count", "counting"),
    Column("counting", "IoU=.25", "counting_iou25"),
    Column("counting", "IoU=.5", "counting_iou50"),
    Column("grounding", "Abstract position", "grounding_abstract"),
    Column("grounding", "Multi", "grounding_multi"),
    Column("grounding", "Single", "grounding_single"),
    Column("identification", "Multi", "identification_multi"),
    Column("identification", "Single", "identification_single"),
    Column("referring", "Multi, IoU=.25", "referring_multi_iou25"),
    Column("referring", "Multi, IoU=.5", "referring_multi_iou50"),
    Column("referring", "Single, IoU=.25", "referring_single_iou25"),
    Column("referring", "Single, IoU=.5", "referring_single_iou50"),
    Column("description", "Descript", "description"),
    Column("classification", "Class", "classification"),
)
"""The columns of the paper's Table 3, in its order."""


class PublishedModel(NamedTuple):
    """A row of Table 3."""

    family: str
    parameters: float
    """In billions."""
    figures: dict[str, float]
    """In percent, by the keys of `TABLE3`."""

    @property
    def name(self) -> str:
        """Family and size, such as "InternVL2.5-8B"."""
        return f"{self.family}-{self.parameters:g}B"


@dataclass(frozen=True)
class Score:
    """A run and what the metric says of it."""

    run: Run
    figures: dict[str, Any]
    """The metric's whole result: percentages, numbers of records, intervals, warnings and the signature."""


@dataclass(frozen=True)
class Comparison:
    """Two runs over the records that both have."""

    first: str
    second: str
    records: int
    figures: dict[str, dict[str, float | None]]
    """For every key of the metric "first", "second", "gain" in points (second - first), and "p_value"."""
    signature: str


@lru_cache(maxsize=1)
def published_models() -> tuple[PublishedModel, ...]:
    """Give the 16 models of Table 3, the best first."""
    rows = json.loads((metric_path() / "published.json").read_text(encoding="utf-8"))["models"]
    models = [
        PublishedModel(
            row["model"],
            float(row["parameters"].removesuffix("B")),
            {column.key: float({**row, **row["columns"]}[column.key]) for column in TABLE3},
        )
        for row in rows
    ]
    return tuple(sorted(models, key=lambda model: -model.figures["overall"]))


def parameters_of(name: str) -> float | None:
    """Read the size of a model in billions of parameters from its name.

    >>> parameters_of("Qwen2-VL-7B-Instruct"), parameters_of("deepseek-vl-1.3b"), parameters_of("my-model")
    (7.0, 1.3, None)
    """
    found = re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)[bB](?![A-Za-z])", name)
    return float(found[-1]) if found else None


@lru_cache(maxsize=1)
def load_metric() -> Any:
    """Load the metric, as `evaluate.load` does it for everybody."""
    import evaluate

    return evaluate.load(str(metric_path()))


def score(run: Run, *, box_format: str = "auto", confidence: float | None = 0.95, **options: Any) -> Score:
    """Score a run; further options go to the metric's `compute`.

    Raises `SARChatError` if the metric cannot work with the run, such as a reference that cannot be read.
    """
    return Score(run, _ask_metric(load_metric().compute, run, run.answers, box_format, confidence, options))


def _ask_metric(
    function: Any,
    run: Run,
    answers: Sequence[Answer],
    box_format: str,
    confidence: float | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    part = Run(run.name, list(answers), run.kind, run.header)
    options = {
        "predictions": part.predictions,
        "references": part.references,
        "subsets": part.subsets,
        "image_sizes": part.image_sizes,
        "box_format": box_format,
        **({"confidence": confidence} if confidence else {}),
        **({"questions": part.questions} if options.get("detail") else {}),
        **({"vocabulary": vocabulary} if (vocabulary := _vocabulary(run)) else {}),
        **options,
    }
    try:
        with warnings.catch_warnings():  # the result has them all
            warnings.simplefilter("ignore")
            result: dict[str, Any] = function(**{name: value for name, value in options.items() if value is not None})
    except ValueError as error:
        raise SARChatError(f"{run.name}: {error}") from error
    return result


def _vocabulary(run: Run) -> list[str] | None:
    """Give the categories of a run whose dataset has others than SARDet-100K's."""
    return list(run.categories) if run.categories and tuple(run.categories) != CATEGORIES else None


def compare(first: Run, second: Run, *, box_format: str = "auto") -> Comparison:
    """Compare two runs over the records that both have: what the second gains in every figure, and how sure that is.

    Raises `SARChatError` if they have no record in common.
    """

    def key(answer: Answer) -> Any:
        return answer.id if answer.id is not None else (answer.image, answer.question, answer.subset)

    others = {key(answer): answer for answer in second.answers}
    pairs = [(answer, others[key(answer)]) for answer in first.answers if key(answer) in others]
    if not pairs:
        raise SARChatError(
            f"{first.name} and {second.name} have no record in common; give --dataset, so that both know their ids."
        )
    mine, theirs = ([pair[side] for pair in pairs] for side in (0, 1))

    def both(predictions: list[str], **options: Any) -> dict[str, Any]:
        result: dict[str, Any] = load_metric().compare(predictions, [answer.prediction for answer in theirs], **options)
        return result

    told = _ask_metric(both, first, mine, box_format, None, {})
    signature = told.pop("signature")
    figures = {
        key: {
            "first": each["a"],
            "second": each["b"],
            "gain": None if each["difference"] is None else 0.0 - each["difference"],
            "p_value": each["p_value"],
        }
        for key, each in told.items()
    }
    return Comparison(first.name, second.name, len(pairs), figures, signature)


# On the terminal


def _cell(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _interval(figures: dict[str, Any], key: str) -> str:
    bounds = figures.get(f"{key}_interval")
    return f"{bounds[0]:.1f}–{bounds[1]:.1f}" if bounds else ""


def task_score(figures: Mapping[str, Any], task: str) -> float | None:
    """Give a task's score a_t: as the metric states it, or from the published columns, whose mean it is (Eq. 5)."""
    if f"{task}_score" in figures:
        value: float | None = figures[f"{task}_score"]
        return value
    columns = [figures.get(column.key) for column in TABLE3 if column.task == task]
    known = [value for value in columns if value is not None]
    return sum(known) / len(known) if known else None


def nearest_published(scores: Sequence[Score], count: int) -> list[PublishedModel]:
    """Choose the published models that are nearest to the best run, by overall score; the best one first."""
    best = max((score.figures.get("overall") or 0.0 for score in scores), default=0.0)
    nearest = sorted(published_models(), key=lambda model: abs(model.figures["overall"] - best))[:count]
    return [model for model in published_models() if model in nearest]


def score_tables(scores: Sequence[Score], published: int = 2, width: int = 80) -> list[Table]:
    """Make a table of runs beside published models: Table 3's columns, one to a line, so that it fits a terminal.

    Nothing is cut off. What finds no place in `width` characters is left out: first the intervals, which the title
    tells, then the published models, from the furthest on. Runs that find no place side by side get several tables.
    """
    for with_intervals, count in [(True, published), *((False, count) for count in range(published, -1, -1))]:
        table = _score_table(scores, nearest_published(scores, count), with_intervals)
        if _width(table) <= width:
            return [table]
    if len(scores) == 1:
        return [table]
    half = (len(scores) + 1) // 2
    return [*score_tables(scores[:half], 0, width), *score_tables(scores[half:], 0, width)]


def _width(table: Table) -> int:
    console = Console(width=10_000)
    return Measurement.get(console, console.options, table).maximum


def _score_table(scores: Sequence[Score], models: Sequence[PublishedModel], with_intervals: bool) -> Table:
    intervals = [with_intervals and _has_intervals(each) for each in scores]
    left_out = any(map(_has_intervals, scores)) and not with_intervals
    title = "SARChat-Bench, accuracy in percent" + (" (intervals need a wider terminal)" if left_out else "")
    table = plain_table(title)
    table.add_column("Table 3's\ncolumn", no_wrap=True)
    for each, has_interval in zip(scores, intervals, strict=True):
        table.add_column(_folded(each.run.name), justify="right", style="bold", no_wrap=True)
        if has_interval:
            table.add_column("interval", justify="right", style="dim", no_wrap=True)
    for model in models:
        table.add_column(f"{_folded(model.name)}\n(paper)", justify="right", style="dim", no_wrap=True)
    task = TABLE3[0].task
    for column in TABLE3:
        if column.task != task:
            task = column.task
            counts = [f"n={each.figures.get(f'{task}_records', 0):,}" for each in scores]
            table.add_row(task.capitalize(), *_beside_intervals(counts, intervals), style="cyan")
        label = column.label if column.task == "overall" else f"  {column.label}"
        figures = [_cell(each.figures.get(column.key)) for each in scores]
        bounds = [_interval(each.figures, column.key) for each in scores]
        published = [_cell(model.figures[column.key]) for model in models]
        table.add_row(label, *_beside_intervals(figures, intervals, bounds), *published)
    return table


def _has_intervals(each: Score) -> bool:
    return any(name.endswith("_interval") for name in each.figures)


def _beside_intervals(
    cells: Sequence[str], intervals: Sequence[bool], bounds: Sequence[str] | None = None
) -> Iterator[str]:
    """Give each run's cell and, where it has a column for its interval, the cell of that."""
    for number, (cell, has_interval) in enumerate(zip(cells, intervals, strict=True)):
        yield cell
        if has_interval:
            yield bounds[number] if bounds else ""


def _folded(name: str, width: int = 12) -> str:
    """Break the name of a model behind its hyphens and the like, and a part that is too long anywhere.

    >>> _folded("Qwen2.5-VL-7B-Instruct")
    'Qwen2.5-VL-\\n7B-Instruct'
    """
    lines = [""]
    for part in re.findall(rf"[^-_/ ]{{1,{width - 1}}}[-_/ ]*|[-_/ ]+", name):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > width:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def comparison_table(comparison: Comparison) -> Table:
    """Make a table of what the second run gains over the first; p is the chance of that between equal models."""
    table = plain_table(f"From {comparison.first} to {comparison.second}, {comparison.records:,} records in common")
    table.add_column("Table 3's column", no_wrap=True)
    for name in (_folded(comparison.first), _folded(comparison.second), "gain", "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for column in TABLE3:
        figures = comparison.figures.get(column.key)
        if figures is None or figures["gain"] is None:
            continue
        table.add_row(
            _label(column),
            _cell(figures["first"]),
            _cell(figures["second"]),
            f"{figures['gain']:+.2f}",
            _p_value(figures["p_value"]),
        )
    return table


def _label(column: Column) -> str:
    return column.label if column.task == "overall" else f"{column.task.capitalize()}, {column.label}"


def _p_value(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"{value:.3f}"


def notes_on(scores: Sequence[Score]) -> list[str]:
    """Give what there is to say about the runs, each sentence once; a warning that not all share names its run."""
    shared = set.intersection(*(set(each.figures["warnings"]) for each in scores))
    notes = []
    for each in scores:
        notes += each.run.notes
        notes += [
            warning if warning in shared else f"{each.run.name}: {warning}" for warning in each.figures["warnings"]
        ]
    return list(dict.fromkeys(notes))


# In files


def as_json(scores: Sequence[Score], comparison: Comparison | None = None) -> dict[str, Any]:
    """Give everything that was computed, as JSON takes it."""
    document: dict[str, Any] = {
        "runs": [
            {
                "name": each.run.name,
                "kind": each.run.kind,
                "records": len(each.run.answers),
                "errors": dict(each.run.errors),
                "figures": {name: value for name, value in each.figures.items() if name != "records"},
                "header": each.run.header,
            }
            for each in scores
        ]
    }
    if comparison:
        document["comparison"] = {
            "first": comparison.first,
            "second": comparison.second,
            "records": comparison.records,
            "figures": comparison.figures,
            "signature": comparison.signature,
        }
    return document


def as_markdown(scores: Sequence[Score], comparison: Comparison | None = None) -> str:
    """Write Table 3 with the runs among its rows, their intervals, the comparison, and the signatures behind it all."""
    heads = [_label(column) for column in TABLE3]
    rows = [(each.figures.get("overall"), each.run.name, each.figures, True) for each in scores]
    rows += [(model.figures["overall"], model.name, model.figures, False) for model in published_models()]
    rows.sort(key=lambda row: -(row[0] if row[0] is not None else -1.0))
    parts = [
        "# SARChat-Bench",
        "",
        "Accuracy in percent; the runs in bold among the models of the paper's Table 3.",
        "",
        *_markdown_table(
            ["Model", *heads],
            [
                [_strong(name, ours), *(_strong(_cell(figures.get(column.key)), ours) for column in TABLE3)]
                for _, name, figures, ours in rows
            ],
        ),
    ]
    if any(map(_has_intervals, scores)):
        intervals = [[each.run.name, *(_interval(each.figures, c.key) or "–" for c in TABLE3)] for each in scores]
        parts += ["", "## Intervals", "", *_markdown_table(["Model", *heads], intervals)]
    if comparison:
        rows_of_gain = [
            [_label(c), _cell(f["first"]), _cell(f["second"]), f"{f['gain']:+.2f}", _p_value(f["p_value"])]
            for c in TABLE3
            if (f := comparison.figures.get(c.key)) and f["gain"] is not None
        ]
        parts += [
            "",
            f"## From {comparison.first} to {comparison.second}",
            "",
            f"Over the {comparison.records:,} records in common; p from a paired bootstrap test.",
            "",
            *_markdown_table(["Column", comparison.first, comparison.second, "Gain", "p"], rows_of_gain),
        ]
    notes = [f"- {note}" for note in notes_on(scores)]
    parts += ["", "## Notes", "", *(notes or ["None."]), "", "## Signatures", ""]
    parts += [f"- {each.run.name}: `{each.figures['signature']}`" for each in scores]
    parts += [f"- comparison: `{comparison.signature}`"] if comparison else []
    return "\n".join(parts) + "\n"


def _strong(text: str, wanted: bool) -> str:
    return f"**{text}**" if wanted and text != "–" else text


def _markdown_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return [line(heads), line(["---", *["---:"] * (len(heads) - 1)]), *map(line, rows)]
