"""The build: scenes and image bytes go in, sharded Parquet configs come out, each image file read once for all of them.

The images of a split are cut into ranges of about `shard_bytes`; a range becomes one shard of every subset that has a
record in it. Which shards there will be is known before the first one is written, from the annotations alone, so no
range needs anything of another: that makes workers, clusters and `resume` simple, and the bytes always the same.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa

from sarchat2m import __version__
from sarchat2m.dialogues import Dialogues
from sarchat2m.dialogues.record import Record
from sarchat2m.errors import SARChatError
from sarchat2m.scene import Scene
from sarchat2m.schedulers import Scheduler, local_processes
from sarchat2m.shards import ShardWriter
from sarchat2m.source import Progress, Source, SourceSplit, read_source
from sarchat2m.storage import Folder
from sarchat2m.vocabulary import SPLITS, SUBSETS

__all__ = ["Options", "build", "read_manifest"]

FORMAT = 1
"""Of the manifest and the layout; counted up when an older reader could no longer understand them."""


@dataclass(frozen=True)
class Options:
    """What decides, beside the source, which bytes a build writes."""

    seed: int = 0
    """Every choice of a template comes from it."""
    splits: tuple[str, ...] | None = None
    """Of `vocabulary.SPLITS`; None for those that the source has."""
    subsets: tuple[str, ...] = SUBSETS
    """The subsets to write; `images` is always written."""
    variants: int = 7
    """Records of identification per target, 1 to 20."""
    shard_bytes: int = 128_000_000
    """Bytes of images per shard, about."""
    skip_bad: bool = False
    """Go on without the images that have a problem; the manifest lists them."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense.

        Raises:
            SARChatError: A value is out of its range.
        """
        for name, chosen, known in (("split", self.splits or (), SPLITS), ("subset", self.subsets, SUBSETS)):
            for value in chosen:
                if value not in known:
                    raise SARChatError(f"There is no {name} {value!r}; choose of {', '.join(known)}.")
        if self.shard_bytes < 1_000_000:
            raise SARChatError(f"Shards of {self.shard_bytes} bytes are too small; give at least 1 MB.")


class ImageRange(NamedTuple):
    """One part of the work: some images of one split, and the shards that their records go to."""

    number: int
    split: str
    scenes: list[Scene]
    paths: list[str]
    sizes: list[int]
    shards: dict[str, str]
    """File name by subset, "images" included; a subset without a record in this range is missing."""

    @property
    def journal(self) -> str:
        """The name of the file that tells that this range is done."""
        return f"{Folder.WORKSHOP}/range-{self.number:05d}.json"


def build(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    options: Options = Options(),
    *,
    workers: int = 1,
    scheduler: Scheduler | None = None,
    resume: bool = False,
    overwrite: bool = False,
    on_check: Progress | None = None,
    on_build: Progress | None = None,
) -> dict[str, Any]:
    """Build the dataset from a source, as a folder that `load_dataset` opens.

    Args:
        source: A folder in SARDet-100K's layout, see `sarchat2m.source`.
        out: A folder that is empty or not there yet; a path, or a URL that fsspec knows.
        options: What to write.
        workers: Processes to use.
        scheduler: Where to work instead, see `sarchat2m.schedulers`.
        resume: Go on with an interrupted build of the same source and options.
        overwrite: Remove an earlier build in `out` first.
        on_check: Called while the image files are looked at, with how many of how many.
        on_build: Called while the shards are written, with the images done, of all.

    Returns:
        The manifest, as it stands in `out/manifest.json`.

    Raises:
        SARChatError: The source has a problem, or `out` cannot be used; nothing has been written then. Or the disk is
            full, or a file changed meanwhile: then `resume` goes on.
    """
    folder = Folder(out)
    with _telling(folder), nullcontext(scheduler) if scheduler else local_processes(workers) as run:
        state = _look_at(folder)
        _refuse_unasked(folder, state, resume, overwrite)
        content = _read(source, options, run, on_check)
        dialogues = Dialogues(content.categories, options.seed, options.variants, options.subsets)
        identity = _identity(content, options)
        if resume and state is not None:
            _refuse_difference(folder, state, identity)
            if "files" in state:
                _refuse_missing_files(folder, state)
                return _finish(folder, state)
        ranges = list(_plan(content, dialogues, options))
        if overwrite:
            _clear(folder)
        for name in folder.names(Folder.WORKSHOP):
            if name.endswith(".partial"):
                folder.remove(f"{Folder.WORKSHOP}/{name}")
        _refuse_full_disk(folder, ranges)
        if state is None or overwrite:
            folder.write(f"{Folder.WORKSHOP}/plan.json", _as_json(identity))
        files = _write_shards(folder, ranges, content.categories, options, run, on_build)
        manifest = _manifest(content, identity, files)
        folder.write("manifest.json", _as_json(manifest))
        return _finish(folder, manifest)


def read_manifest(dataset: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the manifest of a built folder.

    Raises:
        SARChatError: The folder is not a finished build of ours.
    """
    folder = Folder(dataset)
    manifest: dict[str, Any] | None = _read_json(folder, "manifest.json")
    if manifest is None or "files" not in manifest:
        raise SARChatError(f"{folder.url} is no built dataset (it has no manifest.json); build one: sarchat2m build.")
    if manifest.get("format") != FORMAT:
        raise SARChatError(
            f"{folder.url} was built by another version of sarchat2m; update sarchat2m or build it anew."
        )
    return manifest


def _read(source: str | os.PathLike[str], options: Options, scheduler: Scheduler, progress: Progress | None) -> Source:
    content = read_source(source, options.splits, scheduler=scheduler, progress=progress)
    problems = content.problems
    if problems and not options.skip_bad:
        more = f" There are {len(problems) - 1} more problems: see sarchat2m check." if len(problems) > 1 else ""
        raise SARChatError(f"{problems[0].sentence} Or go on without such images: --skip-bad.{more}")
    if not any(split.scenes for split in content.splits.values()):
        raise SARChatError(f"{content.root} lists no usable image; nothing can be built from it.")
    return content


def _plan(content: Source, dialogues: Dialogues, options: Options) -> Iterator[ImageRange]:
    """Cut every split into ranges, and name the shards: numbers run without a gap within a subset and split."""
    first = 0
    for split in content.splits.values():
        pieces = list(_pieces(split.sizes, options.shard_bytes))
        present = [_subsets_in(split, piece, dialogues) for piece in pieces]
        of = {subset: sum(subset in subsets for subsets in present) for subset in (*SUBSETS, "images")}
        number = dict.fromkeys(of, 0)
        for piece, subsets in zip(pieces, present, strict=True):
            shards = {}
            for subset in subsets:
                shards[subset] = f"data/{subset}/{split.name}-{number[subset]:05d}-of-{of[subset]:05d}.parquet"
                number[subset] += 1
            yield ImageRange(first, split.name, split.scenes[piece], split.paths[piece], split.sizes[piece], shards)
            first += 1


def _pieces(sizes: Sequence[int], limit: int) -> Iterator[slice]:
    start = total = 0
    for position, size in enumerate(sizes):
        if total + size > limit and position > start:
            yield slice(start, position)
            start, total = position, 0
        total += size
    if start < len(sizes):
        yield slice(start, len(sizes))


def _subsets_in(split: SourceSplit, piece: slice, dialogues: Dialogues) -> list[str]:
    present: set[str] = set()
    for scene in split.scenes[piece]:
        present.update(subset for subset, count in dialogues.count(scene).items() if count)
    return [subset for subset in SUBSETS if subset in present] + ["images"]


@contextmanager
def _telling(folder: Folder) -> Iterator[None]:
    """Turn what goes wrong in the output folder into a sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise SARChatError(f"The disk of {folder.url} is full; make room, then go on with --resume.") from error
        raise SARChatError(f"{folder.url}: {error}; mend that, then go on with --resume.") from error


def _write_shards(
    folder: Folder,
    ranges: list[ImageRange],
    categories: tuple[str, ...],
    options: Options,
    scheduler: Scheduler,
    progress: Progress | None,
) -> list[dict[str, Any]]:
    total, done = sum(len(part.scenes) for part in ranges), 0
    files: dict[int, list[dict[str, Any]]] = {}
    begun = {f"{Folder.WORKSHOP}/{name}" for name in folder.names(Folder.WORKSHOP)}
    for part in ranges:
        if part.journal in begun and (written := _finished(folder, part)) is not None:
            files[part.number] = written
            done += len(part.scenes)
    if progress and done:
        progress(done, total)
    left = [part for part in ranges if part.number not in files]
    # Made here once: it takes `datasets`, which would cost every worker a second or two to import.
    from sarchat2m.schema import shard_schema

    schemas = {subset: shard_schema(subset, categories) for subset in (*options.subsets, "images")}
    work = partial(write_range, folder=folder, categories=categories, options=options, schemas=schemas)
    journal = {part.number: part.journal for part in left}
    for number, images, written in scheduler(work, left):
        if folder.size(journal[number]) is None:
            raise SARChatError(f"A worker's {folder.url} is not ours; give a folder or URL that all machines share.")
        files[number] = written
        done += images
        if progress:
            progress(done, total)
    return [file for number in sorted(files) for file in files[number]]


def _finished(folder: Folder, part: ImageRange) -> list[dict[str, Any]] | None:
    """Give the manifest's entries of a range whose shards are all there, otherwise None."""
    journal: list[dict[str, Any]] | None = _read_json(folder, part.journal)
    whole = journal is not None and all(folder.size(file["path"]) == file["bytes"] for file in journal)
    return journal if whole else None


def write_range(
    part: ImageRange, folder: Folder, categories: tuple[str, ...], options: Options, schemas: dict[str, pa.Schema]
) -> tuple[int, int, list[dict[str, Any]]]:
    """Write all shards of one range, and then the journal that tells that they are done.

    Returns:
        The range's number, its number of images, and an entry for the manifest of each shard.

    Raises:
        SARChatError: An image file is gone or has changed, or the disk is full.
    """
    dialogues = Dialogues(categories, options.seed, options.variants, options.subsets)
    with _telling(folder), _without_collector():
        # A cluster runs a range again when the worker is lost that has just written it.
        if (written := _finished(folder, part)) is not None:
            return part.number, len(part.scenes), written
        with folder.replacing(*part.shards.values()) as sinks, ExitStack() as stack:
            writers = {
                subset: stack.enter_context(ShardWriter(sink, subset, schemas[subset]))
                for subset, sink in zip(part.shards, sinks, strict=True)
            }
            for scene, path, size in zip(part.scenes, part.paths, part.sizes, strict=True):
                image = _read_image(path, size)
                rows: dict[str, list[Record]] = {"images": [Record("", "images", "", "", scene.targets)]}
                for record in dialogues.tell(scene):
                    rows.setdefault(record.subset, []).append(record)
                for subset, records in rows.items():
                    writers[subset].add(scene, image, records)
            entries = []
            for subset, writer in writers.items():
                length, sha256 = writer.close()
                entries.append({"path": part.shards[subset], "records": writer.rows, "bytes": length, "sha256": sha256})
        folder.write(part.journal, _as_json(entries))
    return part.number, len(part.scenes), entries


@contextmanager
def _without_collector() -> Iterator[None]:
    """Keep Python from looking for cycles among the records, which have none and are freed without: a twentieth."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _read_image(path: str, size: int) -> bytes:
    try:
        image = Path(path).read_bytes()
    except OSError as error:
        raise SARChatError(f"{path} can no longer be read ({error.strerror}); put it back, then --resume.") from error
    if len(image) != size:
        raise SARChatError(f"{path} has changed since the build began; put it back, then go on with --resume.")
    return image


def _identity(content: Source, options: Options) -> dict[str, Any]:
    """Give everything that decides the bytes of a build."""
    return {
        "format": FORMAT,
        "sarchat2m": __version__,
        "versions": {name: version(name) for name in ("pyarrow", "datasets", "huggingface_hub")},
        "seed": options.seed,
        "categories": list(content.categories),
        "options": {
            "splits": list(content.splits),
            "subsets": list(options.subsets),
            "variants": options.variants,
            "shard_bytes": options.shard_bytes,
            "skip_bad": options.skip_bad,
        },
        "source": {"fingerprint": content.fingerprint},
    }


def _manifest(content: Source, identity: dict[str, Any], files: list[dict[str, Any]]) -> dict[str, Any]:
    records: dict[str, dict[str, int]] = {}
    for file in files:
        _, subset, name = file["path"].split("/")
        split = name.partition("-")[0]
        counts = records.setdefault(subset, {})
        counts[split] = counts.get(split, 0) + file["records"]
    source = {
        split.name: {
            "images": len(split.scenes),
            "images_without_targets": split.without_targets,
            **asdict(split.tally),
            "categories": {
                name: asdict(tally) for name, tally in zip(content.categories, split.by_category, strict=True)
            },
        }
        for split in content.splits.values()
    }
    return identity | {
        "source": identity["source"] | {"splits": source},
        "images": records.get("images", {}),
        "records": {subset: records[subset] for subset in SUBSETS if subset in records},
        # The manifest is published: it names files as they lie in the source, not where somebody keeps that.
        "skipped": [problem.sentence.replace(f"{content.root}/", "") for problem in content.problems],
        "files": files,
    }


def _finish(folder: Folder, manifest: dict[str, Any]) -> dict[str, Any]:
    """Write the card, without which nobody can load the dataset, and clear the workshop away."""
    from sarchat2m.card import write_card

    if folder.names(Folder.WORKSHOP):
        write_card(folder.url)
        folder.remove(Folder.WORKSHOP)
    return manifest


def _as_json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _read_json(folder: Folder, name: str) -> Any:
    content = folder.read(name)
    try:
        return None if content is None else json.loads(content)
    except ValueError:
        return None


def _look_at(folder: Folder) -> dict[str, Any] | None:
    """Find what stands in the output folder: nothing, or the identity of a build of ours, finished or not."""
    if folder.is_file():
        raise SARChatError(f"{folder.url} is a file; give a folder for the output.")
    if set(folder.path()) & set("*?["):
        raise SARChatError(
            f"{folder.path()} has one of * ? [ in its path, which `load_dataset` could not open; give another folder."
        )
    names = folder.names()
    plan = _read_json(folder, f"{Folder.WORKSHOP}/plan.json")
    if not set(names) - {Folder.WORKSHOP}:
        return plan if isinstance(plan, dict) else None
    state = _read_json(folder, "manifest.json") or plan
    if not isinstance(state, dict) or not {"format", "sarchat2m"} <= set(state):
        raise SARChatError(
            f"{folder.url} holds something else ({names[0]}, for one) and is left as it is; give an empty folder."
        )
    return state


def _refuse_unasked(folder: Folder, state: dict[str, Any] | None, resume: bool, overwrite: bool) -> None:
    if resume and overwrite:
        raise SARChatError("--resume and --overwrite exclude each other; give one of them.")
    if state is not None and not (resume or overwrite):
        kind = "a finished" if "files" in state else "an interrupted"
        raise SARChatError(f"{folder.url} holds {kind} build; go on with it by --resume, or replace it by --overwrite.")


def _refuse_difference(folder: Folder, state: dict[str, Any], identity: dict[str, Any]) -> None:
    def flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
        for key, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{key} ")
            else:
                yield f"{prefix}{key}", value

    there, here = dict(flat(state)), dict(flat(identity))
    for name, value in here.items():
        if there.get(name) != value:
            raise SARChatError(
                f"{folder.url} was begun with another {name} ({there.get(name)!s:.80} there, {value!s:.80} here); "
                "give the same, or start anew with --overwrite."
            )


def _refuse_missing_files(folder: Folder, manifest: dict[str, Any]) -> None:
    for file in manifest["files"]:
        if folder.size(file["path"]) != file["bytes"]:
            raise SARChatError(f"{folder.path(file['path'])} is missing or cut off; build anew with --overwrite.")


def _refuse_full_disk(folder: Folder, ranges: list[ImageRange]) -> None:
    if not folder.is_local():
        return
    needed = sum(sum(part.sizes) * len(part.shards) for part in ranges)
    needed -= sum(folder.size(name) or 0 for part in ranges for name in part.shards.values())
    place = Path(folder.path())
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    # Images of a range that a subset leaves out are counted too, text is not: the estimate is rough, so only a clear
    # lack of room is an error here.
    if free < needed // 2:
        raise SARChatError(
            f"The build takes up to {_room(needed)}, {place} has {_room(free)} free; make room or build fewer subsets."
        )


def _room(length: int) -> str:
    return f"{length / 1e9:.1f} GB" if length >= 1e9 else f"{length / 1e6:.1f} MB"


_OURS = re.compile(rf"(?:{'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.parquet")


def _clear(folder: Folder) -> None:
    """Remove an earlier build: the files that a build writes, and nothing that somebody put beside them."""
    for subset in (*SUBSETS, "images"):
        names = folder.names(f"data/{subset}")
        for name in names:
            if _OURS.fullmatch(name):
                folder.remove(f"data/{subset}/{name}")
        if names and not folder.names(f"data/{subset}"):
            folder.remove(f"data/{subset}")
    for name in ("README.md", "manifest.json", Folder.WORKSHOP):
        folder.remove(name)
