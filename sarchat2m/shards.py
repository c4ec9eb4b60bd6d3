"""Records and image bytes become Parquet: an image is stored once per row group, however many records are about it.

A row group is cut where its images would come to more than 16 MB, or to more than 128 MB once a reader has given every
record its own copy, which is what Arrow does outside of a dictionary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from io import RawIOBase
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sarchat2m.dialogues.record import Record
from sarchat2m.scene import Scene, Target
from sarchat2m.vocabulary import TASK_OF_SUBSET

__all__ = ["DECODED_LIMIT", "DISTINCT_LIMIT", "ShardWriter"]

DISTINCT_LIMIT = 16_000_000
"""Bytes of different images in a row group."""
DECODED_LIMIT = 128_000_000
"""Bytes of images in a row group when every record has its own copy."""
LONE_IMAGE_LIMIT = 1_000_000_000
"""The same where one image alone is beyond `DECODED_LIMIT`: Arrow cannot read a nested column of 2 GB in one piece."""


class _Checksum(RawIOBase):
    """Passes what is written on to a file and keeps its SHA-256."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self.sha256 = hashlib.sha256()
        self.bytes = 0
        self.abandoned = False

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        # Arrow hands over its own buffers; both takers read them in place.
        view = memoryview(content)
        if self.abandoned:
            return view.nbytes
        self.sha256.update(view)
        self._sink.write(view)
        self.bytes += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.bytes


class ShardWriter:
    """Writes one Parquet file of one subset, or of `images`, image after image.

    Args:
        sink: The open file. Within a `with` block an error leaves it as it is then.
        subset: One of `vocabulary.SUBSETS`, or "images", whose rows carry no text.
        schema: Of the file, see `schema.shard_schema`.
    """

    def __init__(self, sink: BinaryIO, subset: str, schema: pa.Schema) -> None:
        self._subset = subset
        self._metadata = schema.metadata
        self._schema = schema.remove_metadata()
        self._checksum = _Checksum(sink)
        self._writer = pq.ParquetWriter(
            self._checksum,
            self._schema,
            # A dictionary page larger than its limit makes the writer fall back to one copy per record.
            dictionary_pagesize_limit=2**30,
            use_dictionary=["image.bytes", "image.path", "task", "subset", "objects.list.element.category"],
            # Unchanged images must stay unchanged chunks of bytes for the Hub, and they are compressed already.
            compression={name: "none" if name == "image.bytes" else "zstd" for name in _leaves(self._schema)},
            write_page_index=True,
            # Arrow's own schema would say "dictionary", which readers of features do not expect.
            store_schema=False,
        )
        self.rows = 0
        self._start_group()

    def _start_group(self) -> None:
        self._images: list[tuple[bytes, str, int, int, int]] = []
        self._rows_of_image: list[int] = []
        self._rows: list[Record] = []
        self._distinct = self._decoded = 0

    def add(self, scene: Scene, image: bytes, rows: Sequence[Record]) -> None:
        """Add the rows about one image; its bytes stand in the file as they are given here."""
        at_once = max(1, LONE_IMAGE_LIMIT // max(len(image), 1))
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            decoded = len(image) * len(part)
            if self._distinct + len(image) > DISTINCT_LIMIT or self._decoded + decoded > DECODED_LIMIT:
                self._write_group()
            self._images.append((image, scene.file_name, scene.image_id, scene.width, scene.height))
            self._rows_of_image.append(len(part))
            self._rows += part
            self._distinct += len(image)
            self._decoded += decoded

    def _write_group(self) -> None:
        if not self._rows:
            return
        images, names, image_ids, widths, heights = zip(*self._images, strict=True)
        image_of_row = np.repeat(np.arange(len(images), dtype=np.int32), self._rows_of_image)
        indices = pa.array(image_of_row)
        ids, _, questions, answers, objects = zip(*self._rows, strict=True)
        columns: dict[str, Any] = {
            "id": ids,
            "image": pa.StructArray.from_arrays(
                [
                    pa.DictionaryArray.from_arrays(indices, _binary_array(images)),
                    pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string())),
                ],
                fields=list(self._schema.field("image").type),
            ),
            "image_id": np.array(image_ids, np.int64)[image_of_row],
            "width": np.array(widths, np.int32)[image_of_row],
            "height": np.array(heights, np.int32)[image_of_row],
            "task": pa.repeat(TASK_OF_SUBSET.get(self._subset, ""), len(ids)),
            "subset": pa.repeat(self._subset, len(ids)),
            "question": questions,
            "answer": answers,
            "objects": _objects_array(objects),
        }
        arrays = [
            column if isinstance(column := columns[field.name], pa.Array) else pa.array(column, field.type)
            for field in self._schema
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema), row_group_size=len(ids))
        self.rows += len(ids)
        self._start_group()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            # Arrow's writer writes a footer when it is dropped, whenever that is, and the file is closed by then.
            self._checksum.abandoned = True
            self._writer.close()

    def close(self) -> tuple[int, str]:
        """Write what is left; give the bytes of the file and its SHA-256 in hexadecimal."""
        self._write_group()
        self._writer.add_key_value_metadata(self._metadata)
        self._writer.close()
        return self._checksum.bytes, self._checksum.sha256.hexdigest()


def _binary_array(values: Sequence[bytes]) -> pa.Array:
    """Copy the values once into a buffer of their size; `pa.array` lets one grow, and copies them twice."""
    offsets = np.cumsum([0, *map(len, values)], dtype=np.int32)
    return pa.Array.from_buffers(
        pa.binary(), len(values), [None, pa.py_buffer(offsets), pa.py_buffer(b"".join(values))]
    )


def _objects_array(objects: Sequence[Sequence[Target]]) -> pa.Array:
    lengths = [len(targets) for targets in objects]
    flat = [target for targets in objects for target in targets]
    boxes = pa.array(np.array([target.box for target in flat], np.int32).reshape(-1))
    categories = pa.array(np.array([target.category for target in flat], np.int64))
    bbox = pa.ListArray.from_arrays(np.arange(0, 4 * len(flat) + 1, 4, dtype=np.int32), boxes)
    structs = pa.StructArray.from_arrays([bbox, categories], names=["bbox", "category"])
    return pa.ListArray.from_arrays(np.cumsum([0, *lengths], dtype=np.int32), structs)


def _leaves(schema: pa.Schema) -> list[str]:
    """Give the names of the columns that a Parquet file really has, such as "objects.list.element.category"."""

    def below(name: str, kind: pa.DataType) -> list[str]:
        if pa.types.is_struct(kind):
            return [leaf for field in kind for leaf in below(f"{name}.{field.name}", field.type)]
        if pa.types.is_list(kind):
            return below(f"{name}.list.element", kind.value_type)
        return [name]

    return [leaf for field in schema for leaf in below(field.name, field.type)]
