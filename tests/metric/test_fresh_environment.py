"""The metric in an environment that holds nothing but its own requirements.txt, as its users have it.

`make environments` makes that environment, .venv-metric; where it is not there these tests are skipped.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-metric" / "bin" / "python"

pytestmark = pytest.mark.skipif(not PYTHON.is_file(), reason="no .venv-metric here: `make environments` makes it")

SCORE = """
import importlib.util, json, sys
import evaluate

assert importlib.util.find_spec("sarchat2m") is None, "sarchat2m must not be here"
bench = evaluate.load(sys.argv[1])
texts = ["There are 2 ships. {<0><0><10><10>}{<20><20><30><31>}", "It is a harbor.", "{<1><1><5><5>} (top left)", None]
right = ["There are 2 instances. {<0><0><10><10>}{<20><20><30><30>}", "It is ship.", "{<1><1><5><9>} (top left)",
         "There is a ship in the top left portion {<1><2><3><4>}."]
subsets = ["counting", "classification", "referring_single", "grounding_single"]
result = bench.compute(predictions=texts, references=right, subsets=subsets,
                       per_record=True, confidence=0.95, samples=200, detail="category")
for batch in range(2):
    part = slice(2 * batch, 2 * batch + 2)
    bench.add_batch(predictions=texts[part], references=right[part], subsets=subsets[part])
added = bench.compute()
difference = bench.compare(right, texts, references=right, subsets=subsets, samples=200)
one = evaluate.load(sys.argv[1], "counting").compute(predictions=texts[:1], references=right[:1])
print(json.dumps({"result": result, "added": added, "difference": difference["overall"], "one": one["overall"]}))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Score a few records there, far from the checkout, and give what came of it."""
    away = tmp_path_factory.mktemp("away")
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run(
        [PYTHON, "-W", "ignore", "-c", SCORE, ROOT / "metrics" / "sarchat_bench"],
        cwd=away,
        env=environment | {"HF_HOME": str(away), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_it_scores(told):
    result = told["result"]
    assert (result["counting"], result["counting_iou50"], result["classification"]) == (100.0, 100.0, 0.0)
    assert result["referring_single_iou50"] == 100.0  # 16 of 32 pixels
    assert (result["grounding_single"], result["grounding_unreadable"]) == (0.0, 1.0)
    assert result["overall"] == 50.0
    assert told["one"] == 100.0


def test_it_tells_why_how_surely_and_by_category(told):
    result = told["result"]
    verdicts = [record["verdict"] for record in result["records"]]
    assert verdicts == ["right", "classification: 1 too many", "right", "unreadable"]
    assert result["records"][2]["ious"] == [0.5]
    assert result["overall_interval"] == [50.0, 50.0]  # one record of each subset
    assert (result["classification/ship"], result["classification/car"]) == (0.0, None)


def test_adding_and_comparing(told):
    added = {key: value for key, value in told["added"].items() if key not in ("signature", "warnings")}
    assert added == {key: told["result"][key] for key in added}
    assert (told["difference"]["a"], told["difference"]["b"]) == (100.0, 50.0)


def test_it_holds_the_requirements_only():
    """What requirements.txt asks for came with what that needs itself; the project and its tools did not."""
    done = subprocess.run([PYTHON, "-m", "pip", "list", "--format", "json"], capture_output=True, text=True, check=True)
    present = {package["name"].lower() for package in json.loads(done.stdout)}
    asked = {line.partition(">")[0] for line in (ROOT / "metrics/sarchat_bench/requirements.txt").read_text().split()}
    assert asked <= present
    assert present.isdisjoint({"sarchat2m", "pytest", "gradio", "matplotlib"})
