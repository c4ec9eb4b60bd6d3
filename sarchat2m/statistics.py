"""Numbers about a built dataset, read from its shards by column: no image is read where none is needed."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import pyarrow.parquet as pq
from fsspec.core import url_to_fs

from sarchat2m.vocabulary import SPLITS, SUBSETS_OF_TASK

__all__ = ["Example", "example_records"]

Manifest = dict[str, Any]


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
    shards = sorted(file["path"] for file in manifest["files"])
    chosen = {}
    for task, subsets in SUBSETS_OF_TASK.items():
        places = [f"data/{subset}/{split}-" for subset in reversed(subsets) for split in reversed(SPLITS)]
        path = next((path for place in places for path in shards if path.startswith(place)), None)
        if path is not None:
            columns = ["id", "question", "answer", "objects"]
            parquet = pq.ParquetFile(f"{root}/{path}", filesystem=files)
            rows = parquet.read_row_group(0, columns=columns).to_pylist()
            best = max(rows, key=_instructiveness)
            chosen[task] = Example(best["id"], best["question"], best["answer"])
    return chosen


def _instructiveness(row: dict[str, Any]) -> tuple[bool, int, bool]:
    targets = row["objects"]
    return len(targets) <= 6, len({target["category"] for target in targets}), len(targets) > 1
