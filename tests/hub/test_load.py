"""What was pushed is loaded by name in a process with an empty cache, whole and streaming, and equals the build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from clients import digest
from handmade import CATEGORIES
from loopback_hub import LoopbackHub

from sarchat2m.vocabulary import CONFIGS


def local_digest(build: Path, config: str, split: str) -> str:
    files = [
        path for folder in CONFIGS[config] for path in sorted((build / "data" / folder).glob(f"{split}-*.parquet"))
    ]
    return digest(pa.concat_tables([pq.read_table(path) for path in files]).to_pylist())


def test_every_config_loads_and_streams_as_it_was_built(
    hub: LoopbackHub, client: Any, run_client: Callable[..., Any], handmade: Path, repo_id: str
) -> None:
    client.push(handmade, repo_id)
    streamed = ("referring", "counting", "images")
    assert run_client("load_every_config", repo_id, *streamed) == {
        f"{config}/{split}{how}": local_digest(handmade, config, split)
        for how, configs in (("", CONFIGS), (" streamed", streamed))
        for config in configs
        for split in ("train", "test")
    }
    assert run_client("load_one", repo_id, "referring", "v0.1.0") == [
        [96, 96],
        list(CATEGORIES),
        local_digest(handmade, "referring", "test"),
    ]
