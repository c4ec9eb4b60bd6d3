"""Prediction files of every kind that is about, read into one form: `Run`.

    kind        written by                        a record's line
    sarchat2m   `sarchat2m predict`, or by hand   {"id", "subset", "prediction" or "error", "reference", ...}
    ms-swift    `swift infer --result_path`       {"response", "labels", "messages", "images", ...}
    lmms-eval   `lmms-eval --log_samples`         {"filtered_resps", "target", "score" or "doc", ...}

What a line does not say itself (the subset, the reference, the size of the image) is looked up: in the name of its
file, in reference files such as the authors' nine (`SARChat_classify_count_test.json` ...), or in a dataset.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from sarchat2m.errors import SARChatError
from sarchat2m.vocabulary import IDENTIFIERS, SUBSETS, SUBSETS_OF_TASK

__all__ = ["Answer", "Run", "read_run", "subset_of_file"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One record of a prediction file, with what is known of it."""

    prediction: str
    """The empty text where there is no answer."""
    id: str | None = None
    subset: str | None = None
    question: str | None = None
    image: str | None = None
    """The name of the image's file, without its folders."""
    reference: str | None = None
    image_size: tuple[int, int] | None = None
    """Width and height in pixels."""
    error: str | None = None
    """Why there is no answer, or only a part of one: a key of `predict.ERROR_KINDS`."""


@dataclass
class Run:
    """One model's answers, ready to be scored: every record has a subset and a reference."""

    name: str
    answers: list[Answer]
    kind: str
    header: dict[str, Any] | None = None
    """Of `sarchat2m predict`: what was asked, of whom and how."""
    categories: Sequence[str] | None = None
    """Of the dataset, in canonical order, where the header or the dataset says them."""
    notes: list[str] = field(default_factory=list)
    """Sentences for the user about what was found."""

    @property
    def subsets(self) -> list[str]:
        """The subset of every record."""
        return [answer.subset or "" for answer in self.answers]

    @property
    def predictions(self) -> list[str]:
        """The model's text for every record."""
        return [answer.prediction for answer in self.answers]

    @property
    def references(self) -> list[str]:
        """The right answer of every record."""
        return [answer.reference or "" for answer in self.answers]

    @property
    def questions(self) -> list[str] | None:
        """The question of every record, or None if one is missing."""
        questions = [answer.question for answer in self.answers if answer.question is not None]
        return questions if len(questions) == len(self.answers) else None

    @property
    def image_sizes(self) -> list[tuple[int, int]] | None:
        """Width and height of every record's image, or None if one is missing."""
        sizes = [answer.image_size for answer in self.answers if answer.image_size is not None]
        return sizes if len(sizes) == len(self.answers) else None

    @property
    def errors(self) -> Counter[str]:
        """How many records have no answer or only a part of one, by the kind of error."""
        return Counter(answer.error for answer in self.answers if answer.error)


def read_run(
    path: Path,
    name: str | None = None,
    *,
    references: Sequence[Path] = (),
    dataset: str | None = None,
    split: str = "test",
) -> Run:
    """Read a prediction file, or a folder of them as one run (such as lmms-eval's, one for each subset).

    `references` are files of messages and images, or folders of them, that say what is right where the predictions do
    not; `dataset` (a built folder, a repository of the Hub, or "sarchat2m") does the same.

    Raises `SARChatError` if a file cannot be read, if a record's subset or reference is found nowhere, or if the
    predictions are of another dataset.
    """
    files = _files_in(path)
    answers: list[Answer] = []
    kinds: set[str] = set()
    header: dict[str, Any] | None = None
    for file in files:
        entries = _entries(file)
        kind = _kind_of(entries)
        if kind is None:
            if path.is_dir():
                continue
            raise SARChatError(_WHAT_IT_IS_NOT.format(file))
        kinds.add(kind)
        header = header or _header_of(file, entries)
        read = _READERS[kind]
        of_file = subset_of_file(file.name)
        for number, entry in enumerate(entries, 1):
            if "header" in entry:
                continue
            try:
                answer = read(entry)
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise SARChatError(f"Record {number} of {file} cannot be read as {kind}'s: {error!r}.") from error
            answers.append(answer if answer.subset else replace(answer, subset=of_file))
    if not answers:
        raise SARChatError(f"There are no predictions in {path}.")
    run = Run(name or _name_of(path, header), _latest(answers), ", ".join(sorted(kinds)), header)
    run.categories = (header or {}).get("categories")
    if references:
        _fill(run, _KnownFromFiles(references))
    if dataset:
        known = _KnownFromDataset(dataset, split)
        known.check(run, path)
        _fill(run, known)
        run.categories = run.categories or known.categories
    _tell_subsets_apart(run)
    _check(run, path, f"{dataset} ({split})" if dataset else None)
    return run


# Files


_WHAT_IT_IS_NOT = (
    "{} holds no predictions: each line or element needs a text under prediction (with id, subset and reference), "
    "response (ms-swift) or filtered_resps (lmms-eval). Files of right answers go behind --references."
)


def _files_in(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix in (".json", ".jsonl"))
        # lmms-eval puts its own figures beside the answers.
        return [file for file in found if not file.name.endswith("_results.json")]
    if not path.is_file():
        raise SARChatError(f"There is no file {path}.")
    return [path]


def _entries(file: Path) -> list[dict[str, Any]]:
    """Read the objects of a JSON list or of JSON lines; a last line that was cut off is not one of them."""
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SARChatError(f"{file} is no text, but predictions are JSON lines: {error}.") from error
    if text.lstrip()[:1] == "[":
        try:
            listed = json.loads(text)
        except ValueError as error:
            raise SARChatError(f"{file} is no valid JSON: {error}.") from error
    else:
        listed = []
        lines = text.split("\n")
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                listed.append(json.loads(line))
            except ValueError as error:
                if number == len(lines):  # the writer was stopped in the middle of it
                    break
                raise SARChatError(f"{file}, line {number}, is no valid JSON: {error}.") from error
    entries: list[dict[str, Any]] = [entry for entry in listed if isinstance(entry, dict)]
    if len(entries) < len(listed):
        raise SARChatError(f"{file} holds something else than records, each an object of names and values.")
    return entries


def _header_of(file: Path, entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    header = entries[0].get("header")
    if header is None or (isinstance(header, dict) and isinstance(header.get("records"), int) and "model" in header):
        return header
    raise SARChatError(f"The header of {file} is not as `sarchat2m predict` writes it: mend that line, or remove it.")


def _kind_of(entries: list[dict[str, Any]]) -> str | None:
    sample = next((entry for entry in entries if "header" not in entry), {})
    if "filtered_resps" in sample:
        return "lmms-eval"
    if "response" in sample:
        return "ms-swift"
    if "prediction" in sample or "error" in sample:
        return "sarchat2m"
    return None


def _name_of(path: Path, header: dict[str, Any] | None) -> str:
    return str(header["model"]).rstrip("/").rpartition("/")[2] if header else path.stem


_TASK_IN_NAME = (
    ("count", "counting"),
    ("ground", "grounding"),
    ("identif", "identification"),
    ("refer", "referring"),
    ("descri", "description"),
    ("classif", "classification"),
)


def subset_of_file(name: str) -> str | None:
    """Tell the subset from a file's name: the authors', an lmms-eval task's, or one with a subset's name in it.

    The authors' names all begin with "SARChat_classify", so classification is what is left in the end.

    >>> subset_of_file("SARChat_classify_refer_multi_test.json"), subset_of_file("SARChat_classify_test.json")
    ('referring_multi', 'classification')
    >>> subset_of_file("20260101_samples_sarchat_bench_identification_single.jsonl"), subset_of_file("out.jsonl")
    ('identification_single', None)
    """
    name = Path(name).name.lower()
    task = next((task for part, task in _TASK_IN_NAME if part in name), None)
    if task is None:
        return None
    subsets = SUBSETS_OF_TASK[task]
    if len(subsets) == 1:
        return subsets[0]
    return next((subset for subset in subsets if subset.rpartition("_")[2] in name), None)


# Lines


def _ours(entry: dict[str, Any]) -> Answer:
    size = entry.get("image_size")
    error = entry.get("error")
    prediction = entry.get("partial", "") if error else entry["prediction"]
    return Answer(
        prediction=_text(prediction),
        id=_id(entry.get("id")),
        subset=_subset(entry.get("subset")),
        question=entry.get("question"),
        reference=entry.get("reference", entry.get("answer")),
        image_size=(int(size[0]), int(size[1])) if size else None,
        error=error,
    )


def _ms_swift(entry: dict[str, Any]) -> Answer:
    question, _ = _conversation(entry)
    return Answer(
        prediction=_text(entry["response"]),
        id=_id(entry.get("id")),
        subset=subset_of_file(str(entry.get("dataset") or "")),  # the name of the file that was asked
        question=question,
        image=_image_name(entry),
        reference=entry.get("labels"),
    )


def _lmms_eval(entry: dict[str, Any]) -> Answer:
    # What a task logs beside the answer is its own choice: ours logs `score`, others the dataset's whole row as `doc`.
    logged = [entry.get(name) for name in ("doc", "score")]
    record = {name: value for part in logged if isinstance(part, dict) for name, value in part.items()}
    response = entry["filtered_resps"]
    while isinstance(response, list):
        response = response[0]
    size = (record.get("width"), record.get("height"))
    return Answer(
        prediction=_text(response),
        id=_id(record.get("id")),
        subset=_subset(record.get("subset")),
        question=record.get("question", entry.get("input")),
        reference=record.get("reference", record.get("answer", entry.get("target"))),
        image_size=(int(size[0]), int(size[1])) if size[0] and size[1] else None,
    )


_READERS: dict[str, Callable[[dict[str, Any]], Answer]] = {
    "sarchat2m": _ours,
    "ms-swift": _ms_swift,
    "lmms-eval": _lmms_eval,
}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _id(value: Any) -> str | None:
    return None if value is None else str(value)


def _subset(value: Any) -> str | None:
    return value if value in SUBSETS else None


def _content(message: dict[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, list):
        content = "".join(part.get("text", "") for part in content if part.get("type", "text") == "text")
    return str(content).replace("<image>", "").strip()


def _conversation(entry: dict[str, Any]) -> tuple[str | None, str | None]:
    """Give the last question of a list of messages, and the answer behind it if there is one."""
    messages = entry.get("messages") or []
    asked = [place for place, message in enumerate(messages) if message.get("role") == "user"]
    if not asked:
        return None, None
    answer = messages[asked[-1] + 1] if asked[-1] + 1 < len(messages) else None
    return _content(messages[asked[-1]]), answer and _content(answer)


def _image_name(entry: dict[str, Any]) -> str | None:
    images = entry.get("images") or []
    images = images if isinstance(images, list) else [images]
    first = images[0] if images else None
    path = first.get("path") if isinstance(first, dict) else first
    return Path(str(path)).name if path else None


def _latest(answers: list[Answer]) -> list[Answer]:
    """Keep the last answer of every id: a record that went wrong stands there again when it was asked again."""
    by_id = {answer.id if answer.id is not None else number: answer for number, answer in enumerate(answers)}
    return list(by_id.values())


# What a line does not say


class _Known(NamedTuple):
    subset: str | None
    reference: str
    image_size: tuple[int, int] | None = None
    question: str | None = None
    id: str | None = None


class _KnownFromFiles:
    """The authors' nine files, or others of messages and images: a record is known by its image and question."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._known: dict[tuple[str | None, str], _Known] = {}
        for file in (file for path in paths for file in _files_in(path)):
            subset = subset_of_file(file.name)
            for entry in _entries(file):
                question, reference = _conversation(entry)
                reference = entry.get("labels") or reference
                if question is None or not reference:
                    raise SARChatError(
                        f"{file} is no file of right answers: it has no messages of question and answer."
                    )
                known = _Known(subset, str(reference), question=question)
                self._known[_image_name(entry), question] = known

    def of(self, answer: Answer) -> _Known | None:
        """Find a record, or None."""
        return self._known.get((answer.image, answer.question or ""))


class _KnownFromDataset:
    """A dataset: a record is known by its id, or else by its question, reference and, of several such, its image."""

    def __init__(self, dataset: str, split: str) -> None:
        from sarchat2m.reading import Dataset

        self._name = f"{dataset} ({split})"
        self._by_id: dict[str, _Known] = {}
        self._by_text: dict[tuple[str, str | None], list[tuple[str, _Known]]] = {}
        records = Dataset(dataset, "all", split)
        self.categories = records.categories
        for row in records.texts().to_pylist():
            size = (row["width"], row["height"])
            known = _Known(row["subset"], row["answer"], size, row["question"], row["id"])
            self._by_id[row["id"]] = known
            for reference in (row["answer"], None):
                self._by_text.setdefault((row["question"], reference), []).append((str(row["image_id"]), known))

    def check(self, run: Run, path: Path) -> None:
        """Raise `SARChatError` if a record has another right answer here than in the run: it is of other images."""
        for answer in run.answers:
            known = self._by_id.get(answer.id or "")
            if known and answer.reference is not None and answer.reference != known.reference:
                raise SARChatError(
                    f"{path} is of another dataset than {self._name}, where {answer.id} has another right answer: "
                    "give the dataset that was asked, or none to score by the answers in the file."
                )

    def of(self, answer: Answer) -> _Known | None:
        """Find a record, or None."""
        if answer.id is not None and answer.id in self._by_id:
            return self._by_id[answer.id]
        candidates = self._by_text.get((answer.question or "", answer.reference), [])
        of_image = [known for image_id, known in candidates if answer.image and image_id == Path(answer.image).stem]
        found = of_image or [known for _, known in candidates]
        if len({(known.subset, known.reference) for known in found}) != 1:
            return None
        # Of several images with the same question and answer it is not known which one this is.
        return found[0] if len(found) == 1 else found[0]._replace(image_size=None, id=None)


def _fill(run: Run, source: _KnownFromFiles | _KnownFromDataset) -> None:
    for number, answer in enumerate(run.answers):
        if (known := source.of(answer)) is None:
            continue
        run.answers[number] = replace(
            answer,
            id=answer.id or known.id,
            subset=known.subset or answer.subset,
            question=answer.question or known.question,
            reference=answer.reference if answer.reference is not None else known.reference,
            image_size=answer.image_size or known.image_size,
        )


_BOX = re.compile(r"\{\s*<\d+>\s*<\d+>\s*<\d+>\s*<\d+>\s*\}")
_CANDIDATES = re.compile(r"\w, \w[\w ]*, \w")


def _task_of_question(question: str) -> str:
    for task, identifier in IDENTIFIERS.items():
        if question.startswith(identifier):
            return task
    return "classification" if _CANDIDATES.search(question) else "description"


def _tell_subsets_apart(run: Run) -> None:
    """Find the subsets that nothing has said yet: the task by the question, one target or more by the boxes.

    An image is about one target if all its records of this run name one box together.
    """
    open_ones = [n for n, answer in enumerate(run.answers) if answer.subset is None and answer.question is not None]
    if not open_ones:
        return
    boxes: dict[str | None, set[str]] = {}
    for answer in run.answers:
        boxes.setdefault(answer.image, set()).update(_BOX.findall(f"{answer.question} {answer.reference}"))
    for number in open_ones:
        answer = run.answers[number]
        task = _task_of_question(answer.question or "")
        scene = "single" if len(boxes[answer.image]) == 1 else "multi"
        subset = task if len(SUBSETS_OF_TASK[task]) == 1 else f"{task}_{scene}"
        run.answers[number] = replace(answer, subset=subset)
    run.notes.append(
        f"{run.name}: single and multi were told apart by the boxes that the file names for each image, "
        "which holds if the file is whole; a dataset (--dataset) knows for certain."
    )


def _check(run: Run, path: Path, dataset: str | None) -> None:
    for what in ("subset", "reference"):
        missing = [answer for answer in run.answers if getattr(answer, what) is None]
        if not missing:
            continue
        told = f"{len(missing):,} of {len(run.answers):,} records in {path} have no {what}"
        if dataset:
            told += f", and {dataset} does not have them either, such as {missing[0].id or missing[0].question}"
        raise SARChatError(
            f"{told}: give the dataset that they are of (--dataset, --split), or files of right answers (--references)."
        )
    if run.header and (left := run.header["records"] - len(run.answers)) > 0:
        run.notes.append(f"{run.name}: {left:,} of {run.header['records']:,} records have not been asked yet.")
    if run.errors:
        counted = ", ".join(f"{count:,} {kind}" for kind, count in run.errors.most_common())
        run.notes.append(
            f"{run.name}: {sum(run.errors.values()):,} records have no answer, or a cut-off one, "
            f"and are scored as empty or cut off ({counted}); running predict again asks them again."
        )
