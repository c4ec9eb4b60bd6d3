"""Description: the image in words, a phrase per target. One record per image that has a target fit to be told."""

from __future__ import annotations

from sarchat2m.dialogues.draw import distinct, numbers, pick
from sarchat2m.dialogues.record import Record, Setting
from sarchat2m.geometry import description_size, is_elongated
from sarchat2m.scene import Scene, Target
from sarchat2m.vocabulary import REGIONS

QUESTIONS = (
    "Please describe the content of the satellite image in detail",
    "Describe what you see in this SAR image.",
    "What does this radar image show? Please describe it in detail.",
    "Give a detailed description of the image.",
    "Could you describe the targets in this SAR image?",
    "Please explain what is in the picture.",
    "Write a description of this SAR scene with the size and position of each target.",
    "What targets are in this image, how large are they and where do they lie?",
    "Provide a detailed account of the content of this SAR image.",
    "Tell me what this image contains.",
    "Please give a fine-grained description of the radar image.",
    "How would you describe this SAR scene?",
    "Describe the objects in the image and their positions.",
    "Summarize the visible targets in this satellite image.",
    "Generate a caption that covers every prominent target in the image.",
    "Look at this SAR image and describe its content carefully.",
    "Please interpret this SAR image in words.",
    "What can be observed in the scene? Include size and location.",
    "Report the main objects of this radar image with their sizes and locations.",
    "Walk me through the content of this image.",
)

# The first target of an answer, and any further one, whose phrase carries on from the one before. In all of them size,
# category and region come in this order, so that no two targets can be mixed up.
# {region} "middle left" · {place} "on the left side of the image"
PHRASINGS = (
    (
        "A {size} {category} is visible in the {region} portion of the image",
        ". A {size} {category} is also visible in the {region} portion of the image",
    ),
    (
        "In the figure, a {size} {category} can be seen located at the {region}",
        ", and there is also a {size} {category} located at the {region}",
    ),
    (
        "There is a {size} {category} {place}",
        ". There is also a {size} {category} {place}",
    ),
    (
        "This SAR image shows a {size} {category} {place}",
        ". The image also shows a {size} {category} {place}",
    ),
    (
        "A {size} {category} can be observed {place}",
        ". A further target, a {size} {category}, can be observed {place}",
    ),
    (
        "The image contains a {size} {category} in the {region} area",
        ", as well as a {size} {category} in the {region} area",
    ),
    (
        "I can see a {size} {category} in the {region} part of the scene",
        ". I can also see a {size} {category} in the {region} part of the scene",
    ),
    (
        "A {size} {category} appears {place}",
        ". Next, a {size} {category} appears {place}",
    ),
    (
        "A {size} {category} lies in the {region} portion of the picture",
        ", and a {size} {category} lies in the {region} portion of the picture",
    ),
    (
        "Visible in this scene is a {size} {category} {place}",
        ". Also visible is a {size} {category} {place}",
    ),
    (
        "We find a {size} {category} in the {region} region of the image",
        ". We further find a {size} {category} in the {region} region of the image",
    ),
    (
        "The scene includes a {size} {category} situated in the {region} area",
        ". The scene further includes a {size} {category} situated in the {region} area",
    ),
    (
        "A {size} {category} has been detected {place}",
        ". In addition, a {size} {category} has been detected {place}",
    ),
    (
        "The radar image reveals a {size} {category} {place}",
        ". The radar image also reveals a {size} {category} {place}",
    ),
    (
        "A {size} {category} is located {place}",
        ". Additionally, a {size} {category} is located {place}",
    ),
    (
        "A {size} {category} stands out {place}",
        ". Likewise, a {size} {category} stands out {place}",
    ),
    (
        "The observed scene has a {size} {category} within the {region} part",
        ". The observed scene also has a {size} {category} within the {region} part",
    ),
    (
        "The picture presents a {size} {category} positioned in the {region} section",
        ". A {size} {category} positioned in the {region} section can be seen, too",
    ),
    (
        "A {size} {category} occupies part of the {region} area",
        ". A {size} {category} also occupies part of the {region} area",
    ),
    (
        "A {size} {category} is present at the {region} of the image",
        ". A {size} {category} is present at the {region} of the image as well",
    ),
)

_PLACES = {region: f"in the {region} portion of the image" for region in REGIONS} | {
    "middle left": "on the left side of the image",
    "middle center": "in the central region of the image",
    "middle right": "on the right side of the image",
}

_SMALLEST_IMAGE = 224
"""Width and height in pixels under which an image is not described (the paper, section 3.1.3, task 2)."""


def _told(scene: Scene) -> list[Target]:
    """Choose the targets that are described: no speck (R < 1 %), no sliver (over 10 : 1), none cut by the border."""
    width, height = scene.width, scene.height
    if width < _SMALLEST_IMAGE or height < _SMALLEST_IMAGE:
        return []
    told = []
    for target in scene.targets:
        x1, y1, x2, y2 = target.box
        if target.inside and 100 * (x2 - x1) * (y2 - y1) >= width * height and not is_elongated(target.box):
            told.append(target)
    return told


def count(scene: Scene, setting: Setting) -> int:
    """Count the records about a scene."""
    return 1 if _told(scene) else 0


def tell(scene: Scene, subset: str, setting: Setting) -> list[Record]:
    """Ask for a description and tell size, category and region of every target that is fit for it."""
    targets = _told(scene)
    if not targets:
        return []
    question, answer = numbers(setting.seed, scene.split, scene.image_id, "description")
    phrasings = distinct(answer, min(len(targets), len(PHRASINGS)), PHRASINGS)
    phrases = [
        phrasings[position % len(PHRASINGS)][position > 0].format(
            size=description_size(target.box, scene.width, scene.height),
            category=setting.words.names[target.category],
            region=REGIONS[target.region],
            place=_PLACES[REGIONS[target.region]],
        )
        for position, target in enumerate(targets)
    ]
    return [
        Record(
            f"{subset}/{scene.split}/{scene.image_id}",
            subset,
            pick(question, QUESTIONS),
            "".join(phrases) + ".",
            targets,
        )
    ]
