"""What the page says of a result, as HTML: notices, the figures in brief, and each record with why it was judged so.

Answers are text of strangers: all of it is escaped, and cut where it is longer than a person would read.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import ceil

from page_leaderboard import TASKS, TEST_RECORDS
from page_scoring import Record, Scored

PAGE_SIZE = 20
MOST_CHARACTERS = 1200


def problem_html(sentence: str) -> str:
    """Give the notice that says what is wrong with a visitor's file."""
    return f"<div class='notice problem' role='alert'>{escape(sentence)}</div>"


def working_html(sentence: str) -> str:
    """Give the notice that says what the page is doing, with a bar that moves."""
    return f"<div class='notice note' role='status'>{escape(sentence)}<div class='bar'></div></div>"


def notices_html(scored: Scored) -> str:
    """Give what the visitor should know before comparing figures: the metric's warnings, and what is missing."""
    warnings = "".join(f"<div class='notice warning'>{escape(text)}</div>" for text in scored.warnings)
    notes = "".join(f"<div class='notice note'>{escape(text)}</div>" for text in [*scored.notes, *_coverage(scored)])
    return warnings + notes


def summary_html(scored: Scored) -> str:
    """Give the overall score, the number of records, the share of unreadable answers and the metric's signature."""
    unreadable = sum(record.verdict == "unreadable" for record in scored.records) / len(scored.records)
    overall = scored.scores.get("overall")
    boxes = (
        ("Average score", "–" if overall is None else f"{overall:.2f}", " class='first'"),
        ("Records", f"{len(scored.records):,}", ""),
        ("Unreadable answers", f"{unreadable:.1%}", ""),
    )
    cells = "".join(f"<div{style}><span>{name}</span><strong>{value}</strong></div>" for name, value, style in boxes)
    return f"<div class='summary'>{cells}</div><p class='signature'>{escape(scored.scores['signature'])}</p>"


def select(records: Sequence[Record], subset: str, verdict: str) -> list[Record]:
    """Give the records of a subset and a verdict; "all" takes every one, "not right" every other verdict than right."""
    return [
        record
        for record in records
        if subset in ("all", record.subset)
        and (verdict in ("all", record.verdict) or (verdict == "not right" and record.verdict != "right"))
    ]


def pages(records: Sequence[Record]) -> int:
    """Give the number of pages that hold the records; an empty list still has one page."""
    return max(1, ceil(len(records) / PAGE_SIZE))


def records_html(records: Sequence[Record], page: int) -> str:
    """Show one page of records, counted from 1."""
    if not records:
        return "<p class='hint'>No record is of this subset and judged so.</p>"
    first = (page - 1) * PAGE_SIZE
    shown = records[first : first + PAGE_SIZE]
    count = f"<p class='hint'>Records {first + 1:,} to {first + len(shown):,} of {len(records):,}</p>"
    return count + "".join(_record(record) for record in shown)


def _record(record: Record) -> str:
    counts = "".join(f"<li>{_count(column, *counts)}</li>" for column, counts in record.counts.items() if any(counts))
    return (
        f"<article class='record {record.verdict.replace(' ', '-')}'><header>"
        f"<span class='verdict'>{record.verdict}</span>"
        f"<code>{escape(record.id)}</code><span class='subset'>{escape(record.subset)}</span></header>"
        "<div class='sides'>"
        + _side("Prediction", record.prediction, record.prediction_read)
        + _side("Reference", record.reference, record.reference_read)
        + f"</div><ul class='counts'>{counts}</ul></article>"
    )


def _count(column: str, right: int, too_many: int, missing: int) -> str:
    """Say what a record adds to a column: TP are right, FP too many, FN missing."""
    parts = ((right, "right"), (too_many, "wrong"), (missing, "missing"))
    told = ", ".join(f"{number} {word}" for number, word in parts if number)
    fault = " class='fault'" if too_many or missing else ""
    return f"<code>{escape(column)}</code> <span{fault}>{told}</span>"


def _side(name: str, text: str | None, read: str) -> str:
    said = _cut(text) if text else "<em>no text</em>"
    return f"<div><h4>{name}</h4><p>{said}</p><p class='read'>Read as: {_cut(read)}</p></div>"


def _cut(text: str) -> str:
    left = len(text) - MOST_CHARACTERS
    return escape(text) if left <= 0 else f"{escape(text[:MOST_CHARACTERS])}… <em>({left:,} more characters)</em>"


def _coverage(scored: Scored) -> list[str]:
    """Say what part of the paper's test split was scored, as only the whole compares with the published average."""
    missing = [task for task in TASKS if not scored.scores.get(f"{task}_records")]
    total = sum(TEST_RECORDS.values())
    if missing:
        return [
            f"There is no record of {', '.join(missing)}: the average rests on the other tasks and does not compare "
            "with the published averages; columns do."
        ]
    if len(scored.records) < total / 2:
        return [
            f"{len(scored.records):,} records were scored; the paper's test split has {total:,}, so figures differ "
            "from it by chance too."
        ]
    return []
