"""A record, the dialogue about one scene that a task's maker writes, and the setting that all makers share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sarchat2m.scene import Target
from sarchat2m.vocabulary import CategoryWords

__all__ = ["Record", "Setting"]


class Record(NamedTuple):
    """One question about one image, and its answer."""

    id: str
    """`<subset>/<split>/<image id>`, then category or annotation id, and variant: unique and stable."""
    subset: str
    """One of `vocabulary.SUBSETS`."""
    question: str
    answer: str
    objects: Sequence[Target]
    """The targets that the record is about, in the order of the answer."""


class Setting(NamedTuple):
    """What holds for every scene of a dataset."""

    words: CategoryWords
    seed: int
    variants: int
    """How many records identification makes of a target."""
