"""The columns of a record: as `datasets.Features`, and as the Arrow schema that the shards are written with.

Both of them come from the one list in `record_features`; `IMAGES` has the columns of the `images` config.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from datasets import ClassLabel, Features, Image, Value

__all__ = ["features_of", "image_features", "record_features", "shard_schema"]


def _objects(categories: Sequence[str]) -> list[dict[str, Any]]:
    # A list in Python's own brackets is a list of structs in every version of datasets: `List` came with 4, and
    # `Sequence` of a dict means a dict of lists.
    return [{"bbox": [Value("int32")], "category": ClassLabel(names=list(categories))}]


def record_features(categories: Sequence[str]) -> Features:
    """Give the columns of every record of the nine subsets.

    `objects` lists the targets that the record is about, each with `bbox` as x1, y1, x2, y2 in pixels of the original
    image and `category` as a ClassLabel over `categories`. `image_id` is unique within a split, `id` everywhere.

    >>> list(record_features(["ship"]))
    ['id', 'image', 'image_id', 'width', 'height', 'task', 'subset', 'question', 'answer', 'objects']
    """
    return Features(
        {
            "id": Value("string"),
            "image": Image(),
            "image_id": Value("int64"),
            "width": Value("int32"),
            "height": Value("int32"),
            "task": Value("string"),
            "subset": Value("string"),
            "question": Value("string"),
            "answer": Value("string"),
            "objects": _objects(categories),
        }
    )


def image_features(categories: Sequence[str]) -> Features:
    """Give the columns of the `images` config, which has one row per image with every usable target of it."""
    return Features(
        {
            "image": Image(),
            "image_id": Value("int64"),
            "width": Value("int32"),
            "height": Value("int32"),
            "objects": _objects(categories),
        }
    )


def features_of(subset: str, categories: Sequence[str]) -> Features:
    """Give the columns of a subset, or of `images`."""
    return image_features(categories) if subset == "images" else record_features(categories)


def _in_brackets(feature: Any) -> Any:
    """Rewrite `List` as a Python list, which datasets 3.6 and 5 both read."""
    if isinstance(feature, dict):
        if feature.get("_type") == "List":
            return [_in_brackets(feature["feature"])]
        return {name: _in_brackets(value) for name, value in feature.items()}
    return [_in_brackets(value) for value in feature] if isinstance(feature, list) else feature


def shard_schema(subset: str, categories: Sequence[str]) -> pa.Schema:
    """Give the Arrow schema of a subset's shards, or of `images`.

    It is that of the features, but for the image: a dictionary of its bytes and one of its path, which keep an image
    once per row group, however many records are about it. Under the key `huggingface` its metadata tell `datasets`, 3.6
    and 5 alike, what the features are.
    """
    features = features_of(subset, categories)
    image = pa.struct(
        [("bytes", pa.dictionary(pa.int32(), pa.binary())), ("path", pa.dictionary(pa.int32(), pa.string()))]
    )
    return pa.schema(
        [pa.field(field.name, image) if field.name == "image" else field for field in features.arrow_schema],
        {"huggingface": json.dumps({"info": {"features": _in_brackets(features.to_dict())}})},
    )
