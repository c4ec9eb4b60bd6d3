"""The page's parts without a browser: what strangers wrote stays text, gaps stay gaps, verdicts follow the score."""

import doctest
import re

import page_files
import page_leaderboard
import page_radar
import page_result
import page_scoring
import pytest
from page_leaderboard import COLUMNS, PUBLISHED, TASKS, Model, leaderboard_html, task_score, task_table_html
from page_radar import radar_svg
from page_result import PAGE_SIZE, notices_html, pages, problem_html, records_html, select
from page_scoring import Record, Scored, verdict

EVIL = "<script>alert('&')</script>"


@pytest.mark.parametrize("module", [page_files, page_leaderboard, page_radar, page_result, page_scoring])
def test_the_examples_in_the_docstrings_run(module):
    assert doctest.testmod(module).failed == 0


def test_every_column_of_table_3_is_a_column_of_the_metric():
    from page_scoring import BENCH

    result = BENCH.compute(predictions=["ship"], references=["It is ship."], subsets=["classification"])
    assert {column.key for column in COLUMNS} <= set(result)
    assert set(PUBLISHED[0].scores) == {"overall", *(column.key for column in COLUMNS)}
    for task in TASKS:
        assert f"{task}_score" in result
        assert task_score(result, task) == result[f"{task}_score"]


def test_the_pages_subsets_are_the_metrics():
    with pytest.raises(ValueError, match="is unknown") as error:
        page_scoring.BENCH.compute(predictions=["1"], references=["1"], subsets=["?"])
    told = re.search(r"use (.+)\.$", str(error.value)).group(1).split(", ")
    assert sorted(told) == sorted(page_files.SUBSETS)


def record(number, subset="counting", judged="right", text=EVIL):
    return Record(f"{number}{EVIL}", subset, text, text, text, text, judged, {"counting": (1, 0, 0)})


def test_what_strangers_wrote_is_shown_as_text():
    model = Model(EVIL, {"overall": 1.0, "counting": 2.0})
    scored = Scored(EVIL, {"signature": EVIL, "overall": None}, [record(1)], [EVIL], [EVIL])
    for html in (
        leaderboard_html(model),
        task_table_html([model]),
        radar_svg([model]),
        problem_html(EVIL),
        notices_html(scored),
        page_result.summary_html(scored),
        records_html(scored.records, 1),
    ):
        assert "<script" not in html
        assert "&lt;script&gt;" in html


def test_a_task_without_a_figure_is_a_gap():
    scores = {column.key: 50.0 for column in COLUMNS if column.task != "grounding"}
    svg = radar_svg([Model("gap", {**scores, "grounding_multi": None})])
    assert svg.count("<circle class='marker'") == len(TASKS) - 1
    assert svg.count("<polyline class='area'") == len(TASKS) - 2
    assert "<polygon class='area'" not in svg
    assert "–" in leaderboard_html(Model("gap", scores))


def test_a_long_answer_is_cut_and_says_so():
    html = records_html([record(1, text="x" * 5000)], 1)
    assert len(html) < 4 * 1400
    assert "3,800 more characters" in html


def test_records_are_filtered_and_paged():
    records = [record(n, "counting" if n % 2 else "description", "right" if n < 30 else "wrong") for n in range(50)]
    assert len(select(records, "all", "not right")) == 20
    assert len(select(records, "counting", "wrong")) == 10
    assert pages(records) == 3
    assert pages([]) == 1
    assert records_html(records, 3).count("<article") == 50 - 2 * PAGE_SIZE


def test_only_the_scores_columns_decide_the_verdict():
    assert verdict({"identification_single": (0, 1, 0), "identification_single_size": (1, 0, 0)}) == "wrong"
    assert verdict({"referring_multi_iou25": (2, 0, 0), "referring_multi_iou50": (1, 1, 1)}) == "partly right"
    assert verdict({"referring_multi_iou25": (0, 0, 2)}, unreadable=True) == "unreadable"


def test_a_part_of_the_tasks_is_said_not_to_compare():
    scores = {"signature": "", "overall": 1.0, "counting_records": 1}
    assert "does not compare" in notices_html(Scored("m", scores, [record(1)], [], []))
    whole = scores | {f"{task}_records": 1 for task in TASKS}
    assert "differ from it by chance" in notices_html(Scored("m", whole, [record(1)], [], []))
