"""The process that talks to the endpoint: `python -m sarchat2m.benchmark.chat_worker`, started by `predict`.

It reads one JSON object a line from its standard input and writes one a line to its standard output:

    in   {"base_url", "model", "system", "generation", "concurrency", "timeout", "retries"}      first, once
    out  {"ready": true, "models": [...] or null}    or    {"unreachable": "why"}    or    {"refused": "why"}
    in   {"image": "data:image/png;base64,...", "questions": [[number, text], ...]}              then, again and again
    out  {"number", "prediction"}    or    {"number", "error": kind, "message", "partial"?}       one per question

It is a process of its own because one Python process gets through about 800 requests a second with this client, and
because neither reading images nor writing answers then delays a request. It ends when its input ends, so it never
outlives the run. The key comes from the environment and is taken out of everything that is written here.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import openai

__all__: list[str] = []

_LONGEST_MESSAGE = 500


def _http_client() -> Any:
    """Give the aiohttp transport where it is installed: it costs half the processor time of the default one."""
    try:
        return openai.DefaultAioHttpClient()
    except RuntimeError:
        return openai.DefaultAsyncHttpxClient()


def _kind_of(error: BaseException) -> str:
    if isinstance(error, openai.APIConnectionError):
        # Not APITimeoutError: with the aiohttp transport a connection that the server closed is one too.
        while error.__cause__:
            error = error.__cause__
        return "timeout" if isinstance(error, TimeoutError | asyncio.TimeoutError) else "connection"
    if not isinstance(error, openai.APIStatusError):
        return "malformed"
    if error.status_code in (401, 403):
        return "key"
    if error.status_code >= 500:
        return "server"
    return {404: "model", 408: "timeout", 429: "rate_limit"}.get(error.status_code, "refused")


def _answer_of(reply: Any) -> dict[str, str]:
    """Take the text out of a chat completion, or say why there is none."""
    try:
        choice = reply["choices"][0]
        content = choice["message"]["content"]
        if isinstance(content, list):
            content = "".join(part["text"] for part in content if part.get("type") == "text")
        if choice.get("finish_reason") == "length":
            return {"error": "too_long", "message": "finish_reason is length", "partial": content or ""}
        if not isinstance(content, str):
            raise TypeError("the message has no content")
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        return {"error": "malformed", "message": f"{error or type(error).__name__} in {json.dumps(reply)}"}
    return {"prediction": content}


class _Worker:
    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.key = os.environ.get("OPENAI_API_KEY", "")
        self.client = openai.AsyncOpenAI(
            base_url=settings["base_url"],
            api_key=self.key or "none",  # servers of one's own ask for no key, the client insists on one
            http_client=_http_client(),
            timeout=settings["timeout"],
            max_retries=settings["retries"],
        )
        self.address = settings["base_url"].rstrip("/") + "/chat/completions"
        self.written: list[str] = []

    def write(self, message: dict[str, Any]) -> None:
        """Write one line; the key, should an endpoint repeat it, is blacked out.

        The lines of one turn of the event loop go out together.
        """
        if self.key:
            message = {name: self._without_key(value) for name, value in message.items()}
        if not self.written:
            asyncio.get_running_loop().call_soon(self.flush)
        self.written.append(json.dumps(message, ensure_ascii=False))

    def flush(self) -> None:
        """Send out the lines written so far."""
        sys.stdout.write("".join(f"{line}\n" for line in self.written))
        sys.stdout.flush()
        self.written.clear()

    def _without_key(self, value: Any) -> Any:
        return value.replace(self.key, "[key]") if isinstance(value, str) else value

    async def look_around(self) -> bool:
        """Find out whether anything answers at all before a record is asked; what it is, the records will show."""
        try:
            reply: Any = await self.client.get("/models", cast_to=object, options={"max_retries": 1})
        except openai.APIConnectionError as error:
            self.write({"unreachable": str(error.__cause__ or error)})
            return False
        except openai.APIStatusError as error:
            if error.status_code == 401:
                self.write({"refused": error.message})
                return False
            reply = None
        except Exception:  # whatever it sent: it answers
            reply = None
        try:
            models = [model["id"] for model in reply["data"]]
        except (TypeError, KeyError):
            models = None
        self.write({"ready": True, "models": models})
        return True

    def body_around(self, image: str) -> tuple[str, str]:
        """Write the body of the requests about an image, once for all of them: what stands around the question."""
        content = [{"type": "image_url", "image_url": {"url": image}}, {"type": "text", "text": ""}]
        system = self.settings["system"]
        opening = [{"role": "system", "content": system}] if system else []
        head = {"model": self.settings["model"], **self.settings["generation"]}
        body = json.dumps({**head, "messages": [*opening, {"role": "user", "content": content}]})
        before, empty, after = body.rpartition('""')
        assert empty
        return before, after

    async def ask(self, number: int, around: tuple[str, str], question: str) -> None:
        """Send one question and write its answer, or what went wrong with it."""
        before, after = around
        body = f"{before}{json.dumps(question)}{after}".encode()
        try:
            # `chat.completions.create` spends more than the whole rest of a request on walking through its arguments
            # and on building its reply out of pydantic models; `post` sends and gives plain JSON.
            reply = await self.client.post(self.address, cast_to=object, content=body)
            answer = _answer_of(reply)
        except Exception as error:  # one record's trouble, whatever it is, is not the run's
            cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else None
            answer = {"error": _kind_of(error), "message": str(cause or error) or type(error).__name__}
        if "message" in answer:
            answer["message"] = answer["message"][:_LONGEST_MESSAGE]
        self.write({"number": number, **answer})

    async def run(self, lines: asyncio.StreamReader) -> None:
        inbox: asyncio.Queue[tuple[int, tuple[str, str], str]] = asyncio.Queue()

        async def one_place() -> None:
            while True:
                await self.ask(*await inbox.get())

        async with self.client:
            if not await self.look_around():
                return
            places = [asyncio.create_task(one_place()) for _ in range(self.settings["concurrency"])]
            while line := await lines.readline():
                group = json.loads(line)
                around = self.body_around(group["image"])
                for number, question in group["questions"]:
                    inbox.put_nowait((number, around, question))
            for place in places:  # whoever closed our input has all answers, or is gone and wants none
                place.cancel()


async def _main() -> None:
    lines = asyncio.StreamReader(limit=1 << 30)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await _Worker(json.loads(await lines.readline())).run(lines)


if __name__ == "__main__":
    asyncio.run(_main())
