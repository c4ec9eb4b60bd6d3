"""What visitors upload: every format gives the same columns, and a bad file gives one sentence."""

import contextlib
import csv
import io
import json
import time

import page_files
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_files import PageError, gather, read_file, read_text

ROWS = [
    {
        "id": "counting/test/1/ship",
        "prediction": 'two, "small"\nships {<1><2><3><4>}',
        "reference": "There are 2 instances.",
    },
    {"id": "counting/test/2/ship", "prediction": "Ein Schiff – 一艘船", "reference": "There is 1 instance."},
]


def write(path, rows):
    if path.suffix == ".parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif path.suffix == ".csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", page_files.FILE_TYPES)
def test_every_format_gives_the_same_columns(tmp_path, suffix):
    table = read_file(write(tmp_path / f"answers{suffix}", [{**row, "note": "not ours"} for row in ROWS]))
    assert dict(table) == {key: [row[key] for row in ROWS] for key in ROWS[0]}


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "answers.csv"
    path.write_bytes("\ufeffid,prediction\r\na,one\r\nb,two\r\n".encode())
    assert dict(read_file(path)) == {"id": ["a", "b"], "prediction": ["one", "two"]}
    path = path.with_suffix(".jsonl")
    path.write_bytes(b'{"id": "a", "prediction": "one"}\r\n\r\n{"id": "b"}\r\n')
    assert dict(read_file(path)) == {"id": ["a", "b"], "prediction": ["one", None]}


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r")), min_size=1, max_size=5))
def test_any_text_survives_csv_and_json(texts):
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerows([["id", "prediction"], *([str(number), text] for number, text in enumerate(texts))])
    if "\x00" not in out.getvalue():
        assert read_text(out.getvalue())["prediction"] == texts
    lines = "\n".join(json.dumps({"prediction": text}) for text in texts)
    assert read_text(lines)["prediction"] == texts


BROKEN = {
    "half.jsonl": (b'{"id": "a", "prediction": "one"}\n{"id": ', "line 2 is not valid JSON"),
    "list.jsonl": (b'{"prediction": "one"}\n["a"]\n', "line 2 is not an object"),
    "deep.json": (b"[" * 200_000, "is not valid JSON"),
    "digits.jsonl": (b'{"id": ' + b"9" * 6000 + b"}", "line 1 is not valid JSON"),
    "columns.jsonl": (b'{"question": "?", "response": "two"}', "has none of the columns"),
    "empty.jsonl": (b"\n", "has no record in it"),
    "empty.csv": (b"id,prediction\n", "has no record in it"),
    "quote.csv": (b'id,prediction\na,"never closed\n', "is not valid CSV"),
    "latin.csv": ("id,prediction\na,Mühle\n".encode("latin-1"), "is not UTF-8 text"),
    "bytes.jsonl": (bytes(range(256)), "is not UTF-8 text"),
    "cut.parquet": (b"PAR1", "cannot be read as Parquet"),
    "noise.parquet": (b"PAR1" + bytes(400) + b"PAR1", "cannot be read as Parquet"),
    "answers.zip": (b"PK", "is not of a type that this page reads"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_one_sentence(tmp_path, name):
    content, said = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(PageError) as error:
        read_file(tmp_path / name)
    sentence = str(error.value)
    assert said in sentence
    assert name in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 400


@given(st.binary(max_size=200), st.sampled_from(page_files.FILE_TYPES))
def test_no_bytes_raise_anything_else(tmp_path_factory, content, suffix):
    path = tmp_path_factory.mktemp("bytes") / f"file{suffix}"
    path.write_bytes(content)
    with contextlib.suppress(PageError):
        gather(read_file(path))


def test_the_limits_are_told(tmp_path, monkeypatch):
    path = write(tmp_path / "many.jsonl", ROWS)
    monkeypatch.setattr(page_files, "MAX_RECORDS", 1)
    for suffix in page_files.FILE_TYPES:
        with pytest.raises(PageError, match="has over 1 records, the most that this page takes"):
            read_file(write(path.with_suffix(suffix), ROWS))
    monkeypatch.setattr(page_files, "MAX_MEGABYTES", 0.0001)
    with pytest.raises(PageError, match=r"many.jsonl has 0.0 MB and this page reads files up to 0.0001 MB"):
        read_file(path)


def test_reading_takes_time_in_proportion_to_the_records():
    def seconds(records):
        text = "\n".join(json.dumps({"id": str(number), "prediction": "two ships"}) for number in range(records))
        start = time.perf_counter()
        assert len(read_text(text)["id"]) == records
        return time.perf_counter() - start

    few, many = (min(seconds(records) for _ in range(3)) for records in (4_000, 64_000))
    assert many < 60 * few  # 16 times as many; quadratic cost would be 256


def columns(**lists):
    return lists


def test_references_are_looked_up_by_id_in_the_order_of_the_predictions():
    references = columns(
        id=["counting/test/1", "counting/test/2", "referring_multi/test/3"],
        answer=["one", "two", "three"],
        subset=["counting", "counting", "referring_multi"],
        width=[512, 600, 700],
        height=[512, 400, 300],
    )
    answers = gather(columns(id=["referring_multi/test/3", "counting/test/1"], prediction=["c", None]), references)
    assert answers.references == ["three", "one"]
    assert answers.subsets == ["referring_multi", "counting"]
    assert answers.predictions == ["c", None]
    assert answers.image_sizes == [(700, 300), (512, 512)]
    assert answers.notes == ["Records of the reference file without a prediction, left out: 1."]


def test_the_subset_is_the_first_part_of_the_id_where_no_column_tells_it():
    answers = gather(columns(id=["grounding_single/test/1"], prediction=["a"], reference=["b"]))
    assert answers.subsets == ["grounding_single"]
    assert answers.image_sizes is None


def test_records_without_an_id_are_numbered():
    answers = gather(
        columns(prediction=["a", 2, ["b"], "\ud800"], answer=["x", "y", "z", "z"], subset=["counting"] * 4)
    )
    assert answers.ids == ["1", "2", "3", "4"]
    assert answers.predictions == ["a", "2", '["b"]', "?"]


@pytest.mark.parametrize(
    ("predictions", "references", "said"),
    [
        (columns(id=["a"], answer=["b"]), None, 'there is no column "prediction"; the columns found are id, answer'),
        (columns(id=["counting/1"], prediction=["a"]), None, 'there is no column "reference" to compare with'),
        (columns(prediction=["a"], reference=["b"]), None, 'neither a column "subset" nor an "id"'),
        (columns(id=["x/1"], prediction=["a"], reference=["b"]), None, 'of the subset "x", which is none of'),
        (columns(id=["a", "a"], prediction=["a", "b"], reference=["b", "c"]), None, 'the id "a" stands there twice'),
        (columns(id=["a", None], prediction=["a", "b"], reference=["b", "c"]), None, "record 2 has no id"),
        (columns(prediction=["a"]), columns(id=["a"], answer=["b"]), 'there is no column "id" to look'),
        (columns(id=["a"], prediction=["a"]), columns(id=["a"]), 'needs the columns "id" and "answer"'),
        (columns(id=["a", "b"], prediction=["", ""]), columns(id=["c"], answer=["d"]), "2 of 2 ids are not in the"),
    ],
)
def test_what_is_missing_is_one_sentence(predictions, references, said):
    with pytest.raises(PageError) as error:
        gather(predictions, references)
    assert said in str(error.value)
