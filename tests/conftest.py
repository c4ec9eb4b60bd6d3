"""What several tests need: a made-up source, a build of it, and the real data where it is at hand."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

# Nothing in the tests may wait for the network; a test that talks to its own server on loopback says so itself.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout."""
    folder = ROOT.parent / "shared"
    if not (folder / "real").is_dir():
        pytest.skip("needs the real data in ../shared, which is not here")
    return folder


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up SARDet-100K of 50 images; every subset has records in every split. Not to be changed."""
    from sarchat2m.synthesis import synthesize

    folder = tmp_path_factory.mktemp("source") / "SARDet-100K"
    synthesize(folder, 50, seed=0)
    return folder


@pytest.fixture(scope="session")
def built(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset built from `source`, in small shards so that some subsets have several. Not to be changed."""
    from sarchat2m.build import Options, build

    folder = tmp_path_factory.mktemp("built") / "sarchat2m"
    build(source, folder, Options(shard_bytes=2_000_000))
    return folder


@pytest.fixture(scope="session")
def with_figures(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `built` with its statistics in the folder figures, shown by its card. Not to be changed."""
    from sarchat2m.card import write_card
    from sarchat2m.figures import write_statistics

    folder = shutil.copytree(built, tmp_path_factory.mktemp("with_figures") / "sarchat2m")
    write_statistics(folder, folder / "figures")
    write_card(folder)
    return folder
