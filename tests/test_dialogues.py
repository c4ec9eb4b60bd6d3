"""What holds for the dialogues as a whole: counts, identifiers, filters; nothing but its subject moves a text."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from dialogue_scenes import OTHER_CATEGORIES, STRAY, boxes_in, read_fields, scene, scenes, target
from hypothesis import given, settings
from hypothesis import strategies as st

from sarchat2m import geometry
from sarchat2m.dialogues import MAKERS, Dialogues, draw
from sarchat2m.errors import SARChatError
from sarchat2m.scene import Scene, Target
from sarchat2m.vocabulary import CATEGORIES, REGIONS, SUBSETS, TASKS

SHIPDATASET = Path(__file__).parents[1].parent / "shared" / "real" / "shipdataset_annotations.json.gz"


def made_up_scenes(number, seed=0):
    generator = random.Random(seed)
    made = []
    for image_id in range(number):
        targets = []
        for annotation_id in range(generator.choice((0, 1, 1, 2, 5))):
            x, y = generator.randrange(400), generator.randrange(400)
            box = (x, y, x + generator.randrange(1, 112), y + generator.randrange(1, 112))
            targets.append(target(annotation_id, generator.randrange(6), box))
        made.append(scene(*targets, image_id=image_id))
    return made


def records_by_id(dialogues, told):
    return {record.id: record for one in told for record in dialogues.tell(one)}


def test_every_task_has_a_maker():
    assert tuple(MAKERS) == TASKS


@settings(max_examples=100, deadline=None)
@given(scenes(), st.integers(1, 20), st.sets(st.sampled_from(SUBSETS)), st.integers(-5, 5))
def test_count_is_the_number_of_records_and_ids_are_unique_and_complete(one, variants, subsets, seed):
    dialogues = Dialogues(CATEGORIES, seed=seed, variants=variants, subsets=sorted(subsets))
    records = list(dialogues.tell(one))
    assert Counter(record.subset for record in records) == Counter(dialogues.count(one))
    assert len({record.id for record in records}) == len(records)
    assert {record.subset for record in records} <= subsets
    for record in records:
        assert record.id.startswith(f"{record.subset}/{one.split}/{one.image_id}")
        assert set(record.objects) <= set(one.targets)
        assert record.objects
        assert record.subset.endswith("_single") <= one.is_single
        assert record.subset.endswith("_multi") <= (not one.is_single)


@settings(max_examples=100, deadline=None)
@given(scenes(OTHER_CATEGORIES, most=6))
def test_the_text_of_any_scene_says_what_its_objects_are(one):
    for record in Dialogues(OTHER_CATEGORIES, variants=20).tell(one):
        task = record.subset.partition("_")[0]
        boxes = [each.box for each in record.objects]
        assert boxes_in(record.answer) == (boxes if task in ("counting", "grounding", "referring") else [])
        assert boxes_in(record.question) == (boxes if task == "identification" else [])
        if task in ("identification", "description"):
            named, regions, sizes, shapes, rest = read_fields(record.answer, OTHER_CATEGORIES)
            assert not STRAY.search(rest), record.answer
            size = getattr(geometry, f"{task}_size")
            assert named == [OTHER_CATEGORIES[each.category] for each in record.objects]
            assert regions == [REGIONS[each.region] for each in record.objects]
            assert sizes == [size(each.box, one.width, one.height) for each in record.objects]
            assert shapes in ([], [geometry.shape(boxes[0])])
        if task == "referring":
            regions = read_fields(record.answer, OTHER_CATEGORIES)[1]
            assert regions == [REGIONS[each.region] for each in record.objects]


def test_identifiers():
    ships = target(11, 0, (0, 0, 99, 99)), target(12, 0, (0, 200, 99, 299))
    told = Dialogues(CATEGORIES, variants=2).tell(scene(*ships, image_id=5, split="test"))
    assert [record.id for record in told] == [
        "classification/test/5",
        "description/test/5",
        "counting/test/5/ship",
        "grounding_multi/test/5",
        "identification_multi/test/5/11/0",
        "identification_multi/test/5/11/1",
        "identification_multi/test/5/12/0",
        "identification_multi/test/5/12/1",
        "referring_multi/test/5/ship",
    ]
    (alone,) = Dialogues(CATEGORIES, subsets=["referring_single"]).tell(scene(ships[0], image_id=5, split="test"))
    assert alone.id == "referring_single/test/5/ship"


def test_an_image_without_targets_has_no_records():
    assert Dialogues(CATEGORIES).tell(scene()) == []
    assert Dialogues(CATEGORIES).count(scene()) == {}


@pytest.mark.parametrize("variants", [0, 21, -1])
def test_variants_out_of_range_are_refused(variants):
    with pytest.raises(SARChatError, match=rf" {variants} .*1 to 20"):
        Dialogues(CATEGORIES, variants=variants)


def test_an_unknown_subset_is_refused():
    with pytest.raises(SARChatError, match=r"'referring'.*referring_single"):
        Dialogues(CATEGORIES, subsets=["counting", "referring"])


# --- What may move a text, and what may not ---


def test_another_seed_gives_other_texts_and_the_same_seed_the_same():
    told = made_up_scenes(60)
    first, again, other = (records_by_id(Dialogues(CATEGORIES, seed=seed), told) for seed in (3, 3, 4))
    assert first == again
    assert first.keys() == other.keys()
    moved = Counter(name.partition("/")[0] for name in first if first[name] != other[name])
    assert set(moved) == set(SUBSETS)
    assert sum(moved.values()) > 0.9 * len(first)


def test_split_and_image_move_the_texts():
    one = scene(*made_up_scenes(40)[-1].targets or [target(1, 0, (0, 0, 99, 99))])
    texts = {
        tuple((record.question, record.answer) for record in Dialogues(CATEGORIES).tell(moved))
        for moved in (one, one._replace(split="validation"), one._replace(image_id=2))
    }
    assert len(texts) == 3


def test_neither_the_order_of_the_scenes_nor_other_scenes_move_a_text():
    told = made_up_scenes(40)
    dialogues = Dialogues(CATEGORIES)
    in_order = records_by_id(dialogues, told)
    assert records_by_id(dialogues, reversed(told)) == in_order
    assert records_by_id(Dialogues(CATEGORIES), told[::7]).items() <= in_order.items()


def test_more_variants_leave_the_earlier_ones_as_they_are():
    told = made_up_scenes(40)
    all_of_them = records_by_id(Dialogues(CATEGORIES, variants=20), told)
    for variants in (1, 7, 19):
        assert records_by_id(Dialogues(CATEGORIES, variants=variants), told).items() <= all_of_them.items()


def test_the_choice_of_subsets_moves_no_text():
    told = made_up_scenes(40)
    whole = records_by_id(Dialogues(CATEGORIES), told)
    for subset in SUBSETS:
        alone = records_by_id(Dialogues(CATEGORIES, subsets=[subset]), told)
        assert alone == {name: record for name, record in whole.items() if record.subset == subset}
        assert alone


def test_other_targets_of_an_image_do_not_move_what_is_said_of_one():
    ship, car = target(1, 0, (0, 0, 99, 99)), target(2, 2, (300, 0, 399, 99))
    dialogues = Dialogues(CATEGORIES, subsets=["identification_multi"])
    pair = records_by_id(dialogues, [scene(ship, car)])
    three = records_by_id(dialogues, [scene(ship, car, target(3, 1, (0, 300, 99, 399)))])
    assert pair.items() <= three.items()


TELL_ALL = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from test_dialogues import *
told = hashlib.sha256()
for one in made_up_scenes(60):
    for record in Dialogues(CATEGORIES, seed=9).tell(one):
        told.update(repr(tuple(record)).encode())
print(told.hexdigest())
"""


def test_the_texts_are_the_same_in_every_process():
    digests = set()
    for hash_seed in ("1", "4711"):
        ended = subprocess.run(
            [sys.executable, "-c", TELL_ALL, str(Path(__file__).parent)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        digests.add(ended.stdout)
    here = hashlib.sha256()
    for one in made_up_scenes(60):
        for record in Dialogues(CATEGORIES, seed=9).tell(one):
            here.update(repr(tuple(record)).encode())
    assert digests == {here.hexdigest() + "\n"}


def test_the_draw_is_pinned():
    """Whoever changes the draw changes every dataset that was built: these numbers are blake2b's, for ever."""
    question, answer = draw.numbers(0, "train", 1, "counting", "ship")
    digest = hashlib.blake2b(b"0/train/1/counting/ship", digest_size=32).hexdigest()
    assert f"{question:032x}{answer:032x}" == digest
    assert digest.startswith("ad0405cdcc3fa0cd")
    assert draw.distinct(2**100 + 12345, 5, "abcdefghij") == list("bedgf")


@given(st.integers(0, 2**128 - 1), st.integers(0, 20))
def test_distinct_draws_differ_and_begin_alike(number, count):
    deck = tuple("abcdefghijklmnopqrst")
    drawn = draw.distinct(number, count, deck)
    assert len(set(drawn)) == len(drawn) == count
    assert set(drawn) <= set(deck)
    assert draw.distinct(number, 20, deck)[:count] == drawn


def test_distinct_reaches_every_permutation_equally_often():
    drawn = Counter(tuple(draw.distinct(number, 4, "abcd")) for number in range(24 * 5))
    assert drawn == Counter(dict.fromkeys(itertools.permutations("abcd"), 5))


# --- Description's filters, each at its limit ---


def told_by_description(*targets, width=512, height=512):
    records = Dialogues(CATEGORIES, subsets=["description"]).tell(scene(*targets, width=width, height=height))
    return [one.box for record in records for one in record.objects]


@pytest.mark.parametrize(
    ("width", "height", "told"), [(224, 224, True), (223, 500, False), (500, 223, False), (224, 2240, True)]
)
def test_images_under_224_pixels_are_not_described(width, height, told):
    box = (0, 0, width, height)
    assert told_by_description(target(1, 0, box, width, height), width=width, height=height) == [box] * told


@pytest.mark.parametrize(("box", "told"), [((0, 0, 50, 50), True), ((0, 0, 49, 51), False), ((0, 0, 25, 100), True)])
def test_targets_under_one_percent_are_not_described(box, told):
    assert told_by_description(target(1, 0, box, 500, 500), width=500, height=500) == [box] * told


@pytest.mark.parametrize(
    ("box", "told"),
    [
        ((0, 0, 500, 50), True),
        ((0, 0, 501, 50), False),
        ((0, 0, 50, 500), True),
        ((0, 0, 50, 501), False),
        ((0, 0, 499, 50), True),
    ],
)
def test_targets_over_ten_to_one_are_not_described(box, told):
    assert told_by_description(target(1, 0, box, 600, 600), width=600, height=600) == [box] * told


def test_targets_that_leave_the_image_are_not_described():
    cut, whole = target(1, 0, (0, 0, 100, 100), inside=False), target(2, 0, (0, 0, 100, 101))
    assert told_by_description(cut) == []
    assert told_by_description(cut, whole) == [whole.box]


def test_an_image_is_multi_by_all_its_targets_not_by_those_described():
    ship, speck = target(1, 0, (0, 0, 100, 100)), target(2, 0, (0, 300, 5, 305))
    assert Dialogues(CATEGORIES, variants=3).count(scene(ship, speck)) == {
        "classification": 1,
        "description": 1,
        "counting": 1,
        "grounding_multi": 1,
        "identification_multi": 6,
        "referring_multi": 1,
    }


# --- The whole ShipDataset ---


def shipdataset_scenes():
    with gzip.open(SHIPDATASET, "rt") as file:
        coco = json.load(file)
    by_image = {}
    for annotation in coco["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    for image in coco["images"]:
        width, height = image["width"], image["height"]
        targets = []
        for annotation in by_image.get(image["id"], []):
            x1, y1, x2, y2 = geometry.clip_box(annotation["bbox"], width, height)
            if x2 - x1 >= 1 and y2 - y1 >= 1:
                x, y, w, h = annotation["bbox"]
                inside = x >= 0 and y >= 0 and x + w <= width and y + h <= height
                box = geometry.written_box(annotation["bbox"], width, height)
                targets.append(Target.of(annotation["id"], 0, box, inside, width, height))
        yield Scene("train", image["id"], image["file_name"], width, height, tuple(sorted(targets)))


@pytest.mark.skipif(
    not SHIPDATASET.exists(), reason=f"the real annotations are not at ../shared/real/{SHIPDATASET.name}"
)
def test_the_whole_shipdataset():
    told, ids = Counter(), set()
    images = targets = single = 0
    dialogues = Dialogues(["ship"])
    for one in shipdataset_scenes():
        images += 1
        targets += len(one.targets)
        single += one.is_single
        records = dialogues.tell(one)
        told.update(record.subset for record in records)
        ids.update(record.id for record in records)
    assert images == 39_729
    assert 50_885 * 0.999 < targets <= 50_885
    assert told["identification_single"] + told["identification_multi"] == 7 * targets
    assert told["identification_single"] == 7 * single
    assert told["classification"] == told["counting"] == 39_729
    for task in ("grounding", "referring"):
        assert told[f"{task}_single"] == single
        assert told[f"{task}_single"] + told[f"{task}_multi"] == 39_729
    assert 0.5 * 39_729 < told["description"] < 39_729
    assert len(ids) == sum(told.values())
