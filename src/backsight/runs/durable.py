"""Files that are whole or not there, whatever kills the process: all writing of runs goes through here.

What is written goes into a file of another name beside its place, `.unfinished-...`, which is renamed into it at the
end. Renaming is one step: whoever opens the place finds the earlier file or the new one. A killed process leaves such
files behind; nobody reads them, and the next owner of the folder removes them with `sweep`.

*Durably* means: on the disk when the function returns, so that a power cut can't undo it. The file is flushed before it
is renamed, else the disk may see the new name before the bytes; and the folder after that, as the name stands in it.
Limits: macOS hands the bytes to the drive, which may keep them in a cache of its own; Windows has no flush of a folder.

Source: Pillai et al. 2014, OSDI 11, 433-448 (what file systems promise of rename, append and flush).
"""

import errno
import os
import secrets
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backsight.errors import SettingError

#: How names of files and folders begin that are not finished.
UNFINISHED = ".unfinished-"

#: Without it, Windows would write line ends of its own.
BINARY = getattr(os, "O_BINARY", 0)


def write_durably(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all; when this returns, it is on the disk.

    An earlier file, or a link to one, is replaced. If anything fails it stays as it was; only if it is the last step
    that fails, the flush of the folder, the new one may be there already, and is whole.

    Raises:
        SettingError: it can't be written: no such folder, no permission, the disk is full or broken.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_durably(Path(folder, "run.json"), b"{}")
    ...     [path.name for path in Path(folder).iterdir()]
    ['run.json']
    """
    with told(path):
        _replace(path, data, flushed=True)
        flush_folder(path.parent)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all, and leave it to the system when it gets to the disk.

    For what is written often and can be made again, such as checkpoints: a killed process costs nothing, and a power
    cut some seconds of work. After a power cut the file may be the earlier one, the new one, or on some file systems
    empty or half: whoever reads it must be able to tell, by a checksum in it.

    Raises:
        SettingError: it can't be written; an earlier file is as it was.
    """
    with told(path):
        _replace(path, data, flushed=False)


def remove_durably(path: Path) -> None:
    """Remove a file, if it is there; when this returns, it won't come back after a power cut.

    Raises:
        SettingError: it can't be removed.
    """
    with told(path, "removed"):
        with suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - tests put a failing disk in place of this module's `os`
        flush_folder(path.parent)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, as far as they are not there; when this returns, it is on the disk.

    Raises:
        SettingError: it can't be made, or a file is in its place.
    """
    with told(path, "made"):
        missing = [p for p in (path.absolute(), *path.absolute().parents) if not p.is_dir()]
        # The deepest one that is there may be of a process that was killed before it flushed.
        flush_folder(missing[-1].parent.parent if missing else path.absolute().parent)
        for folder in reversed(missing):
            with suppress(FileExistsError):
                os.mkdir(folder)  # noqa: PTH102
            flush_folder(folder.parent)
        if not path.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, "a file is in its place")


@contextmanager
def finished_together(folder: Path, names: Collection[str]) -> Iterator[Path]:
    """A folder to write files into that are put in place, durably, when all of them are finished.

    Each is whole or as it was before. They are renamed one after another: a kill between two leaves new ones beside
    old ones, and whoever needs them to belong together says so in the last one, or in one that is written later.

    Args:
        folder: where they go; it is there.
        names: of the files, in the order in which they get there; with a folder before it if one goes into that.

    Raises:
        SettingError: one can't be written or put in place.
    """
    with told(folder):
        stage = folder / f"{UNFINISHED}{secrets.token_hex(8)}"
        os.mkdir(stage)  # noqa: PTH102
        try:
            yield stage
            for name in names:
                _flush_file(stage / name)
            for parent in dict.fromkeys((folder / name).parent for name in names):
                if parent != folder:  # a file in the way is found before anything is replaced
                    make_folder(parent)
            for name in names:
                os.replace(stage / name, folder / name)  # noqa: PTH105
            for parent in dict.fromkeys((folder / name).parent for name in names):
                flush_folder(parent)
        finally:
            with suppress(OSError):
                _remove_tree(stage)


def sweep(folder: Path) -> None:
    """Remove what killed processes have left unfinished in a folder; not in those below, which may be other people's.

    Only the owner of a folder may (see `runs.locks.work_in`): what somebody else is writing looks the same.

    Raises:
        SettingError: something can't be removed.
    """
    with told(folder, "cleared of unfinished files"):
        for inside in sorted(os.scandir(folder), key=lambda e: e.name):
            if inside.name.startswith(UNFINISHED):
                _remove_tree(Path(inside.path))


def write_all(handle: int, data: bytes) -> None:
    """Write all of it to an open file: the system may take less at a time.

    Raises:
        OSError: it could not; some of it may have been written.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system can.

    Raises:
        OSError: the disk failed.
    """
    if os.name == "nt":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # one may write into it and not read it: then it can't be flushed
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system without such a thing
            raise
    finally:
        os.close(handle)


@contextmanager
def told(path: Path, done: str = "written") -> Iterator[None]:
    """What the system says went wrong with a file, as an error of ours.

    Raises:
        SettingError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise SettingError(f"{path} can't be {done}: {error.strerror or error}.") from error


def _replace(path: Path, data: bytes, *, flushed: bool) -> None:
    unfinished = path.parent / f"{UNFINISHED}{secrets.token_hex(8)}"
    try:
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | BINARY, 0o666)
        try:
            write_all(handle, data)
            if flushed:
                os.fsync(handle)
        finally:
            os.close(handle)
        os.replace(unfinished, path)  # noqa: PTH105
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)  # noqa: PTH108
        raise


def _flush_file(path: Path) -> None:
    handle = os.open(path, os.O_RDWR | BINARY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_tree(path: Path) -> None:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        for inside in sorted(path.iterdir()):
            _remove_tree(inside)
        os.rmdir(path)  # noqa: PTH106
    else:
        os.unlink(path)  # noqa: PTH108
