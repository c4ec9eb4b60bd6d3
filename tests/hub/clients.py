"""What real clients do, each called in a process of its own by `run_client` and answering in JSON on its last line."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


def digest(rows: Iterable[dict[str, Any]]) -> str:
    """Give one hash of all columns of all rows, the images' bytes among them."""
    total = hashlib.sha256()
    for row in rows:
        image = hashlib.sha256(row["image"]["bytes"]).hexdigest()
        total.update(f"{image} {[(name, row[name]) for name in sorted(row) if name != 'image']}\n".encode())
    return total.hexdigest()


def digest_of_files(build: Path, folders: Iterable[str], split: str) -> str:
    """Give the digest of what a local build has in these folders for a split, read without `datasets`."""
    files = [path for folder in folders for path in sorted((build / "data" / folder).glob(f"{split}-*.parquet"))]
    return digest(pa.concat_tables([pq.read_table(path) for path in files]).to_pylist())


def load_every_config(name: str, *streamed: str) -> dict[str, str]:
    """Load a dataset, on the Hub or in a folder, by every config that it declares; some of them by streaming too."""
    from datasets import Image, get_dataset_config_names, load_dataset

    found = {}
    for config in get_dataset_config_names(name):
        for split, rows in load_dataset(name, config).items():
            found[f"{config}/{split}"] = digest(rows.cast_column("image", Image(decode=False)))
    for config in streamed:
        for split, rows in load_dataset(name, config, streaming=True).items():
            rows = rows.cast_column("image", Image(decode=False))
            found[f"{config}/{split} streamed"] = digest(list(rows.take(1_000_000)))
    return found


def load_one(name: str, config: str, revision: str) -> list[Any]:
    """Load one config at a revision; give an image's size, the category names and the digest of the test split."""
    from datasets import Image, load_dataset

    rows = load_dataset(name, config, split="test", revision=revision)
    names = rows.features["objects"].feature["category"].names
    return [list(rows[0]["image"].size), names, digest(rows.cast_column("image", Image(decode=False)))]


def evaluate_metric(name: str, predictions: str, references: str, options: str) -> dict[str, Any]:
    """Load a metric by name and compute it; the arguments are JSON."""
    import evaluate

    metric = evaluate.load(name)
    return metric.compute(predictions=json.loads(predictions), references=json.loads(references), **json.loads(options))


def push(dataset: str, repo_id: str) -> list[Any]:
    from sarchat2m.hub import push

    pushed = push(dataset, repo_id, tell=lambda sentence: print(sentence, file=sys.stderr))
    return [pushed.commit, *pushed.sent]


def pull(repo_id: str, out: str) -> list[Any]:
    from sarchat2m.hub import pull

    return list(pull(repo_id, out).fetched)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]](*sys.argv[2:])))
