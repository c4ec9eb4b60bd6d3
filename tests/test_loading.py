"""`load_dataset` opens the bundled sample, a build, and SARDet-100K itself, in datasets 5 and 3.6 alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from sarchat2m.vocabulary import CATEGORIES, CONFIGS, SPLITS, SUBSETS

ROOT = Path(__file__).parents[1]
DATASETS3 = ROOT / ".venv-datasets3" / "bin" / "python"
PYTHONS = {"datasets 5": Path(sys.executable), "datasets 3": DATASETS3}


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> Path:
    if not PYTHONS[request.param].exists():
        pytest.skip(f"{request.param} has no environment here; `make test` makes it")
    return PYTHONS[request.param]


def load(python: Path, cache: Path, **wish: Any) -> dict[str, Any]:
    """Load in a process of its own, in a fresh clone's folder, with an empty cache and no network."""
    environment = {**os.environ, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
    script = Path(__file__).with_name("load_and_tell.py")
    done = subprocess.run(
        [python, script, json.dumps(wish)], cwd=ROOT, env=environment, capture_output=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    told = json.loads(done.stdout)
    assert told["datasets"].startswith("3." if python == DATASETS3 else "5.")
    return told


def stored(folder: Path, configs: list[str]) -> dict[str, list[dict[str, Any]]]:
    """Read the same rows with pyarrow alone."""
    found = {}
    for config in configs:
        for split in SPLITS:
            paths = [path for subset in CONFIGS[config] for path in sorted(folder.glob(f"{subset}/{split}-*.parquet"))]
            rows = [row for path in paths for row in pq.read_table(path).to_pylist()]
            for row in rows:
                row["image"] = sha256(row["image"]["bytes"]).hexdigest()
            if rows:
                found[f"{config}/{split}"] = rows
    return found


def test_bundled_sample_opens_by_name_with_every_config(python: Path, tmp_path: Path) -> None:
    told = load(python, tmp_path, path="sarchat2m", configs=list(CONFIGS))
    assert told["rows"] == stored(ROOT / "sarchat2m" / "sample", list(CONFIGS))
    assert {key.partition("/")[0] for key in told["rows"]} == set(CONFIGS)
    assert told["categories"] == {config: list(CATEGORIES) for config in CONFIGS}


def test_bundled_sample_is_small_and_whole() -> None:
    files = list((ROOT / "sarchat2m" / "sample").rglob("*.parquet"))
    assert sum(file.stat().st_size for file in files) <= 3_000_000
    assert {(file.parent.name, file.name.partition("-")[0]) for file in files} == {
        (subset, split) for subset in (*SUBSETS, "images") for split in SPLITS
    }


def test_bundled_sample_is_what_its_script_makes(tmp_path: Path) -> None:
    """The texts of the sample are those of the templates in this very state of the code."""
    from sarchat2m.dialogues import Dialogues
    from sarchat2m.scene import Scene, Target

    told = {}
    for path in sorted((ROOT / "sarchat2m" / "sample" / "images").glob("*.parquet")):
        for row in pq.read_table(path, columns=["image_id", "width", "height", "objects"]).to_pylist():
            # The annotations' own ids are not stored, so identification's records are known by their text only.
            targets = tuple(
                Target.of(i, entry["category"], tuple(entry["bbox"]), True, row["width"], row["height"])
                for i, entry in enumerate(row["objects"])
            )
            scene = Scene(path.name.partition("-")[0], row["image_id"], "", row["width"], row["height"], targets)
            told |= {record.id: (record.question, record.answer) for record in Dialogues(CATEGORIES).tell(scene)}
    for subset in SUBSETS:
        if not subset.startswith(("identification", "description")):
            for path in (ROOT / "sarchat2m" / "sample" / subset).glob("*.parquet"):
                for row in pq.read_table(path, columns=["id", "question", "answer"]).to_pylist():
                    assert told[row["id"]] == (row["question"], row["answer"]), "run `make sample`"


@pytest.mark.parametrize("streaming", [False, True])
def test_built_folder_opens_with_every_config(python: Path, built: Path, tmp_path: Path, streaming: bool) -> None:
    few = ["referring", "identification_single", "description", "images"]
    configs = few if streaming or python == DATASETS3 else list(CONFIGS)
    told = load(python, tmp_path, path=str(built), configs=configs, streaming=streaming)
    assert told["rows"] == stored(built / "data", configs)


def test_columns_leave_the_images_out(built: Path, tmp_path: Path) -> None:
    columns = ["id", "question", "answer", "objects"]
    told = load(Path(sys.executable), tmp_path, path=str(built), configs=["counting"], columns=columns)
    expected = stored(built / "data", ["counting"])
    assert told["rows"] == {
        key: [{name: row[name] for name in columns} for row in rows] for key, rows in expected.items()
    }
    cached = sum(file.stat().st_size for file in tmp_path.rglob("*.arrow"))
    assert cached < 1_000_000, "the images went into the cache"


def test_real_sample_builds_and_opens_in_every_config(shared: Path, tmp_path: Path) -> None:
    from sarchat2m.build import build

    source = shared / "real" / "sardet_sample"
    manifest = build(source, tmp_path / "out")
    configs = [name for name, subsets in CONFIGS.items() if any(s in {*manifest["records"], "images"} for s in subsets)]
    assert len(configs) == 14
    told = load(Path(sys.executable), tmp_path / "cache", path=str(tmp_path / "out"), configs=configs)
    assert told["rows"] == stored(tmp_path / "out" / "data", configs)
    digests = {sha256(path.read_bytes()).hexdigest() for path in source.rglob("JPEGImages/*/*")}
    for config in configs:
        seen = {row["image"] for key, rows in told["rows"].items() if key.startswith(f"{config}/") for row in rows}
        assert seen <= digests
    assert {row["image"] for key, rows in told["rows"].items() if key.startswith("images/") for row in rows} == digests


# Straight from SARDet-100K


def same_but_image_place(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {key: sorted(rows[key], key=lambda row: str(row.get("id", row["image_id"]))) for key in sorted(rows)}


def test_loading_script_gives_the_records_of_a_build(source: Path, built: Path, tmp_path: Path) -> None:
    if not DATASETS3.exists():
        pytest.skip("datasets 3 has no environment here; `make test` makes it")
    configs = ["referring", "description", "images"]
    wish = {"data_dir": str(source), "trust_remote_code": True}
    told = load(DATASETS3, tmp_path, path="sarchat2m.py", configs=configs, **wish)
    assert same_but_image_place(told["rows"]) == same_but_image_place(stored(built / "data", configs))
    images = sum(path.stat().st_size for path in source.rglob("JPEGImages/*/*"))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) < images / 4, "images were copied"


@pytest.mark.parametrize("config", ["identification_multi", "images"])
def test_builder_gives_the_records_of_a_build(source: Path, built: Path, tmp_path: Path, config: str) -> None:
    import datasets

    from sarchat2m.builder import SARChat2M

    builder = SARChat2M(config_name=config, data_dir=str(source), cache_dir=str(tmp_path))
    builder.download_and_prepare()
    loaded = builder.as_dataset()
    rows = {}
    for split, data in loaded.items():
        found = data.cast_column("image", datasets.Image(decode=False))
        assert all(row["image"]["bytes"] is None for row in found)
        rows[f"{config}/{split}"] = [
            row | {"image": sha256(Path(row["image"]["path"]).read_bytes()).hexdigest()} for row in found
        ]
    assert same_but_image_place(rows) == same_but_image_place(stored(built / "data", [config]))


def test_builder_needs_a_source_and_notices_its_changes(source: Path, tmp_path: Path) -> None:
    import shutil

    from sarchat2m.builder import SARChat2M
    from sarchat2m.errors import SARChatError

    with pytest.raises(SARChatError, match="needs the folder of SARDet-100K"):
        SARChat2M(config_name="counting", cache_dir=str(tmp_path))
    copy = tmp_path / "copy"
    shutil.copytree(source, copy)
    before = SARChat2M(config_name="counting", data_dir=str(copy), cache_dir=str(tmp_path)).cache_dir
    file = copy / "Annotations" / "val.json"
    file.write_text(file.read_text() + " ")
    assert SARChat2M(config_name="counting", data_dir=str(copy), cache_dir=str(tmp_path)).cache_dir != before
    image = next((copy / "JPEGImages").rglob("*.*"))
    image.unlink()
    with pytest.raises(SARChatError, match="is missing"):
        SARChat2M(config_name="counting", data_dir=str(copy), cache_dir=str(tmp_path)).download_and_prepare()


# Joining records with images


def test_join_gives_every_record_its_image_once_stored(built: Path, tmp_path: Path) -> None:
    from sarchat2m import load as load_joined

    joined = load_joined(built, "identification_multi", "test", cache_dir=str(tmp_path))
    expected = stored(built / "data", ["identification_multi"])["identification_multi/test"]
    assert [row["id"] for row in joined] == [row["id"] for row in expected]
    by_image = {}
    distinct = 0  # of all splits: `load_dataset` prepares all of them, whichever is asked for
    for path in (built / "data" / "images").glob("*"):
        for row in pq.read_table(path).to_pylist():
            distinct += len(row["image"]["bytes"])
            if path.name.startswith("test"):
                by_image[row["image_id"]] = row["image"]["bytes"]
    for row in joined.select(range(0, len(joined), 17)):
        import io

        from PIL import Image

        assert row["image"].tobytes() == Image.open(io.BytesIO(by_image[row["image_id"]])).tobytes()
        assert row["image"].size == (row["width"], row["height"])
    cached = sum(file.stat().st_size for file in tmp_path.rglob("*.arrow"))
    assert distinct < cached < 1.5 * distinct, "images are in the cache more than once"


def test_join_shares_pictures_within_a_batch_and_knows_splits(built: Path, tmp_path: Path) -> None:
    from sarchat2m import load as load_joined

    joined = load_joined(str(built), "referring", cache_dir=str(tmp_path))
    assert set(joined) == set(SPLITS)
    batch = joined["train"][:50]
    objects: dict[int, set[int]] = {}
    for image_id, picture in zip(batch["image_id"], batch["image"], strict=True):
        objects.setdefault(image_id, set()).add(id(picture))
    assert all(len(pictures) == 1 for pictures in objects.values())
    assert len(list(joined["train"]["question"])) == len(joined["train"])
    shuffled = joined["train"].shuffle(seed=1)
    assert shuffled[0]["image"].size == (shuffled[0]["width"], shuffled[0]["height"])


def test_join_refuses_images_of_something_else(built: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    from sarchat2m import with_images
    from sarchat2m.errors import SARChatError

    records = load_dataset(str(built), "referring", cache_dir=str(tmp_path))
    images = load_dataset(str(built), "images", cache_dir=str(tmp_path))
    with pytest.raises(SARChatError, match="not in the images config"):
        with_images(records["train"], images["test"].select([0]))
    del images["test"]
    with pytest.raises(SARChatError, match="no split 'test'"):
        with_images(records, images)
