"""A dataset as `sarchat2m build` lays it out, made from a few scenes: real shards, real images, every subset."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from sarchat2m.dialogues import Dialogues
from sarchat2m.scene import Scene, Target
from sarchat2m.shards import ShardWriter
from sarchat2m.vocabulary import CATEGORIES, CONFIGS, SUBSETS

KINDS = {"jpg": "JPEG", "png": "PNG", "bmp": "BMP"}


def make_scene(split: str, image_id: int) -> Scene:
    """An image with one target, or with several of two categories, in turn."""
    random = np.random.default_rng(image_id)
    count = 1 if image_id % 3 == 0 else int(random.integers(2, 6))
    targets = []
    for number in range(count):
        x, y, w, h = (int(v) for v in (*random.integers(0, 180, 2), *random.integers(20, 70, 2)))
        category = (image_id + number % 2) % len(CATEGORIES)
        targets.append(Target.of(number + 1, category, (x, y, x + w, y + h), True, 256, 256))
    name = f"{image_id}.{list(KINDS)[image_id % len(KINDS)]}"
    return Scene(split, image_id, name, 256, 256, tuple(sorted(targets)))


def draw(scene: Scene) -> bytes:
    """Noise in the format that the file's name says."""
    pixels = np.random.default_rng(scene.image_id).integers(0, 255, (32, 32), np.uint8)
    encoded = io.BytesIO()
    Image.fromarray(pixels).resize((scene.width, scene.height)).save(
        encoded, KINDS[scene.file_name.rpartition(".")[2]]
    )
    return encoded.getvalue()


def make_dataset(folder: Path, images: dict[str, int], shards: int = 2, with_images: bool = True) -> Path:
    """Write shards of every subset for so many images in each split, and the README that declares the configs."""
    dialogues = Dialogues(CATEGORIES, seed=1)
    subsets = (*SUBSETS, *(["images"] if with_images else []))
    for split, count in images.items():
        scenes = [make_scene(split, image_id) for image_id in range(1, count + 1)]
        for number, part in enumerate(np.array_split(np.arange(count), shards)):
            told = [(scenes[at], draw(scenes[at]), dialogues.tell(scenes[at])) for at in part]
            for subset in subsets:
                path = folder / "data" / subset / f"{split}-{number:05}-of-{shards:05}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as sink:
                    writer = ShardWriter(sink, subset, CATEGORIES)
                    for scene, image, records in told:
                        rows = [record for record in records if record.subset == subset]
                        if subset == "images":
                            rows = [records[0]._replace(objects=scene.targets)]
                        writer.add(scene, image, rows)
                    writer.close()
                if not writer.rows:
                    path.unlink()
    lines = ["---", "configs:"]
    for config, folders in CONFIGS.items():
        if not with_images and config == "images":
            continue
        lines += [f"- config_name: {config}", "  data_files:"]
        for split in images:
            paths = ", ".join(f"data/{one}/{split}-*.parquet" for one in folders)
            lines += [f"  - split: {split}", f"    path: [{paths}]"]
    (folder / "README.md").write_text("\n".join([*lines, "---", ""]))
    return folder
