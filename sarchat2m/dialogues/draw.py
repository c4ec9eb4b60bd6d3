"""The draw: which template a record gets. It depends on nothing but the seed and what the record is about.

No random generator has a say in it, so that neither the order of the records, nor the worker, nor PYTHONHASHSEED, nor
the version of Python or numpy can change a text.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

__all__ = ["distinct", "numbers", "pick"]

Template = TypeVar("Template")


def numbers(seed: int, split: str, image_id: int, task: str, about: object = "") -> tuple[int, int]:
    """Give two independent numbers below 2**128, to choose a question and an answer with.

    `about` tells apart the records that a task makes of one image: a category's name or an annotation's id.

    >>> numbers(0, "train", 17, "counting", "ship") == numbers(0, "train", 17, "counting", "ship")
    True
    >>> numbers(0, "train", 17, "counting", "ship") == numbers(1, "train", 17, "counting", "ship")
    False
    """
    digest = blake2b(f"{seed}/{split}/{image_id}/{task}/{about}".encode(), digest_size=32).digest()
    return int.from_bytes(digest[:16], "big"), int.from_bytes(digest[16:], "big")


def pick(number: int, templates: Sequence[Template]) -> Template:
    """Choose one template by a number.

    >>> pick(7, ["a", "b", "c"])
    'b'
    """
    return templates[number % len(templates)]


def distinct(number: int, count: int, templates: Sequence[Template]) -> list[Template]:
    """Choose `count` different templates by a number: the first steps of a Fisher-Yates shuffle.

    The first of them are the same whatever the count.

    >>> distinct(7, 2, ["a", "b", "c"]), distinct(7, 3, ["a", "b", "c"])
    (['b', 'a'], ['b', 'a', 'c'])
    """
    deck = list(templates)
    size = len(deck)
    for position in range(count):
        number, chosen = divmod(number, size - position)
        chosen += position
        deck[position], deck[chosen] = deck[chosen], deck[position]
    return deck[:count]
