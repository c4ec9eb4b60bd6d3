"""Numbers about a built dataset, read from its shards by column: no image is read where none is needed.

The tables are the paper's 1, 2, 4 and 5, beside what it states; the distributions are what its Figures 4 to 9 show.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from fsspec.core import url_to_fs
from numpy.typing import NDArray

from sarchat2m import paper
from sarchat2m.vocabulary import SHAPES, SPLITS, SUBSETS, SUBSETS_OF_TASK

__all__ = [
    "Example",
    "Numbers",
    "Table",
    "Targets",
    "aspect_ratio_tables",
    "category_table",
    "centre_heatmap",
    "example_records",
    "read_targets",
    "shape_counts",
    "size_histogram",
    "task_table",
    "word_counts",
]

Manifest = dict[str, Any]


class Table(NamedTuple):
    """A table as it goes into a CSV file."""

    header: tuple[str, ...]
    rows: list[tuple[Any, ...]]


class Targets(NamedTuple):
    """All usable targets of a split, an entry each; what the `images` config holds."""

    category: NDArray[np.int64]
    """Position in the manifest's categories."""
    box: NDArray[np.int32]
    """x1, y1, x2, y2 in pixels, an array of n × 4."""
    width: NDArray[np.int32]
    height: NDArray[np.int32]
    """Of the image that the target is in, in pixels."""

    @property
    def aspect_ratio(self) -> NDArray[np.float64]:
        """Height by width of every box: the paper's equation 2, not in percent."""
        ratio: NDArray[np.float64] = (self.box[:, 3] - self.box[:, 1]) / (self.box[:, 2] - self.box[:, 0])
        return ratio

    @property
    def area_ratio(self) -> NDArray[np.float64]:
        """Share of the image's area that every box takes: the paper's equation 1, not in percent."""
        area = (self.box[:, 2] - self.box[:, 0]).astype(np.int64) * (self.box[:, 3] - self.box[:, 1])
        ratio: NDArray[np.float64] = area / (self.width.astype(np.int64) * self.height)
        return ratio


class Numbers(NamedTuple):
    """All that is counted in a dataset."""

    tables: dict[str, Table]
    """The paper's tables, "table1" and so on."""
    targets: dict[str, Targets]
    """By split."""
    words: Counter[str]
    shapes: dict[str, Counter[str]]
    """By split, how many answers of identification name a shape."""


# Reading --------------------------------------------------------------------------------------------------------------


def _files(manifest: Manifest, folders: Iterable[str], split: str) -> list[str]:
    places = [f"/{folder}/{split}-" for folder in folders]
    return [file["path"] for file in manifest["files"] if any(place in file["path"] for place in places)]


def _read(dataset: str | os.PathLike[str], paths: Sequence[str], columns: list[str]) -> pa.Table | None:
    """Read some columns of some shards; None where there is no shard."""
    files, root = url_to_fs(os.fspath(dataset))
    tables = [pq.read_table(f"{root}/{path}", columns=columns, filesystem=files) for path in paths]
    return pa.concat_tables(tables) if tables else None


def read_targets(dataset: str | os.PathLike[str], manifest: Manifest) -> dict[str, Targets]:
    """Read every usable target from the `images` config, by split; a split without images is left out.

    Args:
        dataset: A built folder; a path, or a URL that fsspec knows.
        manifest: Its manifest.
    """
    found = {}
    for split in SPLITS:
        table = _read(dataset, _files(manifest, ["images"], split), ["width", "height", "objects"])
        if table is not None:
            objects = table["objects"].combine_chunks()
            image = pc.list_parent_indices(objects).to_numpy()
            flat = objects.flatten()
            box = flat.field("bbox").flatten().to_numpy().reshape(-1, 4)
            width, height = (table[side].to_numpy()[image] for side in ("width", "height"))
            found[split] = Targets(flat.field("category").to_numpy(), box, width, height)
    return found


# Tables ---------------------------------------------------------------------------------------------------------------


def _beside(here: float | None, published: float | None, digits: int = 0) -> tuple[Any, Any, Any]:
    """Give the cells "here", "paper" and "difference"; an unknown number is an empty cell."""

    def cell(value: float | None) -> Any:
        return "" if value is None else f"{value:.{digits}f}" if digits else int(value)

    difference = None if here is None or published is None else here - published
    if digits and difference is not None:
        return cell(here), cell(published), f"{difference:+.{digits}f}"
    return cell(here), cell(published), cell(difference)


def category_table(manifest: Manifest) -> Table:
    """Count the annotated targets of every category as the paper's Table 1 does: unusable boxes are in its numbers."""
    published = paper.instances_table1()
    rows = []
    for split, source in manifest["source"]["splits"].items():
        for category, tally in source["categories"].items():
            here = tally["annotations"] - tally["crowd"] - tally["ignored"]
            rows.append((split, category, *_beside(here, published.get(category, {}).get(split))))
    return Table(("split", "category", "here", "paper", "difference"), rows)


def task_table(manifest: Manifest) -> Table:
    """Count the records of every task, beside the paper's Table 5."""
    published = paper.records_table5()
    rows = []
    for split in manifest["images"]:
        for task, subsets in SUBSETS_OF_TASK.items():
            here = sum(manifest["records"].get(subset, {}).get(split, 0) for subset in subsets)
            rows.append((split, task, *_beside(here, published[task].get(split))))
    return Table(("split", "task", "here", "paper", "difference"), rows)


def _aspect_ratios(ratio: NDArray[np.float64]) -> dict[str, float]:
    return {"mean": float(ratio.mean()), "median": float(np.median(ratio)), "std": float(ratio.std())}


def aspect_ratio_tables(targets: dict[str, Targets], categories: Sequence[str]) -> tuple[Table, Table]:
    """Describe AR = h/w as the paper does: over all targets (Table 2), and by category with shares of shapes (Table 4).

    The shapes of Table 4 are broad AR ≤ 0.67, nearly square 0.67 < AR ≤ 1.5 and tall AR > 1.5. Over no target at all
    nothing is said.
    """
    overall, by_category = [], []
    for split, those in targets.items():
        ratio = those.aspect_ratio
        published: Any = paper.aspect_ratio_table2().get(split, {})
        for quantity, here in _aspect_ratios(ratio).items() if len(ratio) else ():
            overall.append((split, quantity, *_beside(here, published.get(quantity), 3)))
        for position, category in enumerate(categories):
            ratio = those.aspect_ratio[those.category == position]
            published = paper.aspect_ratio_table4().get(split, {}).get(category, {})
            by_category.append((split, category, "instances", *_beside(len(ratio), published.get("instances"))))
            if len(ratio):
                shares = {
                    "broad %": (float(100 * (ratio <= 0.67).mean()), "broad_percent"),
                    "square %": (float(100 * ((ratio > 0.67) & (ratio <= 1.5)).mean()), "square_percent"),
                    "tall %": (float(100 * (ratio > 1.5).mean()), "tall_percent"),
                }
                for quantity, here in _aspect_ratios(ratio).items():
                    by_category.append((split, category, quantity, *_beside(here, published.get(quantity), 3)))
                for quantity, (here, name) in shares.items():
                    by_category.append((split, category, quantity, *_beside(here, published.get(name), 2)))
    columns = ("quantity", "here", "paper", "difference")
    return Table(("split", *columns), overall), Table(("split", "category", *columns), by_category)


# Distributions --------------------------------------------------------------------------------------------------------

_GENERAL_WORDS = """
a addition additionally also an and another are as at be been besides by can could do does for from further
furthermore has have how i in is it its like likewise more moreover no not of on one or other out s so that the their
them there these they this to too we well what where which while with within you
"""
_STOPWORDS = frozenset(_GENERAL_WORDS.split())


def word_counts(dataset: str | os.PathLike[str], manifest: Manifest) -> Counter[str]:
    """Count the words of all descriptions but the most general ones, as in the paper's Figure 4.

    In a dataset without descriptions the words of all answers are counted.
    """
    counts: Counter[str] = Counter()
    folders = ("description",) if "description" in manifest["records"] else SUBSETS
    for split in SPLITS:
        table = _read(dataset, _files(manifest, folders, split), ["answer"])
        if table is not None:
            words = pc.list_flatten(pc.split_pattern_regex(pc.utf8_lower(table["answer"]), pattern="[^a-z]+"))
            for entry in pc.value_counts(words.combine_chunks()).to_pylist():
                counts[entry["values"]] += entry["counts"]
    return Counter({word: n for word, n in counts.items() if word and word not in _STOPWORDS})


_SHAPE = rf"\b(?P<shape>{'|'.join(re.escape(shape) for shape in SHAPES)})\b"


def shape_counts(dataset: str | os.PathLike[str], manifest: Manifest) -> dict[str, Counter[str]]:
    """Count the answers of identification that name a shape, by split and shape, as in the paper's Figure 7."""
    found = {}
    for split in SPLITS:
        table = _read(dataset, _files(manifest, SUBSETS_OF_TASK["identification"], split), ["answer"])
        if table is not None:
            named = pc.struct_field(pc.extract_regex(table["answer"], pattern=_SHAPE), "shape")
            counts = {entry["values"]: entry["counts"] for entry in pc.value_counts(named).to_pylist()}
            found[split] = Counter({shape: counts.get(shape, 0) for shape in SHAPES})
    return found


def centre_heatmap(targets: Iterable[Targets], cells: int = 48) -> NDArray[np.int64]:
    """Count the centres of boxes in a grid of cells × cells over the image, rows from the top."""
    heat = np.zeros((cells, cells), np.int64)
    for those in targets:
        x, y = (
            np.minimum((low.astype(np.int64) + high) * cells // (2 * side.astype(np.int64)), cells - 1)
            for low, high, side in (
                (those.box[:, 0], those.box[:, 2], those.width),
                (those.box[:, 1], those.box[:, 3], those.height),
            )
        )
        np.add.at(heat, (y, x), 1)
    return heat


def size_histogram(targets: dict[str, Targets], bins: int = 60) -> tuple[NDArray[np.float64], dict[str, NDArray[Any]]]:
    """Count the targets by R in steps that are equal on a logarithmic scale: bounds of the steps, counts by split."""
    smallest = min((those.area_ratio.min() for those in targets.values() if len(those.box)), default=1e-4)
    bounds = np.geomspace(min(smallest, 0.01) * 0.999, 1.001, bins + 1)
    return bounds, {split: np.histogram(those.area_ratio, bounds)[0] for split, those in targets.items()}


def count(dataset: str | os.PathLike[str], manifest: Manifest) -> Numbers:
    """Count everything."""
    targets = read_targets(dataset, manifest)
    table2, table4 = aspect_ratio_tables(targets, manifest["categories"])
    tables = {"table1": category_table(manifest), "table2": table2, "table4": table4, "table5": task_table(manifest)}
    return Numbers(tables, targets, word_counts(dataset, manifest), shape_counts(dataset, manifest))


# Examples -------------------------------------------------------------------------------------------------------------


class Example(NamedTuple):
    """A record without its image."""

    id: str
    question: str
    answer: str


def example_records(dataset: str | os.PathLike[str], manifest: Manifest) -> dict[str, Example]:
    """Choose a record of each task that shows what the task is: a few targets, of two categories if there are.

    Args:
        dataset: A built folder; a path, or a URL that fsspec knows.
        manifest: Its manifest.

    Returns:
        The records by task, in the order of `vocabulary.TASKS`; a task without a record is left out.
    """
    files, root = url_to_fs(os.fspath(dataset))
    chosen = {}
    for task, subsets in SUBSETS_OF_TASK.items():
        places = ((subset, split) for subset in reversed(subsets) for split in reversed(SPLITS))
        path = next((path for subset, split in places for path in _files(manifest, [subset], split)), None)
        if path is not None:
            columns = ["id", "question", "answer", "objects"]
            parquet = pq.ParquetFile(f"{root}/{path}", filesystem=files)
            best = max(parquet.read_row_group(0, columns=columns).to_pylist(), key=_instructiveness)
            chosen[task] = Example(best["id"], best["question"], best["answer"])
    return chosen


def _instructiveness(row: dict[str, Any]) -> tuple[bool, int, bool]:
    targets = row["objects"]
    return len(targets) <= 6, len({target["category"] for target in targets}), len(targets) > 1
