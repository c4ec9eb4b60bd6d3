"""A built dataset seen from its readers' side: the texts of the records, image by image, and the images, once each.

What is asked about one image stands in several subsets' files, and the image itself beside every record of them. Here
the texts are read by column, without the images, and put in the order in which the images are stored; the images are
then read row group by row group, each of them once. Memory holds the texts of one split and one row group of images.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sarchat2m.errors import SARChatError
from sarchat2m.vocabulary import CONFIGS, SPLITS, SUBSETS

__all__ = ["BUNDLED_SAMPLE", "TEXT_COLUMNS", "Dataset", "data_files"]

BUNDLED_SAMPLE = "sarchat2m"
"""The name of the sample that comes with the package, as `load_dataset` takes it in a clone."""

TEXT_COLUMNS = ("id", "image_id", "width", "height", "subset", "question", "answer")


class Dataset:
    """One config and one split of a built folder, of a repository of the Hub, or of the bundled sample.

    Raises `SARChatError` where there is no such dataset, config or split.
    """

    def __init__(self, name: str, config: str = "all", split: str = "test") -> None:
        if config not in CONFIGS or config == "images":
            known = ", ".join(known for known in CONFIGS if known != "images")
            raise SARChatError(f'There is no config "{config}" with questions: take one of {known}.')
        if split not in SPLITS:
            raise SARChatError(f'There is no split "{split}": take one of {", ".join(SPLITS)}.')
        self.name, self.config, self.split = name, config, split
        self._record_files = data_files(name, config, split)
        if not self._record_files:
            raise SARChatError(f'The config "{config}" of {name} has no split "{split}".')
        # A dataset without the `images` config has its images beside the records all the same.
        self._image_files = data_files(name, "images", split) or self._record_files

    @property
    def categories(self) -> tuple[str, ...] | None:
        """The names of the categories in canonical order, as the files state them; None if they do not."""
        metadata = pq.read_schema(self._record_files[0]).metadata or {}
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        match features.get("objects"):
            case [{"category": {"names": names}}] | {"feature": {"category": {"names": names}}}:
                return tuple(names)
        return None

    def texts(self) -> pa.Table:
        """Give `TEXT_COLUMNS` of all records; those of one image stand together, images in the order of storage.

        Within an image records go by subset, in the order of `vocabulary.SUBSETS`, and then as they are stored.
        """
        table = pa.concat_tables(pq.read_table(path, columns=list(TEXT_COLUMNS)) for path in self._record_files)
        stored = np.concatenate([_column(path, "image_id") for path in self._image_files])
        distinct, first = np.unique(stored, return_index=True)
        image_ids = table["image_id"].to_numpy()
        found = np.searchsorted(distinct, image_ids).clip(max=len(distinct) - 1)
        if (missing := image_ids[distinct[found] != image_ids]).size:
            raise SARChatError(f"Image {missing[0]} of {self.name} ({self.split}) has records but is not stored.")
        subsets = pc.index_in(table["subset"], pa.array(SUBSETS)).to_numpy()
        return table.take(np.lexsort((subsets, first[found])))

    def images(self, image_ids: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """Give each of these images once, as the bytes that are stored, in the order of storage."""
        wanted = set(image_ids)
        for path in self._image_files:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    here = file.read_row_group(group, columns=["image_id"])["image_id"].to_pylist()
                    if wanted.isdisjoint(here):
                        continue
                    images = file.read_row_group(group, columns=["image"])["image"]
                    for row, image_id in enumerate(here):
                        if image_id in wanted:
                            wanted.discard(image_id)
                            yield image_id, images[row]["bytes"].as_py()


def _column(path: str, name: str) -> Any:
    return pq.read_table(path, columns=[name])[name].to_numpy()


def data_files(name: str, config: str, split: str) -> list[str]:
    """Find the files of a config and a split as `datasets` does, on disk; those of the Hub are fetched, once.

    A config without the split has none, and so has a dataset without the config `images`. Raises `SARChatError` where
    there is no such dataset, or not that config of it.
    """
    place = name
    if name == BUNDLED_SAMPLE and not Path(name).exists():
        place = str(Path(__file__).parent)
    card = Path(place) / "README.md"
    files = list(_declared(name, place, config, card.stat().st_mtime_ns if card.is_file() else None).get(split, []))
    if any("://" in file for file in files):
        import datasets

        files = datasets.DownloadManager().download(files)
    return files


@lru_cache(maxsize=64)
def _declared(name: str, place: str, config: str, written: int | None) -> dict[str, list[str]]:
    """Give the files of each split of a config.

    `datasets` reads the whole card for that, a quarter of a second, so it is asked once as long as the card, `written`
    at a time in nanoseconds, stays the same.
    """
    import datasets

    try:
        builder = datasets.load_dataset_builder(place, config)
    except ValueError as error:  # how datasets says that a config is not declared
        if config == "images":
            return {}
        raise SARChatError(f'{name} has no config "{config}": {str(error).splitlines()[0]}') from error
    except Exception as error:
        raise SARChatError(
            f"There is no dataset at {name}: give a folder that `sarchat2m build` made, a repository of the Hub, "
            f'or "{BUNDLED_SAMPLE}" for the sample that comes with the package ({str(error).splitlines()[0]}).'
        ) from error
    return dict(builder.config.data_files or {})
