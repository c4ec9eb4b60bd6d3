"""No text raises, and none takes more than linear time."""

import json
import time
import warnings
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

READ = ("identification", "classification", "counting", "boxes", "places")
SAID = r"""ship ships boat harbor car tank no not without neither nor there is are in the top left right bottom center
    middle of image one two 3 47 another they small very large wide tall near close to far from horizontal direction
    or and mostly answer: final \boxed{ <think> </think> <answer> candidate categories {<1><2><3><4>} [1,2,3,4] ? .
    , : ; - 1. * | / ( ) { } [ ] < > hundred thousand twenty - ' total"""
WORDS = [*SAID.split(), "", "\n"]

soup = st.one_of(
    st.text(max_size=200),
    st.text(st.characters(categories=["Cs", "Nd", "Po", "Lo", "Zs", "Cc"]), max_size=80),
    st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=60).map("".join),
)


@pytest.fixture(scope="module")
def readers(modules):
    lexicon, boxes, reading = modules("lexicon"), modules("boxes"), modules("reading")
    names = lexicon.CATEGORIES, ("small vehicle", "large-vehicle", "top")
    return [reading.Reader(lexicon.Lexicon(n), notation) for n in names for notation in boxes.NOTATIONS.values()]


@settings(max_examples=400, deadline=None)
@given(soup)
def test_no_text_raises(readers, text):
    for reader in (readers[4], readers[-1]):
        for name in READ:
            getattr(reader, name)(text)


@settings(max_examples=300, deadline=None)
@given(soup)
def test_plain_texts_split_into_the_same_tokens(modules, text):
    lexicon = modules("lexicon")
    text = text.lower()
    assert lexicon.tokenize(text) == lexicon.TOKEN.findall(text)


def test_every_short_text_of_marks_splits_into_the_same_tokens(modules):
    lexicon = modules("lexicon")
    texts = ["".join(marks) for length in range(1, 6) for marks in product("a1-'., *", repeat=length)]
    assert [text for text in texts if lexicon.tokenize(text) != lexicon.TOKEN.findall(text)] == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(soup, min_size=1, max_size=4))
def test_no_prediction_raises_whatever_is_asked_for(bench, texts):
    """Through `compute` with all its options, for every subset at once."""
    cases = [(text, reference, subset) for text in texts for subset, reference in REFERENCES.items()]
    predictions, references, subsets = map(list, zip(*cases, strict=True))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = bench.compute(
            predictions=predictions,
            references=references,
            subsets=subsets,
            image_sizes=[(512, 300)] * len(cases),
            per_record=True,
            detail="category",
            confidence=0.9,
            samples=20,
        )
    assert 0 <= result["overall"] <= 100
    assert len(result["records"]) == len(cases)
    json.dumps(result)


SEEDS = r"""{ | < | [ | ( | {< | {<1> | {<1><2> | {<1><2><3><4>} | [1, | [1,2,3,4] | (1,2), | <box>[[1,2,3, | 1. | 9
    9, | 9. | 1,234 | - | a- | ' | a' | "ship | ship, | ship or  | no  | no ship  | top  | left  | top left  | center
    of the | left of the  | to the left  | 3 ships in the top left  | one in the top left {<1><2><3><4>},  | <think>
    </think> | <think></think> | answer:  | final answer  | <answer> | \boxed{ | candidate  | candidates: ship,  | ?
    ship?  | . | aircraft, bridge, car, harbor, ship, tank  | : | two hundred  | twenty- | thousand  | one  | they
    very  | there | close to the ship  | very very small  | ｓ | 船 | * | ` | _ | with  | mostly  | the the  | nan
    -1 | 1e9 | {<1e400> | bbox_2d | ship in the top left of | ships: one in the | ship top left {<1><2><3><4>} 2 ships
    """.replace("\n", "|").split("|")
SEEDS = [seed.removeprefix(" ").replace("    ", "") or " " for seed in SEEDS] + [" ", "\n", "\n\n- ", "\ud800", "\x00"]
"""Pieces that a text may consist of, over and over."""


def long_texts(length):
    """Make texts of such a length: each piece repeated, and one piece after another."""
    for seed in SEEDS:
        yield (seed * (length // len(seed) + 1))[:length]
    for first, second in (
        ("ship ", "top left "),
        ("top left ", "ship "),
        ("no ", "ship "),
        ("{<1><2><3><4>}", "left "),
    ):
        yield first * (length // 2 // len(first)) + second * (length // 2 // len(second))


@pytest.mark.parametrize("name", READ)
def test_time_grows_with_the_length(readers, name):
    """Thousands of words of anything take a fraction of a second, where a quadratic search would take minutes."""
    for text in long_texts(20_000):
        for reader in (readers[4], readers[5]):
            start = time.process_time()
            getattr(reader, name)(text)
            assert time.process_time() - start < 1, (name, text[:40])


REFERENCES = {
    "identification_single": "This is a small ship in the top left portion of the image.",
    "classification": "It is ship.",
    "counting": "There is 1 instance. {<1><2><3><4>}",
    "referring_single": "{<1><2><3><4>} (top left)",
    "grounding_single": "There is a ship in the top left portion {<1><2><3><4>}.",
}


def test_ten_megabytes_of_braces_are_judged(load):
    """In the time that a loop over ten million characters takes, though every one of them might begin a box."""
    for subset in ("classification", "referring_single"):
        start = time.process_time()
        result = load(subset).compute(predictions=["{" * 10_000_000], references=[REFERENCES[subset]])
        assert time.process_time() - start < 60, subset
        assert result["overall"] == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("subset", REFERENCES)
def test_half_a_megabyte_of_anything_is_judged(load, subset):
    """Every piece over and over: a second or so each, where a quadratic search would take hours."""
    bench = load(subset)
    for text in long_texts(500_000):
        start = time.process_time()
        result = bench.compute(predictions=[text], references=[REFERENCES[subset]])
        assert time.process_time() - start < 10, text[:40]
        assert result["overall"] is not None


@pytest.mark.parametrize("word", ["hundred ", "two hundred ", "dozen ", "thousand ", "9", "9,", "1,234 ", "-", "1e"])
def test_no_number_is_too_large(load, word):
    """Of 400 digits, or a hundred hundred hundreds: neither is what the reference says, and both can be shown."""
    for text in (word * 2000, f"There are {word * 2000} ships."):
        result = load("counting").compute(
            predictions=[text], references=["There is 1 instance. {<1><2><3><4>}"], per_record=True
        )
        assert result["counting"] == 0.0, result["records"]
