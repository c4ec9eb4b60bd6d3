"""Records and images, joined when a record is asked for: every image is in memory and in the cache once at most.

A record's own `image` column is one copy per record as soon as it is read into Arrow. These functions leave that column
aside and look the image up in the `images` config instead.
"""

from __future__ import annotations

import os
from typing import Any, TypeVar

import datasets

from sarchat2m.errors import SARChatError
from sarchat2m.schema import record_features

__all__ = ["load", "with_images"]

Data = TypeVar("Data", datasets.Dataset, datasets.DatasetDict)


def load(path: str | os.PathLike[str], config: str, split: str | None = None, **options: Any) -> Any:
    """Load a config with its images joined to it, each stored once.

    Args:
        path: A built folder or a repository on the Hub, as `load_dataset` takes it.
        config: A subset, a task, or "all".
        split: One split; None for a dictionary of all.
        options: What else `load_dataset` takes, such as `revision` or `cache_dir`.

    Returns:
        A `Dataset`, or a `DatasetDict`, of every column of a record.
    """
    columns = [name for name in record_features(()) if name != "image"]
    records = datasets.load_dataset(os.fspath(path), config, split=split, columns=columns, **options)
    images = datasets.load_dataset(os.fspath(path), "images", split=split, **options)
    return with_images(records, images)


def with_images(records: Data, images: Data) -> Data:
    """Join records with the `images` config of the same split or splits.

    Args:
        records: Records with an `image_id`; a column `image` is dropped, so it is best not loaded at all.
        images: The `images` config.

    Returns:
        The records, which now have the image of each under "image" whenever rows of them are read. Within a batch
        records about the same image share one picture object.

    Raises:
        SARChatError: A record's image is not among the images, or there is no split to match.
    """
    if isinstance(records, datasets.DatasetDict):
        missing = sorted(set(records) - set(images))
        if missing:
            raise SARChatError(f"The images have no split {missing[0]!r}; load the images config of the same dataset.")
        return datasets.DatasetDict({split: with_images(records[split], images[split]) for split in records})
    if "image" in records.column_names:
        records = records.remove_columns("image")
    row_of = {image_id: row for row, image_id in enumerate(images["image_id"])}
    unknown = next((image_id for image_id in records.unique("image_id") if image_id not in row_of), None)
    if unknown is not None:
        raise SARChatError(
            f"Image {unknown} of the records is not in the images config; load the same split of the same dataset."
        )
    pictures = images.select_columns("image")

    def add_images(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        if "image_id" not in batch:  # one column was asked for by its name
            return batch
        rows = sorted({row_of[image_id] for image_id in batch["image_id"]})
        picture_of = dict(zip(rows, pictures[rows]["image"], strict=True))
        return {**batch, "image": [picture_of[row_of[image_id]] for image_id in batch["image_id"]]}

    return records.with_transform(add_images)
