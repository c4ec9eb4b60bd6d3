"""Serve a folder as a Hub: `python -m loopback_hub FOLDER [PORT]`, ended by Ctrl-C."""

import sys
from pathlib import Path

from . import READ_TOKEN, WRITE_TOKEN, LoopbackHub

with LoopbackHub(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0) as hub:
    print(f"HF_ENDPOINT={hub.url} HF_HUB_DISABLE_XET=1 HF_TOKEN={WRITE_TOKEN}   (read only: {READ_TOKEN})", flush=True)
    hub.thread.join()
