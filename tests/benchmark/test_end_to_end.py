"""predict, score and report on the command line, against an endpoint whose errors, and so whose score, are known."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from endpoint import Endpoint
from model_server import ERR_EVERY
from typer.testing import CliRunner

from sarchat2m.cli import app
from sarchat2m.geometry import region
from sarchat2m.vocabulary import SUBSETS, TASK_OF_SUBSET

ENVIRONMENT = {**os.environ, "COLUMNS": "160", "OPENAI_API_KEY": "sk-end-to-end"}


def run(*arguments: str | Path) -> str:
    """Run the command line; give what it prints."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments], env=ENVIRONMENT)
    if done.exception:
        raise done.exception
    return done.stdout


def pairs_of(record: dict[str, Any]) -> tuple[int, int]:
    """Count what a grounding answer places with boxes, and the regions that it names for crowds of over 30."""
    placed = abstract = 0
    regions: dict[int, list[str]] = defaultdict(list)
    for target in record["objects"]:
        regions[target["category"]].append(region(tuple(target["bbox"]), record["width"], record["height"]))
    for of_category in regions.values():
        if len(of_category) <= 30:
            placed += len(of_category)
            continue
        held = 0
        for _, count in Counter(of_category).most_common():
            held, abstract = held + count, abstract + 1
            if 2 * held > len(of_category):
                break
    return placed, abstract


def expected(built: Path, err_every: int) -> dict[str, float]:
    """Work the figures out from the dataset: which records are answered wrongly is known, and so is how."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0])  # TP, and TP + FP + FN
    records: Counter[str] = Counter()

    def add(column: str, right: int, of: int) -> None:
        counts[column][0] += right
        counts[column][1] += of

    for subset in SUBSETS:
        task, number = TASK_OF_SUBSET[subset], 0
        for path in sorted((built / "data" / subset).glob("test-*.parquet")):
            for record in pq.read_table(path, columns=["objects", "width", "height"]).to_pylist():
                is_right = number % err_every != 0
                number += 1
                targets = len(record["objects"])
                if task in ("classification", "identification"):  # nothing, or another category
                    add(subset, is_right, 1)
                elif task == "description":  # nothing
                    add(subset, targets * is_right, targets)
                elif task == "counting":  # another number, and no boxes
                    add(subset, is_right, 1)
                    add("counting_iou25", targets * is_right, targets)
                    add("counting_iou50", targets * is_right, targets)
                elif task == "grounding":  # nothing
                    placed, abstract = pairs_of(record)
                    add(subset, placed * is_right, placed)
                    add("grounding_abstract", abstract * is_right, abstract)
                else:  # one box, a wrong one
                    add(f"{subset}_iou25", targets * is_right, targets + (not is_right))
                    add(f"{subset}_iou50", targets * is_right, targets + (not is_right))
        records[task] += number
    figures = {column: 100 * right / of for column, (right, of) in counts.items() if of}
    scores = {task: [value for column, value in figures.items() if column.startswith(task)] for task in records}
    weighted = sum(sum(values) / len(values) * records[task] for task, values in scores.items())
    return {**figures, "overall": weighted / sum(records.values())}


def test_predict_score_and_report_give_the_known_figures(built: Path, tmp_path: Path) -> None:
    server = Endpoint(built, tmp_path / "requests.jsonl")
    good, poor = tmp_path / "good-7B.jsonl", tmp_path / "poor-7B.jsonl"

    def predict_command(model: str, out: Path) -> list[str | Path]:
        address: list[str | Path] = ["--base-url", server.base_url, "--concurrency", "8", "--retries", "0"]
        return ["predict", built, "--model", model, "--out", out, *address]

    # The endpoint goes away in the middle: what it did not answer is recorded, and asked when it is back.
    command = [sys.executable, "-m", "sarchat2m.cli", *map(str, predict_command("good-slow", good))]
    asking = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT)
    while not good.exists() or good.read_bytes().count(b"\n") < 20:
        assert asking.poll() is None, asking.communicate()
        time.sleep(0.02)
    server.stop()
    told, errors = asking.communicate(timeout=120)
    assert asking.returncode == 0, errors
    kinds = Counter(json.loads(line).get("error", "answered") for line in good.read_text().splitlines()[1:])
    assert kinds["answered"] >= 19
    assert set(kinds) == {"answered", "connection"}
    assert f"{kinds['connection']:,} connection: the endpoint could not be reached" in told

    server.start()
    before = len(server.requests())
    assert f"{kinds['connection']:,} of {kinds['connection']:,} answered" in run(*predict_command("good-slow", good))
    assert len(server.requests()) - before == kinds["connection"]
    run(*predict_command("poor", poor))
    server.stop()

    told = run("score", good, f"poor-7B={poor}", "--json", tmp_path / "s.json", "--markdown", tmp_path / "s.md")
    document = json.loads((tmp_path / "s.json").read_text())
    for computed, model in zip(document["runs"], ("good", "poor"), strict=True):
        known = expected(built, ERR_EVERY[model])
        figures = {column: computed["figures"][column] for column in known}
        assert figures == pytest.approx(known, abs=1e-9)
        assert computed["errors"] == {}
        for value in known.values():
            assert f"{value:.2f}" in told
            assert f"**{value:.2f}**" in (tmp_path / "s.md").read_text()
    overall = document["comparison"]["figures"]["overall"]
    assert overall["gain"] == pytest.approx(
        expected(built, ERR_EVERY["poor"])["overall"] - expected(built, ERR_EVERY["good"])["overall"]
    )
    assert overall["p_value"] < 0.05
    assert "sk-end-to-end" not in good.read_text() + told

    told = run("report", f"poor-7B={poor}", "--out", tmp_path / "report")
    known = expected(built, ERR_EVERY["poor"])
    assert f"poor-7B: {known['overall']:.2f} overall" in told
    page = (tmp_path / "report" / "index.html").read_text()
    [reported] = json.loads((tmp_path / "report" / "scores.json").read_text())["runs"]
    assert {column: reported["figures"][column] for column in known} == pytest.approx(known, abs=1e-9)
    for value in known.values():
        assert f">{value:.2f}" in page
