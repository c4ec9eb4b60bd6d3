"""A scene: one image and its usable targets. It is what the source gives and what the dialogues are told about."""

from __future__ import annotations

from typing import NamedTuple

from sarchat2m.geometry import Box, region_index

__all__ = ["Scene", "Target"]


class Target(NamedTuple):
    """One usable object of an image. Sorted, targets stand in the order of every answer: row by row, y1, x1, id."""

    region: int
    """Position in `vocabulary.REGIONS`."""
    y1: int
    x1: int
    annotation_id: int
    category: int
    """Position in the category names of the source, which is the canonical order."""
    box: Box
    """The written box: x1, y1, x2, y2 in whole pixels, clipped to the image."""
    inside: bool
    """Whether the box of the source, before clipping, lies within the image (description asks)."""

    @classmethod
    def of(cls, annotation_id: int, category: int, box: Box, inside: bool, width: int, height: int) -> Target:
        """Make a target from its written box in an image of width × height pixels."""
        return cls(region_index(box, width, height), box[1], box[0], annotation_id, category, box, inside)


class Scene(NamedTuple):
    """One image of one split with its usable targets, sorted."""

    split: str
    """One of `vocabulary.SPLITS`."""
    image_id: int
    """Unique within the split."""
    file_name: str
    """As the annotation file gives it."""
    width: int
    height: int
    """Of the image, in pixels."""
    targets: tuple[Target, ...]

    @property
    def is_single(self) -> bool:
        """Whether the image has exactly one usable target."""
        return len(self.targets) == 1

    def by_category(self) -> dict[int, list[Target]]:
        """Group the targets by category, categories in canonical order."""
        groups: dict[int, list[Target]] = {}
        for target in self.targets:
            groups.setdefault(target.category, []).append(target)
        return dict(sorted(groups.items()))
