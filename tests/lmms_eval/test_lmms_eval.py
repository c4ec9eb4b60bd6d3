"""lmms-eval runs SARChat-Bench: a real run over the bundled sample, against an endpoint whose right score is known.

Slow, and in an environment of its own: `bash tests/export/environment.sh lmms` makes it.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from answering_server import fingerprint, serving

from sarchat2m.benchmark.predictions import read_run
from sarchat2m.benchmark.scoring import score
from sarchat2m.vocabulary import CATEGORIES, SUBSETS, TASK_OF_SUBSET, TASKS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sarchat2m"
LMMS_EVAL = ROOT / ".venv-lmms" / "bin" / "lmms-eval"


@pytest.fixture(scope="module")
def records() -> list[dict]:
    paths = [path for subset in SUBSETS for path in sorted((SAMPLE / "sample" / subset).glob("test-*.parquet"))]
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def evaluated(records, tmp_path_factory: pytest.TempPathFactory) -> Callable:
    """Give a function that runs tasks with a model; it gives the results, the logged samples and their folder."""
    if not LMMS_EVAL.exists():
        pytest.skip("needs .venv-lmms: bash tests/export/environment.sh lmms")

    def run(model: str, model_args: str, tasks: str) -> tuple[dict, dict[str, list[dict]], Path]:
        folder = tmp_path_factory.mktemp("lmms")
        command = [LMMS_EVAL, "--model", model, "--model_args", model_args, "--tasks", tasks, "--batch_size", "1"]
        command += ["--include_path", ROOT / "recipes" / "lmms_eval", "--log_samples", "--output_path", folder / "out"]
        variables = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache"), "SARCHAT_DATASET": str(SAMPLE)}
        done = subprocess.run(
            [str(part) for part in [*command, "--verbosity", "DEBUG"]],
            cwd=folder,
            env={**os.environ, **variables, "PYTHONPATH": ""},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=900,
        )
        assert done.returncode == 0, done.stdout[-4000:]
        [results] = (folder / "out").rglob("*_results.json")
        samples = {
            path.stem.partition("_samples_sarchat_bench_")[2]: [
                json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
            ]
            for path in (folder / "out").rglob("*_samples_*.jsonl")
        }
        return json.loads(results.read_text())["results"], samples, results.parent

    return run


def test_right_answers_score_100_and_wrong_ones_what_equation_4_says(evaluated, records):
    """All answers are right but those to counting, so its columns are 0 and the others 100."""
    answers = {(fingerprint(r["image"]["bytes"]), r["question"]): r["answer"] for r in records}

    def answer(image: str, question: str) -> str:
        right = answers[image, question]
        return "There are 4321 instances." if question.startswith("[count]") else right

    with serving(answer) as url:
        results, samples, folder = evaluated("openai", f"model=known,base_url={url},api_key=none", "sarchat_bench")

    for subset in SUBSETS:
        figures = {
            name.removesuffix(",none"): value
            for name, value in results[f"sarchat_bench_{subset}"].items()
            if name.endswith(",none") and "stderr" not in name and value is not None
        }
        assert len(figures) > 1
        assert set(figures.values()) == {0 if subset == "counting" else 100}, figures
    counts = {task: sum(TASK_OF_SUBSET[r["subset"]] == task for r in records) for task in TASKS}
    expected = 100 * (len(records) - counts["counting"]) / len(records)
    assert results["sarchat_bench"]["score,none"] == pytest.approx(expected)

    logged = {sample["score"]["id"]: sample["score"] for rows in samples.values() for sample in rows}
    assert {id: sample["reference"] for id, sample in logged.items()} == {r["id"]: r["answer"] for r in records}
    assert {id: sample["subset"] for id, sample in logged.items()} == {r["id"]: r["subset"] for r in records}
    example = (ROOT / "tests" / "data" / "lmms_eval_samples.jsonl").read_text(encoding="utf-8").splitlines()
    known = {tuple(json.loads(line)) for line in example}
    assert {tuple(row) for rows in samples.values() for row in rows} == known, "our example of the logs is out of date"

    # `sarchat2m score` on the folder of the logs, as the recipe says, comes to the same.
    assert score(read_run(folder), confidence=None).figures["overall"] == pytest.approx(expected)


def test_any_other_model_runs_too(evaluated):
    """lmms-eval's dummy says the same to everything, by its other way of asking: text and pictures apart."""
    results, samples, _ = evaluated("dummy", "response=There is a ship.", "sarchat_bench_classification")
    rows = samples["classification"]
    named = [{category for category in CATEGORIES if category in row["target"]} for row in rows]
    right = sum(categories == {"ship"} for categories in named)
    assert results["sarchat_bench_classification"]["score,none"] == pytest.approx(100 * right / len(rows))
