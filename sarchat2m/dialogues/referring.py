"""Referring: where are the targets of one category? One record per image and category."""

from __future__ import annotations

from sarchat2m.dialogues.draw import numbers, pick
from sarchat2m.dialogues.record import Record, Setting
from sarchat2m.geometry import notation
from sarchat2m.scene import Scene
from sarchat2m.vocabulary import IDENTIFIERS, REGIONS

# {category} "ship" · {nouns} "ship" or "ships" · {are} "is" or "are" · {count} "4" · {counted} "4 ships"
QUESTIONS = (
    "Where {are} the {nouns}?",
    "Locate {counted}.",
    "Identify {count} {category}.",
    "Find the {nouns} in this SAR image.",
    "Find {counted} in the image.",
    "Show me where the {nouns} {are}.",
    "Point out the {nouns} in the picture.",
    "Point out {counted} in this SAR image.",
    "Mark every {category} in the image.",
    "Mark {counted} in this scene.",
    "Please locate the {nouns} in the image.",
    "Please locate {counted} in this SAR image.",
    "Give the position of every {category}.",
    "Provide bounding box coordinates for {counted}.",
    "Detect every {category} and say in which part of the image it lies.",
    "Detect {counted} in the radar image.",
    "In which part of the image {are} the {nouns}?",
    "Where in the image can {counted} be found?",
    "Where can I find the {nouns}?",
    "Can you find {counted} for me?",
    "Can you locate the {nouns} in this SAR image?",
    "Identify the {nouns} in the image by bounding box.",
    "Highlight {counted} in the SAR image.",
    "Highlight every {category} visible in the scene.",
    "This image shows {counted}; give the coordinates.",
    "Tell me the location of every {category}.",
    "Return the bounding box of each {category} in the image.",
    "Search the image for {counted} and report the coordinates.",
    "Search this SAR image for the {nouns}.",
    "Indicate where {counted} can be seen.",
)


def count(scene: Scene, setting: Setting) -> int:
    """Count the records about a scene."""
    return len({target.category for target in scene.targets})


def tell(scene: Scene, subset: str, setting: Setting) -> list[Record]:
    """Ask for every category that is present; answer with the box and the region of each of its targets."""
    words, records = setting.words, []
    for category, targets in scene.by_category().items():
        name = words.names[category]
        question, _ = numbers(setting.seed, scene.split, scene.image_id, "referring", name)
        several = len(targets) > 1
        records.append(
            Record(
                f"{subset}/{scene.split}/{scene.image_id}/{name}",
                subset,
                f"{IDENTIFIERS['referring']} "
                + pick(question, QUESTIONS).format(
                    category=name,
                    nouns=words.plurals[category] if several else name,
                    are="are" if several else "is",
                    count=len(targets),
                    counted=words.counted(category, len(targets)),
                ),
                "".join([f"{notation(target.box)} ({REGIONS[target.region]})" for target in targets]),
                targets,
            )
        )
    return records
