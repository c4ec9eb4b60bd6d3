"""Pictures of records: the image with the boxes of its targets, and question and answer beside it.

A target has the colour of its category; in the text the same colour lies behind its box, so that the eye finds the one
from the other. The name stands at the box, so that nothing hangs on colour alone.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image, ImageDraw, ImageFont

from sarchat2m.errors import SARChatError
from sarchat2m.geometry import Box, area_ratio
from sarchat2m.reading import data_files
from sarchat2m.vocabulary import SPLITS, SUBSETS, SUBSETS_OF_TASK, TASK_OF_SUBSET, CategoryWords

__all__ = [
    "OKABE_ITO",
    "PictureRecord",
    "category_color",
    "draw_record",
    "find_record",
    "overview_picture",
    "save_picture",
    "show_record",
]

OKABE_ITO = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7", "#F0E442", "#D55E00", "#0072B2", "#999999")
"""The colours of Okabe and Ito, which people with any kind of colour vision tell apart; the light ones first."""


def category_color(category: int) -> str:
    """Give the colour of a category by its position; from the ninth on they repeat."""
    return OKABE_ITO[category % len(OKABE_ITO)]


class PictureRecord(NamedTuple):
    """A record, or an image alone, with all that a picture of it needs."""

    id: str
    subset: str
    """Or "images", which has neither question nor answer."""
    question: str
    answer: str
    image: Image.Image
    targets: tuple[tuple[int, Box], ...]
    """Category, as a position in `categories`, and box of every target that the record is about."""
    categories: tuple[str, ...]


# Finding --------------------------------------------------------------------------------------------------------------


def find_record(dataset: str, record_id: str, files: Sequence[str] | None = None) -> PictureRecord:
    """Find a record by its id: among the ids alone, and then its row.

    Args:
        dataset: A built folder, a repository of the Hub, or "sarchat2m" for the bundled sample.
        record_id: As in the column `id`; for an image with all its targets "images/<split>/<image id>".
        files: The shards to look in, where they are known already.

    Raises:
        SARChatError: There is no such dataset, or no such record in it.
    """
    subset, _, rest = record_id.partition("/")
    split, _, rest = rest.partition("/")
    if subset not in (*SUBSETS, "images") or split not in SPLITS or (subset == "images" and not rest.isdigit()):
        raise SARChatError(
            f'"{record_id}" is no id; records have ids like "counting/test/1/ship", and images like "images/test/1".'
        )
    column, wanted = ("image_id", int(rest)) if subset == "images" else ("id", record_id)
    for path in files or data_files(dataset, subset, split):
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                if not _may_hold(file, group, column, wanted):
                    continue
                values = file.read_row_group(group, columns=[column])[column].to_pylist()
                if wanted in values:
                    return _record_at(file, group, values.index(wanted), record_id, subset)
    raise SARChatError(f'There is no record "{record_id}" in {dataset}.')


def _may_hold(file: pq.ParquetFile, group: int, column: str, wanted: Any) -> bool:
    """Ask a row group's statistics whether a value can be in it."""
    columns = file.metadata.row_group(group)
    leaves = (columns.column(leaf) for leaf in range(columns.num_columns))
    statistics = next(leaf for leaf in leaves if leaf.path_in_schema == column).statistics
    return statistics is None or not statistics.has_min_max or bool(statistics.min <= wanted <= statistics.max)


def _record_at(file: pq.ParquetFile, group: int, row: int, record_id: str, subset: str) -> PictureRecord:
    start = 0
    for batch in file.iter_batches(batch_size=8, row_groups=[group]):
        if row < start + len(batch):
            values = batch.slice(row - start, 1).to_pylist()[0]
            break
        start += len(batch)
    with Image.open(io.BytesIO(values["image"]["bytes"])) as image:
        picture = image.convert("RGB")
    return PictureRecord(
        record_id,
        subset,
        values.get("question", ""),
        values.get("answer", ""),
        picture,
        tuple((target["category"], tuple(target["bbox"])) for target in values["objects"]),
        _categories(file),
    )


def _categories(file: pq.ParquetFile) -> tuple[str, ...]:
    from datasets import Features

    features = Features.from_arrow_schema(file.schema_arrow)
    objects = features["objects"]
    entry = objects[0] if isinstance(objects, list) else objects.feature
    return tuple(entry["category"].names)


# Drawing: the scene ---------------------------------------------------------------------------------------------------

_INK, _GREY, _PAPER = "#1B1F23", "#5F6B76", "#EEF1F4"
_SCENE = 920  # pixels of the longer side of the image


@lru_cache
def _font(style: str, size: int) -> ImageFont.FreeTypeFont:
    try:
        import matplotlib
    except ImportError:
        raise SARChatError(
            'Pictures need matplotlib, which is not installed: pip install "sarchat2m[figures]".'
        ) from None
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"DejaVu{style}.ttf"), size)


def _scene(record: PictureRecord) -> Image.Image:
    """Draw the image with its boxes, the name of the category at each where there is room."""
    image = record.image
    scale = _SCENE / max(image.size)
    canvas = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(canvas)
    boxes = [(category, tuple(round(side * scale) for side in box)) for category, box in record.targets]
    line = 4 if len(boxes) <= 12 else 3
    for category, (x1, y1, x2, y2) in boxes:
        for grow, color, width in ((line + 1, "black", line + 2), (line, category_color(category), line)):
            draw.rectangle((x1 - grow, y1 - grow, x2 + grow, y2 + grow), outline=color, width=width)
    taken: list[tuple[int, ...]] = [box for _, box in boxes]
    if len(boxes) <= 12:
        for category, box in boxes:
            _tag(draw, record.categories[category], category_color(category), box, taken, canvas.size)
    return canvas


def _tag(
    draw: ImageDraw.ImageDraw,
    name: str,
    color: str,
    box: tuple[int, ...],
    taken: list[tuple[int, ...]],
    size: tuple[int, int],
) -> None:
    """Write a name at a box where it covers neither a box nor another name; nowhere, if there is no such place."""
    font = _font("Sans-Bold", 22)
    width, height = round(font.getlength(name)) + 14, 31
    x1, y1, x2, y2 = box
    for left, top in (
        (x1 - 4, y1 - height - 5),
        (x1 - 4, y2 + 5),
        (x2 - width + 4, y1 - height - 5),
        (x2 - width + 4, y2 + 5),
        (x2 + 6, y1 - 4),
        (x1 - width - 6, y1 - 4),
    ):
        place = (left, top, left + width, top + height)
        inside = left >= 0 and top >= 0 and place[2] <= size[0] and place[3] <= size[1]
        if inside and not any(
            place[0] < other[2] and other[0] < place[2] and place[1] < other[3] and other[1] < place[3]
            for other in taken
        ):
            taken.append(place)
            draw.rounded_rectangle(place, 4, fill=color, outline="black")
            draw.text((left + 7, top + height // 2), name, "black", font, anchor="lm")
            return


def _legend(record: PictureRecord) -> list[tuple[str, str]]:
    """Say of every category in the image its colour and its number."""
    counts = Counter(category for category, _ in record.targets)
    words = CategoryWords(record.categories)
    return [(category_color(category), words.counted(category, n)) for category, n in sorted(counts.items())]


# Drawing: the text ----------------------------------------------------------------------------------------------------

_BOX = re.compile(r"\{<(\d+)><(\d+)><(\d+)><(\d+)>\}")
_TOKEN = re.compile(rf"{_BOX.pattern}|\s+|[^\s{{]+|\{{")


class _Word(NamedTuple):
    text: str
    x: int
    line: int
    color: str | None
    """What lies behind it; None for words that are no box."""


def _set(text: str, width: int, size: int, colors: dict[Box, str], most_lines: int) -> tuple[list[_Word], int]:
    """Break a text into lines of a width in pixels; give its words with their places, and the number of lines."""
    words: list[_Word] = []
    x = line = 0
    space = round(_font("Sans", size).getlength(" "))
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token.isspace():
            x += space if x else 0
            continue
        box = _BOX.fullmatch(token)
        font = _font("SansMono", size - 3) if box else _font("Sans", size)
        color = colors.get(tuple(map(int, box.groups())), "#D5DBE1") if box else None  # type: ignore[arg-type]
        length = round(font.getlength(token)) + (10 if box else 0)
        if x and x + length > width:
            x, line = 0, line + 1
        if line == most_lines:
            words[-1] = words[-1]._replace(text="…", color=None)
            return words, line
        words.append(_Word(token, x, line, color))
        x += length + (4 if box else 0)
    return words, line + 1


class _Card(NamedTuple):
    """A dialogue, laid out: what stands in it, and how high it is."""

    title: str
    parts: list[tuple[str, list[_Word], int]]
    """ "Q" or "A", its words, its number of lines."""
    height: int


_SIZE, _LINE, _PAD, _INDENT = 25, 37, 24, 42


def _card(record: PictureRecord, width: int, colors: dict[Box, str], most_lines: int) -> _Card:
    parts = []
    height = 2 * _PAD + 38
    for label, text in (("Q", record.question), ("A", record.answer)):
        words, lines = _set(text, width - 2 * _PAD - _INDENT, _SIZE, colors, most_lines)
        parts.append((label, words, lines))
        height += lines * _LINE + 6
    return _Card(TASK_OF_SUBSET[record.subset], parts, height - 6)


def _draw_card(draw: ImageDraw.ImageDraw, card: _Card, left: int, top: int, width: int) -> None:
    draw.rounded_rectangle((left, top, left + width, top + card.height), 14, fill="white", outline="#D5DBE1", width=2)
    draw.text((left + _PAD, top + _PAD + 13), card.title, _GREY, _font("Sans-Bold", 24), anchor="lm")
    y = top + _PAD + 38
    for label, words, lines in card.parts:
        draw.text((left + _PAD, y + _LINE // 2), label, _GREY, _font("Sans-Bold", _SIZE), anchor="lm")
        for word in words:
            x, middle = left + _PAD + _INDENT + word.x, y + word.line * _LINE + _LINE // 2
            if word.color is None:
                draw.text((x, middle + 9), word.text, _INK, _font("Sans", _SIZE), anchor="ls")
            else:
                font = _font("SansMono", _SIZE - 3)
                length = round(font.getlength(word.text))
                draw.rounded_rectangle((x, middle - 16, x + length + 10, middle + 16), 6, fill=word.color)
                draw.text((x + 5, middle + 8), word.text, "black", font, anchor="ls")
        y += lines * _LINE + 6


def _draw_legend(
    draw: ImageDraw.ImageDraw | None, entries: Sequence[tuple[str, str]], left: int, top: int, width: int
) -> int:
    """Draw what each colour means, in as many lines as it takes; give the height. Without `draw`, only measure."""
    font, x, y = _font("Sans", 24), left, top
    for color, text in entries:
        length = 36 + round(font.getlength(text)) + 34
        if x > left and x + length > left + width:
            x, y = left, y + 40
        if draw:
            draw.rectangle((x, y + 6, x + 26, y + 32), fill=color, outline="black", width=2)
            draw.text((x + 36, y + 19), text, _INK, font, anchor="lm")
        x += length
    return y + 40 - top


# Drawing: the whole ---------------------------------------------------------------------------------------------------

_MARGIN, _GAP, _COLUMN = 36, 22, 1060


def _compose(scene_of: PictureRecord, records: Sequence[PictureRecord], caption: str, most_lines: int) -> Image.Image:
    """Put the scene on the left with its legend, and the dialogues to the right of it and below it."""
    colors = {box: category_color(category) for category, box in scene_of.targets}
    scene = _scene(scene_of)
    widths = (max(scene.width, _SCENE // 2), _COLUMN)
    columns = [[_card(record, width, colors, most_lines) for record in records] for width in widths]
    legend = _legend(scene_of)
    tops = (scene.height + 14 + _draw_legend(None, legend, 0, 0, widths[0]) + 32 + _GAP, 0)

    def height(is_right: Sequence[bool]) -> int:
        return max(
            top + sum(card.height + _GAP for card, chosen in zip(column, is_right, strict=True) if chosen == side)
            for top, column, side in zip(tops, columns, (False, True), strict=True)
        )

    # Six dialogues can be shared out in 64 ways; of those that give the lowest picture, the one with most on the right.
    is_right = min(product((True, False), repeat=len(records)), key=height)
    right_width = 2 * _MARGIN + _COLUMN if any(is_right) else 0
    size = (2 * _MARGIN + widths[0] + max(right_width - _MARGIN, 0), height(is_right) - _GAP + 2 * _MARGIN)
    canvas = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(canvas)
    canvas.paste(scene, (_MARGIN, _MARGIN))
    y = _MARGIN + scene.height + 14
    y += _draw_legend(draw, legend, _MARGIN, y, widths[0])
    draw.text((_MARGIN, y + 16), caption, _GREY, _font("Sans", 20), anchor="lm")
    lefts = (_MARGIN, 2 * _MARGIN + widths[0])
    for side, left, top, width, column in zip((False, True), lefts, tops, widths, columns, strict=True):
        y = _MARGIN + top
        for card, chosen in zip(column, is_right, strict=True):
            if chosen == side:
                _draw_card(draw, card, left, y, width)
                y += card.height + _GAP
    return canvas


def draw_record(record: PictureRecord) -> Image.Image:
    """Draw a record: the image with its boxes on the left, question and answer on the right."""
    return _compose(record, [record] if record.subset != "images" else [], record.id, most_lines=24)


def save_picture(picture: Image.Image) -> bytes:
    """Encode a picture as PNG."""
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def overview_picture(dataset: str, out: Path, image: str | None = None) -> None:
    """Draw one scene with its boxes and a dialogue of every task about it, and write the picture as PNG.

    Args:
        dataset: A built folder, a repository of the Hub, or "sarchat2m" for the bundled sample.
        out: The file to write.
        image: Which image, as "images/<split>/<image id>"; by default one with a few large targets of several
            categories.

    Raises:
        SARChatError: There is no such image, or matplotlib is missing, whose fonts are used.
    """
    scene = find_record(dataset, image or _presentable_image(dataset))
    _, split, image_id = scene.id.split("/")
    records = [
        find_record(dataset, record_id)
        for subsets in SUBSETS_OF_TASK.values()
        for record_id in _records_about(dataset, subsets, split, int(image_id))[:1]
    ]
    _write(out, _compose(scene, records, scene.id, most_lines=12))


def _presentable_image(dataset: str) -> str:
    """Choose an image with two to six targets: of most categories, and among those the one with the largest targets."""
    for split in reversed(SPLITS):
        paths = data_files(dataset, "images", split)
        if paths:
            table = pa.concat_tables(
                pq.read_table(path, columns=["image_id", "width", "height", "objects"]) for path in paths
            )
            best = max(table.to_pylist(), key=_presentability)
            return f"images/{split}/{best['image_id']}"
    raise SARChatError(f"{dataset} lacks the config images; name an image that it has records about.")


def _presentability(row: dict[str, Any]) -> tuple[bool, int, float]:
    targets = row["objects"]
    ratios = [area_ratio(tuple(target["bbox"]), row["width"], row["height"]) for target in targets]
    return 2 <= len(targets) <= 6, len({target["category"] for target in targets}), min(ratios, default=0)


def _records_about(dataset: str, subsets: Sequence[str], split: str, image_id: int) -> list[str]:
    """List the records about an image: of the category with most targets first, with a shape in the answer first."""
    rows = [
        row
        for subset in subsets
        for path in data_files(dataset, subset, split)
        for row in pq.read_table(
            path, columns=["id", "answer", "objects"], filters=pc.field("image_id") == image_id
        ).to_pylist()
    ]
    rows.sort(key=lambda row: (-len(row["objects"]), "shape" not in row["answer"]))
    return [row["id"] for row in rows]


def show_record(dataset: str, record_id: str, out: Path) -> None:
    """Draw any record of a dataset by its id, and write the picture as PNG.

    Args:
        dataset: A built folder, a repository of the Hub, or "sarchat2m" for the bundled sample.
        record_id: As in the column `id`; for an image with all its targets "images/<split>/<image id>".
        out: The file to write.

    Raises:
        SARChatError: There is no such record, or matplotlib is missing, whose fonts are used.
    """
    _write(out, draw_record(find_record(dataset, record_id)))


def _write(out: Path, picture: Image.Image) -> None:
    part = out.with_name(out.name + ".part")
    try:
        part.write_bytes(save_picture(picture))
        part.replace(out)
    except OSError as error:
        raise SARChatError(f"{out} cannot be written ({error.strerror}); name another file.") from error
