"""Boxes in text: the notations that models write, and the spaces that their coordinates are counted in.

A box format is a notation and a space, such as "paper/pixels" or "list/1000". One format holds for all predictions of a
run. `"auto"` decides on it once, from all of them together: the notation from what the answers look like, the space
from where the boxes lie. No answer is ever read in several ways to keep the best one.

Decisions that the paper leaves open:
- A box that is cut off before its last number is no box; a missing closing bracket is forgiven.
- Coordinates further out than ten million are cut there, so that areas are exact in double precision.
- `"auto"` takes a relative space only with `image_sizes`: relative to 1 if 95 % of the boxes lie within 0 to 1; to 1000
  if the notation's family counts so, or if more than a tenth of the boxes leaves the image and 95 % lie within 0 to
  1000; to 100 if there are 20 boxes or more, all within 0 to 100, and every image is more than twice as wide and high.
"""

import re
from typing import NamedTuple

import numpy as np

from .lexicon import BOX_MARK

SPACES = ("pixels", "1", "100", "1000")
"""Pixels of the image, or the number that stands for the full width and height of the image."""

FARTHEST = 1e7
"""Coordinates are cut here; the sum of two areas then stays below 2**53."""

_NUMBER = r"(-?\d+(?:\.\d*)?(?:e[+-]?\d{1,3})?|-?\.\d+)"
_COMMA = r"\s*,\s*"
_FOUR = rf"[\[(]\s*{_NUMBER}{_COMMA}{_NUMBER}{_COMMA}{_NUMBER}{_COMMA}{_NUMBER}\s*[\])]"
_CORNERS = rf"[\[(]\s*{_NUMBER}{_COMMA}{_NUMBER}\s*[\])]\s*,?\s*[\[(]\s*{_NUMBER}{_COMMA}{_NUMBER}\s*[\])]"

# Every quantifier runs over characters that the part behind it does not begin with: a search takes linear time.
_ANGLES = re.compile(r"(?:\{\s*)?" + r"[\s,]*".join([rf"<\s*{_NUMBER}\s*>"] * 4) + r"(?:\s*\})?")
_BRACKETS = re.compile(f"{_FOUR}|{_CORNERS}")


class Notation(NamedTuple):
    """How a family of models writes boxes."""

    cue: str
    """A piece of text without which the notation is not there."""
    pattern: re.Pattern
    """A box in lower-case text, with a group for each number."""
    space: str
    """The space that the family counts in."""


NOTATIONS = {
    "det": Notation("<|det|>", _BRACKETS, "1000"),  # DeepSeek-VL2: <|det|>[[x1, y1, x2, y2]]<|/det|>
    "box_start": Notation("<|box_start|>", _BRACKETS, "1000"),  # Qwen2-VL: <|box_start|>(x1,y1),(x2,y2)<|box_end|>
    "box": Notation(
        "<box>", _BRACKETS, "1000"
    ),  # InternVL: <box>[[x1, y1, x2, y2]]</box>, Qwen-VL: <box>(x1,y1),(x2,y2)
    "bbox_2d": Notation("bbox_2d", _BRACKETS, "pixels"),  # Qwen2.5-VL: "bbox_2d": [x1, y1, x2, y2]
    "paper": Notation("<", _ANGLES, "pixels"),  # SARChat: {<x1><y1><x2><y2>}
    "list": Notation("", _BRACKETS, "pixels"),  # anything else: [x1, y1, x2, y2] or (x1,y1),(x2,y2)
}
"""In the order in which an answer votes: for the first one that it shows."""


def split_boxes(text, notation):
    """Take the boxes out of a lower-case text.

    Returns the numbers as they stand there, four a box, and the text with BOX_MARK where a box was.

    >>> split_boxes("a ship {<1><2><3><4>}.", NOTATIONS["paper"])
    (['1', '2', '3', '4'], 'a ship  \\x00 .')
    """
    if notation.cue not in text:
        return [], text
    pattern = notation.pattern
    parts = pattern.split(text)
    if len(parts) == 1:
        return [], text
    step = pattern.groups + 1
    marked = f" {BOX_MARK} ".join(parts[::step])
    del parts[::step]
    if step > 5:
        parts = [number for number in parts if number is not None]
    return parts, marked


_LONGEST = 400
"""A number of that many characters is too large for a float."""


def to_floats(numbers):
    """Read numbers of any length, an iterator; what is too large for a float is infinite.

    >>> list(to_floats(["12.5", "9" * 4000]))
    [12.5, inf]
    """
    if max(map(len, numbers), default=0) < _LONGEST:
        return map(float, numbers)
    return (
        float(number) if len(number) < _LONGEST else float("-inf" if number.startswith("-") else "inf")
        for number in numbers
    )


def box_array(numbers, scale=None):
    """Make the boxes of numbers, four a box: an array (boxes, 4) in pixels with x1 <= x2 and y1 <= y2.

    `scale` gives what one unit of x and of y is worth in pixels, an array (boxes, 2).
    """
    boxes = np.array(numbers, dtype=np.float64).reshape(-1, 4)
    if scale is not None:
        boxes = boxes * np.concatenate([scale, scale], axis=1)
    boxes = np.clip(boxes, -FARTHEST, FARTHEST)
    return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)


def vote(texts):
    """Choose the notation that most of some lower-case texts show, "paper" if none shows any."""
    votes = dict.fromkeys(NOTATIONS, 0)
    for text in texts:
        for name, notation in NOTATIONS.items():
            if notation.cue in text and notation.pattern.search(text):
                votes[name] += 1
                break
    best = max(votes, key=votes.get)
    return best if votes[best] else "paper"


def choose_space(notation, numbers, sizes):
    """Choose the space of all the boxes of a run: see the head of this file.

    `numbers` holds the boxes as written, (boxes, 4); `sizes` their images' width and height, (boxes, 2), or None.
    """
    if sizes is None or not len(numbers):
        return "pixels" if sizes is None else NOTATIONS[notation].space
    low, high = numbers.min(axis=1), numbers.max(axis=1)
    if np.mean((low >= 0) & (high <= 1)) >= 0.95:
        return "1"
    if NOTATIONS[notation].space == "1000":
        return "1000"
    if np.mean(_leaves(numbers, sizes)) > 0.1 and np.mean((low >= 0) & (high <= 1000)) >= 0.95:
        return "1000"
    if len(numbers) >= 20 and low.min() >= 0 and high.max() <= 100 and sizes.min() > 200:
        return "100"
    return "pixels"


def _leaves(boxes, sizes):
    """Tell for each box whether it leaves its image by more than a pixel."""
    limits = np.concatenate([sizes, sizes], axis=1) + 1
    return ((boxes > limits) | (boxes < -1)).any(axis=1)


def doubts(box_format, numbers, boxes, sizes, farthest):
    """Say in sentences what seems wrong with the space of a run's boxes, a list that is empty at best.

    `numbers` as written and `boxes` in pixels, both (boxes, 4); `sizes` as in `choose_space`; `farthest` is the largest
    coordinate of any reference, which stands in for the sizes of the images where these are not known.
    """
    if not len(numbers):
        return []
    sentences = []
    notation, space = box_format.split("/")
    within_one = np.mean((numbers.min(axis=1) >= 0) & (numbers.max(axis=1) <= 1))
    if space != "1" and within_one > 0.5:
        sentences.append(
            f"{within_one:.0%} of the predicted boxes lie within 0 to 1 but were read as {box_format}: if the model "
            f'writes coordinates relative to the image, pass box_format="{notation}/1" and image_sizes.'
        )
    limits = np.full((len(boxes), 2), farthest) if sizes is None else sizes
    outside = np.mean(_leaves(boxes, limits))
    if outside > 0.5:
        beyond = "leave their image" if sizes is not None else "reach beyond every box of the references"
        sentences.append(
            f"{outside:.0%} of the predicted boxes {beyond} when read as {box_format}: if the model counts to 1000, "
            f'pass box_format="{notation}/1000" and image_sizes.'
        )
    if space == "pixels" and NOTATIONS[notation].space != "pixels" and sizes is None:
        sentences.append(
            f"Boxes in the notation {notation!r} usually count to {NOTATIONS[notation].space}; without image_sizes "
            "they were read as pixels."
        )
    return sentences


def parse_format(box_format):
    """Split what the user asks for into notation and space, each None where it is left to "auto".

    >>> parse_format("auto"), parse_format("paper"), parse_format("list/1000")
    ((None, None), ('paper', 'pixels'), ('list', '1000'))
    """
    notation, slash, space = str(box_format).partition("/")
    if box_format == "auto":
        return None, None
    if notation not in NOTATIONS or (slash and space not in SPACES):
        raise ValueError(
            f"box_format {box_format!r} is unknown: use 'auto', or one of {', '.join(NOTATIONS)}, "
            f"with /{', /'.join(SPACES)} behind it where the coordinates are not the usual ones."
        )
    return notation, space or NOTATIONS[notation].space
