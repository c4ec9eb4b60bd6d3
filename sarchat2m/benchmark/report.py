"""The report on a run or several: one page that holds all it shows, and its figures as PNG files beside it.

OUT/index.html      the page, complete in itself: it can be sent, or put anywhere
OUT/figures/*.png   the same figures, for a paper or a slide
OUT/scores.json     everything that was computed
OUT/scores.md       Table 3 with the runs among its rows
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sarchat2m import __version__
from sarchat2m.benchmark import report_figures, scoring
from sarchat2m.benchmark.gallery import Shown, chosen_records
from sarchat2m.benchmark.predictions import Run
from sarchat2m.benchmark.scoring import TABLE3, Comparison, Score
from sarchat2m.errors import SARChatError
from sarchat2m.vocabulary import CATEGORIES, TASK_OF_SUBSET, TASKS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["write_report"]

_TARGET_COUNTS = {"1": (1, 1), "2": (2, 2), "3–5": (3, 5), "6–10": (6, 10), "over 10": (11, 1 << 30)}
"""The buckets of the breakdown by number of targets, both ends included."""

_BY_TARGETS = {
    "Counting: the number": ("counting", ("counting",)),
    "Counting: boxes at IoU .5": ("counting", ("counting_iou50",)),
    "Referring: boxes at IoU .5": ("referring", ("referring_single_iou50", "referring_multi_iou50")),
}
"""By title, the task of each measure of that breakdown and the columns that it sums."""

_BY_CATEGORY = {
    "Classification": "classification",
    "Description": "description",
    "Counting": "counting",
    "Counting, IoU .5": "counting_iou50",
    "Grounding, multi": "grounding_multi",
    "Grounding, single": "grounding_single",
    "Identification, multi": "identification_multi",
    "Identification, single": "identification_single",
    "Referring, multi, IoU .5": "referring_multi_iou50",
    "Referring, single, IoU .5": "referring_single_iou50",
}
"""The columns of the breakdown by category, by their titles."""


@dataclass(frozen=True)
class _Chart:
    """A figure of the page."""

    name: str
    title: str
    text: str
    figure: Figure

    @property
    def svg(self) -> str:
        """As an element of the page."""
        return report_figures.as_svg(self.figure, self.name)


@dataclass(frozen=True)
class _Gallery:
    """The drawn records of one run."""

    run: str
    tasks: dict[str, dict[str, list[Shown]]]


def write_report(
    runs: Sequence[Run], out: Path, *, dataset: str | None = None, split: str | None = None, box_format: str = "auto"
) -> list[Score]:
    """Score runs and write the report on them into a folder, which may exist.

    `dataset` and `split` say where the images of the drawn records are; by default what the first run's header names.
    Without images the report does without drawn records, and says so. Raises `SARChatError` if a run cannot be scored,
    or if jinja2 or matplotlib is missing.
    """
    try:
        import jinja2
    except ImportError:
        raise SARChatError("A report needs jinja2 and matplotlib: pip install 'sarchat2m[figures]'.") from None
    scores = [scoring.score(run, box_format=box_format, detail="category", per_record=True) for run in runs]
    comparison = scoring.compare(runs[0], runs[1], box_format=box_format) if len(runs) == 2 else None
    galleries, notes = _galleries(scores, dataset, split)
    charts = _charts(scores, comparison)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sarchat2m.benchmark", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data_url"] = lambda jpeg: f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    page = environment.get_template("report.html").render(
        version=__version__,
        scores=scores,
        comparison=comparison,
        columns=TABLE3,
        tasks=TASKS,
        task_score=scoring.task_score,
        run_color=report_figures.run_color,
        rows=_leaderboard(scores),
        charts=charts,
        galleries=galleries,
        notes=list(dict.fromkeys(scoring.notes_on(scores) + notes)),
    )
    pictures = {chart.name: chart.figure for chart in charts}
    for number, gallery in enumerate(galleries, 1):
        for task, ends in gallery.tasks.items():
            pictures[f"records-{number}-{task}"] = report_figures.gallery_figure(ends)
    _write(out, page, pictures, scores, comparison)
    return scores


def _write(
    out: Path, page: str, pictures: dict[str, Figure], scores: Sequence[Score], comparison: Comparison | None
) -> None:
    """Write the files, the page last: where it stands, the report is whole."""
    try:
        (out / "figures").mkdir(parents=True, exist_ok=True)
        for name, figure in pictures.items():
            (out / "figures" / f"{name}.png").write_bytes(report_figures.as_png(figure))
        document = json.dumps(scoring.as_json(scores, comparison), indent=2, ensure_ascii=False)
        (out / "scores.json").write_text(document + "\n", encoding="utf-8")
        (out / "scores.md").write_text(scoring.as_markdown(scores, comparison), encoding="utf-8")
        part = out / "index.html.part"
        part.write_text(page, encoding="utf-8")
        part.replace(out / "index.html")
    except OSError as error:
        raise SARChatError(f"The report cannot be written into {out} ({error.strerror}).") from error


def _leaderboard(scores: Sequence[Score]) -> list[dict[str, Any]]:
    """List runs and published models by overall score; of equal ones the run first."""
    rows = [
        {"name": each.run.name, "figures": each.figures, "color": report_figures.run_color(number), "is_run": True}
        for number, each in enumerate(scores)
    ]
    rows += [
        {"name": model.name, "figures": model.figures, "color": None, "is_run": False}
        for model in scoring.published_models()
    ]
    overall = "overall"
    return sorted(rows, key=lambda row: -(row["figures"][overall] if row["figures"][overall] is not None else -1.0))


# Charts


def _charts(scores: Sequence[Score], comparison: Comparison | None) -> list[_Chart]:
    published = scoring.published_models()
    runs = [(each.run.name, each.figures) for each in scores]
    charts = [
        _Chart(
            "leaderboard",
            "Overall score",
            "Your runs in colour, with their bootstrap intervals, among the 16 models of the paper's Table 3.",
            report_figures.leaderboard_figure(runs, published),
        ),
        _Chart(
            "radar",
            "The six tasks",
            "A task's score is the mean of its columns (Eq. 5). Grey: the published models nearest to the best run.",
            report_figures.radar_figure(runs, scoring.nearest_published(scores, 2)),
        ),
        _Chart(
            "parameters",
            "Score and size",
            "Overall score against parameters, as in the paper's Figure 1. A run's size is read off its name.",
            report_figures.parameters_figure(runs, published),
        ),
        _columns_chart(runs, comparison),
    ]
    for number, each in enumerate(scores, 1):
        if (table := _by_category(each)) is not None:
            charts.append(
                _Chart(
                    f"categories-{number}",
                    f"By category: {each.run.name}",
                    "Accuracy in percent among the answers about each category; – where there are none.",
                    report_figures.heatmap_figure(*table),
                )
            )
    panels = {title: lines for title, of in _BY_TARGETS.items() if (lines := _by_targets(scores, *of))}
    if panels:
        charts.append(
            _Chart(
                "targets",
                "By number of targets",
                "Accuracy by how many targets the right answer names; n is the number of records.",
                report_figures.target_count_figure(list(_TARGET_COUNTS), panels),
            )
        )
    return charts


def _columns_chart(runs: Sequence[tuple[str, dict[str, Any]]], comparison: Comparison | None) -> _Chart:
    figure = report_figures.columns_figure(runs, comparison)
    if comparison is None:
        return _Chart("columns", "The columns of Table 3", "Accuracy in percent, a bar for each run.", figure)
    text = (
        f"{comparison.first}, then {comparison.second} with its gain in points over the records in common, "
        "as in the paper's Table 7. A star: p < 0.05 in a paired bootstrap test."
    )
    return _Chart("columns", "Before and after", text, figure)


def _by_category(each: Score) -> tuple[list[str], list[str], list[list[float | None]]] | None:
    categories = each.run.categories or CATEGORIES
    titles = [
        title
        for title, column in _BY_CATEGORY.items()
        if any(each.figures.get(f"{column}/{category}") is not None for category in categories)
    ]
    values = [[each.figures.get(f"{_BY_CATEGORY[title]}/{category}") for title in titles] for category in categories]
    return ([str(category) for category in categories], titles, values) if titles else None


def _by_targets(
    scores: Sequence[Score], task: str, columns: Sequence[str]
) -> list[tuple[str, list[float | None], list[int]]]:
    """Sum TP, FP and FN of a task's records by the number of boxes in their references; a line for each run."""
    lines = []
    for each in scores:
        sums = {bucket: [0, 0] for bucket in _TARGET_COUNTS}
        records = dict.fromkeys(_TARGET_COUNTS, 0)
        for row in each.figures["records"]:
            if TASK_OF_SUBSET[row["subset"]] != task:
                continue
            targets = (each.run.answers[row["index"]].reference or "").count("{<")
            bucket = next((name for name, (low, high) in _TARGET_COUNTS.items() if low <= targets <= high), None)
            if bucket is None:
                continue
            records[bucket] += 1
            for column in columns:
                counts = row["counts"].get(column, (0, 0, 0))
                sums[bucket][0] += counts[0]
                sums[bucket][1] += sum(counts)
        if any(records.values()):
            values = [100 * right / whole if whole else None for right, whole in sums.values()]
            lines.append((each.run.name, values, list(records.values())))
    return lines


# Drawn records


def _galleries(scores: Sequence[Score], dataset: str | None, split: str | None) -> tuple[list[_Gallery], list[str]]:
    """Choose and draw records of every run whose images can be found; say why not of the others."""
    galleries, notes = [], []
    for each in scores:
        header = each.run.header or {}
        place = dataset or header.get("dataset")
        if place is None:
            notes.append(f"{each.run.name}: no records are drawn, for want of their images (--dataset).")
            continue
        try:
            galleries.append(
                _Gallery(each.run.name, chosen_records(each, str(place), split or header.get("split", "test")))
            )
        except SARChatError as error:
            notes.append(f"{each.run.name}: no records are drawn. {error}")
    return galleries, notes
