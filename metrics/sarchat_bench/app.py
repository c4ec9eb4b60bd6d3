"""The Space's page: upload a model's answers, read its scores beside the paper's 16 models, see why each was judged so.

    python app.py

Everything runs where the page runs: no font, script or figure is loaded from another host.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # gradio reads it when it is imported

import gradio as gr
from page_files import FILE_TYPES, MAX_MEGABYTES, PageError, check_file, gather, read_file, read_text
from page_leaderboard import PUBLISHED, Model, leaderboard_html, task_table_html
from page_radar import radar_svg
from page_result import notices_html, pages, problem_html, records_html, select, summary_html, working_html
from page_scoring import BOX_FORMATS, VERDICTS, Scored, score, write_downloads

HERE = Path(__file__).parent
MOST_COMPARED = 4
COMPARED = ["InternVL2.5-8B", "mPLUG-Owl3-7B", "Yi-VL-6B"]
"""The published models that the radar plot opens with: the best of the table, the strongest on grounding, the last but
one."""

HEAD = """<div class='masthead'><h1>SARChat-Bench</h1>
<p>Score a vision-language model's answers about synthetic-aperture-radar images: six tasks, read from plain text and
judged by fixed rules, beside the 16 models of the paper's Table 3.</p></div>"""

PREDICTIONS_HINT = f"""<p class='hint'>JSONL, CSV or Parquet up to {MAX_MEGABYTES} MB with <code>id</code> and
<code>prediction</code>; without a reference file also <code>reference</code> and <code>subset</code>.</p>"""

REFERENCES_HINT = """<p class='hint'>Only where the predictions carry none: <code>id</code>, <code>answer</code> and
<code>subset</code>, looked up by <code>id</code>. <code>width</code> and <code>height</code> let relative boxes be
read.</p>"""

BOARD_HINT = """<p class='hint'>Accuracy in percent, TP / (TP + FP + FN). The published rows are the paper's Table 3 as
printed, the best figure of each column bold. Your average follows equations 4 and 5, from which the printed averages
differ by up to 0.9 points.</p>"""


def run(
    file: str | None, text: str | None, reference_file: str | None, name: str, box_format: str, compared: list[str]
) -> Iterator[tuple[Any, ...]]:
    """Score what the visitor gave and fill the page; what is wrong with it is told in one sentence instead.

    Yields values for status, state, summary, downloads, records tab, both files, subset, verdict, records, page number,
    leaderboard, radar plot and task table; first the steps on the way, which change the status only.
    """
    text = text or ""  # the box in the tab that was never opened gives None
    try:
        if file and text.strip():
            raise PageError("There are both a file and pasted text: remove one, so that it is clear which one counts.")
        if not file and not text.strip():
            raise PageError("There is nothing to score yet: upload a file of predictions, or paste some.")
        yield step("Step 1 of 3: reading the files …")
        predictions = read_file(Path(file)) if file else read_text(text)
        references = read_file(Path(reference_file)) if reference_file else None
        answers = gather(predictions, references, Path(file).name if file else "The pasted text")
        yield step(f"Step 2 of 3: scoring {len(answers.ids):,} records …")
        scored = score(answers, name.strip() or "Your model", box_format)
        yield step("Step 3 of 3: writing the downloads …")
        downloads = write_downloads(scored)
    except PageError as error:
        cleared = (None, "", gr.update(visible=False), gr.update(visible=False), *(gr.skip(),) * 6)
        yield problem_html(str(error)), *cleared, *pictures(None, compared)
        return
    yield (
        notices_html(scored),
        scored,
        summary_html(scored),
        gr.update(visible=True),
        gr.update(visible=True),
        *(gr.update(value=str(path)) for path in downloads),
        gr.update(choices=["all", *dict.fromkeys(answers.subsets)], value="all"),
        "all",
        *turn(scored, "all", "all", 1),
        *pictures(scored, compared),
    )


def step(sentence: str) -> tuple[Any, ...]:
    """Give the outputs of `run` that say what is going on and leave the rest as it is."""
    return working_html(sentence), *(gr.skip(),) * 13


def check(file: str) -> Any:
    """Say at once that a file is too large or of another type; leave the page alone if it is not."""
    try:
        check_file(Path(file))
    except PageError as error:
        return problem_html(str(error))
    return gr.skip()


def pictures(scored: Scored | None, compared: list[str]) -> tuple[str, str, str]:
    """Give the leaderboard, the radar plot and its table, with the visitor's model in front once there is one."""
    own = [Model(scored.name, scored.scores)] if scored else []
    models = own + [model for model in PUBLISHED if model.name in compared]
    return leaderboard_html(*own), radar_svg(models), task_table_html(models)


def turn(scored: Scored | None, subset: str, verdict: str, page: int) -> tuple[str, Any]:
    """Show one page of the records that pass the filters, and set the page's number to one that exists."""
    if scored is None:
        return "", gr.update()
    chosen = select(scored.records, subset, verdict)
    page = min(max(int(page or 1), 1), pages(chosen))
    return records_html(chosen, page), gr.update(value=page, label=f"Page, of {pages(chosen):,}")


def build() -> gr.Blocks:
    """Lay out the page and connect its events."""
    with gr.Blocks(title="SARChat-Bench", delete_cache=(3600, 3600)) as page:
        state = gr.State(None, time_to_live=3600)
        gr.HTML(HEAD)
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=300):
                gr.HTML("<h2 class='step'>1 · Predictions</h2>" + PREDICTIONS_HINT)
                with gr.Tabs():
                    with gr.Tab("Upload a file"):
                        file = gr.File(
                            label="Predictions", file_types=list(FILE_TYPES), height=150, elem_id="predictions-file"
                        )
                    with gr.Tab("Paste text"):
                        text = gr.Textbox(
                            label="Predictions, as JSON lines or CSV", lines=6, max_lines=12, elem_id="predictions-text"
                        )
                        example = gr.Button("Fill in an example", size="sm")
            with gr.Column(scale=2, min_width=300):
                gr.HTML("<h2 class='step'>2 · References and options</h2>" + REFERENCES_HINT)
                reference_file = gr.File(
                    label="References (optional)", file_types=list(FILE_TYPES), height=150, elem_id="references-file"
                )
                with gr.Row():
                    name = gr.Textbox(
                        label="Name of your model", placeholder="Your model", max_length=60, min_width=190
                    )
                    box_format = gr.Dropdown(
                        BOX_FORMATS, value="auto", label="Box format", allow_custom_value=True, min_width=190
                    )
        start = gr.Button("Score", variant="primary", size="lg", elem_id="score")
        status = gr.HTML(elem_id="status", min_height=0)
        summary = gr.HTML(elem_id="summary")
        with gr.Row(visible=False) as downloads:
            scores_file = gr.DownloadButton("Download the scores (JSON)", size="sm", elem_id="scores-file")
            records_file = gr.DownloadButton("Download every record (JSON lines)", size="sm", elem_id="records-file")
        board_html, radar_html, tasks_html = pictures(None, COMPARED)
        with gr.Tabs():
            with gr.Tab("Leaderboard"):
                board = gr.HTML(board_html, elem_id="board")
                gr.HTML(BOARD_HINT)
            with gr.Tab("Tasks"), gr.Row(equal_height=False):
                with gr.Column(scale=1, min_width=300):
                    radar = gr.HTML(radar_html, elem_id="radar")
                with gr.Column(scale=1, min_width=300):
                    compared = gr.Dropdown(
                        [model.name for model in PUBLISHED],
                        value=COMPARED,
                        multiselect=True,
                        max_choices=MOST_COMPARED,
                        label=f"Compare with (up to {MOST_COMPARED})",
                        elem_id="compared",
                    )
                    tasks = gr.HTML(tasks_html, elem_id="tasks")
            with gr.Tab("Records", visible=False) as records_tab:
                with gr.Row():
                    subset = gr.Dropdown(["all"], value="all", label="Subset", min_width=140)
                    verdict = gr.Dropdown(["all", "not right", *VERDICTS], value="all", label="Judged", min_width=140)
                    number = gr.Number(1, label="Page", precision=0, min_width=110)
                with gr.Row():
                    back = gr.Button("Previous page", size="sm", min_width=120)
                    forward = gr.Button("Next page", size="sm", min_width=120)
                records = gr.HTML(elem_id="records")

        start.click(
            run,
            [file, text, reference_file, name, box_format, compared],
            [
                *(status, state, summary, downloads, records_tab, scores_file, records_file),
                *(subset, verdict, records, number),
                *(board, radar, tasks),
            ],
            show_progress="hidden",
            api_name="score",
        )
        for upload in (file, reference_file):
            upload.upload(check, upload, status, show_progress="hidden")
            upload.clear(lambda: "", None, status, show_progress="hidden")
        example.click(lambda: (HERE / "example_predictions.jsonl").read_text(encoding="utf-8"), None, text)
        compared.input(pictures, [state, compared], [board, radar, tasks], show_progress="hidden")
        filters = [state, subset, verdict]
        for choice in (subset, verdict):
            choice.input(
                lambda scored, subset, verdict: turn(scored, subset, verdict, 1),
                filters,
                [records, number],
                show_progress="hidden",
            )
        for event, by in ((number.submit, 0), (back.click, -1), (forward.click, 1)):
            event(
                lambda scored, subset, verdict, page, by=by: turn(scored, subset, verdict, (page or 1) + by),
                [*filters, number],
                [records, number],
                show_progress="hidden",
            )
    return page


def theme() -> gr.themes.ThemeClass:
    """Give a calm theme of the system's own fonts, so that no font is fetched."""
    return gr.themes.Default(
        primary_hue=gr.themes.colors.sky,
        neutral_hue=gr.themes.colors.slate,
        font=("system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"),
        font_mono=("ui-monospace", "SFMono-Regular", "Menlo", "monospace"),
        radius_size=gr.themes.sizes.radius_md,
    ).set(
        body_text_color_subdued="*neutral_500",
        body_text_color_subdued_dark="*neutral_400",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
    )


if __name__ == "__main__":
    build().launch(
        theme=theme(),
        css_paths=HERE / "page.css",
        max_file_size=f"{5 * MAX_MEGABYTES}mb",  # up to here the page itself says what to do, in its own words
        footer_links=[],
        ssr_mode=False,
    )
