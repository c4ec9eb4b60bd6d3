"""`predict` against an endpoint on loopback: what is sent, what is kept, and what happens when things go wrong."""

from __future__ import annotations

import fcntl
import hashlib
import io
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from endpoint import Endpoint
from hypothesis import given
from hypothesis import strategies as st
from model_server import FAULTS
from PIL import Image

from sarchat2m.benchmark.predict import Client, Questions, _selected, _sendable, _shares, predict
from sarchat2m.errors import SARChatError
from sarchat2m.reading import Dataset
from sarchat2m.vocabulary import SUBSETS

KEY = "sk-secret-0123456789"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def lines_of(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.read_text().splitlines()]


def stored_images(built: Path) -> dict[int, bytes]:
    dataset = Dataset(str(built))
    return dict(dataset.images(dataset.texts()["image_id"].to_pylist()))


# What is sent


def test_every_question_is_asked_once_with_its_image(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    before, out = len(endpoint.requests()), tmp_path / "new folder" / "out.jsonl"
    questions = Questions(
        "good", system="Be brief.", prompt_suffix="Write boxes.", generation={"temperature": 0.5, "max_tokens": 99}
    )
    outcome = predict(str(built), questions, Client(endpoint.base_url, concurrency=8, processes=2), out)

    texts = Dataset(str(built)).texts().to_pylist()
    requests = endpoint.requests()[before:]
    assert outcome.asked == {"answered": len(texts)}
    assert Counter(request["question"] for request in requests) == Counter(text["question"] for text in texts)
    assert {request["suffix"] for request in requests} == {"Write boxes."}
    assert {tuple(request["system"]) for request in requests} == {("Be brief.",)}
    assert {request["authorization"] for request in requests} == {f"Bearer {KEY}"}
    assert all(request["options"] == {"model": "good", "temperature": 0.5, "max_tokens": 99} for request in requests)

    as_stored = {hashlib.sha256(data).hexdigest() for data in stored_images(built).values() if data[:2] != b"BM"}
    sent = {request["image"] for request in requests}
    assert as_stored <= sent
    assert {request["media"] for request in requests} <= {"data:image/jpeg;base64", "data:image/png;base64"}
    assert outcome.converted == len(sent - as_stored)

    header, *records = lines_of(out)
    assert header["header"]["records"] == len(texts)
    assert header["header"]["system"] == "Be brief."
    assert header["header"]["client"]["concurrency"] == 8
    assert {record["id"] for record in records} == {text["id"] for text in texts}
    by_id = {text["id"]: text for text in texts}
    for record in records:
        text = by_id[record["id"]]
        assert record["subset"] == text["subset"]
        assert record["reference"] == text["answer"]
        assert record["image_size"] == [text["width"], text["height"]]
    assert sum(record["prediction"] == record["reference"] for record in records) > 0.8 * len(records)
    assert KEY not in out.read_text()


def test_questions_of_one_image_follow_each_other(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    before = len(endpoint.requests())
    predict(str(built), Questions("good", limit=60), Client(endpoint.base_url, concurrency=1), tmp_path / "out.jsonl")
    images = [request["image"] for request in endpoint.requests()[before:]]
    assert len(images) == 60
    assert len(list(itertools.groupby(images))) == len(set(images)) > 1


def test_the_texts_stand_image_by_image_and_subset_by_subset(built: Path) -> None:
    dataset = Dataset(str(built))
    texts = dataset.texts().to_pylist()
    order = [text["image_id"] for text in texts]
    assert [image_id for image_id, _ in itertools.groupby(order)] == [image_id for image_id, _ in dataset.images(order)]
    for _, group in itertools.groupby(texts, key=lambda text: text["image_id"]):
        places = [SUBSETS.index(text["subset"]) for text in group]
        assert places == sorted(places)


@pytest.mark.parametrize("written", ["JPEG", "PNG", "GIF", "WEBP"])
def test_what_endpoints_take_is_sent_as_it_is_stored(written: str) -> None:
    stored = io.BytesIO()
    Image.effect_noise((32, 32), 50).save(stored, written)
    assert _sendable(stored.getvalue()) == (f"image/{written.lower()}", stored.getvalue())


@pytest.mark.parametrize("written", ["BMP", "TIFF"])
def test_other_formats_become_png_with_the_same_pixels(written: str) -> None:
    stored, image = io.BytesIO(), Image.effect_noise((32, 32), 50)
    image.save(stored, written)
    mime_type, sent = _sendable(stored.getvalue())
    assert mime_type == "image/png"
    assert Image.open(io.BytesIO(sent)).tobytes() == image.tobytes()


def test_the_sample_gives_every_subset_its_share(built: Path) -> None:
    texts = Dataset(str(built)).texts()
    drawn = [_selected(texts, Questions("good", sample=30, seed=seed)) for seed in (1, 1, 2)]
    ids = [table["id"].to_pylist() for table in drawn]
    subsets = [Counter(table["subset"].to_pylist()) for table in drawn]
    assert ids[0] == ids[1] != ids[2]
    assert subsets[0] == subsets[2]
    assert len(set(ids[0])) == 30
    assert set(subsets[0]) == set(SUBSETS)
    places = {identity: place for place, identity in enumerate(texts["id"].to_pylist())}
    assert [places[identity] for identity in ids[0]] == sorted(places[identity] for identity in ids[0])
    shuffled = texts.take(pa.array(reversed(range(texts.num_rows))))
    assert set(_selected(shuffled, Questions("good", sample=30, seed=1))["id"].to_pylist()) == set(ids[0])


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 500), min_size=1, max_size=9), st.data())
def test_shares_add_up_and_fit(sizes: dict[str, int], data: st.DataObject) -> None:
    total = data.draw(st.integers(1, sum(sizes.values())))
    shares = _shares(sizes, total)
    assert sum(shares.values()) == total
    for subset, size in sizes.items():
        assert 0 <= shares[subset] <= size
        assert shares[subset] >= 1 or total < len(sizes)


# Going on


def test_a_killed_run_goes_on_without_asking_twice(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    questions, client = Questions("slow", limit=120), Client(endpoint.base_url, concurrency=4)
    program = (
        "import pathlib, sys\nfrom sarchat2m.benchmark.predict import *\n"
        f"predict(sys.argv[1], {questions!r}, {client!r}, pathlib.Path(sys.argv[2]))"
    )
    run = subprocess.Popen([sys.executable, "-c", program, str(built), str(out)])
    while not out.exists() or out.read_bytes().count(b"\n") < 25:
        assert run.poll() is None, "the run ended before it could be killed"
        time.sleep(0.02)
    run.send_signal(signal.SIGKILL)
    run.wait()
    for _ in range(100):  # its workers end of themselves
        seen = len(endpoint.requests())
        time.sleep(0.3)
        if len(endpoint.requests()) == seen:
            break
    else:
        raise AssertionError("a worker of the killed run goes on asking")
    answered = len(lines_of(out)) - 1
    total = 120
    assert 24 <= answered < total
    with out.open("a") as file:
        file.write('{"id": "identification_multi/test/3/0/1", "subset": "identifi')  # a line cut in two

    outcome = predict(str(built), questions, client, out)
    assert outcome.answered_before == answered
    assert outcome.asked == {"answered": total - answered}
    assert len(endpoint.requests()) - seen == total - answered
    ids = [line["id"] for line in lines_of(out)[1:]]
    assert len(ids) == len(set(ids)) == total

    again = predict(str(built), questions, Client("http://127.0.0.1:9/v1"), out)  # nothing to ask: nobody is called
    assert again.asked == {}
    assert again.answered_before == total


def test_ctrl_c_while_the_workers_start_says_no_traceback(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    arguments = ["--model", "good", "--base-url", endpoint.base_url, "--out", tmp_path / "out.jsonl"]
    run = subprocess.Popen(
        [sys.executable, "-m", "sarchat2m.cli", "predict", built, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    while not children.read_text():
        assert run.poll() is None, "the run ended before it could be stopped"
        time.sleep(0.01)
    time.sleep(0.2)  # it imports its modules now
    os.killpg(run.pid, signal.SIGINT)
    assert run.communicate(timeout=60) == (b"", b"Stopped.\n")
    assert run.returncode == 130
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"model": "poor"}, 'model was "good" and is now "poor"'),
        ({"generation": {"temperature": 1}}, 'generation was {"temperature": 0} and is now {"temperature": 1}'),
        ({"prompt_suffix": "Write boxes."}, 'prompt suffix was null and is now "Write boxes."'),
        ({"limit": 3}, "limit was 2 and is now 3"),
    ],
)
def test_other_questions_do_not_go_into_the_same_file(
    built: Path, tmp_path: Path, changed: dict[str, Any], told: str, few_answers: Path
) -> None:
    before = few_answers.read_bytes()
    asked = {"model": "good", "limit": 2, "generation": {"temperature": 0}, **changed}
    with pytest.raises(SARChatError) as error:
        predict(str(built), Questions(**asked), Client("http://127.0.0.1:9/v1"), few_answers)
    assert told in str(error.value)
    assert few_answers.read_bytes() == before


@pytest.fixture(scope="module")
def few_answers(built: Path, endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("few") / "out.jsonl"
    predict(str(built), Questions("good", limit=2, generation={"temperature": 0}), Client(endpoint.base_url), out)
    return out


def test_another_dataset_does_not_go_into_the_same_file(built: Path, few_answers: Path) -> None:
    header, *records = lines_of(few_answers)
    header["header"]["questions"] = "0" * 64
    few_answers.with_name("other").write_text("\n".join(map(json.dumps, [header, *records])) + "\n")
    with pytest.raises(SARChatError, match="the dataset was another one"):
        predict(
            str(built),
            Questions("good", limit=2, generation={"temperature": 0}),
            Client("http://127.0.0.1:9/v1"),
            few_answers.with_name("other"),
        )


def test_a_file_of_something_else_is_left_alone(built: Path, tmp_path: Path) -> None:
    out = tmp_path / "notes.txt"
    out.write_text("milk\nbread\n")
    with pytest.raises(SARChatError, match="line 1, is not a line of predictions"):
        predict(str(built), Questions("good"), Client("http://127.0.0.1:9/v1"), out)
    assert out.read_text() == "milk\nbread\n"


def test_two_runs_do_not_write_to_one_file(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    with out.open("ab") as other_run:
        fcntl.flock(other_run, fcntl.LOCK_EX)
        with pytest.raises(SARChatError, match="Another run is writing"):
            predict(str(built), Questions("good", limit=2), Client(endpoint.base_url), out)


# What goes wrong


def test_what_goes_wrong_with_a_record_is_recorded_and_asked_again(
    built: Path, endpoint: Endpoint, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    questions = Questions("faulty", config="identification_multi", limit=len(FAULTS) + 4)
    client = Client(endpoint.base_url, retries=1)
    outcome = predict(str(built), questions, client, out)
    records = lines_of(out)[1:]
    kinds = {line["id"]: line.get("error", "answered") for line in records}
    # In the order of FAULTS: the server numbers the records of a subset as they are stored.
    expected = {"refused": 1, "too_long": 1, "malformed": 3, "server": 1, "answered": 4}
    assert Counter(kinds.values()) == expected == outcome.asked
    cut_off = next(line for line in records if line.get("error") == "too_long")
    assert cut_off["partial"] == cut_off["reference"][:9]
    assert "image too large" in next(line["message"] for line in records if line.get("error") == "refused")
    assert all("reference" in line for line in records)

    before = len(endpoint.requests())
    assert predict(str(built), questions, client, out, keep_errors=True).asked == {}
    assert len(endpoint.requests()) == before
    assert predict(str(built), questions, client, out).asked == {
        kind: count for kind, count in expected.items() if kind != "answered"
    }
    assert len(endpoint.requests()) == before + 6 + 1  # the failure of the server is tried twice


def test_a_wrong_model_is_an_error_of_each_record_and_is_told(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    outcome = predict(
        str(built), Questions("gpt-17", limit=3), Client(endpoint.base_url), tmp_path / "out.jsonl", keep_errors=True
    )
    assert outcome.asked == {"model": 3}
    assert 'does not list a model "gpt-17"; it lists good, poor.' in outcome.notes[0]


def test_a_run_without_an_answer_fails(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    """So that `predict … && score …` stops; what was asked and what went wrong is on file and told all the same."""
    command = [sys.executable, "-m", "sarchat2m.cli", "predict", str(built), "--model", "gpt-17", "--limit", "3"]
    command += ["--base-url", endpoint.base_url, "--out", str(tmp_path / "out.jsonl")]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert asked.returncode == 1
    assert "0 of 3 answered" in asked.stdout
    assert "3 model: the endpoint does not know the model" in asked.stdout
    assert asked.stderr.endswith("Error: Nothing was answered: mend what stands above, and run the command again.\n")
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 4


def test_an_endpoint_that_has_moved_is_followed(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    class Moved(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(307)
            self.send_header("Location", endpoint.base_url.removesuffix("/v1") + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Moved) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        client = Client(f"http://127.0.0.1:{server.server_port}/v1")
        outcome = predict(str(built), Questions("good", limit=3), client, tmp_path / "out.jsonl")
        server.shutdown()
    assert outcome.asked == {"answered": 3}


def test_an_answer_that_takes_too_long_is_given_up(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    client = Client(endpoint.base_url, timeout=2, retries=0)
    assert predict(str(built), Questions("asleep", limit=3), client, tmp_path / "out.jsonl").asked == {"timeout": 3}


def test_nothing_is_written_where_nothing_answers(built: Path, tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match=r"Nothing answers at http://127.0.0.1:9/v1 .*--base-url"):
        predict(str(built), Questions("good"), Client("http://127.0.0.1:9/v1"), tmp_path / "out.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_refused_key_is_told_without_the_key(
    built: Path, endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "wrong-key")
    with pytest.raises(SARChatError, match="refuses the key: set OPENAI_API_KEY") as error:
        predict(str(built), Questions("good"), Client(endpoint.base_url), tmp_path / "out.jsonl")
    assert "wrong-key" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_key_that_the_endpoint_repeats_is_not_written(built: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert predict(str(built), Questions("echo", limit=2), Client(endpoint.base_url), out).asked == {"refused": 2}
    assert "I do not like Bearer [key]" in out.read_text()
    assert KEY not in out.read_text()


def test_an_image_that_cannot_be_read_costs_its_own_records_only(endpoint: Endpoint, tmp_path: Path) -> None:
    images = [Image.effect_noise((32, 32), 50), None]
    stored = []
    for image in images:
        data = io.BytesIO()
        if image:
            image.save(data, "BMP")
        stored.append({"bytes": data.getvalue() or b"this is no image", "path": None})
    records = pa.table(
        {
            "id": ["a", "b", "c"],
            "image": [stored[0], stored[1], stored[1]],
            "image_id": [0, 1, 1],
            "width": [32] * 3,
            "height": [32] * 3,
            "subset": ["counting"] * 3,
            "question": ["[count] 1", "[count] 2", "[count] 3"],
            "answer": ["There is 1 instance."] * 3,
        }
    )
    pq.write_table(records, tmp_path / "test.parquet")
    readme = "---\nconfigs:\n- config_name: counting\n  data_files:\n  - split: test\n    path: test.parquet\n---\n"
    (tmp_path / "README.md").write_text(readme)
    out = tmp_path / "out.jsonl"
    outcome = predict(str(tmp_path), Questions("good", config="counting"), Client(endpoint.base_url), out)
    kinds = {line["id"]: line["error"] for line in lines_of(out)[1:]}
    assert kinds == {"a": "refused", "b": "image", "c": "image"}  # the endpoint does not know a's image
    assert outcome.converted == 1
    assert "sent as PNG" in outcome.notes[-1]


@pytest.mark.parametrize(
    ("questions", "client", "told"),
    [
        ({"config": "images"}, {}, 'no config "images" with questions'),
        ({"split": "val"}, {}, 'no split "val": take one of train, validation, test'),
        ({"sample": 0}, {}, "--sample must be at least 1"),
        ({"generation": {"stream": True}}, {}, '"stream" is no option'),
        ({}, {"base_url": "localhost:8000"}, "begins with http"),
        ({}, {"base_url": f"http://me:{KEY}@localhost/v1"}, "OPENAI_API_KEY instead"),
        ({}, {"concurrency": 0}, "--concurrency must be at least 1"),
    ],
)
def test_wrong_options_are_told(
    built: Path, tmp_path: Path, questions: dict[str, Any], client: dict[str, Any], told: str
) -> None:
    with pytest.raises(SARChatError) as error:
        predict(
            str(built),
            Questions(**{"model": "good", **questions}),
            Client(**{"base_url": "http://127.0.0.1:9/v1", **client}),
            tmp_path / "out.jsonl",
        )
    assert told in str(error.value)
    assert KEY not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_dataset_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SARChatError, match=r"There is no dataset at .*nowhere"):
        Dataset(str(tmp_path / "nowhere"))
