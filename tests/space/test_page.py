"""The Space's page in a real browser: Chromium, driven by Playwright, on the app as `python app.py` starts it.

Screenshots are kept under `artifacts/` (or `$ARTIFACTS`), to be looked at.
"""

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest
from page_leaderboard import COLUMNS, PUBLISHED, TASKS

playwright = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")

ROOT = Path(__file__).parents[2]
SPACE = ROOT / ".venv-space" / "bin" / "python"
PYTHON = SPACE if SPACE.exists() else sys.executable
"""What runs the page. It may have an environment of its own, as on the Hub: gradio holds back pillow."""
if not SPACE.exists() and find_spec("gradio") is None:
    pytest.skip("the page needs gradio, here or in .venv-space", allow_module_level=True)

METRIC = ROOT / "metrics" / "sarchat_bench"
EXAMPLE = [json.loads(line) for line in (METRIC / "example_predictions.jsonl").read_text("utf-8").splitlines()]
ARTIFACTS = Path(os.environ.get("ARTIFACTS", ROOT / "artifacts"))
PAGE_MEGABYTES = 1
SECONDS = 1000  # Playwright counts in milliseconds

NAME = "Tiny-VLM <b>bold</b> & co."


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    if not Path(chromium).exists():
        pytest.skip("needs Debian's Chromium: apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Start the app on a free port of loopback; stop it afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("space")
    environment = os.environ | {
        "GRADIO_SERVER_NAME": "127.0.0.1",
        "GRADIO_SERVER_PORT": str(port),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "SARCHAT_BENCH_PAGE_MB": str(PAGE_MEGABYTES),
        "HF_HOME": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
    }
    log = (folder / "log").open("w+")
    app = subprocess.Popen([PYTHON, "app.py"], cwd=METRIC, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                assert app.poll() is None, (folder / "log").read_text()
                time.sleep(0.25)
        yield address
    finally:
        app.terminate()
        app.wait(30)
    assert "Traceback" not in (folder / "log").read_text()


@pytest.fixture
def visit(browser, address):
    """Open the page at a width; afterwards nothing may have gone wrong in the browser or left this machine."""
    opened, complaints = [], []

    def requested(request):
        if not request.url.startswith((address, "data:", "blob:")):
            complaints.append(f"fetched {request.url}")

    def open_page(width, height=900, color_scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=color_scheme)
        page.set_default_timeout(30 * SECONDS)
        opened.append(page)
        page.on("console", lambda message: message.type == "error" and complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", requested)
        page.goto(address)
        page.locator("#board table").wait_for(timeout=60 * SECONDS)
        return page

    yield open_page
    for page in opened:
        page.close()
    assert complaints == []


def upload(page, box, path):
    page.locator(f"#{box} input[type=file]").set_input_files(path)
    page.locator(f"#{box}").get_by_text(path.stem, exact=False).first.wait_for(timeout=30 * SECONDS)


def score(page):
    page.locator("#score").click()
    page.locator("#summary .summary").wait_for(timeout=60 * SECONDS)


def tab(page, name):
    page.get_by_role("tab", name=name).click()
    page.wait_for_timeout(400)  # gradio fades tabs in


def screenshot(page, name):
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=ARTIFACTS / f"page-{name}.png", full_page=True)


def table(page, box):
    """Read the body of a table as rows of texts."""
    return [row.locator("th, td").all_inner_texts() for row in page.locator(f"#{box} tbody tr").all()]


def overflow(page):
    """Tell how many pixels the page is wider than its window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def expected():
    """Score the example as any user would."""
    import evaluate

    bench = evaluate.load(str(METRIC))
    return bench.compute(
        predictions=[row["prediction"] for row in EXAMPLE],
        references=[row["reference"] for row in EXAMPLE],
        subsets=[row["subset"] for row in EXAMPLE],
    )


def figure(value):
    return "–" if value is None else f"{value:.2f}"


def test_upload_score_and_read(visit, expected, tmp_path):
    page = visit(1280)
    assert len(table(page, "board")) == len(PUBLISHED) == 16
    screenshot(page, "1280-empty")

    predictions = [{"id": row["id"], "prediction": row["prediction"]} for row in reversed(EXAMPLE)]
    upload(page, "predictions-file", write_jsonl(tmp_path / "answers.jsonl", predictions))
    with (tmp_path / "references.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([["id", "answer"], *([row["id"], row["reference"]] for row in EXAMPLE)])
    upload(page, "references-file", tmp_path / "references.csv")
    page.get_by_label("Name of your model").fill(NAME)
    score(page)

    own, *others = table(page, "board")
    assert own[0] == NAME
    assert own[1:] == [figure(expected["overall"]), *(figure(expected[column.key]) for column in COLUMNS)]
    assert others[0] == [
        PUBLISHED[0].name,
        *(figure(PUBLISHED[0].scores[c]) for c in ["overall", *(c.key for c in COLUMNS)]),
    ]
    assert expected["signature"] in page.locator("#summary").inner_text()
    screenshot(page, "1280-leaderboard")

    tab(page, "Tasks")
    assert page.locator("#radar svg g.series-0 .marker").count() == sum(
        expected[f"{t}_score"] is not None for t in TASKS
    )
    assert [row[1] for row in table(page, "tasks")] == [figure(expected[f"{task}_score"]) for task in TASKS]
    page.locator("#compared .token-remove").first.click()
    page.locator("#radar svg g.series-3").wait_for(state="detached", timeout=10 * SECONDS)
    screenshot(page, "1280-tasks")

    tab(page, "Records")
    assert page.locator("#records .record").count() == len(EXAMPLE)
    page.get_by_label("Judged").click()
    page.get_by_role("option", name="wrong").click()
    page.locator("#records .record.right").first.wait_for(state="detached", timeout=10 * SECONDS)
    wrong = page.locator("#records .record.wrong")
    assert 0 < wrong.count() < len(EXAMPLE)
    assert "This is a tank." in page.locator("#records").inner_text()
    screenshot(page, "1280-records")

    with page.expect_download() as download:
        page.locator("#scores-file").click()
    scores = json.loads(Path(download.value.path()).read_text("utf-8"))
    assert scores["model"] == NAME
    assert {**scores["scores"], "warnings": scores["warnings"]} == expected
    with page.expect_download() as download:
        page.locator("#records-file").click()
    records = [json.loads(line) for line in Path(download.value.path()).read_text("utf-8").splitlines()]
    assert [record["id"] for record in records] == [row["id"] for row in reversed(EXAMPLE)]


def test_many_records_show_progress_and_are_turned_page_by_page(visit, tmp_path):
    page = visit(1280)
    many = [{**row, "id": f"{row['id']}/{copy}"} for copy in range(300) for row in EXAMPLE]
    upload(page, "predictions-file", write_jsonl(tmp_path / "many.jsonl", many))
    page.locator("#score").click()
    page.get_by_text(f"Step 2 of 3: scoring {len(many):,} records").wait_for()
    screenshot(page, "1280-progress")
    page.locator("#summary .summary").wait_for()
    assert page.locator("#status .bar").count() == 0
    tab(page, "Records")
    page.get_by_text("Records 1 to 20 of 3,000").wait_for()
    page.get_by_role("button", name="Next page").click()
    page.get_by_text("Records 21 to 40 of 3,000").wait_for()
    page.get_by_label("Page, of 150").fill("900")
    page.get_by_label("Page, of 150").press("Enter")
    page.get_by_text("Records 2,981 to 3,000 of 3,000").wait_for()
    page.get_by_label("Subset").click()
    page.get_by_role("option", name="counting").click()
    page.get_by_text("Records 1 to 20 of 300").wait_for()


@pytest.mark.parametrize("color_scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_on_a_phone_nothing_sticks_out(visit, color_scheme):
    page = visit(390, 844, color_scheme)
    assert overflow(page) <= 0
    tab(page, "Paste text")
    page.get_by_role("button", name="Fill in an example").click()
    page.wait_for_function("document.querySelector('#predictions-text textarea').value.length > 100")
    score(page)
    for name in ("Leaderboard", "Tasks", "Records"):
        tab(page, name)
        assert overflow(page) <= 0, name
        screenshot(page, f"390-{color_scheme}-{name.lower()}")
    tab(page, "Leaderboard")
    frame = page.locator("#board .frame")
    inside, outside = frame.evaluate("frame => [frame.scrollWidth, frame.clientWidth]")
    assert inside > outside  # the table scrolls in its own frame, with its first column in place
    frame.evaluate("frame => frame.scrollLeft = 300")
    left = page.locator("#board tbody th").first.bounding_box()["x"]
    assert abs(left - frame.bounding_box()["x"]) < 4


def test_a_bad_file_is_told_in_a_sentence(visit, tmp_path):
    page = visit(1280)
    problem = page.locator("#status .problem")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    large = write_jsonl(tmp_path / "large.jsonl", [{"id": "a", "prediction": "x" * (PAGE_MEGABYTES * 1_200_000)}])
    cases = [
        (tmp_path / "cut.parquet", "cut.parquet cannot be read as Parquet"),
        (large, f"large.jsonl has 1.2 MB and this page reads files up to {PAGE_MEGABYTES} MB"),
        (write_jsonl(tmp_path / "lines.jsonl", [EXAMPLE[0], ["a"]]), "lines.jsonl, line 2 is not an object"),
        (
            write_jsonl(tmp_path / "unreadable.jsonl", [{"id": "counting/1", "prediction": "2", "reference": "Hello"}]),
            "The reference at index 0 (subset 'counting') cannot be read",
        ),
    ]
    for path, sentence in cases:
        upload(page, "predictions-file", path)
        page.locator("#score").click()
        problem.filter(has_text=sentence).wait_for(timeout=30 * SECONDS)
        assert "Traceback" not in page.locator("body").inner_text()
        assert page.locator("#summary .summary").count() == 0
        screenshot(page, f"1280-{path.stem}")
        page.locator("#predictions-file").get_by_label("Clear").click()
        problem.wait_for(state="detached", timeout=10 * SECONDS)
    page.locator("#score").click()
    problem.filter(has_text="There is nothing to score yet").wait_for(timeout=30 * SECONDS)


def test_a_too_large_file_is_told_as_soon_as_it_is_chosen(visit, tmp_path):
    page = visit(390)
    large = write_jsonl(tmp_path / "large.jsonl", [{"id": "a", "prediction": "x" * (PAGE_MEGABYTES * 1_200_000)}])
    upload(page, "predictions-file", large)
    page.locator("#status .problem").filter(has_text="large.jsonl has 1.2 MB").wait_for(timeout=30 * SECONDS)
    assert overflow(page) <= 0
