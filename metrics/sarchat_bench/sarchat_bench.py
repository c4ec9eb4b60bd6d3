"""SARChat-Bench: the score of a vision-language model on SARChat-2M, as an `evaluate` metric.

Predictions and references are plain text. The result is a flat dict: a percentage for each column of the paper's
Table 3, figures beside them, a score for each task, and `overall`. README.md has worked examples.

    texts ──► reading.py ──► scoring.py ──► figures              lexicon.py     the words of answers
              (boxes.py)     (matching.py)  (resampling.py)      explaining.py  what was read, for people

`evaluate.load` copies only the modules that this file itself names: that is why it imports every one of them.
"""

import math
import numbers
import warnings

import datasets
import evaluate
import numpy as np

from .boxes import parse_format
from .explaining import Explainer
from .lexicon import CATEGORIES, Lexicon
from .matching import match_boxes
from .reading import Reader
from .resampling import intervals, p_values
from .scoring import SUBSETS, figures, judge, overall_score, records_of, sums_of

__version__ = "1.0.0"
__all__ = ["Reader", "SarchatBench", "match_boxes"]

FEW_ABSTRACT_PAIRS = 30
"""Under that many reference pairs, the result warns that grounding_abstract rests on few."""

_DESCRIPTION = """\
SARChat-Bench scores a vision-language model on the six tasks of SARChat-2M (classification, fine-grained description,
instance counting, spatial grounding, cross-modal identification, referring) from its answers in plain text.
"""

_CITATION = """\
@article{sarchat2m,
  title   = {{SARChat-Bench-2M}: A Multi-Task Vision-Language Benchmark for {SAR} Image Interpretation},
  author  = {Ma, Zhiming and Xiao, Xiayang and Dong, Sihao and Wang, Peidong and Wang, HaiPeng and Pan, Qingyun},
  journal = {arXiv preprint arXiv:2502.08168},
  year    = {2025},
}
"""

_INPUTS = """
Args:
    predictions: the model's answers, a list of strings. None and NaN count as an empty answer, a number as its text.
    references: the dataset's answers, a list of strings.
    subsets: the subset of every record, a list of strings such as "referring_single". Not needed, and not taken by
        `add` and `add_batch`, where the metric was loaded for one subset:
        `evaluate.load("metrics/sarchat_bench", "referring_single")`.

    Only in `compute`:
    box_format: how the predictions write boxes: "paper" for `{<x1><y1><x2><y2>}`, "box" (InternVL, Qwen-VL),
        "box_start" (Qwen2-VL), "bbox_2d" (Qwen2.5-VL), "det" (DeepSeek-VL2), "list" for `[x1, y1, x2, y2]`; with
        "/pixels", "/1", "/100" or "/1000" behind it where the coordinates are not counted as that family does.
        "auto", the default, decides once for the whole run; the result says how, under `box_format`.
    image_sizes: (width, height) in pixels of every record's image, a list; needed for relative coordinates.
    vocabulary: the category names in canonical order, where they are not SARDet-100K's six.
    detail: "category" adds every column for each category, as "<column>/<category>".
    questions: the dataset's questions, a list of strings; `detail` takes from them which category a counting or
        referring record asks for.
    confidence: 0.95 adds "<key>_interval", (low, high), for every figure: a percentile bootstrap over records.
    samples, seed: of the bootstrap; 1000 and 0 by default.
    per_record: True adds `records`, a list of dicts: what was read from every text, how it was judged, and for every
        reference box the IoU of the predicted box that comes closest.

Returns:
    A flat dict. Percentages, None where nothing was there to count: the columns of Table 3 (counting, counting_iou25,
    …), the figures beside them (identification_multi_size, …), "<task>_score", "<task>_records", "<task>_unreadable"
    (a share between 0 and 1), "overall" (the mean over the tasks that have records, weighted by these); then
    `grounding_abstract_pairs`, `box_format`, `warnings` (a list of sentences) and `signature`.
"""


@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _INPUTS)
class SarchatBench(evaluate.Metric):
    """The metric: `compute`, `add` and `add_batch` as in every metric, `compare` and `overall_score` beside them."""

    def _info(self):
        if self.config_name not in ("default", *SUBSETS):
            raise ValueError(
                f"sarchat_bench has no configuration {self.config_name!r}: leave it out to score all subsets together, "
                f"or use one of {', '.join(SUBSETS)}."
            )
        columns = ["predictions", "references"] + ["subsets"] * (self.config_name == "default")
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS,
            features=datasets.Features({column: datasets.Value("string") for column in columns}),
            homepage="https://arxiv.org/abs/2502.08168",
        )

    def compute(self, *, predictions=None, references=None, subsets=None, **options):
        """Score all records given here or added before.

        Raises ValueError, in one sentence, for columns that are missing or differ in length, for a subset that does not
        exist, for a reference that cannot be read, and for an option that makes no sense. A prediction never raises.
        """
        if predictions is None and references is None and subsets is None:
            return super().compute(**options)
        columns = self._columns(predictions, references, subsets)
        if self.num_process > 1 or len(self):
            return super().compute(**columns, **options)
        # Nothing was added before, so there is nothing to fetch from evaluate's file: the lists are scored as they are.
        return self._compute(**columns, **options)

    def add_batch(self, *, predictions=None, references=None, subsets=None):
        """Add records to be scored by `compute`."""
        columns = self._columns(predictions, references, subsets)
        super().add_batch(**{name: _storable(column) for name, column in columns.items()})

    def add(self, *, prediction=None, reference=None, subset=None, subsets=None):
        """Add one record to be scored by `compute`."""
        subset = subset if subsets is None else subsets
        columns = self._columns([prediction], [reference], None if subset is None else [subset])
        names = {"predictions": "prediction", "references": "reference"}
        super().add(**{names.get(name, name): _storable(column)[0] for name, column in columns.items()})

    def compare(self, predictions_a, predictions_b, *, references, subsets=None, samples=1000, seed=0, **options):
        """Compare two models over the same records.

        Takes what `compute` takes besides. Returns a dict that has for every figure a dict of "a", "b", "difference"
        (a - b, in points) and "p_value", from a two-sided paired bootstrap test (see `resampling.p_values`), all None
        where there is nothing to compare; and `signature`.
        """
        runs = [
            self._run(**self._columns(predictions, references, subsets), **options)
            for predictions in (predictions_a, predictions_b)
        ]
        a, b = (run.figures for run in runs)
        differences = {key: None if a[key] is None or b[key] is None else a[key] - b[key] for key in a}
        first, second = runs
        values = p_values(
            first.subsets, first.verdict.subsets, second.verdict.subsets, first.records, differences, samples, seed
        )
        result = {
            key: {"a": a[key], "b": b[key], "difference": differences[key], "p_value": values[key]}
            for key in differences
        }
        result["signature"] = f"{first.signature}|test:paired-bootstrap|samples:{samples}|seed:{seed}"
        return result

    @staticmethod
    def overall_score(columns, counts):
        """Give the overall score (Eq. 4 and 5) in percent from published columns and the records of each task.

        columns: percentages by the names of Table 3's columns here, such as {"counting": 74.14, …}.
        counts: the number of records by task, such as {"counting": 11704, …}.
        """
        return overall_score(columns, counts)

    def _columns(self, predictions, references, subsets):
        """Check the columns and make lists of strings of them; raises ValueError if they do not fit together."""
        given = {"predictions": predictions, "references": references}
        if self.config_name == "default":
            given["subsets"] = subsets
            if subsets is None:
                raise ValueError(
                    "subsets is missing: pass the subset of every record, such as subsets=test['subset'], or load the "
                    "metric for one subset, such as evaluate.load('metrics/sarchat_bench', 'referring_single')."
                )
        for name, column in given.items():
            if column is None:
                raise ValueError(f"{name} is missing: pass a list of strings, one for each record.")
            if isinstance(column, (str, bytes)):
                raise ValueError(f"{name} is one string: pass a list of strings, one for each record.")
        given = {name: list(column) for name, column in given.items()}
        lengths = {name: len(column) for name, column in given.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{length} {name}" for name, length in lengths.items())
            raise ValueError(f"The columns differ in length: {told}; pass one of each for every record.")
        given["predictions"] = _as_texts(given["predictions"])
        _check_strings("references", given["references"])
        allowed = set(SUBSETS) if self.config_name == "default" else {self.config_name}
        if subsets is not None:
            subsets = list(subsets)
            if not allowed.issuperset(_hashable(subsets)):
                index = next(i for i, subset in enumerate(subsets) if not _is_one_of(subset, allowed))
                raise ValueError(
                    f"The subset {subsets[index]!r} at index {index} is unknown: use {', '.join(sorted(allowed))}."
                )
        return given

    def _compute(
        self,
        predictions,
        references,
        subsets=None,
        confidence=None,
        samples=1000,
        seed=0,
        per_record=False,
        **options,
    ):
        if confidence is not None and not 0 < confidence < 1:
            raise ValueError(f"confidence is {confidence!r}: pass a number between 0 and 1, such as 0.95.")
        run = self._run(predictions, references, subsets, **options)
        result = dict(run.figures)
        for task, (records, unreadable) in run.counts.items():
            if f"{task}_score" in result:
                result[f"{task}_records"] = records
                result[f"{task}_unreadable"] = unreadable / records if records else None
        if confidence is not None:
            bounds = intervals(run.subsets, run.verdict.subsets, run.records, confidence, samples, seed)
            result.update({f"{key}_interval": interval for key, interval in bounds.items()})
        abstract = sum(part.abstract_pairs for part in run.verdict.subsets.values())
        if any(subset.startswith("grounding") for subset in run.subsets):
            result["grounding_abstract_pairs"] = abstract
        told = list(run.verdict.warnings)
        if 0 < abstract < FEW_ABSTRACT_PAIRS:
            told.append(
                f"grounding_abstract rests on {abstract} pair{'s' * (abstract > 1)} of the references only, and weighs "
                "as much in its task as columns that rest on all records."
            )
        told += run.warnings
        for sentence in told:
            warnings.warn(sentence, stacklevel=4)
        result["box_format"] = run.verdict.box_format
        result["warnings"] = told
        result["signature"] = run.signature + (
            f"|confidence:{confidence}|samples:{samples}|seed:{seed}" if confidence is not None else ""
        )
        if per_record:
            explainer = Explainer(run.lexicon, run.verdict.box_format)
            result["records"] = explainer.records(run.verdict, predictions, references)
        return result

    def _run(self, predictions, references, subsets=None, **options):
        return _Run(self.config_name, predictions, references, subsets, **options)


class _Run:
    """One scoring of a set of records: what was judged, and the figures of it."""

    def __init__(
        self,
        config_name,
        predictions,
        references,
        subsets,
        box_format="auto",
        image_sizes=None,
        vocabulary=None,
        detail=None,
        questions=None,
    ):
        if detail not in (None, "category"):
            raise ValueError(f"detail is {detail!r}: pass 'category', or leave it out.")
        asked = parse_format(box_format)
        sizes = _sizes(image_sizes, len(predictions))
        if sizes is None and asked[1] not in (None, "pixels"):
            raise ValueError(
                f"box_format {box_format!r} is relative to the image: pass image_sizes, (width, height) for every "
                f"record, or '{asked[0]}/pixels' if the model writes pixels."
            )
        self.lexicon = Lexicon(CATEGORIES if vocabulary is None else vocabulary)
        self.subsets = SUBSETS if config_name == "default" else (config_name,)
        positions = _positions(subsets if config_name == "default" else [config_name] * len(predictions))
        self.warnings = []
        categories = self._asked_for(questions, len(predictions), positions) if detail else None
        self.verdict = judge(
            predictions, references, positions, self.lexicon, asked, sizes, categories, detail is not None
        )
        self.counts = records_of(self.verdict.subsets)
        self.records = {task: records for task, (records, _) in self.counts.items()}
        values = figures(self.subsets, sums_of(self.verdict.subsets), self.records)
        self.figures = {key: None if np.isnan(value[0]) else float(value[0]) for key, value in values.items()}
        counted = ",".join(f"{subset}={len(part.positions)}" for subset, part in self.verdict.subsets.items())
        self.signature = "|".join(
            [
                f"sarchat_bench:{__version__}",
                f"boxes:{self.verdict.box_format}{'(auto)' if box_format == 'auto' else ''}",
                f"sizes:{'given' if sizes is not None else 'none'}",
                f"vocabulary:{','.join(self.lexicon.names)}",
                f"records:{counted or 'none'}",
            ]
        )

    def _asked_for(self, questions, records, positions):
        """Find the category that every counting and referring record asks for, -1 where it is not known."""
        asked = np.full(records, -1)
        about = [p for subset in positions if subset.startswith(("counting", "referring")) for p in positions[subset]]
        if questions is None:
            if about:
                self.warnings.append(
                    "detail: the answers of counting and referring do not say which category they are about; pass "
                    "questions to have these columns by category."
                )
            return None
        questions = list(questions)
        if len(questions) != records:
            raise ValueError(f"There are {len(questions)} questions for {records} records: pass one for each.")
        reader = Reader(self.lexicon, None)
        for position in about:
            asked[position] = reader.category_asked_for(str(questions[position]))
        return asked


def _positions(subsets):
    """Give for each subset that occurs the positions of its records, an integer array."""
    number = {subset: position for position, subset in enumerate(SUBSETS)}
    which = np.fromiter(map(number.__getitem__, subsets), np.int8, len(subsets))
    return {subset: np.flatnonzero(which == k) for subset, k in number.items() if (which == k).any()}


def _sizes(image_sizes, records):
    """Make an array (records, 2) of the images' widths and heights; raises ValueError if it cannot be one."""
    if image_sizes is None:
        return None
    sizes = list(image_sizes)
    if len(sizes) != records:
        raise ValueError(f"There are {len(sizes)} image_sizes for {records} records: pass (width, height) for each.")
    for index, size in enumerate(sizes):
        try:
            width, height = size
            fine = 0 < width < math.inf and 0 < height < math.inf
        except (TypeError, ValueError):
            fine = False
        if not fine:
            raise ValueError(f"image_sizes at index {index} is {size!r}: pass (width, height) in pixels.")
    return np.array(sizes, dtype=np.float64).reshape(-1, 2)


def _as_texts(predictions):
    """Make strings of predictions: None and NaN are empty answers, numbers their text; others raise ValueError."""
    if set(map(type, predictions)) <= {str}:
        return predictions
    texts = []
    for index, prediction in enumerate(predictions):
        if isinstance(prediction, str):
            texts.append(str(prediction))
        elif prediction is None or (isinstance(prediction, numbers.Real) and math.isnan(prediction)):
            texts.append("")
        elif isinstance(prediction, numbers.Real):
            texts.append(str(prediction))
        else:
            raise ValueError(
                f"The prediction at index {index} is a {type(prediction).__name__}, not a text: "
                "pass the model's answers as strings."
            )
    return texts


def _check_strings(name, column):
    """Raise ValueError for the first reference that is no string."""
    if not set(map(type, column)) <= {str}:
        for index, text in enumerate(column):
            if not isinstance(text, str):
                raise ValueError(f"{name} at index {index} is a {type(text).__name__}, not a text: pass strings.")


def _is_one_of(subset, allowed):
    return isinstance(subset, str) and subset in allowed


def _hashable(column):
    """Give the different values of a column, with their type where they are no strings."""
    return {value if isinstance(value, str) else type(value) for value in column}


def _storable(texts):
    """Replace what Arrow cannot store: surrogates without a partner."""
    if all(map(str.isascii, texts)):
        return texts
    return [text.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for text in texts]
