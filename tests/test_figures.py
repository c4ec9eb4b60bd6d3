"""Figures and pictures: complete, with their numbers beside them, and nothing drawn over anything else."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageColor

from sarchat2m import card, cli, figures, pictures
from sarchat2m.build import build
from sarchat2m.card import write_card
from sarchat2m.errors import SARChatError
from sarchat2m.figures import TABLES, write_statistics
from sarchat2m.geometry import Box, notation
from sarchat2m.pictures import (
    PictureRecord,
    category_color,
    draw_record,
    find_record,
    overview_picture,
    show_record,
)
from sarchat2m.vocabulary import CATEGORIES, REGIONS, SHAPES, SUBSETS, TASKS

CHARTS = {"tasks", "categories", "shapes", "words", "heatmap", "sizes"}


def _rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text().splitlines()))


# The folder of statistics ---------------------------------------------------------------------------------------------


def test_every_figure_is_there_with_its_numbers(with_figures: Path) -> None:
    folder = with_figures / "figures"
    names = CHARTS | {f"record_{task}" for task in TASKS}
    assert {path.stem for path in folder.glob("*.png")} == names
    assert {path.stem for path in folder.glob("*.csv")} == names | {"table1", "table2", "table4", "table5"}
    said = json.loads((folder / "statistics.json").read_text())
    assert set(said["figures"]) == names
    assert said["tables"] == TABLES
    for path in folder.glob("*.png"):
        with Image.open(path) as image:
            image.load()
            assert min(image.size) > 250
            assert len(image.convert("L").reduce(8).getcolors()) > 10, "something is drawn"
    for path in folder.glob("*.csv"):
        header, *rows = _rows(path)
        assert rows
        assert {len(row) for row in rows} == {len(header)}
    assert not [path for path in folder.iterdir() if path.suffix not in (".png", ".csv", ".json")]


def test_the_numbers_are_the_datas(with_figures: Path) -> None:
    folder = with_figures / "figures"
    manifest = json.loads((with_figures / "manifest.json").read_text())
    usable = {split: tally["usable"] for split, tally in manifest["source"]["splits"].items()}
    for name, what in (("categories", CATEGORIES), ("tasks", TASKS), ("shapes", SHAPES)):
        _, *rows = _rows(folder / f"{name}.csv")
        assert [row[:2] for row in rows] == [[split, value] for split in usable for value in what]
        for split in usable:
            assert sum(float(row[3]) for row in rows if row[0] == split) == pytest.approx(100, abs=0.05)
    assert sum(int(row[2]) for row in _rows(folder / "categories.csv")[1:]) == sum(usable.values())
    assert sum(int(row[2]) for row in _rows(folder / "heatmap.csv")[1:]) == sum(usable.values())
    header, *rows = _rows(folder / "sizes.csv")
    assert {split: sum(int(row[i]) for row in rows) for i, split in enumerate(header) if i > 1} == usable


@pytest.mark.slow
def test_statistics_are_written_again_over_themselves_and_the_same(with_figures: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in (with_figures / "figures").iterdir()}
    folder = shutil.copytree(with_figures / "figures", tmp_path / "figures")
    calls: list[tuple[int, int]] = []
    write_statistics(with_figures, folder, lambda done, total: calls.append((done, total)))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert calls == [(i, 12) for i in range(1, 13)]


def test_a_folder_that_holds_something_else_is_left_alone(built: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(SARChatError, match="something else"):
        write_statistics(built, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("missing", ["matplotlib", "wordcloud"])
def test_without_the_extra_it_says_what_to_install(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SARChatError, match=r"pip install \"sarchat2m\[figures\]\"") as caught:
        write_statistics(built, tmp_path / "figures")
    assert missing in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("boxes", [[], [[10, 10, 30, 20]]])
def test_a_dataset_with_little_in_it_has_its_figures_too(tmp_path: Path, boxes: list[list[float]]) -> None:
    # One image of another set, in one split: with no target there is no answer to count words and shapes in.
    (tmp_path / "source" / "Annotations").mkdir(parents=True)
    (tmp_path / "source" / "JPEGImages").mkdir()
    Image.new("L", (90, 60), 40).save(tmp_path / "source" / "JPEGImages" / "0.png")
    coco = {
        "images": [{"id": 0, "file_name": "0.png", "width": 90, "height": 60}],
        "annotations": [{"id": i, "image_id": 0, "category_id": 3, "bbox": box} for i, box in enumerate(boxes)],
        "categories": [{"id": 3, "name": "ferry"}],
    }
    (tmp_path / "source" / "Annotations" / "test.json").write_text(json.dumps(coco))
    build(tmp_path / "source", tmp_path / "out")
    captions = write_statistics(tmp_path / "out", tmp_path / "out" / "figures")
    assert CHARTS - set(captions) == (set() if boxes else {"shapes", "words"})
    assert {f"record_{task}" for task in TASKS if boxes and task != "description"} == set(captions) - CHARTS
    write_card(tmp_path / "out")
    assert "## Statistics" in (tmp_path / "out" / "README.md").read_text()


def test_what_is_no_dataset_or_lacks_the_images_is_refused(built: Path, tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match=r"no manifest\.json"):
        write_statistics(tmp_path, tmp_path / "figures")
    manifest = json.loads((built / "manifest.json").read_text()) | {"images": {}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(SARChatError, match="config images"):
        write_statistics(tmp_path, tmp_path / "figures")


# Pictures of records --------------------------------------------------------------------------------------------------


def test_a_record_of_any_subset_is_found_as_it_is(built: Path) -> None:
    for subset in SUBSETS:
        (path,) = (built / "data" / subset).glob("validation-*.parquet")
        (row,) = pq.read_table(path).slice(pq.read_metadata(path).num_rows - 1).to_pylist()
        record = find_record(str(built), row["id"])
        assert record[:4] == (row["id"], subset, row["question"], row["answer"])
        with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
            assert record.image.tobytes() == image.convert("RGB").tobytes()
        assert [{"bbox": list(box), "category": category} for category, box in record.targets] == row["objects"]
        assert record.categories == CATEGORIES


def test_the_commands_call_these_functions(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str) -> None:
        monkeypatch.setattr(sys, "argv", ["sarchat2m", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == (1 if "nowhere" in arguments else 0)

    run("show", str(built), "images/test/1", "--out", str(tmp_path / "image.png"))
    assert capsys.readouterr().out.strip() == str(tmp_path / "image.png")
    assert (tmp_path / "image.png").read_bytes().startswith(b"\x89PNG")
    run("stats", "nowhere")
    assert "nowhere is no built dataset" in capsys.readouterr().err
    called: list[Any] = []
    monkeypatch.setattr(figures, "write_statistics", lambda *args: called.append(args[:2]) or {})
    monkeypatch.setattr(card, "write_card", lambda dataset: called.append(("card", dataset)))
    run("stats", str(built), "--out", str(tmp_path / "statistics"))
    run("stats", str(built))
    assert called == [(built, tmp_path / "statistics"), (built, built / "figures"), ("card", built)]


def test_an_image_is_shown_by_its_id(built: Path, tmp_path: Path) -> None:
    show_record(str(built), "images/test/2", tmp_path / "image.png")
    with Image.open(tmp_path / "image.png") as image:
        assert image.width < 1200, "no column for a dialogue"
    assert [path.name for path in tmp_path.iterdir()] == ["image.png"]


def test_only_the_records_own_row_group_is_read(built: Path, tmp_path: Path) -> None:
    blind = shutil.copytree(built, tmp_path / "blind")
    shards = sorted((blind / "data" / "identification_multi").glob("train-*.parquet"))
    assert len(shards) > 1
    wanted = pq.read_table(shards[-1], columns=["id"])["id"][-1].as_py()
    for path in shards[:-1]:
        content = bytearray(path.read_bytes())
        for group in range((metadata := pq.read_metadata(path)).num_row_groups):
            for leaf in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(leaf)
                if chunk.path_in_schema != "id":
                    start = chunk.dictionary_page_offset or chunk.data_page_offset
                    content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
        path.write_bytes(content)
    assert find_record(str(blind), wanted) == find_record(str(built), wanted)


@pytest.mark.parametrize(
    ("record_id", "words"),
    [
        ("counting/test/123456/ship", "no record"),
        ("images/test/123456", "no record"),
        ("images/test/ship", "is no id"),
        ("nonsense", "is no id"),
        ("counting/trial/1/ship", "is no id"),
        ("", "is no id"),
    ],
)
def test_an_id_that_is_not_there_is_told(built: Path, tmp_path: Path, record_id: str, words: str) -> None:
    with pytest.raises(SARChatError, match=words):
        show_record(str(built), record_id, tmp_path / "record.png")
    assert not list(tmp_path.iterdir())


def test_no_such_dataset_or_folder_is_told(built: Path, tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match="no dataset"):
        show_record(str(tmp_path / "nowhere"), "counting/test/1/ship", tmp_path / "record.png")
    with pytest.raises(SARChatError, match="cannot be written"):
        show_record(str(built), "images/test/1", tmp_path / "nowhere" / "record.png")


def _record(targets: list[tuple[int, Box]], answer: str, size: tuple[int, int]) -> PictureRecord:
    image = Image.new("RGB", size, "#101010")
    return PictureRecord(
        "counting/test/1/ship", "counting", "[count] How many?", answer, image, tuple(targets), CATEGORIES
    )


def test_boxes_are_drawn_around_their_targets_in_the_colour_of_the_category() -> None:
    record = _record([(0, (100, 100, 300, 200)), (4, (350, 300, 400, 500))], "There is 1 instance.", (512, 512))
    scene = np.asarray(pictures._scene(record)).astype(int)
    scale = pictures._SCENE / 512
    for category, box in record.targets:
        x1, y1, x2, y2 = (round(side * scale) for side in box)
        color = ImageColor.getrgb(category_color(category))
        for y, x in (
            (y1 - 2, (x1 + x2) // 2),
            (y2 + 2, (x1 + x2) // 2),
            ((y1 + y2) // 2, x1 - 2),
            ((y1 + y2) // 2, x2 + 2),
        ):
            assert tuple(scene[y, x]) == color
        inside = scene[y1 + 3 : y2 - 3, x1 + 3 : x2 - 3]
        assert (inside == 16).all(), "the target itself is not painted over"


boxes = st.tuples(*[st.integers(0, 480)] * 2, *[st.integers(6, 120)] * 2).map(
    lambda v: (v[0], v[1], min(v[0] + v[2], 512), min(v[1] + v[3], 512))
)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), boxes), max_size=12))
def test_names_cover_neither_boxes_nor_each_other(targets: list[tuple[int, Box]]) -> None:
    taken: list[tuple[int, ...]] = []
    record = _record(targets, "", (512, 512))
    original = pictures._tag
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "_tag", lambda *args: (original(*args), taken.__setitem__(slice(None), args[4]))[0])
        scene = pictures._scene(record)
    places = taken[len(targets) :]
    for i, (left, top, right, bottom) in enumerate(places):
        assert left >= 0
        assert top >= 0
        assert right <= scene.width
        assert bottom <= scene.height
        for other in [*taken[: len(targets)], *places[:i]]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top


words = st.lists(
    st.one_of(st.from_regex(r"[A-Za-z,.()]{1,14}", fullmatch=True), boxes.map(notation)),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(words, st.integers(300, 1000))
def test_text_is_broken_into_lines_that_fit_and_loses_nothing(words: list[str], width: int) -> None:
    text = " ".join(words)
    laid, lines = pictures._set(text, width, 25, {}, most_lines=1000)
    assert "".join(word.text for word in laid) == text.replace(" ", "")
    assert {word.line for word in laid} == set(range(lines))
    ends: dict[int, float] = {}
    for word in laid:
        is_box = word.color is not None
        font = pictures._font("SansMono" if is_box else "Sans", 22 if is_box else 25)
        assert word.x >= ends.get(word.line, 0) - 1, "no word begins before the last one ends"
        ends[word.line] = word.x + font.getlength(word.text) + (10 if is_box else 0)
        assert ends[word.line] <= width + 1 or word.x == 0


def test_a_text_too_long_ends_in_dots() -> None:
    laid, lines = pictures._set("word " * 500, 400, 25, {}, most_lines=5)
    assert lines == 5
    assert laid[-1].text == "…"


def test_the_picture_holds_the_whole_dialogue_however_long() -> None:
    answer = "There are 40 instances. " + "".join(f"{{<{i}><{i}><{i + 9}><{i + 9}>}}" for i in range(40))
    short, long = (draw_record(_record([(0, (5, 5, 60, 60))], text, (300, 300))) for text in ("One.", answer))
    assert short.width == long.width
    margin = np.asarray(long.convert("L"))[-pictures._MARGIN + 4 :]
    assert margin.min() == margin.max(), "nothing runs over the lower edge"
    tall = draw_record(_record([(0, (5, 5, 60, 60))], answer, (60, 800)))
    assert np.asarray(tall.convert("L"))[:, -pictures._MARGIN + 4 :].std() == 0


def test_the_overview_has_a_dialogue_of_every_task(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Any] = []
    original = pictures._draw_card
    monkeypatch.setattr(
        pictures, "_draw_card", lambda draw, card, *place: (drawn.append((card, place)), original(draw, card, *place))
    )
    overview_picture(str(built), tmp_path / "overview.png")
    assert sorted(card.title for card, _ in drawn) == sorted(TASKS)
    with Image.open(tmp_path / "overview.png") as image:
        size = image.size
    areas = [(left, top, left + width, top + card.height) for card, (left, top, width) in drawn]
    for i, area in enumerate(areas):
        assert area[2] <= size[0] - pictures._MARGIN + 1
        assert area[3] <= size[1] - pictures._MARGIN + 1
        for other in areas[:i]:
            assert area[2] < other[0] or other[2] < area[0] or area[3] < other[1] or other[3] < area[1]
    text = " ".join(word.text for card, _ in drawn for _, words, _ in card.parts for word in words)
    assert any(region in text for region in REGIONS)
    assert re.search(r"\{<\d+><\d+><\d+><\d+>\}", text)
    assert any(word.color not in (None, "#D5DBE1") for card, _ in drawn for _, words, _ in card.parts for word in words)


def test_the_overview_takes_a_named_image(built: Path, tmp_path: Path) -> None:
    overview_picture(str(built), tmp_path / "overview.png", "images/train/0")
    with pytest.raises(SARChatError, match="no record"):
        overview_picture(str(built), tmp_path / "other.png", "images/train/999")
    assert [path.name for path in tmp_path.iterdir()] == ["overview.png"]
