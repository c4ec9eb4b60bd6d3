"""An OpenAI-compatible endpoint that knows the answers of a built dataset, and errs in ways that are known beforehand.

    python model_server.py DATASET PORT LOG

The model's name says how it behaves; what it errs on goes by the question's number in its subset, so that a test can
work out the right score from the dataset alone. Every request is a line of LOG: the hash of the image as sent, the
question, and the headers and options that the tests look at.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import sys
from functools import lru_cache
from pathlib import Path

import pyarrow.parquet as pq
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sarchat2m.vocabulary import SUBSETS

ERR_EVERY = {"good": 10, "poor": 3}
"""The model "good" errs on every tenth record of each subset, the first of them included, "poor" on every third."""

FAULTS = ("refuses", "breaks off", "talks nonsense", "fails", "says nothing", "sends no JSON")
"""What the model "faulty" does to the first records of every subset, in turn."""


def wrong_answer(subset: str, answer: str) -> str:
    """Answer wrongly, so that the figures can be worked out by hand."""
    if subset.startswith("identification"):
        return "This is a tank." if "tank" not in answer else "This is a ship."
    if subset == "counting":
        return "There are 99 instances."
    if subset.startswith("referring"):
        return "{<0><0><1><1>} (top left)"
    return ""


@lru_cache(maxsize=64)
def pixels(image: bytes) -> str:
    """Tell an image by what it shows, whatever format it comes in."""
    with Image.open(io.BytesIO(image)) as opened:
        return hashlib.sha256(opened.convert("L").tobytes()).hexdigest()


def load(dataset: Path) -> dict[tuple[str, str], tuple[str, int, str]]:
    """Map an image's pixels and a question to subset, number and answer."""
    known: dict[tuple[str, str], tuple[str, int, str]] = {}
    for subset in SUBSETS:
        number = 0
        for path in sorted((dataset / "data" / subset).glob("test-*.parquet")):
            for row in pq.read_table(path, columns=["image", "question", "answer"]).to_pylist():
                known[pixels(row["image"]["bytes"]), row["question"]] = (subset, number, row["answer"])
                number += 1
    return known


def application(dataset: Path, log: Path) -> Starlette:
    known = load(dataset)
    written = log.open("a", buffering=1)

    def completion(text: object, finish_reason: str = "stop") -> Response:
        message = {"role": "assistant", "content": text}
        return JSONResponse(
            {"object": "chat.completion", "choices": [{"message": message, "finish_reason": finish_reason}]}
        )

    async def chat(request: Request) -> Response:
        body = await request.json()
        image, text = body["messages"][-1]["content"]
        header, _, data = image["image_url"]["url"].partition(",")
        image_bytes = base64.b64decode(data)
        question, _, suffix = text["text"].partition("\n")
        rest = {key: value for key, value in body.items() if key != "messages"}
        entry = {
            "image": hashlib.sha256(image_bytes).hexdigest(),
            "media": header,
            "question": question,
            "suffix": suffix,
            "system": [m["content"] for m in body["messages"] if m["role"] == "system"],
            "authorization": request.headers.get("authorization"),
            "options": rest,
        }
        written.write(json.dumps(entry) + "\n")
        model = body["model"]
        if model.endswith("slow"):
            await asyncio.sleep(0.05)
            model = model.removesuffix("-slow")
        if model == "asleep":
            await asyncio.sleep(60)
        if model not in ("good", "poor", "slow", "faulty", "echo"):
            return JSONResponse({"error": {"message": f"The model {model} does not exist"}}, 404)
        if model == "echo":  # of the key, as careless endpoints do
            return JSONResponse({"error": {"message": f"I do not like {entry['authorization']}"}}, 400)
        asked = (pixels(image_bytes), question)
        if asked not in known:
            return JSONResponse({"error": {"message": "I know no such question about such an image"}}, 422)
        subset, number, answer = known[asked]
        if model == "faulty" and number < len(FAULTS):
            return {
                "refuses": JSONResponse({"error": {"message": "image too large"}}, 400),
                "breaks off": completion(answer[:9], "length"),
                "talks nonsense": JSONResponse({"hello": "world"}),
                "fails": PlainTextResponse("out of memory", 500),
                "says nothing": completion(None),
                "sends no JSON": Response(b"{]", media_type="application/json"),
            }[FAULTS[number]]
        if number % ERR_EVERY.get(model, 1 << 30) == 0:
            return completion(wrong_answer(subset, answer))
        return completion(answer)

    async def models(request: Request) -> Response:
        if request.headers.get("authorization") == "Bearer wrong-key":
            return JSONResponse({"error": {"message": "Incorrect API key provided: wrong-key"}}, 401)
        return JSONResponse({"object": "list", "data": [{"id": "good"}, {"id": "poor"}]})

    return Starlette(routes=[Route("/v1/chat/completions", chat, methods=["POST"]), Route("/v1/models", models)])


if __name__ == "__main__":
    uvicorn.run(application(Path(sys.argv[1]), Path(sys.argv[3])), port=int(sys.argv[2]), log_level="error")
