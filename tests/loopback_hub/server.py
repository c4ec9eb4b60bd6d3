"""The Hub put together, and run on a free port of this machine in a thread."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from . import api, transfer
from .answers import HubError, answer_error
from .faults import Fault, FaultyHub
from .store import Repository, Store


class LoopbackHub:
    """A running Hub that stores below `root`. Used as a context manager."""

    def __init__(self, root: Path, port: int = 0) -> None:
        self.store = Store(Path(root))
        app = Starlette(routes=[*api.ROUTES, *transfer.ROUTES], exception_handlers={HubError: answer_error})
        app.state.store = self.store
        self.traffic = FaultyHub(app)
        self.socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        config = uvicorn.Config(self.traffic, http="h11", log_level="critical", lifespan="off")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],), daemon=True)

    def __enter__(self) -> LoopbackHub:
        self.thread.start()  # the socket listens already: a client that comes early waits
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.server.force_exit = True
        self.thread.join(10)
        self.socket.close()

    def fail(self, fault: Fault) -> None:
        """Let requests fail from now on, until `reset`."""
        self.traffic.faults.append(fault)

    def reset(self) -> None:
        """Forget faults and counts; the repositories stay."""
        self.traffic.reset()

    @property
    def requests(self) -> list[tuple[str, str]]:
        """Method and quoted path of every request since the last reset."""
        return self.traffic.requests

    @property
    def uploaded(self) -> int:
        """The bytes of all uploaded objects since the last reset, whether they arrived whole or not."""
        return sum(size for (method, _), size in self.traffic.bytes_received.items() if method == "PUT")

    @property
    def downloaded(self) -> int:
        """The bytes of all files that were sent since the last reset, whole or in part."""
        return sum(size for (_, path), size in self.traffic.bytes_sent.items() if "/resolve/" in path)

    def dataset(self, name: str) -> Repository:
        """Give a dataset repository as it is on disk."""
        return self.store.get("dataset", name)

    def space(self, name: str) -> Repository:
        """Give a Space's repository as it is on disk."""
        return self.store.get("space", name)
