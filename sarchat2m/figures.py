"""The statistics as files: the tables and the numbers of every figure as CSV, the figures as PNG.

Drawn with matplotlib and wordcloud, which the extra "figures" installs. Colours are those of Okabe and Ito, or cividis
where they stand for a number; bars carry their numbers, so that nothing hangs on colour alone.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sarchat2m.errors import SARChatError
from sarchat2m.pictures import OKABE_ITO, category_color, draw_record, find_record, save_picture
from sarchat2m.statistics import (
    Manifest,
    Numbers,
    Table,
    centre_heatmap,
    count,
    example_records,
    size_histogram,
)
from sarchat2m.storage import Folder
from sarchat2m.vocabulary import REGIONS, SHAPES, SIZES, TASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["write_statistics"]

TABLES = {
    "table1": "Targets by category, beside the paper's Table 1.",
    "table2": "Aspect ratio AR = height / width over all targets, in brackets the paper's Table 2 and the difference.",
    "table4": (
        "Aspect ratio by category, in brackets the paper's Table 4 and the difference; broad is AR ≤ 0.67, square "
        "0.67 < AR ≤ 1.5, tall AR > 1.5."
    ),
    "table5": "Records by task, beside the paper's Table 5.",
}

INK = "#222222"
_STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.edgecolor": "#888888",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "hatch.linewidth": 0.6,
    "savefig.dpi": 200,
    "figure.facecolor": "white",
}


def write_statistics(
    dataset: str | Path, out: str | Path, progress: Callable[[int, int], None] | None = None
) -> dict[str, str]:
    """Write the paper's tables and figures for a built dataset: `<name>.csv` for each, and `<name>.png` for a figure.

    Beside them stands `statistics.json`, with the title of every table and the caption of every figure. If `out` is the
    folder "figures" of the dataset, `card.write_card` shows them.

    Args:
        dataset: A built folder.
        out: The folder to write into; it may not exist yet, be empty, or hold earlier statistics.
        progress: Called with the number of figures done and the number in all.

    Returns:
        The captions of the figures by name.

    Raises:
        SARChatError: `dataset` is no built folder, `out` holds something else, or matplotlib or wordcloud is missing.
    """
    _require_matplotlib()
    manifest = _read_manifest(dataset)
    target = Folder(str(out))
    there = set(target.names()) - {Folder.WORKSHOP}
    if target.is_file() or (there and "statistics.json" not in there):
        raise SARChatError(f"{out} holds something else; name a new folder for the statistics.")
    numbers = count(str(dataset), manifest)
    files = {f"{name}.csv": _as_csv(table) for name, table in numbers.tables.items()}
    of_answers = {"shapes": numbers.shapes, "words": numbers.words}  # there may be none
    charts = {name: chart for name, chart in _CHARTS.items() if of_answers.get(name, True)}
    examples = example_records(str(dataset), manifest)
    captions: dict[str, str] = {}
    total = len(charts) + len(examples)
    for name, (caption, draw) in charts.items():
        png, table = _in_style(draw, numbers, manifest)
        files |= {f"{name}.csv": _as_csv(table), f"{name}.png": png}
        captions[name] = caption
        if progress:
            progress(len(captions), total)
    for task, example in examples.items():
        subset, split, *_ = example.id.split("/")
        shards = (file["path"] for file in manifest["files"])
        places = [f"{dataset}/{path}" for path in shards if path.startswith(f"data/{subset}/{split}-")]
        record = find_record(str(dataset), example.id, places)
        boxes = [(record.categories[category], *box) for category, box in record.targets]
        table = Table(("category", "x1", "y1", "x2", "y2"), boxes)
        files |= {f"record_{task}.csv": _as_csv(table), f"record_{task}.png": save_picture(draw_record(record))}
        captions[f"record_{task}"] = f"A record of {task}, with the boxes of its targets."
        if progress:
            progress(len(captions), total)
    titles = {name: TABLES[name] for name in numbers.tables}
    files["statistics.json"] = json.dumps({"tables": titles, "figures": captions}, indent=1).encode()
    with target.replacing(*files) as sinks:
        for sink, content in zip(sinks, files.values(), strict=True):
            sink.write(content)
    target.remove(Folder.WORKSHOP)
    return captions


def _require_matplotlib() -> None:
    try:
        import matplotlib
        import wordcloud  # noqa: F401
    except ImportError as error:
        raise SARChatError(
            f'Figures need {error.name}, which is not installed: pip install "sarchat2m[figures]".'
        ) from None
    del matplotlib


def _read_manifest(dataset: str | Path) -> Manifest:
    content = Folder(str(dataset)).read("manifest.json")
    if content is None:
        raise SARChatError(f"{dataset} is no built dataset (it has no manifest.json); build one: sarchat2m build.")
    manifest: Manifest = json.loads(content)
    if "images" not in manifest or not manifest["images"]:
        raise SARChatError(f"{dataset} lacks the config images, which the statistics are counted from; fetch it too.")
    return manifest


def _as_csv(table: Table) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows([table.header, *table.rows])
    return stream.getvalue().encode()


# Charts ---------------------------------------------------------------------------------------------------------------


def _in_style(
    draw: Callable[[Numbers, Manifest], tuple[Figure, Table]], numbers: Numbers, manifest: Manifest
) -> tuple[bytes, Table]:
    """Draw a chart and encode it as PNG."""
    import matplotlib

    stream = io.BytesIO()
    with matplotlib.rc_context(_STYLE):
        figure, table = draw(numbers, manifest)
        figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue(), table


def _panels(titles: Sequence[str], width: float, height: float, **options: Any) -> tuple[Figure, list[Axes]]:
    """Make a row of panels, a title over each."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = list(figure.subplots(1, len(titles), squeeze=False, **options)[0])
    for panel, title in zip(axes, titles, strict=True):
        panel.set_title(title)
    return figure, axes


_HATCHES = ("", "////", "....", "\\\\\\\\", "xxxx", "----", "++++", "oo")


def _bars(panel: Axes, names: Sequence[str], values: Sequence[int], colors: Sequence[str]) -> None:
    """Draw horizontal bars from the top down, each with its number and its share of the sum."""
    total, most = max(sum(values), 1), max([*values, 1])
    for position, (value, color) in enumerate(zip(values, colors, strict=True)):
        hatch = _HATCHES[position % len(_HATCHES)]
        panel.barh(position, value, color=color, hatch=hatch, edgecolor=INK, linewidth=0.6, height=0.72)
        panel.text(value + 0.015 * most, position, f"{value:,}  ({100 * value / total:.1f} %)", va="center", fontsize=8)
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.set_xlim(0, 1.5 * most)
    panel.set_xticks([])
    panel.spines["bottom"].set_visible(False)
    panel.tick_params(axis="y", length=0)


def _share_table(what: str, counts: dict[str, dict[str, int]]) -> Table:
    rows = []
    for split, by_name in counts.items():
        total = max(sum(by_name.values()), 1)
        rows += [(split, name, n, f"{100 * n / total:.2f}") for name, n in by_name.items()]
    return Table(("split", what, "count", "percent"), rows)


def _bar_panels(what: str, counts: dict[str, dict[str, int]], colors: Callable[[int], str]) -> tuple[Figure, Table]:
    """Draw one panel of bars per split."""
    names = list(next(iter(counts.values())))
    titles = [f"{split}: {sum(by_name.values()):,} {what}" for split, by_name in counts.items()]
    figure, panels = _panels(titles, 3.6 * len(counts), 0.55 + 0.29 * len(names), sharey=True)
    for panel, by_name in zip(panels, counts.values(), strict=True):
        _bars(panel, names, list(by_name.values()), [colors(i) for i in range(len(names))])
    return figure, _share_table(what, counts)


def _draw_tasks(numbers: Numbers, manifest: Manifest) -> tuple[Figure, Table]:
    counts: dict[str, dict[str, int]] = {}
    for split, task, here, _, _ in numbers.tables["table5"].rows:
        counts.setdefault(split, dict.fromkeys(TASKS, 0))[task] = here
    return _bar_panels("records", counts, lambda i: OKABE_ITO[i % len(OKABE_ITO)])


def _draw_categories(numbers: Numbers, manifest: Manifest) -> tuple[Figure, Table]:
    names = manifest["categories"]
    counts = {
        split: dict(zip(names, np.bincount(those.category, minlength=len(names)).tolist(), strict=True))
        for split, those in numbers.targets.items()
    }
    return _bar_panels("targets", counts, category_color)


def _draw_shapes(numbers: Numbers, manifest: Manifest) -> tuple[Figure, Table]:
    counts = {split: {shape: by_shape[shape] for shape in SHAPES} for split, by_shape in numbers.shapes.items()}
    return _bar_panels("answers", counts, lambda i: OKABE_ITO[i])


def _draw_words(numbers: Numbers, manifest: Manifest) -> tuple[Figure, Table]:
    from matplotlib import colormaps
    from wordcloud import WordCloud

    ranked = numbers.words.most_common(120)
    most = ranked[0][1]

    def color(word: str, **_: Any) -> str:
        red, green, blue, _alpha = colormaps["cividis"](0.75 * (1 - numbers.words[word] / most))
        return f"rgb({int(255 * red)}, {int(255 * green)}, {int(255 * blue)})"

    cloud = WordCloud(
        width=800,
        height=400,
        scale=2,
        background_color="white",
        color_func=color,
        random_state=0,
        prefer_horizontal=1,
        margin=3,
    )
    figure, (panel,) = _panels([""], 8, 4)
    panel.imshow(cloud.generate_from_frequencies(dict(ranked)).to_array(), interpolation="bilinear")
    panel.set_axis_off()
    return figure, Table(("word", "count"), [(word, n) for word, n in ranked])


def _draw_heatmap(numbers: Numbers, manifest: Manifest) -> tuple[Figure, Table]:
    cells = 48
    heat = centre_heatmap(numbers.targets.values(), cells)
    figure, (panel,) = _panels([f"Centres of {heat.sum():,} targets"], 5.4, 4.6)
    picture = panel.imshow(heat, cmap="cividis", extent=(0, 3, 3, 0), interpolation="nearest")
    figure.colorbar(picture, ax=panel, label="targets per cell", shrink=0.9)
    from matplotlib.patheffects import withStroke

    third = cells // 3
    shares = heat.reshape(3, third, 3, third).sum((1, 3)) / max(heat.sum(), 1)
    for position, name in enumerate(REGIONS):
        row, column = divmod(position, 3)
        panel.text(
            column + 0.5,
            row + 0.5,
            f"{name}\n{100 * shares[row, column]:.1f} %",
            ha="center",
            va="center",
            color="white",
            fontsize=8,
            fontweight="bold",
            path_effects=[withStroke(linewidth=2.2, foreground="#111111")],
        )
    for line in (1, 2):
        panel.axhline(line, color="white", linewidth=0.8)
        panel.axvline(line, color="white", linewidth=0.8)
    panel.set_xticks([])
    panel.set_yticks([])
    panel.set_xlabel("image width")
    panel.set_ylabel("image height")
    rows = [(y, x, int(heat[y, x])) for y in range(cells) for x in range(cells)]
    return figure, Table(("row", "column", "targets"), rows)


_SIZE_LIMITS = (0.03, 0.10, 0.25, 0.40)


def _draw_sizes(numbers: Numbers, manifest: Manifest) -> tuple[Figure, Table]:
    bounds, counts = size_histogram(numbers.targets)
    figure, (panel,) = _panels(["Share of the image that a target covers (R)"], 8, 3.4)
    styles = ("-", "--", ":")
    for i, (split, values) in enumerate(counts.items()):
        total = max(int(values.sum()), 1)
        panel.stairs(
            100 * values / total,
            100 * bounds,
            label=f"{split} ({total:,} targets)",
            color=OKABE_ITO[(5, 1, 0)[i]],
            linestyle=styles[i],
            linewidth=1.6,
            fill=False,
        )
    panel.set_xscale("log")
    panel.set_xlabel("R in % of the image's area, logarithmic")
    panel.set_ylabel("% of the split's targets")
    top = max(panel.get_ylim()[1], 1e-9)
    panel.set_ylim(0, 1.16 * top)
    everything = np.concatenate([those.area_ratio for those in numbers.targets.values()])
    limits = [bounds[0], *_SIZE_LIMITS, 1.0]
    ticks = [value for value in (0.01, 0.1, 1, 3, 10, 25, 40, 100) if value >= 100 * bounds[0]]
    panel.set_xticks(ticks, [f"{value:g}" for value in ticks])
    panel.minorticks_off()
    for limit in _SIZE_LIMITS:
        panel.axvline(100 * limit, color="#888888", linewidth=0.8)
    for name, (low, high) in zip(SIZES, pairwise(limits), strict=True):
        share = ((everything >= low) & (everything < high if high < 1 else True)).mean() if len(everything) else 0
        panel.text(
            100 * np.sqrt(low * high),
            1.14 * top,
            f"{name.replace(' ', chr(10))}\n{100 * share:.1f} %",
            ha="center",
            va="top",
            fontsize=7,
        )
    panel.legend(loc="upper left", bbox_to_anchor=(0, 0.82), frameon=False, fontsize=8)
    rows = [
        (f"{low:.6f}", f"{high:.6f}", *(int(values[i]) for values in counts.values()))
        for i, (low, high) in enumerate(pairwise(bounds))
    ]
    return figure, Table(("R from", "R to", *counts), rows)


_CHARTS: dict[str, tuple[str, Callable[[Numbers, Manifest], tuple[Figure, Table]]]] = {
    "tasks": ("Records by task (the paper's Figures 8 and 9).", _draw_tasks),
    "categories": ("Targets by category (the paper's Figures 5 and 6).", _draw_categories),
    "shapes": ("Shapes that the answers of identification name (the paper's Figure 7).", _draw_shapes),
    "words": ("Words of the descriptions, larger the more often they occur (the paper's Figure 4).", _draw_words),
    "heatmap": ("Where the targets lie in their images, and the share of each region.", _draw_heatmap),
    "sizes": ("How large the targets are; the limits are those of identification's five sizes.", _draw_sizes),
}
