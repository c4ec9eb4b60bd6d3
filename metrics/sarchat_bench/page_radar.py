"""The radar plot over the six tasks (the paper's Figure 1) as SVG: no plotting library, no script, sharp at any width.

Line styles are told apart by colour (Okabe and Ito's, safe for the colour-blind), by dashes and by markers; they are
the classes `series-0` … of page.css, which the table of task scores shares as the plot's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from math import cos, pi, sin

from page_leaderboard import TASKS, Model, task_score

WIDTH, HEIGHT, RADIUS = 440, 330, 125
CENTER_X, CENTER_Y = WIDTH / 2, HEIGHT / 2
RINGS = (25, 50, 75, 100)


def radar_svg(models: Sequence[Model]) -> str:
    """Draw the task scores of the models, the first on top; a task without a figure leaves a gap in its line."""
    rings = "".join(f"<polygon class='ring' points='{_points([ring] * len(TASKS))}'/>" for ring in RINGS)
    spokes = "".join(
        f"<line class='ring' x1='{CENTER_X}' y1='{CENTER_Y}' x2='{x:.1f}' y2='{y:.1f}'/>"
        for x, y in (_at(axis, 100) for axis in range(len(TASKS)))
    )
    scale = "".join(
        f"<text class='scale' x='{CENTER_X + 4}' y='{_at(0, ring)[1] + 11:.1f}'>{ring}</text>" for ring in RINGS
    )
    names = "".join(_axis_name(axis, task) for axis, task in enumerate(TASKS))
    series = "".join(_series(number, model) for number, model in reversed(list(enumerate(models))))
    title = "Scores over the six tasks: " + ", ".join(model.name for model in models)
    return (
        f"<svg class='radar' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{escape(title)}'>"
        f"{rings}{spokes}{series}{scale}{names}</svg>"
    )


def _series(number: int, model: Model) -> str:
    scores = [task_score(model.scores, task) for task in TASKS]
    known = [(axis, score) for axis, score in enumerate(scores) if score is not None]
    if len(known) == len(TASKS):
        line = f"<polygon class='area' points='{_points([score for _, score in known])}'/>"
    else:
        neighbours = zip(enumerate(scores), enumerate([*scores[1:], scores[0]], start=1), strict=True)
        line = "".join(
            f"<polyline class='area' points='{_pair(_at(a, one))} {_pair(_at(b, other))}'/>"
            for (a, one), (b, other) in neighbours
            if one is not None and other is not None
        )
    markers = "".join(_marker(number, *_at(axis, score)) for axis, score in known)
    return f"<g class='series-{number}'><title>{escape(model.name)}</title>{line}{markers}</g>"


def _marker(number: int, x: float, y: float) -> str:
    """Mark a point by a circle, square, triangle, diamond or a triangle on its tip."""
    corners = (
        (),
        ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        ((0, -5), (5, 4), (-5, 4)),
        ((0, -6), (5, 0), (0, 6), (-5, 0)),
        ((0, 5), (5, -4), (-5, -4)),
    )[number % 5]
    if not corners:
        return f"<circle class='marker' cx='{x:.1f}' cy='{y:.1f}' r='4.5'/>"
    return f"<polygon class='marker' points='{' '.join(_pair((x + dx, y + dy)) for dx, dy in corners)}'/>"


def _axis_name(axis: int, task: str) -> str:
    x, y = _at(axis, 108)
    side = "middle" if abs(x - CENTER_X) < 1 else "start" if x > CENTER_X else "end"
    drop = 5 if side != "middle" else 0 if y < CENTER_Y else 10
    return f"<text class='axis' x='{x:.1f}' y='{y + drop:.1f}' text-anchor='{side}'>{task.capitalize()}</text>"


def _at(axis: int, score: float) -> tuple[float, float]:
    angle = 2 * pi * axis / len(TASKS) - pi / 2
    return CENTER_X + RADIUS * score / 100 * cos(angle), CENTER_Y + RADIUS * score / 100 * sin(angle)


def _points(scores: Sequence[float]) -> str:
    return " ".join(_pair(_at(axis, score)) for axis, score in enumerate(scores))


def _pair(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f},{point[1]:.1f}"
