"""This side of the Hub: a built folder, whether it is whole, and how its card and manifest look for parts of it."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from huggingface_hub import RepoCard

from sarchat2m.vocabulary import CONFIGS

__all__ = [
    "CARD",
    "MANIFEST",
    "Manifest",
    "damaged",
    "limit_card",
    "limit_manifest",
    "parse_manifest",
    "part_of",
    "pictures_of",
    "sha256_of",
    "write_whole",
]

MANIFEST, CARD = "manifest.json", "README.md"

Manifest = dict[str, Any]


def parse_manifest(content: bytes) -> Manifest | None:
    """Read a manifest of ours; None when it is something else."""
    try:
        manifest = json.loads(content)
        is_ours = {"format", "sarchat2m", "files"} <= set(manifest) and all(f["sha256"] for f in manifest["files"])
    except (ValueError, TypeError, KeyError):
        return None
    return manifest if is_ours else None


def part_of(path: str) -> tuple[str, str]:
    """Give the folder and the split of a data file.

    >>> part_of("data/counting/train-00000-of-00001.parquet")
    ('counting', 'train')
    """
    _, folder, name = path.split("/")
    return folder, name.partition("-")[0]


def pictures_of(folder: Path) -> list[str]:
    """List the files of the folder that its card shows or links to."""
    links = re.findall(
        r"""\]\(([^)\s]+)\)|(?:src|href)=["']([^"']+)["']""", (folder / CARD).read_text(encoding="utf-8")
    )
    names = {link.removeprefix("./") for pair in links for link in pair if link and ":" not in link}
    return sorted(name for name in names if ".." not in Path(name).parts and (folder / name).is_file())


def sha256_of(path: Path) -> str:
    """Give the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def damaged(folder: Path, manifest: Manifest, paths: Collection[str] | None = None) -> list[str]:
    """List the data files, or those of `paths`, that are not in the folder as the manifest describes them."""

    def is_damaged(file: dict[str, Any]) -> bool:
        path = folder / file["path"]
        return not path.is_file() or path.stat().st_size != file["bytes"] or sha256_of(path) != file["sha256"]

    files = [file for file in manifest["files"] if paths is None or file["path"] in paths]
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # hashing leaves the interpreter to other threads
        return [file["path"] for file, bad in zip(files, pool.map(is_damaged, files), strict=True) if bad]


def limit_manifest(manifest: Manifest, paths: Collection[str], repo_id: str, commit: str) -> Manifest:
    """Give the manifest of just these files; `part_of` says what of."""
    parts = {part_of(path) for path in paths}
    splits = {split for _, split in parts}

    def kept(names: Iterable[str], present: Collection[str]) -> list[str]:
        return [name for name in names if name in present]

    records = {
        subset: {split: count for split, count in counts.items() if (subset, split) in parts}
        for subset, counts in manifest.get("records", {}).items()
    }
    options = dict(manifest.get("options", {}))
    for key, present in (("subsets", {folder for folder, _ in parts}), ("splits", splits)):
        if key in options:
            options[key] = kept(options[key], present)
    return manifest | {
        "options": options,
        "records": {subset: counts for subset, counts in records.items() if counts},
        "images": {split: count for split, count in manifest.get("images", {}).items() if split in splits},
        "files": [file for file in manifest["files"] if file["path"] in paths],
        "part_of": {"repo_id": repo_id, "revision": commit},
    }


def limit_card(card: bytes, paths: Collection[str], all_paths: Collection[str]) -> bytes:
    """Let the card declare only the configs and splits that these files make up whole.

    A config of several folders, such as `referring`, stays only where each folder that the dataset has for it is there:
    under its name stands what the Hub has under it, or nothing.
    """
    parts, all_parts = {part_of(path) for path in paths}, {part_of(path) for path in all_paths}

    def is_whole(config: str, split: str) -> bool:
        needed = {part for part in all_parts if part[0] in CONFIGS.get(config, ()) and part[1] == split}
        return bool(needed) and needed <= parts

    text = RepoCard(card.decode(), ignore_metadata_errors=True)
    configs = []
    for config in text.data.get("configs") or []:
        files = [entry for entry in config["data_files"] if is_whole(config["config_name"], entry["split"])]
        if files:
            configs.append(config | {"data_files": files})
    declared = {(config["config_name"], entry["split"]) for config in configs for entry in config["data_files"]}
    infos = text.data.get("dataset_info") or []
    kept_infos = []
    for info in infos if isinstance(infos, list) else [infos]:
        name = info.get("config_name", "default")
        if any(config == name for config, _ in declared):
            splits = [split for split in info.get("splits", []) if (name, split["name"]) in declared]
            # The sizes are those of all splits; without them datasets measures for itself.
            rest = {k: v for k, v in info.items() if k not in ("splits", "download_size", "dataset_size")}
            kept_infos.append(rest | ({"splits": splits} if splits else {}))
    text.data["configs"] = configs
    if kept_infos:
        text.data["dataset_info"] = kept_infos
    return str(text).encode()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    scratch = path.with_name(f".{path.name}.partial")
    scratch.write_bytes(content)
    scratch.replace(path)
