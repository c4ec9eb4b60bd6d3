"""Made-up scenes: complete, repeatable, SAR-like, and never half written."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sarchat2m.errors import SARChatError
from sarchat2m.geometry import area_ratio, written_box
from sarchat2m.synthesis import draw, plan_scene, synthesize
from sarchat2m.vocabulary import CATEGORIES

SPLITS = ("train", "val", "test")
SHIPDATASET = Path(__file__).parents[2] / "shared" / "real" / "shipdataset_annotations.json.gz"


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()
    }


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthesis") / "source"
    synthesize(out, 50, seed=0)
    return out


def _annotations(tree: Path, split: str) -> dict:
    return json.loads((tree / "Annotations" / f"{split}.json").read_text())


def test_splits_are_shared_out_as_in_sardet(tree: Path) -> None:
    assert [len(_annotations(tree, split)["images"]) for split in SPLITS] == [41, 4, 5]


def test_categories_stand_in_sardets_order(tree: Path) -> None:
    categories = _annotations(tree, "train")["categories"]
    assert [(c["id"], c["name"]) for c in categories] == list(enumerate(CATEGORIES))


@pytest.mark.parametrize("split", SPLITS)
def test_images_are_those_of_the_annotations(tree: Path, split: str) -> None:
    listed = {image["file_name"]: (image["width"], image["height"]) for image in _annotations(tree, split)["images"]}
    found = {}
    for path in (tree / "JPEGImages" / split).iterdir():
        with Image.open(path) as image:
            image.load()
            found[path.name] = image.size
    assert found == listed


def test_every_split_of_a_small_tree_holds_what_the_subsets_need(tree: Path) -> None:
    for split in SPLITS:
        data = _annotations(tree, split)
        images = {image["id"]: image for image in data["images"]}
        targets: dict[int, list[dict]] = {}
        for annotation in data["annotations"]:
            targets.setdefault(annotation["image_id"], []).append(annotation)
        counts = [len(annotations) for annotations in targets.values()]
        assert 1 in counts, "single"
        assert any(len({a["category_id"] for a in annotations}) > 1 for annotations in targets.values()), (
            "several categories"
        )
        assert any(
            max(Counter(a["category_id"] for a in annotations).values()) > 30 for annotations in targets.values()
        ), "a category told without boxes"
        ratios = [
            area_ratio(written_box(a["bbox"], image["width"], image["height"]), image["width"], image["height"])
            for a in data["annotations"]
            for image in [images[a["image_id"]]]
        ]
        assert sum(ratio >= 0.01 for ratio in ratios) >= 5, "targets that a description tells"
    assert {a["category_id"] for a in _annotations(tree, "test")["annotations"]} == set(range(6))
    suffixes = Counter(Path(i["file_name"]).suffix for split in SPLITS for i in _annotations(tree, split)["images"])
    assert set(suffixes) == {".jpg", ".png", ".bmp"}


def test_the_smallest_tree_has_an_image_in_each_split(tmp_path: Path) -> None:
    synthesize(tmp_path / "source", 3)
    assert [len(_annotations(tmp_path / "source", split)["images"]) for split in SPLITS] == [1, 1, 1]


def test_boxes_lie_in_their_images_apart_from_each_other() -> None:
    for index in range(60):
        plan = plan_scene(7, 0, index)
        for i, (_, (x, y, width, height)) in enumerate(plan.targets):
            assert x >= 0
            assert y >= 0
            assert x + width <= plan.width + 0.05
            assert y + height <= plan.height + 0.05
            for _, (x2, y2, width2, height2) in plan.targets[:i]:
                assert x + width < x2 or x2 + width2 < x or y + height < y2 or y2 + height2 < y


def test_sizes_and_kinds_are_mixed() -> None:
    plans = [plan_scene(0, 0, index) for index in range(800)]
    sizes = {(plan.width, plan.height) for plan in plans}
    assert {(224, 224), (256, 256), (512, 512), (640, 640), (800, 800)} <= sizes
    targets = Counter(category for plan in plans for category, _ in plan.targets)
    assert set(targets) == set(CATEGORIES)
    assert targets.most_common(1)[0][0] == "ship"
    assert min(targets, key=targets.__getitem__) == "harbor"
    assert 0.2 < np.mean([len(plan.targets) == 1 for plan in plans]) < 0.7


def test_targets_are_brighter_than_what_surrounds_them() -> None:
    for index in range(40):
        plan = plan_scene(1, 0, index)
        pixels = draw(plan).astype(float)
        inside = np.zeros(pixels.shape, bool)
        for _, (x, y, width, height) in plan.targets:
            inside[round(y) : round(y + height), round(x) : round(x + width)] = True
        assert np.percentile(pixels[inside], 90) > 1.5 * pixels[~inside].mean(), plan.file_name


def test_speckle_is_multiplicative() -> None:
    # On calm water the deviation is a constant share of the mean: for amplitudes of one look 0.52, of ten looks 0.16,
    # and the correlation of neighbours takes some of it away.
    seen = 0
    for index in range(60):
        plan = plan_scene(2, 0, index)
        if len(plan.targets) != 1 or plan.targets[0][0] != "ship":
            continue
        pixels = draw(plan).astype(float)
        blocks = pixels.reshape(32, 8, 32, 8).swapaxes(1, 2).reshape(-1, 64)
        calm = blocks[(blocks.max(1) < 250) & (blocks.mean(1) > 20)]
        if len(calm) > 200:
            seen += 1
            ratios = calm.std(1) / calm.mean(1)
            assert 0.1 < np.median(ratios) < 0.55, plan.file_name
    assert seen > 2


def test_another_number_of_processes_gives_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    synthesize(tmp_path / "source", 50, seed=0, workers=2, progress=lambda done, total: calls.append((done, total)))
    assert _digests(tmp_path / "source") == _digests(tree)
    assert calls[-1] == (50, 50)


def test_another_seed_gives_other_scenes(tree: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / "source", 3, seed=1)
    name = "JPEGImages/train/sea_train_000000.jpg"
    assert _digests(tmp_path / "source")[name] != _digests(tree)[name]


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SARChatError, match="not empty"):
        synthesize(tmp_path, 3)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    work = tmp_path / "source.partial"
    work.mkdir()
    with pytest.raises(SARChatError, match="in the way"):
        synthesize(tmp_path / "source", 3)


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    synthesize(tmp_path, 3)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["Annotations", "JPEGImages"]


def test_too_few_images_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match="at least 3"):
        synthesize(tmp_path / "source", 2)
    assert not list(tmp_path.iterdir())


def test_killed_and_called_again_it_ends_the_same(tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "source"
    synthesize(whole, 100, seed=5)
    script = f"from pathlib import Path; from sarchat2m.synthesis import *; synthesize(Path({str(out)!r}), 100, 5)"
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("source.partial/tree/JPEGImages/train/*"))) < 20 and time.monotonic() < deadline:
            time.sleep(0.005)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not out.exists()
    begun = {p: p.stat().st_mtime_ns for p in (tmp_path / "source.partial" / "tree").rglob("*.jpg")}
    assert begun
    moved = {p.relative_to(tmp_path / "source.partial" / "tree"): t for p, t in begun.items()}
    synthesize(out, 100, seed=5)
    assert _digests(out) == _digests(whole)
    assert all((out / name).stat().st_mtime_ns == modified for name, modified in moved.items()), "drawn twice"
    assert not (tmp_path / "source.partial").exists()


def test_what_another_call_left_behind_is_not_used(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(tmp_path / "source", 3, seed=1, progress=interrupt)
    synthesize(tmp_path / "source", 3, seed=2)
    synthesize(tmp_path / "undisturbed", 3, seed=2)
    assert _digests(tmp_path / "source") == _digests(tmp_path / "undisturbed")


def _coco(images: list[dict], annotations: list[dict], names: list[str]) -> bytes:
    categories = [{"id": i + 1, "name": name} for i, name in enumerate(names)]
    return json.dumps({"images": images, "annotations": annotations, "categories": categories}).encode()


def test_like_draws_what_an_annotation_file_states(tmp_path: Path) -> None:
    images = [
        {"id": 7, "file_name": "deep/down.tif", "width": 90, "height": 1500},
        {"id": 3, "file_name": "one pixel.PNG", "width": 1, "height": 1},
    ]
    boxes = [[10.5, 1400, 60, 50], [0, 0, 0, 12], [-20, -30, 60, 70], [85, 1495, 40, 40], [500, 500, 3, 3]]
    names = ["small vehicle", *CATEGORIES]
    annotations = [
        {"id": n, "image_id": 7, "category_id": 1 + n % 7, "bbox": box, "ignore": 0, "segmentation": []}
        for n, box in enumerate(boxes * 7)
    ]
    source = tmp_path / "mine.json.gz"
    source.write_bytes(gzip.compress(_coco(images, annotations, names)))
    synthesize(tmp_path / "out", like=source)
    assert json.loads((tmp_path / "out/Annotations/train.json").read_text()) == json.loads(
        gzip.decompress(source.read_bytes())
    )
    assert [p.name for p in (tmp_path / "out/Annotations").iterdir()] == ["train.json"]
    with Image.open(tmp_path / "out/JPEGImages/train/deep/down.tif") as image:
        assert image.size == (90, 1500)
    with Image.open(tmp_path / "out/JPEGImages/train/one pixel.PNG") as image:
        assert image.size == (1, 1)


def test_like_takes_the_first_images(tmp_path: Path) -> None:
    if not SHIPDATASET.exists():
        pytest.skip("no ../shared/real/shipdataset_annotations.json.gz beside the repository")
    synthesize(tmp_path / "out", 130, like=SHIPDATASET, workers=2)
    whole = json.loads(gzip.decompress(SHIPDATASET.read_bytes()))
    data = json.loads((tmp_path / "out/Annotations/train.json").read_text())
    assert data["images"] == whole["images"][:130]
    names = {image["id"]: image["file_name"] for image in data["images"]}
    assert data["annotations"] == [a for a in whole["annotations"] if a["image_id"] in names]
    folder = tmp_path / "out/JPEGImages/train"
    assert sorted(p.name for p in folder.iterdir()) == sorted(names.values())
    brighter = 0
    for annotation in data["annotations"]:
        with Image.open(folder / names[annotation["image_id"]]) as image:
            pixels = np.asarray(image).astype(float)
        x, y, width, height = (int(value) for value in annotation["bbox"])
        brighter += pixels[y : y + height, x : x + width].mean() > 1.3 * np.median(pixels)
    assert brighter > 0.97 * len(data["annotations"])


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{", "COCO"),
        (b"[]", "COCO"),
        (b'{"images": []}', "annotations"),
        (_coco([{"id": 0, "file_name": "../a.png", "width": 9, "height": 9}], [], ["ship"]), "rename"),
        (_coco([{"id": 0, "file_name": "/a.png", "width": 9, "height": 9}], [], ["ship"]), "rename"),
        (_coco([{"id": 0, "file_name": "a.mystery", "width": 9, "height": 9}], [], ["ship"]), "rename"),
        (_coco([{"id": 0, "file_name": "a.png", "width": 0, "height": 9}], [], ["ship"]), "size"),
        (
            _coco(
                [{"id": 0, "file_name": "a.png", "width": 9, "height": 9}],
                [{"id": 0, "image_id": 0, "category_id": 9, "bbox": [0, 0, 1, 1]}],
                ["ship"],
            ),
            "COCO",
        ),
    ],
)
def test_an_annotation_file_that_cannot_be_drawn_is_refused(tmp_path: Path, content: bytes, word: str) -> None:
    source = tmp_path / "mine.json"
    source.write_bytes(content)
    with pytest.raises(SARChatError, match=word) as caught:
        synthesize(tmp_path / "out", like=source)
    assert "mine.json" in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.json"]


def test_a_missing_annotation_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match=r"nowhere\.json"):
        synthesize(tmp_path / "out", like=tmp_path / "nowhere.json")
