"""Running a model over the benchmark: questions with their images go to an endpoint, each answer into a file at once.

The file is JSON lines. The first line is the header, which says what was asked of whom and how; every other line is one
record, with an answer or with what went wrong:

    {"header": {"format": 1, "model": "...", "dataset": "...", "config": "...", "split": "test", "records": 9, ...}}
    {"id", "subset", "question", "prediction", "reference", "image_size": [width, height]}
    {"id", "subset", "question", "error": "timeout", "message", "reference", "image_size"}

This process reads the dataset and writes the file; one process or several (`sarchat2m.benchmark.chat_worker`) hold the
connections. A worker is handed an image with all its questions, so that an image is encoded and sent over once, and a
server with prefix caching sees its questions next to each other.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import importlib.util
import io
import json
import math
import os
import queue
import random
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.compute as pc

from sarchat2m import __version__
from sarchat2m.errors import SARChatError
from sarchat2m.reading import Dataset
from sarchat2m.terminal import progress_bar
from sarchat2m.vocabulary import SUBSETS

__all__ = ["ERROR_KINDS", "Client", "Outcome", "Questions", "predict"]

FORMAT = 1

ERROR_KINDS = {
    "connection": "the endpoint could not be reached",
    "timeout": "no answer in time",
    "key": "the endpoint refused the key (401 or 403)",
    "model": "the endpoint does not know the model or the address (404)",
    "refused": "the endpoint refused the image or the question (another 4xx)",
    "rate_limit": "too many requests, after all retries (429)",
    "server": "the endpoint failed (5xx)",
    "too_long": "the answer was cut off at the limit of tokens",
    "malformed": "the reply held no answer",
    "image": "the stored image could not be read",
}
"""What can go wrong with one record, and what it means."""

_CONNECTIONS_PER_PROCESS = 32

_AHEAD = 4
"""Questions that a worker holds, as a multiple of its places: enough to outlast the reading of a row group."""

_MIME_TYPES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))


@dataclass(frozen=True)
class Questions:
    """What is asked, of whom, and with which words around it: all that an answer depends on."""

    model: str
    config: str = "all"
    split: str = "test"
    sample: int | None = None
    """So many records, every subset with its share; None for all."""
    seed: int = 0
    """Of the sample."""
    limit: int | None = None
    """Only the first so many records, in the order in which they are asked."""
    system: str | None = None
    prompt_suffix: str | None = None
    """Follows every question on a line of its own: for a model that was not tuned, how to write boxes."""
    generation: dict[str, Any] = field(default_factory=lambda: {"temperature": 0, "max_tokens": 2048})
    """Goes into every request as it is: temperature, max_tokens, top_p, seed, or whatever else the endpoint knows."""


@dataclass(frozen=True)
class Client:
    """How it is asked, which does not change an answer. A run may be continued with another client."""

    base_url: str
    concurrency: int = 32
    """Requests under way at once."""
    timeout: float = 120.0
    """Seconds without a sign of life after which a request is given up."""
    retries: int = 4
    """Of a request that got no connection, no answer in time, or 408, 409, 429 or 5xx; waits double from 0.5 to 8 s."""
    processes: int | None = None
    """Processes that hold the connections; by default one for every 32, and not more than there are processors."""

    def process_count(self) -> int:
        """Give the number of processes, chosen or by default."""
        return self.processes or min(math.ceil(self.concurrency / _CONNECTIONS_PER_PROCESS), os.cpu_count() or 1)


@dataclass
class Outcome:
    """What a run came to."""

    records: int
    """That the header promises."""
    answered_before: int
    """Which were there already and were not asked again."""
    asked: Counter[str] = field(default_factory=Counter)
    """In this run: how many answers under "answered", and how many of each kind of error."""
    converted: int = 0
    """Images whose format endpoints do not take, sent as PNG."""
    stopped: bool = False
    """Whether it was interrupted; the same command goes on."""
    notes: list[str] = field(default_factory=list)
    """Sentences for the user."""


def predict(
    dataset: str,
    questions: Questions,
    client: Client,
    out: Path,
    *,
    keep_errors: bool = False,
    quiet: bool | None = None,
) -> Outcome:
    """Ask a model every question of a dataset and append each answer to a file as soon as it is there.

    `dataset` is a built folder, a repository of the Hub, or "sarchat2m" for the bundled sample. Where `out` exists the
    run goes on: what has an answer is not asked again, and what has an error is, unless `keep_errors`. The key is taken
    from the environment's OPENAI_API_KEY. Progress goes to the error stream, unless `quiet`; None asks for a terminal.

    Raises `SARChatError`, before anything is written, if the dataset cannot be read, if nothing answers at the
    endpoint, if it refuses the key, or if `out` holds the answers to other questions.
    """
    if importlib.util.find_spec("openai") is None:
        raise SARChatError("Asking a model needs the openai client: pip install 'sarchat2m[predict]'.")
    _check_options(questions, client)
    source = Dataset(dataset, questions.config, questions.split)
    table = _selected(source.texts(), questions)
    header = _header(source, questions, client, table)

    earlier = _earlier_answers(out, header, keep_errors)
    waiting = table.filter(pc.invert(pc.is_in(table["id"], pa.array(earlier.done, pa.string())))).combine_chunks()
    outcome = Outcome(table.num_rows, table.num_rows - waiting.num_rows)
    if waiting.num_rows:
        groups = _by_image(source, waiting, outcome)
        with (
            _Team(questions, client) as team,
            _appending(out, earlier, header) as file,
            progress_bar("Asking", quiet) as progress,
        ):
            outcome.notes += team.notes
            try:
                for done, (row, answer) in enumerate(team.ask(groups, questions.prompt_suffix or ""), 1):
                    file.write(_line(waiting, row, answer))
                    outcome.asked[answer.get("error", "answered")] += 1
                    progress(done, waiting.num_rows)
            except KeyboardInterrupt:
                outcome.stopped = True
    if outcome.converted:
        outcome.notes.append(
            f"{outcome.converted} images are stored in a format that many endpoints refuse, such as BMP; "
            "they were sent as PNG."
        )
    return outcome


# What to ask


def _check_options(questions: Questions, client: Client) -> None:
    address = urlsplit(client.base_url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise SARChatError(f'"{client.base_url}" is no --base-url: it begins with http:// or https:// and a host.')
    if address.username or address.password or address.query:
        raise SARChatError(
            "--base-url is written into the header of the file: put the key into OPENAI_API_KEY instead."
        )
    for option, value, least in (
        ("concurrency", client.concurrency, 1),
        ("processes", client.process_count(), 1),
        ("retries", client.retries, 0),
        ("sample", questions.sample, 1),
        ("limit", questions.limit, 1),
    ):
        if value is not None and value < least:
            raise SARChatError(f"--{option} must be at least {least}, not {value}.")
    for name in ("model", "messages", "stream", "n"):
        if name in questions.generation:
            raise SARChatError(f'"{name}" is no option of generation here: it is set by what is asked.')


def _selected(table: pa.Table, questions: Questions) -> pa.Table:
    """Draw the sample and cut at the limit; the order stays."""
    if questions.sample is not None and questions.sample < table.num_rows:
        rows: dict[str, list[int]] = {}
        for row, subset in enumerate(table["subset"].to_pylist()):
            rows.setdefault(subset, []).append(row)
        ids = table["id"]
        chosen: list[int] = []
        for subset, share in _shares({subset: len(of) for subset, of in rows.items()}, questions.sample).items():
            # By id, so that the same records are drawn wherever and in whatever order they are stored.
            by_id = sorted(rows[subset], key=lambda row: str(ids[row].as_py()))
            chosen += random.Random(f"{questions.seed} {subset}").sample(by_id, share)
        table = table.take(sorted(chosen))
    return table if questions.limit is None else table.slice(0, questions.limit)


def _shares(sizes: dict[str, int], total: int) -> dict[str, int]:
    """Divide a sample among subsets by their sizes (largest remainders), at least one for each if it is big enough.

    >>> _shares({"identification_single": 780, "counting": 200, "grounding_multi": 20}, 10)
    {'identification_single': 7, 'counting': 2, 'grounding_multi': 1}
    """
    least = 1 if total >= len(sizes) else 0
    whole = sum(sizes.values())
    exact = {subset: max(size / whole * total, least) for subset, size in sizes.items()}
    shares = {subset: math.floor(share) for subset, share in exact.items()}
    by_remainder = sorted(exact, key=lambda subset: shares[subset] - exact[subset])
    for subset in by_remainder[: max(total - sum(shares.values()), 0)]:
        shares[subset] += 1
    while sum(shares.values()) > total:  # those that were raised to one are paid for by the largest
        shares[max(shares, key=lambda subset: shares[subset])] -= 1
    return shares


def _by_image(source: Dataset, waiting: pa.Table, outcome: Outcome) -> Iterator[_Group]:
    """Give each image with the rows of its questions, in the order of the table, which is that of the images."""
    rows: dict[int, list[tuple[int, str]]] = {}
    for number, (image_id, question) in enumerate(
        zip(waiting["image_id"].to_pylist(), waiting["question"].to_pylist(), strict=True)
    ):
        rows.setdefault(image_id, []).append((number, question))
    for image_id, stored in source.images(rows):
        try:
            mime_type, data = _sendable(stored)
        except Exception as error:  # Pillow raises whatever the file's decoder raises
            yield _Group(None, f"image {image_id}: {error}", rows.pop(image_id))
            continue
        outcome.converted += data is not stored
        yield _Group(f"data:{mime_type};base64,{base64.b64encode(data).decode()}", "", rows.pop(image_id))


def _sendable(stored: bytes) -> tuple[str, bytes]:
    """Give an image's media type and its bytes as they are stored; what browsers do not know becomes a PNG."""
    for magic, mime_type in _MIME_TYPES:
        if stored.startswith(magic):
            return mime_type, stored
    if stored[:4] == b"RIFF" and stored[8:12] == b"WEBP":
        return "image/webp", stored
    from PIL import Image

    png = io.BytesIO()
    with Image.open(io.BytesIO(stored)) as image:
        image.save(png, "PNG")
    return "image/png", png.getvalue()


# Whom to ask


class _Group(NamedTuple):
    image: str | None
    """As a data URL; None if it cannot be read."""
    trouble: str
    questions: list[tuple[int, str]]
    """The row of each question, and its text."""


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    places: int
    """Requests that it has under way at once."""
    outstanding: int = 0
    """Questions that it has been given and not answered."""

    def send(self, message: dict[str, Any]) -> None:
        """Write one line to its input. A worker that is gone is noticed at its output."""
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()


class _Team:
    """The processes that hold the connections, all of them ready when this is made."""

    def __init__(self, questions: Questions, client: Client) -> None:
        self.notes: list[str] = []
        self._replies: queue.SimpleQueue[tuple[_Worker, list[bytes]]] = queue.SimpleQueue()
        self._received: deque[tuple[_Worker, bytes]] = deque()
        count = min(client.process_count(), client.concurrency)
        settings = {
            "base_url": client.base_url,
            "model": questions.model,
            "system": questions.system,
            "generation": questions.generation,
            "timeout": client.timeout,
            "retries": client.retries,
        }
        self._workers = [
            self._start(client.concurrency // count + (n < client.concurrency % count)) for n in range(count)
        ]
        try:
            for worker in self._workers:
                worker.send({**settings, "concurrency": worker.places})
            for _ in self._workers:
                self._check(self._receive()[1], questions.model, client.base_url)
        except BaseException:
            self._stop()
            raise

    def __enter__(self) -> _Team:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self, places: int) -> _Worker:
        command = [sys.executable, "-m", "sarchat2m.benchmark.chat_worker"]
        # In a session of its own it does not hear Ctrl-C; it ends when its input is closed.
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        worker = _Worker(process, places)
        threading.Thread(target=self._listen, args=(worker,), daemon=True).start()
        return worker

    def _listen(self, worker: _Worker) -> None:
        """Pass on what a worker writes, all lines at once that have come; an empty list where it has ended."""
        pipe, begun = worker.process.stdout, b""
        assert isinstance(pipe, io.BufferedReader)
        while chunk := pipe.read1():
            *lines, begun = (begun + chunk).split(b"\n")
            if lines:
                self._replies.put((worker, lines))
        self._replies.put((worker, []))

    def _stop(self) -> None:
        for worker in self._workers:
            assert worker.process.stdin is not None
            with suppress(BrokenPipeError):
                worker.process.stdin.close()
        for worker in self._workers:
            try:
                worker.process.wait(5)
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def _receive(self) -> tuple[_Worker, dict[str, Any]]:
        if not self._received:
            worker, lines = self._replies.get()
            if not lines:
                raise SARChatError(
                    "A process that asks the endpoint has ended; what was answered is kept, and the same command goes "
                    "on."
                )
            self._received.extend((worker, line) for line in lines)
        worker, line = self._received.popleft()
        return worker, json.loads(line)

    def _check(self, greeting: dict[str, Any], model: str, base_url: str) -> None:
        if "unreachable" in greeting:
            raise SARChatError(
                f"Nothing answers at {base_url} ({greeting['unreachable']}): "
                "is the server up, and is --base-url right (it often ends in /v1)?"
            )
        if "refused" in greeting:
            raise SARChatError(f"{base_url} refuses the key: set OPENAI_API_KEY to the one that it knows.")
        models = greeting["models"]
        if models and model not in models and not self.notes:
            self.notes.append(f'{base_url} does not list a model "{model}"; it lists {", ".join(models[:10])}.')

    def ask(self, groups: Iterator[_Group], suffix: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Hand out images with their questions; give the row of each question with its answer or error."""
        while True:
            worker = min(self._workers, key=lambda worker: worker.outstanding / worker.places)
            if worker.outstanding < _AHEAD * worker.places and (group := next(groups, None)):
                if group.image is None:
                    yield from ((row, {"error": "image", "message": group.trouble}) for row, _ in group.questions)
                    continue
                asked = [(row, f"{question}\n{suffix}" if suffix else question) for row, question in group.questions]
                worker.send({"image": group.image, "questions": asked})
                worker.outstanding += len(asked)
            elif any(worker.outstanding for worker in self._workers):
                worker, answer = self._receive()
                worker.outstanding -= 1
                yield answer.pop("number"), answer
            else:
                return


# What is kept


def _header(source: Dataset, questions: Questions, client: Client, table: pa.Table) -> dict[str, Any]:
    digest = hashlib.sha256()
    for identity, question in zip(table["id"].to_pylist(), table["question"].to_pylist(), strict=True):
        digest.update(f"{identity}\0{question}\n".encode())
    counts = Counter(table["subset"].to_pylist())
    return {
        "format": FORMAT,
        "sarchat2m": __version__,
        "dataset": source.name,
        "categories": source.categories,
        **asdict(questions),
        "records": table.num_rows,
        "subsets": {subset: counts[subset] for subset in SUBSETS if subset in counts},
        "questions": digest.hexdigest(),
        "client": asdict(client),
    }


_MAY_DIFFER = ("sarchat2m", "dataset", "categories", "client", "records", "subsets", "questions")
"""Parts of the header that two runs may differ in, or, the last three, whose difference another one explains."""


def _differences(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Say in which options two headers differ; an empty text if one run may go on with the other's file."""
    options = [name for name in {**before, **now} if name not in _MAY_DIFFER]
    told = [
        f"{name.replace('_', ' ')} was {json.dumps(before.get(name))} and is now {json.dumps(now.get(name))}"
        for name in options
        if before.get(name) != now.get(name)
    ]
    if not told and before.get("questions") != now["questions"]:
        told = ["the dataset was another one, with other records or other questions"]
    return "; ".join(told)


class _Earlier(NamedTuple):
    done: list[str]
    """Ids that are not asked again."""
    size: int
    """Bytes of the file that are whole lines."""
    header: dict[str, Any] | None


def _earlier_answers(out: Path, header: dict[str, Any], keep_errors: bool) -> _Earlier:
    """Read what a file holds already. A last line that was not written to its end does not count."""
    if not out.exists():
        return _Earlier([], 0, None)
    done, size, before = [], 0, None
    with out.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                break
            size += len(line)
            try:
                entry = json.loads(line)
                if number == 1 or "header" in entry:
                    before = entry["header"]
                elif keep_errors or "error" not in entry:
                    done.append(entry["id"])
            except (ValueError, KeyError, TypeError) as error:
                raise SARChatError(
                    f"{out}, line {number}, is not a line of predictions: give another --out, or mend the file."
                ) from error
            if number == 1 and (differences := _differences(entry["header"], header)):
                raise SARChatError(
                    f"{out} holds answers to other questions: {differences}. Give those options, or another --out."
                )
    return _Earlier(done, size, before)


@contextmanager
def _appending(out: Path, earlier: _Earlier, header: dict[str, Any]) -> Iterator[BinaryIO]:
    """Open the file for whole lines, one system call each; only one run at a time may."""
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("ab", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SARChatError(f"Another run is writing to {out}: wait for it, or give another --out.") from error
        file.truncate(earlier.size)
        if earlier.header is None or earlier.header["client"] != header["client"]:
            file.write(json.dumps({"header": header}, ensure_ascii=False).encode() + b"\n")
        yield file


def _line(table: pa.Table, row: int, answer: dict[str, Any]) -> bytes:
    def value(column: str) -> Any:
        return table[column][row].as_py()

    record = {
        "id": value("id"),
        "subset": value("subset"),
        "question": value("question"),
        **answer,
        "reference": value("answer"),
        "image_size": [value("width"), value("height")],
    }
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"
