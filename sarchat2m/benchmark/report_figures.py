"""The figures of a report, drawn with matplotlib: each function takes figures in percent and gives a `Figure`.

Runs have a colour, a marker and a line of their own, the published models are grey, and numbers stand beside bars and
in cells: nothing hangs on colour alone.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from sarchat2m.benchmark.gallery import Mark, Shown
from sarchat2m.benchmark.scoring import TABLE3, Comparison, PublishedModel, parameters_of, task_score
from sarchat2m.errors import SARChatError
from sarchat2m.pictures import OKABE_ITO
from sarchat2m.vocabulary import TASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "as_png",
    "as_svg",
    "columns_figure",
    "gallery_figure",
    "heatmap_figure",
    "leaderboard_figure",
    "parameters_figure",
    "radar_figure",
    "run_color",
    "target_count_figure",
]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_WIDTH = 5.0
"""Inches: in a page on a telephone, letters have about the size that they have here."""

Figures = Mapping[str, Any]
"""Percentages by the metric's keys; None or missing where nothing was there to count."""

_INK, _GREY, _FAINT, _LINE = "#1b1f23", "#5f6b76", "#b8c0c8", "#e3e7eb"
REFERENCE_COLOR, PREDICTION_COLOR = "#22b14c", "#ff4136"

_RUN_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", *OKABE_ITO)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_HATCHES = ("", "////", "....", "xx")
_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.4)), (0, (5, 2, 1, 2)))

_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _INK,
    "text.color": _INK,
    "grid.color": _LINE,
    "legend.frameon": False,
    "svg.hashsalt": "sarchat2m",
}


def run_color(number: int) -> str:
    """Give the colour of the run at a place of the list."""
    return _RUN_COLORS[number % len(_RUN_COLORS)]


def _styled(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Draw in the report's style, whatever the style of the process."""

    @wraps(function)
    def in_style(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            import matplotlib
        except ImportError:
            raise SARChatError("A report needs matplotlib: pip install 'sarchat2m[figures]'.") from None
        with matplotlib.rc_context(_STYLE):
            return function(*args, **kwargs)

    return in_style


def _figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained", **options: Any
) -> tuple[Figure, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure, figure.subplots(**options)


@_styled
def _save(figure: Figure, file_format: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format=file_format, **options)
    return stream.getvalue()


def as_png(figure: Figure) -> bytes:
    """Encode a figure as PNG at 180 dots per inch."""
    # Speckle hardly compresses: the last levels of zlib would take most of a report's time and give a percent or two.
    return _save(figure, "png", dpi=180, metadata={"Software": None}, pil_kwargs={"compress_level": 4})


def as_svg(figure: Figure, name: str) -> str:
    """Encode a figure as an SVG element for a page; its ids begin with a name, so that a page may hold several."""
    text = _save(figure, "svg", transparent=True, metadata={"Date": None, "Creator": None}).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace('href="#', f'href="#{name}-').replace("url(#", f"url(#{name}-")
    return re.sub(r'(<svg[^>]*?) width="[^"]*pt"| height="[^"]*pt"', lambda m: m[1] or "", text, count=2)


@_styled
def leaderboard_figure(runs: Sequence[tuple[str, Figures]], published: Sequence[PublishedModel]) -> Figure:
    """Draw the overall scores as bars: the runs in colour with their intervals, the published models in grey."""
    rows = [(figures["overall"], name, figures, run_color(n)) for n, (name, figures) in enumerate(runs)]
    rows += [(model.figures["overall"], model.name, model.figures, _FAINT) for model in published]
    rows = sorted((row for row in rows if row[0] is not None), key=lambda row: row[0])
    figure, axes = _figure(_WIDTH, 0.8 + 0.26 * len(rows))
    for place, (value, name, figures, color) in enumerate(rows):
        is_run = color != _FAINT
        axes.barh(place, value, color=color, height=0.68)
        right = value
        if interval := figures.get("overall_interval"):
            axes.plot(interval, [place, place], color=_INK, linewidth=1.2, marker="|", markersize=6)
            right = interval[1]
        axes.text(right + 1.5, place, f"{value:.2f}", va="center", fontsize=9, fontweight="bold" if is_run else None)
        axes.text(
            -1,
            place,
            name,
            va="center",
            ha="right",
            fontsize=9,
            fontweight="bold" if is_run else None,
            color=color if is_run else _INK,
        )
    axes.set_yticks([])
    axes.set_xlim(0, 116)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xticks(range(0, 101, 20))
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Overall score, percent")
    return figure


@_styled
def radar_figure(runs: Sequence[tuple[str, Figures]], published: Sequence[PublishedModel]) -> Figure:
    """Draw the six task scores as a radar plot, of the runs and of some published models."""
    figure, axes = _figure(_WIDTH, 5.3, subplot_kw={"projection": "polar"})
    angles = [2 * math.pi * place / len(TASKS) for place in range(len(TASKS))]
    lines: list[tuple[str, Figures, str, int | None]] = [(m.name, m.figures, _GREY, None) for m in published]
    lines += [(name, figures, run_color(n), n) for n, (name, figures) in enumerate(runs)]
    for number, (name, figures, color, run) in enumerate(lines):
        values = [task_score(figures, task) for task in TASKS]
        points = [math.nan if value is None else value for value in values]
        if run is not None and not any(map(math.isnan, points)):
            axes.fill(angles, points, color=color, alpha=0.10, linewidth=0)
        axes.plot(
            [*angles, angles[0]],
            [*points, points[0]],
            color=color,
            linewidth=1.1 if run is None else 2.2,
            linestyle=_DASHES[(number + 1) % len(_DASHES)] if run is None else _DASHES[run % len(_DASHES)],
            marker=None if run is None else _MARKERS[run % len(_MARKERS)],
            markersize=5,
            label=name if run is not None else f"{name} (paper)",
        )
    axes.set_theta_offset(math.pi / 2)
    axes.set_theta_direction(-1)
    axes.set_xticks(angles, [task.capitalize() for task in TASKS], fontsize=10)
    for label, angle in zip(axes.get_xticklabels(), angles, strict=True):
        label.set_horizontalalignment("center" if angle in (0.0, math.pi) else "left" if angle < math.pi else "right")
    axes.set_ylim(0, 100)
    axes.set_yticks([25, 50, 75, 100], ["25", "50", "75", "100"], fontsize=8, color=_GREY)
    axes.set_rlabel_position(30)
    axes.grid(color=_LINE)
    axes.spines["polar"].set_color(_FAINT)
    figure.legend(loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    return figure


@_styled
def parameters_figure(runs: Sequence[tuple[str, Figures]], published: Sequence[PublishedModel]) -> Figure:
    """Draw overall score against parameters (the paper's Figure 1); a run of unknown size is a line across."""
    figure, axes = _figure(_WIDTH, 4.6)
    labels: list[tuple[str, float, float, dict[str, Any]]] = []
    for number, (name, figures) in enumerate(runs):
        value, size, color = figures.get("overall"), parameters_of(name), run_color(number)
        style = {"color": color, "fontweight": "bold"}
        if value is None:
            continue
        if size is None:
            axes.axhline(value, color=color, linewidth=1.6, linestyle=_DASHES[1])
            on_its_line = {"bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.5}}
            labels.append((f"{name} (size unknown)", 0.9, value, {**style, **on_its_line}))
        else:
            axes.plot([size], [value], marker="*", markersize=16, color=color, markeredgecolor="white", zorder=5)
            labels.append((name, size, value, style))
    families: dict[str, list[PublishedModel]] = {}
    for model in sorted(published, key=lambda model: model.parameters):
        families.setdefault(model.family, []).append(model)
    for number, (family, members) in enumerate(families.items()):
        xs, ys = [m.parameters for m in members], [m.figures["overall"] for m in members]
        axes.plot(
            xs, ys, color=_GREY, alpha=0.75, linewidth=1, marker=_MARKERS[number % len(_MARKERS)], markersize=5.5,
            markerfacecolor="white",
        )  # fmt: skip
        labels.append((family, xs[-1], ys[-1], {"color": _GREY}))
    sizes = [model.parameters for model in published] + [parameters_of(name) or 1.0 for name, _ in runs]
    axes.set_xscale("log")
    axes.set_xlim(min(sizes) * 0.8, max(sizes) * 2.6)
    ticks = [tick for tick in (0.5, 1, 2, 4, 8, 16, 32, 72) if min(sizes) * 0.8 < tick < max(sizes) * 2.6]
    axes.set_xticks(ticks, [f"{tick:g}B" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.margins(y=0.1)
    axes.grid()
    axes.set_axisbelow(True)
    axes.set_xlabel("Parameters")
    axes.set_ylabel("Overall score, percent")
    figure.draw_without_rendering()  # fixes the axes' limits, which the labels need
    taken: list[tuple[float, float, float]] = []
    for text, x, y, style in labels:
        _label(axes, text, x, y, taken, style)
    return figure


def _label(
    axes: Axes, text: str, x: float, y: float, taken: list[tuple[float, float, float]], style: dict[str, Any]
) -> None:
    """Write a name right of its point, on the nearest line where none stands yet; a thin line leads there.

    `taken` holds left, right and height of the names that stand already, in points.
    """
    at_x, at_y = axes.transData.transform((x, y)) * 72 / axes.figure.dpi
    left, right = at_x + 9, at_x + 9 + 6.2 * len(text)
    for step in sorted(range(-12, 13), key=abs):
        height = at_y + 5.5 * step
        if all(right < begin or left > end or abs(height - other) > 10.5 for begin, end, other in taken):
            break
    taken.append((left, right, height))
    leader = {"arrowstyle": "-", "color": _FAINT, "linewidth": 0.7, "shrinkA": 0, "shrinkB": 4}
    axes.annotate(
        text, (x, y), (9, height - at_y), textcoords="offset points", fontsize=8.5, va="center",
        arrowprops=leader if abs(height - at_y) > 6 else None, **style,
    )  # fmt: skip


@_styled
def columns_figure(runs: Sequence[tuple[str, Figures]], comparison: Comparison | None = None) -> Figure:
    """Draw every column of Table 3 as bars, a bar for each run; of two runs, before and after (Table 7), with gains."""
    columns = [c for c in TABLE3 if any(figures.get(c.key) is not None for _, figures in runs)]
    figure, axes = _figure(_WIDTH, 1.0 + len(columns) * (0.16 + 0.2 * len(runs)))
    thick = 0.84 / len(runs)
    for place, column in enumerate(columns):
        for number, (_, figures) in enumerate(runs):
            value = figures.get(column.key)
            y = place + (number - (len(runs) - 1) / 2) * thick
            if value is None:
                continue
            axes.barh(y, value, height=thick * 0.9, color=run_color(number), hatch=_HATCHES[number % 4],
                      edgecolor="white", linewidth=0)  # fmt: skip
            text = f"{value:.1f}"
            if comparison and number == len(runs) - 1:
                text += _gain(comparison, column.key)
            axes.text(value + 1, y, text, va="center", fontsize=8)
    labels = [c.label if c.task == "overall" else f"{c.task.capitalize()}\n{c.label}" for c in columns]
    axes.set_yticks(range(len(columns)), labels, fontsize=8.5)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(len(columns) - 0.4, -0.6)
    axes.set_xlim(0, 122 if comparison else 110)
    axes.set_xticks(range(0, 101, 20))
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.spines["left"].set_visible(False)
    axes.set_xlabel("Accuracy, percent")
    from matplotlib.patches import Patch

    handles = [
        Patch(facecolor=run_color(n), hatch=_HATCHES[n % 4], edgecolor="white", label=name)
        for n, (name, _) in enumerate(runs)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=min(len(runs), 3), fontsize=9, frameon=False)
    return figure


def _gain(comparison: Comparison, key: str) -> str:
    """Write how much the second run gains, with a star where chance is an unlikely explanation."""
    told = comparison.figures.get(key)
    if told is None or told["gain"] is None:
        return ""
    sure = told["p_value"] is not None and told["p_value"] < 0.05
    return f"  ({told['gain']:+.1f}{'*' if sure else ''})"


@_styled
def heatmap_figure(rows: Sequence[str], columns: Sequence[str], values: Sequence[Sequence[float | None]]) -> Figure:
    """Draw percentages as a table of cells, the darker the higher."""
    figure, axes = _figure(_WIDTH, 1.9 + 0.34 * len(rows))
    numbers = [[math.nan if value is None else value for value in row] for row in values]
    axes.imshow(numbers, cmap="Blues", vmin=0, vmax=115, aspect="auto")
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            axes.text(
                x, y, "–" if value is None else f"{value:.0f}", ha="center", va="center", fontsize=9,
                color="white" if value is not None and value > 68 else _INK,
            )  # fmt: skip
    axes.set_xticks(range(len(columns)), columns, rotation=38, ha="left", rotation_mode="anchor", fontsize=8.5)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(rows)), rows)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xticks([x - 0.5 for x in range(1, len(columns))], minor=True)
    axes.set_yticks([y - 0.5 for y in range(1, len(rows))], minor=True)
    axes.grid(which="minor", color="white", linewidth=2)
    axes.tick_params(which="minor", length=0)
    return figure


@_styled
def target_count_figure(
    buckets: Sequence[str], panels: Mapping[str, Sequence[tuple[str, Sequence[float | None], Sequence[int]]]]
) -> Figure:
    """Draw accuracy against the number of targets, a panel for each measure, a line for each run.

    `panels` gives by the measure's title, for each run, its name, a percentage for each bucket, and the records there.
    """
    figure, axes = _figure(_WIDTH, 0.7 + 1.9 * len(panels), nrows=len(panels), squeeze=False, sharex=True)
    for panel, (title, lines) in zip(axes[:, 0], panels.items(), strict=True):
        for number, (name, values, _) in enumerate(lines):
            panel.plot(
                range(len(buckets)),
                [math.nan if value is None else value for value in values],
                color=run_color(number),
                marker=_MARKERS[number % len(_MARKERS)],
                linestyle=_DASHES[number % len(_DASHES)],
                linewidth=2,
                label=name,
            )
        for place, records in enumerate(lines[0][2]):
            panel.text(place, -4, f"n={records:,}", ha="center", va="top", fontsize=7.5, color=_GREY)
        panel.set_title(title)
        panel.set_ylim(-16, 104)
        panel.set_yticks(range(0, 101, 25))
        panel.grid(axis="y")
        panel.set_ylabel("percent")
    axes[-1, 0].set_xticks(range(len(buckets)), buckets)
    axes[-1, 0].set_xlim(-0.4, len(buckets) - 0.6)
    axes[-1, 0].set_xlabel("Targets that the answer has to name")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=9, frameon=False)
    return figure


@_styled
def gallery_figure(shown: Mapping[str, Sequence[Shown]]) -> Figure:
    """Draw records on their images, a row each for "best" and "worst": reference solid green, prediction dashed red."""
    from matplotlib.lines import Line2D
    from PIL import Image

    ends = [(end, records) for end, records in shown.items() if records]
    across = max(len(records) for _, records in ends)
    height = 0.5 + 3.7 * len(ends)
    # The other layout would draw every image twice to find the sizes, which are known here.
    figure, axes = _figure(3.3 * across, height, None, nrows=len(ends), ncols=across, squeeze=False)
    figure.subplots_adjust(left=0.01, right=0.99, bottom=0.5 / height, top=1 - 0.42 / height, wspace=0.03, hspace=0.14)
    for panel in axes.flat:
        panel.set_axis_off()
    for row, (end, records) in zip(axes, ends, strict=True):
        for panel, record in zip(row, records, strict=False):
            picture = Image.open(io.BytesIO(record.image))
            extent = (0, record.width, record.height, 0)
            panel.imshow(picture, cmap="gray", extent=extent, vmin=0, vmax=255, interpolation="nearest")
            _draw_marks(panel, record.reference_marks, REFERENCE_COLOR, "-", record.width, 0)
            _draw_marks(panel, record.prediction_marks, PREDICTION_COLOR, (0, (4, 2.5)), record.width, 1)
            panel.set_xlim(0, record.width)
            panel.set_ylim(record.height, 0)
            panel.set_title(f"{end}, {record.score:.0%}\n{record.answer.id}", fontsize=8.5)
    handles = [
        Line2D([], [], color=REFERENCE_COLOR, linewidth=2, label="reference (solid)"),
        Line2D([], [], color=PREDICTION_COLOR, linewidth=2, linestyle=(0, (4, 2.5)), label="prediction (dashed)"),
    ]
    figure.legend(handles=handles, loc="lower center", ncols=2, fontsize=9, frameon=False)
    return figure


def _draw_marks(axes: Axes, marks: Sequence[Mark], color: str, dash: Any, width: int, level: int) -> None:
    """Draw marks of a text: the reference's as broad lines, so that a prediction in the same place lies upon them."""
    from matplotlib.patches import Rectangle

    for mark in marks:
        x1, y1, x2, y2 = mark.box
        room = width / 70 if mark.is_cell else 0
        corner, size = (x1 + room, y1 + room), (max(x2 - x1 - 2 * room, 1), max(y2 - y1 - 2 * room, 1))
        line = {"linewidth": 1.7, "linestyle": dash} if level else {"linewidth": 3.4}
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, **line))
        if mark.label and len(marks) <= 9:
            axes.text(
                corner[0] + width / 60, corner[1] + (size[1] - width / 60 if level else width / 60), mark.label,
                color=color, fontsize=8, va="bottom" if level else "top",
                bbox={"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.2},
            )  # fmt: skip
