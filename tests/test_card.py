"""The dataset card: metadata that the Hub and `datasets` accept, and a text whose numbers are the data's."""

from __future__ import annotations

import json
import logging
import re
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import datasets
import mlcroissant
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Features, Image, Value, get_dataset_config_info, load_dataset
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard

from sarchat2m.build import build
from sarchat2m.card import write_card
from sarchat2m.errors import SARChatError
from sarchat2m.paper import records_table5
from sarchat2m.schema import features_of
from sarchat2m.vocabulary import CATEGORIES, CONFIGS, SPLITS, SUBSETS, TASKS


@pytest.fixture(scope="module")
def card(built: Path) -> DatasetCard:
    return DatasetCard.load(built / "README.md")


@pytest.fixture(scope="module")
def manifest(built: Path) -> dict[str, Any]:
    return json.loads((built / "manifest.json").read_text())


@pytest.fixture
def copy(built: Path, tmp_path: Path) -> Path:
    return shutil.copytree(built, tmp_path / "copy")


def _records(manifest: dict[str, Any], config: str, split: str) -> int:
    counts = manifest["records"] | {"images": manifest["images"]}
    return sum(counts[folder][split] for folder in CONFIGS[config])


# Metadata -------------------------------------------------------------------------------------------------------------


def test_all_configs_are_declared_in_order_and_one_is_the_default(card: DatasetCard) -> None:
    configs = MetadataConfigs.from_dataset_card_data(card.data)
    assert list(configs) == list(CONFIGS)
    assert configs.get_default_config_name() == "classification"


def test_files_are_declared_as_lists_of_patterns_that_match_them(card: DatasetCard, manifest: dict[str, Any]) -> None:
    for config, declared in MetadataConfigs.from_dataset_card_data(card.data).items():
        assert [entry["split"] for entry in declared["data_files"]] == list(SPLITS)
        for entry in declared["data_files"]:
            assert isinstance(entry["path"], list)
            places = tuple(f"data/{folder}/{entry['split']}-" for folder in CONFIGS[config])
            expected = {file["path"] for file in manifest["files"] if file["path"].startswith(places)}
            found = {
                file["path"]
                for file in manifest["files"]
                for pattern in entry["path"]
                if fnmatch(file["path"], pattern)
            }
            assert found == expected


def test_dataset_info_states_features_and_records(
    card: DatasetCard, manifest: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        infos = DatasetInfosDict.from_dataset_card_data(card.data)
    assert not caplog.records, "datasets says what it does not understand"
    assert list(infos) == list(CONFIGS)
    for config, info in infos.items():
        assert info.features == features_of("images" if config == "images" else SUBSETS[0], CATEGORIES)
        assert {name: split.num_examples for name, split in info.splits.items()} == {
            split: _records(manifest, config, split) for split in SPLITS
        }
        assert info.download_size == sum(split.num_bytes for split in info.splits.values())


def test_features_are_those_of_the_files(card: DatasetCard, built: Path) -> None:
    infos = DatasetInfosDict.from_dataset_card_data(card.data)
    for config, info in infos.items():
        path = next((built / "data" / CONFIGS[config][0]).iterdir())
        assert Features.from_arrow_schema(pq.read_schema(path)) == info.features


def test_the_metadata_is_plain_yaml_that_every_reader_takes(built: Path) -> None:
    # datasets 3.6 knows no `List`, and anchors would be the same object written once.
    block = (built / "README.md").read_text().split("---")[1]
    assert "&id" not in block
    assert "List" not in block
    assert "sequence" not in block


def test_what_the_hub_shows_and_searches_by(card: DatasetCard, manifest: dict[str, Any]) -> None:
    data = card.data.to_dict()
    assert data["license"] == "other"
    assert re.fullmatch(r"[a-z0-9-.]+", data["license_name"])
    assert data["license_link"].startswith("https://")
    assert data["language"] == ["en"]
    records = sum(sum(counts.values()) for counts in manifest["records"].values())
    assert 1_000 < records < 10_000
    assert data["size_categories"] == ["1K<n<10K"]
    assert data["pretty_name"] == "SARChat-2M"
    known = {"visual-question-answering", "image-text-to-text", "image-to-text", "object-detection"}
    assert set(data["task_categories"]) == known


@pytest.mark.parametrize("config", list(CONFIGS))
def test_every_config_opens_by_its_name_alone(built: Path, config: str, manifest: dict[str, Any]) -> None:
    info = get_dataset_config_info(str(built), config)
    assert {name: split.num_examples for name, split in info.splits.items()} == {
        split: _records(manifest, config, split) for split in SPLITS
    }


def test_the_default_config_opens_without_a_name(built: Path, tmp_path: Path) -> None:
    data = load_dataset(str(built), split="test", cache_dir=str(tmp_path))
    assert set(data["task"]) == {"classification"}
    assert len(set(data["image_id"])) == len(data)


def _tree(root: Path, boxes: list[list[list[float]]]) -> Path:
    """Write a source with the split train alone: an image for each list of boxes, all of the category "ferry"."""
    from PIL import Image as Picture

    (root / "Annotations").mkdir(parents=True)
    (root / "JPEGImages").mkdir()
    images = [{"id": i, "file_name": f"{i}.png", "width": 100, "height": 100} for i in range(len(boxes))]
    annotations = [
        {"id": 100 * i + k, "image_id": i, "category_id": 1, "bbox": box}
        for i, b in enumerate(boxes)
        for k, box in enumerate(b)
    ]
    coco = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "ferry"}]}
    (root / "Annotations" / "train.json").write_text(json.dumps(coco))
    for image in images:
        Picture.new("L", (100, 100), 40).save(root / "JPEGImages" / image["file_name"])
    return root


def test_what_has_no_record_is_not_declared_and_the_rest_loads(tmp_path: Path) -> None:
    # Images under 224 pixels have no description, single scenes no _multi subset, and there is one split.
    build(_tree(tmp_path / "source", [[[10, 10, 20, 30]], [[5, 5, 50, 50]], []]), tmp_path / "out")
    configs = MetadataConfigs.from_dataset_card_data(DatasetCard.load(tmp_path / "out" / "README.md").data)
    missing = {"description", "grounding_multi", "identification_multi", "referring_multi"}
    assert set(configs) == set(CONFIGS) - missing
    for config, declared in configs.items():
        assert [entry["split"] for entry in declared["data_files"]] == ["train"]
        data = load_dataset(str(tmp_path / "out"), config, cache_dir=str(tmp_path / "cache"))
        assert list(data) == ["train"]
    assert data["train"].num_rows == 3
    text = (tmp_path / "out" / "README.md").read_text()
    assert "2 targets of ferries" in text
    assert "Images without any target left: 1." in text


def test_a_source_without_any_target_still_has_its_images(tmp_path: Path) -> None:
    build(_tree(tmp_path / "source", [[], []]), tmp_path / "out")
    configs = MetadataConfigs.from_dataset_card_data(DatasetCard.load(tmp_path / "out" / "README.md").data)
    assert list(configs) == ["images"]
    assert load_dataset(str(tmp_path / "out"), split="train", cache_dir=str(tmp_path / "c"))["objects"] == [[], []]


# Text -----------------------------------------------------------------------------------------------------------------


def _tables(text: str) -> list[list[list[str]]]:
    """Read the tables of a Markdown text: rows of cells, the header first."""
    blocks = re.findall(r"(?:^\|.*\|\n)+", text, re.MULTILINE)
    rows = [[[cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines()] for block in blocks]
    return [[header, *body] for header, _, *body in rows]


def test_no_field_of_the_template_is_left(card: DatasetCard) -> None:
    assert not re.search(r"\$\w", card.text)
    assert "\n\n\n\n" not in card.text


def test_the_records_table_is_the_manifests(card: DatasetCard, manifest: dict[str, Any]) -> None:
    table = next(table for table in _tables(card.text) if table[0][0] == "config")
    assert table[0] == ["config", *SPLITS, "sum"]
    found = {row[0].strip("`"): [int(cell.replace(",", "")) for cell in row[1:]] for row in table[1:]}
    assert list(found) == [*SUBSETS, "all"]
    for config, numbers in found.items():
        counts = [_records(manifest, config, split) for split in SPLITS]
        assert numbers == [*counts, sum(counts)]


def test_the_papers_table_stands_beside_our_counts(card: DatasetCard, manifest: dict[str, Any]) -> None:
    table = next(table for table in _tables(card.text) if table[0][:2] == ["task", "train, here"])
    for task, *cells in table[1:]:
        numbers = [int(cell.replace(",", "")) for cell in (cells[0], cells[1], cells[3], cells[4])]
        here = [_records(manifest, task, split) for split in ("train", "test")]
        paper = records_table5()[task]
        assert numbers == [here[0], paper["train"], here[1], paper["test"]]
        assert cells[2] == f"{100 * (here[0] / paper['train'] - 1):+.1f} %"
    assert [row[0] for row in table[1:]] == list(TASKS)


def test_a_part_of_the_source_is_not_called_the_whole(card: DatasetCard) -> None:
    assert "not the whole dataset" in card.text
    assert "These are all images of SARDet-100K" not in card.text


def test_the_records_shown_are_records_of_the_data(card: DatasetCard, built: Path, tmp_path: Path) -> None:
    shown = re.findall(r"\*\*(\w+)\*\* \(`(.+?)`\)\n\n```text\nQ: (.+)\nA: (.+)\n```", card.text)
    assert [task for task, *_ in shown] == list(TASKS)
    data = load_dataset(
        str(built), "all", split="test", columns=["id", "task", "question", "answer"], cache_dir=str(tmp_path)
    )
    rows = {row["id"]: row for row in data}
    for task, record_id, question, answer in shown:
        assert rows[record_id] == {"id": record_id, "task": task, "question": question, "answer": answer}


def test_the_code_to_load_runs(card: DatasetCard, built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.+?)```", card.text, re.DOTALL)
    monkeypatch.chdir(built.parent)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["data"][0]["question"].startswith("[refer] ")


def test_it_is_written_again_the_same_and_leaves_nothing_else(copy: Path) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    write_card(copy)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    assert sorted(path.name for path in copy.iterdir()) == ["README.md", "data", "manifest.json"]


def test_a_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match=r"manifest\.json"):
        write_card(tmp_path)
    assert not list(tmp_path.iterdir())


def test_statistics_are_shown_where_there_are_some(card: DatasetCard, with_figures: Path) -> None:
    assert "## Statistics" not in card.text
    text = (with_figures / "README.md").read_text()
    assert "## Statistics" in text
    links = re.findall(r"\]\((figures/.+?)\)", text)
    assert {Path(link).suffix for link in links} == {".png", ".csv"}
    assert {link for link in links if link.endswith(".png")} == {
        f"figures/{path.name}" for path in (with_figures / "figures").glob("*.png")
    }
    for link in links:
        assert (with_figures / link).stat().st_size > 0
    for table in _tables(text):
        assert len({len(row) for row in table}) == 1
    by_category = next(table for table in _tables(text) if table[0][:2] == ["split", "category"] and len(table[0]) > 5)
    assert by_category[0] == [
        "split",
        "category",
        "instances",
        "mean",
        "median",
        "std",
        "broad %",
        "square %",
        "tall %",
    ]
    assert re.fullmatch(r"[\d.]+ \(1\.340, [+-][\d.]+\)", by_category[1][3])
    assert load_dataset(str(with_figures), "counting", split="test", streaming=True).features  # it still opens


# Croissant ------------------------------------------------------------------------------------------------------------

_TYPES = {"string": "sc:Text", "int32": "cr:Int32", "int64": "cr:Int64"}


def _field(file_set: str, name: str, column: str, feature: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Describe a column as the Hub does in the Croissant metadata that it makes of a dataset's features."""
    if isinstance(feature, datasets.List):
        return _field(file_set, name, column, feature.feature, path) | {"isArray": True, "arrayShape": "-1"}
    if isinstance(feature, dict):
        parts = [_field(file_set, f"{name}/{key}", column, part, (*path, key)) for key, part in feature.items()]
        return {"@type": "cr:Field", "@id": name, "subField": parts}
    kinds = {Image: "sc:ImageObject", ClassLabel: "sc:Integer"}
    steps = [{"jsonPath": key} for key in (*path, *(["bytes"] if isinstance(feature, Image) else []))]
    source: dict[str, Any] = {"fileSet": {"@id": file_set}, "extract": {"column": column}}
    if steps:
        source["transform"] = steps[0] if len(steps) == 1 else steps
    kind = _TYPES[feature.dtype] if isinstance(feature, Value) else kinds[type(feature)]
    return {"@type": "cr:Field", "@id": name, "dataType": kind, "source": source}


def _croissant(built: Path) -> dict[str, Any]:
    """Make the metadata that the Hub makes of the card's configs and features; the repository is the folder."""
    card = DatasetCard.load(built / "README.md")
    infos = DatasetInfosDict.from_dataset_card_data(card.data)
    distribution: list[dict[str, Any]] = [
        {
            "@type": "cr:FileObject",
            "@id": "repo",
            "name": "repo",
            "contentUrl": "https://huggingface.co/datasets/org/sarchat2m",
            "encodingFormat": "git+https",
            "sha256": "https://github.com/mlcommons/croissant/issues/80",
        }
    ]
    record_sets = []
    for config, declared in MetadataConfigs.from_dataset_card_data(card.data).items():
        file_set = f"parquet-files-for-config-{config}"
        distribution.append(
            {
                "@type": "cr:FileSet",
                "@id": file_set,
                "containedIn": {"@id": "repo"},
                "encodingFormat": "application/x-parquet",
                "includes": [pattern for entry in declared["data_files"] for pattern in entry["path"]],
            }
        )
        splits = [entry["split"] for entry in declared["data_files"]]
        record_sets.append(
            {
                "@type": "cr:RecordSet",
                "@id": f"{config}_splits",
                "dataType": "cr:Split",
                "key": {"@id": f"{config}_splits/split_name"},
                "field": [{"@type": "cr:Field", "@id": f"{config}_splits/split_name", "dataType": "sc:Text"}],
                "data": [{f"{config}_splits/split_name": split} for split in splits],
            }
        )
        split_field = {
            "@type": "cr:Field",
            "@id": f"{config}/split",
            "dataType": "sc:Text",
            "source": {
                "fileSet": {"@id": file_set},
                "extract": {"fileProperty": "fullpath"},
                "transform": {"regex": f"data/[^/]+/({'|'.join(splits)})-.+parquet$"},
            },
            "references": {"field": {"@id": f"{config}_splits/split_name"}},
        }
        fields = [
            _field(file_set, f"{config}/{column}", column, feature)
            for column, feature in infos[config].features.items()
        ]
        record_sets.append({"@type": "cr:RecordSet", "@id": config, "field": [split_field, *fields]})
    keys = (
        "arrayShape citeAs column extract field fileProperty fileObject fileSet format includes isArray jsonPath "
        "key md5 parentField path recordSet references regex repeated replace separator source subField transform"
    )
    context = {key: f"cr:{key}" for key in keys.split()} | {
        "@language": "en",
        "@vocab": "https://schema.org/",
        "conformsTo": "dct:conformsTo",
        "cr": "http://mlcommons.org/croissant/",
        "data": {"@id": "cr:data", "@type": "@json"},
        "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
        "dct": "http://purl.org/dc/terms/",
        "sc": "https://schema.org/",
    }
    data = card.data.to_dict()
    return {
        "@context": context,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": "sarchat2m",
        "description": data["pretty_name"],
        "license": data["license_link"],
        "url": "https://huggingface.co/datasets/org/sarchat2m",
        "version": "1.0.0",
        "datePublished": "2025-01-01",
        "creator": {"@type": "Organization", "name": "org"},
        "citeAs": "ma2025sarchat",
        "distribution": distribution,
        "recordSet": record_sets,
    }


def test_croissant_metadata_made_of_the_card_is_valid(built: Path) -> None:
    made = mlcroissant.Dataset(_croissant(built))
    issues = made.metadata.ctx.issues
    assert not issues.errors, issues.report()
    record_sets = {record_set.uuid for record_set in made.metadata.record_sets}
    assert record_sets == {name for config in CONFIGS for name in (config, f"{config}_splits")}


def test_croissant_reads_the_records(copy: Path, tmp_path: Path) -> None:
    # Where the Hub names its repository, the files lie beside the metadata: nothing is fetched.
    made = _croissant(copy)
    made["distribution"] = [
        {key: value for key, value in entry.items() if key != "containedIn"} for entry in made["distribution"][1:]
    ]
    (copy / "croissant.json").write_text(json.dumps(made))
    data = mlcroissant.Dataset(copy / "croissant.json")
    expected = load_dataset(str(copy), "referring_multi", cache_dir=str(tmp_path / "cache"))
    rows = {row["id"]: row | {"split": split} for split in expected for row in expected[split]}
    seen = 0
    for record in data.records("referring_multi"):
        found = {name.rpartition("/")[2]: value for name, value in record.items()}
        row = rows[found["id"].decode()]
        for column in ("split", "task", "subset", "question", "answer"):
            assert found[column].decode() == row[column]
        for column in ("image_id", "width", "height"):
            assert found[column] == row[column]
        assert found["image"].size == row["image"].size == (row["width"], row["height"])
        assert [
            {
                "bbox": [int(v) for v in target["referring_multi/objects/bbox"]],
                "category": target["referring_multi/objects/category"],
            }
            for target in found["objects"]
        ] == row["objects"]
        seen += 1
    assert seen == len(rows)
