"""Make the bundled sample anew: `python build/sample.py`.

It writes sarchat2m/README.md, sarchat2m/manifest.json and sarchat2m/sample/.

The sample is a real build of a few synthetic scenes, so small that it lies in the repository: it makes the package's
own folder a dataset, which `load_dataset("sarchat2m", "referring")` opens in a fresh clone.
"""

import json
import shutil
import tempfile
from pathlib import Path

from sarchat2m.build import build
from sarchat2m.card import write_card
from sarchat2m.dialogues import Dialogues
from sarchat2m.scene import Scene
from sarchat2m.source import SOURCE_NAMES, Source, read_source
from sarchat2m.synthesis import synthesize

PACKAGE = Path(__file__).parents[1] / "sarchat2m"
IMAGES = 600
MOST_BYTES = 3_000_000
NOTE = """
# SARChat-2M: the bundled sample

*These images are synthetic (`sarchat2m synthesize`): they show the form of the dataset and are no SAR data.*
"""


def choose(source: Source) -> dict[str, list[Scene]]:
    """Choose few and small images: every subset in every split, every category, relations, and a crowded scene."""
    dialogues = Dialogues(source.categories)
    chosen: dict[str, list[Scene]] = {split: [] for split in source.splits}
    shown: set[object] = set()
    pairs = (pair for split in source.splits.values() for pair in zip(split.scenes, split.sizes, strict=True))
    for scene, _ in sorted(pairs, key=lambda pair: pair[1]):
        groups = scene.by_category()
        shows: set[object] = {(scene.split, subset) for subset in dialogues.count(scene)} | set(groups)
        if len(groups) > 1:
            shows.add((scene.split, "relations"))
        if any(len(group) > 30 for group in groups.values()):
            shows.add("crowded")
        if not shows <= shown:
            chosen[scene.split].append(scene)
            shown |= shows
    return chosen


def keep(root: Path, split: str, scenes: list[Scene]) -> None:
    """Leave only these scenes in the annotation file of a split."""
    file = root / "Annotations" / f"{SOURCE_NAMES[split]}.json"
    document, kept = json.loads(file.read_text()), {scene.image_id for scene in scenes}
    document["images"] = [image for image in document["images"] if image["id"] in kept]
    document["annotations"] = [entry for entry in document["annotations"] if entry["image_id"] in kept]
    file.write_text(json.dumps(document))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        root, out = Path(folder, "source"), Path(folder, "out")
        synthesize(root, IMAGES, seed=0)
        whole = read_source(root)
        for split, scenes in choose(whole).items():
            keep(root, split, scenes)
        manifest = build(root, out)
        size = sum(file["bytes"] for file in manifest["files"])
        if size > MOST_BYTES:
            raise SystemExit(f"Error: the sample has {size:,} bytes, more than {MOST_BYTES:,}; choose fewer images.")
        sample = PACKAGE / "sample"
        shutil.rmtree(sample, ignore_errors=True)
        shutil.move(out / "data", sample)
        for file in manifest["files"]:
            file["path"] = file["path"].replace("data/", "sample/", 1)
        (PACKAGE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        write_card(PACKAGE)
        card = PACKAGE / "README.md"
        card.write_text(card.read_text().replace("\n# SARChat-2M\n", NOTE, 1))
        print(f"{size:,} bytes in {sample}")
