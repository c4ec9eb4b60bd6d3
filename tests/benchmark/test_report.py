"""The report: what it says is what was scored, and it looks right in a browser, on a desk and on a telephone."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.text import Text
from PIL import Image

from sarchat2m.benchmark import report_figures, scoring
from sarchat2m.benchmark.gallery import chosen_records, record_score
from sarchat2m.benchmark.predictions import Answer, Run
from sarchat2m.benchmark.report import write_report
from sarchat2m.benchmark.scoring import Score
from sarchat2m.reading import Dataset
from sarchat2m.vocabulary import SUBSETS, TASKS

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
ARTIFACTS = ROOT / "artifacts"

HOSTILE = '<script>alert(1)</script> & "7B"'


def shifted(text: str) -> str:
    """Move every box a little: some still meet their targets at IoU .5, some do not."""
    return re.sub(r"<(\d+)>", lambda found: f"<{int(found[1]) + 6}>", text)


@pytest.fixture(scope="module")
def runs(built: Path) -> list[Run]:
    """Two runs over some records of every subset: one with boxes beside the targets, one right but for gaps."""
    texts = Dataset(str(built)).texts().to_pylist()
    rows = [row for subset in SUBSETS for row in [text for text in texts if text["subset"] == subset][:12]]
    header: dict[str, Any] = {"dataset": str(built), "split": "test", "records": len(rows), "model": "m"}

    def answers(change: Any) -> list[Answer]:
        return [
            Answer(
                change(n, row["answer"]),
                row["id"],
                row["subset"],
                row["question"],
                None,
                row["answer"],
                (row["width"], row["height"]),
            )
            for n, row in enumerate(rows)
        ]

    before = Run("before-7B", answers(lambda n, text: shifted(text) if n % 3 else HOSTILE), "sarchat2m", header)
    after = Run(HOSTILE, answers(lambda n, text: text if n % 6 else ""), "sarchat2m", header)
    return [before, after]


@pytest.fixture(scope="module")
def report(runs: list[Run], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Score]]:
    out = tmp_path_factory.mktemp("report") / "new" / "folder"
    return out, write_report(runs, out)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium at /usr/bin/chromium, which is not here")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright, which is not installed")
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield launched
        launched.close()


def test_every_figure_is_there_as_a_picture(report: tuple[Path, list[Score]]) -> None:
    out, _ = report
    names = {path.stem for path in (out / "figures").glob("*.png")}
    assert names >= {"leaderboard", "radar", "parameters", "columns", "targets", "categories-1", "categories-2"}
    assert names >= {f"records-{run}-{task}" for run in (1, 2) for task in TASKS}
    for path in (out / "figures").glob("*.png"):
        with Image.open(path) as picture:
            assert picture.width >= 850
            assert len(picture.convert("L").getcolors() or [0] * 257) > 20  # something is drawn


def test_the_files_beside_the_page_hold_the_scores(report: tuple[Path, list[Score]]) -> None:
    out, scores = report
    document = json.loads((out / "scores.json").read_text())
    assert [run["figures"]["overall"] for run in document["runs"]] == [each.figures["overall"] for each in scores]
    assert "comparison" in document
    assert f"**{scores[0].figures['overall']:.2f}**" in (out / "scores.md").read_text()


def test_the_page_needs_nothing_from_elsewhere(report: tuple[Path, list[Score]]) -> None:
    page = (report[0] / "index.html").read_text()
    references = re.findall(r'(?:src|href|xlink:href|url)\s*[=(]\s*"?([^")\s>]+)', page)
    assert references
    assert all(reference.startswith(("#", "data:")) for reference in references)
    assert "<script" not in page


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_in_a_browser(report: tuple[Path, list[Score]], browser: Any, width: int) -> None:
    out, scores = report
    page = browser.new_page(viewport={"width": width, "height": 900})
    troubles: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto((out / "index.html").as_uri())

    ARTIFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"report-{width}.png", full_page=True)
    assert troubles == []
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width

    # What it says.
    text = page.inner_text("main")
    for each in scores:
        assert each.run.name in text
        assert f"{each.figures['overall']:.2f}" in text
    table = page.locator("table").first
    names = table.locator("tbody td:first-child").all_inner_texts()
    assert len(names) == 18
    overall = [float(value) for value in table.locator("tbody td:nth-child(2)").all_inner_texts()]
    assert overall == sorted(overall, reverse=True)
    assert set(table.locator("tr.ours td:first-child").all_inner_texts()) == {each.run.name for each in scores}

    # What it draws: every figure has a size, and letters that can be read.
    charts = page.locator("figure svg")
    assert charts.count() >= 7
    for place in range(charts.count()):
        box = charts.nth(place).bounding_box()
        assert box["width"] > 280
        assert box["height"] > 150
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        units = float(charts.nth(place).get_attribute("viewBox").split()[2])
        assert 8 * box["width"] / units > 6.4  # the smallest letters, which are 8 points, in pixels

    # The records: images that load, the reference solid, the prediction dashed.
    page.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
    assert page.evaluate(
        """async () => { for (const image of document.querySelectorAll('image')) {
            const copy = new Image(); copy.src = image.href.baseVal; await copy.decode(); } return true; }"""
    )
    assert page.locator(".record").count() >= 2 * len(TASKS) * 2
    marks = page.locator(".record rect")
    dashes = marks.evaluate_all(
        "rects => rects.map(rect => [rect.getAttribute('stroke'), getComputedStyle(rect).strokeDasharray])"
    )
    solid = {color for color, dash in dashes if dash == "none"}
    dashed = {color for color, dash in dashes if dash != "none"}
    assert (solid, dashed) == ({"#22b14c"}, {"#ff4136"})
    page.close()


def test_best_and_worst_are_what_they_say(report: tuple[Path, list[Score]], built: Path) -> None:
    score = report[1][0]
    chosen = chosen_records(score, str(built), "test")
    assert list(chosen) == list(TASKS)
    by_task: dict[str, list[float]] = {task: [] for task in TASKS}
    for row in score.figures["records"]:
        by_task[row["subset"].partition("_")[0]].append(record_score(row)[0])
    for task, ends in chosen.items():
        assert [record.score for record in ends["best"]] >= [record.score for record in ends["worst"]]
        assert ends["best"][0].score == max(by_task[task])
        assert ends["worst"][0].score == min(by_task[task])
        images = [record.answer.id.split("/")[2] for record in ends["best"]]  # type: ignore[union-attr]
        assert len(set(images)) == len(images)


def test_marks_are_what_the_texts_say(built: Path) -> None:
    row = next(row for row in Dataset(str(built)).texts().to_pylist() if row["subset"] == "referring_single")
    box = tuple(map(int, re.findall(r"<(\d+)>", row["answer"])))
    relative = [round(1000 * side / of) for side, of in zip(box, (row["width"], row["height"]) * 2, strict=True)]
    size = (row["width"], row["height"])
    answer = Answer(
        f"[{', '.join(map(str, relative))}]", row["id"], row["subset"], row["question"], None, row["answer"], size
    )
    score = scoring.score(Run("m", [answer], "sarchat2m"), box_format="list/1000", per_record=True)
    record = chosen_records(score, str(built), "test")["referring"]["best"][0]
    assert [mark.box for mark in record.reference_marks] == [box]
    assert record.prediction_marks[0].box == pytest.approx(box, abs=1)
    with Image.open(io.BytesIO(record.image)) as picture:
        assert max(picture.size) <= 512


def test_without_images_the_report_says_so(runs: list[Run], tmp_path: Path) -> None:
    alone = Run("alone", runs[0].answers[:20], "sarchat2m")
    write_report([alone], tmp_path)
    page = (tmp_path / "index.html").read_text()
    assert "alone: no records are drawn, for want of their images (--dataset)." in page
    assert not list((tmp_path / "figures").glob("records-*"))


@pytest.mark.parametrize(
    ("identity", "told"), [("17", "have no ids of a dataset"), ("counting/test/99999/ship", "has no image 99999")]
)
def test_records_of_other_ids_are_not_drawn(
    built: Path, runs: list[Run], tmp_path: Path, identity: str, told: str
) -> None:
    run = Run("mine", [replace(runs[0].answers[0], id=identity)], "sarchat2m")
    write_report([run], tmp_path, dataset=str(built), split="test")
    page = (tmp_path / "index.html").read_text()
    assert "mine: no records are drawn." in page
    assert told in page


def test_a_run_of_unknown_size_is_a_line_across() -> None:
    published = scoring.published_models()
    known = report_figures.parameters_figure([("mine-3B", {"overall": 80.0})], published)
    unknown = report_figures.parameters_figure([("mine", {"overall": 80.0})], published)
    texts = [{text.get_text() for text in figure.axes[0].texts} for figure in (known, unknown)]
    assert "mine-3B" in texts[0]
    assert "mine (size unknown)" in texts[1]


def test_names_in_the_scatter_do_not_cover_each_other() -> None:
    runs = [("my-model-7B", {"overall": 91.0}), ("my-other-model-8B", {"overall": 90.8})]
    figure = report_figures.parameters_figure(runs, scoring.published_models())
    figure.draw_without_rendering()
    # Text's own extent: that of an annotation holds the line to its point as well.
    boxes = [Text.get_window_extent(text).shrunk(0.98, 0.7) for text in figure.axes[0].texts]
    overlapping = [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.overlaps(b)]
    assert overlapping == []
