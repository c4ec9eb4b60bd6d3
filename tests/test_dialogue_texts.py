"""Every template of every task, written for SARDet-100K's and for other categories and read back field by field."""

from __future__ import annotations

import re
from functools import cache

import pytest
from dialogue_scenes import OTHER_CATEGORIES, STRAY, boxes_in, read, read_fields, scene, target

from sarchat2m import geometry
from sarchat2m.dialogues import (
    Dialogues,
    classification,
    counting,
    description,
    grounding,
    identification,
    referring,
)
from sarchat2m.vocabulary import CATEGORIES, REGIONS, CategoryWords

IMAGES = range(400)
"""Enough images for a draw from 30 templates to use each of them; the draw is the same every time."""

BOTH_VOCABULARIES = pytest.mark.parametrize("categories", [CATEGORIES, OTHER_CATEGORIES], ids=["sardet", "other"])


def every_record(subset, categories, *targets, **options):
    """Tell the same targets in many images, so that every template is used."""
    dialogues = Dialogues(categories, subsets=[subset], **options)
    return [record for image_id in IMAGES for record in dialogues.tell(scene(*targets, image_id=image_id))]


def some_targets():
    """Give targets of four categories in all nine regions, of all sizes and shapes, in the order of an answer."""
    cells = [(171 * (cell % 3) + 30, 171 * (cell // 3) + 30, 80 + 30 * (cell % 2), 70) for cell in range(9)]
    others = [(30, 30, 420, 420), (20, 20, 400, 300), (10, 60, 180, 390), SPECK, SLIVER]
    corners = [(x, y, x + w, y + h) for x, y, w, h in [*cells, *others]]
    return sorted(target(100 + i, (0, 1, 0, 5, 2)[i % 5], box) for i, box in enumerate(corners))


SPECK, SLIVER = (400, 10, 50, 50), (5, 250, 500, 40)
"""What description leaves out: R = 0.95 %, and 12.5 : 1."""


@cache
def assert_english(text, categories):
    """No doubled or dangling space, no wrong article or number, no unfilled field."""
    words = CategoryWords(categories)
    assert not re.search(r"\s\s|^\s|\s$|\s[.,?;:]|\{(?!<)|\.\.", text), text
    assert not re.search(r"\b(?:a [aeio]|an [bcdfghjklmnpqrstvwxyz]|1 instances|one instances)", text), text
    for name, plural, article in zip(categories, words.plurals, words.articles, strict=True):
        wrong = "a" if article == "an" else "an"
        assert not re.search(rf"\b{wrong} {name}\b(?! carrier)", text, re.IGNORECASE), text
        if plural != name:
            assert not re.search(rf"\b(?:1|an?|every|each) {plural}\b", text, re.IGNORECASE), text


ALL_TEMPLATES = {
    "classification questions": (classification.QUESTIONS, 20),
    "classification answers": (classification.ANSWERS, 20),
    "description questions": (description.QUESTIONS, 20),
    "description phrasings": (description.PHRASINGS, 20),
    "description first phrases": ([first for first, _ in description.PHRASINGS], 20),
    "description further phrases": ([further for _, further in description.PHRASINGS], 20),
    "counting questions": (counting.QUESTIONS, 15),
    "grounding questions": (grounding.QUESTIONS, 15),
    "identification questions": (identification.QUESTIONS, 20),
    "identification answers": (identification.ANSWERS, 20),
    "identification answers with the shape": ([a for a in identification.ANSWERS if "{shape}" in a], 4),
    "referring questions": (referring.QUESTIONS, 30),
}


@pytest.mark.parametrize("name", ALL_TEMPLATES)
def test_there_are_as_many_templates_as_the_paper_says_and_none_twice(name):
    templates, number = ALL_TEMPLATES[name]
    assert len(templates) == number
    plain = {re.sub(r"[^a-z{}]", "", str(template).lower()) for template in templates}
    assert len(plain) == number


@BOTH_VOCABULARIES
@pytest.mark.parametrize("present", [(0,), (1,), (0, 5), (4, 2, 0), (0, 1, 2, 3, 4, 5)])
def test_classification(categories, present):
    targets = [target(i, category, (9 * i, 0, 9 * i + 9, 9)) for i, category in enumerate(present * 2)]
    records = every_record("classification", categories, *targets)
    assert len({record.question for record in records}) == len({record.answer for record in records}) == 20
    candidates = ", ".join(sorted(categories, key=str.lower))
    expected = [categories[category] for category in sorted(present)]
    for record in records:
        assert record.subset == "classification"
        assert not record.question.startswith("[")
        assert record.question.count(candidates) == 1
        named, rest = read(record.answer, {name: name for name in categories})
        assert named == expected
        assert not STRAY.search(rest)
        assert "candidate" not in rest
        assert list(record.objects) == sorted(targets)
        assert_english(record.question.replace(candidates, "these"), categories)
        assert_english(record.answer, categories)


def test_classification_draws_question_and_answer_independently():
    dialogues = Dialogues(CATEGORIES, subsets=["classification"])
    ship = target(1, 0, (0, 0, 9, 9))
    records = [record for i in range(5000) for record in dialogues.tell(scene(ship, image_id=i))]
    pairs = {(record.question, record.answer) for record in records}
    assert len(pairs) == 400


@BOTH_VOCABULARIES
def test_description_names_size_category_and_region_of_every_target(categories):
    left_out = [(x, y, x + w, y + h) for x, y, w, h in (SPECK, SLIVER)]
    told = [one for one in some_targets() if one.box not in left_out]
    assert {one.region for one in told} == set(range(9))
    assert {geometry.description_size(one.box, 512, 512) for one in told} == {"small", "medium", "large"}
    records = every_record("description", categories, *some_targets())
    assert len({record.question for record in records}) == 20
    for record in records:
        assert list(record.objects) == told
        named, regions, sizes, shapes, rest = read_fields(record.answer, categories)
        assert named == [categories[one.category] for one in told]
        assert regions == [REGIONS[one.region] for one in told]
        assert sizes == [geometry.description_size(one.box, 512, 512) for one in told]
        assert shapes == []
        assert not STRAY.search(rest), record.answer
        assert not record.question.startswith("[")
        assert record.answer.endswith(".")
        assert_english(record.answer, categories)


def test_description_uses_every_first_and_every_further_phrasing():
    first, second = target(1, 0, (0, 0, 90, 90)), target(2, 1, (0, 200, 300, 300))
    alone = every_record("description", CATEGORIES, first)
    both = every_record("description", CATEGORIES, first, second)
    assert "A small ship is visible in the top left portion of the image." in {record.answer for record in alone}
    assert len({record.answer for record in alone}) == 20
    further = set()
    for one, two in zip(alone, both, strict=True):
        assert two.answer.startswith(one.answer[:-1])
        further.add(two.answer[len(one.answer) - 1 :])
    assert len(further) == 20
    assert ". A medium aircraft is also visible in the middle left portion of the image." in further
    assert ", and there is also a medium aircraft located at the middle left." in further
    assert ". There is also a medium aircraft on the left side of the image." in further


def test_description_goes_round_when_there_are_more_targets_than_phrasings():
    targets = [target(i, 0, (10 * i, 0, 10 * i + 100, 100)) for i in range(41)]
    (record,) = Dialogues(CATEGORIES, subsets=["description"]).tell(scene(*targets))
    named, regions, sizes, _, _ = read_fields(record.answer, CATEGORIES)
    assert named == ["ship"] * 41
    assert regions == [REGIONS[one.region] for one in sorted(targets)]
    assert sizes == ["small"] * 41


@BOTH_VOCABULARIES
@pytest.mark.parametrize("number", [1, 2, 47])
@pytest.mark.parametrize("category", [0, 1])
def test_counting(categories, category, number):
    targets = [target(i, category, (9 * i, i, 9 * i + 9, 9 + i)) for i in range(number)]
    others = [target(90 + i, 4, (0, 300, 50, 310 + i)) for i in range(3)]
    records = [r for r in every_record("counting", categories, *targets, *others) if r.objects[0].category == category]
    assert len({record.question for record in records}) == 15
    name, plural = categories[category], CategoryWords(categories).plurals[category]
    for record in records:
        assert record.question.startswith("[count] ")
        mentioned, rest = read(record.question[8:], {name: name, plural: name})
        assert mentioned == [name]
        assert not re.search(r"\d", rest)
        assert list(record.objects) == sorted(targets)
        boxes = "".join(f"{{<{b[0]}><{b[1]}><{b[2]}><{b[3]}>}}" for b in (one.box for one in sorted(targets)))
        stated = "There is 1 instance." if number == 1 else f"There are {number} instances."
        assert record.answer == f"{stated} {boxes}"
        assert_english(record.question, categories)


@BOTH_VOCABULARIES
@pytest.mark.parametrize("category", [0, 1])
@pytest.mark.parametrize(
    "box",
    [(0, 0, 60, 60), (30, 30, 490, 460), (1, 400, 10, 500), (180, 400, 330, 500), (5, 200, 165, 300), (0, 0, 400, 400)],
)
def test_identification(categories, category, box):
    one = target(7, category, box)
    records = every_record("identification_single", categories, one, variants=1)
    assert len({record.question for record in records}) == len({record.answer for record in records}) == 20
    shape = geometry.shape(box)
    with_shape = set()
    for record in records:
        assert record.question.startswith("[identify] ")
        assert boxes_in(record.question) == [box]
        assert boxes_in(record.answer) == []
        named, regions, sizes, shapes, rest = read_fields(record.answer, categories)
        assert named == [categories[category]]
        assert regions == [geometry.region(box, 512, 512)]
        assert sizes == [geometry.identification_size(box, 512, 512)]
        assert shapes in ([], [shape])
        assert not STRAY.search(rest), record.answer
        if shapes:
            with_shape.add(record.answer)
        assert list(record.objects) == [one]
        assert_english(record.question, categories)
        assert_english(record.answer, categories)
    assert len(with_shape) == 4


@pytest.mark.parametrize("variants", [1, 7, 20])
def test_identification_repeats_neither_question_nor_answer_within_a_target(variants):
    targets = some_targets()
    for image_id in range(30):
        told = Dialogues(CATEGORIES, variants=variants, subsets=["identification_multi"]).tell(
            scene(*targets, image_id=image_id)
        )
        assert len(told) == variants * len(targets)
        for start, one in zip(range(0, len(told), variants), targets, strict=True):
            records = told[start : start + variants]
            assert {tuple(record.objects) for record in records} == {(one,)}
            assert len({record.question for record in records}) == variants
            assert len({record.answer for record in records}) == variants


def test_the_draws_of_two_targets_and_of_question_and_answer_have_nothing_to_do_with_each_other():
    ships = [target(i, 0, (300, 300, 310, 310)) for i in range(2)]
    first, second = [], []
    for image_id in range(400):
        records = Dialogues(CATEGORIES, variants=1, subsets=["identification_multi"]).tell(
            scene(*ships, image_id=image_id)
        )
        first.append(records[0])
        second.append(records[1])
    assert 5 < sum(a.question == b.question for a, b in zip(first, second, strict=True)) < 45  # 20 expected of 400
    assert 5 < sum(a.answer == b.answer for a, b in zip(first, second, strict=True)) < 45
    assert len({(record.question, record.answer) for record in first}) > 200  # of 400 pairs; 20 if they went together


@BOTH_VOCABULARIES
@pytest.mark.parametrize("number", [1, 4])
@pytest.mark.parametrize("category", [0, 1])
def test_referring(categories, category, number):
    targets = [target(i, category, (120 * i, 0, 120 * i + 9, 9)) for i in range(number)]
    subset = "referring_single" if number == 1 else "referring_multi"
    records = every_record(subset, categories, *targets)
    assert len({record.question for record in records}) == 30
    name, plural = categories[category], CategoryWords(categories).plurals[category]
    told = [REGIONS[one.region] for one in sorted(targets)]
    with_number = set()
    for record in records:
        assert record.question.startswith("[refer] ")
        mentioned, rest = read(record.question[8:], {name: name, plural: name})
        assert mentioned == [name]
        numbers = [int(found) for found in re.findall(r"\d+", rest)]
        assert numbers in ([], [number])
        if numbers:
            with_number.add(record.question)
        assert record.answer == "".join(
            f"{{<{b[0]}><{b[1]}><{b[2]}><{b[3]}>}} ({region})"
            for b, region in zip([one.box for one in sorted(targets)], told, strict=True)
        )
        assert list(record.objects) == sorted(targets)
        assert_english(record.question, categories)
    assert len(with_number) == 14


def in_cell(annotation_id, category, cell, offset=0, side=900):
    """Put a 10 × 10 target into a region of an image of 900 × 900, some pixels right of the cell's middle."""
    x, y = 300 * (cell % 3) + 145 + offset, 300 * (cell // 3) + 145
    return target(annotation_id, category, (x, y, x + 10, y + 10), side, side)


def ground(*targets, categories=CATEGORIES, width=900, height=900):
    (record,) = Dialogues(categories, subsets=["grounding_single", "grounding_multi"]).tell(
        scene(*targets, width=width, height=height)
    )
    opener = "In this SAR image, I can identify several objects and their locations: "
    assert record.answer.startswith(opener)
    return record, record.answer[len(opener) :]


def test_grounding_of_one_target():
    record, answer = ground(in_cell(1, 5, 2))
    assert record.subset == "grounding_single"
    assert answer == "There is a harbor in the top right portion {<745><145><755><155>}."


def test_grounding_of_several_categories():
    record, answer = ground(in_cell(1, 5, 2), in_cell(2, 0, 7), in_cell(3, 0, 6), in_cell(4, 0, 7, -40))
    assert record.subset == "grounding_multi"
    assert answer == (
        "There are 3 ships: one in the bottom left portion {<145><745><155><755>}, "
        "one in the bottom center portion {<405><745><415><755>}, "
        "one in the bottom center portion {<445><745><455><755>}. "
        "There is a harbor in the top right portion {<745><145><755><155>}. "
        "The nearest ship is far from the harbor, in diagonal direction."
    )
    assert [one.annotation_id for one in record.objects] == [3, 4, 2, 1]


def test_grounding_with_articles_and_plurals_of_other_sets():
    _, answer = ground(in_cell(1, 3, 0), in_cell(2, 0, 1), in_cell(3, 0, 4), categories=OTHER_CATEGORIES)
    assert answer == (
        "There are 2 small vehicles: one in the top center portion {<445><145><455><155>}, "
        "one in the middle center portion {<445><445><455><455>}. "
        "There is an SUV in the top left portion {<145><145><155><155>}. "
        "The nearest small vehicle is far from the SUV, in horizontal direction."
    )


def test_grounding_asks_in_15_ways():
    records = every_record("grounding_multi", CATEGORIES, *some_targets())
    assert len({record.question for record in records}) == 15
    for record in records:
        assert record.question.startswith("[grounding] ")
        assert_english(record.question, CATEGORIES)
        assert_english(record.answer, CATEGORIES)
        assert boxes_in(record.answer) == [one.box for one in record.objects]


def test_thirty_targets_have_their_boxes_and_thirty_one_have_none():
    thirty = [in_cell(i, 0, 0, i) for i in range(30)]
    record, answer = ground(*thirty)
    assert boxes_in(answer) == [one.box for one in thirty]
    record, answer = ground(*thirty, in_cell(30, 0, 0, 30))
    assert answer == "There are 31 ships, mostly in the top left."
    assert len(record.objects) == 31


@pytest.mark.parametrize(
    ("population", "told"),
    [
        ({0: 31}, "top left"),
        ({8: 31, 0: 30}, "bottom right"),  # 31 of 61 are over half
        ({8: 32, 0: 32}, "top left and bottom right"),  # exactly half is not over half; a tie goes row by row
        ({4: 20, 2: 20, 0: 7}, "top right and middle center"),
        ({0: 10, 3: 25, 8: 12}, "middle left"),
        ({0: 24, 3: 11, 8: 12}, "top left"),
        ({0: 8, 3: 10, 5: 9, 8: 9}, "middle left and middle right"),
        ({0: 8, 3: 10, 5: 8, 8: 10}, "middle left and bottom right"),
        (dict.fromkeys(range(9), 5), "top left, top center, top right, middle left and middle center"),
        ({7: 13, 1: 11, 5: 10, 3: 10}, "bottom center and top center"),
        ({7: 12, 1: 12, 5: 12, 3: 12}, "top center, middle left and middle right"),
    ],
)
def test_abstract_position_is_the_fewest_regions_that_hold_over_half(population, told):
    cells = [cell for cell, number in population.items() for _ in range(number)]
    _, answer = ground(*(in_cell(i, 1, cell, i % 100) for i, cell in enumerate(cells)))
    assert answer == f"There are {len(cells)} aircraft, mostly in the {told}."


def test_a_dense_category_stands_beside_one_with_boxes():
    dense = [in_cell(i, 0, 4, i) for i in range(31)]
    record, answer = ground(*dense, in_cell(50, 4, 4, 40))
    assert answer == (
        "There are 31 ships, mostly in the middle center. There is a bridge in the middle center portion "
        "{<485><445><495><455>}. The nearest ship is close to the bridge, in horizontal direction."
    )
    assert [one.category for one in record.objects] == [0] * 31 + [4]


def relations(answer):
    return re.findall(
        r"The (nearest )?([a-z ]+?) is (close to|far from) the (nearest )?([a-z ]+), in (\w+) direction\.", answer
    )


def test_relations_are_told_for_every_pair_of_categories_in_canonical_order():
    _, answer = ground(*(in_cell(i, category, i) for i, category in enumerate((5, 0, 3, 0, 1))))
    pairs = [(first, second) for _, first, _, _, second, _ in relations(answer)]
    assert pairs == [
        ("ship", "aircraft"),
        ("ship", "tank"),
        ("ship", "harbor"),
        ("aircraft", "tank"),
        ("aircraft", "harbor"),
        ("tank", "harbor"),
    ]
    assert all((nearest != "") == (first == "ship") for nearest, first, *_ in relations(answer))


def test_images_of_one_category_have_no_relations():
    _, answer = ground(*(in_cell(i, 0, i) for i in range(9)))
    assert relations(answer) == []
    assert "direction" not in answer


def test_relations_are_those_of_the_nearest_two():
    far, near = target(1, 0, (0, 0, 10, 10), 900, 900), target(2, 0, (400, 440, 410, 450), 900, 900)
    _, answer = ground(far, near, target(3, 2, (400, 500, 410, 510), 900, 900))
    assert relations(answer) == [("nearest ", "ship", "close to", "", "car", "vertical")]


def test_equally_near_pairs_go_by_the_order_of_the_targets():
    # Both ships are 100 px from the car: the upper one vertically, and it comes first; then the left one horizontally.
    upper, left = target(9, 0, (400, 300, 410, 310), 900, 900), target(1, 0, (300, 400, 310, 410), 900, 900)
    car = target(5, 2, (400, 400, 410, 410), 900, 900)
    _, answer = ground(left, upper, car)
    assert relations(answer)[0][-1] == "vertical"
    right = target(2, 0, (500, 400, 510, 410), 900, 900)
    _, answer = ground(right, left, car)
    assert relations(answer)[0][-1] == "horizontal"


@pytest.mark.parametrize(("gap", "told"), [(224, "close to"), (225, "far from")])
def test_close_is_nearer_than_an_eighth_of_width_and_height(gap, told):
    _, answer = ground(target(1, 0, (0, 0, 10, 10), 900, 900), target(2, 1, (gap, 0, gap + 10, 10), 900, 900))
    assert relations(answer) == [("", "ship", told, "", "aircraft", "horizontal")]


QUOTED = {
    "classification": [
        "Please identify the target categories in the figure "
        "(candidate categories: aircraft, bridge, car, harbor, ship, tank)",
        "It is ship.",
        "The ship targets can be identified in the figure.",
    ],
    "description": [
        "Please describe the content of the satellite image in detail",
        "A small ship is visible in the bottom left portion of the image.",
    ],
    "counting": [
        "[count] How many ships are there in the image?",
        "There is 1 instance. {<61><390><161><470>}",
    ],
    "grounding_single": [
        "[grounding] Can you describe the spatial arrangement of various features in this SAR image?",
        "In this SAR image, I can identify several objects and their locations: "
        "There is a ship in the bottom left portion {<61><390><161><470>}.",
    ],
    "identification_single": [
        "[identify] What object is located in {<61><390><161><470>}?",
        "This is a small ship located in the bottom left portion of the image. It appears to be roughly square in "
        "shape.",
        "Examining the bottom left area reveals a small ship.",
    ],
    "referring_single": [
        "[refer] Where is the ship?",
        "[refer] Locate 1 ship.",
        "[refer] Identify 1 ship.",
        "{<61><390><161><470>} (bottom left)",
    ],
}


@pytest.mark.parametrize("subset", QUOTED)
def test_what_the_paper_and_its_figures_quote_is_said_word_for_word(subset):
    records = every_record(subset, CATEGORIES, target(1, 0, (61, 390, 161, 470)))
    texts = {record.question for record in records} | {record.answer for record in records}
    assert [quoted for quoted in QUOTED[subset] if quoted not in texts] == []


def test_the_published_question_that_has_a_number_and_no_plural():
    records = every_record("referring_multi", CATEGORIES, *(target(i, 0, (9 * i, 0, 9 * i + 9, 9)) for i in range(4)))
    assert "[refer] Identify 4 ship." in {record.question for record in records}
