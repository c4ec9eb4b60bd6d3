"""Reading a source: what is usable, in which order, and one clear sentence for everything that is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sources import SIX, category_list, write_source

from sarchat2m.build import Options, build
from sarchat2m.errors import SARChatError
from sarchat2m.source import read_categories, read_source

SHIP, HARBOR = 0, 5


def test_targets_are_sorted_row_by_row_then_y1_x1_id(tmp_path: Path) -> None:
    boxes = [(SHIP, [200, 200, 10, 10]), (SHIP, [30, 5, 10, 10]), (SHIP, [5, 5, 10, 10]), (SHIP, [5, 5, 10, 10])]
    source = read_source(write_source(tmp_path, [boxes]))
    assert [target.annotation_id for target in source.splits["train"].scenes[0].targets] == [2, 3, 1, 0]


@pytest.mark.parametrize(
    ("bbox", "box"),
    [
        ([-4.0, -4.0, 10.0, 10.0], (0, 0, 6, 6)),
        ([250.5, 250.4, 100, 100], (251, 250, 256, 256)),
        ([10.49, 10.5, 20, 20], (10, 11, 30, 31)),
        ([0, 0, 256, 256], (0, 0, 256, 256)),
        ([3, 3, 1, 1], (3, 3, 4, 4)),
    ],
)
def test_boxes_are_clipped_and_rounded_half_up(tmp_path: Path, bbox: list[float], box: tuple[int, ...]) -> None:
    source = read_source(write_source(tmp_path, [[(SHIP, bbox)]]))
    assert [target.box for target in source.splits["train"].scenes[0].targets] == [box]


@pytest.mark.parametrize(
    "bbox", [[10, 10, 0, 5], [10, 10, 5, 0.9], [-20, 0, 20, 20], [256, 0, 20, 20], [255.5, 0, 20, 20], [0, 300, 9, 9]]
)
def test_boxes_of_less_than_a_pixel_are_counted_not_used(tmp_path: Path, bbox: list[float]) -> None:
    split = read_source(write_source(tmp_path, [[(HARBOR, bbox), (SHIP, [1, 1, 9, 9])]])).splits["train"]
    assert (split.tally.annotations, split.tally.usable, split.tally.unusable) == (2, 1, 1)
    assert split.by_category[HARBOR].unusable == 1
    assert len(split.scenes[0].targets) == 1


def test_whether_the_source_box_leaves_the_image_is_kept(tmp_path: Path) -> None:
    boxes = [[(SHIP, [0, 0, 256, 256])], [(SHIP, [-0.1, 0, 50, 50])], [(SHIP, [200, 0, 56.1, 50])]]
    scenes = read_source(write_source(tmp_path, boxes)).splits["train"].scenes
    assert [scene.targets[0].inside for scene in scenes] == [True, False, False]


def test_crowds_and_ignored_are_dropped_and_counted(tmp_path: Path) -> None:
    def change(document: dict[str, Any]) -> None:
        document["annotations"][0]["iscrowd"] = 1
        document["annotations"][1]["ignore"] = 1
        document["annotations"][2] |= {"iscrowd": 0, "ignore": 0}

    split = read_source(write_source(tmp_path, [[(SHIP, [1, 1, 9, 9])] * 3], change=change)).splits["train"]
    assert (split.tally.crowd, split.tally.ignored, split.tally.usable) == (1, 1, 1)
    assert [target.annotation_id for target in split.scenes[0].targets] == [2]


def test_image_without_targets_is_kept(tmp_path: Path) -> None:
    split = read_source(write_source(tmp_path, [[], [(SHIP, [1, 1, 9, 9])]])).splits["train"]
    assert [len(scene.targets) for scene in split.scenes] == [0, 1]
    assert split.without_targets == 1


@pytest.mark.parametrize("first", [0, 1, 17])
def test_categories_go_by_name_not_by_id(tmp_path: Path, first: int) -> None:
    shuffled = category_list(("Harbor", "tank", "ship", "bridge", "car", "aircraft"), first)
    source = read_source(write_source(tmp_path, [[(first + 2, [1, 1, 9, 9])]], categories=shuffled))
    assert source.categories == SIX
    assert source.splits["train"].scenes[0].targets[0].category == SHIP


def test_other_sets_keep_the_order_of_their_file(tmp_path: Path) -> None:
    names = ("storage tank", "small vehicle", "airport")
    root = write_source(tmp_path, [[(3, [1, 1, 9, 9])]], categories=category_list(names, first=1))
    assert read_categories(root) == names
    assert read_source(root).splits["train"].scenes[0].targets[0].category == 2


def test_images_lie_flat_or_by_split(tmp_path: Path) -> None:
    root = write_source(tmp_path, [[(SHIP, [1, 1, 9, 9])]] * 2, split="val")
    (root / "JPEGImages" / "val" / "val_0.png").rename(root / "JPEGImages" / "val_0.png")
    split = read_source(root).splits["validation"]
    assert [Path(path).parent.name for path in split.paths] == ["JPEGImages", "val"]


def test_image_ids_may_restart_in_every_split(tmp_path: Path) -> None:
    for split in ("train", "val", "test"):
        write_source(tmp_path, [[(SHIP, [1, 1, 9, 9])]], split=split)
    source = read_source(tmp_path)
    assert not source.problems
    assert [split.scenes[0].image_id for split in source.splits.values()] == [0, 0, 0]


def test_fingerprint_changes_with_annotations_and_files(tmp_path: Path) -> None:
    root = write_source(tmp_path, [[(SHIP, [1, 1, 9, 9])]])
    first = read_source(root).fingerprint
    assert read_source(root).fingerprint == first
    image = root / "JPEGImages" / "train" / "train_0.png"
    image.write_bytes(image.read_bytes() + b"\0")
    second = read_source(root).fingerprint
    write_source(root, [[(SHIP, [1, 1, 9, 8])]])
    assert len({first, second, read_source(root).fingerprint}) == 3


Change = Callable[[dict[str, Any]], None]


def _set(where: str, index: int, key: str, value: object) -> Change:
    return lambda document: document[where][index].__setitem__(key, value)


def _without(where: str, key: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        del document[where][0][key]

    return change


# What is wrong, and words of the one sentence that must tell it: the file, the id, the fault.
WHOLE_FILE: dict[str, tuple[Change, str]] = {
    "no images": (lambda d: d.pop("images"), r"train\.json has no list 'images'"),
    "annotations no list": (lambda d: d.__setitem__("annotations", {}), r"has no list 'annotations'"),
    "no categories": (lambda d: d.__setitem__("categories", []), r"train\.json lists no categories"),
    "image no object": (lambda d: d.__setitem__("images", [3]), r"'images' holds 3"),
    "image without id": (_without("images", "id"), r"needs an integer 'id'"),
    "annotation without id": (_without("annotations", "id"), r"needs an integer 'id'"),
    "annotation without image": (_without("annotations", "image_id"), r"annotation 0 needs an integer 'image_id'"),
    "id beyond 64 bits": (_set("images", 0, "id", 2**70), r"needs an integer 'id'"),
    "category without name": (_without("categories", "name"), r"category .* needs an integer 'id' and a 'name'"),
    "category of a number": (_set("categories", 1, "name", "3"), r"category '3' is no name to say in a sentence"),
    "category in brackets": (_set("categories", 1, "name", "{x}"), r"category '{x}' is no name to say in a sentence"),
    "category twice": (_set("categories", 1, "name", "ship"), r"two categories have the name 'ship'"),
    "category id twice": (_set("categories", 1, "id", 0), r"two categories have the id 0"),
}
ONE_IMAGE: dict[str, tuple[Change, str]] = {
    "unknown category": (
        _set("annotations", 0, "category_id", 9),
        r"annotation 0 .*category id 9, which is not listed",
    ),
    "category no number": (_set("annotations", 0, "category_id", [1]), r"annotation 0 .*category id \[1\]"),
    "no category": (_without("annotations", "category_id"), r"annotation 0 .*category id None"),
    "image not listed": (_set("annotations", 0, "image_id", 77), r"annotation 0 is for image 77, which is not listed"),
    "no box": (_without("annotations", "bbox"), r"annotation 0 .*box None; it must be \[x, y, width, height\]"),
    "box of three": (_set("annotations", 0, "bbox", [1, 2, 3]), r"annotation 0 .*must be \[x, y, width, height\]"),
    "box of text": (_set("annotations", 0, "bbox", [1, 2, 3, "4"]), r"annotation 0 .*must be \[x, y"),
    "box NaN": (_set("annotations", 0, "bbox", [float("nan"), 2, 3, 4]), r"annotation 0 .*not a finite number"),
    "box infinite": (_set("annotations", 0, "bbox", [1, 2, float("inf"), 4]), r"annotation 0 .*not a finite number"),
    "box of 400 digits": (_set("annotations", 0, "bbox", [1, 2, 10**400, 4]), r"annotation 0 .*not a finite number"),
    "negative width": (_set("annotations", 0, "bbox", [9, 9, -3, 4]), r"annotation 0 \(image train_0\.png\).*negative"),
    "annotation id twice": (_set("annotations", 1, "id", 0), r"annotation 0 .*has the id of another annotation"),
    "image id twice": (_set("images", 1, "id", 0), r"image 0 is listed twice"),
    "file name twice": (
        _set("images", 1, "file_name", "train_0.png"),
        r"image 1 has the file name 'train_0.png' of image 0",
    ),
    "no file name": (_without("images", "file_name"), r"image 0 has no 'file_name'"),
    "out of the folder": (_set("images", 0, "file_name", "../x.png"), r"image 0: .*leads out of JPEGImages"),
    "file missing": (_set("images", 0, "file_name", "gone.png"), r"image 0: the file .*gone\.png is missing"),
    "width missing": (_without("images", "width"), r"image 0 \(train_0\.png\) has width None"),
    "height zero": (_set("images", 0, "height", 0), r"image 0 \(train_0\.png\) has height 0"),
    "other size": (
        _set("images", 0, "width", 255),
        r"train_0\.png \(image 0 .*is 256 × 256 pixels, its entry says 255 × 256",
    ),
}


def _two_images(root: Path, change: Change | None = None) -> Path:
    return write_source(root, [[(SHIP, [1, 1, 9, 9])], [(SHIP, [2, 2, 9, 9])], [(HARBOR, [3, 3, 9, 9])]], change=change)


@pytest.mark.parametrize("case", WHOLE_FILE)
def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path, case: str) -> None:
    change, words = WHOLE_FILE[case]
    source, out = _two_images(tmp_path / "source", change), tmp_path / "out"
    for skip_bad in (False, True):
        with pytest.raises(SARChatError, match=words):
            build(source, out, Options(skip_bad=skip_bad))
    assert not out.exists()


@pytest.mark.parametrize("case", ONE_IMAGE)
def test_a_problem_of_one_image_is_told_and_can_be_skipped(tmp_path: Path, case: str) -> None:
    change, words = ONE_IMAGE[case]
    source, out = _two_images(tmp_path / "source", change), tmp_path / "out"
    with pytest.raises(SARChatError, match=words) as caught:
        build(source, out)
    assert "\n" not in str(caught.value)
    assert "--skip-bad" in str(caught.value)
    assert not out.exists()
    manifest = build(source, out, Options(skip_bad=True))
    assert len(manifest["skipped"]) >= 1
    assert str(tmp_path) not in json.dumps(manifest), "a path of this machine in the manifest"
    left_out = 0 if case == "image not listed" else 2 if case == "file name twice" else 1
    duplicates = 1 if case == "image id twice" else 0  # its entry was one of the three, so one fewer is left
    assert manifest["images"]["train"] == 3 - left_out - duplicates


@pytest.mark.parametrize("content", [b"", b'{"images": [', b"\xff\xfe", b"[" * 200_000, b"[]"])
def test_broken_json_names_the_file(tmp_path: Path, content: bytes) -> None:
    root = _two_images(tmp_path)
    (root / "Annotations" / "train.json").write_bytes(content)
    with pytest.raises(SARChatError, match=r"train\.json (is not valid JSON|has no list)"):
        read_source(root)


def test_folders_and_splits_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match="no such folder"):
        read_source(tmp_path / "nowhere")
    with pytest.raises(SARChatError, match="has no folder Annotations"):
        read_source(tmp_path)
    (tmp_path / "Annotations").mkdir()
    (tmp_path / "JPEGImages").mkdir()
    with pytest.raises(SARChatError, match=r"holds none of train\.json, val\.json, test\.json"):
        read_source(tmp_path)
    _two_images(tmp_path)
    with pytest.raises(SARChatError, match=r"test\.json: no such file"):
        read_source(tmp_path, ["test"])
    with pytest.raises(SARChatError, match="no split 'val'"):
        read_source(tmp_path, ["val"])


def test_splits_must_have_the_same_categories(tmp_path: Path) -> None:
    write_source(tmp_path, [[(0, [1, 1, 9, 9])]], categories=category_list(("ship", "quay")))
    write_source(tmp_path, [[(0, [1, 1, 9, 9])]], split="test", categories=category_list(("ship", "buoy")))
    with pytest.raises(SARChatError, match=r"test\.json .* train\.json \(they differ in buoy, quay\)"):
        read_source(tmp_path)


def test_unreadable_headers_and_deep_checks(tmp_path: Path) -> None:
    root = _two_images(tmp_path)
    first, second = (root / "JPEGImages" / "train" / f"train_{i}.png" for i in (0, 1))
    first.write_bytes(b"no image at all")
    second.write_bytes(second.read_bytes()[:-30])
    assert [problem.image_id for problem in read_source(root).problems] == [0]
    deep = read_source(root, deep=True).problems
    assert [problem.image_id for problem in deep] == [0, 1]
    assert "cannot be decoded" in deep[1].sentence
    assert str(second) in deep[1].sentence
    second.write_bytes(b"")
    assert "is empty" in read_source(root).problems[0].sentence


def test_real_sample_is_read_as_stated(shared: Path) -> None:
    source = read_source(shared / "real" / "sardet_sample", deep=True)
    assert not source.problems
    assert source.categories == SIX
    assert {name: split.tally.usable for name, split in source.splits.items()} == {
        "train": 22,
        "validation": 1,
        "test": 17,
    }
