"""The build elsewhere: in other processes, on Dask clusters, some of them killed, and in folders that are not local."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import fsspec
import pyarrow.parquet as pq
import pytest
from test_build import digests

from sarchat2m.build import Options, build, read_manifest
from sarchat2m.errors import SARChatError
from sarchat2m.schedulers import _on_equal_terms, dask_cluster, local_processes
from sarchat2m.synthesis import synthesize

IMAGES = 120
SMALL_SHARDS = Options(shard_bytes=1_000_000)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up source with ranges enough to lose a worker among them."""
    folder = tmp_path_factory.mktemp("source") / "SARDet-100K"
    synthesize(folder, IMAGES, seed=1)
    return folder


@pytest.fixture(scope="module")
def local(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a build in this process writes."""
    folder = tmp_path_factory.mktemp("local") / "out"
    build(source, folder, SMALL_SHARDS)
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from distributed import LocalCluster

    with LocalCluster(
        processes=True, n_workers=3, threads_per_worker=1, dashboard_address=":0", silence_logs=50
    ) as cluster:
        yield cluster


def ranges_of(folder: Path) -> int:
    return len(list(folder.glob("data/images/*.parquet")))


# In several processes


def _process(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def test_local_processes_share_the_work() -> None:
    with local_processes(2) as run:
        found = list(run(_process, [0.5] * 6))
    assert len(found) == 6
    assert len(set(found)) == 2
    assert os.getpid() not in found


def test_a_killed_local_worker_is_one_sentence() -> None:
    with (
        local_processes(2) as run,
        pytest.raises(
            SARChatError, match=r"^A worker was killed, perhaps for want of memory; go on with fewer --workers"
        ),
    ):
        list(run(os._exit, [1, 1]))


def _until_killed() -> None:
    with local_processes(2) as run:
        for pid in run(_process, [0.2] * 2 + [60] * 2):
            print(pid, flush=True)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
def test_workers_end_when_their_build_is_killed() -> None:
    """Killed as by kill -9, or for want of memory: nobody is left who holds files and memory, or writes."""
    code = "import test_scale_out; test_scale_out._until_killed()"
    command = [sys.executable, "-c", code]
    process = subprocess.Popen(command, cwd=Path(__file__).parent, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    workers = {int(process.stdout.readline()) for _ in range(2)}
    process.kill()
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 20
    while workers and time.monotonic() < deadline:
        workers = {pid for pid in workers if _lives(pid)}
        time.sleep(0.02)
    assert not workers


def _lives(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# On a cluster


def test_a_cluster_writes_the_same_bytes(
    cluster: Any, source: Path, local: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths may be relative here, although the workers run in another folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "source").symlink_to(source)
    told: list[tuple[int, int]] = []
    with dask_cluster(cluster.scheduler_address) as run:
        build(
            "source", "out", SMALL_SHARDS, scheduler=run, on_check=lambda *n: None, on_build=lambda *n: told.append(n)
        )
    assert digests(tmp_path / "out") == digests(local)
    assert told[-1] == (IMAGES, IMAGES)
    assert len(told) == ranges_of(local) > 5, "told after every range"


def _noting(log: Path, function: Callable[[Any], Any], item: Any) -> Any:
    """Do the work; before that, note its number on a line of the log."""
    with log.open("a") as notes:
        notes.write(f"{item.number}\n")
    return function(item)


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_killed_worker_costs_what_it_was_working_on(
    cluster: Any, source: Path, local: Path, tmp_path: Path, comes_back: bool
) -> None:
    out, log = tmp_path / "out", tmp_path / "begun"
    finished: dict[Path, tuple[int, int]] = {}
    killed: list[str] = []

    def kill_one(done: int, total: int) -> None:
        if killed:
            return
        deadline = time.monotonic() + 60
        while not (busy := [w for w in cluster.scheduler.workers.values() if w.processing]):
            assert time.monotonic() < deadline, "nobody is at work any more"
            time.sleep(0.001)
        nanny = next(nanny for nanny in cluster.workers.values() if nanny.worker_address == busy[0].address)
        nanny.auto_restart = comes_back
        os.kill(nanny.pid, signal.SIGKILL)
        killed.append(busy[0].address)
        for journal in out.glob(".building/range-*.json"):
            paths = [out / file["path"] for file in json.loads(journal.read_text())]
            finished.update((path, _stamp(path)) for path in paths)

    with dask_cluster(cluster.scheduler_address) as run:

        def run_noting(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterable[Any]:
            return run(partial(_noting, log, function) if "write_range" in str(function) else function, items)

        build(source, out, SMALL_SHARDS, scheduler=run_noting, on_build=kill_one)
    assert digests(out) == digests(local)
    assert killed[0] not in cluster.scheduler.workers
    # The range it worked on is begun twice, and perhaps one that it had just ended, before anybody heard of that.
    assert len(log.read_text().split()) <= ranges_of(local) + 2
    assert finished
    assert {path: _stamp(path) for path in finished} == finished, "a finished range was written again"


def _stamp(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_an_error_of_a_worker_is_the_one_sentence(cluster: Any, source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "source"
    shutil.copytree(source, copy)
    changed = next(path for path in (copy / "JPEGImages").rglob("*.png"))

    with dask_cluster(cluster.scheduler_address) as run:

        def change_before_writing(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterable[Any]:
            if "write_range" in str(function):
                changed.write_bytes(b"shorter")
            return run(function, items)

        with pytest.raises(SARChatError, match=r"has changed since the build began; put it back") as caught:
            build(copy, tmp_path / "out", SMALL_SHARDS, scheduler=change_before_writing)
    assert str(changed) in str(caught.value)


def test_on_the_command_line_an_error_is_one_line_and_a_build_is_silent(
    cluster: Any, source: Path, local: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "sarchat2m.cli", "build", str(source), str(out), "--resume"]
    command += ["--shard-size", "1MB", "--scheduler", cluster.scheduler_address]
    (out / ".building").mkdir(parents=True)
    plan = {key: value for key, value in read_manifest(local).items() if key not in ("files", "records", "images")}
    plan["source"].pop("splits")
    (out / ".building" / "plan.json").write_text(json.dumps(plan))
    (out / "data").write_text("in the way of the workers")
    failed = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert failed.returncode == 1
    assert failed.stdout == ""
    assert failed.stderr.startswith(f"Error: {out}: ")
    assert failed.stderr.endswith("mend that, then go on with --resume.\n")
    assert failed.stderr.count("\n") == 1, failed.stderr
    (out / "data").unlink()
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert digests(out) == digests(local)


def test_a_range_that_kills_its_workers_is_one_sentence(cluster: Any) -> None:
    allowed, cluster.scheduler.allowed_failures = cluster.scheduler.allowed_failures, 0
    try:
        with (
            dask_cluster(cluster.scheduler_address) as run,
            pytest.raises(SARChatError, match=r"Several workers of tcp://.* were lost over one range; give them more"),
        ):
            list(run(os._exit, [1]))
    finally:
        cluster.scheduler.allowed_failures = allowed


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"numpy": "0.1"}, r"of tcp://\S+ has numpy \S+, but 0\.1 is needed; install the same there as here"),
        ({"sarchat3m": "0.1"}, r"of tcp://\S+ has no sarchat3m, but 0\.1 is needed; install the same there as here"),
    ],
)
def test_a_cluster_with_another_version_or_none_is_refused(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str], sentence: str
) -> None:
    monkeypatch.setattr("sarchat2m.schedulers._versions", lambda: wanted)
    with pytest.raises(SARChatError, match=sentence):
        dask_cluster(cluster.scheduler_address).__enter__()


def test_a_worker_that_joins_later_with_another_version_is_refused() -> None:
    with pytest.raises(SARChatError, match=r"^The worker on .* has pyarrow .*, but 0\.1 is needed; install the same"):
        _on_equal_terms(len, {"pyarrow": "0.1"}, [])


def test_items_of_a_full_build_travel_without_a_warning(cluster: Any) -> None:
    """The 102 ranges of SARDet-100K are 18.8 MB, 0.2 MB the largest; Dask warns of 10 MB in one message."""
    with dask_cluster(cluster.scheduler_address) as run, warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(run(len, [bytes([i]) * 200_000 for i in range(102)])) == 102 * 200_000


def test_a_cluster_that_goes_away_is_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    code = (
        "import time; from distributed import LocalCluster; "
        "cluster = LocalCluster(processes=False, n_workers=1, dashboard_address=':0', protocol='tcp://'); "
        "print(cluster.scheduler_address, flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout
        with dask_cluster(process.stdout.readline().strip()) as run:
            results = iter(run(time.sleep, [0, 30]))
            next(results)
            process.kill()
            with pytest.raises(SARChatError, match=r"cluster at .* is gone; start it, then go on with --resume"):
                next(results)
    finally:
        process.kill()
        process.communicate()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("address", ["nonsense", "tcp://127.0.0.1", "http://127.0.0.1:1", "tcp://127.0.0.1:1"])
def test_a_wrong_address_is_one_sentence(address: str) -> None:
    begin = time.monotonic()
    with pytest.raises(SARChatError, match=f"No Dask scheduler answers at {address}; start one, or mend the address"):
        dask_cluster(address).__enter__()
    assert time.monotonic() - begin < 20


def test_without_dask_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SARChatError, match=r"needs Dask: pip install 'sarchat2m\[dask\]'"):
        dask_cluster("tcp://127.0.0.1:8786").__enter__()


# Into other file systems


def content(url: str) -> dict[str, bytes]:
    files, root = fsspec.url_to_fs(url)
    files.invalidate_cache()
    return {path[len(root) + 1 :]: files.cat_file(path) for path in files.find(root)}


@pytest.fixture
def ftp(tmp_path: Path) -> Iterator[str]:
    """The URL of a folder on a real FTP server: another process can write there too."""
    pytest.importorskip("pyftpdlib", reason="needs pyftpdlib, a server to try a remote folder on")
    root = tmp_path / "ftp"
    root.mkdir()
    code = (
        "import logging, sys; from pyftpdlib.authorizers import DummyAuthorizer; "
        "from pyftpdlib.handlers import FTPHandler; from pyftpdlib.servers import FTPServer; "
        "logging.basicConfig(level=logging.ERROR); FTPHandler.authorizer = DummyAuthorizer(); "
        "FTPHandler.authorizer.add_user('user', 'word', sys.argv[1], perm='elradfmwMT'); "
        "server = FTPServer(('127.0.0.1', 0), FTPHandler); print(server.address[1], flush=True); server.serve_forever()"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(root)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield f"ftp://user:word@127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def test_a_cluster_writes_to_a_remote_folder(cluster: Any, ftp: str, source: Path, local: Path) -> None:
    with dask_cluster(cluster.scheduler_address) as run:
        build(source, f"{ftp}/sets/sarchat2m", SMALL_SHARDS, scheduler=run)
    assert content(f"{ftp}/sets/sarchat2m") == content(str(local))


@pytest.fixture
def memory() -> Iterator[str]:
    yield "memory://sets/out"
    fsspec.filesystem("memory").rm("/sets", recursive=True)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("kind", ["memory", "ftp"])
def test_everything_works_in_a_folder_that_is_not_local(
    kind: str, source: Path, local: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(kind) + "/deep"
    expected = content(str(local))

    def stop(done: int, total: int) -> None:
        if done > IMAGES // 5:
            raise Stopped

    with pytest.raises(Stopped):
        build(source, url, SMALL_SHARDS, on_build=stop)
    begun = content(url)
    assert any(name.startswith(".building/range-") for name in begun)
    assert not any(name.endswith(".partial") for name in begun)
    assert all(expected[name] == data for name, data in begun.items() if name.startswith("data/"))
    with pytest.raises(SARChatError, match="holds an interrupted build; go on with it by --resume"):
        build(source, url, SMALL_SHARDS)
    with pytest.raises(SARChatError, match="another seed"):
        build(source, url, Options(seed=1, shard_bytes=1_000_000), resume=True)
    build(source, url, SMALL_SHARDS, resume=True)
    assert content(url) == expected
    build(source, url, SMALL_SHARDS, resume=True)
    assert content(url) == expected
    counting = Options(subsets=("counting",), shard_bytes=1_000_000)
    build(source, url, counting, overwrite=True)
    replaced = content(url)
    assert {name.split("/")[1] for name in replaced if name.startswith("data/")} == {"counting", "images"}
    assert all(expected[name] == data for name, data in replaced.items() if name.startswith("data/"))
    manifest = read_manifest(url)
    files, root = fsspec.url_to_fs(url)
    for file in manifest["files"]:
        assert pq.read_table(f"{root}/{file['path']}", filesystem=files).num_rows == file["records"]


def test_something_else_in_a_remote_folder_is_left_alone(memory: str, source: Path) -> None:
    fsspec.filesystem("memory").pipe_file("/sets/out/notes.txt", b"mine")
    for flags in ({}, {"resume": True}, {"overwrite": True}):
        with pytest.raises(SARChatError, match=r"memory://sets/out holds something else \(notes\.txt, for one\)"):
            build(source, memory, SMALL_SHARDS, **flags)
    assert content(memory) == {"notes.txt": b"mine"}


def test_a_worker_that_writes_elsewhere_is_noticed(memory: str, source: Path) -> None:
    """As memory:// does in another process, or a folder that another machine does not share."""

    def elsewhere(function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[Any]:
        for item in items:
            result = function(item)
            if "write_range" in str(function):
                fsspec.filesystem("memory").rm("/sets/out/.building", recursive=True)
            yield result

    with pytest.raises(SARChatError, match="give a folder or URL that all machines share"):
        build(source, memory, SMALL_SHARDS, scheduler=elsewhere)
