"""The output folder: a file appears whole or not at all, whatever the path is called and whatever goes wrong."""

from __future__ import annotations

import errno
import os
import pickle
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fsspec
import pytest

from sarchat2m.build import build
from sarchat2m.errors import SARChatError
from sarchat2m.storage import Folder


def files_below(path: Path) -> list[str]:
    return sorted(str(file.relative_to(path)) for file in path.rglob("*") if file.is_file())


@pytest.fixture
def memory() -> Iterator[str]:
    yield "memory://storage/out"
    fsspec.filesystem("memory").rm("/storage", recursive=True)


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    """A folder that is not there yet."""
    return Folder(tmp_path / "out" if request.param == "local" else request.getfixturevalue("memory"))


# Files appear whole


def test_files_appear_together_when_the_block_ends(folder: Folder) -> None:
    with folder.replacing("data/a", "data/deeper/b") as (first, second):
        first.write(b"1")
        second.write(b"22")
        assert folder.names() == [Folder.WORKSHOP]
        assert all(name.endswith(".partial") for name in folder.names(Folder.WORKSHOP))
    assert (folder.read("data/a"), folder.read("data/deeper/b")) == (b"1", b"22")
    assert folder.names(Folder.WORKSHOP) == []


@pytest.mark.parametrize("error", [SARChatError, KeyboardInterrupt, OSError])
def test_an_error_leaves_nothing_and_keeps_what_was_there(folder: Folder, error: type[BaseException]) -> None:
    folder.write("data/a", b"earlier")

    def write() -> None:
        with folder.replacing("data/a", "data/b") as (first, second):
            first.write(b"half of it")
            second.write(b"more")
            raise error

    with pytest.raises(error):
        write()
    assert folder.read("data/a") == b"earlier"
    assert folder.names("data") == ["a"]
    assert folder.names(Folder.WORKSHOP) == []


def test_a_reader_sees_the_old_content_or_the_new_one(tmp_path: Path) -> None:
    """Whoever has the old file open goes on reading it, and nobody ever meets a mixture or no file."""
    folder, old, new = Folder(tmp_path), b"a" * 300_000, b"b" * 300_000
    folder.write("file", old)
    stop = threading.Event()

    def read() -> set[bytes | None]:
        seen = set()
        while not stop.is_set():
            seen.add(folder.read("file"))
        return seen

    with ThreadPoolExecutor(1) as pool, (tmp_path / "file").open("rb") as opened:
        reading = pool.submit(read)
        for content in [new, old] * 40:
            folder.write("file", content)
        stop.set()
        assert reading.result() <= {old, new}
        assert opened.read() == old


def test_processes_that_write_at_the_same_moment_do_not_meet(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "out")

    def write(number: int) -> None:
        Folder(folder.url).write(f"data/{number % 3}/same", bytes([number]) * 1000)
        Folder(folder.url).write(f"data/{number % 3}/{number}", bytes([number]))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(48)))
    for place in range(3):
        assert {*folder.names(f"data/{place}")} == {"same", *(str(n) for n in range(place, 48, 3))}
        assert len(set(folder.read(f"data/{place}/same") or b"")) == 1
    assert folder.names(Folder.WORKSHOP) == []


def _killed_while_writing(path: str) -> None:
    with Folder(path).replacing("data/a") as (sink,):
        sink.write(b"half of it")
        sink.flush()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_leaves_no_half_file_under_a_final_name(tmp_path: Path) -> None:
    code = f"import test_storage; test_storage._killed_while_writing({str(tmp_path / 'out')!r})"
    process = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, timeout=60)
    assert process.returncode == -signal.SIGKILL
    (left,) = files_below(tmp_path)
    assert left.startswith(f"out/{Folder.WORKSHOP}/")
    assert left.endswith(".partial")


# A disk that takes no more


def test_a_limit_of_the_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.write("file", b"earlier")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            folder.write("file", bytes(1_000_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG
    assert files_below(tmp_path) == ["file"]
    assert folder.read("file") == b"earlier"


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs the right to mount a small disk")
def test_a_full_disk_leaves_nothing_behind(tmp_path: Path) -> None:
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        folder = Folder(tmp_path)
        folder.write("file", b"earlier")
        with pytest.raises(OSError, match="No space left on device") as caught:
            folder.write("file", bytes(1_000_000))
        assert caught.value.errno == errno.ENOSPC
        assert files_below(tmp_path) == ["file"]
        folder.write("file", bytes(50_000))
        assert folder.size("file") == 50_000
    finally:
        subprocess.run(["umount", str(tmp_path)], check=False)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_remote_disk_that_is_full_is_told_in_the_sentence_of_a_local_one(
    memory: str, source: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "mv", refuse)
    with pytest.raises(SARChatError, match=f"^The disk of {memory} is full; make room, then go on with --resume.$"):
        build(source, memory)
    monkeypatch.undo()
    assert [name for name in fsspec.filesystem("memory").find("/storage") if "partial" in name] == []


# Names and contents


def test_what_is_not_there_is_none(folder: Folder) -> None:
    assert (folder.names(), folder.names("data"), folder.size("data"), folder.read("data/a")) == ([], [], None, None)
    folder.remove("data/a")
    folder.write("data", b"a file where a folder was expected")
    assert (folder.size("data/a"), folder.read("data/a")) == (None, None)
    assert folder.is_file("data")
    assert not folder.is_file("data/a")


def test_names_are_those_directly_below_in_order(folder: Folder) -> None:
    for name in ("b", "a", "data/z", "data/y/x"):
        folder.write(name, b"")
    assert [name for name in folder.names() if name != Folder.WORKSHOP] == ["a", "b", "data"]
    assert folder.names("data") == ["y", "z"]


def test_removing_takes_a_file_or_a_folder_and_nothing_beside_it(folder: Folder) -> None:
    for name in ("data/a", "data/ab", "data/b/c/d", "database"):
        folder.write(name, b"1")
    folder.remove("data/a")
    folder.remove("data/b")
    assert folder.names("data") == ["ab"]
    folder.remove("data")
    assert [name for name in folder.names() if name != Folder.WORKSHOP] == ["database"]


@pytest.mark.parametrize(
    "name",
    ["with space", "100%25", "a#b", "a?b", "[ab]*", "übung 图", "~x", "file:x", "a::b", "memory::x", "a\nb", "-"],
)
@pytest.mark.parametrize("relative", [False, True])
def test_a_local_folder_may_be_called_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, relative: bool
) -> None:
    """What looks like a pattern, a chain of file systems or an escape is none in a path."""
    monkeypatch.chdir(tmp_path)
    for neighbour in ("a", "b", "memory", "x"):
        (tmp_path / neighbour).mkdir()
        (tmp_path / neighbour / "data").write_text("mine")
    folder = Folder(name if relative else tmp_path / name)
    folder.write("data/a", b"1")
    folder.write("data/a", b"2")
    assert (tmp_path / name / "data" / "a").read_bytes() == b"2"
    folder.remove("data")
    folder.remove(Folder.WORKSHOP)
    assert list((tmp_path / name).iterdir()) == []
    assert files_below(tmp_path) == ["a/data", "b/data", "memory/data", "x/data"]


def test_another_process_writes_to_the_same_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    sent = pickle.dumps(Folder("out"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    pickle.loads(sent).write("a", b"1")
    assert files_below(tmp_path) == ["out/a"]


# Addresses


@pytest.mark.parametrize("url", ["nothing://of/the/kind", "memory://out/a*b", "memory://out/[1]", "memory://what?"])
def test_addresses_that_nobody_can_write_to_are_one_sentence(url: str) -> None:
    with pytest.raises(SARChatError, match=r"(cannot be used|has one of the characters) .*(mend|choose)") as caught:
        Folder(url)
    assert str(caught.value).startswith(url)
    assert "\n" not in str(caught.value)


def test_errors_of_other_file_systems_are_those_of_ours(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Throttled(Exception):
        """As the clients of object stores raise: no OSError, on several lines."""

    def refuse(*arguments: object, **options: object) -> None:
        raise Throttled("Slow down,\n  please")

    folder = Folder(memory)
    folder.write("a", b"1")
    monkeypatch.setattr(type(fsspec.filesystem("memory")), "ls", refuse)
    with pytest.raises(OSError, match=r"^Slow down, please$"):
        folder.names()


def test_a_file_address_is_local_too(tmp_path: Path) -> None:
    folder = Folder(f"file://{tmp_path}/out")
    assert folder.is_local()
    folder.write("a", b"1")
    assert files_below(tmp_path) == ["out/a"]
