"""Compiled programs, kept in the user's cache folder so that a second run starts at once.

JAX writes an entry straight into its place, and never looks at it again once it is there: a process
killed at the wrong moment would leave half an entry for good. So each process works in a folder of its
own, filled with links to the entries there are, and gives its new ones to the others by renaming them
when it ends. Entries depend on JAX's version and the processor, and have a folder for each pair.
"""

import atexit
import hashlib
import os
import platform
import shutil
import tempfile
import time
from pathlib import Path

import pooch

#: Names another cache folder; empty: compile anew in every process.
FOLDER_VARIABLE = "BACKSIGHT_CACHE"
#: Entries beyond which those that were made first are removed: some hundred megabytes.
MOST_ENTRIES = 3000
#: What the names of working folders begin with.
WORKING = "process-"
#: Seconds after which a working folder must be that of a process that was killed.
LEFT_BEHIND = 2 * 24 * 3600


def cache_folder(version: str) -> Path | None:
    """Where the programs of this machine and this version of JAX lie; None where the user wants none."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named == "":
        return None
    root = Path(named) if named else Path(pooch.os_cache("backsight"))
    return root / "programs" / f"jax-{version}-{_processor()}"


def entries(folder: Path) -> list[Path]:
    """The compiled programs in a folder; none if it is not there."""
    return [path for path in folder.glob("*-cache") if path.is_file()]


def open_cache(folder: Path) -> Path:
    """A working folder inside `folder`, with all of its entries; they return to it when the process ends.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"{WORKING}*"):
        if _made(old) < time.time() - LEFT_BEHIND:
            shutil.rmtree(old, ignore_errors=True)
    working = Path(tempfile.mkdtemp(prefix=WORKING, dir=folder))
    for entry in entries(folder):
        _link(entry, working / entry.name)
    atexit.register(close_cache, working, folder)
    return working


def close_cache(working: Path, folder: Path) -> None:
    """Give a working folder's new entries to all, and remove it and what is too much."""
    present = {entry.name for entry in entries(folder)}
    for entry in entries(working):
        if entry.name not in present:
            entry.replace(folder / entry.name)
    shutil.rmtree(working, ignore_errors=True)
    by_age = sorted(entries(folder), key=_made, reverse=True)
    for entry in by_age[MOST_ENTRIES:]:
        entry.unlink(missing_ok=True)


def _made(path: Path) -> float:
    """When a file was written; long ago if another process has removed it meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _link(entry: Path, to: Path) -> None:
    try:
        os.link(entry, to)
    except FileNotFoundError:
        return  # another process has just removed it
    except OSError:
        shutil.copyfile(entry, to)  # a file system without links


def _processor() -> str:
    """A short name for this kind of processor: a program made for another may not run on it."""
    cpuinfo = Path("/proc/cpuinfo")
    told = cpuinfo.read_text() if cpuinfo.exists() else platform.processor()
    flags = next((line for line in told.splitlines() if line.startswith(("flags", "Features"))), told)
    return f"{platform.machine()}-{hashlib.sha256(flags.encode()).hexdigest()[:8]}"
