"""The statistics: counted right, beside the paper's numbers, and from the columns that are needed alone."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from PIL import Image

from sarchat2m import paper
from sarchat2m.build import build
from sarchat2m.geometry import region_index
from sarchat2m.statistics import (
    _STOPWORDS,
    Targets,
    aspect_ratio_tables,
    category_table,
    centre_heatmap,
    count,
    example_records,
    read_targets,
    shape_counts,
    size_histogram,
    task_table,
    word_counts,
)
from sarchat2m.vocabulary import CATEGORIES, SHAPES, SPLITS, SUBSETS_OF_TASK, TASKS


@pytest.fixture(scope="module")
def manifest(built: Path) -> dict[str, Any]:
    return json.loads((built / "manifest.json").read_text())


@pytest.fixture(scope="module")
def texts(built: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """All records without images, as a user reads them."""
    columns = ["id", "task", "subset", "answer", "objects"]
    data = load_dataset(str(built), "all", columns=columns, cache_dir=str(tmp_path_factory.mktemp("cache")))
    return [row | {"split": split} for split in data for row in data[split]]


def test_targets_are_those_of_the_source(built: Path, source: Path, manifest: dict[str, Any]) -> None:
    for split, name in (("train", "train"), ("validation", "val"), ("test", "test")):
        targets = read_targets(built, manifest)[split]
        coco = json.loads((source / "Annotations" / f"{name}.json").read_text())
        sizes = {image["id"]: (image["width"], image["height"]) for image in coco["images"]}
        expected = Counter((a["category_id"], *sizes[a["image_id"]]) for a in coco["annotations"])
        assert Counter(zip(targets.category, targets.width, targets.height, strict=True)) == expected
        stated = sum(a["bbox"][2] * a["bbox"][3] for a in coco["annotations"])
        box = targets.box.astype(float)
        assert ((box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])).sum() == pytest.approx(stated, rel=0.02)


def test_nothing_but_the_needed_columns_is_read(built: Path, manifest: dict[str, Any], tmp_path: Path) -> None:
    blind = shutil.copytree(built, tmp_path / "blind")
    for path in blind.rglob("*.parquet"):
        content = bytearray(path.read_bytes())
        for group in range((metadata := pq.read_metadata(path)).num_row_groups):
            for leaf in range(metadata.num_columns):
                chunk = metadata.row_group(group).column(leaf)
                if chunk.path_in_schema == "image.bytes":
                    start = chunk.dictionary_page_offset
                    content[start : start + chunk.total_compressed_size] = bytes(chunk.total_compressed_size)
        path.write_bytes(content)
    with pytest.raises(OSError, match=r"(?i)thrift|page"):
        pq.read_table(path)
    seen, found = count(built, manifest), count(blind, manifest)
    assert found.tables == seen.tables
    assert (found.words, found.shapes) == (seen.words, seen.shapes)
    assert example_records(blind, manifest) == example_records(built, manifest)


def _source(root: Path) -> Path:
    """Write a source whose every number can be told in one's head."""
    (root / "Annotations").mkdir(parents=True)
    (root / "JPEGImages").mkdir()
    boxes = [  # image, category, box, what else
        (0, 0, [10, 10, 10, 20], {}),  # AR 2
        (0, 0, [40, 10, 20, 10], {}),  # AR 0.5
        (0, 0, [10, 60, 30, 30], {}),  # AR 1
        (0, 1, [60, 60, 30, 45], {}),  # clipped to 30 × 40: AR 1.333
        (1, 1, [20, 20, 0, 30], {}),  # no width: annotated, but not usable
        (1, 0, [20, 20, 30, 30], {"iscrowd": 1}),
        (1, 0, [20, 20, 30, 30], {"ignore": 1}),
        (1, 1, [50, 50, 40, 40], {}),
    ]
    annotations = [
        {"id": i, "image_id": image, "category_id": category, "bbox": box} | more
        for i, (image, category, box, more) in enumerate(boxes)
    ]
    images = [{"id": i, "file_name": f"{i}.png", "width": 100, "height": 100} for i in range(2)]
    categories = [{"id": i, "name": name} for i, name in enumerate(("ship", "ferry", "buoy"))]
    coco = {"images": images, "annotations": annotations, "categories": categories}
    (root / "Annotations" / "train.json").write_text(json.dumps(coco))
    for image in images:
        Image.new("L", (100, 100), 40).save(root / "JPEGImages" / image["file_name"])
    return root


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("small")
    return folder / "out", build(_source(folder / "source"), folder / "out")


def test_categories_are_counted_as_annotated(small: tuple[Path, dict[str, Any]]) -> None:
    table = category_table(small[1])
    assert table.header == ("split", "category", "here", "paper", "difference")
    assert table.rows == [
        ("train", "ship", 3, 93373, 3 - 93373),
        ("train", "ferry", 3, "", ""),
        ("train", "buoy", 0, "", ""),
    ]


def test_tasks_are_counted_beside_table_5(built: Path, manifest: dict[str, Any], texts: list[dict[str, Any]]) -> None:
    counted = Counter((row["split"], row["task"]) for row in texts)
    rows = {(split, task): cells for split, task, *cells in task_table(manifest).rows}
    assert list(rows) == [(split, task) for split in SPLITS for task in TASKS]
    for (split, task), (here, published, difference) in rows.items():
        assert here == counted[split, task]
        if split == "validation":
            assert (published, difference) == ("", "")
        else:
            assert published == paper.records_table5()[task][split]
            assert difference == here - published


def test_aspect_ratios_by_hand(small: tuple[Path, dict[str, Any]]) -> None:
    overall, by_category = aspect_ratio_tables(read_targets(*small), small[1]["categories"])
    # 2, 0.5, 1, 1.333 and 1: mean 1.167, median 1, deviation sqrt(mean of squares 1.60556 - 1.36111)
    assert overall.rows == [
        ("train", "mean", "1.167", "1.280", "-0.113"),
        ("train", "median", "1.000", "1.062", "-0.062"),
        ("train", "std", "0.494", "1.180", "-0.686"),
    ]
    cells = {(category, quantity): rest for _, category, quantity, *rest in by_category.rows}
    assert cells["ship", "instances"] == [3, 93342, 3 - 93342]
    assert cells["ship", "mean"] == ["1.167", "1.340", "-0.173"]
    assert [cells["ship", f"{shape} %"][0] for shape in ("broad", "square", "tall")] == ["33.33", "33.33", "33.33"]
    assert cells["ship", "broad %"] == ["33.33", "28.37", "+4.96"]
    assert cells["ferry", "instances"] == [2, "", ""]
    assert [cells["ferry", f"{shape} %"][0] for shape in ("broad", "square", "tall")] == ["0.00", "100.00", "0.00"]
    assert cells["buoy", "instances"] == [0, "", ""]
    assert ("buoy", "mean") not in cells


def test_limits_of_shapes_belong_to_the_side_that_the_paper_says() -> None:
    box = np.array([[0, 0, 100, 67], [0, 0, 100, 68], [0, 0, 100, 150], [0, 0, 100, 151]], np.int32)
    sides = np.full(4, 1000, np.int32)
    _, by_category = aspect_ratio_tables({"train": Targets(np.zeros(4, np.int64), box, sides, sides)}, ["ship"])
    shares = {quantity: here for _, _, quantity, here, *_ in by_category.rows}
    assert (shares["broad %"], shares["square %"], shares["tall %"]) == ("25.00", "50.00", "25.00")


def test_words_are_counted_as_a_reader_would(
    built: Path, manifest: dict[str, Any], texts: list[dict[str, Any]]
) -> None:
    words = word_counts(built, manifest)
    expected: Counter[str] = Counter()
    for row in texts:
        if row["task"] == "description":
            expected.update(re.findall("[a-z]+", row["answer"].lower()))
    assert words["small"] == expected["small"] > 0
    assert all(expected[word] == n for word, n in words.items())
    assert expected.keys() - words.keys() == expected.keys() & _STOPWORDS
    assert {"ship", "aircraft", "tank", "bridge", "harbor"} <= set(words)
    assert "the" not in words


def test_without_descriptions_the_words_of_all_answers_are_counted(small: tuple[Path, dict[str, Any]]) -> None:
    assert "description" not in small[1]["records"]
    assert word_counts(*small)["ferry"] > 0


def test_shapes_are_counted_as_the_answers_name_them(
    built: Path, manifest: dict[str, Any], texts: list[dict[str, Any]]
) -> None:
    expected = {split: Counter(dict.fromkeys(SHAPES, 0)) for split in SPLITS}
    for row in texts:
        if row["task"] == "identification":
            named = [shape for shape in SHAPES if re.search(rf"\b{shape}\b", row["answer"])]
            assert len(named) <= 1
            expected[row["split"]].update(named)
    assert shape_counts(built, manifest) == expected
    assert sum(expected["train"].values()) > 0


def _random_targets(n: int) -> Targets:
    rng = np.random.default_rng(3)
    width, height = rng.integers(7, 800, (2, n), dtype=np.int32)
    x1, y1 = rng.integers(0, width), rng.integers(0, height)
    x2, y2 = rng.integers(x1 + 1, width + 1), rng.integers(y1 + 1, height + 1)
    box = np.stack([x1, y1, x2, y2], 1).astype(np.int32)
    return Targets(rng.integers(0, 6, n), box, width, height)


def test_the_heatmap_in_thirds_is_the_regions() -> None:
    targets = _random_targets(3000)
    expected = Counter(
        region_index(tuple(map(int, box)), int(width), int(height))
        for box, width, height in zip(targets.box, targets.width, targets.height, strict=True)
    )
    assert centre_heatmap([targets], 3).reshape(-1).tolist() == [expected[i] for i in range(9)]
    fine = centre_heatmap([targets], 48)
    assert fine.reshape(3, 16, 3, 16).sum((1, 3)).reshape(-1).tolist() == [expected[i] for i in range(9)]


def test_the_size_histogram_holds_every_target() -> None:
    targets = {"train": _random_targets(1000), "test": _random_targets(10)}
    bounds, counts = size_histogram(targets)
    assert {split: values.sum() for split, values in counts.items()} == {"train": 1000, "test": 10}
    ratio = targets["train"].area_ratio
    assert counts["train"][30] == ((ratio >= bounds[30]) & (ratio < bounds[31])).sum()


def test_a_record_of_each_task_is_chosen(built: Path, manifest: dict[str, Any], texts: list[dict[str, Any]]) -> None:
    rows = {row["id"]: row for row in texts}
    chosen = example_records(built, manifest)
    assert list(chosen) == list(TASKS)
    for task, example in chosen.items():
        row = rows[example.id]
        assert row["subset"] in SUBSETS_OF_TASK[task]
        assert row["answer"] == example.answer
        assert len(row["objects"]) <= 6
        if task == "grounding":
            assert len({target["category"] for target in row["objects"]}) > 1


def test_the_papers_tables_are_whole_and_agree_with_its_text() -> None:
    table5 = paper.records_table5()
    assert sum(counts["train"] for counts in table5.values()) == 1_836_912
    assert sum(counts["test"] for counts in table5.values()) == 226_636
    table1 = paper.instances_table1()
    assert sum(counts["train"] for counts in table1.values()) == 198_747
    assert sum(counts["test"] for counts in table1.values()) == 24_203
    for split in ("train", "test"):
        assert list(paper.aspect_ratio_table4()[split]) == list(CATEGORIES)
        for row in paper.aspect_ratio_table4()[split].values():
            assert row["broad_percent"] + row["square_percent"] + row["tall_percent"] == pytest.approx(100, abs=0.02)
    assert paper.identification_shapes_figure7() == {"roughly square": 179_652}
