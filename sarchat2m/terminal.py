"""What a person sees on the terminal: progress with rate and time left, tables; nothing of it where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

__all__ = ["plain_table", "progress_bar"]


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
def progress_bar(label: str, quiet: bool | None = None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the error stream for as long as the block lasts.

    Args:
        label: What is being done, such as "Writing shards".
        quiet: Show nothing; by default, if the error stream is no terminal.

    Yields:
        A function to call with how much of how much is done; the whole may become known late, or change.
    """
    console = Console(stderr=True)
    if quiet if quiet is not None else not console.is_terminal:
        yield lambda done, total: None
        return
    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
    ]
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(label, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
