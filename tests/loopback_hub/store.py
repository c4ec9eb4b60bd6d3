"""Repositories on disk: objects by hash, commits as snapshots, refs as names of commits.

<root>/<type>s/<org>/<name>/objects/<hash>       the bytes of a file: by sha256 when LFS, by git blob id otherwise
<root>/<type>s/<org>/<name>/repository.json      visibility, commits, refs, discussions
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .answers import HubError

LFS_SUFFIXES = (".parquet", ".png", ".jpg")
"""What .gitattributes sends through LFS; any other file up to 10 MB travels inside the commit."""
LFS_FROM = 10_000_000
GITATTRIBUTES = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in LFS_SUFFIXES).encode()

File = dict[str, Any]  # {"oid": git blob id, "size": bytes, "lfs": sha256 or None}


def git_blob_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def lfs_file(sha256: str, size: int) -> File:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n"
    return {"oid": git_blob_id(pointer.encode()), "size": size, "lfs": sha256}


class Repository:
    """One repository. Every change is written to disk before it is answered for."""

    def __init__(self, folder: Path, kind: str, name: str) -> None:
        self.folder, self.kind, self.name = folder, kind, name
        self.state: dict[str, Any] = json.loads((folder / "repository.json").read_text())

    @classmethod
    def create(cls, folder: Path, kind: str, name: str, files: dict[str, bytes], **meta: Any) -> Repository:
        (folder / "objects").mkdir(parents=True)
        state = {"meta": meta, "commits": {}, "refs": {}, "discussions": []}
        (folder / "repository.json").write_text(json.dumps(state))
        repository = cls(folder, kind, name)
        tree = {path: repository.put_small(content) for path, content in files.items()}
        repository.commit("refs/heads/main", "initial commit", tree)
        return repository

    def save(self) -> None:
        scratch = self.folder / "repository.json.tmp"
        scratch.write_text(json.dumps(self.state))
        scratch.replace(self.folder / "repository.json")

    def object(self, hash: str) -> Path:
        return self.folder / "objects" / hash

    def put_small(self, content: bytes) -> File:
        oid = git_blob_id(content)
        self.object(oid).write_bytes(content)
        return {"oid": oid, "size": len(content), "lfs": None}

    def commit(self, ref: str, title: str, tree: dict[str, File]) -> str:
        """Make a commit with this tree and let the ref point to it."""
        parent = self.state["refs"].get(ref)
        date = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
        content = {"parent": parent, "title": title, "date": date, "tree": dict(sorted(tree.items()))}
        sha = hashlib.sha1(f"{len(self.state['commits'])} {json.dumps(content)}".encode()).hexdigest()
        self.state["commits"][sha] = content
        self.state["refs"][ref] = sha
        self.save()
        return sha

    def ref(self, revision: str) -> str:
        """Give the full name of a branch or of a pull request: what may be committed to."""
        ref = revision if revision.startswith("refs/") else f"refs/heads/{revision}"
        if ref not in self.state["refs"]:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return ref

    def resolve(self, revision: str) -> str:
        """Give the commit that a branch, a tag, a full ref or a commit's hash stands for."""
        refs: dict[str, str] = self.state["refs"]
        for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
            if name in refs:
                return refs[name]
        if revision not in self.state["commits"]:
            raise HubError(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        return revision

    def tree(self, revision: str) -> dict[str, File]:
        tree: dict[str, File] = self.state["commits"][self.resolve(revision)]["tree"]
        return tree

    def tags(self) -> list[str]:
        return [ref.removeprefix("refs/tags/") for ref in self.state["refs"] if ref.startswith("refs/tags/")]

    def history(self, revision: str = "main") -> list[str]:
        """Give the titles of a revision's commits, newest first."""
        titles, sha = [], self.resolve(revision)
        while sha:
            titles.append(self.state["commits"][sha]["title"])
            sha = self.state["commits"][sha]["parent"]
        return titles


class Store:
    """All repositories below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, kind: str, name: str) -> Path:
        return self.root / f"{kind}s" / name

    def create(self, kind: str, name: str, files: dict[str, bytes] | None = None, **meta: Any) -> Repository:
        folder = self.folder(kind, name)
        if folder.exists():
            raise HubError(409, f"You already created this {kind} repo: {name}")
        return Repository.create(folder, kind, name, {".gitattributes": GITATTRIBUTES, **(files or {})}, **meta)

    def get(self, kind: str, name: str) -> Repository:
        folder = self.folder(kind, name)
        if not folder.exists():
            raise HubError(404, "Repository not found", "RepoNotFound")
        return Repository(folder, kind, name)

    def delete(self, kind: str, name: str) -> None:
        shutil.rmtree(self.folder(kind, name))


def folders_of(paths: Iterable[str]) -> list[str]:
    """Give every folder that holds one of the paths, at any depth."""
    return sorted({str(parent) for path in paths for parent in Path(path).parents if str(parent) != "."})
