"""The build: what is in the files, that nothing is lost on the way, and that only whole files carry a name."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sources import write_source

from sarchat2m.build import Options, build, read_manifest
from sarchat2m.errors import SARChatError
from sarchat2m.shards import DECODED_LIMIT, DISTINCT_LIMIT
from sarchat2m.source import read_source
from sarchat2m.vocabulary import SPLITS, SUBSETS

SMALL_SHARDS = Options(shard_bytes=1_000_000)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def undisturbed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed") / "out"
    build(source, folder, SMALL_SHARDS)
    return folder


def shards(folder: Path, subset: str = "*") -> list[Path]:
    return sorted(folder.glob(f"data/{subset}/*.parquet"))


# What is in the files


def test_every_subset_and_split_is_there(undisturbed: Path) -> None:
    manifest = read_manifest(undisturbed)
    assert list(manifest["records"]) == list(SUBSETS)
    for subset in (*SUBSETS, "images"):
        for split in SPLITS:
            files = sorted(undisturbed.glob(f"data/{subset}/{split}-*.parquet"))
            names = [f"{split}-{i:05d}-of-{len(files):05d}.parquet" for i in range(len(files))]
            assert files
            assert [file.name for file in files] == names
    assert any(len(list(undisturbed.glob(f"data/{subset}/train-*"))) > 1 for subset in SUBSETS)


def test_manifest_tells_what_is_there(undisturbed: Path, source: Path) -> None:
    manifest = read_manifest(undisturbed)
    rows: Counter[tuple[str, str]] = Counter()
    for file in manifest["files"]:
        path = undisturbed / file["path"]
        content = path.read_bytes()
        assert (len(content), sha256(content).hexdigest()) == (file["bytes"], file["sha256"])
        assert pq.ParquetFile(path).metadata.num_rows == file["records"] > 0
        rows[path.parent.name, path.name.partition("-")[0]] += file["records"]
    assert {file["path"] for file in manifest["files"]} == {
        str(p.relative_to(undisturbed)) for p in shards(undisturbed)
    }
    assert rows == {
        (subset, split): count
        for subset, counts in (manifest["records"] | {"images": manifest["images"]}).items()
        for split, count in counts.items()
    }
    assert manifest["source"]["fingerprint"] == read_source(source).fingerprint
    assert manifest["seed"] == 0


def test_nothing_else_lies_in_the_folder(undisturbed: Path) -> None:
    assert sorted(path.name for path in undisturbed.iterdir()) == ["README.md", "data", "manifest.json"]


def test_images_are_the_bytes_of_their_files(undisturbed: Path, source: Path) -> None:
    content = read_source(source)
    for name, split in content.splits.items():
        files = {
            scene.image_id: (scene, Path(path).read_bytes())
            for scene, path in zip(split.scenes, split.paths, strict=True)
        }
        seen = set()
        for path in undisturbed.glob(f"data/*/{name}-*.parquet"):
            for row in pq.read_table(path, columns=["image", "image_id", "width", "height"]).to_pylist():
                scene, content_of_file = files[row["image_id"]]
                assert row["image"] == {"bytes": content_of_file, "path": scene.file_name}
                assert (row["width"], row["height"]) == (scene.width, scene.height)
                seen.add(row["image_id"])
        assert seen == set(files)


def test_row_groups_keep_each_image_once_and_within_limits(undisturbed: Path) -> None:
    for path in shards(undisturbed):
        file = pq.ParquetFile(path)
        for group in range(file.metadata.num_row_groups):
            images = [image["bytes"].as_py() for image in file.read_row_group(group, columns=["image"])["image"]]
            distinct = sum(len(image) for image in set(images))
            assert distinct <= DISTINCT_LIMIT
            assert sum(len(image) for image in images) <= DECODED_LIMIT
            column = next(c for c in columns(file, group) if c.path_in_schema == "image.bytes")
            assert column.compression == "UNCOMPRESSED"
            assert column.total_compressed_size <= distinct + 6 * len(images) + 200
            assert all(
                c.has_offset_index and c.has_column_index
                for c in columns(file, group)
                if "image" not in c.path_in_schema
            )
            assert column.has_offset_index


def columns(file: pq.ParquetFile, group: int) -> list[pq.ColumnChunkMetaData]:
    row_group = file.metadata.row_group(group)
    return [row_group.column(i) for i in range(row_group.num_columns)]


def test_row_groups_are_cut_at_both_limits(tmp_path: Path) -> None:
    import io

    from sarchat2m.dialogues.record import Record
    from sarchat2m.scene import Scene
    from sarchat2m.schema import shard_schema
    from sarchat2m.shards import ShardWriter

    def groups(images: list[tuple[int, int]]) -> list[int]:
        sink = io.BytesIO()
        writer = ShardWriter(sink, "counting", shard_schema("counting", ("ship",)))
        for i, (length, records) in enumerate(images):
            scene = Scene("train", i, f"{i}.png", 800, 800, ())
            writer.add(
                scene, os.urandom(length), [Record(f"{i}/{k}", "counting", "?", ".", ()) for k in range(records)]
            )
        writer.close()
        metadata = pq.ParquetFile(io.BytesIO(sink.getvalue())).metadata
        return [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]

    megabyte = 1_000_000
    assert groups([(4 * megabyte, 1)] * 5) == [4, 1], "16 MB of distinct images"
    assert groups([(1 * megabyte, 40)] * 5) == [120, 80], "128 MB decoded"
    assert groups([(1 * megabyte, 1), (17 * megabyte, 1), (1 * megabyte, 1)]) == [1, 1, 1], (
        "too big: a group of its own"
    )
    assert groups([(1 * megabyte, 1), (1 * megabyte, 300), (1 * megabyte, 1)]) == [1, 300, 1]
    assert groups([(1 * megabyte, 2500)]) == [1000, 1000, 500], "Arrow reads at most 2 GB of a nested column at once"


def test_each_subset_costs_its_distinct_images_and_text(undisturbed: Path) -> None:
    for subset in (*SUBSETS, "images"):
        size = distinct = text = 0
        for path in shards(undisturbed, subset):
            size -= 8_000  # the footer, which does not grow with the images; these shards are tiny
            table = pq.read_table(path)
            distinct += sum(len(image) for image in {row["bytes"].as_py() for row in table["image"]})
            text += sum(table[name].nbytes for name in ("id", "question", "answer") if name in table.column_names)
            size += path.stat().st_size
        assert size <= 1.05 * (distinct + text), subset


def test_image_without_targets_stands_in_images_alone(tmp_path: Path) -> None:
    manifest = build(write_source(tmp_path / "source", [[], [(0, [1, 1, 9, 9])]]), tmp_path / "out")
    assert manifest["images"] == {"train": 2}
    rows = pq.read_table(shards(tmp_path / "out", "images")[0], columns=["image_id", "objects"]).to_pylist()
    assert rows == [
        {"image_id": 0, "objects": []},
        {"image_id": 1, "objects": [{"bbox": [1, 1, 10, 10], "category": 0}]},
    ]
    assert manifest["records"]["counting"] == {"train": 1}
    assert "counting/" not in " ".join(str(p) for p in shards(tmp_path / "out", "grounding_multi"))


def test_other_detection_set_builds_with_its_own_words(tmp_path: Path) -> None:
    from sources import category_list

    names = ("small vehicle", "storage tank", "ferry")
    boxes = [[(7, [10, 10, 60, 60]), (8, [100, 100, 80, 80])], [(9, [5, 5, 50, 50]), (9, [99, 99, 50, 50])]]
    build(write_source(tmp_path / "s", boxes, categories=category_list(names, 7)), tmp_path / "out")
    answers = [
        answer
        for path in shards(tmp_path / "out")
        if path.parent.name != "images"
        for answer in pq.read_table(path, columns=["answer"])["answer"].to_pylist()
    ]
    text = " ".join(answers)
    assert all(name in text for name in names)
    assert "ferries" in text
    assert "ship" not in text


# The same bytes, whatever happens


def test_workers_make_no_difference(undisturbed: Path, source: Path, tmp_path: Path) -> None:
    build(source, tmp_path / "two", SMALL_SHARDS, workers=2)
    assert digests(tmp_path / "two") == digests(undisturbed)


def test_seed_makes_a_difference(undisturbed: Path, source: Path, tmp_path: Path) -> None:
    build(source, tmp_path / "other", Options(seed=1, shard_bytes=1_000_000))
    ours, other = digests(undisturbed), digests(tmp_path / "other")
    assert set(ours) == set(other)
    assert all(ours[name] != other[name] for name in ours if "identification" in name)
    assert all(ours[name] == other[name] for name in ours if "data/images" in name)


def test_fewer_subsets_are_the_same_files(undisturbed: Path, source: Path, tmp_path: Path) -> None:
    options = Options(subsets=("counting", "referring_multi"), splits=("test",), shard_bytes=1_000_000)
    build(source, tmp_path / "few", options)
    few, all_of_it = digests(tmp_path / "few"), digests(undisturbed)
    written = {name for name in few if name.startswith("data/")}
    assert {name.split("/")[1] for name in written} == {"counting", "referring_multi", "images"}
    assert all(few[name] == all_of_it[name] for name in written)


def run_build(source: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "sarchat2m.cli", "build", str(source), str(out), "--shard-size", "1MB", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)


@pytest.mark.parametrize(
    ("after", "workers", "kill"),
    [(0, "1", os.killpg), (1, "2", os.killpg), (20, "2", os.kill), (40, "1", os.kill)],
)
def test_killed_anywhere_it_goes_on_to_the_same_bytes(
    undisturbed: Path, source: Path, tmp_path: Path, after: int, workers: str, kill: Callable[[int, int], None]
) -> None:
    """Killed when so many shards have their names: the whole process group, or the parent alone, as kill -9 does."""
    out, expected = tmp_path / "out", digests(undisturbed)
    process = run_build(source, out, "--workers", workers)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            if len(shards(out)) >= after and (out / ".building").exists():
                break
        kill(process.pid, signal.SIGKILL)
    finally:
        process.communicate()
    found = digests(out)
    assert all(expected[name] == digest for name, digest in found.items() if not name.startswith(".building"))
    assert not (out / "README.md").exists(), "it was killed too late to show anything"
    again = run_build(source, out, "--resume", "--workers", workers)
    assert again.wait(60) == 0, again.communicate()
    again.communicate()
    assert digests(out) == expected


def test_resuming_does_not_write_finished_ranges_again(undisturbed: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = run_build(source, out)
    while not list(out.glob(".building/range-*.json")) and process.poll() is None:
        time.sleep(0.001)
    process.kill()
    process.communicate()
    finished = [
        out / file["path"] for journal in out.glob(".building/range-*.json") for file in json.loads(journal.read_text())
    ]
    before = {path: path.stat().st_mtime_ns for path in finished}
    assert before
    build(source, out, SMALL_SHARDS, resume=True)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert digests(out) == digests(undisturbed)


def test_interrupted_before_the_card_it_is_written(undisturbed: Path, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)
    (out / "README.md").unlink()
    (out / ".building").mkdir()
    (out / ".building" / "plan.json").write_text((out / "manifest.json").read_text())
    build(source, out, SMALL_SHARDS, resume=True)
    assert digests(out) == digests(undisturbed)


# What is refused


@pytest.mark.parametrize(
    ("options", "difference"),
    [
        (Options(seed=5, shard_bytes=1_000_000), r"another seed \(0 there, 5 here\)"),
        (Options(variants=3, shard_bytes=1_000_000), r"another options variants \(7 there, 3 here\)"),
        (Options(shard_bytes=2_000_000), r"another options shard_bytes"),
        (Options(subsets=("counting",), shard_bytes=1_000_000), r"another options subsets"),
        (Options(splits=("test",), shard_bytes=1_000_000), r"another options splits"),
    ],
)
def test_resuming_with_another_option_is_refused(
    undisturbed: Path, source: Path, options: Options, difference: str
) -> None:
    before = digests(undisturbed)
    with pytest.raises(SARChatError, match=difference):
        build(source, undisturbed, options, resume=True)
    assert digests(undisturbed) == before


def test_resuming_with_another_source_is_refused(undisturbed: Path, source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(source, other)
    file = other / "Annotations" / "test.json"
    document = json.loads(file.read_text())
    document["annotations"].pop()
    file.write_text(json.dumps(document))
    with pytest.raises(SARChatError, match="another source fingerprint"):
        build(other, undisturbed, SMALL_SHARDS, resume=True)


def test_a_build_is_not_replaced_unasked(undisturbed: Path, source: Path) -> None:
    with pytest.raises(SARChatError, match=r"holds a finished build; go on with it by --resume, or .* --overwrite"):
        build(source, undisturbed, SMALL_SHARDS)
    with pytest.raises(SARChatError, match="exclude each other"):
        build(source, undisturbed, SMALL_SHARDS, resume=True, overwrite=True)


def test_overwriting_replaces_our_files_only(source: Path, undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(undisturbed, out)
    (out / "notes.txt").write_text("mine")
    (out / "data" / "counting" / "mine.txt").write_text("mine")
    build(source, out, Options(subsets=("description",), shard_bytes=1_000_000), overwrite=True)
    assert sorted(p.name for p in (out / "data").iterdir()) == ["counting", "description", "images"]
    assert [p.name for p in (out / "data" / "counting").iterdir()] == ["mine.txt"]
    assert (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["notes.txt", "manifest.json", ".hidden"])
@pytest.mark.parametrize("flags", [{}, {"resume": True}, {"overwrite": True}])
def test_a_folder_with_something_else_is_left_alone(
    source: Path, tmp_path: Path, name: str, flags: dict[str, bool]
) -> None:
    (tmp_path / name).write_text('{"format": "of somebody else"}')
    before = digests(tmp_path)
    with pytest.raises(SARChatError, match="holds something else"):
        build(source, tmp_path, SMALL_SHARDS, **flags)
    assert digests(tmp_path) == before


def test_a_file_in_the_way_and_bad_options(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SARChatError, match="is a file; give a folder"):
        build(source, tmp_path / "file")
    with pytest.raises(SARChatError, match=r"has one of \* \? \[ in its path"):
        build(source, tmp_path / "run [1]")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(SARChatError, match="no subset 'refering'"):
        Options(subsets=("refering",))
    with pytest.raises(SARChatError, match="no split 'val'"):
        Options(splits=("val",))
    with pytest.raises(SARChatError, match="too small"):
        Options(shard_bytes=10)
    with pytest.raises(SARChatError, match="variants"):
        build(source, tmp_path / "out", Options(variants=21))
    assert not (tmp_path / "out").exists()


def test_a_source_that_changes_meanwhile_is_noticed(tmp_path: Path) -> None:
    from sarchat2m.build import ImageRange, write_range
    from sarchat2m.schema import shard_schema
    from sarchat2m.storage import Folder

    split = read_source(write_source(tmp_path / "s", [[(0, [1, 1, 9, 9])]])).splits["train"]
    shards_of = {name: f"data/{name}/train-00000-of-00001.parquet" for name in ("classification", "counting", "images")}
    part = ImageRange(0, "train", split.scenes, split.paths, split.sizes, shards_of)
    options = Options(subsets=("classification", "counting"))
    schemas = {name: shard_schema(name, ("ship",)) for name in shards_of}
    Path(split.paths[0]).write_bytes(b"shorter")
    with pytest.raises(SARChatError, match="has changed since the build began"):
        write_range(part, Folder(tmp_path / "out"), ("ship",), options, schemas)
    Path(split.paths[0]).unlink()
    with pytest.raises(SARChatError, match="can no longer be read"):
        write_range(part, Folder(tmp_path / "out"), ("ship",), options, schemas)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs the right to mount a small disk")
def test_a_full_disk_is_one_sentence_and_can_be_gone_on_with(source: Path, undisturbed: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    whole = sum(path.stat().st_size for path in shards(undisturbed))
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={whole * 3 // 4}", "tmpfs", str(disk)], check=False
    ).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        with pytest.raises(SARChatError, match=r"The disk of .* is full; make room, then go on with --resume"):
            build(source, disk / "out", SMALL_SHARDS)
        found, expected = digests(disk / "out"), digests(undisturbed)
        assert not list(disk.rglob("*.partial"))
        assert all(expected[name] == digest for name, digest in found.items() if not name.startswith(".building"))
        subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)
        build(source, disk / "out", SMALL_SHARDS, resume=True)
        assert digests(disk / "out") == expected
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_too_little_room_is_told_before_anything_is_written(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearly_full = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: nearly_full)
    with pytest.raises(SARChatError, match=r"takes up to \d+\.\d MB, .* has 0\.0 MB free"):
        build(source, tmp_path / "out", SMALL_SHARDS)
    assert not (tmp_path / "out").exists()


def test_manifest_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match="is no built dataset"):
        read_manifest(tmp_path)
