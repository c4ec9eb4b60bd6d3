"""The folder that a build writes: a local one, or any that fsspec knows (s3://, …); files appear in it whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO, cast
from uuid import uuid4

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

__all__ = ["Folder"]


class Folder:
    """A folder by its path or URL.

    Names are relative, with "/" between their parts. A file gets its name when it is whole, so that
    whatever stops a build leaves no half file under a final name.
    """

    WORKSHOP = ".building"
    """Where unfinished files lie."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url)
        self._files, self._root = url_to_fs(self.url)

    def __reduce__(self) -> tuple[type[Folder], tuple[str]]:
        return Folder, (self.url,)

    def path(self, name: str = "") -> str:
        """Give the path of a file in the terms of its file system."""
        return f"{self._root}/{name}" if name else self._root

    def is_local(self) -> bool:
        """Tell whether the folder lies on this machine."""
        return isinstance(self._files, LocalFileSystem)

    def names(self, below: str = "") -> list[str]:
        """List what stands directly in the folder, or in a folder of it; nothing, if there is none."""
        self._files.invalidate_cache()
        try:
            listed = self._files.ls(self.path(below), detail=False)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in listed)

    def is_file(self, name: str = "") -> bool:
        """Tell whether there is a file of this name."""
        return bool(self._files.isfile(self.path(name)))

    def size(self, name: str) -> int | None:
        """Give the bytes of a file, or None where there is none."""
        try:
            return int(self._files.size(self.path(name)))
        except FileNotFoundError:
            return None

    def read(self, name: str) -> bytes | None:
        """Give the content of a file, or None where there is none."""
        try:
            return cast(bytes, self._files.cat_file(self.path(name)))
        except FileNotFoundError:
            return None

    @contextmanager
    def replacing(self, *names: str) -> Iterator[list[BinaryIO]]:
        """Open files for writing; they appear together when the block ends well, and not at all otherwise.

        Until then they have names of their own that no other process uses, so that even a worker that outlives a killed
        build does no harm to the one that goes on.
        """
        self._files.makedirs(self.path(self.WORKSHOP), exist_ok=True)
        partials = [self.path(f"{self.WORKSHOP}/{uuid4().hex}.partial") for _ in names]
        try:
            with ExitStack() as stack:
                yield [cast(BinaryIO, stack.enter_context(self._files.open(partial, "wb"))) for partial in partials]
            for partial, name in zip(partials, names, strict=True):
                self._rename(partial, self.path(name))
        except BaseException:
            for partial in partials:
                with suppress(OSError):
                    self._files.rm_file(partial)
            raise

    def _rename(self, partial: str, final: str) -> None:
        if self.is_local():
            os.makedirs(os.path.dirname(final), exist_ok=True)  # noqa: PTH103, PTH120
            os.replace(partial, final)  # noqa: PTH105
        else:
            self._files.makedirs(final.rsplit("/", 1)[0], exist_ok=True)
            self._files.mv(partial, final)

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file."""
        with self.replacing(name) as (sink,):
            sink.write(content)

    def remove(self, name: str) -> None:
        """Remove a file or a folder with all that is in it, if it is there."""
        with suppress(FileNotFoundError):
            self._files.rm(self.path(name), recursive=True)
