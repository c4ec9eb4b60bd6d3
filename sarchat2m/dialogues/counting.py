"""Counting: how many of one category are there, and where? One record per image and category."""

from __future__ import annotations

from sarchat2m.dialogues.draw import numbers, pick
from sarchat2m.dialogues.record import Record, Setting
from sarchat2m.geometry import notation
from sarchat2m.scene import Scene
from sarchat2m.vocabulary import IDENTIFIERS

# {category} "ship" · {plural} "ships"
QUESTIONS = (
    "How many {plural} are there in the image?",
    "How many {plural} can be seen in this SAR image?",
    "Count the {plural} in the image.",
    "Please count all {plural} visible in this SAR image.",
    "What is the number of {plural} in this image?",
    "Tell me how many {plural} appear in the picture.",
    "Determine the total number of {plural} in the scene.",
    "Give the number of {plural} in this SAR image and mark each of them.",
    "How many {plural} does this radar image show?",
    "Find every {category} in the image and state how many there are.",
    "Could you count the {plural} in this scene and give their boxes?",
    "What is the {category} count in this SAR image?",
    "Report the number of {plural} in the picture, with the box of each.",
    "How many instances of the category {category} does the image contain?",
    "Please state the quantity of {plural} detected in this SAR image.",
)


def count(scene: Scene, setting: Setting) -> int:
    """Count the records about a scene."""
    return len({target.category for target in scene.targets})


def tell(scene: Scene, subset: str, setting: Setting) -> list[Record]:
    """Ask for the number of every category that is present; answer with the number and the boxes."""
    words, records = setting.words, []
    for category, targets in scene.by_category().items():
        name = words.names[category]
        question, _ = numbers(setting.seed, scene.split, scene.image_id, "counting", name)
        stated = "There is 1 instance." if len(targets) == 1 else f"There are {len(targets)} instances."
        records.append(
            Record(
                f"{subset}/{scene.split}/{scene.image_id}/{name}",
                subset,
                f"{IDENTIFIERS['counting']} "
                + pick(question, QUESTIONS).format(category=name, plural=words.plurals[category]),
                f"{stated} {''.join([notation(target.box) for target in targets])}",
                targets,
            )
        )
    return records
