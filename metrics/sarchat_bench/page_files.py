"""What a visitor of the page uploads or pastes, read into the columns that the metric takes.

A broken, oversized or incomplete file raises `PageError` with one sentence that says what to mend; nothing else leaves
this module when a file is bad. Needs pyarrow, which evaluate brings.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

MAX_MEGABYTES = int(os.environ.get("SARCHAT_BENCH_PAGE_MB", "100"))
"""The largest file that the page reads. The paper's test split of 226,636 predictions takes about 50 MB of JSONL."""

MAX_RECORDS = 500_000
"""The most records of one file, over twice the paper's test split."""

SUBSETS = (
    "classification",
    "description",
    "counting",
    "grounding_single",
    "grounding_multi",
    "identification_single",
    "identification_multi",
    "referring_single",
    "referring_multi",
)

COLUMNS = ("id", "prediction", "reference", "answer", "subset", "width", "height")
"""All that is read of a file. A dataset's own Parquet file may be uploaded as it is: its images are never decoded."""

_WANTED = frozenset(COLUMNS)

FILE_TYPES = (".jsonl", ".json", ".csv", ".parquet")

Table = Mapping[str, "list[Any]"]
"""A file as columns of equal length; of `COLUMNS`, those that the file has."""


class PageError(ValueError):
    """One sentence for the visitor: what is wrong with what they gave, and how to mend it."""


@dataclass(frozen=True)
class Answers:
    """What is to be scored: equally long lists, and what the visitor should know about how they came together."""

    ids: list[str]
    predictions: list[str | None]
    references: list[str]
    subsets: list[str]
    image_sizes: list[tuple[int, int]] | None = None
    notes: list[str] = field(default_factory=list)


def check_file(path: Path) -> None:
    """Refuse a file by its type and its size, before anything is read of it."""
    name, suffix = path.name, path.suffix.lower()
    if suffix not in FILE_TYPES:
        raise PageError(f"{name} is not of a type that this page reads: {', '.join(FILE_TYPES)}.")
    megabytes = path.stat().st_size / 1e6
    if megabytes > MAX_MEGABYTES:
        raise PageError(
            f"{name} has {megabytes:,.1f} MB and this page reads files up to {MAX_MEGABYTES} MB: "
            "leave out what is not needed (images, say), upload it in parts, or score it on your own machine."
        )


def read_file(path: Path) -> Table:
    """Read an uploaded JSONL, JSON, CSV or Parquet file."""
    check_file(path)
    name, suffix = path.name, path.suffix.lower()
    if suffix == ".parquet":
        return _read_parquet(path, name)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise PageError(f"{name} is not UTF-8 text (byte {error.start:,}): save it as UTF-8.") from None
    return _read_csv(text, name) if suffix == ".csv" else _read_json(text, name)


def read_text(text: str) -> Table:
    """Read what a visitor pasted: JSON where it opens with a bracket, else CSV with a header line."""
    name = "The pasted text"
    if len(text) > MAX_MEGABYTES * 1e6:
        raise PageError(f"{name} is longer than {MAX_MEGABYTES} million characters: upload it as a file, in parts.")
    return _read_json(text, name) if text.lstrip().startswith(("{", "[")) else _read_csv(text, name)


def gather(predictions: Table, references: Table | None = None, name: str = "The predictions") -> Answers:
    """Bring predictions together with their references and subsets.

    What the predictions do not carry themselves is looked up by `id` in `references`; a subset that stands nowhere is
    the first part of the id ("counting/test/…").

    >>> answers = gather({"id": ["counting/test/7/ship"], "prediction": ["Two ships."]},
    ...                  {"id": ["counting/test/7/ship"], "answer": ["There are 2 instances."]})
    >>> answers.references, answers.subsets
    (['There are 2 instances.'], ['counting'])
    """
    if "prediction" not in predictions:
        raise PageError(f'{name}: there is no column "prediction"; the columns found are {_names(predictions)}.')
    texts = [_as_text(value) for value in predictions["prediction"]]
    if not texts:
        raise PageError(f"{name}: there is no record in it.")
    ids = _ids(predictions, name) if "id" in predictions else None
    notes: list[str] = []
    if references is None:
        rows, found = list(range(len(texts))), predictions
        if _reference_column(predictions) is None:
            raise PageError(
                f'{name}: there is no column "reference" to compare with: add it, or give a reference file with '
                "the columns id, answer and subset."
            )
    else:
        rows, found = _look_up(ids, references, name), references
        unanswered = len(references["id"]) - len(texts)
        if unanswered > 0:
            notes.append(f"Records of the reference file without a prediction, left out: {unanswered:,}.")
    column = _reference_column(found)
    return Answers(
        ids=ids if ids is not None else [str(number) for number in range(1, len(texts) + 1)],
        predictions=texts,
        references=[_as_text(found[column][row]) or "" for row in rows] if column else [],
        subsets=_subsets(predictions, found, rows, ids, name),
        image_sizes=_image_sizes(found, rows),
        notes=notes,
    )


def _read_json(text: str, name: str) -> Table:
    """Read an array of objects, or one object a line."""
    if text.lstrip().startswith("["):
        try:
            records = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PageError(f"{name} is not valid JSON: {_first_line(error)}.") from None
        return _columns(enumerate(records, start=1), name, "record")
    return _columns(_json_lines(text, name), name, "line")


def _json_lines(text: str, name: str) -> Iterable[tuple[int, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError) as error:
            raise PageError(f"{name}, line {number:,} is not valid JSON: {_first_line(error)}.") from None


def _read_csv(text: str, name: str) -> Table:
    """Read comma-separated values under a header line; a quoted value may hold line breaks."""
    csv.field_size_limit(max(len(text), 131_072))
    reader = csv.DictReader(StringIO(text, newline=""), strict=True)
    try:
        return _columns(((reader.line_num, row) for row in reader), name, "line")
    except csv.Error as error:
        raise PageError(f"{name}, line {reader.line_num:,} is not valid CSV: {_first_line(error)}.") from None


def _read_parquet(path: Path, name: str) -> Table:
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            columns = [column for column in file.schema_arrow.names if column in COLUMNS]
            if file.metadata.num_rows > MAX_RECORDS:
                raise _too_many(name)
            table: Table = file.read(columns=columns).to_pydict()
            return table
    except (pyarrow.ArrowException, OSError) as error:
        raise PageError(f"{name} cannot be read as Parquet: {_first_line(error)}.") from None


def _columns(rows: Iterable[tuple[int, Any]], name: str, unit: str) -> Table:
    """Turn numbered objects into columns; a key that one object lacks is None there."""
    table: dict[str, list[Any]] = {}
    count = 0
    for number, row in rows:
        if not isinstance(row, dict):
            raise PageError(f"{name}, {unit} {number:,} is not an object with the keys id and prediction.")
        for key in _WANTED.intersection(row).difference(table):
            table[key] = [None] * count
        for key, column in table.items():
            column.append(row.get(key))
        count += 1
        if count > MAX_RECORDS:
            raise _too_many(name)
        if not table:
            raise PageError(
                f"{name}, {unit} {number:,} has none of the columns {', '.join(COLUMNS[:5])}: a file needs a key or "
                "a header line of these names."
            )
    if not count:
        raise PageError(f"{name} has no record in it.")
    return table


def _too_many(name: str) -> PageError:
    return PageError(f"{name} has over {MAX_RECORDS:,} records, the most that this page takes: upload it in parts.")


def _ids(table: Table, name: str) -> list[str]:
    ids: list[str] = []
    seen: set[str] = set()
    for number, value in enumerate(table["id"], start=1):
        text = _as_text(value)
        if not text:
            raise PageError(f"{name}: record {number:,} has no id.")
        if text in seen:
            raise PageError(f'{name}: the id "{_short(text)}" stands there twice; one prediction an id is scored.')
        seen.add(text)
        ids.append(text)
    return ids


def _look_up(ids: list[str] | None, references: Table, name: str) -> list[int]:
    """Give, for each id, its row in the reference file."""
    if _reference_column(references) is None or "id" not in references:
        raise PageError(
            f'The reference file needs the columns "id" and "answer" (or "reference"); it has {_names(references)}.'
        )
    if ids is None:
        raise PageError(f'{name}: there is no column "id" to look the references up by.')
    row_of_id = {text: row for row, text in enumerate(_ids(references, "The reference file"))}
    missing = [text for text in ids if text not in row_of_id]
    if missing:
        raise PageError(
            f"{name}: {len(missing):,} of {len(ids):,} ids are not in the reference file, the first is "
            f'"{_short(missing[0])}".'
        )
    return [row_of_id[text] for text in ids]


def _subsets(predictions: Table, found: Table, rows: Iterable[int], ids: list[str] | None, name: str) -> list[str]:
    if "subset" in predictions:
        subsets = [_as_text(value) or "" for value in predictions["subset"]]
    elif "subset" in found:
        subsets = [_as_text(found["subset"][row]) or "" for row in rows]
    else:
        subsets = [text.partition("/")[0] for text in ids or ()]
    if not subsets:
        raise PageError(f'{name}: there is neither a column "subset" nor an "id" that opens with it.')
    for number, subset in enumerate(subsets, start=1):
        if subset not in SUBSETS:
            raise PageError(
                f'{name}: record {number:,} is of the subset "{_short(subset)}", which is none of {", ".join(SUBSETS)}.'
            )
    return subsets


def _image_sizes(found: Table, rows: Iterable[int]) -> list[tuple[int, int]] | None:
    """Width and height in pixels of each record's image, or None where the file does not tell them all."""
    if "width" not in found or "height" not in found:
        return None
    try:
        sizes = [(int(found["width"][row]), int(found["height"][row])) for row in rows]
    except (TypeError, ValueError, OverflowError):
        return None
    return sizes if all(width > 0 and height > 0 for width, height in sizes) else None


def _reference_column(table: Table) -> str | None:
    return next((column for column in ("reference", "answer") if column in table), None)


def _as_text(value: Any) -> str | None:
    """Give a cell as text: numbers and structures as JSON would write them, an empty cell as None.

    JSON can hold half a surrogate pair ("\\ud800"), which no file, table or page can: a question mark takes its place.
    """
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text.encode("utf-8", "replace").decode("utf-8")


def _names(table: Table) -> str:
    return ", ".join(column for column in COLUMNS if column in table) or "none of ours"


def _first_line(error: Exception) -> str:
    return _short(str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__, 160)


def _short(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else text[:limit] + "…"
