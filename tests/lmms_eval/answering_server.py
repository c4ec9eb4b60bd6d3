"""An OpenAI-compatible endpoint on loopback that answers by the pixels and the question it is sent."""

import base64
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from PIL import Image


def fingerprint(image: bytes) -> str:
    """Tell images apart by their pixels, since a client may encode them anew."""
    return hashlib.sha256(Image.open(io.BytesIO(image)).convert("RGB").tobytes()).hexdigest()


@contextmanager
def serving(answer: Callable[[str, str], str]) -> Iterator[str]:
    """Serve chat completions for as long as the block lasts, and give the base URL.

    `answer` gets an image's fingerprint and a question. What it raises becomes a status 500.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            parts = request["messages"][-1]["content"]
            [question] = [part["text"] for part in parts if part["type"] == "text"]
            [url] = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
            try:
                text, status = answer(fingerprint(base64.b64decode(url.partition(",")[2])), question), 200
            except Exception as error:
                text, status = repr(error), 500
            message = {"role": "assistant", "content": text}
            reply = {
                "id": "1",
                "object": "chat.completion",
                "created": 0,
                "model": request["model"],
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            }
            content = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
