"""Small COCO sources for tests, written to order."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

SIX = ("ship", "aircraft", "car", "tank", "bridge", "harbor")


def category_list(names: tuple[str, ...] = SIX, first: int = 0) -> list[dict[str, Any]]:
    return [{"id": first + i, "name": name} for i, name in enumerate(names)]


def write_source(
    root: Path,
    boxes: list[list[tuple[int, list[float]]]],
    *,
    split: str = "train",
    size: tuple[int, int] = (256, 256),
    categories: list[dict[str, Any]] | None = None,
    change: Callable[[dict[str, Any]], None] | None = None,
) -> Path:
    """Write one split: for each image a list of (category id, [x, y, w, h]); `change` may spoil the document."""
    (root / "Annotations").mkdir(parents=True, exist_ok=True)
    (root / "JPEGImages" / split).mkdir(parents=True, exist_ok=True)
    images, annotations = [], []
    for i, targets in enumerate(boxes):
        name = f"{split}_{i}.png"
        Image.new("L", size, 10 + i % 200).save(root / "JPEGImages" / split / name)
        images.append({"id": i, "file_name": name, "width": size[0], "height": size[1]})
        for category, bbox in targets:
            annotations.append({"id": len(annotations), "image_id": i, "category_id": category, "bbox": bbox})
    document = {"images": images, "annotations": annotations, "categories": categories or category_list()}
    if change:
        change(document)
    (root / "Annotations" / f"{split}.json").write_text(json.dumps(document))
    return root
