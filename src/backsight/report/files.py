"""Results as files: all of them or none, and never half a file."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backsight.errors import SettingError
from backsight.runs.durable import finished_together, make_folder, write_durably

Writer = Callable[[Path], object]


def check_file(path: Path) -> None:
    """Make sure, before any long work, that a file can be written there.

    Raises:
        SettingError: it can't; the message says why.
    """
    if path.is_dir():
        raise SettingError(f"{path} is a folder; name a file in it.")
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise SettingError(f"{path} is a link or a device, which would be replaced; name a plain file.")
    if not path.parent.is_dir():
        raise SettingError(f"There is no folder {path.parent} to write {path.name} into. Make it first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise SettingError(f"{path} can't be written: no permission.")


def check_folder(folder: Path) -> None:
    """Make sure, before any long work, that files can be written into this folder, or that it can be made.

    Raises:
        SettingError: it can't; the message says why.
    """
    if folder.is_symlink() and not folder.exists():
        raise SettingError(f"{folder} is a link that leads nowhere; name a folder to write into.")
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{folder} is a file; name a folder to write into.")
    existing = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        raise SettingError(f"{folder} can't be made: no permission to write into {existing}.")


def write_json(path: Path, record: Mapping[str, Any]) -> None:
    """Write a record as JSON, whole or not at all.

    Raises:
        SettingError: it can't be written.
    """
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    write_durably(path, text.encode())


def write_files(folder: Path, writers: Mapping[str, Writer]) -> None:
    """Write several files into a folder: all are finished elsewhere in it before any of them is put in place.

    Each is the earlier file or the new one, whole, and on the disk when this returns. A kill while they are put in
    place, one after another, leaves new ones beside earlier ones.

    Args:
        folder: made if it is not there.
        writers: by file name, with a folder before it if it goes into one; each is given the path to write to.

    Raises:
        SettingError: the disk is full or the folder can't be written. Earlier files are as they were, unless it was
            putting them in place that failed.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_files(Path(folder), {"one.txt": lambda path: path.write_text("1")})
    ...     [path.name for path in Path(folder).iterdir()]
    ['one.txt']
    """
    for name in writers:
        if (folder / name).is_dir():
            raise SettingError(f"{folder / name} is a folder where a file of that name would go. Name another folder.")
    make_folder(folder)
    with finished_together(folder, writers) as stage:
        for name, write in writers.items():
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            write(stage / name)
