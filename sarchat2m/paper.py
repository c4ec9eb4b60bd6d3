"""What the paper states of its own dataset: Tables 1, 2, 4 and 5 and Figure 7, as data.

Its splits are "train" and "test". Table 3, the scores, belongs to the metric (`metrics/sarchat_bench/published.json`).
"""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, TypedDict

__all__ = [
    "AspectRatio",
    "CategoryAspectRatio",
    "aspect_ratio_table2",
    "aspect_ratio_table4",
    "identification_shapes_figure7",
    "instances_table1",
    "records_table5",
]

BySplit = dict[str, dict[str, int]]


class AspectRatio(TypedDict):
    """Mean, median and standard deviation of AR = h/w, the paper's equation 2."""

    mean: float
    median: float
    std: float


class CategoryAspectRatio(AspectRatio):
    """A row of Table 4; `instances` is None where its number is misprinted, shares are in percent."""

    instances: int | None
    broad_percent: float
    square_percent: float
    tall_percent: float


@lru_cache(maxsize=1)
def _tables() -> dict[str, Any]:
    tables: dict[str, Any] = json.loads(Path(__file__).with_name("paper.json").read_text(encoding="utf-8"))
    return tables


def instances_table1() -> BySplit:
    """Give Table 1: the instances of every category, by category and split.

    >>> instances_table1()["ship"]
    {'train': 93373, 'test': 10741}
    """
    return _by_name(_tables()["table1"])


def aspect_ratio_table2() -> dict[str, AspectRatio]:
    """Give Table 2: the aspect ratio over all targets, by split.

    >>> aspect_ratio_table2()["train"]
    {'mean': 1.28, 'median': 1.062, 'std': 1.18}
    """
    table: dict[str, AspectRatio] = _tables()["table2"]
    return table


def aspect_ratio_table4() -> dict[str, dict[str, CategoryAspectRatio]]:
    """Give Table 4: the aspect ratio and the shares of shapes, by split and category.

    >>> aspect_ratio_table4()["test"]["harbor"]["square_percent"]
    68.42
    """
    table: dict[str, dict[str, CategoryAspectRatio]] = _tables()["table4"]
    return table


def records_table5() -> BySplit:
    """Give Table 5: the records of every task, by task and split.

    Counting, test, is 11,704 as in the paper's text; with the table's own 11,794 its total would not add up.

    >>> records_table5()["identification"]
    {'train': 1423548, 'test': 175565}
    """
    return _by_name(_tables()["table5"])


def identification_shapes_figure7() -> dict[str, int]:
    """Give what the paper tells of Figure 7: how many records of identification have a shape."""
    shapes: dict[str, int] = _tables()["figure7"]
    return shapes


def _by_name(by_split: BySplit) -> BySplit:
    """Turn {split: {name: n}} into {name: {split: n}}."""
    names = next(iter(by_split.values()))
    return {name: {split: counts[name] for split, counts in by_split.items()} for name in names}
