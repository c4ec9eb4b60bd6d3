"""A Hub on loopback for the session, and real clients of it in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import clients
import pytest
from handmade import SMALL, make_build
from loopback_hub import WRITE_TOKEN, LoopbackHub

from sarchat2m import hub as library

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def session_hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoopbackHub]:
    with LoopbackHub(tmp_path_factory.mktemp("hub")) as running:
        yield running


@pytest.fixture
def hub(session_hub: LoopbackHub) -> Iterator[LoopbackHub]:
    session_hub.reset()
    yield session_hub
    session_hub.reset()


@pytest.fixture(scope="session")
def client_env(session_hub: LoopbackHub, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., dict[str, str]]:
    """Give the environment of a client with an empty home, on this Hub."""

    def env(**more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        home = tmp_path_factory.mktemp("home")
        settings = {"HF_ENDPOINT": session_hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        settings |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_TOKEN": WRITE_TOKEN}
        return kept | settings | more

    return env


@pytest.fixture(scope="session")
def client(client_env: Callable[..., dict[str, str]]) -> Iterator[Any]:
    """The library in one process of its own: `client.push(...)` and so on, with the token that writes by default."""
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(client_env(HF_TOKEN=""))
    try:
        # huggingface_hub reads its environment when it is imported: a new process, and not a fork.
        pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        pool.submit(os.getpid).result()
    finally:
        os.environ.clear()
        os.environ.update(before)

    class Client:
        def __getattr__(self, name: str) -> Callable[..., Any]:
            def call(*args: Any, **options: Any) -> Any:
                function = partial(getattr(library, name), **{"token": WRITE_TOKEN, **options})
                return pool.submit(function, *args).result(120)

            return call

    with pool:
        yield Client()


@pytest.fixture(scope="session")
def start_client(client_env: Callable[..., dict[str, str]]) -> Callable[..., subprocess.Popen[str]]:
    """Start a function of `clients` in a process with an empty cache."""

    def start(function: str, *args: object, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, clients.__file__, function, *map(str, args)]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, env=client_env(**env), stdout=pipe, stderr=pipe, text=True)

    return start


@pytest.fixture(scope="session")
def run_client(start_client: Callable[..., subprocess.Popen[str]]) -> Callable[..., Any]:
    """Run a function of `clients` in a process with an empty cache; it must end well and in time. Give its answer."""

    def run(function: str, *args: object, **env: str) -> Any:
        with start_client(function, *args, **env) as process:
            try:
                out, err = process.communicate(timeout=180)
            finally:
                process.kill()
        assert process.returncode == 0, err
        return json.loads(out.splitlines()[-1])

    return run


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of three subsets and the images, 16 shards. Not to be changed."""
    return make_build(tmp_path_factory.mktemp("small") / "OUT", folders=SMALL)


_numbers = count()


@pytest.fixture
def repo_id() -> str:
    """A dataset repository that no other test uses."""
    return f"org/sarchat2m-{next(_numbers)}"
