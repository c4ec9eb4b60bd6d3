"""Pulling a dataset or parts of it: what is fetched, that it loads, that it goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from clients import digest_of_files
from handmade import SMALL, make_build
from loopback_hub import Fault, LoopbackHub

from sarchat2m.errors import SARChatError
from sarchat2m.vocabulary import CONFIGS


def local_files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def pushed(session_hub: LoopbackHub, client: Any, small: Path) -> str:
    session_hub.reset()
    return str(client.push(small, "org/to-pull") and "org/to-pull")


def test_pull_of_all_gives_the_build_back(
    hub: LoopbackHub, client: Any, small: Path, pushed: str, tmp_path: Path
) -> None:
    out = tmp_path / "OUT"
    pulled = client.pull(pushed, out)
    assert local_files(out) == local_files(small)
    assert all(
        (out / path).read_bytes() == (small / path).read_bytes() for path in local_files(small) - {"manifest.json"}
    )
    assert json.loads((out / "manifest.json").read_text()) == json.loads((small / "manifest.json").read_text())
    assert set(pulled.files) == set(pulled.fetched) == {path for path in local_files(small) if path.endswith("parquet")}

    hub.reset()
    again = client.pull(pushed, out)
    assert (again.fetched, again.bytes_fetched, again.files) == ((), 0, pulled.files)
    assert not [path for _, path in hub.requests if "parquet" in path]
    # What was pulled whole can be pushed elsewhere, and is the same there.
    assert client.push(out, "org/pushed-on").load_line == 'load_dataset("org/pushed-on", "referring")'


def test_parts_are_declared_and_more_parts_are_added(
    hub: LoopbackHub, client: Any, run_client: Callable[..., Any], small: Path, pushed: str, tmp_path: Path
) -> None:
    def shards(*folders: str) -> set[str]:
        return {f"data/{folder}/test-{number:05d}-of-00002.parquet" for folder in folders for number in (0, 1)}

    out, parts = tmp_path / "OUT", ["counting", "referring_single"]
    pulled = client.pull(pushed, out, configs=parts, splits=["test"])
    assert set(pulled.files) == set(pulled.fetched) == shards(*parts)
    asked = {path.split("/resolve/")[1].partition("/")[2] for _, path in hub.requests if "/resolve/" in path}
    assert asked == local_files(out) == shards(*parts) | {"README.md", "manifest.json"}
    # `referring` and `all` are not declared: only some of their folders are here.
    card = yaml.safe_load((out / "README.md").read_text().split("---\n")[1])
    assert [config["config_name"] for config in card["configs"]] == ["counting", "referring_single"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["records"] == {"counting": {"test": 4}, "referring_single": {"test": 4}}
    assert (manifest["options"]["subsets"], manifest["options"]["splits"]) == (parts, ["test"])

    more = client.pull(pushed, out, configs=["referring"], splits=["test"])
    assert set(more.fetched) == shards("referring_multi")
    assert run_client("load_every_config", out, HF_HUB_OFFLINE="1") == {
        f"{config}/test": digest_of_files(small, CONFIGS[config], "test")
        for config in ("counting", "referring_single", "referring_multi", "referring")
    } | {"all/test": digest_of_files(small, [*parts, "referring_multi"], "test")}

    hub.reset()
    with pytest.raises(SARChatError, match=rf"{out} holds only parts of {pushed}, and pushing it would delete the"):
        client.push(out, pushed)
    assert hub.requests == []


def test_revision(hub: LoopbackHub, client: Any, small: Path, repo_id: str, tmp_path: Path) -> None:
    client.push(small, repo_id)
    newer = make_build(tmp_path / "newer", version=1, folders=SMALL)
    client.push(newer, repo_id, revision="next")
    client.pull(repo_id, tmp_path / "tag", revision="v0.1.0")
    client.pull(repo_id, tmp_path / "branch", revision="next")
    path = "data/counting/train-00000-of-00002.parquet"
    assert (tmp_path / "tag" / path).read_bytes() == (small / path).read_bytes()
    assert (tmp_path / "branch" / path).read_bytes() == (newer / path).read_bytes()
    with pytest.raises(SARChatError, match=f"{repo_id} on http.* has no such revision"):
        client.pull(repo_id, tmp_path / "none", revision="never")
    with pytest.raises(SARChatError, match="holds another build than the one on the Hub: give a new folder"):
        client.pull(repo_id, tmp_path / "tag", revision="next")
    assert (tmp_path / "tag" / path).read_bytes() == (small / path).read_bytes()
    assert not (tmp_path / "none").exists()


def test_private_dataset(hub: LoopbackHub, client: Any, small: Path, repo_id: str, tmp_path: Path) -> None:
    client.push(small, repo_id, private=True)
    assert client.pull(repo_id, tmp_path / "OUT", configs=["counting"]).bytes_fetched > 0


# --- interrupted, and gone on with


def test_download_that_breaks_off_is_continued_in_the_file(
    hub: LoopbackHub, client: Any, repo_id: str, tmp_path: Path
) -> None:
    build = make_build(tmp_path / "build", shards=1, images=1, folders=["images"])
    manifest = json.loads((build / "manifest.json").read_text())
    large = manifest["files"][0]
    content = random.Random(0).randbytes(24_000_000)  # huggingface_hub writes down what it got by pieces of 10 MB
    (build / large["path"]).write_bytes(content)
    large |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (build / "manifest.json").write_text(json.dumps(manifest))
    client.push(build, repo_id)
    hub.reset()
    hub.fail(Fault("GET", f"resolve/.*{large['path']}", drop=True))
    client.pull(repo_id, tmp_path / "OUT", splits=["train"])
    assert (tmp_path / "OUT" / large["path"]).read_bytes() == content
    assert len(content) < hub.downloaded < 1.25 * len(content)


def test_killed_in_the_middle_then_resumed(
    hub: LoopbackHub, start_client: Any, client: Any, small: Path, pushed: str, tmp_path: Path
) -> None:
    out = tmp_path / "OUT"
    hub.fail(Fault("GET", r"resolve/.*parquet", nth=5, times=None, seconds=60))
    with start_client("pull", pushed, out) as process:
        while len(here := list(out.glob("data/*/*.parquet"))) < 4:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.kill()
    hub.reset()
    pulled = client.pull(pushed, out)
    assert not {path.relative_to(out).as_posix() for path in here} & set(pulled.fetched)
    assert local_files(out) == local_files(small)


def test_file_harmed_here_is_fetched_again(
    hub: LoopbackHub, client: Any, small: Path, pushed: str, tmp_path: Path
) -> None:
    out = tmp_path / "OUT"
    client.pull(pushed, out)
    harmed = out / "data" / "images" / "test-00000-of-00002.parquet"
    harmed.write_bytes(harmed.read_bytes()[:-1] + b"?")
    assert client.pull(pushed, out).fetched == ("data/images/test-00000-of-00002.parquet",)
    assert harmed.read_bytes() == (small / "data" / "images" / harmed.name).read_bytes()


def test_file_that_is_wrong_on_the_hub_is_refused_and_removed(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, tmp_path: Path
) -> None:
    client.push(small, repo_id)
    remote, path = hub.dataset(repo_id), "data/counting/test-00000-of-00002.parquet"
    tree = remote.tree("main")
    remote.commit("refs/heads/main", "swap", tree | {path: tree[path.replace("00000-of", "00001-of")]})
    with pytest.raises(SARChatError, match=rf"{path} did not arrive as the manifest of {repo_id} describes it"):
        client.pull(repo_id, tmp_path / "OUT", configs=["counting"])
    assert not (tmp_path / "OUT" / path).exists()
    assert not (tmp_path / "OUT" / "README.md").exists()


# --- what is refused: one sentence, and nothing changed


def test_unknown_parts(hub: LoopbackHub, client: Any, pushed: str, tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match='There is no config "boats": choose from classification, description'):
        client.pull(pushed, tmp_path / "OUT", configs=["counting", "boats"])
    with pytest.raises(SARChatError, match='There is no split "val": choose from train, validation, test'):
        client.pull(pushed, tmp_path / "OUT", splits=["val"])
    with pytest.raises(SARChatError, match="has none of these parts: choose from counting test, counting train"):
        client.pull(pushed, tmp_path / "OUT", configs=["description"])
    assert not (tmp_path / "OUT").exists()


@pytest.mark.parametrize("token", [None, "hf_nobody"])
def test_dataset_that_is_not_there(hub: LoopbackHub, client: Any, tmp_path: Path, token: str | None) -> None:
    sentence = "does not accept the token" if token else "There is no dataset org/nothing on http.* that you may see"
    with pytest.raises(SARChatError, match=sentence):
        client.pull("org/nothing", tmp_path / "OUT", token=token)
    assert not (tmp_path / "OUT").exists()


def test_other_datasets_and_other_folders(
    hub: LoopbackHub, client: Any, pushed: str, repo_id: str, tmp_path: Path
) -> None:
    hub.store.create("dataset", repo_id, {"README.md": b"# Another", "manifest.json": b"[1]"})
    with pytest.raises(SARChatError, match=f"{repo_id} holds no build of sarchat2m at main: check the name"):
        client.pull(repo_id, tmp_path / "OUT")
    assert not (tmp_path / "OUT").exists()
    (tmp_path / "mine.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "mine.txt"):
        with pytest.raises(SARChatError, match=f"{place} holds something else: give a new folder"):
            client.pull(pushed, place)
    assert local_files(tmp_path) == {"mine.txt"}


def test_out_of_reach(client: Any, tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match=r"^http://127.0.0.1:9 is out of reach: check the network"):
        client.pull("org/sarchat2m", tmp_path / "OUT", endpoint="http://127.0.0.1:9")
    assert not (tmp_path / "OUT").exists()
