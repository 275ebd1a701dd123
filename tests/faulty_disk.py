"""A disk that fails when it is told to: it stands for `os` in modules that write.

Calls that change something are counted, and one of them goes wrong. Reading goes past it. Flushes are not passed on, as
a kill leaves what the system has taken; what a power cut would leave is reckoned in `_Folder` and `_File`.
"""

import errno
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class Killed(BaseException):
    """What `kill -9` is to a process: from here on, nothing it does reaches the disk."""


#: Where tests make ten thousands of files: in memory, where there is such a place.
ROOM = "/dev/shm" if Path("/dev/shm").is_dir() else None

#: How a call goes wrong. With the power goes what was not flushed: names and bytes, or names are there and bytes are
#: zeros or half there, or one thing here and another there.
KILLS = ("killed before", "killed after", "short write, then killed")
FAILURES = ("short write", "disk full", "I/O error", "disk full from here on", "I/O error from here on")
POWER_CUTS = ("power cut: gone", "power cut: zeros", "power cut: half", "power cut: mixed")
KINDS = (*KILLS, *FAILURES, *POWER_CUTS)

#: Calls that a full disk can refuse.
NEED_ROOM = {"open", "write", "mkdir", "replace", "fsync"}


@dataclass
class _File:
    data: bytes = b""
    flushed: bytes = b""

    def after_a_cut(self, bytes_left: str) -> bytes:
        if bytes_left == "empty" or not self.data.startswith(self.flushed):  # shortened, and not flushed since
            return self.flushed
        more = self.data[len(self.flushed) :]
        return self.flushed + {"zeros": bytes(len(more)), "half": more[: len(more) // 2]}[bytes_left]


@dataclass
class _Folder:
    names: dict[str, "_File | _Folder"] = field(default_factory=dict)
    flushed: dict[str, "_File | _Folder"] = field(default_factory=dict)


class FaultyDisk:
    """Everything below `root`; what is there already counts as flushed.

    Attributes:
        calls: by name, in the order in which they came.
        failed: the one that went wrong.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.tree = root, self._found(root)
        self.handles: dict[int, _File | _Folder] = {}
        self.expect(0, "")

    def expect(self, at: int, kind: str) -> None:
        """Let the call number `at` go wrong, counted from now; 0 for none. Whoever was killed is forgotten."""
        for handle in self.handles:
            os.close(handle)
        self.handles.clear()
        self.at, self.kind, self.dead = at, kind, False
        self.calls: list[str] = []
        self.failed: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def open(self, path: Path, flags: int, mode: int = 0o777) -> int:
        def do() -> int:
            handle = os.open(path, flags, mode)
            above, name = self._place(path)
            node = self.handles[handle] = above.names.setdefault(name, _File())
            if flags & os.O_TRUNC:
                node.data = b""
            return handle

        return self._call("open", do)

    def write(self, handle: int, data: memoryview) -> int:
        def do(part: memoryview = data) -> int:
            self.handles[handle].data += bytes(part)
            return os.write(handle, part)

        return self._call("write", do, lambda: do(data[: len(data) // 2]))

    def fsync(self, handle: int) -> None:
        def do() -> None:
            node = self.handles[handle]
            if isinstance(node, _File):
                node.flushed = node.data
            else:
                node.flushed = dict(node.names)

        self._call("fsync", do)

    def ftruncate(self, handle: int, size: int) -> None:
        def do() -> None:
            os.ftruncate(handle, size)
            self.handles[handle].data = self.handles[handle].data[:size]

        self._call("ftruncate", do)

    def replace(self, old: Path, new: Path) -> None:
        def do() -> None:
            os.replace(old, new)  # noqa: PTH105
            above, name = self._place(new)
            above.names[name] = self._forget(old)

        self._call("replace", do)

    def unlink(self, path: Path) -> None:
        self._call("unlink", lambda: (os.unlink(path), self._forget(path)))  # noqa: PTH108

    def rmdir(self, path: Path) -> None:
        self._call("rmdir", lambda: (os.rmdir(path), self._forget(path)))  # noqa: PTH106

    def mkdir(self, path: Path) -> None:
        def do() -> None:
            os.mkdir(path)  # noqa: PTH102
            above, name = self._place(path)
            above.names[name] = _Folder()

        self._call("mkdir", do)

    def close(self, handle: int) -> None:
        if self.dead:  # `expect` closes it, without a word to the writer
            raise Killed
        del self.handles[handle]
        os.close(handle)

    def cut_power(self, seed: int = 0) -> None:
        """Put on the real disk what a power cut leaves."""
        kept = self._left(self.tree, self.kind.removeprefix("power cut: "), random.Random(seed))
        shutil.rmtree(self.root)
        self.root.mkdir()
        _write_out(kept, self.root)
        self.tree = self._found(self.root)

    def _call(self, name: str, do: Callable[[], Any], part: Callable[[], Any] | None = None) -> Any:
        if self.dead:
            raise Killed
        self.calls.append(name)
        number = len(self.calls)
        if number < self.at or not self.at or (number > self.at and not self.kind.endswith("from here on")):
            return do()
        self.failed = self.failed or name
        match self.kind.removesuffix(" from here on"):
            case "short write":
                return part() if part else do()
            case "disk full" if name in NEED_ROOM:
                if part:
                    part()
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            case "disk full":
                return do()
            case "I/O error":
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            case "killed after":
                do()
            case "short write, then killed" if part:
                part()
        self.dead = True
        raise Killed

    def _found(self, path: Path) -> _Folder:
        names = {
            p.name: self._found(p) if p.is_dir() else _File(p.read_bytes(), p.read_bytes()) for p in path.iterdir()
        }
        return _Folder(names, dict(names))

    def _place(self, path: Path | str) -> tuple[_Folder, str]:
        """The folder in which a path is, and its name there; the root is in one of its own, and others in none."""
        path, root = str(path), str(self.root)
        if not path.startswith(root):
            return _Folder({path: _Folder()}), path
        *above, name = path.removeprefix(root).split("/")
        folder = _Folder({"": self.tree})
        for part in above:
            folder = folder.names[part]
        return folder, name

    def _forget(self, path: Path) -> "_File | _Folder":
        above, name = self._place(path)
        return above.names.pop(name)

    def _left(self, folder: _Folder, bytes_left: str, rng: random.Random) -> dict[str, Any]:
        left = {}
        for name in sorted({*folder.names, *folder.flushed}):
            how = bytes_left if bytes_left != "mixed" else rng.choice(("gone", "empty", "zeros", "half"))
            node = (folder.flushed if how == "gone" else folder.names).get(name)
            if isinstance(node, _Folder):
                left[name] = self._left(node, bytes_left, rng)
            elif node is not None:
                left[name] = node.after_a_cut("empty" if how == "gone" else how)
        return left


def goes_wrong(call: str, kind: str) -> bool:
    """Whether a call of that name can go wrong in that way."""
    if kind.startswith("short write"):
        return call == "write"
    return call in NEED_ROOM or not kind.startswith("disk full")


def _write_out(kept: dict[str, Any], folder: Path) -> None:
    for name, inside in kept.items():
        if isinstance(inside, dict):
            (folder / name).mkdir()
            _write_out(inside, folder / name)
        else:
            (folder / name).write_bytes(inside)
