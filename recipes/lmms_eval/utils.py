"""What the tasks ask for with `!function utils.NAME`: the records, the images, and SARChat-Bench's score.

lmms-eval reads a task's whole dataset, and Arrow keeps a copy of the image beside each of its records. So the records
are loaded without their images, from the test split's files alone, and a record's image comes from the `images` config,
which has every image once.

    SARCHAT_DATASET        the dataset: a repository of the Hub, or a folder that `sarchat2m build` made
    SARCHAT_BENCH_METRIC   the metric's repository or folder, where it is not found beside: it lies in `metrics/` beside
                           `recipes/`, in a clone and in the installed package alike
"""

from __future__ import annotations

import math
import os
from functools import cache, partial
from pathlib import Path
from typing import Any

import datasets
import evaluate

SPLIT = "test"
TEXT_COLUMNS = ["id", "image_id", "subset", "question", "answer"]

COLUMNS = {
    "classification": ["classification"],
    "description": ["description"],
    "counting": ["counting", "counting_iou25", "counting_iou50"],
    "grounding_single": ["grounding_single", "grounding_abstract"],
    "grounding_multi": ["grounding_multi", "grounding_abstract"],
    "identification_single": ["identification_single"],
    "identification_multi": ["identification_multi"],
    "referring_single": ["referring_single_iou25", "referring_single_iou50"],
    "referring_multi": ["referring_multi_iou25", "referring_multi_iou50"],
}
"""The metric's figures that a subset's records enter; their mean is the subset's `score`."""


def __getattr__(name: str) -> Any:
    """Give what `!function utils.NAME` names for one subset or one figure.

    `records_of_SUBSET` is a task's `dataset_kwargs`, `figure_NAME` an aggregation to this figure of the metric.
    """
    if name.startswith("records_of_"):
        return {"data_files": {SPLIT: _files(name.removeprefix("records_of_"))}, "columns": TEXT_COLUMNS}
    if name.startswith("figure_"):
        return partial(_figure, name.removeprefix("figure_"))
    raise AttributeError(name)


def _files(config: str) -> list[str]:
    dataset = os.environ.get("SARCHAT_DATASET")
    if not dataset:
        raise ValueError("Set SARCHAT_DATASET to a repository of the Hub or to a folder that `sarchat2m build` made.")
    files = datasets.load_dataset_builder(dataset, config).config.data_files
    if SPLIT not in files:
        raise ValueError(f'The config "{config}" of {dataset} has no split "{SPLIT}".')
    return list(files[SPLIT])


@cache
def _images() -> tuple[Any, dict[int, int]]:
    """Load the images, and give the row of each image_id."""
    images = datasets.load_dataset("parquet", data_files={SPLIT: _files("images")}, split=SPLIT)
    return images, {image_id: row for row, image_id in enumerate(images["image_id"])}


def doc_to_visual(doc: dict[str, Any]) -> list[Any]:
    """Give the image of a record, in the colour mode that models expect."""
    images, rows = _images()
    return [images[rows[doc["image_id"]]]["image"].convert("RGB")]


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, dict[str, str]]:
    """Note what is compared with what, under the name of each figure that this record enters."""
    compared = {"id": doc["id"], "subset": doc["subset"], "prediction": results[0], "reference": doc["answer"]}
    return dict.fromkeys(["score", *COLUMNS[doc["subset"]]], compared)


def _compute(items: list[dict[str, str]]) -> dict[str, Any]:
    beside = Path(__file__).parents[2] / "metrics" / "sarchat_bench"
    bench = evaluate.load(os.environ.get("SARCHAT_BENCH_METRIC") or str(beside))
    return bench.compute(
        predictions=[item["prediction"] for item in items],
        references=[item["reference"] for item in items],
        subsets=[item["subset"] for item in items],
    )


def _figure(name: str, items: list[dict[str, str]]) -> float | None:
    return _compute(items)[name]


class Score(float):
    """A subset's score in percent, which carries its items along so that the group can be scored as one."""

    items: list[dict[str, str]]


def score(items: list[dict[str, str]]) -> Score:
    """Give the score of one subset: the mean of its columns."""
    value = _compute(items)[items[0]["subset"].partition("_")[0] + "_score"]
    result = Score(math.nan if value is None else value)
    result.items = items
    return result


def overall(scores: list[Score], sizes: list[int], weight_by_size: bool) -> float:
    """Give SARChat-Bench's overall score over the subsets of the group that were run, by the paper's Equation 4.

    That is no mean of the subsets' scores, weighted or not, so the metric gets the records of all of them at once.
    """
    return _compute([item for one in scores for item in one.items])["overall"]
