"""What was pushed is loaded by name in a process with an empty cache, whole and streaming, and equals the build."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clients import digest_of_files
from handmade import make_build
from loopback_hub import LoopbackHub

from sarchat2m.vocabulary import CONFIGS


def test_every_config_loads_and_streams_as_it_was_built(
    hub: LoopbackHub, client: Any, run_client: Callable[..., Any], repo_id: str, tmp_path: Path
) -> None:
    build = make_build(tmp_path / "OUT", shards=1, images=2)
    client.push(build, repo_id)
    streamed = ("referring", "counting", "images")
    assert run_client("load_every_config", repo_id, *streamed) == {
        f"{config}/{split}{how}": digest_of_files(build, CONFIGS[config], split)
        for how, configs in (("", CONFIGS), (" streamed", streamed))
        for config in configs
        for split in ("train", "test")
    }
