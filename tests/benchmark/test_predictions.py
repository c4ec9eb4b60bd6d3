"""Prediction files of every kind become runs: nothing lost, nothing guessed that the files or a dataset say."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sarchat2m.benchmark.predictions import read_run, subset_of_file
from sarchat2m.errors import SARChatError
from sarchat2m.reading import Dataset
from sarchat2m.vocabulary import CATEGORIES, SUBSETS

DATA = Path(__file__).parents[1] / "data"

AUTHORS_FILES = {
    "SARChat_classify_count_test": "counting",
    "SARChat_classify_grounding_multi_test": "grounding_multi",
    "SARChat_classify_grounding_single_test": "grounding_single",
    "SARChat_classify_identify_multi_test": "identification_multi",
    "SARChat_classify_identify_single_test": "identification_single",
    "SARChat_classify_refer_multi_test": "referring_multi",
    "SARChat_classify_refer_single_test": "referring_single",
    "SARChat_classify_test": "classification",
    "SARChat_describe_test": "description",
}


def write_lines(path: Path, entries: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def conversation(row: dict[str, Any], answer: str) -> dict[str, Any]:
    """A line of messages and images, as ms-swift and the authors have it."""
    return {
        "messages": [
            {"role": "user", "content": f"<image>{row['question']}"},
            {"role": "assistant", "content": answer},
        ],
        "images": [f"somewhere/{row['image_id']}.png"],
    }


@pytest.fixture(scope="module")
def rows(built: Path) -> list[dict[str, Any]]:
    texts: list[dict[str, Any]] = Dataset(str(built)).texts().to_pylist()
    return texts


# Ours


def test_the_last_answer_of_a_record_counts(tmp_path: Path) -> None:
    line = {"id": "counting/test/1/ship", "subset": "counting", "reference": "There is 1 instance."}
    entries = [
        {"header": {"model": "org/my-model-7B", "records": 4, "dataset": "d"}},
        {**line, "error": "timeout", "message": "…"},
        {**line, "id": "b", "error": "too_long", "message": "…", "partial": "There are"},
        {"header": {"model": "org/my-model-7B", "records": 4, "dataset": "d"}},  # of a run that went on
        {**line, "prediction": "There are 2 instances.", "image_size": [10, 20]},
        {**line, "id": "c", "error": "server", "message": "…"},
    ]
    path = write_lines(tmp_path / "out.jsonl", entries)
    with path.open("a") as file:
        file.write('{"id": "d", "subs')  # where the writer was killed
    run = read_run(path)
    assert run.name == "my-model-7B"
    assert [answer.prediction for answer in run.answers] == ["There are 2 instances.", "There are", ""]
    assert run.answers[0].image_size == (10, 20)
    assert run.image_sizes is None
    assert run.errors == {"too_long": 1, "server": 1}
    assert "1 of 4 records have not been asked yet" in run.notes[0]
    assert "2 records have no answer, or a cut-off one" in run.notes[1]


def test_a_plain_file_needs_no_header(tmp_path: Path) -> None:
    entry = {"subset": "counting", "prediction": "1", "reference": "There is 1 instance."}
    entries = [entry, {**entry, "id": 17}]
    (tmp_path / "mine.json").write_text(json.dumps(entries))
    run = read_run(tmp_path / "mine.json")
    assert (run.name, [answer.id for answer in run.answers], run.header) == ("mine", [None, "17"], None)


def test_references_come_from_the_dataset_by_id(built: Path, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    path = write_lines(tmp_path / "out.jsonl", [{"id": row["id"], "prediction": "?"} for row in rows])
    with pytest.raises(SARChatError, match=r"have no subset: give the dataset .*--dataset"):
        read_run(path)
    run = read_run(path, dataset=str(built))
    assert run.references == [row["answer"] for row in rows]
    assert run.subsets == [row["subset"] for row in rows]
    assert run.image_sizes == [(row["width"], row["height"]) for row in rows]


def test_categories_come_from_the_header_or_else_from_the_dataset(
    built: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    lines = [{"id": rows[0]["id"], "prediction": "?"}]
    assert read_run(write_lines(tmp_path / "bare.jsonl", lines), dataset=str(built)).categories == CATEGORIES
    lines.insert(0, {"header": {"model": "m", "records": 1, "categories": ["ferry"]}})
    assert read_run(write_lines(tmp_path / "ours.jsonl", lines), dataset=str(built)).categories == ["ferry"]


def test_another_dataset_than_the_predictions_are_of_is_told(
    built: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    lines = [{"id": row["id"], "prediction": "?", "reference": row["answer"]} for row in rows[:3]]
    assert len(read_run(write_lines(tmp_path / "right.jsonl", lines), dataset=str(built)).answers) == 3
    lines[1]["reference"] = "There are 99 instances."
    with pytest.raises(SARChatError, match=f"is of another dataset than .*, where {lines[1]['id']} has another"):
        read_run(write_lines(tmp_path / "other.jsonl", lines), dataset=str(built))
    unknown = write_lines(tmp_path / "unknown.jsonl", [{"id": "counting/test/99999/ship", "prediction": "?"}])
    with pytest.raises(SARChatError, match=r"\(test\) does not have them either, such as counting/test/99999/ship"):
        read_run(unknown, dataset=str(built))


# ms-swift


def test_what_swift_infer_writes_is_read() -> None:
    run = read_run(DATA / "swift_infer.jsonl")
    lines = [json.loads(line) for line in (DATA / "swift_infer.jsonl").read_text().splitlines()]
    assert run.kind == "ms-swift"
    assert run.predictions == [line["response"] for line in lines]
    assert run.references == [line["labels"] for line in lines]
    assert run.subsets == [Path(line["dataset"]).stem.partition("-")[2] for line in lines]
    assert run.questions is not None
    assert not any("<image>" in question for question in run.questions)


def test_single_and_multi_are_told_apart_by_the_boxes_of_a_whole_file(
    built: Path, rows: list[dict[str, Any]], tmp_path: Path
) -> None:
    entries = [{"response": "?", "labels": row["answer"], **conversation(row, "?")} for row in rows]
    path = write_lines(tmp_path / "result.jsonl", entries)
    run = read_run(path)
    wrong = [(row["subset"], found) for row, found in zip(rows, run.subsets, strict=True) if row["subset"] != found]
    assert wrong == []
    assert "told apart by the boxes" in run.notes[0]
    by_dataset = read_run(path, dataset=str(built))
    assert by_dataset.subsets == run.subsets
    assert by_dataset.notes == []
    assert [answer.id for answer in by_dataset.answers] == [row["id"] for row in rows]


# The authors' files


@pytest.mark.parametrize(("name", "subset"), AUTHORS_FILES.items())
@pytest.mark.parametrize("ending", [".json", ".jsonl", "_result.jsonl"])
def test_the_authors_names_say_the_subset(name: str, subset: str, ending: str) -> None:
    assert subset_of_file(name + ending) == subset


def test_the_authors_files_say_what_is_right(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    references = tmp_path / "SARChat"
    references.mkdir()
    for number, (name, subset) in enumerate(AUTHORS_FILES.items()):
        entries = [conversation(row, row["answer"]) for row in rows if row["subset"] == subset]
        if number % 2:
            (references / f"{name}.json").write_text(json.dumps(entries))
        else:
            write_lines(references / f"{name}.jsonl", entries)
    answers = [{"response": f"answer {n}", **conversation(row, "?")} for n, row in enumerate(rows)]
    run = read_run(write_lines(tmp_path / "result.jsonl", answers), references=[references])
    assert run.references == [row["answer"] for row in rows]
    assert run.subsets == [row["subset"] for row in rows]
    assert run.predictions == [f"answer {n}" for n in range(len(rows))]


def test_a_file_of_references_is_no_file_of_predictions(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    path = write_lines(tmp_path / "SARChat_classify_test.jsonl", [conversation(rows[0], rows[0]["answer"])])
    with pytest.raises(SARChatError, match=r"holds no predictions.*--references"):
        read_run(path)


# lmms-eval


def test_what_lmms_eval_logs_is_read() -> None:
    run = read_run(DATA / "lmms_eval_samples.jsonl")
    lines = [json.loads(line) for line in (DATA / "lmms_eval_samples.jsonl").read_text().splitlines()]
    assert run.kind == "lmms-eval"
    assert run.subsets == [line["score"]["subset"] for line in lines]
    assert run.references == [line["target"] for line in lines]
    assert run.predictions == [line["filtered_resps"] for line in lines]
    assert [answer.id for answer in run.answers] == [line["score"]["id"] for line in lines]


def test_a_folder_of_lmms_eval_is_one_run(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "my-model"
    folder.mkdir(parents=True)
    (folder / "20260101_120000_results.json").write_text('{"results": {}}')
    for subset in SUBSETS:
        entries = [
            {
                "doc_id": n,
                "target": row["answer"],
                "filtered_resps": ["an answer"],
                "doc": {"question": row["question"]},
            }
            for n, row in enumerate(rows)
            if row["subset"] == subset
        ]
        write_lines(folder / f"20260101_120000_samples_sarchat_bench_{subset}.jsonl", entries)
    run = read_run(tmp_path / "logs")
    assert Counter(run.subsets) == Counter(row["subset"] for row in rows)
    assert set(run.predictions) == {"an answer"}


# What is wrong


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"prediction": "a"}\n{"predic\n{"prediction": "b"}\n', "line 2, is no valid JSON"),
        ("[1, 2]", "something else than records"),
        ("[{]", "is no valid JSON"),
        ("\x89PNG", "is no text"),
        ('{"header": 3}\n{"id": "a", "prediction": "a"}\n', "The header of .* is not as"),
        ('{"header": {"model": "m"}}\n{"id": "a", "prediction": "a"}\n', "The header of .* is not as"),
        ("", "holds no predictions"),
        ('{"answer": "a"}\n', "holds no predictions"),
        ('{"prediction": "a", "subset": "counting"}\n', "1 of 1 records in .* have no reference"),
        ('{"prediction": "a", "reference": "b", "subset": "counts"}\n', "have no subset"),
        ('{"prediction": "a", "image_size": 3}\n', "Record 1 of .* cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(SARChatError, match=told):
        read_run(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match="There is no file"):
        read_run(tmp_path / "out.jsonl")
