"""The notebook runs from top to bottom, and the outputs that it was committed with are the ones that it gives.

After a change: UPDATE_NOTEBOOK=1 python -m pytest tests/metric_card/test_notebook.py
"""

import os
import re
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebook's test needs nbclient")
nbclient = pytest.importorskip("nbclient", reason="the notebook's test needs nbclient")
pytest.importorskip("ipykernel", reason="the notebook's test needs ipykernel")

NOTEBOOK = Path(__file__).parents[2] / "examples" / "score_a_model.ipynb"


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Run the notebook where it lies, with caches of its own."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(notebook, timeout=300, record_timing=False)
    client.execute(
        cwd=str(NOTEBOOK.parent),
        env=os.environ | {"HF_HOME": str(tmp_path_factory.mktemp("cache")), "HF_HUB_OFFLINE": "1"},
    )
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    if os.environ.get("UPDATE_NOTEBOOK"):
        nbformat.write(notebook, NOTEBOOK)
    return notebook


def texts(notebook):
    """Give what each code cell printed and showed, as text; how a kernel cuts what is printed into pieces is chance."""
    return [
        "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_it_runs_and_gives_the_outputs_it_was_committed_with(executed):
    assert texts(executed) == texts(nbformat.read(NOTEBOOK, as_version=4))


def test_every_step_shows_something_and_nothing_of_this_machine():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    shown = texts(notebook)
    steps = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.source for cell, outputs in zip(steps, shown, strict=True) if not outputs] == []
    assert all(output.output_type != "error" and output.get("name") != "stderr" for s in steps for output in s.outputs)
    assert not re.search(r"(/root|/home|/tmp|/work|/Users|site-packages|C:\\)", NOTEBOOK.read_text(encoding="utf-8"))
    assert any("image/png" in output.get("data", {}) for cell in steps for output in cell.outputs)
    assert NOTEBOOK.stat().st_size < 400_000


def test_the_steady_model_is_the_better_one(executed):
    """The story that the notebook tells: the made-up good model wins, by more than chance."""
    (comparison,) = [text for text in texts(executed) if "p_value" in text]
    overall = next(line.split() for line in comparison.splitlines() if line.startswith("overall"))
    assert float(overall[1]) > float(overall[2])
    assert float(overall[4]) <= 0.05
