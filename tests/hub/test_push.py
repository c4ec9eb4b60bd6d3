"""Pushing a build: what is sent, what stands on the Hub then, and that a second run sends nothing."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from handmade import SMALL, make_build
from loopback_hub import READ_TOKEN, WRITE_TOKEN, Fault, LoopbackHub

from sarchat2m.errors import SARChatError
from sarchat2m.hub import push


def local_files(build: Path) -> set[str]:
    return {path.relative_to(build).as_posix() for path in build.rglob("*") if path.is_file()}


def parquet_bytes(build: Path) -> int:
    return sum(path.stat().st_size for path in build.rglob("*.parquet"))


def stored(hub: LoopbackHub, repo_id: str) -> list[int]:
    """Give the sizes of the objects that have arrived whole."""
    return [path.stat().st_size for path in hub.dataset(repo_id).folder.glob("objects/" + "?" * 64)]


def copy(build: Path, to: Path) -> Path:
    return Path(shutil.copytree(build, to / "copy"))


def test_first_push_sends_all_and_the_second_nothing(hub: LoopbackHub, client: Any, small: Path, repo_id: str) -> None:
    first = client.push(small, repo_id)
    assert set(first.sent) == local_files(small)
    remote = hub.dataset(repo_id)
    assert set(remote.tree("main")) == local_files(small) | {".gitattributes"}
    assert first.commit == remote.resolve("main") == remote.resolve("v0.1.0")
    assert (first.tag, first.load_line) == ("v0.1.0", f'load_dataset("{repo_id}", "referring")')
    assert hub.uploaded == parquet_bytes(small)

    hub.reset()
    second = client.push(small, repo_id)
    assert (second.sent, second.bytes_sent, second.commit) == ((), 0, first.commit)
    assert hub.uploaded == 0
    assert {method for method, _ in hub.requests} == {"GET", "HEAD"}
    assert len(hub.dataset(repo_id).history()) == 2  # the Hub's own first commit, and ours


def test_one_changed_image_sends_only_its_shards(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, tmp_path: Path
) -> None:
    client.push(small, repo_id)
    changed = make_build(tmp_path / "changed", version=1, folders=SMALL)
    hub.reset()
    pushed = client.push(changed, repo_id)
    shards = [path for path in local_files(changed) if path.endswith("-00000-of-00002.parquet")]
    assert set(pushed.sent) == {*shards, "manifest.json"}
    assert hub.uploaded == sum((changed / path).stat().st_size for path in shards)
    print(f"one changed image of 4: {hub.uploaded} of {parquet_bytes(changed)} bytes sent")
    # The version's name stays with what was pushed under it first.
    assert pushed.tag is None
    assert hub.dataset(repo_id).resolve("v0.1.0") != pushed.commit


def test_remote_leftovers_are_deleted_and_nothing_else(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, tmp_path: Path
) -> None:
    client.push(small, repo_id)
    remote = hub.dataset(repo_id)
    remote.commit("refs/heads/main", "by hand", remote.tree("main") | {"NOTES.md": remote.put_small(b"kept")})
    fewer = make_build(tmp_path / "fewer", shards=1, folders=SMALL)
    pushed = client.push(fewer, repo_id)
    assert set(pushed.deleted) == {path for path in local_files(small) if "of-00002" in path}
    assert set(hub.dataset(repo_id).tree("main")) == local_files(fewer) | {".gitattributes", "NOTES.md"}


def test_what_the_card_shows_is_pushed_with_it_and_other_files_are_not(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, tmp_path: Path
) -> None:
    build = copy(small, tmp_path)
    (build / "figures").mkdir()
    (build / "figures" / "tasks.png").write_bytes(b"a picture")
    (build / "data" / "counting" / "train-00000-of-00009.parquet").write_bytes(b"of an older build")
    (build / "notes.txt").write_text("mine")
    with (build / "README.md").open("a") as card:
        card.write("\n![Tasks](figures/tasks.png) [paper](https://arxiv.org/abs/2502.08168) [up](../notes.txt)\n")
    client.push(build, repo_id)
    assert set(hub.dataset(repo_id).tree("main")) == local_files(small) | {".gitattributes", "figures/tasks.png"}


def test_private(hub: LoopbackHub, client: Any, small: Path, repo_id: str) -> None:
    client.push(small, repo_id, private=True)
    assert hub.dataset(repo_id).state["meta"]["private"] is True
    client.push(small, repo_id)  # stays private
    assert hub.dataset(repo_id).state["meta"]["private"] is True


def test_private_is_refused_where_the_repository_is_public(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str
) -> None:
    hub.store.create("dataset", repo_id)
    with pytest.raises(SARChatError, match="is public already"):
        client.push(small, repo_id, private=True)
    assert hub.dataset(repo_id).history() == ["initial commit"]


def test_branch(hub: LoopbackHub, client: Any, small: Path, repo_id: str) -> None:
    pushed = client.push(small, repo_id, revision="next/try")
    assert pushed.load_line == f'load_dataset("{repo_id}", "referring", revision="next/try")'
    assert pushed.tag is None
    remote = hub.dataset(repo_id)
    assert set(remote.tree("main")) == {".gitattributes"}
    assert set(remote.tree("next/try")) == local_files(small) | {".gitattributes"}
    assert client.push(small, repo_id, revision="next/try").sent == ()


def test_pull_request_is_opened_once_and_continued(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, tmp_path: Path
) -> None:
    first = client.push(small, repo_id, create_pr=True)
    assert (first.revision, first.tag) == ("refs/pr/1", None)
    assert client.push(small, repo_id, create_pr=True).sent == ()
    changed = client.push(make_build(tmp_path / "changed", version=1, folders=SMALL), repo_id, create_pr=True)
    assert (changed.revision, len(changed.sent)) == ("refs/pr/1", 9)
    remote = hub.dataset(repo_id)
    assert len(remote.state["discussions"]) == 1
    assert set(remote.tree("main")) == {".gitattributes"}
    assert set(remote.tree("refs/pr/1")) == local_files(small) | {".gitattributes"}


def test_tag_of_ones_own(hub: LoopbackHub, client: Any, small: Path, repo_id: str) -> None:
    assert client.push(small, repo_id, tag="paper").tag == "paper"
    assert client.push(small, repo_id, tag=None).tag is None
    assert hub.dataset(repo_id).tags() == ["paper"]


# --- what is refused: one sentence, and nothing changed


@pytest.mark.parametrize(
    ("token", "sentence"),
    [
        (READ_TOKEN, "The token of founder may only read: make one with the right to write at"),
        ("hf_nobody", "does not accept the token for"),
    ],
)
def test_token_without_rights(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, token: str, sentence: str
) -> None:
    with pytest.raises(SARChatError, match=sentence):
        client.push(small, repo_id, token=token)
    assert {method for method, _ in hub.requests} == {"GET"}


def test_no_token(hub: LoopbackHub, client: Any, small: Path, repo_id: str) -> None:
    with pytest.raises(SARChatError, match="There is no token to write with: run `hf auth login`, or set HF_TOKEN"):
        client.push(small, repo_id, token=None)
    assert hub.requests == []


def test_namespace_of_others(hub: LoopbackHub, client: Any, small: Path) -> None:
    with pytest.raises(SARChatError, match=r"may not write to others/data .*: use one with the right"):
        client.push(small, "others/data")
    assert not hub.store.folder("dataset", "others/data").exists()


@pytest.mark.parametrize("name", ["sarchat2m", "a/b/c", "org/what is this", "org/--x"])
def test_bad_name(hub: LoopbackHub, client: Any, small: Path, name: str) -> None:
    with pytest.raises(SARChatError, match=f'"{name}" is no repository: write "owner/name"'):
        client.push(small, name)
    assert hub.requests == []


def test_repository_with_other_content(hub: LoopbackHub, client: Any, small: Path, repo_id: str) -> None:
    hub.store.create("dataset", repo_id, {"README.md": b"# Mine", "data/mine.csv": b"1,2", "manifest.json": b"{}"})
    with pytest.raises(SARChatError, match=rf"{repo_id} holds something else already, such as README.md: choose"):
        client.push(small, repo_id)
    assert hub.dataset(repo_id).history() == ["initial commit"]
    client.push(small, repo_id, overwrite=True)
    assert set(hub.dataset(repo_id).tree("main")) == local_files(small) | {".gitattributes"}


def test_a_first_push_that_broke_off_between_commits_is_ones_own(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str
) -> None:
    """Over Xet a large upload is many commits; the manifest may be missing after the first."""
    hub.store.create("dataset", repo_id, {"README.md": (small / "README.md").read_bytes()})
    pushed = client.push(small, repo_id)
    assert set(pushed.sent) == local_files(small) - {"README.md"}


def test_not_a_build(hub: LoopbackHub, client: Any, tmp_path: Path, repo_id: str) -> None:
    with pytest.raises(SARChatError, match="no built dataset"):
        client.push(tmp_path, repo_id)
    assert hub.requests == []


def test_no_card(hub: LoopbackHub, client: Any, small: Path, tmp_path: Path, repo_id: str) -> None:
    build = copy(small, tmp_path)
    (build / "README.md").unlink()
    with pytest.raises(SARChatError, match=r"has no README\.md"):
        client.push(build, repo_id)
    assert hub.requests == []


@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_damaged_file(hub: LoopbackHub, client: Any, small: Path, tmp_path: Path, repo_id: str, harm: str) -> None:
    build = copy(small, tmp_path)
    path = build / "data" / "referring_single" / "test-00001-of-00002.parquet"
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content if harm == "flip" else content[:50])
    if harm == "remove":
        path.unlink()
    with pytest.raises(SARChatError, match=r"referring_single/test-00001-of-00002.parquet is not the file that"):
        client.push(build, repo_id)
    assert hub.requests == []


def test_out_of_reach(client: Any, small: Path, repo_id: str) -> None:
    with pytest.raises(SARChatError, match=r"^http://127.0.0.1:9 is out of reach: check the network, and run the same"):
        client.push(small, repo_id, endpoint="http://127.0.0.1:9")


def test_offline(hub: LoopbackHub, small: Path, repo_id: str) -> None:
    """In this very process, for which tests/conftest.py sets HF_HUB_OFFLINE."""
    with pytest.raises(SARChatError, match="is not asked while HF_HUB_OFFLINE is set: unset it"):
        push(small, repo_id, endpoint=hub.url, token=WRITE_TOKEN)
    assert hub.requests == []


def test_pull_request_to_a_branch(hub: LoopbackHub, client: Any, small: Path, repo_id: str) -> None:
    with pytest.raises(SARChatError, match='A pull request goes to main: leave out the revision "next"'):
        client.push(small, repo_id, revision="next", create_pr=True)
    assert hub.requests == []


# --- interrupted, and gone on with


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (507, ""),
        (413, ""),
        (402, ""),
        (403, "Private repository storage limit reached, please upgrade your plan"),
    ],
)
def test_full_quota_then_more_room(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, status: int, message: str
) -> None:
    total = parquet_bytes(small)
    hub.fail(Fault("PUT", status=status, message=message, beyond_bytes=total // 2))
    with pytest.raises(SARChatError, match=rf"has no room left for {repo_id}: free or buy storage there, and run the"):
        client.push(small, repo_id)
    assert hub.dataset(repo_id).history() == ["initial commit"]
    sent = sum(stored(hub, repo_id))
    assert 0 < sent <= total // 2
    hub.reset()
    client.push(small, repo_id)
    assert hub.uploaded == total - sent
    assert set(hub.dataset(repo_id).tree("main")) == local_files(small) | {".gitattributes"}


@pytest.mark.parametrize("fault", [Fault("PUT", nth=7), Fault("PUT", nth=7, drop=True)], ids=["500", "dropped"])
def test_a_passing_failure_is_not_noticed(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, fault: Fault
) -> None:
    hub.fail(fault)
    client.push(small, repo_id)
    assert set(hub.dataset(repo_id).tree("main")) == local_files(small) | {".gitattributes"}
    assert sum(method == "PUT" for method, _ in hub.requests) == 17


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault("POST", "/commit/", status=500), "answered 500 about {repo}: wait a little, and run the same command"),
        (Fault("POST", "/commit/", drop=True), "is out of reach: check the network, and run the same command again"),
        (Fault("POST", "/commit/", status=412), "was changed by somebody else at the same time: run the same command"),
    ],
    ids=["500", "dropped", "somebody else"],
)
def test_failed_commit_is_made_by_the_next_run_without_sending_again(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, fault: Fault, sentence: str
) -> None:
    hub.fail(fault)
    with pytest.raises(SARChatError, match=sentence.format(repo=repo_id)):
        client.push(small, repo_id)
    assert hub.dataset(repo_id).history() == ["initial commit"]
    hub.reset()
    client.push(small, repo_id)
    assert hub.uploaded == 0
    assert set(hub.dataset(repo_id).tree("main")) == local_files(small) | {".gitattributes"}


def test_answer_that_does_not_come_is_not_waited_for(
    hub: LoopbackHub, start_client: Any, small: Path, repo_id: str
) -> None:
    hub.fail(Fault("POST", "/commit/", seconds=60))
    with start_client("push", small, repo_id, HF_HUB_DOWNLOAD_TIMEOUT="1") as process:
        _, err = process.communicate(timeout=50)
    told = err.splitlines()
    assert told[0].startswith("Checking 16 files in")
    assert "Sending 18 of 18 files, 0.4 MB" in told
    assert "is out of reach: check the network, and run the same command again" in told[-1]


@pytest.mark.slow
def test_server_that_keeps_failing(hub: LoopbackHub, client: Any, small: Path, repo_id: str) -> None:
    hub.fail(Fault("PUT", nth=10, times=None, status=503))
    with pytest.raises(SARChatError, match=f"answered 503 about {repo_id}"):
        client.push(small, repo_id)
    sent = sum(stored(hub, repo_id))
    hub.reset()
    client.push(small, repo_id)
    assert hub.uploaded == parquet_bytes(small) - sent


def test_killed_in_the_middle_then_resumed(
    hub: LoopbackHub, start_client: Any, client: Any, small: Path, repo_id: str
) -> None:
    total = parquet_bytes(small)
    hub.fail(Fault("PUT", nth=6, times=None, seconds=60))  # the process is killed while it waits for these
    with start_client("push", small, repo_id) as process:
        while "PUT" not in dict(hub.requests) or len(objects := stored(hub, repo_id)) < 5:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.kill()
    sent = sum(objects)
    assert 0 < sent < total
    hub.reset()
    client.push(small, repo_id)
    assert hub.uploaded == total - sent
    assert set(hub.dataset(repo_id).tree("main")) == local_files(small) | {".gitattributes"}
    print(f"killed after {sent} of {total} bytes; the next run sent {hub.uploaded}")


def test_what_arrives_otherwise_than_sent_is_noticed(
    hub: LoopbackHub, client: Any, small: Path, repo_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Hub itself is at fault here: it commits another content than it was given."""
    store = type(hub.store.create("dataset", repo_id))
    take = store.put_small
    monkeypatch.setattr(store, "put_small", lambda self, content: take(self, content + b" "))
    with pytest.raises(SARChatError, match=r"README\.md did not arrive on the Hub as it is in .*: push again"):
        client.push(small, repo_id)
