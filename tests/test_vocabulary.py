"""The words, in the order and spelling of the paper, and their English."""

from __future__ import annotations

import pytest

from sarchat2m import vocabulary
from sarchat2m.vocabulary import CategoryWords, indefinite_article, plural


def test_the_words_of_the_paper():
    assert vocabulary.CATEGORIES == ("ship", "aircraft", "car", "tank", "bridge", "harbor")
    assert vocabulary.TASKS == (
        "classification", "description", "counting", "grounding", "identification", "referring"
    )  # fmt: skip
    assert vocabulary.IDENTIFIERS == {
        "counting": "[count]", "grounding": "[grounding]", "identification": "[identify]", "referring": "[refer]"
    }  # fmt: skip
    assert vocabulary.REGIONS == (
        "top left", "top center", "top right", "middle left", "middle center", "middle right",
        "bottom left", "bottom center", "bottom right",
    )  # fmt: skip
    assert vocabulary.SIZES == ("very small", "small", "medium", "large", "very large")
    assert vocabulary.SHAPES == ("wide", "roughly square", "tall")
    assert vocabulary.SPLITS == ("train", "validation", "test")


def test_nine_subsets_and_fourteen_configs():
    assert len(vocabulary.SUBSETS) == 9
    assert len(vocabulary.CONFIGS) == 14
    assert vocabulary.CONFIGS["referring"] == ("referring_single", "referring_multi")
    assert vocabulary.CONFIGS["all"] == vocabulary.SUBSETS
    assert vocabulary.CONFIGS["images"] == ("images",)
    assert vocabulary.CONFIGS["counting"] == ("counting",)
    assert vocabulary.TASK_OF_SUBSET["identification_multi"] == "identification"


@pytest.mark.parametrize(
    ("noun", "several"),
    [
        ("ship", "ships"), ("aircraft", "aircraft"), ("car", "cars"), ("tank", "tanks"), ("bridge", "bridges"),
        ("harbor", "harbors"), ("small vehicle", "small vehicles"), ("ground track field", "ground track fields"),
        ("hovercraft", "hovercraft"), ("ferry", "ferries"), ("buoy", "buoys"), ("bus", "buses"), ("box", "boxes"),
        ("overpass", "overpasses"), ("branch", "branches"), ("SUV", "SUVs"), ("person", "people"),
        ("police-man", "police-men"), ("human", "humans"), ("Knife", "knives"), ("vehicles", "vehicles"),
        ("storage_tank", "storage_tanks"), ("T72", "T72s"), ("lens", "lenses"),
    ],
)  # fmt: skip
def test_plural(noun, several):
    assert plural(noun) == several


@pytest.mark.parametrize(
    ("article", "nouns"),
    [
        (
            "a",
            "ship, car, tank, bridge, harbor, unit, uniform, user, utility-pole, European, helicopter, one-way street",
        ),
        ("a", "u-boat, UAV, BMP2, T72, 2S1, Boeing787, SHIP"),
        (
            "an",
            "aircraft, island, oil tank, urban area, unidentified ship, unmanned boat, hourglass, umbrella, Airplane",
        ),
        ("an", "SUV, LNG, F-16, A220, 8-wheeler"),
    ],
)
def test_indefinite_article(article, nouns):
    assert {noun: indefinite_article(noun) for noun in nouns.split(", ")} == dict.fromkeys(nouns.split(", "), article)


def test_category_words():
    words = CategoryWords(["ship", "Aircraft", "small vehicle", "bridge"])
    assert words.candidates == "Aircraft, bridge, ship, small vehicle"
    assert [words.one(i) for i in range(4)] == ["a ship", "an Aircraft", "a small vehicle", "a bridge"]
    assert [words.counted(2, n) for n in (1, 2)] == ["1 small vehicle", "2 small vehicles"]


def test_candidates_are_listed_as_published():
    assert CategoryWords(vocabulary.CATEGORIES).candidates == "aircraft, bridge, car, harbor, ship, tank"
