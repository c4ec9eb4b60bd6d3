"""Pushing the metric as a Space, from which `evaluate.load` takes it by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from loopback_hub import Fault, LoopbackHub

from sarchat2m.errors import SARChatError

SPACE = "org/sarchat_bench"


@pytest.fixture
def metric(tmp_path: Path) -> Path:
    """A folder like the metric's, with what lies about in a folder in use."""
    folder = tmp_path / "metric"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / ".DS_Store").write_bytes(b"x")
    (folder / "sarchat_bench.py").write_text("from .counting import same\n")
    (folder / "counting.py").write_text("def same(a, b):\n    return a == b\n")
    (folder / "README.md").write_text("---\ntitle: SARChat-Bench\nsdk: gradio\n---\n")
    return folder


@pytest.fixture(autouse=True)
def _no_space(hub: LoopbackHub) -> Iterator[None]:
    yield
    shutil.rmtree(hub.store.folder("space", SPACE), ignore_errors=True)


def test_first_push_creates_the_space_and_the_second_sends_nothing(hub: LoopbackHub, client: Any, metric: Path) -> None:
    first = client.push_metric(SPACE, folder=metric)
    assert set(first.sent) == {"README.md", "counting.py", "sarchat_bench.py"}
    assert (first.tag, first.load_line) == ("sarchat2m-0.1.0", 'evaluate.load("org/sarchat_bench")')
    space = hub.space(SPACE)
    assert set(space.tree("main")) == {*first.sent, ".gitattributes"}
    assert space.state["meta"]["sdk"] == "gradio"

    hub.reset()
    assert client.push_metric(SPACE, folder=metric).sent == ()
    assert {method for method, _ in hub.requests} == {"GET", "HEAD"}


def test_evaluate_loads_the_metric_by_name(client: Any, run_client: Callable[..., Any]) -> None:
    client.push_metric(SPACE)
    answers = json.dumps(["There are 3 instances.", "There is 1 instance."])
    truth = json.dumps(["There are 3 instances.", "There are 2 instances."])
    found = run_client("evaluate_metric", SPACE, answers, truth, json.dumps({"subsets": ["counting", "counting"]}))
    assert found["counting"] == 50.0


def test_module_that_is_gone_is_deleted(hub: LoopbackHub, client: Any, metric: Path) -> None:
    client.push_metric(SPACE, folder=metric)
    (metric / "counting.py").rename(metric / "same.py")
    pushed = client.push_metric(SPACE, folder=metric)
    assert (pushed.sent, pushed.deleted) == (("same.py",), ("counting.py",))


def test_failed_commit_is_made_by_the_next_run(hub: LoopbackHub, client: Any, metric: Path) -> None:
    hub.fail(Fault("POST", "/commit/", status=500))
    with pytest.raises(SARChatError, match=f"answered 500 about {SPACE}"):
        client.push_metric(SPACE, folder=metric)
    assert len(client.push_metric(SPACE, folder=metric).sent) == 3


def test_space_with_something_else(hub: LoopbackHub, client: Any, metric: Path) -> None:
    hub.store.create("space", SPACE, {"app.py": b"print()", "README.md": b"---\nsdk: gradio\n---\n"}, sdk="gradio")
    with pytest.raises(SARChatError, match=r"org/sarchat_bench holds something else already, such as app\.py"):
        client.push_metric(SPACE, folder=metric)
    assert hub.space(SPACE).history() == ["initial commit"]


def test_name_that_evaluate_would_not_find(hub: LoopbackHub, client: Any) -> None:
    with pytest.raises(SARChatError, match=r'this one is sarchat_bench\.py: push to "org/sarchat_bench"'):
        client.push_metric("org/sarchat-bench")
    assert hub.requests == []


def test_folder_that_is_not_the_metric(hub: LoopbackHub, client: Any, tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match=r"is not the metric's folder, it has no sarchat_bench\.py"):
        client.push_metric(SPACE, folder=tmp_path)
    assert hub.requests == []
