"""Every format holds the dataset's own records and the very bytes of its images, whatever interrupted the run."""

import hashlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from sarchat2m.errors import SARChatError
from sarchat2m.export import FORMATS, export
from sarchat2m.vocabulary import SUBSETS

SPLITS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def records(built: Path) -> dict[str, list[dict]]:
    """What the shards themselves hold, by split, in the order of the subsets; read without our library."""
    found = {}
    for split in SPLITS:
        paths = [path for subset in SUBSETS for path in sorted((built / "data" / subset).glob(f"{split}-*.parquet"))]
        found[split] = [row for path in paths for row in pq.read_table(path).to_pylist()]
    return found


def copy_of(built: Path, folder: Path, left_out: str = " ") -> Path:
    """Link the built folder's files elsewhere, so that one of them can be left out or replaced."""
    for path in built.rglob("*.*"):
        name = path.relative_to(built)
        if path.is_file() and left_out not in str(name):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).hardlink_to(path)
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def lines(*paths: Path) -> list[dict]:
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("format", FORMATS)
def test_images_are_the_stored_bytes_once_each_under_an_extension_that_is_true(built, records, tmp_path, format):
    done = export(built, tmp_path, format=format)
    kinds = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp"}
    for split, rows in records.items():
        expected = {row["image_id"]: row["image"]["bytes"] for row in rows}
        written = [path for path in (tmp_path / split).iterdir() if path.name != "metadata.jsonl"]
        assert {int(path.stem): path.read_bytes() for path in written} == expected
        assert all(path.suffix == kinds[Image.open(path).format] for path in written)
        assert done.images[split] == len(written)
        assert done.records[split] == len(rows)
    names = {str(path.relative_to(tmp_path)) for path in done.files}
    others = [name for name in contents(tmp_path) if Path(name).suffix not in kinds.values() and name not in names]
    assert others == [".sarchat2m-export.json", *(["dataset_info.json"] if format == "sharegpt" else [])]


def test_ms_swift(built, records, tmp_path):
    export(built, tmp_path, format="ms-swift")
    for subset in SUBSETS:
        expected = [row for row in records["test"] if row["subset"] == subset]
        found = lines(tmp_path / f"test-{subset}.jsonl")
        assert [row["id"] for row in found] == [row["id"] for row in expected]
        for row, record in zip(found, expected, strict=True):
            user, assistant = row["messages"]
            assert user == {"role": "user", "content": "<image>" + record["question"]}
            assert assistant == {"role": "assistant", "content": record["answer"]}
            assert [(tmp_path / image).read_bytes() for image in row["images"]] == [record["image"]["bytes"]]


def test_llava(built, records, tmp_path):
    export(built, tmp_path, format="llava")
    found = json.loads((tmp_path / "train.json").read_text(encoding="utf-8"))
    assert [row["id"] for row in found] == [row["id"] for row in records["train"]]
    for row, record in zip(found, records["train"], strict=True):
        assert row["conversations"] == [
            {"from": "human", "value": "<image>\n" + record["question"]},
            {"from": "gpt", "value": record["answer"]},
        ]
        assert (tmp_path / row["image"]).read_bytes() == record["image"]["bytes"]


def test_sharegpt(built, records, tmp_path):
    export(built, tmp_path, format="sharegpt")
    register = json.loads((tmp_path / "dataset_info.json").read_text())
    assert set(register) == {f"sarchat2m_{split}" for split in SPLITS}
    entry = register["sarchat2m_test"]
    found = lines(tmp_path / entry["file_name"])
    assert entry["formatting"] == "sharegpt"
    assert [row["id"] for row in found] == [row["id"] for row in records["test"]]
    for row, record in zip(found, records["test"], strict=True):
        human, gpt = row[entry["columns"]["messages"]]
        assert human == {"from": "human", "value": "<image>" + record["question"]}
        assert gpt == {"from": "gpt", "value": record["answer"]}
        assert [(tmp_path / i).read_bytes() for i in row[entry["columns"]["images"]]] == [record["image"]["bytes"]]


def test_trl_opens_as_an_image_folder_with_one_row_a_record(built, records, tmp_path):
    import datasets

    export(built, tmp_path / "out", config="referring", format="trl")
    loaded = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert set(loaded) == set(SPLITS)
    expected = [row for row in records["test"] if row["subset"].startswith("referring")]
    assert list(loaded["test"]["id"]) == [row["id"] for row in expected]
    for row, record in zip(loaded["test"], expected, strict=True):
        user, assistant = row["messages"]
        assert [part["type"] for part in user["content"]] == ["image", "text"]
        assert user["content"][1]["text"] == record["question"]
        assert assistant["content"][0]["text"] == record["answer"]
        [image] = row["images"]
        assert image.size == (record["width"], record["height"])


def test_only_what_was_asked_for_is_written(built, records, tmp_path):
    done = export(built, tmp_path, config="grounding_single", split="test")
    expected = [row for row in records["test"] if row["subset"] == "grounding_single"]
    assert done.files == (tmp_path / "test-grounding_single.jsonl",)
    assert [row["id"] for row in lines(*done.files)] == [row["id"] for row in expected]
    assert {int(path.stem) for path in (tmp_path / "test").iterdir()} == {row["image_id"] for row in expected}
    assert not (tmp_path / "train").exists()


def test_without_the_images_config_the_images_come_from_beside_the_records(built, tmp_path):
    bare = copy_of(built, tmp_path / "bare", left_out="data/images")
    card = bare / "README.md"
    front = yaml.safe_load(card.read_text(encoding="utf-8").split("---")[1])
    front["configs"] = [config for config in front["configs"] if config["config_name"] != "images"]
    del front["dataset_info"]
    card.unlink()  # it is a link to the built folder's own
    card.write_text(f"---\n{yaml.safe_dump(front)}---\n", encoding="utf-8")
    export(built, tmp_path / "with", split="test")
    export(bare, tmp_path / "without", split="test")
    assert contents(tmp_path / "with") == contents(tmp_path / "without")


KILLED = """
import os, signal, sys
from sarchat2m.export import export
def at(limit):
    return lambda done, total: done >= limit and os.kill(os.getpid(), signal.SIGKILL)
export(sys.argv[1], sys.argv[2], format=sys.argv[3], **{sys.argv[4]: at(int(sys.argv[5]))})
"""


@pytest.mark.parametrize(
    ("format", "kills"),
    [
        ("llava", [("on_images", 3), ("on_records", 1), ("on_records", 1500), ("on_images", 43)]),
        ("ms-swift", [("on_records", 200)]),
    ],
)
def test_killed_and_started_again_it_ends_with_the_same_bytes(built, tmp_path, format, kills):
    export(built, tmp_path / "calm", format=format)
    calm = contents(tmp_path / "calm")
    out = tmp_path / "killed"
    for callback, limit in kills:
        command = [sys.executable, "-c", KILLED, str(built), str(out), format, callback, str(limit)]
        assert subprocess.run(command, timeout=120).returncode == -signal.SIGKILL
        whole = {name: content for name, content in contents(out).items() if not Path(name).name.startswith(".")}
        assert whole.items() < calm.items(), "a half file has a final name"
    export(built, out, format=format)
    assert contents(out) == calm


def test_run_again_it_writes_no_file_anew(built, tmp_path):
    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.*") if not path.name.startswith(".")}

    export(built, tmp_path)
    before, seen = times(), []
    export(built, tmp_path, on_records=lambda done, total: seen.append((done, total)))
    assert times() == before
    assert seen[-1][0] == seen[-1][1]


def test_an_unfinished_file_shorter_than_noted_is_begun_anew(built, tmp_path):
    """As after a power failure: the note survived, the text did not."""
    export(built, tmp_path / "calm", format="llava", split="test")
    export(built, tmp_path / "out", format="llava", split="test")
    (tmp_path / "out" / "test.json").unlink()
    (tmp_path / "out" / ".test.json.partial").write_bytes(b"[\n")
    export(built, tmp_path / "out", format="llava", split="test")
    assert (tmp_path / "out" / "test.json").read_bytes() == (tmp_path / "calm" / "test.json").read_bytes()


def test_something_else_is_never_touched(built, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for out in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(SARChatError, match="holds something else"):
            export(built, out)
    assert contents(tmp_path).keys() == {"notes.txt"}


@pytest.mark.parametrize("other", [{"config": "counting"}, {"format": "trl"}, {"split": "test"}])
def test_another_export_is_never_mixed_in(built, tmp_path, other):
    export(built, tmp_path, config="referring")
    before = contents(tmp_path)
    with pytest.raises(SARChatError, match="holds an export of another"):
        export(built, tmp_path, **{"config": "referring", **other})
    assert contents(tmp_path) == before


def test_another_dataset_is_never_mixed_in(built, tmp_path):
    other = copy_of(built, tmp_path / "other", left_out="identification_multi/test")
    export(built, tmp_path / "out", split="test")
    with pytest.raises(SARChatError, match="another dataset"):
        export(other, tmp_path / "out", split="test")


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"format": "alpaca"}, "no format"),
        ({"config": "images"}, "no config"),
        ({"config": "chatting"}, "no config"),
        ({"split": "val"}, "no split"),
    ],
)
def test_what_is_not_there_is_said_before_anything_is_written(built, tmp_path, asked, sentence):
    with pytest.raises(SARChatError, match=sentence) as error:
        export(built, tmp_path / "out", **asked)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_an_image_of_no_known_kind_is_named(built, tmp_path):
    strange = copy_of(built, tmp_path / "strange", left_out="data/images/test")
    [images] = (built / "data" / "images").glob("test-*.parquet")
    rows = pq.read_table(images).to_pylist()
    rows[2]["image"]["bytes"] = b"not an image"
    pq.write_table(pa.Table.from_pylist(rows), strange / "data" / "images" / images.name)
    with pytest.raises(SARChatError, match=rf"Image {rows[2]['image_id']} of the split test is of no known kind"):
        export(strange, tmp_path / "out", split="test")


FULL = """
import resource, sys
from sarchat2m.errors import SARChatError
from sarchat2m.export import export
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    export(sys.argv[1], sys.argv[2], "identification_multi", "test", "llava")
except SARChatError as error:
    print(error)
"""


def test_no_room_is_one_sentence_and_the_run_goes_on_later(built, tmp_path):
    """A limit on the size of files stands in for the full disk: the system refuses the write in the same way."""
    out = tmp_path / "out"
    command = [sys.executable, "-c", FULL, str(built), str(out)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert re.fullmatch(r"The export to .* stopped \(.*File too large.*\): .* goes on\.\n", said)
    export(built, out, "identification_multi", "test", "llava")
    export(built, tmp_path / "calm", "identification_multi", "test", "llava")
    assert contents(out) == contents(tmp_path / "calm")


def test_stopped_in_its_first_moment_it_goes_on(built, tmp_path):
    (tmp_path / "..sarchat2m-export.json.partial").write_bytes(b'{"of')
    export(built, tmp_path, "counting", "test")
    assert {path.name for path in tmp_path.iterdir()} == {".sarchat2m-export.json", "test", "test-counting.jsonl"}


# VmHWM, since ru_maxrss of a new process begins at what the process that started it had.
PEAK = """
import re, sys
from pathlib import Path
from sarchat2m.export import export
done = export(sys.argv[1], sys.argv[2], "identification_multi", "test", "llava")
print(done.records["test"], re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_memory_does_not_grow_with_the_records(built, tmp_path):
    """The same shard under a hundred names is a hundred times the records, each of them written."""
    many = copy_of(built, tmp_path / "many")
    folder = many / "data" / "identification_multi"
    [shard] = folder.glob("test-*.parquet")
    for number in range(1, 100):
        (folder / f"test-{number:05}-of-00100.parquet").hardlink_to(shard)
    found = []
    for number, dataset in enumerate((built, many)):
        command = [sys.executable, "-c", PEAK, str(dataset), str(tmp_path / f"out{number}")]
        found += [subprocess.run(command, capture_output=True, text=True, timeout=300, check=True).stdout.split()]
    (few, little), (more, much) = ((int(records), int(peak)) for records, peak in found)
    assert more == 100 * few
    assert much - little < 20_000, f"{much - little} kB more for {more - few} records more"
