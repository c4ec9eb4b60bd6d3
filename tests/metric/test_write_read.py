"""What the dialogues write, the benchmark reads back: the very boxes, counts, categories, regions, sizes and shapes."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sarchat2m
from sarchat2m import geometry
from sarchat2m.dialogues import Dialogues
from sarchat2m.dialogues.grounding import DENSE
from sarchat2m.scene import Scene, Target
from sarchat2m.vocabulary import CATEGORIES, REGIONS, SHAPES, SIZES

VOCABULARIES = [
    CATEGORIES,
    ("small vehicle", "large-vehicle", "ship", "van", "storage_tank", "ground-track-field"),
    ("plane", "boat", "ship", "swimming pool", "Helicopter", "port"),
    ("bus", "ferry", "middle lane", "tank", "tall building", "one-way street"),
]


@st.composite
def scenes(draw):
    width, height = draw(st.sampled_from([(224, 224), (256, 256), (512, 512), (800, 300), (1000, 1700)]))
    names = draw(st.sampled_from(VOCABULARIES))
    count = draw(st.one_of(st.integers(1, 3), st.integers(1, 12), st.just(DENSE + 5)))
    few = draw(st.integers(1, len(names)))
    targets = []
    for number in range(count):
        x1, x2 = sorted(draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
        y1, y2 = sorted(draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
        category = draw(st.integers(0, few - 1))
        targets.append(Target.of(number, category, (x1, y1, x2, y2), draw(st.booleans()), width, height))
    return names, Scene("test", 1, "1.png", width, height, tuple(sorted(targets))), draw(st.integers(0, 10**6))


def boxes(numbers):
    return [tuple(int(n) for n in numbers[k : k + 4]) for k in range(0, len(numbers), 4)]


def check(record, scene, names, reader):
    """Compare what is read from a record with the targets that it was written from."""
    width, height = scene.width, scene.height
    targets = record.objects
    task = record.subset.partition("_")[0]
    if task == "classification":
        assert reader.classification(record.answer) == sum({1 << target.category for target in targets})
    elif task == "identification":
        (target,) = targets
        category, size, region, shape = reader.identification(record.answer)
        assert (category, region) == (target.category, target.region)
        assert SIZES[size] == geometry.identification_size(target.box, width, height)
        assert shape == -1 or SHAPES[shape] == geometry.shape(target.box)
        assert shape >= 0 or not any(word in record.answer for word in (" wide", " square", "Shape"))
    elif task == "referring":
        assert boxes(reader.boxes(record.answer)) == [target.box for target in targets]
    elif task == "counting":
        number, found = reader.counting(record.answer)
        assert (number, boxes(found)) == (len(targets), [target.box for target in targets])
    elif task == "description":
        places, _ = reader.places(record.answer)
        assert Counter(pair[:2] for pair in places.pairs) == Counter((t.category, t.region) for t in targets)
        assert {times for *_, times in (*places.pairs, *places.sizes)} == {1}
        told = [(category, SIZES[size]) for category, size, _ in places.sizes]
        assert told == [(t.category, geometry.description_size(t.box, width, height)) for t in targets]
    else:
        check_grounding(record, scene, names, reader)


def check_grounding(record, scene, names, reader):
    places, found = reader.places(record.answer)
    groups = scene.by_category()
    dense = {category for category, targets in groups.items() if len(targets) > DENSE}
    placed = Counter((t.category, t.region) for t in scene.targets if t.category not in dense)
    assert Counter(pair[:2] for pair in places.pairs if pair[0] not in dense) == placed
    assert Counter(boxes(found)) == Counter(t.box for t in scene.targets if t.category not in dense)
    assert places.boxed == set(groups) - dense
    for category in dense:
        regions = [region for named, region, _ in places.pairs if named == category]
        assert len(regions) == len(set(regions))
        assert 2 * sum(t.region in regions for t in groups[category]) > len(groups[category])
    assert len(places.relations) == len(groups) * (len(groups) - 1)  # distance and direction for every pair
    assert {relation[:2] for relation in places.relations} == {(a, b) for a in groups for b in groups if a < b}


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scenes())
def test_every_record_is_read_back(modules, drawn):
    names, scene, seed = drawn
    reader = reader_of(modules, names)
    for record in Dialogues(names, seed=seed, variants=20).tell(scene):
        try:
            check(record, scene, names, reader)
        except AssertionError as error:
            raise AssertionError(f"{record.subset}: {record.answer}") from error


@pytest.mark.parametrize("names", VOCABULARIES)
def test_every_template_of_every_answer_is_read_back(modules, names):
    """One scene told by so many seeds that each of the 20 answers and phrasings comes up, in each vocabulary."""
    reader = reader_of(modules, names)
    for box in ((20, 30, 200, 110), (300, 40, 380, 400), (400, 400, 500, 505)):
        scene = Scene("test", 1, "1.png", 512, 512, (Target.of(1, 0, box, True, 512, 512),))
        told = {"classification": set(), "description": set(), "identification_single": set()}
        for seed in range(200):
            for record in Dialogues(names, seed=seed, variants=20).tell(scene):
                if record.subset in told and record.answer not in told[record.subset]:
                    told[record.subset].add(record.answer)
                    check(record, scene, names, reader)
        assert {subset: len(answers) for subset, answers in told.items()} == dict.fromkeys(told, 20)


_READERS = {}


def reader_of(modules, names):
    if names not in _READERS:
        reading, lexicon, boxes_module = modules("reading"), modules("lexicon"), modules("boxes")
        _READERS[names] = reading.Reader(lexicon.Lexicon(names), boxes_module.NOTATIONS["paper"])
    return _READERS[names]


def some_records(count=60, names=CATEGORIES):
    """Tell about some scenes of one and of several targets, one of them dense."""
    records = []
    for number in range(count):
        wide = 40 if number == 7 else 1 + number % 6
        targets = []
        for k in range(wide):
            x, y = 13 + (37 * k + 59 * number) % 440, 17 + (53 * k + 31 * number) % 440
            category = 0 if number == 7 else (k + number) % 6
            targets.append(Target.of(k, category, (x, y, x + 30 + 7 * k % 33, y + 25 + 11 * k % 41), True, 512, 512))
        scene = Scene("test", number, "x.png", 512, 512, tuple(sorted(targets)))
        records += Dialogues(names, seed=3, variants=4).tell(scene)
    return records


def test_the_answers_themselves_score_100_in_every_column(bench):
    records = some_records()
    answers, subsets = [r.answer for r in records], [r.subset for r in records]
    with pytest.warns(UserWarning, match="grounding_abstract rests on"):
        result = bench.compute(predictions=answers, references=answers, subsets=subsets)
    columns = {key: value for key, value in result.items() if not key.endswith(("_records", "_unreadable", "_pairs"))}
    figures = {key: value for key, value in columns.items() if isinstance(value, float) or value is None}
    assert len(figures) == 35
    assert set(figures.values()) == {100.0}, figures
    assert sum(result[f"{task}_records"] for task in ("counting", "grounding", "identification")) > 100
    assert all(result[key] == 0 for key in result if key.endswith("_unreadable"))


def test_a_built_datasets_own_answers_score_100_in_every_column(bench):
    """The bundled sample, as it was built: all splits of all nine subsets."""
    folder = Path(sarchat2m.__file__).parent / "sample"
    tables = [
        pq.read_table(path, columns=["answer", "subset"])
        for path in sorted(folder.glob("*/*.parquet"))
        if path.parent.name != "images"
    ]
    records = pa.concat_tables(tables)
    answers, subsets = records["answer"].to_pylist(), records["subset"].to_pylist()
    assert len(set(subsets)) == 9
    with pytest.warns(UserWarning, match="grounding_abstract rests on"):
        result = bench.compute(predictions=answers, references=answers, subsets=subsets, per_record=True)
    assert {record["verdict"] for record in result["records"]} == {"right"}
    assert None not in result.values()
    assert {value for value in result.values() if isinstance(value, float) and value} == {100.0}


def test_every_region_and_size_word_of_the_dialogues_is_known(modules):
    lexicon = modules("lexicon")
    assert (lexicon.REGIONS, lexicon.SIZES, lexicon.SHAPES, lexicon.CATEGORIES) == (REGIONS, SIZES, SHAPES, CATEGORIES)
