"""The dataset in the formats that trainers read: every image once, as it is, and the records in files beside them.

    OUT/train/17.png …                                  the images of a split, under their image_id
    OUT/train-counting.jsonl, OUT/train-referring…      its records: ms-swift, a file a subset
    OUT/train.json, train.jsonl, train/metadata.jsonl   its records: LLaVA, ShareGPT, TRL, in one file

Records are read by column and written file by file, so that memory holds one batch of text and one row group of images,
however many records there are. Everything appears whole under its final name; a run that was stopped goes on behind the
last of the dataset's files that it finished, and the result is the same to the byte.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sarchat2m import __version__
from sarchat2m.errors import SARChatError
from sarchat2m.reading import Dataset, data_files
from sarchat2m.vocabulary import SPLITS

__all__ = ["FORMATS", "Exported", "export"]

Row = dict[str, Any]
Progress = Callable[[int, int], None]
"""Called with how much of how much is done."""


def _ms_swift(record: Row, image: str) -> Row:
    return {
        "id": record["id"],
        "messages": [
            {"role": "user", "content": f"<image>{record['question']}"},
            {"role": "assistant", "content": record["answer"]},
        ],
        "images": [image],
    }


def _llava(record: Row, image: str) -> Row:
    return {
        "id": record["id"],
        "image": image,
        "conversations": [
            {"from": "human", "value": f"<image>\n{record['question']}"},
            {"from": "gpt", "value": record["answer"]},
        ],
    }


def _sharegpt(record: Row, image: str) -> Row:
    return {
        "id": record["id"],
        "conversations": [
            {"from": "human", "value": f"<image>{record['question']}"},
            {"from": "gpt", "value": record["answer"]},
        ],
        "images": [image],
    }


def _trl(record: Row, image: str) -> Row:
    # `datasets` opens the folder as an image folder, in which `file_names` become a column `images` of decoded images.
    return {
        "id": record["id"],
        "subset": record["subset"],
        "messages": [
            {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": record["question"]}]},
            {"role": "assistant", "content": [{"type": "text", "text": record["answer"]}]},
        ],
        "file_names": [image.partition("/")[2]],
    }


@dataclass(frozen=True)
class _Format:
    row: Callable[[Row, str], Row]
    """Makes what stands in the file of a record and of its image's path below the folder."""
    file: str
    """The name of a file of records, with `{split}` in it, and with `{subset}` where each subset has its own."""
    usage: str
    """How to hand the folder to the trainer, with `{split}`, and with `{out}` (for a shell) or `{folder}` in it."""
    opening: str = ""
    between: str = "\n"
    closing: str = "\n"


FORMATS = {
    # A file a subset: of all that we say of a record, ms-swift's results tell only the name of the file it came from.
    "ms-swift": _Format(
        _ms_swift, "{split}-{subset}.jsonl", "ROOT_IMAGE_DIR={out} swift sft --dataset {out}/{split}-*.jsonl …"
    ),
    "llava": _Format(
        _llava, "{split}.json", "--data_path {out}/{split}.json --image_folder {out}", "[\n", ",\n", "\n]\n"
    ),
    "sharegpt": _Format(
        _sharegpt, "{split}.jsonl", "llamafactory-cli train --dataset_dir {out} --dataset sarchat2m_{split} …"
    ),
    "trl": _Format(_trl, "{split}/metadata.jsonl", 'load_dataset("imagefolder", data_dir="{folder}", split="{split}")'),
}
"""The formats by name: ms-swift, LLaVA, ShareGPT as LLaMA-Factory reads it, and TRL."""

STATE = ".sarchat2m-export.json"
"""In the folder: what it is an export of, and how far it has come. Hidden, so that no reader takes it for data."""

_TEXT_COLUMNS = ["id", "image_id", "subset", "question", "answer"]
_MAGIC = {
    b"\xff\xd8\xff": "jpg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"BM": "bmp",
    b"II*\x00": "tif",
    b"MM\x00*": "tif",
    b"GIF8": "gif",
    b"RIFF": "webp",
}


@dataclass(frozen=True)
class Exported:
    """What came of an export.

    Attributes:
        folder: Where it lies.
        files: The files of records.
        records: Their number in each split.
        images: The number of images in each split.
        usage: How to hand each split to the trainer.
    """

    folder: Path
    files: tuple[Path, ...]
    records: dict[str, int]
    images: dict[str, int]
    usage: dict[str, str]


def export(
    dataset: str | os.PathLike[str],
    out: str | os.PathLike[str],
    config: str = "all",
    split: str | None = None,
    format: str = "ms-swift",
    *,
    on_images: Progress | None = None,
    on_records: Progress | None = None,
) -> Exported:
    """Write records and their images in the format of a trainer; go on where an earlier run was stopped.

    Args:
        dataset: A folder that `sarchat2m build` made, a repository of the Hub, or "sarchat2m" for the bundled sample.
        out: A folder that is new, empty, or holds the beginning of this very export.
        config: One of `vocabulary.CONFIGS` except `images`.
        split: One of `vocabulary.SPLITS`, or None for all that the config has.
        format: One of `FORMATS`.
        on_images: Called with the images done and all images.
        on_records: Called with the records done and all records.

    Returns:
        What came of it: the folder's files and how to use them.

    Raises:
        SARChatError: There is no such dataset, config, split or format; an image is missing or of no known kind; `out`
            holds something else, or cannot be written.

    Example:
        >>> export("sarchat2m", "OUT", "referring", "test").usage["test"]  # doctest: +SKIP
        'ROOT_IMAGE_DIR=OUT swift sft --dataset OUT/test-*.jsonl …'
    """
    if format not in FORMATS:
        raise SARChatError(f'There is no format "{format}": take one of {", ".join(FORMATS)}.')
    try:
        return _export(os.fspath(dataset), Path(out), config, split, format, on_images, on_records)
    except OSError as error:
        raise SARChatError(
            f"The export to {out} stopped ({error}): when there is room again, the same command goes on."
        ) from error


def _export(
    name: str,
    folder: Path,
    config: str,
    split: str | None,
    format: str,
    on_images: Progress | None,
    on_records: Progress | None,
) -> Exported:
    layout = FORMATS[format]
    sources = {one: Dataset(name, config, one) for one in _splits(name, config, split)}
    files = {one: data_files(name, config, one) for one in sources}
    records = {one: sum(map(_rows, paths)) for one, paths in files.items()}
    state = _State(
        folder,
        {
            "config": config,
            "format": format,
            "version": __version__,
            # Of the dataset itself: which files, in which order, how large; not where they lie.
            "files": {one: [[Path(f).name, Path(f).stat().st_size] for f in paths] for one, paths in files.items()},
        },
    )

    needed = {one: _image_ids(paths) for one, paths in files.items()}
    all_images, all_records = sum(map(len, needed.values())), sum(records.values())
    images_done = records_done = 0

    def on_batch(written: int) -> None:
        nonlocal records_done
        records_done += written
        if on_records:
            on_records(records_done, all_records)

    outputs: list[Path] = []
    for one, source in sources.items():
        place = folder / one
        place.mkdir(exist_ok=True)
        names = {int(file.stem): file.name for file in place.iterdir() if file.stem.isdecimal()}
        images_done += len(names)
        for image_id, content in source.images(needed[one] - names.keys()):
            names[image_id] = f"{image_id}.{_extension(content, image_id, one)}"
            _write(place / names[image_id], content)
            images_done += 1
            if on_images:
                on_images(images_done, all_images)
        if missing := needed[one] - names.keys():
            raise SARChatError(
                f"Image {min(missing)} of {name} ({one}) has records but is not stored: build the dataset again."
            )
        images = {image_id: f"{one}/{image}" for image_id, image in names.items()}
        for file, paths in _parts(files[one], one, layout).items():
            _write_records(state, layout, file, paths, images, on_batch)
            outputs.append(folder / file)
    if format == "sharegpt":
        _write(folder / "dataset_info.json", _llama_factory_register(list(files), layout))
    return Exported(
        folder,
        tuple(outputs),
        records,
        {one: len(ids) for one, ids in needed.items()},
        {one: layout.usage.format(out=shlex.quote(str(folder)), folder=folder, split=one) for one in files},
    )


def _splits(name: str, config: str, split: str | None) -> list[str]:
    if split is not None:
        return [split]
    if not (declared := [one for one in SPLITS if data_files(name, config, one)]):
        raise SARChatError(f'The config "{config}" of {name} has none of the splits {", ".join(SPLITS)}.')
    return declared


def _parts(paths: list[str], split: str, layout: _Format) -> dict[str, list[str]]:
    """Give the files of records to write, each with the dataset's files that go into it; one of those is one subset."""
    parts: dict[str, list[str]] = {}
    for path in paths:
        subset = next(_batches(path, ["subset"], 1))["subset"][0].as_py()
        parts.setdefault(layout.file.format(split=split, subset=subset), []).append(path)
    return parts


class _State:
    """What the folder is an export of; for each file of records, how many sources stand in how many bytes so far."""

    def __init__(self, folder: Path, of: Row) -> None:
        self._path = folder / STATE
        begun = _partial(self._path)  # all that is there, if a run was stopped in its first moment
        if folder.exists() and (not folder.is_dir() or any(file != begun for file in folder.iterdir())):
            try:
                found = json.loads(self._path.read_bytes())
            except (OSError, ValueError):
                raise SARChatError(
                    f"{folder} holds something else than an export: name a folder that is new or empty."
                ) from None
            if differing := [key for key in of if found["of"].get(key) != of[key]]:
                raise SARChatError(
                    f"{folder} holds an export of another {differing[0].replace('files', 'dataset or split')}: "
                    f"name a folder that is new or empty."
                )
            self.done: dict[str, list[int]] = found["done"]
        else:
            self.done = {}
        self.folder, self._of = folder, of
        folder.mkdir(parents=True, exist_ok=True)
        self._save()

    def reached(self, file: str, sources: int, size: int) -> None:
        self.done[file] = [sources, size]
        self._save()

    def _save(self) -> None:
        _write(self._path, json.dumps({"of": self._of, "done": self.done}).encode())


def _image_ids(paths: list[str]) -> set[int]:
    return {
        image_id
        for path in paths
        for batch in _batches(path, ["image_id"])
        for image_id in pc.unique(batch["image_id"]).to_pylist()
    }


def _batches(path: str, columns: list[str], size: int = 8192) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        yield from file.iter_batches(size, columns=columns)


def _write_records(
    state: _State,
    layout: _Format,
    file: str,
    sources: list[str],
    images: dict[int, str],
    on_batch: Callable[[int], None],
) -> None:
    final = state.folder / file
    if final.exists():  # only a whole file has this name
        on_batch(sum(map(_rows, sources)))
        return
    partial = _partial(final)
    sources_done, size = state.done.get(file, (0, 0))
    if not partial.exists() or partial.stat().st_size < size:
        sources_done, size = 0, 0
    on_batch(sum(map(_rows, sources[:sources_done])))
    with partial.open("r+b" if partial.exists() else "w+b") as sink:
        sink.truncate(size)
        sink.seek(size)
        for number, source in enumerate(sources[sources_done:], sources_done + 1):
            for batch in _batches(source, _TEXT_COLUMNS):
                lines = [
                    json.dumps(layout.row(record, images[record["image_id"]]), ensure_ascii=False)
                    for record in batch.to_pylist()
                ]
                sink.write((layout.between if sink.tell() else layout.opening).encode())
                sink.write(layout.between.join(lines).encode())
                on_batch(len(lines))
            sink.flush()
            os.fsync(sink.fileno())
            state.reached(file, number, sink.tell())
        sink.write(layout.closing.encode())
    partial.replace(final)


def _rows(path: str) -> int:
    return int(pq.read_metadata(path).num_rows)


def _extension(content: bytes, image_id: int, split: str) -> str:
    for magic, extension in _MAGIC.items():
        if content.startswith(magic):
            return extension
    raise SARChatError(
        f"Image {image_id} of the split {split} is of no known kind (it begins with {content[:8]!r}): "
        f"trainers read {', '.join(dict.fromkeys(_MAGIC.values()))}."
    )


def _partial(path: Path) -> Path:
    """Give the name under which a file is written until it is whole."""
    return path.with_name(f".{path.name}.partial")


def _write(path: Path, content: bytes) -> None:
    partial = _partial(path)
    partial.write_bytes(content)
    partial.replace(path)


def _llama_factory_register(splits: list[str], layout: _Format) -> bytes:
    register = {
        f"sarchat2m_{split}": {
            "file_name": layout.file.format(split=split),
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "images": "images"},
        }
        for split in splits
    }
    return (json.dumps(register, indent=2) + "\n").encode()
