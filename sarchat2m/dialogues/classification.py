"""Classification: which categories does the image show? One record per image."""

from __future__ import annotations

from sarchat2m.dialogues.draw import numbers, pick
from sarchat2m.dialogues.phrases import listing
from sarchat2m.dialogues.record import Record, Setting
from sarchat2m.scene import Scene

QUESTIONS = (
    "Please identify the target categories in the figure (candidate categories: {candidates})",
    "What kinds of targets does this SAR image contain? Choose from: {candidates}.",
    "Which of the following categories appear in the image: {candidates}?",
    "Classify the targets in this SAR image. The candidate categories are {candidates}.",
    "Which target categories are present in this image? Candidates: {candidates}.",
    "Name every category in this picture, given the candidates {candidates}.",
    "Look at the SAR image and choose the matching categories from this list: {candidates}.",
    "What can be found in this radar image? Possible categories: {candidates}.",
    "From the categories {candidates}, select those that the image shows.",
    "To which of these categories do the targets in the image belong: {candidates}?",
    "Determine the category of the targets in the scene (candidates: {candidates}).",
    "Please classify this SAR image into one or more of these categories: {candidates}.",
    "What is shown in this SAR image? Answer with categories from: {candidates}.",
    "Tell me which of {candidates} can be recognized in the image.",
    "Given the category list ({candidates}), which targets do you see?",
    "Assign the targets in the figure to categories. Options: {candidates}.",
    "Considering {candidates} as candidates, which categories does the image contain?",
    "Could you say what the targets in this image are? The options are {candidates}.",
    "Read this SAR image and report the target categories among {candidates}.",
    "Pick the categories that describe the targets in this image: {candidates}.",
)

# {categories} "ship, aircraft and car" · {category} "category" or "categories" · {are} "is" or "are"
ANSWERS = (
    "The {categories} targets can be identified in the figure.",
    "It is {categories}.",
    "The target {category} in this image {are} {categories}.",
    "This SAR image contains {categories} targets.",
    "The image shows the {category} {categories}.",
    "I recognize the following {category}: {categories}.",
    "Answer: {categories}.",
    "The targets in the figure belong to the {category} {categories}.",
    "The {category} present in the scene {are} {categories}.",
    "Detected {category}: {categories}.",
    "What can be seen in this image is {categories}.",
    "According to the radar returns, the target {category} {are} {categories}.",
    "The picture can be classified as {categories}.",
    "The targets are of the {category} {categories}.",
    "In this SAR image I find {categories}.",
    "The matching {category} {are} {categories}.",
    "Targets of the {category} {categories} appear in the image.",
    "The image belongs to the {category} {categories}.",
    "The visible targets have been recognized as {categories}.",
    "The scene features {categories} targets.",
)


def count(scene: Scene, setting: Setting) -> int:
    """Count the records about a scene."""
    return 1 if scene.targets else 0


def tell(scene: Scene, subset: str, setting: Setting) -> list[Record]:
    """Ask for the categories of an image and name each of them, in canonical order."""
    if not scene.targets:
        return []
    question, answer = numbers(setting.seed, scene.split, scene.image_id, "classification")
    names = [setting.words.names[category] for category in sorted({target.category for target in scene.targets})]
    several = len(names) > 1
    return [
        Record(
            f"{subset}/{scene.split}/{scene.image_id}",
            subset,
            pick(question, QUESTIONS).format(candidates=setting.words.candidates),
            pick(answer, ANSWERS).format(
                categories=listing(names),
                category="categories" if several else "category",
                are="are" if several else "is",
            ),
            scene.targets,
        )
    ]
