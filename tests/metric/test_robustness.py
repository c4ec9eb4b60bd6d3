"""No text raises, and none takes more than linear time."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

READ = ("identification", "classification", "counting", "boxes", "places")
WORDS = ["ship", "ships", "boat", "harbor", "car", "tank", "no", "not", "without", "neither", "nor", "there", "is", "are", "in", "the", "top", "left", "right", "bottom", "center", "middle", "of", "image", "one", "two", "3", "47", "another", "they", "small", "very", "large", "wide", "tall", "near", "close", "to", "far", "from", "horizontal", "direction", "or", "and", "mostly", "answer:", "final", "\\boxed{", "<think>", "</think>", "<answer>", "candidate", "categories", "{<1><2><3><4>}", "[1,2,3,4]", "?", ".", ",", ":", ";", "\n", "-", "1.", "*", "|", "/", "(", ")", "{", "}", "[", "]", "<", ">", "hundred", "thousand", "twenty", "-", "'", "'''", "total", "of"]

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


SEEDS = [
    "{", "<", "[", "(", "{<", "{<1>", "{<1><2>", "{<1><2><3><4>}", "[1,", "[1,2,3,4]", "(1,2),", "<box>[[1,2,3,", " ", "\n",
    "\n\n- ", "1. ", "9", "9,", "9.", "1,234", "-", "- ", "a-", "'", "a'", "ship ", "ship, ", "ship or ", "no ", "no ship ",
    "top ", "left ", "top left ", "center ", "of the ", "left of the ", "to the left ", "3 ships in the top left ",
    "one in the top left {<1><2><3><4>}, ", "<think>", "</think>", "<think></think>", "answer: ", "final answer ", "<answer>",
    "\\boxed{", "candidate ", "candidates: ship, ", "aircraft, bridge, car, harbor, ship, tank ", "?", "ship? ", ".", ":", "|",
    "two hundred ", "twenty-", "thousand ", "one ", "they ", "close to the ship ", "very ", "very very small ", "ｓ", "船",
    "\ud800", "\x00", "*", "`", "_", "there ", "with ", "mostly ", "the the ", "nan ", "-1", "1e9", "{<1e400>", "bbox_2d",
]  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_time_grows_with_the_length(readers, name):
    """A text of a hundred thousand characters of anything takes well under what a quadratic search would."""
    for seed in SEEDS:
        text = (seed * (100_000 // len(seed) + 1))[:100_000]
        for reader in readers[3:6]:
            start = time.process_time()
            getattr(reader, name)(text)
            assert time.process_time() - start < 3, (name, seed)


@pytest.mark.slow
def test_ten_megabytes_of_anything(load):
    for seed in SEEDS:
        text = (seed * (10_000_000 // len(seed) + 1))[:10_000_000]
        for subset, reference in (
            ("counting", "There is 1 instance. {<1><2><3><4>}"),
            ("grounding_single", "There is a ship in the top left portion {<1><2><3><4>}."),
        ):
            assert load(subset).compute(predictions=[text], references=[reference])["overall"] is not None
