"""A small dataset of the right shape, written by the plain tools: datasets' Parquet, a card, a manifest."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from datasets import Dataset
from PIL import Image

from sarchat2m.schema import features_of
from sarchat2m.vocabulary import CONFIGS, SUBSETS, TASK_OF_SUBSET

FOLDERS = (*SUBSETS, "images")
SMALL = ("counting", "referring_single", "referring_multi", "images")
SPLITS = ("train", "test")
CATEGORIES = ("ship", "car")


def png(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (96, 96), np.uint8)
    sink = io.BytesIO()
    Image.fromarray(noise).save(sink, "png")
    return sink.getvalue()


def rows(subset: str, split: str, image_ids: range, version: int) -> list[dict[str, Any]]:
    common = [
        {
            "image": {"bytes": png(2 * i + SPLITS.index(split) + 1000 * version * (i == 0)), "path": f"{i}.png"},
            "image_id": i,
            "width": 96,
            "height": 96,
            "objects": [{"bbox": [1, 2, 30, 40 + i], "category": i % 2}],
        }
        for i in image_ids
    ]
    if subset == "images":
        return common
    return [
        row
        | {
            "id": f"{subset}/{split}/{row['image_id']}/0/0",
            "task": TASK_OF_SUBSET[subset],
            "subset": subset,
            "question": f"What of image {row['image_id']}?",
            "answer": f"A {subset} answer {{<1><2><30><{40 + row['image_id']}>}}",
        }
        for row in common
    ]


def make_build(
    folder: Path, *, shards: int = 2, images: int = 4, version: int = 0, folders: Sequence[str] = FOLDERS
) -> Path:
    """Write a dataset; another `version` of it has another image 0, which stands in the first shards only."""
    files, records = [], {}
    for subset in folders:
        for split in SPLITS:
            for shard in range(shards):
                part = range(shard * images // shards, (shard + 1) * images // shards)
                path = f"data/{subset}/{split}-{shard:05d}-of-{shards:05d}.parquet"
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                features = features_of(subset, CATEGORIES)
                Dataset.from_list(rows(subset, split, part, version), features=features).to_parquet(str(folder / path))
                content = (folder / path).read_bytes()
                digest = hashlib.sha256(content).hexdigest()
                files.append({"path": path, "records": len(part), "bytes": len(content), "sha256": digest})
            records.setdefault(subset, {})[split] = images
    configs_of = {name: there for name, all_ in CONFIGS.items() if (there := [s for s in all_ if s in folders])}
    configs = [
        {
            "config_name": name,
            "data_files": [
                {"split": split, "path": [f"data/{subset}/{split}-*.parquet" for subset in subsets]} for split in SPLITS
            ],
        }
        for name, subsets in configs_of.items()
    ]
    infos = [
        {
            "config_name": name,
            "splits": [{"name": split, "num_examples": images * len(subsets)} for split in SPLITS],
            "dataset_size": 1,
        }
        for name, subsets in configs_of.items()
    ]
    header = yaml.safe_dump({"license": "other", "configs": configs, "dataset_info": infos}, sort_keys=False)
    (folder / "README.md").write_text(f"---\n{header}---\n# SARChat-2M, handmade\n")
    manifest = {
        "format": 1,
        "sarchat2m": "0.1.0",
        "seed": version,
        "categories": list(CATEGORIES),
        "source": {"fingerprint": "0" * 64, "splits": {}},
        "options": {
            "subsets": [name for name in folders if name != "images"],
            "splits": list(SPLITS),
            "variants": 7,
            "shard_bytes": 1_000_000,
        },
        "records": {name: counts for name, counts in records.items() if name != "images"},
        "images": records["images"],
        "skipped": [],
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return folder
