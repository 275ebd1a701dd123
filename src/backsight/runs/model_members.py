"""The members of a model file, front to back: out of a zip, or out of a folder. Nothing is unpacked."""

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol

from backsight.errors import ModelFileError
from backsight.runs.durable import BINARY
from backsight.runs.model_card import MemberNote
from backsight.runs.stored_zip import Opened, ZipMembers, read_through

#: Neither a link at the end of the path, nor waiting for the other end of a pipe. Windows has neither.
_CAREFULLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | BINARY


class Members(Protocol):
    """The members, one after another; whoever reads must know what comes next."""

    def open(self, name: str, size: int | None, most: int) -> Opened:
        """Go to the next member, which must have this name and size, and at most so many bytes."""

    def read(self, count: int) -> bytes:
        """The next bytes of it."""

    def finish(self) -> None:
        """Make sure that there are no more."""


class FolderMembers:
    """The members in a folder, each a plain file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: list[str] = []
        self._file: BinaryIO = BytesIO()

    def open(self, name: str, size: int | None, most: int) -> Opened:
        """The next member, a plain file in the folder itself."""
        path = self._folder / name
        self.close()
        try:
            if not stat.S_ISREG(path.lstat().st_mode):
                raise ModelFileError("It is no plain file, but a link, a folder or a device.")
            self._file = _open_file(path)
        except OSError as error:
            raise ModelFileError(f"It can't be read: {error.strerror or error}.") from error
        found = os.fstat(self._file.fileno()).st_size
        if size is not None and found != size:
            raise ModelFileError(f"It must have {size} bytes, and has {found}.")
        self._read.append(name)
        return read_through(self._file, found, most)

    def read(self, count: int) -> bytes:
        """The next bytes of the member."""
        return self._file.read(count)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def finish(self) -> None:
        """Make sure that nothing else lies in the folder."""
        with os.scandir(self._folder) as inside:
            for entry in inside:
                if entry.name not in self._read:
                    raise ModelFileError(f"{entry.name!r} does not belong there.")


@contextmanager
def opened(path: Path) -> Iterator[Members]:
    """The members of a file or folder.

    Raises:
        ModelFileError: it isn't there, can't be read, or is neither.
    """
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            members = FolderMembers(path)
            try:
                yield members
            finally:
                members.close()
        elif stat.S_ISREG(mode):
            with _open_file(path.resolve()) as file:
                yield ZipMembers(file)
        else:
            raise ModelFileError("It is neither a plain file nor a folder.")
    except OSError as error:
        raise ModelFileError(f"It can't be read: {error.strerror or error}.") from error


@contextmanager
def member(members: Members, name: str, note: MemberNote) -> Iterator[Callable[[int], bytes]]:
    """One member while it is read: what reads its next bytes.

    Raises:
        ModelFileError: it is not what the card says; the message begins with its name.
    """
    with named(name):
        if members.open(name, note.size, note.size).sha256 != note.sha256:
            raise ModelFileError("It is damaged: its SHA-256 differs.")
        yield members.read


@contextmanager
def named(name: str) -> Iterator[None]:
    """Errors of a model file begin with the name of what is wrong.

    >>> with named("seed-0.safetensors"):
    ...     raise ModelFileError("It is cut off.")
    Traceback (most recent call last):
    ...
    backsight.errors.ModelFileError: seed-0.safetensors: It is cut off.
    """
    try:
        yield
    except ModelFileError as error:
        raise ModelFileError(f"{name}: {error}") from error


def _open_file(path: Path) -> BinaryIO:
    file = os.fdopen(os.open(path, os.O_RDONLY | _CAREFULLY), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise ModelFileError("It is no plain file.")
    return file
