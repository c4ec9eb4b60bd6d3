"""What the Hub's dataset viewer demands of a dataset, one rule after the other.

The limits are those of the viewer's own settings: it copies Parquet files as they are while their row groups stay under
100 MB, refuses to scan more than 300 MB for a page of rows, and shows the first 100 rows of at most 1,000 columns.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import ClassLabel, Features, List, Value, get_dataset_config_names, load_dataset
from datasets import Image as ImageFeature
from datasets.data_files import DataFilesDict, sanitize_patterns
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard
from PIL import Image

from sarchat2m.schema import image_features, record_features, shard_schema
from sarchat2m.shards import ShardWriter
from sarchat2m.vocabulary import CATEGORIES, CONFIGS, SPLITS

SCAN_LIMIT = 300_000_000
ROW_GROUP_LIMIT_FOR_COPY = 100_000_000
DECODED_LIMIT = 300_000_000
ROWS_SHOWN = 100
COLUMNS_SHOWN = 1_000
CELLS_LIMIT = 1_000_000


def _resolved(built: Path) -> dict[tuple[str, str], list[Path]]:
    """Find the files of every config and split as the viewer does: by the patterns of the card."""
    found = {}
    for config, declared in MetadataConfigs.from_dataset_card_data(DatasetCard.load(built / "README.md").data).items():
        patterns = sanitize_patterns(declared["data_files"])
        for split, files in DataFilesDict.from_patterns(patterns, base_path=str(built)).items():
            found[config, str(split)] = [Path(file) for file in files]
    return found


@pytest.fixture(scope="module")
def files(built: Path) -> dict[tuple[str, str], list[Path]]:
    return _resolved(built)


@pytest.fixture(scope="module")
def shards(built: Path) -> list[Path]:
    return sorted(built.rglob("*.parquet"))


def _chunks(path: Path) -> Iterator[tuple[pq.RowGroupMetaData, pq.ColumnChunkMetaData]]:
    """Give every column chunk of a file with its row group."""
    metadata = pq.read_metadata(path)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for column in range(group.num_columns):
            yield group, group.column(column)


def test_configs_are_found_without_running_anything(built: Path) -> None:
    assert get_dataset_config_names(str(built)) == list(CONFIGS)
    assert not list(built.rglob("*.py"))


def test_names_of_configs_and_splits_have_allowed_characters_only(files: dict[tuple[str, str], list[Path]]) -> None:
    for config, split in files:
        assert re.fullmatch(r"[\w-]+", config)
        assert re.fullmatch(r"\w+(\.\w+)*", split)


def test_every_config_has_its_splits_and_every_split_a_file(files: dict[tuple[str, str], list[Path]]) -> None:
    assert list(files) == [(config, split) for config in CONFIGS for split in SPLITS]
    assert all(files.values())


def test_there_are_few_files_and_no_empty_one(shards: list[Path]) -> None:
    assert len(shards) < 10_000
    for path in shards:
        assert pq.read_metadata(path).num_rows > 0


def test_file_names_say_split_and_number_as_the_hub_writes_them(shards: list[Path]) -> None:
    for path in shards:
        assert re.fullmatch(rf"({'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.parquet", path.name)


def test_features_of_the_card_are_those_of_every_file(built: Path, files: dict[tuple[str, str], list[Path]]) -> None:
    infos = DatasetInfosDict.from_dataset_card_data(DatasetCard.load(built / "README.md").data)
    for (config, _), paths in files.items():
        for path in paths:
            assert Features.from_arrow_schema(pq.read_schema(path)) == infos[config].features


@pytest.mark.parametrize("features", [record_features(CATEGORIES), image_features(CATEGORIES)])
def test_every_column_is_of_a_kind_that_is_rendered(features: Features) -> None:
    assert len(features) < COLUMNS_SHOWN
    assert isinstance(features["image"], ImageFeature)
    assert isinstance(features["objects"], List)
    assert features["objects"].feature == {"bbox": List(Value("int32")), "category": ClassLabel(names=list(CATEGORIES))}
    assert all(isinstance(feature, Value) for name, feature in features.items() if name not in ("image", "objects"))


def test_row_groups_are_small_enough_to_be_copied_as_they_are(shards: list[Path]) -> None:
    for path in shards:
        for group, _ in _chunks(path):
            assert group.total_byte_size < ROW_GROUP_LIMIT_FOR_COPY


def test_every_column_has_a_page_index(shards: list[Path]) -> None:
    for path in shards:
        for _, chunk in _chunks(path):
            assert chunk.has_offset_index
            if not chunk.path_in_schema.startswith("image."):
                assert chunk.has_column_index


def test_an_image_is_stored_once_per_row_group_and_uncompressed(shards: list[Path]) -> None:
    for path in shards:
        with pq.ParquetFile(path) as parquet:
            images = parquet.read_row_group(0, columns=["image.bytes"])["image"].combine_chunks().field("bytes")
        distinct = sum(len(image) for image in images.unique().to_pylist())
        group = pq.read_metadata(path).row_group(0)
        (chunk,) = (
            group.column(leaf)
            for leaf in range(group.num_columns)
            if group.column(leaf).path_in_schema == "image.bytes"
        )
        assert chunk.compression == "UNCOMPRESSED"
        assert chunk.total_compressed_size < 1.02 * distinct + 1_000


class _Counting(io.FileIO):
    """A file that counts what is read from it."""

    count = 0

    def read(self, size: int = -1, /) -> bytes:
        content = super().read(size)
        self.count += len(content)
        return content


def test_the_first_rows_of_every_config_are_within_the_scan_limit(files: dict[tuple[str, str], list[Path]]) -> None:
    for (config, split), paths in files.items():
        rows = scanned = 0
        for path in paths:
            with _Counting(path) as stream, pq.ParquetFile(pa.PythonFile(stream)) as parquet:
                for group in range(parquet.num_row_groups):
                    if rows < ROWS_SHOWN:
                        table = parquet.read_row_group(group)
                        rows += table.num_rows
                        assert table.nbytes < DECODED_LIMIT, (config, split)
                scanned += stream.count
            if rows >= ROWS_SHOWN:
                break
        assert 0 < scanned < SCAN_LIMIT, (config, split)


@pytest.mark.parametrize("config", list(CONFIGS))
def test_the_first_rows_are_streamed_and_rendered(built: Path, config: str) -> None:
    data = load_dataset(str(built), config, split="test", streaming=True)
    rows = list(data.take(5))
    assert rows
    cells = 0
    for row in rows:
        image = row.pop("image")
        assert isinstance(image, Image.Image)
        assert image.size == (row["width"], row["height"])
        image.convert("RGB").save(io.BytesIO(), "JPEG")  # how the viewer shows it
        cells += len(json.dumps(row).encode())
        for target in row["objects"]:
            assert data.features["objects"].feature["category"].int2str(target["category"]) in CATEGORIES
            assert len(target["bbox"]) == 4
    assert cells < CELLS_LIMIT


def test_rows_further_down_are_read_from_their_row_group_alone(files: dict[tuple[str, str], list[Path]]) -> None:
    path = max(files["identification_multi", "train"], key=lambda path: path.stat().st_size)
    metadata = pq.read_metadata(path)
    with _Counting(path) as stream, pq.ParquetFile(pa.PythonFile(stream), metadata=metadata) as parquet:
        before = stream.count
        parquet.read_row_group(0, columns=["id", "question", "answer"])
        text = stream.count - before
        parquet.read_row_group(0)
        everything = stream.count - before - text
    assert text < everything / 5, "text is shown without reading images"


def test_large_images_make_row_groups_within_the_limits(tmp_path: Path) -> None:
    # The demo's images are small: here are the largest that one may meet, each with many records.
    from sarchat2m.dialogues.record import Record
    from sarchat2m.scene import Scene, Target

    target = Target.of(0, 0, (10, 10, 60, 60), True, 800, 800)
    with (tmp_path / "big.parquet").open("wb") as sink:
        writer = ShardWriter(sink, "identification_multi", shard_schema("identification_multi", CATEGORIES))
        for number in range(7):
            scene = Scene("train", number, f"{number}.png", 800, 800, (target,))
            image = number.to_bytes(1, "big") * 5_000_000
            rows = [Record(f"{number}/{k}", "identification_multi", "Q", "A", (target,)) for k in range(30)]
            writer.add(scene, image, rows)
        writer.close()
    with pq.ParquetFile(tmp_path / "big.parquet") as parquet:
        assert parquet.metadata.num_rows == 210
        for number in range(parquet.num_row_groups):
            assert parquet.metadata.row_group(number).total_byte_size < ROW_GROUP_LIMIT_FOR_COPY
            assert parquet.read_row_group(number).nbytes < DECODED_LIMIT
