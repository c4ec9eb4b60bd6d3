"""Grounding: what is where, and how do the groups lie to each other? One record per image."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

from sarchat2m.dialogues.draw import numbers, pick
from sarchat2m.dialogues.phrases import listing
from sarchat2m.dialogues.record import Record, Setting
from sarchat2m.geometry import direction, is_close, notation, squared_distance
from sarchat2m.scene import Scene, Target
from sarchat2m.vocabulary import IDENTIFIERS, REGIONS, CategoryWords

QUESTIONS = (
    "Can you describe the spatial arrangement of various features in this SAR image?",
    "Where are the objects in this image, and how do they lie to each other?",
    "Describe the spatial layout of the targets in this SAR image.",
    "Please give the location of every target in the scene.",
    "How are the targets in this radar image arranged?",
    "Locate all objects in the image and explain their spatial relationships.",
    "What objects does the image contain, and where is each of them?",
    "Explain how the visible targets are distributed over the SAR image.",
    "Give an overview of the positions of all targets in this picture.",
    "Please ground every object of this SAR image with its bounding box.",
    "Tell me where the targets are and how far the groups are from each other.",
    "Analyze the spatial distribution of the objects in this scene.",
    "Which objects can you find in this SAR image, and in which part of it?",
    "Report the arrangement of the targets together with their coordinates.",
    "Map out the objects in this image by position and bounding box.",
)

OPENER = "In this SAR image, I can identify several objects and their locations:"

DENSE = 30
"""A category with more targets than this is told by its count and its main regions, without boxes."""


def _main_regions(targets: list[Target]) -> list[str]:
    """Find the fewest regions that together hold over half of the targets, most populated first."""
    regions, held = [], 0
    for region, population in sorted(Counter(target.region for target in targets).items(), key=lambda r: (-r[1], r[0])):
        regions.append(REGIONS[region])
        held += population
        if 2 * held > len(targets):
            break
    return regions


def _group(words: CategoryWords, category: int, targets: list[Target]) -> str:
    """Tell where the targets of one category are."""
    if len(targets) > DENSE:
        return f"There are {words.counted(category, len(targets))}, mostly in the {listing(_main_regions(targets))}."
    places = [f"in the {REGIONS[target.region]} portion {notation(target.box)}" for target in targets]
    if len(targets) == 1:
        return f"There is {words.one(category)} {places[0]}."
    return f"There are {words.counted(category, len(targets))}: {', '.join([f'one {place}' for place in places])}."


def _relation(words: CategoryWords, first: list[Target], second: list[Target], width: int, height: int) -> str:
    """Tell distance and direction between two categories, which are those between their nearest two targets."""
    near = min(product(first, second), key=lambda pair: squared_distance(pair[0].box, pair[1].box))
    one, other = (
        words.names[target.category] if len(group) == 1 else f"nearest {words.names[target.category]}"
        for target, group in zip(near, (first, second), strict=True)
    )
    boxes = near[0].box, near[1].box
    distance = "close to" if is_close(*boxes, width, height) else "far from"
    return f"The {one} is {distance} the {other}, in {direction(*boxes)} direction."


def count(scene: Scene, setting: Setting) -> int:
    """Count the records about a scene."""
    return 1 if scene.targets else 0


def tell(scene: Scene, subset: str, setting: Setting) -> list[Record]:
    """Ask for the arrangement of an image; answer with a sentence per category and one per pair of categories."""
    if not scene.targets:
        return []
    groups = scene.by_category()
    question, _ = numbers(setting.seed, scene.split, scene.image_id, "grounding")
    sentences = [OPENER]
    sentences += [_group(setting.words, category, targets) for category, targets in groups.items()]
    sentences += [
        _relation(setting.words, first, second, scene.width, scene.height)
        for first, second in combinations(groups.values(), 2)
    ]
    return [
        Record(
            f"{subset}/{scene.split}/{scene.image_id}",
            subset,
            f"{IDENTIFIERS['grounding']} {pick(question, QUESTIONS)}",
            " ".join(sentences),
            [target for targets in groups.values() for target in targets],
        )
    ]
