"""The command line: `sarchat2m COMMAND`. Each command reads its options, calls one function, and shows what came of it.

Rooms are imported inside of the commands, so that `sarchat2m --help` answers at once.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from sarchat2m import __version__
from sarchat2m.errors import SARChatError
from sarchat2m.terminal import plain_table, progress_bar

app = typer.Typer(
    help="Build, publish and score SARChat-2M, the dialogues over SAR images.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Quiet = Annotated[
    bool | None,
    typer.Option("--quiet/--no-quiet", help="Show no progress and no tables; by default where there is no terminal."),
]
Workers = Annotated[int, typer.Option(min=1, help="Processes to use.")]


def main() -> None:
    """Run the command line; an error for people is one sentence on the error stream and exit code 1."""
    try:
        app()
    except SARChatError as error:
        Console(stderr=True, soft_wrap=True).print(Text.assemble(("Error:", "bold red"), f" {error}"))
        sys.exit(1)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        sys.exit(130)


def _is_quiet(quiet: bool | None) -> bool:
    return not Console().is_terminal if quiet is None else quiet


def _show_version(wanted: bool) -> None:
    if wanted:
        print(f"sarchat2m {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    pass


def _bytes(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kMG]?)B?", text.strip(), re.IGNORECASE)
    if not found:
        raise SARChatError(f"{text!r} is no size; write it like 128MB.")
    return int(float(found[1]) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[found[2].lower()])


@app.command()
def check(
    source: Annotated[Path, typer.Argument(help="A folder in SARDet-100K's layout.")],
    deep: Annotated[bool, typer.Option("--deep", help="Decode every image too.")] = False,
    workers: Workers = 1,
    quiet: Quiet = None,
) -> None:
    """Read a source and report what is usable in it and what is not; the exit code is 1 if something is wrong."""
    from sarchat2m.schedulers import local_processes
    from sarchat2m.source import Tally, read_source

    with progress_bar("Looking at images", quiet) as progress, local_processes(workers) as scheduler:
        found = read_source(source, deep=deep, scheduler=scheduler, progress=progress)
    table = plain_table(str(source), "split")
    for column in ("images", "empty", "annotations", "usable", "unusable", "crowd", "ignored"):
        table.add_column(column, justify="right")
    for split in found.splits.values():
        rows: list[tuple[str, str, tuple[int, ...], Tally]] = [
            (split.name, "bold", (len(split.scenes), split.without_targets), split.tally)
        ]
        for name, tally in zip(found.categories, split.by_category, strict=True):
            rows.append((f"  {name}", "dim", (), tally))
        for name, style, images, tally in rows:
            cells = [f"{number:,}" for number in images] or ["", ""]
            numbers = (tally.annotations, tally.usable, tally.unusable, tally.crowd, tally.ignored)
            table.add_row(name, *cells, *(f"{number:,}" for number in numbers), style=style)
        table.add_section()
    Console().print(table)
    for problem in found.problems[:20]:
        print(problem.sentence)
    if found.problems:
        more = f", the first 20 of {len(found.problems):,}" if len(found.problems) > 20 else ""
        raise SARChatError(
            f"{source} has problems{more}; mend them, or build without the images concerned: --skip-bad."
        )


@app.command()
def build(
    source: Annotated[Path, typer.Argument(help="A folder in SARDet-100K's layout.")],
    out: Annotated[str, typer.Argument(help="Where to write: an empty or new folder, or a URL that fsspec knows.")],
    seed: Annotated[int, typer.Option(help="Every choice of a template comes from it.")] = 0,
    workers: Workers = 1,
    split: Annotated[list[str] | None, typer.Option(help="Only this split; repeat for more.")] = None,
    subset: Annotated[list[str] | None, typer.Option(help="Only this subset; repeat for more.")] = None,
    variants: Annotated[int, typer.Option(min=1, max=20, help="Records of identification per target.")] = 7,
    shard_size: Annotated[str, typer.Option(help="Bytes of images per shard, about.")] = "128MB",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave images with a problem out and list them.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted build.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier build.")] = False,
    scheduler: Annotated[
        str | None, typer.Option(help="A Dask cluster to work on instead, such as tcp://host:8786.")
    ] = None,
    quiet: Quiet = None,
) -> None:
    """Build the dataset: sharded Parquet configs that load_dataset opens."""
    from sarchat2m.build import Options
    from sarchat2m.build import build as build_dataset
    from sarchat2m.schedulers import dask_cluster, local_processes
    from sarchat2m.vocabulary import SUBSETS

    options = Options(
        seed=seed,
        splits=tuple(split) if split else None,
        subsets=tuple(name for name in SUBSETS if name in subset) if subset else SUBSETS,
        variants=variants,
        shard_bytes=_bytes(shard_size),
        skip_bad=skip_bad,
    )
    with (
        dask_cluster(scheduler) if scheduler else local_processes(workers) as run,
        progress_bar("Looking at images", quiet) as on_check,
        progress_bar("Writing shards", quiet) as on_build,
    ):
        manifest = build_dataset(
            source,
            out,
            options,
            scheduler=run,
            resume=resume,
            overwrite=overwrite,
            on_check=on_check,
            on_build=on_build,
        )
    if not _is_quiet(quiet):
        _show_build(manifest)
        print(f'\nload_dataset("{out}", "referring")')


def _show_build(manifest: dict[str, Any]) -> None:
    from sarchat2m.paper import records_table5
    from sarchat2m.vocabulary import SUBSETS_OF_TASK

    published = records_table5()
    splits = list(manifest["options"]["splits"])
    table = plain_table("Records, beside the paper's Table 5", "task")
    for name in (*splits, "paper, train", "paper, test"):
        table.add_column(name, justify="right", style="dim" if name.startswith("paper") else None)
    totals = dict.fromkeys(splits, 0)
    for task, subsets in SUBSETS_OF_TASK.items():
        counts = {subset: manifest["records"].get(subset, {}) for subset in subsets}
        sums = {split: sum(count.get(split, 0) for count in counts.values()) for split in splits}
        totals = {split: totals[split] + sums[split] for split in splits}
        paper = [f"{published[task][split]:,}" for split in ("train", "test")]
        table.add_row(task, *(f"{sums[split]:,}" for split in splits), *paper)
        for subset in subsets if len(subsets) > 1 else ():
            cells = [f"{counts[subset].get(split, 0):,}" for split in splits]
            table.add_row(f"  {subset.partition('_')[2]}", *cells, "", "", style="dim")
    table.add_section()
    sums_published = [f"{sum(task[split] for task in published.values()):,}" for split in ("train", "test")]
    table.add_row("all", *(f"{totals[split]:,}" for split in splits), *sums_published, style="bold")
    Console().print(table)
    if manifest["skipped"]:
        print(f"{len(manifest['skipped']):,} problems; the images concerned were left out, see manifest.json.")


@app.command()
def synthesize(
    out: Annotated[Path, typer.Argument(help="Where to write: an empty or new folder.")],
    images: Annotated[
        int | None, typer.Option(min=3, help="Number of images: 60, or with --like all of its own, unless given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, other images.")] = 0,
    like: Annotated[Path | None, typer.Option(help="Draw images for this annotation file, .json or .json.gz.")] = None,
    workers: Workers = 1,
    quiet: Quiet = None,
) -> None:
    """Write a made-up detection set in SARDet-100K's layout, to try everything on."""
    from sarchat2m.synthesis import synthesize as write_tree

    with progress_bar("Drawing images", quiet) as progress:
        write_tree(out, images or (None if like else 60), seed, like=like, workers=workers, progress=progress)


if __name__ == "__main__":
    main()
