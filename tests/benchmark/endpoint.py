"""An endpoint on loopback, in a process of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class Endpoint:
    """The model server over one dataset: it can be stopped and started again at the same address."""

    def __init__(self, dataset: Path, log: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.base_url = f"http://127.0.0.1:{self.port}/v1"
        self._command = [
            sys.executable,
            str(Path(__file__).with_name("model_server.py")),
            str(dataset),
            str(self.port),
            str(log),
        ]
        self._log = log
        log.touch()
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)
        for _ in range(600):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, "the model server ended"
            time.sleep(0.1)
        raise AssertionError("the model server does not come up")

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()

    def requests(self) -> list[dict[str, Any]]:
        """Every request so far, in the order of arrival."""
        return [json.loads(line) for line in self._log.read_text().splitlines()]
