"""The commands and the script, as a user runs them: a real build, pushed, pulled and loaded; the figures of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clients import digest_of_files
from loopback_hub import READ_TOKEN, LoopbackHub

from sarchat2m.build import Options, build
from sarchat2m.vocabulary import CATEGORIES, CONFIGS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(client_env: Callable[..., dict[str, str]]) -> Callable[..., subprocess.CompletedProcess[str]]:
    def command(*args: object, **env: str) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, *map(str, args)]
        return subprocess.run(line, env=client_env(**env), capture_output=True, text=True, timeout=180)

    return command


def test_a_real_build_is_pushed_by_the_command_loaded_by_name_and_pulled_in_part(
    hub: LoopbackHub, run: Callable[..., Any], run_client: Callable[..., Any], built: Path, tmp_path: Path
) -> None:
    done = run("-m", "sarchat2m.cli", "push", built, "org/sarchat2m", "--no-quiet")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'load_dataset("org/sarchat2m", "referring")'
    assert "Sending" in done.stderr
    size, names, digest = run_client("load_one", "org/sarchat2m", "referring", hub.dataset("org/sarchat2m").tags()[0])
    assert digest == digest_of_files(built, CONFIGS["referring"], "test")
    assert names == list(CATEGORIES)
    assert min(size) > 100

    out = tmp_path / "OUT"
    done = run("-m", "sarchat2m.cli", "pull", "org/sarchat2m", out, "--config", "images", "--split", "test")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert digest_of_files(out, ["images"], "test") == digest_of_files(built, ["images"], "test")
    assert {path.parent.name for path in out.glob("data/*/*")} == {"images"}


def test_errors_are_one_sentence_and_exit_code_1(run: Callable[..., Any], built: Path) -> None:
    done = run("-m", "sarchat2m.cli", "push", built, "org/else", HF_TOKEN=READ_TOKEN)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Error: The token of founder may only read")
    assert done.stderr.count("\n") == 1


def test_the_maintainers_script(hub: LoopbackHub, run: Callable[..., Any], built: Path) -> None:
    done = run(ROOT / "build" / "push.py", built, "org/by-script", "--private")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == 'load_dataset("org/by-script", "referring")'
    assert hub.dataset("org/by-script").state["meta"]["private"] is True


def test_one_changed_image_of_a_real_build_sends_only_its_shards(
    hub: LoopbackHub, client: Any, source: Path, built: Path, tmp_path: Path, repo_id: str
) -> None:
    """The figure that README.md gives: bytes sent for a second push of a build in which one image changed."""
    client.push(built, repo_id)
    changed = shutil.copytree(source, tmp_path / "source")
    listed = json.loads((changed / "Annotations" / "train.json").read_text())["images"]
    name = next(image["file_name"] for image in listed if image["file_name"].endswith(".bmp"))
    picture = next(changed.glob(f"JPEGImages/**/{name}"))
    content = picture.read_bytes()
    picture.write_bytes(content[:-100] + bytes(255 - value for value in content[-100:]))  # a few pixels, no more bytes
    build(changed, tmp_path / "OUT", Options(shard_bytes=2_000_000))

    hub.reset()
    pushed = client.push(tmp_path / "OUT", repo_id)
    shards = [path for path in pushed.sent if path.endswith(".parquet")]
    folders = {path.split("/")[1] for path in shards if path.split("/")[2].startswith("train-")}
    assert "images" in folders
    assert len(folders) == len(shards)  # one a subset at most
    assert hub.uploaded == sum((tmp_path / "OUT" / path).stat().st_size for path in shards)
    files = sorted((tmp_path / "OUT").glob("data/*/*.parquet"))
    total = sum(path.stat().st_size for path in files)
    assert hub.uploaded < total / 2
    print(
        f"one of 50 images changed: sent {hub.uploaded:,} of {total:,} bytes ({100 * hub.uploaded / total:.1f} %), "
        f"{len(shards)} of {len(files)} shards"
    )
