"""A dataset of the Hub is read like a folder: the files that are needed are fetched, once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sarchat2m.reading import Dataset
from tests.loopback_hub import WRITE_TOKEN, LoopbackHub

PROGRAM = """
import sys
from sarchat2m.hub import push
from sarchat2m.reading import Dataset
push(sys.argv[1], "org/sar")
for time in range(2):
    dataset = Dataset("org/sar", "counting")
    texts = dataset.texts()
    images = dict(dataset.images(texts["image_id"].to_pylist()))
print(texts.num_rows, sum(map(len, images.values())), dataset.categories[0])
"""


def test_a_dataset_of_the_hub_is_read(built: Path, tmp_path: Path) -> None:
    with LoopbackHub(tmp_path / "hub") as hub:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        settings = {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": WRITE_TOKEN}
        # huggingface_hub reads its environment when it is imported: hence a process of its own.
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, str(built)],
            env={**kept, **settings, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"},
            capture_output=True,
            text=True,
            timeout=300,
        )
    assert done.returncode == 0, done.stderr
    local = Dataset(str(built), "counting")
    texts = local.texts()
    size = sum(len(data) for _, data in local.images(texts["image_id"].to_pylist()))
    assert done.stdout.split() == [str(texts.num_rows), str(size), "ship"]
