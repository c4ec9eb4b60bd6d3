"""Measure how fast `sarchat2m predict` asks: `python benchmarks/predict.py [--records N] [--places N]`.

A server of its own process answers after 50 ms and has 64 places, so that 1,280 answers a second are the ideal. What
is printed is the rate between the first request and the last answer, as the server sees it, and its ratio to the ideal;
and the same with all of the command's time, reading the dataset and starting the client's processes included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

LATENCY = 0.05
QUESTIONS_PER_IMAGE = 19  # the paper's 226,636 test records of 11,613 images
IMAGE_BYTES = 20_000  # a 256 × 256 chip as a JPEG

REPLY = json.dumps(
    {"choices": [{"index": 0, "message": {"role": "assistant", "content": "It is ship."}, "finish_reason": "stop"}]}
).encode()
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(REPLY) + REPLY


class Model(asyncio.Protocol):
    """One connection. Written on the transport itself, so that the server costs the client little of its processors."""

    free, waiting = 0, deque()
    answers, first, last = 0, 0.0, 0.0

    def connection_made(self, transport):
        """Begin a connection."""
        self.transport, self.received, self.expected = transport, bytearray(), None

    def data_received(self, data):
        """Collect a request; a whole one gets a place, or waits for one."""
        self.received += data
        if self.expected is None:
            head_end = self.received.find(b"\r\n\r\n")
            if head_end < 0:
                return
            head = bytes(self.received[:head_end]).lower()
            length = head.partition(b"content-length:")[2].partition(b"\r\n")[0]
            self.expected, self.is_question = head_end + 4 + int(length or 0), head.startswith(b"post")
        if len(self.received) < self.expected:
            return
        del self.received[: self.expected]
        self.expected = None
        if not self.is_question:
            self.transport.write(RESPONSE)
            return
        Model.first = Model.first or time.perf_counter()
        if Model.free:
            Model.free -= 1
            self.work()
        else:
            Model.waiting.append(self)

    def work(self):
        """Take 50 ms over it."""
        asyncio.get_running_loop().call_later(LATENCY, self.answer)

    def answer(self):
        """Answer, and give the place to the next in line."""
        self.transport.write(RESPONSE)
        Model.answers, Model.last = Model.answers + 1, time.perf_counter()
        if Model.waiting:
            Model.waiting.popleft().work()
        else:
            Model.free += 1


async def serve(places):
    Model.free = places
    server = await asyncio.get_running_loop().create_server(Model, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    print((Model.answers - 1) / (Model.last - Model.first), processor_seconds(resource.RUSAGE_SELF), flush=True)


def processor_seconds(whose):
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime


def write_dataset(folder, records):
    """Write made-up records about made-up images, in the layout that a build has."""
    noise = random.Random(0)
    images = [
        {"bytes": b"\xff\xd8\xff" + noise.randbytes(IMAGE_BYTES), "path": None}
        for _ in range(-(-records // QUESTIONS_PER_IMAGE))
    ]
    rows = [divmod(row, QUESTIONS_PER_IMAGE) for row in range(records)]
    columns = {
        "id": [f"identification_multi/test/{image}/0/{variant}" for image, variant in rows],
        "image_id": [image for image, _ in rows],
        "width": [256] * records,
        "height": [256] * records,
        "subset": ["identification_multi"] * records,
        "question": [f"[identify] What is in {{<{image % 256}><10><99><{100 + variant}>}}?" for image, variant in rows],
        "answer": ["This is a small ship located in the top left portion of the image."] * records,
    }
    for name in ("identification_multi", "images"):
        (folder / name).mkdir()
    pq.write_table(pa.table(columns), folder / "identification_multi" / "test.parquet")
    table = pa.table({"image_id": list(range(len(images))), "image": images})
    pq.write_table(table, folder / "images" / "test.parquet", row_group_size=800)
    configs = "".join(
        f"- config_name: {name}\n  data_files:\n  - split: test\n    path: {name}/*.parquet\n"
        for name in ("identification_multi", "images")
    )
    (folder / "README.md").write_text(f"---\nconfigs:\n{configs}---\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=19_000)
    parser.add_argument("--places", type=int, default=64, help="of the server")
    parser.add_argument("--concurrency", type=int, help="by default 1.5 times the places, so that none is ever empty")
    parser.add_argument("--processes", type=int)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.places))
        return

    options.concurrency = options.concurrency or options.places * 3 // 2

    from sarchat2m.benchmark.predict import Client, Questions, predict

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_dataset(folder, options.records)
        server = subprocess.Popen(
            [sys.executable, __file__, "--serve", f"--places={options.places}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        client = Client(
            f"http://127.0.0.1:{int(server.stdout.readline())}/v1",
            concurrency=options.concurrency,
            processes=options.processes,
        )
        start, start_of_parent = time.perf_counter(), processor_seconds(resource.RUSAGE_SELF)
        outcome = predict(str(folder), Questions("m", config="identification_multi"), client, folder / "out.jsonl")
        whole = outcome.asked["answered"] / (time.perf_counter() - start)
        parent = processor_seconds(resource.RUSAGE_SELF) - start_of_parent
        workers = processor_seconds(resource.RUSAGE_CHILDREN)  # the server has not ended yet
        asking, served = map(float, server.communicate()[0].split())
    ideal = options.places / LATENCY
    print(f"records           {outcome.asked['answered']:,} answered of {options.records:,}")
    print(f"client            {client.process_count()} processes, {client.concurrency} requests at once")
    print(f"processors        {os.cpu_count()}, load {os.getloadavg()[0]:.1f} when it ended")
    print(f"ideal             {ideal:,.0f} answers a second ({options.places} places, {LATENCY * 1000:.0f} ms)")
    print(f"while asking      {asking:,.0f} answers a second, {asking / ideal:.0%} of the ideal")
    costs = [1000 * seconds / outcome.asked["answered"] for seconds in (parent, workers, served)]
    print(
        "processor time    {:.2f} ms an answer in the parent, {:.2f} in the workers, {:.2f} in the server".format(
            *costs
        )
    )
    print("                  (the start of the workers included)")
    print(f"                  so {sum(costs) * ideal / 1000:.1f} processors for the ideal rate, all to itself")
    print(f"whole command     {whole:,.0f} answers a second, {whole / ideal:.0%} of the ideal")


if __name__ == "__main__":
    main()
