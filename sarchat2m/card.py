"""The dataset card, `README.md`: the YAML that makes a folder of Parquet files a dataset, and a text for strangers.

Everything in it that is a number comes from the manifest, from the shards, or from what `statistics` counted.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from string import Template
from typing import Any

from huggingface_hub import DatasetCardData

from sarchat2m.errors import SARChatError
from sarchat2m.locations import card_template_path
from sarchat2m.paper import records_table5
from sarchat2m.schema import features_of
from sarchat2m.statistics import example_records
from sarchat2m.storage import Folder
from sarchat2m.vocabulary import CONFIGS, SPLITS, SUBSETS, SUBSETS_OF_TASK, plural

__all__ = ["card_data", "write_card"]

Manifest = dict[str, Any]

_SARDET_IMAGES = {"train": 94_493, "validation": 10_492, "test": 11_613}

_SIZES = (
    (10**3, "n<1K"),
    (10**4, "1K<n<10K"),
    (10**5, "10K<n<100K"),
    (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
    (10**8, "10M<n<100M"),
)


def write_card(dataset: str | os.PathLike[str], figures: str | None = "figures") -> None:
    """Write `README.md` into a built folder, from its manifest and its shards.

    Args:
        dataset: The folder; a path, or a URL that fsspec knows. It must have its manifest.
        figures: The name of the folder in it that `statistics.write_statistics` filled; its tables and figures are
            shown in the card. None, or a folder that is not there: the card goes without.

    Raises:
        SARChatError: There is no manifest.
    """
    folder = Folder(dataset)
    content = folder.read("manifest.json")
    if content is None:
        raise SARChatError(f"{folder.url} is no built dataset (it has no manifest.json); build one: sarchat2m build.")
    manifest: Manifest = json.loads(content)
    text = Template(card_template_path().read_text(encoding="utf-8")).substitute(_fields(folder, manifest, figures))
    is_building = bool(folder.names(Folder.WORKSHOP))
    folder.write("README.md", f"---\n{card_data(manifest).to_yaml()}\n---\n\n{text}".encode())
    if not is_building:
        folder.remove(Folder.WORKSHOP)


# The metadata ---------------------------------------------------------------------------------------------------------


def card_data(manifest: Manifest) -> DatasetCardData:
    """Give the YAML block of the card: what the Hub shows, and what `load_dataset` needs to open the folder.

    A config or split without a record is left out, since declaring it would make loading fail. The features stand here
    too, in a form that datasets 3.6 and 5 read alike.
    """
    records = sum(sum(counts.values()) for counts in manifest["records"].values())
    parts = _parts(manifest)
    return DatasetCardData(
        pretty_name="SARChat-2M",
        language=["en"],
        license="other",
        license_name="images-as-their-sources",
        license_link="https://github.com/zcablii/SARDet_100K",
        annotations_creators=["machine-generated"],
        language_creators=["machine-generated"],
        multilinguality=["monolingual"],
        size_categories=[next((name for limit, name in _SIZES if records < limit), "100M<n<1B")],
        task_categories=["visual-question-answering", "image-text-to-text", "image-to-text", "object-detection"],
        tags=["sar", "synthetic-aperture-radar", "remote-sensing", "earth-observation", "vision-language", "grounding"],
        configs=_configs(parts),
        dataset_info=_dataset_info(parts, manifest["categories"]),
    )


Parts = dict[str, dict[str, list[dict[str, Any]]]]
"""The manifest's entries of files, by config and split; configs in the order of `CONFIGS`, none of them empty."""


def _parts(manifest: Manifest) -> Parts:
    def files(config: str, split: str) -> list[dict[str, Any]]:
        places = [f"/{folder}/{split}-" for folder in CONFIGS[config]]
        return [file for place in places for file in manifest["files"] if place in file["path"]]

    parts = {c: {s: found for s in SPLITS if (found := files(c, s))} for c in CONFIGS}
    return {config: splits for config, splits in parts.items() if splits}


def _globs(files: Iterable[dict[str, Any]]) -> list[str]:
    """Name the files by one pattern a folder, such as "data/counting/train-*.parquet"."""
    places = [PurePosixPath(file["path"]) for file in files]
    return list(dict.fromkeys(f"{place.parent}/{place.name.partition('-')[0]}-*.parquet" for place in places))


def _configs(parts: Parts) -> list[dict[str, Any]]:
    # The first config is what opens without a name: classification, whose records are one to an image.
    first = next(iter(parts), None)
    return [
        {"config_name": config, "data_files": [{"split": s, "path": _globs(files)} for s, files in splits.items()]}
        | ({"default": True} if config == first else {})
        for config, splits in parts.items()
    ]


def _dataset_info(parts: Parts, categories: Sequence[str]) -> list[dict[str, Any]]:
    # Sizes are those of the files, where an image is stored once per row group however many records are about it.
    return [
        {
            "config_name": config,
            "features": features_of(config, categories)._to_yaml_list(),
            "splits": [
                {"name": split, "num_bytes": _sum(files, "bytes"), "num_examples": _sum(files, "records")}
                for split, files in splits.items()
            ],
            "download_size": (size := sum(_sum(files, "bytes") for files in splits.values())),
            "dataset_size": size,
        }
        for config, splits in parts.items()
    ]


def _sum(files: Iterable[dict[str, Any]], what: str) -> int:
    return sum(file[what] for file in files)


# The text -------------------------------------------------------------------------------------------------------------


def _table(header: Sequence[str], rows: Iterable[Iterable[Any]], numbers_from: int = 1) -> str:
    """Write a table in Markdown; columns from `numbers_from` on hold numbers."""

    def line(cells: Iterable[Any]) -> str:
        return f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else str(cell) for cell in cells)} |"

    rule = ["---" if i < numbers_from else "---:" for i in range(len(header))]
    return "\n".join(line(cells) for cells in (header, rule, *rows))


def _fields(folder: Folder, manifest: Manifest, figures: str | None) -> dict[str, str]:
    parts = _parts(manifest)
    splits = [split for split in SPLITS if any(split in by_split for by_split in parts.values())]
    source = manifest["source"]["splits"]
    config = "referring" if "referring" in parts else next(iter(parts))
    words = [plural(name) for name in manifest["categories"]]
    statistics = _statistics(folder, figures)
    return {
        "pretty_name": "SARChat-2M",
        "version": manifest["sarchat2m"],
        "seed": str(manifest["seed"]),
        "records": f"{sum(sum(counts.values()) for counts in manifest['records'].values()):,}",
        "images": f"{sum(manifest['images'].values()):,}",
        "targets": f"{sum(split['usable'] for split in source.values()):,}",
        "categories": f"{len(words)} categories ({', '.join(words)})" if len(words) > 1 else words[0],
        "is_full": _is_full(manifest["images"]),
        "overview": _picture(statistics, figures, "overview"),
        "records_table": _records_table(parts, splits),
        "images_row": f"The config `images` has {_in_splits(manifest['images'])}.",
        "merged": ", ".join(f"`{name}`" for name in parts if name not in (*SUBSETS, "images")),
        "example_name": "sarchat2m",
        "example_config": config,
        "example_split": next(iter(parts[config])),
        "load_lines": _load_lines(parts),
        "examples": _examples(folder, manifest, statistics, figures),
        "statistics": _statistics_section(folder, statistics, figures),
        "table5": _table5(manifest),
        "unusual": _unusual(source, manifest["skipped"]),
    }


def _is_full(images: dict[str, int]) -> str:
    if images == _SARDET_IMAGES:
        return "These are all images of SARDet-100K."
    return (
        f"SARDet-100K has {sum(_SARDET_IMAGES.values()):,} images, so this is **not the whole dataset**, but a build "
        "from a part of it or from another source."
    )


def _in_splits(counts: dict[str, int]) -> str:
    return f"{sum(counts.values()):,} rows ({', '.join(f'{split} {count:,}' for split, count in counts.items())})"


def _records_table(parts: Parts, splits: Sequence[str]) -> str:
    def count(config: str, split: str) -> int:
        return _sum(parts[config].get(split, []), "records")

    rows = [
        (f"`{config}`", *(count(config, split) for split in splits), sum(count(config, split) for split in splits))
        for config in parts
        if config in SUBSETS or config == "all"
    ]
    return _table(("config", *splits, "sum"), rows)


def _load_lines(parts: Parts) -> str:
    notes = {
        "images": "every image once, with all its targets",
        "all": "all subsets together",
    }
    lines = []
    for task, subsets in SUBSETS_OF_TASK.items():
        names = [name for name in dict.fromkeys((task, *subsets)) if name in parts]
        if names:
            lines.append(f"- {task}: {', '.join(f'`{name}`' for name in names)}")
    return "\n".join(lines + [f"- {note}: `{name}`" for name, note in notes.items() if name in parts])


def _examples(folder: Folder, manifest: Manifest, statistics: dict[str, Any], figures: str | None) -> str:
    blocks = []
    for task, example in example_records(folder.url, manifest).items():
        picture = _picture(statistics, figures, f"record_{task}")
        blocks.append(
            f"**{task}** (`{example.id}`)\n\n{picture}```text\nQ: {example.question}\nA: {example.answer}\n```\n"
        )
    return "\n".join(blocks).rstrip()


def _table5(manifest: Manifest) -> str:
    published = records_table5()
    counted = manifest["records"]
    rows = []
    for task, subsets in SUBSETS_OF_TASK.items():
        row: list[Any] = [task]
        for split in ("train", "test"):
            built = sum(counted.get(subset, {}).get(split, 0) for subset in subsets)
            paper = published[task][split]
            row += [built, paper, f"{100 * (built - paper) / paper:+.1f} %"]
        rows.append(row)
    header = [f"{split}, {what}" for split in ("train", "test") for what in ("here", "paper", "difference")]
    return f"Records by task, beside the paper's Table 5:\n\n{_table(('task', *header), rows)}"


def _unusual(source: dict[str, dict[str, Any]], skipped: Sequence[str]) -> str:
    def total(what: str) -> int:
        return sum(split.get(what, 0) for split in source.values())

    sentence = (
        f"Of the source's {total('annotations'):,} annotations {total('usable'):,} are used. Left out are "
        f"{total('crowd'):,} marked as crowds, {total('ignored'):,} marked to be ignored, and {total('unusable'):,} "
        "boxes with less than one pixel of width or height within the image. Images without any target left: "
        f"{total('images_without_targets'):,}."
    )
    if skipped:
        sentence += f" Images were left out for {len(skipped):,} problems, which `manifest.json` lists."
    return sentence + "\n"


def _statistics(folder: Folder, figures: str | None) -> dict[str, Any]:
    """Read what `write_statistics` says of its output: title of every table, caption of every figure, by file name."""
    content = folder.read(f"{figures}/statistics.json") if figures else None
    found: dict[str, Any] = json.loads(content) if content else {"tables": {}, "figures": {}}
    return found


def _picture(statistics: dict[str, Any], figures: str | None, name: str) -> str:
    caption = statistics["figures"].get(name)
    return "" if caption is None else f"![{caption}]({figures}/{name}.png)\n\n"


def _statistics_section(folder: Folder, statistics: dict[str, Any], figures: str | None) -> str:
    blocks = []
    for name, title in statistics["tables"].items():
        header, *rows = csv.reader((folder.read(f"{figures}/{name}.csv") or b"").decode().splitlines())
        if "quantity" in header:
            header, rows = _side_by_side(header, rows)
        names = sum(column in ("split", "category", "task") for column in header)
        blocks.append(f"{title}\n\n{_table(header, [map(_with_commas, row) for row in rows], names)}\n")
    for name, caption in statistics["figures"].items():
        if name != "overview" and not name.startswith("record_"):
            blocks.append(f"{_picture(statistics, figures, name)}{caption} [Numbers]({figures}/{name}.csv)\n")
    return "## Statistics\n\n" + "\n".join(blocks) + "\n" if blocks else ""


def _side_by_side(header: list[str], rows: list[list[str]]) -> tuple[list[str], list[list[str]]]:
    """Give every quantity a column of its own, with the paper's number and the difference in brackets."""
    names = header.index("quantity")
    quantities = list(dict.fromkeys(row[names] for row in rows))
    cells: dict[tuple[str, ...], dict[str, str]] = {}
    for row in rows:
        here, published, difference = map(_with_commas, row[names + 1 :])
        beside = f" ({published}, {difference})" if published else ""
        cells.setdefault(tuple(row[:names]), {})[row[names]] = here + beside
    wide = [[*key, *(by_quantity.get(quantity, "") for quantity in quantities)] for key, by_quantity in cells.items()]
    return [*header[:names], *quantities], wide


def _with_commas(cell: str) -> str:
    return f"{int(cell):,}" if cell.lstrip("-").isdigit() else cell
