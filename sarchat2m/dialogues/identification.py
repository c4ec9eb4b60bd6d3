"""Identification: what is in this box? Several variants per target, no question and no answer of which repeats."""

from __future__ import annotations

from functools import lru_cache

from sarchat2m.dialogues.draw import distinct, numbers
from sarchat2m.dialogues.record import Record, Setting
from sarchat2m.geometry import identification_size, notation, shape
from sarchat2m.scene import Scene
from sarchat2m.vocabulary import IDENTIFIERS, REGIONS

QUESTIONS = (
    "What object is located in {box}?",
    "What is the object in {box}?",
    "Please identify the target in {box}.",
    "Which target does the box {box} enclose?",
    "What kind of object can be seen within {box}?",
    "Describe the target marked by {box}.",
    "What does the area {box} contain?",
    "Name the object inside the bounding box {box}.",
    "Can you tell me what is at {box}?",
    "Identify what lies within {box} in this SAR image.",
    "What type of target occupies {box}?",
    "Look at {box}: what is it?",
    "Which category does the object in {box} belong to?",
    "Given the bounding box {box}, what target is it?",
    "Tell me about the object at {box}.",
    "What has been marked by the box {box}?",
    "Recognize the object bounded by {box}.",
    "In this SAR image, what is shown in {box}?",
    "Give the category, size and position of the target in {box}.",
    "Please examine {box} and report what you see.",
)

# {one} "an aircraft". Four of the twenty state the shape, the share that the paper's Figure 7 shows.
ANSWERS = (
    "This is a {size} {category} located in the {region} portion of the image. It appears to be {shape} in shape.",
    "Examining the {region} area reveals a {size} {category}.",
    "A {size} {category} is located in the {region} part of the image.",
    "The object is a {size} {category} in the {region} region.",
    "There is a {size} {category} in the {region} portion of the image.",
    "The marked target is a {size} {category}, found in the {region} area of the image.",
    "In the {region} part of this SAR image lies a {size} {category}, {shape} in shape.",
    "The box contains a {size} {category} in the {region} of the image.",
    "It is a {size} {category}, situated in the {region} portion.",
    "A {size} {category} can be seen in the {region} area.",
    "The target has been recognized as {one}. Its size is {size} and its position is {region}.",
    "I can see a {size} {category} at the {region} of the scene.",
    "What appears here is a {size} {category} in the {region} section of the image.",
    "Category: {category}. Size: {size}. Position: {region}. Shape: {shape}.",
    "The radar returns in the {region} area come from a {size} {category}.",
    "The outlined object, a {size} {category}, occupies the {region} region of the image.",
    "A {shape} outline in the {region} portion of the image belongs to a {size} {category}.",
    "Within the {region} portion of this SAR image, a {size} {category} is present.",
    "This box marks {one} of {size} size in the {region} area of the image.",
    "Looking at the {region} part of the image, I find a {size} {category}.",
)

MOST_VARIANTS = min(len(QUESTIONS), len(ANSWERS))

_AROUND_BOX = tuple(tuple(f"{IDENTIFIERS['identification']} {question}".split("{box}")) for question in QUESTIONS)
"""What stands before and behind the box of every question."""


# Two million answers say the same few thousand things; each is written once.
@lru_cache(maxsize=4096)
def _answers(size: str, article: str, category: str, region: str, shape: str) -> tuple[str, ...]:
    one = f"{article} {category}"
    return tuple(a.format(size=size, category=category, region=region, shape=shape, one=one) for a in ANSWERS)


def count(scene: Scene, setting: Setting) -> int:
    """Count the records about a scene."""
    return len(scene.targets) * setting.variants


def tell(scene: Scene, subset: str, setting: Setting) -> list[Record]:
    """Ask what is in the box of every target; answer with size, category and region, and sometimes the shape."""
    split, image_id, width, height = scene.split, scene.image_id, scene.width, scene.height
    words, seed, variants = setting.words, setting.seed, setting.variants
    records = []
    for target in scene.targets:
        question, answer = numbers(seed, split, image_id, "identification", target.annotation_id)
        answers = _answers(
            identification_size(target.box, width, height),
            words.articles[target.category],
            words.names[target.category],
            REGIONS[target.region],
            shape(target.box),
        )
        box = notation(target.box)
        stem = f"{subset}/{split}/{image_id}/{target.annotation_id}/"
        objects = (target,)
        drawn = zip(distinct(question, variants, _AROUND_BOX), distinct(answer, variants, answers), strict=True)
        for variant, ((before, behind), text) in enumerate(drawn):
            records.append(Record(f"{stem}{variant}", subset, f"{before}{box}{behind}", text, objects))
    return records
