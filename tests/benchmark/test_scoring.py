"""The arrangement of the metric's figures: Table 3's rows and columns, comparisons, tables and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sarchat2m.benchmark import scoring
from sarchat2m.benchmark.predictions import Answer, Run
from sarchat2m.benchmark.scoring import TABLE3, as_json, as_markdown, comparison_table, parameters_of, published_models
from sarchat2m.errors import SARChatError
from sarchat2m.locations import metric_path

RIGHT = "There are 2 instances. {<10><10><20><20>}{<50><50><70><70>}"
HALF = "There is 1 instance. {<10><10><20><20>}"


def counting(name: str, predictions: list[str], ids: bool = True, **options: Any) -> Run:
    answers = [
        Answer(text, id=f"counting/test/{n}/ship" if ids else None, subset="counting", reference=RIGHT, **options)
        for n, text in enumerate(predictions)
    ]
    return Run(name, answers, "sarchat2m")


def shown(table: Any, width: int = 120) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(table)
    return console.export_text()


def test_the_published_rows_are_those_of_the_paper(shared: Path) -> None:
    table = json.loads((shared / "paper_tables.json").read_text())["table3_test_scores_percent"]
    rows = {f"{row['model']}-{row['parameters']}": row for row in table}
    models = {model.name: model for model in published_models()}
    assert models.keys() == rows.keys()
    assert len(models) == 16
    for name, model in models.items():
        assert model.figures == {column.key: rows[name][column.key] for column in TABLE3}
    scores = [model.figures["overall"] for model in published_models()]
    assert scores == sorted(scores, reverse=True)


def test_task_scores_of_published_models_weigh_up_to_their_overall_score() -> None:
    counts = json.loads((metric_path() / "published.json").read_text())["test_records"]
    for model in published_models():
        weighted = sum((scoring.task_score(model.figures, task) or 0) * n for task, n in counts.items())
        assert weighted / sum(counts.values()) == pytest.approx(model.figures["overall"], abs=0.9)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("InternVL2.5-8B", 8.0),
        ("deepseek-vl-1.3b-chat", 1.3),
        ("Qwen/Qwen2-VL-72B-Instruct-AWQ", 72.0),
        ("Qwen2.5", None),
        ("v2b3", None),
        ("model-8Bit", None),
    ],
)
def test_the_size_of_a_model_is_read_off_its_name(name: str, size: float | None) -> None:
    assert parameters_of(name) == size


def test_figures_are_the_metrics_own() -> None:
    figures = scoring.score(counting("half", [RIGHT, HALF, "", RIGHT])).figures
    assert figures["counting"] == 50.0
    assert figures["counting_iou50"] == pytest.approx(100 * 5 / 8)
    assert figures["counting_records"] == 4
    low, high = figures["counting_interval"]
    assert low < 50 < high
    assert figures["referring_multi_iou25"] is None


@pytest.fixture(scope="module")
def some_scores() -> list[scoring.Score]:
    names = ("Qwen2.5-VL-72B-Instruct-AWQ", "InternVL2.5-8B", "mine", "a_name_that_goes_on_without_a_break" * 2)
    return [scoring.score(counting(name, [RIGHT, HALF])) for name in (*names, "5", "6", "7")]


@pytest.mark.parametrize("runs", [1, 2, 3, 7])
@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_table_says_everything_whole_whatever_the_terminal(
    some_scores: list[scoring.Score], runs: int, width: int
) -> None:
    tables = scoring.score_tables(some_scores[:runs], published=2, width=width)
    texts = [shown(table, width) for table in tables]
    assert len(texts) == 1 or width < 120
    for text in texts:
        lines = [line.rstrip() for line in text.splitlines()]
        assert max(map(len, lines)) <= width
        assert "…" not in text
        tasks_and_labels = [line.split("  ")[0] if line[1:3] != "  " else line[3:].split("  ")[0] for line in lines]
        for column in TABLE3:
            assert column.label in [label.strip() for label in tasks_and_labels]
        assert "–" in text  # where nothing was there to count
    assert sum(text.count("50.00") for text in texts) >= runs
    if width == 200 and runs <= 3:
        assert "InternVL2.5-\n" not in texts[0]
        assert texts[0].count("(paper)") == 2
        assert texts[0].count("interval") == runs


def test_what_finds_no_place_is_left_out_intervals_first(some_scores: list[scoring.Score]) -> None:
    for width, published, has_intervals in ((140, 2, True), (90, 2, False), (60, 0, False)):
        [table] = scoring.score_tables(some_scores[:3], 2, width)
        text = " ".join(shown(table, width).split())
        assert text.count("(paper)") == published
        assert (text.count(" interval "), "intervals need a wider terminal" in text) == (
            3 * has_intervals,
            not has_intervals,
        )


def test_a_warning_that_holds_for_all_runs_is_told_once(some_scores: list[scoring.Score]) -> None:
    def warned(name: str, *warnings: str) -> scoring.Score:
        return scoring.Score(Run(name, [], "sarchat2m"), {"warnings": list(warnings)})

    assert scoring.notes_on([warned("a", "of the data", "of a"), warned("b", "of the data")]) == [
        "of the data",
        "a: of a",
    ]
    assert scoring.notes_on([warned("a", "of the data")]) == ["of the data"]


def test_two_runs_are_compared_over_the_records_in_common() -> None:
    first, second = counting("first", [RIGHT] * 30), counting("second", [RIGHT] * 5 + [HALF] * 20)
    comparison = scoring.compare(first, second)
    assert comparison.records == 25
    assert comparison.figures["counting"]["first"] == 100.0
    assert comparison.figures["counting"]["second"] == 20.0
    assert comparison.figures["counting"]["gain"] == -80.0
    p_value = comparison.figures["counting"]["p_value"]
    assert p_value is not None
    assert p_value < 0.01
    text = shown(comparison_table(comparison))
    assert "-80.00" in text
    assert "25 records in common" in text


def test_runs_without_a_record_in_common_are_not_compared() -> None:
    with pytest.raises(SARChatError, match="no record in common"):
        scoring.compare(counting("a", [RIGHT]), counting("b", [RIGHT], ids=False, question="?"))


def test_a_reference_that_cannot_be_read_is_told_with_the_runs_name() -> None:
    run = Run("mine", [Answer("x", subset="referring_single", reference="no box at all")], "sarchat2m")
    with pytest.raises(SARChatError, match=r"^mine: "):
        scoring.score(run)


def test_other_categories_are_scored_by() -> None:
    answers = [Answer("It is wind turbine.", subset="classification", reference="It is wind turbine.")] * 3
    run = Run("mine", answers, "sarchat2m", categories=["wind turbine", "ferry"])
    figures = scoring.score(run).figures
    assert figures["classification"] == 100.0
    assert "vocabulary:wind turbine,ferry" in figures["signature"]


def test_files_hold_everything() -> None:
    scores = [scoring.score(counting("a|b", [RIGHT, HALF])), scoring.score(counting("best", [RIGHT, RIGHT]))]
    comparison = scoring.compare(scores[0].run, scores[1].run)
    document = json.loads(json.dumps(as_json(scores, comparison)))
    assert document["runs"][1]["figures"]["counting"] == 100.0
    assert document["runs"][0]["figures"]["signature"].startswith("sarchat_bench:")
    assert document["comparison"]["figures"]["counting"]["gain"] == 50.0
    lines = as_markdown(scores, comparison).splitlines()
    rows = [line for line in lines if line.startswith("| ")]
    leaderboard = rows[2:20]
    assert "**best**" in leaderboard[0]
    assert all(any(f"| {model.name} |" in row for row in leaderboard) for model in published_models())
    assert any("**a\\|b**" in row for row in leaderboard)
    assert all(row.replace("\\|", "").count("|") == len(TABLE3) + 2 for row in leaderboard)
    assert any(scores[0].figures["signature"] in line for line in lines)
