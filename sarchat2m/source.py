"""SARDet-100K, or any COCO detection set in its layout, read into scenes; what is wrong with it is told clearly.

    SOURCE/Annotations/{train,val,test}.json      COCO detection format
    SOURCE/JPEGImages/<file_name>                 or
    SOURCE/JPEGImages/<split>/<file_name>

`read_source` looks at everything before anybody writes anything: the annotations, and the header of every image file.
What is wrong with one image is a `Problem`; what is wrong with a whole file is raised at once.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from sarchat2m.errors import SARChatError
from sarchat2m.geometry import clip_box, written_box
from sarchat2m.scene import Scene, Target
from sarchat2m.schedulers import Scheduler
from sarchat2m.vocabulary import CATEGORIES, SPLITS

__all__ = ["Problem", "Source", "SourceSplit", "Tally", "read_categories", "read_source"]

SOURCE_NAMES = {"train": "train", "validation": "val", "test": "test"}
"""What SARDet-100K calls our splits, in its file and folder names."""

Progress = Callable[[int, int], None]
"""Told how many of how many images are done."""


class Problem(NamedTuple):
    """Something wrong with one image of the source or with its annotations."""

    image_id: int
    sentence: str
    """What, where, and how to mend it."""


@dataclass
class Tally:
    """What the annotations of one split, or of one category in it, come to."""

    annotations: int = 0
    usable: int = 0
    unusable: int = 0
    """Less than one pixel of width or height is left within the image."""
    crowd: int = 0
    """`iscrowd` is 1."""
    ignored: int = 0
    """`ignore` is 1."""
    skipped: int = 0
    """Would be usable, but the image has a problem."""


@dataclass
class SourceSplit:
    """One split: its scenes in the order of the annotation file, each with its image file."""

    name: str
    scenes: list[Scene] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    """Where the image of each scene lies."""
    sizes: list[int] = field(default_factory=list)
    """Bytes of each of these files."""
    tally: Tally = field(default_factory=Tally)
    by_category: list[Tally] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    @property
    def without_targets(self) -> int:
        """Number of images without a usable target."""
        return sum(not scene.targets for scene in self.scenes)


@dataclass
class Source:
    """A detection set as the build takes it."""

    root: Path
    categories: tuple[str, ...]
    """In canonical order: SARDet-100K's for its six, for any other set that of the annotation file."""
    splits: dict[str, SourceSplit]
    fingerprint: str
    """SHA-256 over the annotation files and the name and length of every image file."""

    @property
    def problems(self) -> list[Problem]:
        """Everything that is wrong with single images, split by split."""
        return [problem for split in self.splits.values() for problem in split.problems]


def read_source(
    root: str | os.PathLike[str],
    splits: Sequence[str] | None = None,
    *,
    deep: bool = False,
    scheduler: Scheduler = map,
    progress: Progress | None = None,
) -> Source:
    """Read the annotations of a source and the header of every image.

    Args:
        root: The folder that holds `Annotations` and `JPEGImages`.
        splits: Of "train", "validation", "test"; by default those that have an annotation file.
        deep: Decode every image as well, which finds files that are cut off.
        scheduler: Where to look at the image files; by default in this process.
        progress: Called with the number of images looked at and of all.

    Returns:
        The source. Images with a problem are left out of its splits and listed in `problems`; whether that is an error
        is for the caller to say.

    Raises:
        SARChatError: The folder or an annotation file cannot be used at all.
    """
    root = Path(root).absolute()  # the workers of a cluster run in other folders
    files = _annotation_files(root, splits)
    digest = hashlib.sha256()
    documents = {}
    for split, file in files.items():
        documents[split] = _read_document(file, digest)
    categories = _canonical_categories({files[split]: documents[split]["categories"] for split in files})
    found: dict[str, SourceSplit] = {}
    for split, file in files.items():
        found[split] = _read_split(split, file, documents.pop(split), categories)
        _find_image_files(root, found[split], file)
    _inspect_images(list(found.values()), deep, scheduler, progress)
    for part in found.values():
        _drop_problems(part)
        for scene, size in zip(part.scenes, part.sizes, strict=True):
            digest.update(f"{part.name}/{scene.file_name}/{size}\n".encode())
    return Source(root, categories, found, digest.hexdigest())


def read_categories(root: str | os.PathLike[str]) -> tuple[str, ...]:
    """Read only the category names of a source, in canonical order.

    Raises:
        SARChatError: There is no usable annotation file.
    """
    files = _annotation_files(Path(root), None)
    return _canonical_categories({file: _read_document(file)["categories"] for file in files.values()})


def _annotation_files(root: Path, splits: Sequence[str] | None) -> dict[str, Path]:
    if not root.is_dir():
        raise SARChatError(f"{root}: no such folder; give the folder that holds Annotations and JPEGImages.")
    for folder in ("Annotations", "JPEGImages"):
        if not (root / folder).is_dir():
            raise SARChatError(
                f"{root} has no folder {folder}; the layout is Annotations/{{train,val,test}}.json beside JPEGImages/."
            )
    unknown = [split for split in splits or () if split not in SPLITS]
    if unknown:
        raise SARChatError(f"There is no split {unknown[0]!r}; choose of {', '.join(SPLITS)}.")
    files = {split: root / "Annotations" / f"{SOURCE_NAMES[split]}.json" for split in SPLITS}
    if splits is not None:
        files = {split: file for split, file in files.items() if split in splits}
        for file in files.values():
            if not file.is_file():
                raise SARChatError(f"{file}: no such file; put it there or leave its split out.")
    else:
        files = {split: file for split, file in files.items() if file.is_file()}
    if not files:
        raise SARChatError(f"{root / 'Annotations'} holds none of train.json, val.json, test.json; put one there.")
    return files


def _read_document(file: Path, digest: Any = None) -> dict[str, Any]:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise SARChatError(f"{file} cannot be read ({error.strerror}); check its permissions.") from error
    if digest is not None:
        digest.update(content)
    try:
        document: dict[str, Any] = json.loads(content)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
        raise SARChatError(f"{file} is not valid JSON ({where}): it may be cut off; fetch it again.") from error
    for key in ("images", "annotations", "categories"):
        if not isinstance(document, dict) or not isinstance(document.get(key), list):
            raise SARChatError(f"{file} has no list {key!r}; it must be a COCO detection file.")
        strange = next((item for item in document[key] if not isinstance(item, dict)), None)
        if strange is not None:
            raise SARChatError(
                f"{file}: {key!r} holds {strange!r:.60}, which is no object; it must be a COCO detection file."
            )
    return document


def _canonical_categories(listed: dict[Path, list[dict[str, Any]]]) -> tuple[str, ...]:
    """Order the category names: as `CATEGORIES` if they are these, else as the first annotation file has them."""
    first: tuple[str, ...] = ()
    for file, entries in listed.items():
        names = tuple(_category_name(file, entry) for entry in entries)
        if not names:
            raise SARChatError(f"{file} lists no categories; a detection set needs at least one.")
        for label, values in (("name", names), ("id", [entry["id"] for entry in entries])):
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                raise SARChatError(f"{file}: two categories have the {label} {twice[0]!r}; give each its own.")
        if first and set(first) != set(names):
            odd, other = ", ".join(sorted(set(first) ^ set(names))), next(iter(listed)).name
            raise SARChatError(
                f"{file} does not list the same categories as {other} (they differ in {odd}); make the lists equal."
            )
        first = first or names
    return CATEGORIES if set(first) == set(CATEGORIES) else first


def _category_name(file: Path, entry: dict[str, Any]) -> str:
    name, identifier = entry.get("name"), entry.get("id")
    if not isinstance(name, str) or not name.strip() or not _is_integer(identifier):
        raise SARChatError(f"{file}: category {entry!r:.80} needs an integer 'id' and a 'name'.")
    if not any(map(str.isalpha, name)) or set(name) & set("<>{}[]\n"):
        # Such a name could not be told from the numbers and boxes of an answer.
        raise SARChatError(f"{file}: category {name!r:.80} is no name to say in a sentence; use letters, no brackets.")
    # The six are written in lower case throughout the paper; releases of SARDet-100K's parts differ in that.
    return name.strip().lower() if name.strip().lower() in CATEGORIES else name.strip()


def _is_integer(value: object) -> bool:
    # Ids end up in 64-bit columns.
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _read_split(split: str, file: Path, document: dict[str, Any], categories: tuple[str, ...]) -> SourceSplit:
    found = SourceSplit(split, by_category=[Tally() for _ in categories])
    position = {entry["id"]: categories.index(_category_name(file, entry)) for entry in document["categories"]}
    images = _read_images(file, document["images"], found)
    targets: dict[int, list[Target]] = {identifier: [] for identifier in images}
    seen: set[int] = set()
    for annotation in document["annotations"]:
        identifier, image_id = annotation.get("id"), annotation.get("image_id")
        if not _is_integer(identifier):
            raise SARChatError(f"{file}: annotation {annotation!r:.80} needs an integer 'id'; number the annotations.")
        where = f"{file}, annotation {identifier}"
        if not _is_integer(image_id):
            raise SARChatError(f"{where} needs an integer 'image_id'; add it.")
        image = images.get(image_id)
        if image is None:
            sentence = f"{where} is for image {image_id}, which is not listed; list the image or remove the annotation."
            found.problems.append(Problem(image_id, sentence))
            continue
        fault, target = _read_annotation(annotation, image, position, seen, found)
        seen.add(identifier)
        if fault:
            found.problems.append(Problem(image_id, f"{where} (image {image['file_name']}) {fault}."))
        elif target is not None:
            targets[image_id].append(target)
    for identifier, image in images.items():
        found.scenes.append(
            Scene(
                split,
                identifier,
                image["file_name"],
                image["width"],
                image["height"],
                tuple(sorted(targets[identifier])),
            )
        )
    return found


def _read_images(file: Path, entries: list[dict[str, Any]], found: SourceSplit) -> dict[int, dict[str, Any]]:
    """Index the entries by id. Where two share an id or a file name, nobody can say which is meant: both are bad."""
    images: dict[int, dict[str, Any]] = {}
    named: dict[str, int] = {}
    for entry in entries:
        identifier: Any = entry.get("id")
        name: Any = entry.get("file_name")
        if not _is_integer(identifier):
            raise SARChatError(f"{file}: image {entry!r:.80} needs an integer 'id'; number the images.")
        where = f"{file}, image {identifier}"
        if identifier in images:
            found.problems.append(Problem(identifier, f"{where} is listed twice; give each image an id of its own."))
            continue
        images[identifier] = entry
        if not isinstance(name, str) or not name:
            entry["file_name"] = ""
            found.problems.append(Problem(identifier, f"{where} has no 'file_name'; add it."))
        elif name.startswith("/") or ".." in Path(name).parts:
            found.problems.append(Problem(identifier, f"{where}: file name {name!r} leads out of JPEGImages; mend it."))
        elif name in named:
            sentence = (
                f"{where} has the file name {name!r} of image {named[name]} too; give each image a file of its own."
            )
            found.problems += [Problem(identifier, sentence), Problem(named[name], sentence)]
        else:
            named[name] = identifier
        for side in ("width", "height"):
            if not _is_integer(entry.get(side)) or entry[side] < 1:
                sentence = (
                    f"{where} ({name}) has {side} {entry.get(side)!r}; it must be a whole number of pixels above 0."
                )
                found.problems.append(Problem(identifier, sentence))
                entry["width"] = entry["height"] = 1
    return images


def _read_annotation(
    annotation: dict[str, Any],
    image: dict[str, Any],
    position: dict[int, int],
    seen: set[int],
    found: SourceSplit,
) -> tuple[str, Target | None]:
    """Read one annotation: what is wrong with it (or ""), and the target that it makes, if it makes one."""
    identifier = annotation["id"]
    if identifier in seen:
        return "has the id of another annotation; give each an id of its own", None
    category = position.get(annotation["category_id"]) if _is_integer(annotation.get("category_id")) else None
    if category is None:
        return f"has the category id {annotation.get('category_id')!r}, which is not listed; list it or mend it", None
    bbox = annotation.get("bbox")
    if not isinstance(bbox, list) or len(bbox) != 4 or not all(isinstance(v, (int, float)) for v in bbox):
        return f"has the box {bbox!r:.60}; it must be [x, y, width, height]", None
    tallies = (found.tally, found.by_category[category])
    for tally in tallies:
        tally.annotations += 1
    x, y, box_width, box_height = bbox
    # NaN compares as false too; beyond a billion no pixel is meant, and floats grow coarse.
    if not all(abs(value) < 1e9 for value in bbox):
        return f"has the box {bbox}, which is not a finite number of pixels; mend or remove it", None
    if box_width < 0 or box_height < 0:
        return f"has the box {bbox} of negative size; mend or remove it", None
    if annotation.get("iscrowd") == 1:
        for tally in tallies:
            tally.crowd += 1
        return "", None
    if annotation.get("ignore") == 1:
        for tally in tallies:
            tally.ignored += 1
        return "", None
    width, height = image["width"], image["height"]
    x1, y1, x2, y2 = clip_box((x, y, box_width, box_height), width, height)
    if x2 - x1 < 1 or y2 - y1 < 1:
        for tally in tallies:
            tally.unusable += 1
        return "", None
    for tally in tallies:
        tally.usable += 1
    inside = x >= 0 and y >= 0 and x + box_width <= width and y + box_height <= height
    return "", Target.of(
        identifier, category, written_box((x, y, box_width, box_height), width, height), inside, width, height
    )


def _find_image_files(root: Path, split: SourceSplit, file: Path) -> None:
    """Fill in paths and sizes. Folders are listed once: a stat for each of a hundred thousand names is much slower."""
    listings: dict[Path, dict[str, int]] = {}

    def size_of(path: Path) -> int | None:
        if path.parent not in listings:
            try:
                with os.scandir(path.parent) as entries:
                    listings[path.parent] = {entry.name: entry.stat().st_size for entry in entries if entry.is_file()}
            except OSError:
                listings[path.parent] = {}
        return listings[path.parent].get(path.name)

    folders = (root / "JPEGImages", root / "JPEGImages" / SOURCE_NAMES[split.name])
    already = {problem.image_id for problem in split.problems}
    for scene in split.scenes:
        candidates = [folder / scene.file_name for folder in folders]
        path, size = next(
            ((path, size) for path in candidates if (size := size_of(path)) is not None), (candidates[0], 0)
        )
        split.paths.append(str(path))
        split.sizes.append(size)
        if size == 0 and scene.image_id not in already:
            state = "is empty" if path.is_file() else "is missing"
            sentence = f"{file}, image {scene.image_id}: the file {path} {state}; fetch it again or remove the image."
            split.problems.append(Problem(scene.image_id, sentence))


class _Expected(NamedTuple):
    path: str
    width: int
    height: int


class _Chunk(NamedTuple):
    """Image files to look at in one go: of which split, from which positions on."""

    split: str
    positions: list[int]
    expected: list[_Expected]


def _inspect_images(splits: list[SourceSplit], deep: bool, scheduler: Scheduler, progress: Progress | None) -> None:
    chunks = []
    for split in splits:
        bad = {problem.image_id for problem in split.problems}
        good = [i for i, scene in enumerate(split.scenes) if scene.image_id not in bad]
        for start in range(0, len(good), 512):
            positions = good[start : start + 512]
            expected = [_Expected(split.paths[i], split.scenes[i].width, split.scenes[i].height) for i in positions]
            chunks.append(_Chunk(split.name, positions, expected))
    total, done = sum(len(chunk.positions) for chunk in chunks), 0
    faults: dict[str, dict[int, str]] = {split.name: {} for split in splits}
    for name, count, found in scheduler(partial(_inspect_chunk, deep=deep), chunks):
        faults[name].update(found)
        done += count
        if progress:
            progress(done, total)
    for split in splits:
        for position, fault in sorted(faults[split.name].items()):
            scene = split.scenes[position]
            sentence = f"{split.paths[position]} (image {scene.image_id} of {SOURCE_NAMES[split.name]}.json) {fault}."
            split.problems.append(Problem(scene.image_id, sentence))


def _inspect_chunk(chunk: _Chunk, deep: bool) -> tuple[str, int, dict[int, str]]:
    """Give the split, the number of images, and what is wrong with those where something is."""
    faults = ((i, _inspect(image, deep)) for i, image in zip(chunk.positions, chunk.expected, strict=True))
    return chunk.split, len(chunk.positions), {i: fault for i, fault in faults if fault}


def _inspect(expected: _Expected, deep: bool) -> str:
    """Compare a file's header with its entry; give what is wrong, or an empty text."""
    try:
        with Image.open(expected.path) as image:
            if image.size != (expected.width, expected.height):
                stated = f"{expected.width} × {expected.height}"
                return f"is {image.width} × {image.height} pixels, its entry says {stated}; mend the one that is wrong"
            if deep:
                image.load()
    except Exception as error:  # Pillow's readers raise whatever a broken file leads them to, SyntaxError among it
        what = "cannot be decoded" if deep else "has no readable image header"
        return f"{what} ({type(error).__name__}); fetch it again or remove the image"
    return ""


def _drop_problems(split: SourceSplit) -> None:
    """Leave out the images that have a problem, and count their targets as skipped."""
    bad = {problem.image_id for problem in split.problems}
    if not bad:
        return
    for scene in split.scenes:
        for target in scene.targets if scene.image_id in bad else ():
            for tally in (split.tally, split.by_category[target.category]):
                tally.usable -= 1
                tally.skipped += 1
    keep = [i for i, scene in enumerate(split.scenes) if scene.image_id not in bad]
    split.scenes = [split.scenes[i] for i in keep]
    split.paths = [split.paths[i] for i in keep]
    split.sizes = [split.sizes[i] for i in keep]
