"""What a person sees on the terminal: progress with rate and time left, tables; nothing of it where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

__all__ = ["plain_table", "progress_bar", "progress_bars"]


def plain_table(title: str, *columns: str) -> Table:
    """Make a table without a frame, which leaves the width of a terminal to its content."""
    return Table(
        *columns,
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1),
        collapse_padding=True,
    )


class _RateColumn(ProgressColumn):
    """Pieces of work per second."""

    def render(self, task: Task) -> Text:
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s", style="cyan")


@contextmanager
def progress_bars(*labels: str, quiet: bool | None = None) -> Iterator[list[Callable[[int, int], None]]]:
    """Show bars on the error stream for as long as the block lasts, each when the one before it is full.

    Args:
        labels: What is being done, such as "Writing shards".
        quiet: Show nothing; by default, if the error stream is no terminal.

    Yields:
        For each bar a function to call with how much of how much is done; the whole may become known late, or change.
    """
    console = Console(stderr=True)
    if quiet if quiet is not None else not console.is_terminal:
        yield [lambda done, total: None for _ in labels]
        return
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
    ]
    with Progress(*columns, console=console) as progress:
        tasks = [progress.add_task(label, total=None, visible=False, start=False) for label in labels]

        def begin(place: int) -> None:
            if place < len(tasks) and not progress.tasks[place].started:
                progress.start_task(tasks[place])
                progress.update(tasks[place], visible=True)

        def tell(place: int, done: int, total: int) -> None:
            begin(place)
            progress.update(tasks[place], completed=done, total=total)
            if done == total:
                begin(place + 1)

        begin(0)
        try:
            yield [partial(tell, place) for place in range(len(tasks))]
        finally:
            # What never got under way, because of an error perhaps, leaves no bar behind.
            idle = [task for task in progress.tasks if task.total is None]
            for task in idle:
                progress.update(task.id, visible=False)
            progress.live.transient = len(idle) == len(tasks)


@contextmanager
def progress_bar(label: str, quiet: bool | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show one bar, see `progress_bars`."""
    with progress_bars(label, quiet=quiet) as (tell,):
        yield tell
