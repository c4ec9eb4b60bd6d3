"""Running a model over the benchmark, and what came of it.

predict.py ─────► predictions.py ──► scoring.py ──► report.py
chat_worker.py    ours and others'   the metric     gallery.py, report_figures.py, templates/
"""
