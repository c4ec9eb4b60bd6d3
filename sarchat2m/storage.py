"""The folder that a build writes: a local one, or any that fsspec knows (s3://, …); files appear in it whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import BinaryIO, cast
from uuid import uuid4

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem, make_path_posix

from sarchat2m.errors import SARChatError

__all__ = ["Folder"]


class Folder:
    """A folder by its path or URL.

    Names are relative, with "/" between their parts. A file gets its name when it is whole, so that
    whatever stops a build leaves no half file under a final name. What goes wrong is an `OSError`, whatever the file
    system itself raises.

    Raises:
        SARChatError: Nobody can write to such a URL, or nobody answers there.
    """

    WORKSHOP = ".building"
    """Where unfinished files lie."""

    def __init__(self, url: str | os.PathLike[str]) -> None:
        self.url = os.fspath(url)
        if "://" not in self.url:
            # fsspec would take what follows "::" in a path for the name of another file system, and drop it.
            self._files = LocalFileSystem()
            self._root = make_path_posix(os.path.abspath(os.path.expanduser(self.url)))  # noqa: PTH100, PTH111
            return
        try:
            self._files, self._root = url_to_fs(self.url)
        except Exception as error:  # whatever the client of that file system raises, ImportError among it
            raise SARChatError(f"{self.url} cannot be used ({_in_one_line(error)}); mend the address.") from error
        # fsspec takes these for patterns, and would move and remove whatever they fit.
        if not self.is_local() and set(self._root) & set("*?["):
            raise SARChatError(f"{self.url} has one of the characters * ? [ in its path; choose another one.")

    def __reduce__(self) -> tuple[type[Folder], tuple[str]]:
        # Another process may have another working directory.
        return Folder, (self._root if self.is_local() else self.url,)

    def path(self, name: str = "") -> str:
        """Give the path of a file in the terms of its file system."""
        return f"{self._root}/{name}" if name else self._root

    def is_local(self) -> bool:
        """Tell whether the folder lies on this machine."""
        return isinstance(self._files, LocalFileSystem)

    @contextmanager
    def _now(self) -> Iterator[AbstractFileSystem]:
        """Give the file system as it is now, without remembered listings: other processes write to it as well."""
        self._files.invalidate_cache()
        try:
            yield self._files
        except (OSError, SARChatError):
            raise
        except Exception as error:  # the clients of remote file systems have errors of their own
            if self.is_local():
                raise
            raise OSError(_in_one_line(error)) from error

    def names(self, below: str = "") -> list[str]:
        """List what stands directly in the folder, or in a folder of it; nothing, if there is none."""
        with self._now() as files:
            try:
                listed = files.ls(self.path(below), detail=False)
            except (FileNotFoundError, NotADirectoryError):
                return []
            return sorted(path.rstrip("/").rsplit("/", 1)[-1] for path in listed)

    def is_file(self, name: str = "") -> bool:
        """Tell whether there is a file of this name."""
        with self._now() as files:
            return bool(files.isfile(self.path(name)))

    def size(self, name: str) -> int | None:
        """Give the bytes of a file, or None where there is none."""
        with self._now() as files:
            try:
                return int(files.size(self.path(name)))
            except (FileNotFoundError, NotADirectoryError):
                return None

    def read(self, name: str) -> bytes | None:
        """Give the content of a file, or None where there is none."""
        with self._now() as files:
            try:
                return cast(bytes, files.cat_file(self.path(name)))
            except (FileNotFoundError, NotADirectoryError):
                return None

    @contextmanager
    def replacing(self, *names: str) -> Iterator[list[BinaryIO]]:
        """Open files for writing; they appear together when the block ends well, and not at all otherwise.

        Until then they have names of their own that no other process uses, so that even a worker that outlives a killed
        build does no harm to the one that goes on.
        """
        partials = [self.path(f"{self.WORKSHOP}/{uuid4().hex}.partial") for _ in names]
        with self._now() as files:
            self._make_folder(self.path(self.WORKSHOP))
            try:
                with ExitStack() as stack:
                    yield [cast(BinaryIO, stack.enter_context(files.open(partial, "wb"))) for partial in partials]
                for partial, name in zip(partials, names, strict=True):
                    self._rename(partial, self.path(name))
            except BaseException:
                for partial in partials:
                    with suppress(Exception):
                        files.rm_file(partial)
                raise

    def _rename(self, partial: str, final: str) -> None:
        self._make_folder(final.rpartition("/")[0])
        if self.is_local():
            os.replace(partial, final)  # noqa: PTH105
        else:
            # Some refuse to move a file over another. A build replaces only what it is about to write again.
            if self._files.isfile(final):
                self._files.rm_file(final)
            self._files.mv(partial, final)

    def _make_folder(self, path: str) -> None:
        try:
            self._files.makedirs(path, exist_ok=True)
        except Exception:
            # Of two processes that make it at the same moment, one fails on some file systems.
            self._files.invalidate_cache()
            if not self._files.isdir(path):
                raise

    def write(self, name: str, content: bytes) -> None:
        """Write a whole file."""
        with self.replacing(name) as (sink,):
            sink.write(content)

    def remove(self, name: str) -> None:
        """Remove a file or a folder with all that is in it, if it is there."""
        with self._now() as files, suppress(FileNotFoundError):
            if files.isfile(self.path(name)):
                files.rm_file(self.path(name))
            else:
                files.rm(self.path(name), recursive=True)


def _in_one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
