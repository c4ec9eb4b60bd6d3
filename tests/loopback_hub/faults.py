"""Failing on purpose, and counting: one ASGI layer around the whole Hub.

hub.fail(Fault("PUT", nth=3))                              the third PUT from now on answers 500
hub.fail(Fault("PUT", nth=3, times=None, drop=True))       from the third PUT on the connection closes half way
hub.fail(Fault("PUT", status=507, beyond_bytes=100_000))   full after 100 kB
hub.fail(Fault("GET", "resolve/.*parquet", drop=True))     a download that breaks off half way
hub.fail(Fault("POST", "commit", seconds=30))              an answer that comes too late
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass
class Fault:
    """What goes wrong with requests of one method whose quoted path matches `path`, a regular expression."""

    method: str
    path: str = ""
    nth: int = 1  # the first matching request that fails
    times: int | None = 1  # how many fail; None: all from then on
    status: int = 500  # the answer, given instead of doing what was asked
    message: str = ""
    drop: bool = False  # instead of an answer: the connection closes half way through the body, theirs or ours
    seconds: float = 0  # the answer is late
    beyond_bytes: int | None = None  # a quota: the bodies that would bring the sum above this fail, and no others
    seen: int = field(default=0, init=False)
    taken: int = field(default=0, init=False)

    def applies(self, method: str, path: str, length: int) -> bool:
        if method != self.method or not re.search(self.path, path):
            return False
        if self.beyond_bytes is not None:
            if self.taken + length > self.beyond_bytes:
                return True
            self.taken += length
            return False
        self.seen += 1
        return self.nth <= self.seen and (self.times is None or self.seen < self.nth + self.times)


class Dropped(Exception):
    """The connection is to be closed now."""


class FaultyHub:
    """The layer: keeps the log of requests and the counts of bytes, and lets the faults have their way."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.faults: list[Fault] = []
        self.reset()

    def reset(self) -> None:
        """Forget the faults, the log and the counts."""
        self.faults.clear()
        self.requests: list[tuple[str, str]] = []
        self.bytes_received: Counter[tuple[str, str]] = Counter()  # by method and path, and so are the next
        self.bytes_sent: Counter[tuple[str, str]] = Counter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        method, path = scope["method"], scope["raw_path"].decode()
        self.requests.append((method, path))
        length = int(dict(scope["headers"]).get(b"content-length", 0))
        fault = next((f for f in self.faults if f.applies(method, path, length)), None)
        dropping = fault is not None and fault.drop

        read = written = answer = 0

        async def counted_receive() -> Any:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            self.bytes_received[method, path] += len(message.get("body", b""))
            if dropping and length and 2 * read >= length:
                raise Dropped
            return message

        async def counted_send(message: Any) -> None:
            nonlocal written, answer
            if message["type"] == "http.response.start":
                answer = int(dict(message["headers"]).get(b"content-length", 0))
            body = message.get("body", b"")
            cut = dropping and answer and 2 * (written + len(body)) >= answer
            if cut:
                message = {**message, "body": body[: answer // 2 - written], "more_body": True}
            written += len(message.get("body", b""))
            self.bytes_sent[method, path] += len(message.get("body", b""))
            await send(message)
            if cut:
                raise Dropped

        try:
            if fault is not None and not fault.drop:
                await asyncio.sleep(fault.seconds)
                while (await counted_receive()).get("more_body"):
                    pass  # answered any earlier, a client that still writes may see a reset instead of the answer
                await self.refuse(fault, counted_send)
            else:
                # The routes see the path as it was quoted: refs%2Fpr%2F1 is one segment of it.
                await self.app({**scope, "path": path}, counted_receive, counted_send)
        except Dropped:
            if not answer:  # an answer that is begun and not ended makes the server close the connection
                headers = [(b"content-length", b"1")]
                await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def refuse(self, fault: Fault, send: Any) -> None:
        message = fault.message or HTTPStatus(fault.status).phrase
        body = json.dumps({"error": message}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"x-error-message", message.encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": fault.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
