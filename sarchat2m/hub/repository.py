"""The other side: one repository on the Hub, through huggingface_hub, its refusals turned into sentences."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import HfApi, get_session
from huggingface_hub.errors import (
    EntryNotFoundError,
    HFValidationError,
    LocalTokenNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]

from sarchat2m.errors import SARChatError
from sarchat2m.hub.folder import sha256_of

__all__ = ["Remote", "Repository", "differing", "in_one_sentence"]

ANSWER_WITHIN = 300.0
"""Seconds of silence after which the Hub counts as out of reach; HF_HUB_DOWNLOAD_TIMEOUT sets another number."""

Remote = Mapping[str, RepoFile]
"""The files of a repository at one commit, by path."""


def differing(folder: Path, sha256: Mapping[str, str | None], remote: Remote) -> list[str]:
    """List the paths whose remote file is not there or not the same, by hash.

    Args:
        folder: The local folder.
        sha256: The paths, each with the SHA-256 of its local file where that is known already.
        remote: What stands in the repository.
    """

    def differs(path: str, known: str | None) -> bool:
        there = remote.get(path)
        if there is None:
            return True
        if there.lfs is not None:  # kept by LFS or Xet, known by SHA-256
            return (known or sha256_of(folder / path)) != there.lfs.sha256
        content = (folder / path).read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest() != there.blob_id

    return [path for path, known in sha256.items() if differs(path, known)]


class Repository:
    """A repository of one kind on one Hub, for the user of one token.

    Raises:
        SARChatError: `repo_id` is not a name that the Hub takes.
    """

    def __init__(
        self, kind: Literal["dataset", "space"], repo_id: str, token: str | None = None, endpoint: str | None = None
    ) -> None:
        try:
            validate_repo_id(repo_id)
            if "/" not in repo_id:
                raise HFValidationError(repo_id)
        except HFValidationError as error:
            raise SARChatError(
                f'"{repo_id}" is no repository: write "owner/name", in letters, digits, "-", "_" and ".".'
            ) from error
        self.kind, self.id = kind, repo_id
        self.api = HfApi(endpoint=endpoint, token=token)
        self._at: dict[str, Any] = {"repo_id": repo_id, "repo_type": kind}

    def writer(self) -> str:
        """Give the name of the token's user, who may write.

        Raises:
            SARChatError: There is no token, or it only reads.
        """
        user = self.api.whoami()
        if user.get("auth", {}).get("accessToken", {}).get("role") == "read":
            raise SARChatError(
                f"The token of {user['name']} may only read: make one with the right to write at "
                f"{self.api.endpoint}/settings/tokens."
            )
        return str(user["name"])

    def is_private(self) -> bool | None:
        """Tell whether it is private; None when there is no such repository, or none that this user may see."""
        try:
            return bool(self.api.repo_info(**self._at).private)
        except RepositoryNotFoundError:
            return None

    def create(self, private: bool) -> None:
        """Create it."""
        self.api.create_repo(**self._at, space_sdk="gradio" if self.kind == "space" else None, private=private)

    def commit_of(self, revision: str) -> str:
        """Give the commit that a branch, a tag, a pull request's ref or a commit itself stands for."""
        return str(self.api.repo_info(**self._at, revision=revision).sha)

    def has_revision(self, revision: str) -> bool:
        """Tell whether it stands for any."""
        try:
            self.commit_of(revision)
        except RevisionNotFoundError:
            return False
        return True

    def create_branch(self, name: str) -> None:
        """Create a branch that starts from main."""
        self.api.create_branch(**self._at, branch=name, exist_ok=True)

    def pull_request(self, title: str, author: str) -> str | None:
        """Give the ref of the open pull request of this title and author, if there is one."""
        for thread in self.api.get_repo_discussions(**self._at):
            if thread.is_pull_request and (thread.status, thread.title, thread.author) == ("open", title, author):
                return f"refs/pr/{thread.num}"
        return None

    def files(self, revision: str) -> tuple[str, Remote]:
        """Give the commit that a revision stands for, and its files with their hashes."""
        commit = self.commit_of(revision)
        tree = self.api.list_repo_tree(**self._at, revision=commit, recursive=True)
        return commit, {entry.path: entry for entry in tree if isinstance(entry, RepoFile)}

    def read(self, path: str, commit: str) -> bytes | None:
        """Give the content of a small file; None when it is not there."""
        with tempfile.TemporaryDirectory() as scratch:
            try:
                found = self.api.hf_hub_download(**self._at, filename=path, revision=commit, local_dir=scratch)
            except EntryNotFoundError as error:
                if getattr(error, "response", None) is None:  # out of reach, which is not the same as not there
                    raise
                return None
            return Path(found).read_bytes()

    def upload(
        self,
        folder: Path,
        paths: Collection[str],
        deleted: Collection[str],
        title: str,
        branch: str,
        create_pr: bool,
    ) -> str:
        """Send files and delete others; what the Hub's storage has of them already is not sent again.

        Returns:
            The branch, or the ref of the new pull request.
        """
        made = self.api.upload_folder(
            **self._at,
            folder_path=folder,
            allow_patterns=[glob.escape(path) for path in paths],
            delete_patterns=[glob.escape(path) for path in deleted] or None,
            commit_message=title,
            revision=branch,
            create_pr=create_pr,
        )
        return made.pr_revision or branch

    def download(self, paths: Collection[str], commit: str, out: Path) -> None:
        """Fetch files into a folder; an interrupted file goes on from the bytes that are there."""
        self.api.snapshot_download(
            **self._at, revision=commit, allow_patterns=[glob.escape(path) for path in paths], local_dir=out
        )

    def tag(self, name: str, commit: str) -> str:
        """Tag a commit, unless the tag stands somewhere already; give the commit that it is on now."""
        tags = {tag.name: tag.target_commit for tag in self.api.list_repo_refs(**self._at).tags}
        if name not in tags:
            self.api.create_tag(**self._at, tag=name, revision=commit)
        return tags.get(name, commit)

    @property
    def url(self) -> str:
        """The address of its page."""
        return f"{self.api.endpoint}/{self.kind}s/{self.id}"


@contextmanager
def in_one_sentence(repository: Repository) -> Iterator[None]:
    """Turn what the Hub or the network refuses into one SARChatError, and do not wait for ever for an answer."""
    session = get_session()
    patience = getattr(session, "timeout", None)
    session.timeout = float(os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT") or ANSWER_WITHIN)
    try:
        yield
    except SARChatError:
        raise
    except Exception as error:
        sentence = _sentence(error, repository)
        if sentence is None:
            raise
        raise SARChatError(sentence) from error
    finally:
        session.timeout = patience


def _sentence(error: BaseException, repository: Repository) -> str | None:
    """Say what an error means for the user; None when it is none of the Hub's or the network's."""
    errors = list(_causes(error))
    status = next((r.status_code for e in errors if (r := getattr(e, "response", None)) is not None), None)
    told = " ".join(str(e) for e in errors)
    hub, name = repository.api.endpoint, repository.id
    later = "run the same command again, which goes on where it stopped"
    if any(isinstance(e, LocalTokenNotFoundError) for e in errors):
        return "There is no token to write with: run `hf auth login`, or set HF_TOKEN."
    if any(isinstance(e, OfflineModeIsEnabled) for e in errors):
        return f"{hub} is not asked while HF_HUB_OFFLINE is set: unset it, and run the same command again."
    if status in (402, 413, 507) or re.search(r"quota|storage limit|storage is full|no space left", told, re.I):
        return f"{hub} has no room left for {name}: free or buy storage there, and {later}."
    if any(isinstance(e, RepositoryNotFoundError) for e in errors):
        return (
            f"There is no {repository.kind} {name} on {hub} that you may see: check the name, and if it is private, "
            "log in with `hf auth login`."
        )
    if status == 401:
        return f"{hub} does not accept the token for {name}: log in again with `hf auth login`, or set HF_TOKEN."
    if status == 403:
        return f"The token may not write to {name} on {hub}: use one with the right to write to {name.split('/')[0]}."
    if status == 404:
        return f"{name} on {hub} has no such revision: check its branches and tags."
    if status in (409, 412):
        return f"{name} on {hub} was changed by somebody else at the same time: run the same command again."
    if status is not None:
        return f"{hub} answered {status} about {name}: wait a little, and {later}."
    if any(_is_of_the_network(e) for e in errors):
        return f"{hub} is out of reach: check the network, and {later}."
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and what led to it."""
    seen: list[BaseException] = []
    while error not in seen:
        seen.append(error)
        yield error
        error = error.__cause__ or error.__context__ or error


def _is_of_the_network(error: BaseException) -> bool:
    library = type(error).__module__.partition(".")[0]
    # Which of these huggingface_hub is built on depends on its version.
    return isinstance(error, (ConnectionError, TimeoutError)) or library.rstrip("2") in (
        "httpx",
        "httpcore",
        "requests",
        "urllib3",
    )
