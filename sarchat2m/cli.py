"""The command line: `sarchat2m COMMAND`. Each command reads its options, calls one function, and shows what came of it.

Rooms are imported inside of the commands, so that `sarchat2m --help` answers at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from sarchat2m import __version__
from sarchat2m.errors import SARChatError
from sarchat2m.terminal import plain_table, progress_bar, progress_bars

if TYPE_CHECKING:
    from sarchat2m.hub import Pushed

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
Workers = Annotated[int, typer.Option(min=1, metavar="N", help="Processes to use.")]


def main() -> None:
    """Run the command line; an error for people is one sentence on the error stream and exit code 1."""
    try:
        app()
    except SARChatError as error:
        _tell_error(str(error))
        sys.exit(1)
    except OSError as error:
        _tell_error(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.")
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as end:
        if isinstance(end, SystemExit) and end.code != 130:  # what typer makes of Ctrl-C, without a word
            raise
        print("Stopped.", file=sys.stderr)
        sys.exit(130)


def _tell_error(sentence: str) -> None:
    Console(stderr=True, soft_wrap=True).print(Text.assemble(("Error:", "bold red"), f" {sentence}"))


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
    found = re.fullmatch(r"(\d{1,12}(?:\.\d{1,9})?)\s*([kMG]?)B?", text.strip(), re.IGNORECASE)
    if not found:
        raise SARChatError(f"{text!r} is no size; write it like 128MB.")
    return int(float(found[1]) * {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}[found[2].lower()])


@app.command()
def check(
    source: Annotated[Path, typer.Argument(help="A folder in SARDet-100K's layout.")],
    deep: Annotated[bool, typer.Option("--deep", help="Decode every image too.")] = False,
    workers: Workers = 1,
    quiet: Annotated[
        bool | None, typer.Option("--quiet/--no-quiet", help="Show no progress; by default where there is no terminal.")
    ] = None,
) -> None:
    """Read a source and report what is usable in it and what is not; the exit code is 1 if something is wrong."""
    from sarchat2m.schedulers import local_processes
    from sarchat2m.source import Tally, read_source

    with progress_bar("Looking at images", quiet) as progress, local_processes(workers) as scheduler:
        found = read_source(source, deep=deep, scheduler=scheduler, progress=progress)
    table = plain_table(str(source), "split")
    for column in ("images", "empty", "boxes", "usable", "unusable", "crowd", "ignored", "skipped"):
        table.add_column(column, justify="right")
    for split in found.splits.values():
        rows: list[tuple[str, str, tuple[int, ...], Tally]] = [
            (split.name, "bold", (len(split.scenes), split.without_targets), split.tally)
        ]
        for name, tally in zip(found.categories, split.by_category, strict=True):
            rows.append((f"  {name}", "dim", (), tally))
        for name, style, images, tally in rows:
            cells = [f"{number:,}" for number in images] or ["", ""]
            numbers = (tally.annotations, tally.usable, tally.unusable, tally.crowd, tally.ignored, tally.skipped)
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
    seed: Annotated[int, typer.Option(metavar="N", help="Every choice of a template comes from it.")] = 0,
    workers: Workers = 1,
    split: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this split; repeat for more.")] = None,
    subset: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this subset; repeat for more.")] = None,
    variants: Annotated[
        int, typer.Option(min=1, max=20, metavar="N", help="Records of identification per target.")
    ] = 7,
    shard_size: Annotated[str, typer.Option(metavar="SIZE", help="Bytes of images per shard, about.")] = "128MB",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave images with a problem out and list them.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted build.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier build.")] = False,
    scheduler: Annotated[
        str | None, typer.Option(metavar="URL", help="A Dask cluster to work on instead, such as tcp://host:8786.")
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
        # In canonical order; an unknown one stays in, to be refused with the others named.
        subsets=tuple(sorted(set(subset), key=(*SUBSETS, *subset).index)) if subset else SUBSETS,
        variants=variants,
        shard_bytes=_bytes(shard_size),
        skip_bad=skip_bad,
    )
    with (
        dask_cluster(scheduler) if scheduler else local_processes(workers) as run,
        progress_bars("Looking at images", "Writing shards", quiet=quiet) as (on_check, on_build),
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
        print(f'load_dataset("{out}", "referring")')


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
        print(f"Problems: {len(manifest['skipped']):,}; the images concerned were left out, see manifest.json.")


@app.command()
def synthesize(
    out: Annotated[Path, typer.Argument(help="Where to write: an empty or new folder.")],
    images: Annotated[
        int | None,
        typer.Option(min=3, metavar="N", help="Number of images: 60, or with --like all of its own, unless given."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, metavar="N", help="Another seed, other images.")] = 0,
    like: Annotated[Path | None, typer.Option(help="Draw images for this annotation file, .json or .json.gz.")] = None,
    workers: Workers = 1,
    quiet: Quiet = None,
) -> None:
    """Write a made-up detection set in SARDet-100K's layout, to try everything on."""
    from sarchat2m.synthesis import synthesize as write_tree

    with progress_bar("Drawing images", quiet) as progress:
        write_tree(out, images or (None if like else 60), seed, like=like, workers=workers, progress=progress)


@app.command()
def stats(
    dataset: Annotated[Path, typer.Argument(help="A built folder.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Where to write; by default the dataset's own folder figures, which its card shows."),
    ] = None,
    quiet: Quiet = None,
) -> None:
    """Write the paper's tables and figures for a built dataset, beside the published numbers."""
    from sarchat2m.card import write_card
    from sarchat2m.figures import write_statistics

    folder = out or dataset / "figures"
    with progress_bar("Drawing figures", quiet) as progress:
        captions = write_statistics(dataset, folder, progress)
    if folder.resolve() == (dataset / "figures").resolve():
        write_card(dataset)
    if not _is_quiet(quiet):
        table = plain_table(str(folder), "figure", "what it shows")
        for name, caption in captions.items():
            table.add_row(f"{name}.png", caption)
        Console().print(table)


@app.command()
def show(
    dataset: Annotated[str, typer.Argument(help="A built folder, a repository of the Hub, or sarchat2m, the sample.")],
    record: Annotated[str, typer.Argument(help="Its id, such as counting/test/1/ship; images/test/1 for an image.")],
    out: Annotated[Path, typer.Option(help="The PNG to write.")] = Path("record.png"),
) -> None:
    """Draw a record: the image with the boxes, the question and the answer."""
    from sarchat2m.pictures import show_record

    show_record(dataset, record, out)
    print(out)


@app.command()
def predict(
    dataset: Annotated[
        str, typer.Argument(help='A built folder, a repository of the Hub, or "sarchat2m": the sample.')
    ],
    model: Annotated[str, typer.Option(help="The model's name, as the endpoint knows it.")],
    base_url: Annotated[str, typer.Option(help="Of any OpenAI-compatible endpoint, such as http://localhost:8000/v1.")],
    out: Annotated[Path, typer.Option(help="JSON lines; where the file exists, the run goes on.")],
    config: Annotated[str, typer.Option(help="Which questions, such as referring.")] = "all",
    split: Annotated[str, typer.Option(help="One of train, validation, test.")] = "test",
    limit: Annotated[int | None, typer.Option(help="Only the first so many records.")] = None,
    sample: Annotated[int | None, typer.Option(help="Only so many records, of every subset its share.")] = None,
    seed: Annotated[int, typer.Option(help="Of the sample.")] = 0,
    system: Annotated[str | None, typer.Option(help="A system message.")] = None,
    prompt_suffix: Annotated[
        str | None, typer.Option(help="Follows every question, such as how to write boxes.")
    ] = None,
    temperature: Annotated[float, typer.Option(help="Of generation.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(help="The longest answer; a longer one is cut off.")] = 2048,
    top_p: Annotated[float | None, typer.Option(help="Of generation.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="Any other field of the request, NAME=JSON, such as seed=1; repeatable.")
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Requests under way at once.")] = 32,
    timeout: Annotated[float, typer.Option(help="Seconds without a sign of life after which a request fails.")] = 120.0,
    retries: Annotated[int, typer.Option(help="Of a failed request, with growing pauses.")] = 4,
    processes: Annotated[int | None, typer.Option(help="That hold the connections; by default by concurrency.")] = None,
    keep_errors: Annotated[bool, typer.Option("--keep-errors", help="Do not ask again what went wrong.")] = False,
    quiet: Quiet = None,
) -> None:
    """Ask a model every question, with its image, through an endpoint. The key comes from OPENAI_API_KEY."""
    from sarchat2m.benchmark.predict import ERROR_KINDS, Client, Questions
    from sarchat2m.benchmark.predict import predict as ask

    generation: dict[str, Any] = {"temperature": temperature, "max_tokens": max_tokens}
    generation |= {"top_p": top_p} if top_p is not None else {}
    generation |= dict(_json_option(text) for text in option or ())
    outcome = ask(
        dataset,
        Questions(
            model=model,
            config=config,
            split=split,
            sample=sample,
            seed=seed,
            limit=limit,
            system=system,
            prompt_suffix=prompt_suffix,
            generation={name: value for name, value in generation.items() if value is not None},
        ),
        Client(base_url, concurrency=concurrency, timeout=timeout, retries=retries, processes=processes),
        out,
        keep_errors=keep_errors,
        quiet=quiet,
    )
    for note in outcome.notes:
        print(note, file=sys.stderr)
    asked = sum(outcome.asked.values())
    before = f", {outcome.answered_before:,} were there" if outcome.answered_before else ""
    if asked or outcome.stopped:
        print(f"{out}: {outcome.asked['answered']:,} of {asked:,} answered{before}, of {outcome.records:,} records.")
    else:
        print(f"{out}: nothing is left to ask, of {outcome.records:,} records.")
    for kind, count in outcome.asked.most_common():
        if kind != "answered":
            print(f"  {count:,} {kind}: {ERROR_KINDS[kind]}")
    if outcome.stopped:
        raise KeyboardInterrupt
    if asked and asked == sum(outcome.asked[kind] for kind in ERROR_KINDS if kind != "too_long"):
        raise SARChatError("Nothing was answered: mend what stands above, and run the command again.")


def _json_option(text: str) -> tuple[str, Any]:
    """Read NAME=JSON; what is no JSON is a text. NAME=null leaves a default out."""
    import json

    name, equals, value = text.partition("=")
    if not equals:
        raise SARChatError(f"--option {text} has no value: write NAME=JSON, such as seed=1.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


Predictions = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME=]PATH...",
        help="Prediction files of ours, of ms-swift or of lmms-eval, or a folder of them as one run.",
    ),
]
DatasetOfPredictions = Annotated[
    str | None, typer.Option("--dataset", help="What they are of, where the files do not say what is right.")
]
References = Annotated[
    list[Path] | None, typer.Option(help="Files of messages that say what is right, such as the authors' nine.")
]
BoxFormat = Annotated[str, typer.Option(help="How the model writes boxes; auto finds out, once for the whole run.")]


def _read_runs(paths: list[str], references: list[Path] | None, dataset: str | None, split: str) -> list[Any]:
    from sarchat2m.benchmark.predictions import read_run

    runs = []
    for text in paths:
        name, equals, path = text.partition("=")
        if not equals or Path(text).exists():
            name, path = "", text
        runs.append(read_run(Path(path), name or None, references=references or (), dataset=dataset, split=split))
    names = [run.name for run in runs]
    for run, path in zip(runs, paths, strict=True):
        if names.count(run.name) > 1:
            run.name = Path(path).stem
    return runs


@app.command()
def report(
    paths: Predictions,
    out: Annotated[Path, typer.Option(help="A folder to write index.html and figures/ into.")],
    dataset: DatasetOfPredictions = None,
    split: Annotated[str, typer.Option(help="Of the dataset.")] = "test",
    references: References = None,
    box_format: BoxFormat = "auto",
) -> None:
    """Write a page on prediction files: leaderboard, figures, breakdowns, the best and the worst records drawn."""
    from sarchat2m.benchmark.report import write_report

    with Console(stderr=True).status("Reading, scoring and drawing"):
        runs = _read_runs(paths, references, dataset, split)
        scores = write_report(runs, out, dataset=dataset, split=split if dataset else None, box_format=box_format)
    for each in scores:
        overall = each.figures["overall"]
        print(f"{each.run.name}: " + ("no overall score" if overall is None else f"{overall:.2f} overall"))
    print(out / "index.html")


@app.command()
def score(
    paths: Predictions,
    dataset: DatasetOfPredictions = None,
    split: Annotated[str, typer.Option(help="Of the dataset.")] = "test",
    references: References = None,
    box_format: BoxFormat = "auto",
    confidence: Annotated[float, typer.Option(help="Of the intervals; 0 for none.")] = 0.95,
    published: Annotated[int, typer.Option(min=0, max=16, help="Models of Table 3 to show, the nearest ones.")] = 2,
    json_out: Annotated[Path | None, typer.Option("--json", help="Write everything that was computed.")] = None,
    markdown_out: Annotated[
        Path | None, typer.Option("--markdown", help="Write Table 3 with these rows in it.")
    ] = None,
) -> None:
    """Score prediction files, beside the paper's Table 3. Two of them are compared too, record by record."""
    import json

    from sarchat2m.benchmark import scoring

    with Console(stderr=True).status("Reading and scoring"):
        runs = _read_runs(paths, references, dataset, split)
        scores = [scoring.score(run, box_format=box_format, confidence=confidence or None) for run in runs]
        comparison = scoring.compare(*runs, box_format=box_format) if len(runs) == 2 else None
    console = Console()
    for table in scoring.score_tables(scores, published, console.width):
        console.print(table)
    if comparison:
        console.print(scoring.comparison_table(comparison))
    for note in scoring.notes_on(scores):
        print(note)
    for each in scores:
        print(f"{each.run.name}: {each.figures['signature']}")
    if json_out:
        json_out.write_text(json.dumps(scoring.as_json(scores, comparison), indent=2, ensure_ascii=False) + "\n")
    if markdown_out:
        markdown_out.write_text(scoring.as_markdown(scores, comparison))


@app.command()
def export(
    dataset: Annotated[
        str, typer.Argument(help='A built folder, a repository of the Hub, or "sarchat2m": the sample.')
    ],
    out: Annotated[Path, typer.Option(help="A new folder, or one in which this export was interrupted.")],
    format: Annotated[str, typer.Option(help="One of ms-swift, llava, sharegpt, trl.")] = "ms-swift",
    config: Annotated[str, typer.Option(help="Which records, such as referring.")] = "all",
    split: Annotated[str | None, typer.Option(help="Only this split; by default all.")] = None,
    quiet: Quiet = None,
) -> None:
    """Write the data as a trainer reads it: every image once, as it is, and the records beside them."""
    from sarchat2m.export import export as export_dataset

    with progress_bars("Writing images", "Writing records", quiet=quiet) as (on_images, on_records):
        done = export_dataset(dataset, out, config, split, format, on_images=on_images, on_records=on_records)
    for each, usage in done.usage.items():
        if not _is_quiet(quiet):
            print(f"{each}: {done.records[each]:,} records of {done.images[each]:,} images")
        print(usage)


Private = Annotated[bool, typer.Option("--private", help="Create the repository private.")]
Revision = Annotated[str | None, typer.Option(help="A branch instead of main; a new one starts from main.")]
PullRequest = Annotated[bool, typer.Option("--pull-request", help="Open a pull request, or go on with it.")]
Tag = Annotated[str, typer.Option(help="The tag for the commit: by default the version, on main; '' for none.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Push even where something else stands.")]


@app.command()
def push(
    dataset: Annotated[Path, typer.Argument(help="A built folder.")],
    repo_id: Annotated[str, typer.Argument(help="The dataset on the Hub, as owner/name.")],
    private: Private = False,
    revision: Revision = None,
    pull_request: PullRequest = False,
    tag: Tag = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = None,
) -> None:
    """Publish a built folder as a dataset on the Hub; again, to go on after an interruption."""
    from sarchat2m import hub

    pushed = hub.push(
        dataset,
        repo_id,
        private=private,
        revision=revision,
        create_pr=pull_request,
        tag=tag or None,
        overwrite=overwrite,
        tell=_told_steps(quiet),
    )
    _show_pushed(pushed, quiet)


@app.command(name="push-metric")
def push_metric(
    space_id: Annotated[str, typer.Argument(help="The Space on the Hub, as owner/sarchat_bench.")],
    private: Private = False,
    revision: Revision = None,
    pull_request: PullRequest = False,
    tag: Tag = "auto",
    overwrite: Overwrite = False,
    quiet: Quiet = None,
) -> None:
    """Publish the metric as a Space, where evaluate.load finds it and its page runs."""
    from sarchat2m import hub

    pushed = hub.push_metric(
        space_id,
        private=private,
        revision=revision,
        create_pr=pull_request,
        tag=tag or None,
        overwrite=overwrite,
        tell=_told_steps(quiet),
    )
    _show_pushed(pushed, quiet)


@app.command()
def pull(
    repo_id: Annotated[str, typer.Argument(help="The dataset on the Hub, as owner/name.")],
    out: Annotated[Path, typer.Argument(help="A new folder, or one with parts of the same build.")],
    config: Annotated[list[str] | None, typer.Option(help="Only this config; repeat for more.")] = None,
    split: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this split; repeat for more.")] = None,
    revision: Annotated[str | None, typer.Option(help="A branch, tag or commit instead of main.")] = None,
    quiet: Quiet = None,
) -> None:
    """Fetch a dataset or parts of it; again, to go on after an interruption or to add parts."""
    from sarchat2m import hub

    tell = _told_steps(quiet)
    pulled = hub.pull(repo_id, out, configs=config, splits=split, revision=revision, tell=tell)
    if not _is_quiet(quiet):
        print(f"{len(pulled.files)} files, {len(pulled.fetched)} of them fetched now, in {pulled.folder}")


def _told_steps(quiet: bool | None) -> Callable[[str], None]:
    """Give what says on the error stream what is being done; quietly, huggingface_hub's own bars are off as well."""
    from huggingface_hub.utils import disable_progress_bars  # type: ignore[attr-defined]

    console = Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
    if quiet if quiet is not None else not console.is_terminal:
        disable_progress_bars()
        return lambda sentence: None
    return console.print


def _show_pushed(pushed: Pushed, quiet: bool | None) -> None:
    if not _is_quiet(quiet):
        changes = f"{len(pushed.sent)} files sent, {len(pushed.deleted)} deleted"
        print(f"{pushed.url}, {pushed.revision} at {pushed.commit[:7]}: {changes}")
    print(pushed.load_line)


if __name__ == "__main__":
    main()
