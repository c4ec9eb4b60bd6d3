"""The dialogues: six makers, one per task, each of which turns a scene into records.

A new task is a new module here, with its templates on top and two functions, `count` and `tell`, and one row in
`MAKERS`. A new template is one new line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sarchat2m.dialogues import classification, counting, description, grounding, identification, referring
from sarchat2m.dialogues.record import Record, Setting
from sarchat2m.errors import SARChatError
from sarchat2m.scene import Scene
from sarchat2m.vocabulary import SUBSETS, SUBSETS_OF_TASK, CategoryWords

__all__ = ["MAKERS", "Dialogues", "Maker", "Record"]


class Maker(Protocol):
    """What a task's module offers: it stands here as if it were an object of this class."""

    def count(self, scene: Scene, setting: Setting) -> int:
        """Count the records about a scene without writing them."""

    def tell(self, scene: Scene, subset: str, setting: Setting) -> list[Record]:
        """Write the records about a scene, which belong to the given subset of the task."""


MAKERS: dict[str, Maker] = {
    "classification": classification,
    "description": description,
    "counting": counting,
    "grounding": grounding,
    "identification": identification,
    "referring": referring,
}


class Dialogues:
    """Everything that is told about the scenes of one dataset.

    The texts of a record depend on the seed and on what the record is about: not on the order of the scenes, on the
    subsets that are chosen with it, or on the number of variants.

    >>> from sarchat2m.scene import Target
    >>> ship = Target.of(1, 0, (294, 358, 329, 427), True, 512, 512)
    >>> scene = Scene("test", 7, "7.jpg", 512, 512, (ship,))
    >>> [record.answer for record in Dialogues(["ship"], subsets=["counting", "referring_single"]).tell(scene)]
    ['There is 1 instance. {<294><358><329><427>}', '{<294><358><329><427>} (bottom center)']
    """

    def __init__(
        self, categories: Sequence[str], seed: int = 0, variants: int = 7, subsets: Sequence[str] = SUBSETS
    ) -> None:
        """Take the category names in canonical order, which the targets' numbers point into.

        `variants` is the number of records that identification makes of each target, 1 to 20; `subsets` are the ones
        to tell. Raises SARChatError if either is out of range.
        """
        if not 1 <= variants <= identification.MOST_VARIANTS:
            raise SARChatError(
                f"Identification cannot make {variants} variants of a target: "
                f"choose a number from 1 to {identification.MOST_VARIANTS}."
            )
        for subset in subsets:
            if subset not in SUBSETS:
                raise SARChatError(f"There is no subset {subset!r}: choose from {', '.join(SUBSETS)}.")
        self._setting = Setting(CategoryWords(categories), seed, variants)
        # The makers of a scene with one target, and of one with more: what a task's subsets are told apart by.
        self._single, self._multi = (
            [
                (maker, SUBSETS_OF_TASK[task][position])
                for task, maker in MAKERS.items()
                if SUBSETS_OF_TASK[task][position] in subsets
            ]
            for position in (0, -1)
        )

    def tell(self, scene: Scene) -> list[Record]:
        """Write every record of the chosen subsets about a scene, in the order of `vocabulary.SUBSETS`."""
        records: list[Record] = []
        for maker, subset in self._single if scene.is_single else self._multi:
            records += maker.tell(scene, subset, self._setting)
        return records

    def count(self, scene: Scene) -> dict[str, int]:
        """Count the records of each chosen subset about a scene, writing none; a subset without one is absent."""
        counts = {
            subset: maker.count(scene, self._setting)
            for maker, subset in (self._single if scene.is_single else self._multi)
        }
        return {subset: records for subset, records in counts.items() if records}
