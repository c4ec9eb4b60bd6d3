"""Small pieces of English that several tasks share."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["listing"]


def listing(items: Sequence[str]) -> str:
    """Join words as English does.

    >>> listing(["ship"]), listing(["ship", "car"]), listing(["ship", "car", "tank"])
    ('ship', 'ship and car', 'ship, car and tank')
    """
    return " and ".join(filter(None, (", ".join(items[:-1]), items[-1])))
