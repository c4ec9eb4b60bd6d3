"""The metric card tells the truth: its examples run, its keys are the result's, its figures are computed."""

import doctest
import importlib.util
import json
import re
import warnings
from pathlib import Path

import evaluate
import pytest

ROOT = Path(__file__).parents[2]
METRIC = ROOT / "metrics" / "sarchat_bench"
CARD = (METRIC / "README.md").read_text(encoding="utf-8")
PUBLISHED = json.loads((METRIC / "published.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def bench():
    return evaluate.load(str(METRIC))


def averages():
    spec = importlib.util.spec_from_file_location("recompute", ROOT / "benchmarks" / "recompute_averages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_examples_run(monkeypatch):
    monkeypatch.chdir(ROOT)
    text = re.sub(r"^```.*$", "", CARD, flags=re.MULTILINE)  # a fence is no output; line numbers stay
    test = doctest.DocTestParser().get_doctest(text, {}, "README.md", str(METRIC / "README.md"), 0)
    assert len(test.examples) > 20
    told = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=told.append)
    assert result.failed == 0, "".join(told)


def test_the_tables_name_every_key_of_the_result(bench):
    result = bench.compute(predictions=["ship"], references=["It is ship."], subsets=["classification"])
    outputs = CARD[CARD.index("## Output values") : CARD.index("## Values from the paper")]
    named = {
        key
        for row in outputs.splitlines()
        if row.startswith("| `")
        for key in re.findall(r"`(\w+)`", row.split(" | ")[0])
    }
    assert named == set(result)


def test_the_table_of_inputs_names_every_argument(bench):
    inputs = CARD[CARD.index("## Inputs") : CARD.index("### Box formats")]
    named = {
        name
        for row in inputs.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`(\w+)`", row.split(" | ")[0])
    }
    documented = set(re.findall(r"^    ([a-z_]+(?:, [a-z_]+)*):", bench.inputs_description, flags=re.MULTILINE))
    assert named == {name for names in documented for name in names.split(", ")}


def test_the_table_of_box_formats_is_complete(bench):
    formats = CARD[CARD.index("### Box formats") : CARD.index("## Output values")]
    named = re.findall(r'^\| `"(\w+)"`', formats, flags=re.MULTILINE)
    with pytest.raises(ValueError, match="is unknown: use 'auto', or one of") as error:
        bench.compute(predictions=["1"], references=["There is 1 instance."], subsets=["counting"], box_format="?")
    told = re.search(r"one of ([\w, ]+), with", str(error.value)).group(1).split(", ")
    assert sorted(named) == sorted(told)


def test_the_recomputed_averages_are_the_ones_in_the_card():
    assert averages().markdown() in CARD


def test_the_recomputed_averages_are_within_0_9_of_the_printed_ones(bench):
    differences = [
        bench.overall_score(row["columns"], PUBLISHED["test_records"]) - row["overall"] for row in PUBLISHED["models"]
    ]
    assert len(differences) == 16
    assert max(map(abs, differences)) < 0.9
    assert sum(map(abs, differences)) / 16 == pytest.approx(0.45, abs=0.01)


def test_the_published_figures_are_the_papers(shared):
    tables = json.loads((shared / "paper_tables.json").read_text(encoding="utf-8"))
    rows = [
        {"model": r["model"], "parameters": r["parameters"], "overall": r["overall"], **r["columns"]}
        for r in PUBLISHED["models"]
    ]
    assert rows == tables["table3_test_scores_percent"]
    assert PUBLISHED["test_records"] == tables["table5_records"]["test"]
    assert sum(PUBLISHED["test_records"].values()) == 226_636


def test_the_front_matter_is_a_spaces(tmp_path):
    from huggingface_hub import SpaceCardData
    from huggingface_hub.repocard import RepoCard

    data = RepoCard.load(METRIC / "README.md").data.to_dict()
    space = SpaceCardData(**data)
    assert (space.sdk, space.app_file) == ("gradio", "app.py")
    assert (METRIC / space.app_file).is_file()
    assert {"evaluate", "metric"} <= set(space.tags)
    assert len(data["short_description"]) <= 60  # the Hub refuses a longer one
    assert re.fullmatch(r"6\.\d+\.\d+", space.sdk_version)


def test_the_citation_is_in_the_card():
    entry = (METRIC / "CITATION").read_text(encoding="utf-8")
    assert entry[entry.index("@") :].rstrip() in CARD
