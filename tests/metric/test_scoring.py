"""Every column with figures worked out by hand, and the interface as users call it."""

import json
import math
import random
import warnings

import numpy as np
import pytest

PREFIX = "In this SAR image, I can identify several objects and their locations: "


def score(bench, *records, **options):
    """Score (subset, prediction, reference) records."""
    subsets, predictions, references = zip(*records, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return bench.compute(predictions=predictions, references=references, subsets=subsets, **options)


def b(*corners):
    return "{" + "".join(f"<{c}>" for c in corners) + "}"


def test_counting(bench):
    right = "There are 2 instances. " + b(0, 0, 10, 10) + b(20, 20, 30, 30)
    result = score(
        bench,
        ("counting", right, right),  # boxes: 2 TP
        ("counting", "There are 3 instances. " + b(0, 0, 10, 5), right),  # wrong number; 1 TP (IoU 1/2), 1 FN
        ("counting", b(0, 0, 5, 5) + b(90, 90, 95, 95), right),  # two boxes: right; IoU 1/4: 1 TP, 1 FP, 1 FN at .25
        ("counting", "I cannot tell.", right),  # unreadable: FN; 2 FN
    )
    assert result["counting"] == 50.0
    assert result["counting_iou25"] == pytest.approx(100 * 4 / (4 + 1 + 4))
    assert result["counting_iou50"] == pytest.approx(100 * 3 / (3 + 2 + 5))
    assert result["counting_score"] == pytest.approx((50 + 400 / 9 + 30) / 3)
    assert (result["counting_records"], result["counting_unreadable"]) == (4, 0.25)
    assert result["overall"] == result["counting_score"]


def test_a_box_said_twice_is_one_right_and_one_too_many(bench):
    result = score(bench, ("referring_single", b(0, 0, 9, 9) * 2, b(0, 0, 9, 9)))
    assert result["referring_single_iou50"] == 50.0


def test_identification(bench):
    right = "This is a medium ship located in the top right portion of the image. It appears to be wide in shape."
    plain = "Examining the bottom center area reveals a very small ship."
    result = score(
        bench,
        ("identification_multi", right, right),
        ("identification_multi", "a medium ship in the top right", right),  # no shape: FN there, not exact
        ("identification_multi", "a large ship in the top right, wide", right),  # wrong size
        ("identification_multi", "a tank", plain),  # wrong category; no size, no region
        ("identification_multi", "no idea", plain),  # unreadable
        ("identification_multi", "very small boat at the bottom, tall", plain),  # a shape that nobody asked for
    )
    assert result["identification_multi"] == pytest.approx(100 * 4 / 6)
    assert result["identification_multi_size"] == pytest.approx(100 * 3 / 6)
    assert result["identification_multi_region"] == pytest.approx(100 * 4 / 6)
    assert result["identification_multi_shape"] == pytest.approx(100 * 2 / 3)
    assert result["identification_multi_exact"] == pytest.approx(100 * 2 / 6)
    assert result["identification_single"] is None
    assert result["identification_score"] == result["identification_multi"]


def test_classification(bench):
    result = score(
        bench,
        ("classification", "ship and harbor", "It is ship and harbor."),
        ("classification", "ship", "It is ship and harbor."),
        ("classification", "ship, harbor, car", "It is ship and harbor."),
        ("classification", "???", "It is ship."),
    )
    assert (result["classification"], result["classification_unreadable"]) == (25.0, 0.25)


def test_description(bench):
    reference = (
        "A small ship is visible in the top left portion of the image. " * 2 + "There is a large car on the left side."
    )
    result = score(
        bench,
        # one of the two ships, the car at the wrong place and of the wrong size
        ("description", "A small ship in the top left. A very small car in the center.", reference),
    )
    assert result["description"] == pytest.approx(100 * 1 / (1 + 1 + 2))
    assert result["description_size"] == pytest.approx(100 * 1 / (1 + 1 + 2))


def test_grounding(bench):
    dense = "There are 47 ships, mostly in the top left and middle left. "
    car = "There is a car in the top right portion " + b(0, 0, 9, 9) + ". "
    relation = "The nearest ship is far from the car, in horizontal direction."
    reference = PREFIX + dense + car + relation
    # ships with boxes go where the reference's ships go; the tank, which is not there, to the multi column
    ships = (
        "There are 2 ships: one in the top left portion "
        + b(1, 1, 3, 3)
        + ", one in the top left portion "
        + b(1, 1, 3, 3)
    )
    prediction = (
        PREFIX
        + ships
        + ". There is a tank in the center. There is a car in the top right. The ship is far from the car."
    )
    result = score(bench, ("grounding_multi", prediction, reference))
    assert result["grounding_abstract"] == 50.0  # top left named, middle left missing
    assert result["grounding_multi"] == 50.0  # the car, and a tank too many
    assert result["grounding_multi_iou25"] == 0.0  # 2 FP, 1 FN
    assert result["grounding_relations"] == 50.0  # the direction is missing
    assert result["grounding_single"] is None
    assert result["grounding_abstract_pairs"] == 2
    assert any("grounding_abstract rests on 2 pairs" in sentence for sentence in result["warnings"])


def test_overall_weighs_by_records(bench):
    result = score(
        bench,
        ("classification", "ship", "It is ship."),
        ("referring_single", "nothing", b(0, 0, 9, 9)),
        ("referring_single", b(0, 0, 9, 9), b(0, 0, 9, 9)),
        ("referring_multi", b(0, 0, 9, 9), b(0, 0, 9, 9) + b(20, 20, 29, 29)),
    )
    assert result["referring_score"] == 50.0
    assert result["overall"] == pytest.approx((1 * 100 + 3 * 50) / 4)


def test_the_order_of_records_and_of_boxes_does_not_matter(bench):
    draw = random.Random(1)
    records = []
    for _ in range(40):
        boxes = [b(x, y, x + 9, y + 9) for x, y in ((draw.randrange(30), draw.randrange(30)) for _ in range(4))]
        records.append(("referring_multi", "".join(boxes[:3]), "".join(boxes[1:])))
        records.append(("counting", f"{draw.randrange(5)} " + "".join(boxes), "".join(boxes[:2])))
    first = score(bench, *records)
    draw.shuffle(records)
    second = score(
        bench,
        *[
            (s, "".join(sorted(p.replace("}{", "} {").split(" "))), r) if s[0] == "r" else (s, p, r)
            for s, p, r in records
        ],
    )
    assert first == second


def test_bad_calls_are_told_in_one_sentence(bench, load):
    for arguments, told in [
        ({"predictions": ["a"], "references": ["ship"]}, "subsets is missing"),
        (
            {"predictions": ["a"], "references": ["ship", "car"], "subsets": ["classification"]},
            "differ in length: 1 pred",
        ),
        (
            {"predictions": ["a"], "references": ["ship"], "subsets": ["ship"]},
            "'ship' at index 0 is unknown: use class",
        ),
        ({"predictions": ["a"], "references": ["x" * 500], "subsets": ["classification"]}, "index 0 .*cannot be read"),
        ({"predictions": [["a"]], "references": ["ship"], "subsets": ["classification"]}, "index 0 is a list"),
        ({"predictions": ["a"], "references": [None], "subsets": ["classification"]}, "references at index 0"),
        ({"predictions": "ship", "references": ["ship"], "subsets": ["classification"]}, "one string"),
        ({"predictions": ["a"], "references": ["ship"], "subsets": [7]}, "7 at index 0"),
    ]:
        for call in (bench.compute, bench.add_batch):
            if call == bench.add_batch and "cannot be read" in told:
                continue
            with pytest.raises(ValueError, match=told) as raised:
                call(**arguments)
            assert "\n" not in str(raised.value)
            assert len(str(raised.value)) < 400
    for options in (
        {"box_format": "xml"},
        {"confidence": 95},
        {"detail": "x"},
        {"image_sizes": [(0, 1)]},
        {"vocabulary": ["a", "a"]},
    ):
        with pytest.raises(ValueError, match=next(iter(options))):
            bench.compute(predictions=["a"], references=["ship"], subsets=["classification"], **options)
    with pytest.raises(ValueError, match="no configuration 'counting2'"):
        load("counting2")


ODD = [
    None,
    "",
    " ",
    math.nan,
    3,
    2.0,
    "\ud800 ship",
    "船",
    "\x00\x01\x02",
    "{<nan><1><2><3>}",
    b("9" * 400, 1, 2, 3),
    b(9, 9, 1, 1),
    b(5, 5, 5, 5),
    "{" * 9999,
]


@pytest.mark.parametrize("how", ["compute", "add_batch", "add"])
def test_no_prediction_raises(load, how):
    for subset, reference in [
        ("counting", "There is 1 instance. " + b(1, 1, 9, 9)),
        ("referring_single", b(1, 1, 9, 9)),
    ]:
        bench = load(subset)
        references = [reference] * len(ODD)
        if how == "compute":
            result = bench.compute(predictions=ODD, references=references)
        else:
            if how == "add":
                for prediction in ODD:
                    bench.add(prediction=prediction, reference=reference)
            else:
                bench.add_batch(predictions=ODD[:5], references=references[:5])
                bench.add_batch(predictions=ODD[5:], references=references[5:])
            result = bench.compute()
        task = subset.partition("_")[0]
        assert result[f"{task}_records"] == len(ODD)
        assert result[f"{task}_iou50" if task == "counting" else f"{subset}_iou50"] == pytest.approx(
            100 / (len(ODD) + 2)  # swapped corners are right; a box far away and one without area are too many
        )


def test_adding_in_batches_gives_what_computing_at_once_gives(bench):
    records = [
        ("classification", "ship", "ship"),
        ("counting", "3", "There are 2 instances."),
        ("counting", "2", "2"),
    ] * 3
    at_once = score(bench, *records)
    for subset, prediction, reference in records[:4]:
        bench.add(prediction=prediction, reference=reference, subset=subset)
    for first in (4, 7):
        subsets, predictions, references = zip(*records[first : first + 3][: 9 - first], strict=True)
        bench.add_batch(predictions=predictions, references=references, subsets=subsets)
    assert bench.compute() == at_once


def test_one_subset_needs_no_subsets(load):
    bench = load("referring_single")
    result = bench.compute(predictions=[b(0, 0, 9, 9)], references=[b(0, 0, 9, 9)])
    assert result["referring_single_iou50"] == result["overall"] == 100.0
    assert "counting" not in result


def test_detail_by_category(bench):
    result = score(
        bench,
        ("identification_single", "a ship", "This is a ship."),
        ("identification_single", "a ship", "This is a tank."),
        ("classification", "ship and car", "It is ship."),
        ("counting", "2", "There are 2 instances."),
        detail="category",
        questions=["", "", "", "[count] How many bridges are there?"],
    )
    assert result["identification_single/ship"] == 100.0
    assert result["identification_single/tank"] == 0.0
    assert result["identification_single/car"] is None
    assert (result["classification/ship"], result["classification/car"]) == (100.0, 0.0)
    assert (result["counting/bridge"], result["counting/ship"]) == (100.0, None)


def test_per_record_says_why(bench):
    result = score(
        bench, ("counting", "3 ships", "There are 2 instances."), ("classification", "?", "ship"), per_record=True
    )
    first, second = result["records"]
    assert (first["index"], first["prediction"], first["reference"]) == (0, "3", "2")
    assert first["verdict"] == "counting: 1 too many"
    assert first["counts"]["counting"] == (0, 1, 0)
    assert second["verdict"] == "unreadable"
    json.dumps(result)


def test_the_signature_names_options_and_records(bench):
    signature = score(bench, ("counting", "3", "3"), box_format="paper", confidence=0.9)["signature"]
    assert "boxes:paper/pixels|" in signature
    assert signature.endswith("records:counting=1|confidence:0.9|samples:1000|seed:0")


FORMATS = [
    ("box", lambda x: f"<box>[[{x[0]}, {x[1]}, {x[2]}, {x[3]}]]</box>", "1000"),
    ("box_start", lambda x: f"<|box_start|>({x[0]},{x[1]}),({x[2]},{x[3]})<|box_end|>", "1000"),
    ("bbox_2d", lambda x: f'{{"bbox_2d": [{x[0]}, {x[1]}, {x[2]}, {x[3]}]}}', "pixels"),
    ("list", lambda x: f"[{x[0]}, {x[1]}, {x[2]}, {x[3]}]", "pixels"),
    ("list", lambda x: f"[{x[0]}, {x[1]}, {x[2]}, {x[3]}]", "1"),
    ("list", lambda x: f"[{x[0]}, {x[1]}, {x[2]}, {x[3]}]", "1000"),
    ("list", lambda x: f"[{x[0]}, {x[1]}, {x[2]}, {x[3]}]", "100"),
    ("paper", lambda x: b(*x), "pixels"),
    ("det", lambda x: f"<|det|>[[{x[0]}, {x[1]}, {x[2]}, {x[3]}]]<|/det|>", "1000"),
]


@pytest.mark.parametrize(("notation", "write", "space"), FORMATS)
def test_auto_finds_notation_and_space_once_for_all(load, notation, write, space):
    bench = load("referring_single")
    draw = random.Random(0)
    predictions, references = [], []
    for _ in range(40):
        x, y = draw.randrange(400), draw.randrange(400)
        box = (x, y, x + 100, y + 90)
        references.append(b(*box))
        scale = 1 if space == "pixels" else int(space) / 512
        predictions.append("It is here: " + write([v if scale == 1 else round(v * scale, 4) for v in box]))
    result = bench.compute(predictions=predictions, references=references, image_sizes=[(512, 512)] * 40)
    assert result["box_format"] == f"{notation}/{space}"
    assert result["referring_single_iou50"] == 100.0
    assert result["warnings"] == []


NOTATIONS = {notation: write for notation, write, _ in FORMATS}


@pytest.mark.parametrize("space", ["pixels", "1", "100", "1000"])
@pytest.mark.parametrize("notation", NOTATIONS)
def test_every_notation_is_read_in_every_space_when_told_so(load, notation, space):
    size, box = (640, 480), (64, 48, 320, 240)
    ends = size * 2 if space == "pixels" else (int(space),) * 4
    corners = [round(c / end * to, 6) for c, end, to in zip(box, size * 2, ends, strict=True)]
    corners = corners[2:] + corners[:2]  # corners may be swapped
    result = load("referring_single").compute(
        predictions=["Here: " + NOTATIONS[notation](corners)],
        references=[b(*box)],
        box_format=f"{notation}/{space}",
        image_sizes=[size],
    )
    assert (result["referring_single_iou50"], result["box_format"]) == (100.0, f"{notation}/{space}")


def test_auto_reads_no_answer_in_a_way_of_its_own(load):
    """Two of three write lists, so that the third, right in its own notation, says no box."""
    result = load("referring_single").compute(
        predictions=["[0, 0, 9, 9]", "[5, 5, 9, 9]", b(0, 0, 9, 9)], references=[b(0, 0, 9, 9)] * 3, per_record=True
    )
    assert result["box_format"] == "list/pixels"
    assert [record["verdict"] for record in result["records"]][::2] == ["right", "unreadable"]


def test_a_vocabulary_of_its_own_decides_what_a_category_is(load):
    bench = load("identification_single")
    texts, right = ["a small vehicle", "a plane"], ["This is a small vehicle.", "This is a small plane."]
    result = bench.compute(predictions=texts, references=right, vocabulary=["small vehicle", "plane"])
    assert result["identification_single"] == 100.0
    assert result["identification_single_size"] == 0.0  # in "small vehicle", small is no size
    assert "|vocabulary:small vehicle,plane|" in result["signature"]
    with pytest.raises(ValueError, match=r"index 0 .* with vocabulary= if"):
        bench.compute(predictions=["a bus"], references=["This is a bus."])


def test_a_mistaken_space_is_told(load):
    bench = load("referring_single")
    reference = [b(100, 100, 200, 200)]
    with pytest.warns(UserWarning, match="within 0 to 1"):
        bench.compute(predictions=["[0.1, 0.1, 0.4, 0.4]"], references=reference)
    with pytest.warns(UserWarning, match="leave their image"):
        bench.compute(
            predictions=[b(800, 800, 990, 990)], references=reference, box_format="paper", image_sizes=[(512, 512)]
        )
    with pytest.warns(UserWarning, match="usually count to 1000"):
        bench.compute(predictions=["<box>[[1, 1, 4, 4]]</box>"], references=reference)
    with pytest.raises(ValueError, match="pass image_sizes"):
        bench.compute(predictions=["x"], references=reference, box_format="list/1000")


def made_up(count, right, seed):
    draw = random.Random(seed)
    records = []
    for _ in range(count):
        reference = draw.choice(("ship", "car"))
        records.append(("classification", reference if draw.random() < right else "tank", reference))
    return records


def test_an_interval_holds_the_figure_and_repeats(bench):
    records = made_up(400, 0.7, 0)
    one, two = (score(bench, *records, confidence=0.95, seed=5) for _ in range(2))
    assert one == two
    low, high = one["classification_interval"]
    assert low < one["classification"] < high
    assert 6 < high - low < 12  # 2 × 1.96 × sqrt(0.7 × 0.3 / 400) is 9.0 points
    assert one["overall_interval"] == one["classification_interval"]
    assert one["counting_interval"] is None


def test_compare_tells_a_difference_from_chance(bench):
    good, same, poor = (made_up(300, right, seed) for right, seed in ((0.9, 1), (0.9, 1), (0.6, 1)))
    references, subsets = [r for *_, r in good], ["classification"] * 300

    def compare(a, b):
        return bench.compare([p for _, p, _ in a], [p for _, p, _ in b], references=references, subsets=subsets)

    assert [r for *_, r in poor] == references
    found = compare(good, poor)["overall"]
    assert found["difference"] == pytest.approx(found["a"] - found["b"])
    assert found["p_value"] < 0.01
    assert compare(good, same)["overall"] == {"a": found["a"], "b": found["a"], "difference": 0.0, "p_value": 1.0}
    assert compare(good, poor)["counting"]["p_value"] is None


def test_table_3_is_recomputed(bench, shared):
    tables = json.loads((shared / "paper_tables.json").read_text())
    counts = tables["table5_records"]["test"]
    rows = tables["table3_test_scores_percent"]
    assert len(rows) == 16
    for row in rows:
        columns = {key: value for key, value in row.items() if key not in ("model", "parameters", "overall")}
        assert abs(bench.overall_score(columns, counts) - row["overall"]) < 0.9, row["model"]
    with pytest.raises(ValueError, match="'speed' is unknown"):
        bench.overall_score({"speed": 1.0}, counts)


def test_references_stay_remembered_among_free_texts(modules, monkeypatch):
    """Each is read once, though more different predictions are read than are kept at hand."""
    scoring, reading, lexicon = modules("scoring"), modules("reading"), modules("lexicon")
    read = []
    identification = reading.Reader.identification
    monkeypatch.setattr(scoring, "MOST_REMEMBERED", 8)
    monkeypatch.setattr(
        reading.Reader, "identification", lambda self, text: read.append(text) or identification(self, text)
    )
    texts = [f"Free text {number} shows a ship." for number in range(100)]
    references = ["It is a small ship in the top left.", "It is a large tank in the bottom right."] * 50
    scoring.judge(texts, references, {"identification_single": np.arange(100)}, lexicon.Lexicon())
    assert sorted(read) == sorted([*texts, *references[:2]])
