"""The words of SARChat-2M: categories, tasks, subsets, configs, regions, sizes and shapes.

Every other room takes its words from here, so that a word is spelled in one place only. The values and their order are
those of the paper (section 3.1) and of its published figures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = [
    "CATEGORIES",
    "CONFIGS",
    "IDENTIFIERS",
    "REGIONS",
    "SHAPES",
    "SIZES",
    "SPLITS",
    "SUBSETS",
    "SUBSETS_OF_TASK",
    "TASKS",
    "TASK_OF_SUBSET",
    "CategoryWords",
    "indefinite_article",
    "plural",
]

CATEGORIES = ("ship", "aircraft", "car", "tank", "bridge", "harbor")
"""SARDet-100K's categories in the order of their ids, 0 to 5: the canonical order of every answer."""

TASKS = ("classification", "description", "counting", "grounding", "identification", "referring")

SUBSETS = (
    "classification",
    "description",
    "counting",
    "grounding_single",
    "grounding_multi",
    "identification_single",
    "identification_multi",
    "referring_single",
    "referring_multi",
)
"""The nine parts of the dataset: a task, and where the paper tells them apart, one target (single) or more (multi)."""

TASK_OF_SUBSET = {subset: subset.partition("_")[0] for subset in SUBSETS}

SUBSETS_OF_TASK = {task: tuple(s for s in SUBSETS if TASK_OF_SUBSET[s] == task) for task in TASKS}

CONFIGS: dict[str, tuple[str, ...]] = {
    **{subset: (subset,) for subset in SUBSETS},
    **{task: subsets for task, subsets in SUBSETS_OF_TASK.items() if len(subsets) > 1},
    "all": SUBSETS,
    "images": ("images",),
}
"""The 14 names that `load_dataset` takes, each with the folders under `data/` whose files it consists of."""

SPLITS = ("train", "validation", "test")
"""The names of the splits in the built dataset; SARDet-100K calls the second one "val"."""

IDENTIFIERS = {
    "counting": "[count]",
    "grounding": "[grounding]",
    "identification": "[identify]",
    "referring": "[refer]",
}
"""What opens a question of a task, followed by one space; classification and description have none (section 3.1.3)."""

REGIONS = (
    "top left",
    "top center",
    "top right",
    "middle left",
    "middle center",
    "middle right",
    "bottom left",
    "bottom center",
    "bottom right",
)
"""The cells of the 3 × 3 grid, row by row."""

SIZES = ("very small", "small", "medium", "large", "very large")
"""The five sizes of identification in rising order; description uses the middle three with limits of its own."""

SHAPES = ("wide", "roughly square", "tall")

_IRREGULAR_PLURALS = {
    "child": "children",
    "deer": "deer",
    "foot": "feet",
    "knife": "knives",
    "man": "men",
    "mouse": "mice",
    "person": "people",
    "sheep": "sheep",
    "skis": "skis",
    "woman": "women",
}


def plural(noun: str) -> str:
    """Give the English plural of a category's name: the last word of it is the one that changes.

    A name that is a plural already, as other sets have them, stays as it is.

    >>> plural("ship"), plural("aircraft"), plural("storage tank"), plural("ferry"), plural("bus"), plural("vehicles")
    ('ships', 'aircraft', 'storage tanks', 'ferries', 'buses', 'vehicles')
    """
    lowered = noun.lower()
    last = re.split(r"[\s_-]", lowered)[-1]
    if last in _IRREGULAR_PLURALS:
        return noun[: len(noun) - len(last)] + _IRREGULAR_PLURALS[last]
    if last.endswith("craft") or (last.endswith("s") and not last.endswith(("ss", "us", "is", "as", "lens"))):
        return noun
    if last.endswith(("s", "x", "z", "ch", "sh")):
        return noun + "es"
    if last.endswith("y") and last[-2:-1] not in ("", *"aeiou"):
        return noun[:-1] + "ies"
    return noun + "s"


# By sound, not by spelling: "a unit", "an hour", and initials by the name of the letter, "an SUV" but "a UAV".
_SOUNDS_LIKE_YOU = re.compile(r"(?:uni(?![nmd])|u-|us[aeiu]|ut[ei]|ur[aeio]|eu|ewe|one\b|once\b)", re.IGNORECASE)
_SOUNDS_OPEN = re.compile(r"(?:hour|honest|honou?r|heir|8|11\b|18\b)", re.IGNORECASE)
_INITIALS = re.compile(r"[A-Z]{1,3}(?:\b|\d)")


def indefinite_article(noun: str) -> str:
    """Give "a" or "an" for a noun, by the sound it begins with.

    >>> [indefinite_article(noun) for noun in ("ship", "aircraft", "unit", "oil tank", "SUV", "UAV", "F-16")]
    ['a', 'an', 'a', 'an', 'an', 'a', 'an']
    """
    if _INITIALS.match(noun):
        return "an" if noun[0] in "AEFHILMNORSX" else "a"
    if _SOUNDS_OPEN.match(noun):
        return "an"
    return "an" if noun[:1].lower() in tuple("aeiou") and not _SOUNDS_LIKE_YOU.match(noun) else "a"


@dataclass(frozen=True)
class CategoryWords:
    """The category names of one detection set with what the dialogues need of each: plural and article.

    Targets refer to a category by its position in `names`, which is the canonical order: SARDet-100K's six stand as in
    `CATEGORIES`, those of any other set as in its annotation file.

    >>> words = CategoryWords(CATEGORIES)
    >>> words.counted(1, 3), words.counted(1, 1), words.one(1), words.candidates
    ('3 aircraft', '1 aircraft', 'an aircraft', 'aircraft, bridge, car, harbor, ship, tank')
    """

    names: tuple[str, ...]
    plurals: tuple[str, ...] = field(init=False)
    articles: tuple[str, ...] = field(init=False)
    candidates: str = field(init=False)
    """The names in alphabetical order, as classification's questions list them."""

    def __init__(self, names: Sequence[str]) -> None:
        object.__setattr__(self, "names", tuple(names))
        object.__setattr__(self, "plurals", tuple(plural(name) for name in names))
        object.__setattr__(self, "articles", tuple(indefinite_article(name) for name in names))
        object.__setattr__(self, "candidates", ", ".join(sorted(names, key=str.casefold)))

    def counted(self, category: int, count: int) -> str:
        """Say how many: "1 ship", "3 ships"."""
        return f"{count} {self.names[category] if count == 1 else self.plurals[category]}"

    def one(self, category: int) -> str:
        """Name one of them: "a ship", "an aircraft"."""
        return f"{self.articles[category]} {self.names[category]}"
