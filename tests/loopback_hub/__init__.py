"""A Hub on loopback: enough of huggingface.co for unpatched clients to push to, load from and stream from.

    with LoopbackHub(folder) as hub:
        os.environ["HF_ENDPOINT"] = hub.url          # in a new process, before huggingface_hub is imported
        os.environ["HF_HUB_DISABLE_XET"] = "1"       # it speaks LFS, not Xet
        os.environ["HF_TOKEN"] = WRITE_TOKEN

`store` keeps repositories on disk, `api` answers what is asked in JSON, `transfer` moves the files' bytes, `faults`
fails on purpose and counts, `server` puts them together and runs them. `python -m loopback_hub FOLDER` serves a folder.
"""

from .accounts import READ_TOKEN, WRITE_TOKEN
from .faults import Fault
from .server import LoopbackHub

__all__ = ["READ_TOKEN", "WRITE_TOKEN", "Fault", "LoopbackHub"]
