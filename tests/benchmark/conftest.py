"""An endpoint over the dataset that the tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from endpoint import Endpoint


@pytest.fixture(scope="session")
def endpoint(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    server = Endpoint(built, tmp_path_factory.mktemp("endpoint") / "requests.jsonl")
    yield server
    server.stop()
