"""One at a time: locks that the system releases when a process is killed.

They lie in files of their own, which stay behind and mean nothing by themselves. Between machines they hold only where
the file system passes them on: NFS from version 4 on does, many others (FUSE, SMB, some of clusters) don't. So one
machine at a time writes a run.
"""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from backsight.errors import SettingError
from backsight.runs.durable import sweep, told, write_whole

#: What lies in a folder that is worked on: the lock, and a note of who holds it, for people.
LOCK, WORKER = ".worker.lock", ".worker.json"

#: Between two looks at a lock that somebody else holds, in seconds; an append takes less.
POLL = 0.002

#: How long a file is waited for, in seconds.
PATIENCE = 60


@contextmanager
def work_in(folder: Path, *below: str) -> Iterator[None]:
    """Be the only one who works in this folder; what earlier ones left unfinished is removed first.

    Args:
        folder: to work in.
        below: folders in it that belong to the work, where the same is done. In others somebody else may work.

    Raises:
        SettingError: another process, or another thread, works in it, or nobody can: no such folder, no permission.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, work_in(Path(folder)):
    ...     try:
    ...         with work_in(Path(folder)):
    ...             pass
    ...     except SettingError as error:
    ...         "is being worked on by process" in str(error)
    True
    """
    held = _hold(folder / LOCK, 0)
    if held is None:
        raise SettingError(f"{folder} is being worked on by {_worker(folder)}; wait for it, or stop it.")
    with held:
        worker = {"process": os.getpid(), "host": socket.gethostname(), "since": _now()}
        write_whole(folder / WORKER, (json.dumps(worker) + "\n").encode())
        for place in (folder, *(folder / name for name in below)):
            if place.is_dir() and not place.is_symlink():
                sweep(place)
        yield


@contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Wait for the others who write this file, and keep them waiting; the lock lies beside it.

    Raises:
        SettingError: somebody has held it for a minute (a stopped process does), or it can't be made.
    """
    held = _hold(path.with_name(f"{path.name}.lock"), PATIENCE)
    if held is None:
        raise SettingError(
            f"{path} has been locked by another process for {PATIENCE} seconds. Is one stopped? Continue or end it."
        )
    with held:
        yield


def _hold(path: Path, seconds: float) -> AbstractContextManager[object] | None:
    """The lock, held until what is returned is left; None if somebody else has it."""
    if not path.parent.is_dir():  # filelock would make it
        raise SettingError(f"There is no folder {path.parent}.")
    # Not of one thread: a generator may be closed by another.
    lock = FileLock(path, thread_local=False)
    with told(path, "locked"):
        try:
            return lock.acquire(timeout=seconds, poll_interval=POLL)
        except Timeout:
            return None


def _worker(folder: Path) -> str:
    """Who works in a folder, as far as its note says."""
    try:
        worker = json.loads((folder / WORKER).read_bytes())
        return f"process {worker['process']} on {worker['host']} since {worker['since']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):  # not written yet
        return "another process"


def _now() -> str:
    return datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
