"""Run in an environment of its own: load configs and tell as JSON what is in them. Imports nothing but datasets.

usage: python load_and_tell.py '{"path": ..., "configs": [...], "streaming": false, "columns": null, "data_dir": null}'
"""

import functools
import io
import json
import os
import sys
from hashlib import sha256
from pathlib import Path

import datasets
from PIL import Image


@functools.cache
def digest(content: bytes) -> str:
    """Tell an image by the digest of its bytes, once it has been opened as one."""
    Image.open(io.BytesIO(content)).verify()
    return sha256(content).hexdigest()


def tell(row: dict) -> dict:
    """Make a row comparable."""
    if "image" not in row:
        return row
    content = row["image"]["bytes"]
    return {**row, "image": digest(Path(row["image"]["path"]).read_bytes() if content is None else content)}


if __name__ == "__main__":
    wish = json.loads(sys.argv[1])
    options = {key: wish[key] for key in ("columns", "data_dir", "trust_remote_code") if wish.get(key)}
    told = {"datasets": datasets.__version__, "rows": {}, "categories": {}}
    for config in wish["configs"]:
        streaming = bool(wish.get("streaming"))
        loaded = datasets.load_dataset(wish["path"], config, streaming=streaming, **options)
        for split, data in loaded.items():
            if "image" in data.features:
                data = data.cast_column("image", datasets.Image(decode=False))
            rows = list(data.take(10**6)) if streaming else list(data)
            told["rows"][f"{config}/{split}"] = [tell(row) for row in rows]
            objects = data.features["objects"]
            feature = getattr(objects, "feature", None) or objects[0]
            told["categories"][config] = feature["category"].names
    sys.stdout.write(json.dumps(told))
    sys.stdout.flush()
    os._exit(0)  # leaving a process that has streamed can hang (see DESIGN)
