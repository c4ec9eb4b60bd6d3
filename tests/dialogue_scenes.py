"""Made-up scenes for the tests of the dialogues, and a plain reader of the words and boxes in a text.

The reader shares nothing with the benchmark's parser or with the makers: it finds the words of a vocabulary one after
the other, longest first, and what is left over must hold no word that could be taken for one.
"""

from __future__ import annotations

import re
from functools import cache

from hypothesis import strategies as st

from sarchat2m.scene import Scene, Target
from sarchat2m.vocabulary import CATEGORIES

OTHER_CATEGORIES = ("small vehicle", "storage tank", "ground track field", "SUV", "aircraft carrier", "overpass")

BOX = re.compile(r"\{<(\d+)><(\d+)><(\d+)><(\d+)>\}")

REGION_WORDS = {
    **{
        f"{row} {column}": f"{row} {column}"
        for row in ("top", "middle", "bottom")
        for column in ("left", "center", "right")
    },
    "left side": "middle left",
    "right side": "middle right",
    "central region": "middle center",
}
SIZE_WORDS = ("very small", "small", "medium", "large", "very large")
SHAPE_WORDS = ("wide", "roughly square", "tall")

# Words that a carrier sentence must not hold: half a region, a size, a shape, a number, a negation, another category.
STRAY = re.compile(
    r"\b(top|bottom|upper|lower|left|right|middle|center|central|side|corner|small|medium|large|tiny|huge|big|wide|tall"
    r"|square|long|narrow|\d+|two|three|four|five|several|no|not|none|nothing|without|near|close|far|horizontal"
    r"|vertical|diagonal|vessel|boat|plane|port|vehicle)\b",
    re.IGNORECASE,
)


def target(annotation_id, category, box, width=512, height=512, inside=True):
    return Target.of(annotation_id, category, box, inside, width, height)


def scene(*targets, image_id=1, width=512, height=512, split="train"):
    return Scene(split, image_id, f"{image_id}.png", width, height, tuple(sorted(targets)))


def boxes_in(text):
    return [tuple(map(int, found)) for found in BOX.findall(text)]


def read(text, words):
    """Take boxes and the words of a vocabulary (word -> meaning) out of a text: the meanings in order, and the rest."""
    text = BOX.sub(" ", text)
    longest_first = sorted(words, key=len, reverse=True)
    pattern = re.compile(r"\b(" + "|".join(map(re.escape, longest_first)) + r")\b", re.IGNORECASE)
    lowered = {word.lower(): meaning for word, meaning in words.items()}
    return [lowered[found.lower()] for found in pattern.findall(text)], pattern.sub(" ", text)


@cache
def read_fields(text, categories):
    """Read categories, then regions, sizes and shapes of a text; the last of the five is what is left of it."""
    named, rest = read(text, {name: name for name in categories})
    regions, rest = read(rest, REGION_WORDS)
    sizes, rest = read(rest, {word: word for word in SIZE_WORDS})
    shapes, rest = read(rest, {word: word for word in SHAPE_WORDS})
    return named, regions, sizes, shapes, rest


@st.composite
def scenes(draw, categories=CATEGORIES, most=40):
    """Any scene: none to many targets, of one or several categories, in small and large images."""
    width, height = draw(st.integers(1, 900)), draw(st.integers(1, 900))
    targets = []
    for annotation_id in range(draw(st.one_of(st.integers(0, 4), st.integers(0, most)))):
        x1, y1 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
        box = (x1, y1, draw(st.integers(x1 + 1, width)), draw(st.integers(y1 + 1, height)))
        category = draw(st.integers(0, len(categories) - 1))
        targets.append(target(annotation_id, category, box, width, height, draw(st.booleans())))
    split = draw(st.sampled_from(("train", "validation", "test")))
    return scene(*targets, image_id=draw(st.integers(0, 10**9)), width=width, height=height, split=split)
