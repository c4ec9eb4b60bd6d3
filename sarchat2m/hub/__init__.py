"""A built folder becomes a dataset on the Hub, the metric becomes a Space, and parts of a dataset come back.

`push` and `push_metric` are one procedure: compare what stands in the repository with what should, by hash; send what
differs; compare again; tag. So a second run finds nothing to do, and a run after an interruption does only what is
left. `pull` is the same the other way round. Files travel by huggingface_hub, with Xet where the server has it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from sarchat2m import __version__
from sarchat2m.build import read_manifest
from sarchat2m.errors import SARChatError
from sarchat2m.hub.folder import (
    CARD,
    MANIFEST,
    Manifest,
    damaged,
    limit_card,
    limit_manifest,
    parse_manifest,
    part_of,
    pictures_of,
    write_whole,
)
from sarchat2m.hub.repository import Remote, Repository, differing, in_one_sentence
from sarchat2m.locations import metric_path
from sarchat2m.vocabulary import CONFIGS, SPLITS

__all__ = ["Pulled", "Pushed", "pull", "push", "push_metric"]

METRIC = "sarchat_bench"

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Pushed:
    """What came of a push."""

    url: str
    """The page of the repository."""
    revision: str
    """The branch, or the ref of the pull request, that was pushed to."""
    commit: str
    """The commit that holds everything now."""
    sent: tuple[str, ...]
    """The files that differed and were sent; none when all of them stood there already."""
    bytes_sent: int
    """The size of those files; what of it the Hub had stored already was not sent again."""
    deleted: tuple[str, ...]
    """The remote files that no longer belonged."""
    tag: str | None
    """The tag on the commit."""
    load_line: str
    """The Python that loads it."""


@dataclass(frozen=True)
class Pulled:
    """What came of a pull."""

    folder: Path
    files: tuple[str, ...]
    """All data files that are in the folder now."""
    fetched: tuple[str, ...]
    """Those of them that were fetched."""
    bytes_fetched: int
    commit: str
    """The commit that they stand in."""


@dataclass(frozen=True)
class _Content:
    """What is to stand in a repository."""

    folder: Path
    sha256: Mapping[str, str | None]
    """Its files, with their hashes where they are known."""
    removable: str
    """A pattern of the remote files that may be deleted when they are not among `sha256`."""
    mark: str
    """The file that shows that a repository is one of these, if `is_mark` says so of its content."""
    is_mark: Callable[[bytes], bool]
    from_the_start: tuple[str, ...]
    """What a new repository holds."""
    load: Callable[[str], str]
    """Gives the Python that loads it, from the arguments for repository and revision."""


def push(
    dataset: str | os.PathLike[str],
    repo_id: str,
    *,
    private: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    tag: str | None = "auto",
    overwrite: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
    tell: Tell = lambda sentence: None,
) -> Pushed:
    """Publish a built folder as a dataset on the Hub; run again, go on where it stopped.

    The checksums of the manifest are verified before anything is sent, and the hashes of the remote files after. Only
    files that differ are sent; files under `data/` that the build does not have are deleted on the Hub.

    Args:
        dataset: The folder that `sarchat2m build` wrote.
        repo_id: The repository as "owner/name"; it is created if it is not there.
        private: Create it private. That an existing one is public is then an error.
        revision: The branch to push to, "main" by default, or "refs/pr/1"; a branch that is not there starts from main.
        create_pr: Open a pull request instead, or go on with the open one of an earlier run.
        tag: The tag for the commit. "auto" is "v" and the version that built the dataset, on main only; None is none.
            A tag that stands on another commit already is left there, and `Pushed.tag` is None.
        overwrite: Push even into a repository that holds something other than a build.
        token: A token with the right to write; by default HF_TOKEN or the one saved by `hf auth login`.
        endpoint: Another Hub than the one of HF_ENDPOINT, which is huggingface.co by default.
        tell: Called with a sentence before each step.

    Raises:
        SARChatError: The folder is no complete build, the token does not suffice, the repository holds something else,
            the Hub is full or out of reach. Nothing is changed then, or the next run goes on from there.

    Example:
        >>> push("OUT", "org/sarchat2m").load_line  # doctest: +SKIP
        'load_dataset("org/sarchat2m", "referring")'
    """
    folder = Path(dataset)
    repository = Repository("dataset", repo_id, token, endpoint)
    manifest = read_manifest(folder)
    if not (folder / CARD).is_file():
        raise SARChatError(f"{folder} has no {CARD}: go on with its build by `sarchat2m build --resume`.")
    if "part_of" in manifest:
        raise SARChatError(
            f"{folder} holds only parts of {manifest['part_of']['repo_id']}, and pushing it would delete the others: "
            "pull the whole dataset, or build the parts that you want with `sarchat2m build`."
        )
    tell(f"Checking {len(manifest['files'])} files in {folder}")
    for path in damaged(folder, manifest):
        raise SARChatError(f"{folder / path} is not the file that {MANIFEST} describes: run `sarchat2m build` again.")
    folders = {part_of(file["path"])[0] for file in manifest["files"]}
    config = "referring" if folders & set(CONFIGS["referring"]) else min(folders)
    content = _Content(
        folder,
        {
            **dict.fromkeys([CARD, *pictures_of(folder), MANIFEST]),
            **{file["path"]: file["sha256"] for file in manifest["files"]},
        },
        removable="data/*",
        mark=MANIFEST,
        is_mark=lambda found: parse_manifest(found) is not None,
        from_the_start=(".gitattributes",),
        load=lambda place: f'load_dataset("{repo_id}", "{config}"{place})',
    )
    version = manifest["sarchat2m"]
    if tag == "auto":
        tag = f"v{version}" if revision in (None, "main") and not create_pr else None
    title = f"Upload SARChat-2M, built by sarchat2m {version}"
    return _publish(repository, content, title, private, revision, create_pr, tag, overwrite, tell)


def push_metric(
    space_id: str,
    *,
    folder: str | os.PathLike[str] | None = None,
    private: bool = False,
    revision: str | None = None,
    create_pr: bool = False,
    tag: str | None = "auto",
    overwrite: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
    tell: Tell = lambda sentence: None,
) -> Pushed:
    """Publish the metric as a Space, where `evaluate.load` finds it and its page runs.

    Args:
        space_id: The Space as "owner/sarchat_bench": evaluate looks in it for a script of the Space's name.
        folder: The metric's folder, by default the one of this installation.
        private: As for `push`, and so are revision, create_pr, overwrite, token, endpoint and tell.
        tag: As for `push`, but "auto" is "sarchat2m-" and the version: evaluate takes a tag such as "v0.4.6", its own
            version, for the script to load.

    Raises:
        SARChatError: As for `push`.

    Example:
        >>> push_metric("org/sarchat_bench").load_line  # doctest: +SKIP
        'evaluate.load("org/sarchat_bench")'
    """
    repository = Repository("space", space_id, token, endpoint)
    owner, _, name = space_id.partition("/")
    if name != METRIC:
        raise SARChatError(
            f"evaluate looks in a Space for a script of the Space's name, and this one is {METRIC}.py: "
            f'push to "{owner}/{METRIC}".'
        )
    folder = metric_path() if folder is None else Path(folder)
    for needed in (f"{METRIC}.py", CARD):
        if not (folder / needed).is_file():
            raise SARChatError(f"{folder} is not the metric's folder, it has no {needed}: check the path.")
    files = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    own = [path.as_posix() for path in files if not any(part.startswith((".", "__pycache__")) for part in path.parts)]
    content = _Content(
        folder,
        dict.fromkeys(own),
        removable="*.py",
        mark=f"{METRIC}.py",
        is_mark=lambda found: True,
        from_the_start=(".gitattributes", CARD),  # the Hub writes a card into every new Space
        load=lambda place: f'evaluate.load("{space_id}"{place})',
    )
    if tag == "auto":
        tag = f"sarchat2m-{__version__}" if revision in (None, "main") and not create_pr else None
    title = f"Upload SARChat-Bench of sarchat2m {__version__}"
    return _publish(repository, content, title, private, revision, create_pr, tag, overwrite, tell)


def _publish(
    repository: Repository,
    content: _Content,
    title: str,
    private: bool,
    revision: str | None,
    create_pr: bool,
    tag: str | None,
    overwrite: bool,
    tell: Tell,
) -> Pushed:
    """Make the repository hold the content: see, send, see again, tag."""
    if create_pr and revision not in (None, "main"):
        raise SARChatError(f'A pull request goes to main: leave out the revision "{revision}" or the pull request.')
    with in_one_sentence(repository):
        tell(f"Looking at {repository.url}")
        author = repository.writer()
        is_private = repository.is_private()
        if is_private is None:
            repository.create(private)
        elif private and not is_private:
            raise SARChatError(f"{repository.id} is public already: make it private in its settings on the Hub first.")
        # From here on an open pull request of ours is a branch like any other.
        open_request = repository.pull_request(title, author) if create_pr else None
        branch, opens_request = open_request or revision or "main", create_pr and not open_request

        is_there = repository.has_revision(branch)
        commit, before = repository.files(branch if is_there else "main")
        sent = differing(content.folder, content.sha256, before)
        deleted = [path for path in before if fnmatch(path, content.removable) and path not in content.sha256]
        if not overwrite:
            _demand_ours(repository, content, commit, before, sent)
        if not is_there:
            repository.create_branch(branch)
        size = sum((content.folder / path).stat().st_size for path in sent)
        if sent or deleted:
            tell(f"Sending {len(sent)} of {len(content.sha256)} files, {size / 1e6:,.1f} MB")
            branch = repository.upload(content.folder, sent, deleted, title, branch, opens_request)
            tell("Comparing what the Hub has now")
            commit, after = repository.files(branch)
            for path in differing(content.folder, content.sha256, after):
                raise SARChatError(f"{path} did not arrive on the Hub as it is in {content.folder}: push again.")
        if tag is not None and (tagged := repository.tag(tag, commit)) != commit:
            tell(f"The tag {tag} stays on commit {tagged[:7]}, where it was: choose another for this one")
            tag = None
    place = "" if branch == "main" else f', revision="{branch}"'
    return Pushed(repository.url, branch, commit, tuple(sent), size, tuple(deleted), tag, content.load(place))


def _demand_ours(repository: Repository, content: _Content, commit: str, before: Remote, sent: Sequence[str]) -> None:
    """Refuse a repository with other content. A file that is the same here is none: it came from a broken first run."""
    foreign = [p for p in before if p not in content.from_the_start and (p not in content.sha256 or p in sent)]
    mark = repository.read(content.mark, commit) if content.mark in before else None
    if foreign and (mark is None or not content.is_mark(mark)):
        raise SARChatError(
            f"{repository.id} holds something else already, such as {foreign[0]}: choose another name, or push with "
            "--overwrite."
        )


def pull(
    repo_id: str,
    out: str | os.PathLike[str],
    *,
    configs: Sequence[str] | None = None,
    splits: Sequence[str] | None = None,
    revision: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    tell: Tell = lambda sentence: None,
) -> Pulled:
    """Fetch a dataset, or parts of it, into a folder that is then a build of just those parts.

    The card and the manifest in `out` declare what has been fetched, now or before, and nothing else, so that
    `load_dataset(out, config)` and this library's commands work there. Run again, it goes on where it stopped; with
    other parts it adds them.

    Args:
        repo_id: The dataset as "owner/name".
        out: A new or empty folder, or one with parts of the same build.
        configs: Names of `vocabulary.CONFIGS`; all by default.
        splits: Names of `vocabulary.SPLITS`; all by default.
        revision: A branch, a tag, "refs/pr/1" or a commit; main by default.
        token: A token that may read it; by default HF_TOKEN or the one saved by `hf auth login`, if any.
        endpoint: As for `push`, and so is tell.

    Raises:
        SARChatError: There is no such dataset, revision, config or split; the repository holds no build; `out` holds
            something else; a file does not match its checksum; the Hub is out of reach.

    Example:
        >>> pull("org/sarchat2m", "OUT", configs=["counting"], splits=["test"]).files  # doctest: +SKIP
        ('data/counting/test-00000-of-00001.parquet',)
    """
    out = Path(out)
    repository = Repository("dataset", repo_id, token, endpoint)
    for kind, chosen, known in (("config", configs, tuple(CONFIGS)), ("split", splits, SPLITS)):
        for name in chosen or ():
            if name not in known:
                raise SARChatError(f'There is no {kind} "{name}": choose from {", ".join(known)}.')
    with in_one_sentence(repository):
        tell(f"Looking at {repository.url}")
        commit = repository.commit_of(revision or "main")
        whole = repository.read(MANIFEST, commit) or b""
        manifest = parse_manifest(whole)
        card = repository.read(CARD, commit)
        if manifest is None or card is None:
            raise SARChatError(f"{repo_id} holds no build of sarchat2m at {revision or 'main'}: check the name.")
        sizes = {file["path"]: file["bytes"] for file in manifest["files"]}
        folders = {folder for config in configs or CONFIGS for folder in CONFIGS[config]}
        chosen_paths = {
            path for path in sizes if part_of(path)[0] in folders and part_of(path)[1] in (splits or SPLITS)
        }
        if not chosen_paths:
            there = sorted({" ".join(part_of(path)) for path in sizes})
            raise SARChatError(f"{repo_id} has none of these parts: choose from {', '.join(there)}.")
        paths = chosen_paths | _parts_in(out, manifest)
        if paths == set(sizes):
            part, part_content, part_card = manifest, whole, card
        else:
            part = limit_manifest(manifest, paths, repo_id, commit)
            part_content = (json.dumps(part, indent=1, ensure_ascii=False) + "\n").encode()
            part_card = limit_card(card, paths, sizes)

        # The manifest comes first: it tells the next run what an interrupted one was about. The card comes last.
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / MANIFEST, part_content)
        missing = damaged(out, part)
        size = sum(sizes[path] for path in missing)
        if missing:
            tell(f"Fetching {len(missing)} of {len(paths)} files, {size / 1e6:,.1f} MB")
            repository.download(missing, commit, out)
            wrong = damaged(out, part, missing)
            for path in wrong:
                (out / path).unlink(missing_ok=True)
            if wrong:
                raise SARChatError(f"{wrong[0]} did not arrive as the manifest of {repo_id} describes it: pull again.")
        write_whole(out / CARD, part_card)
        shutil.rmtree(out / ".cache", ignore_errors=True)  # what an interrupted download would go on from
    return Pulled(out, tuple(sorted(paths)), tuple(missing), size, commit)


def _parts_in(out: Path, manifest: Manifest) -> set[str]:
    """Give the files that a folder has of this build, or was to have, refusing a folder with anything else."""
    if not out.exists():
        return set()
    names = {path.name for path in out.iterdir()} if out.is_dir() else {out.name}
    if not names:
        return set()
    there = parse_manifest((out / MANIFEST).read_bytes()) if MANIFEST in names and out.is_dir() else None
    if there is None:
        raise SARChatError(f"{out} holds something else: give a new folder.")
    same = {file["path"]: file["sha256"] for file in manifest["files"]}
    if any(same.get(file["path"]) != file["sha256"] for file in there["files"]):
        raise SARChatError(f"{out} holds another build than the one on the Hub: give a new folder.")
    return {file["path"] for file in there["files"]}
