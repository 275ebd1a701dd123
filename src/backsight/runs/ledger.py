r"""A ledger: records of finished work in a file that only grows.

One record a line: the first sixteen hex digits of the SHA-256 of its JSON, a space, the JSON, a line end. The JSON is
compact and ASCII, so `grep '"seed":3' ledger.jsonl` finds, and any line can be checked by hand:

    sed -n 2p ledger.jsonl | cut -c 18- | tr -d '\n' | sha256sum | cut -c 1-16

When `append_records` returns, its records are on the disk: they are acknowledged. A line that was cut off by a kill, a
full disk or a power cut never was; it can only be the last. Reading passes over it and the next append cuts it off.
Whatever else is wrong was right once, so it is an error and stays for people to see.

What a killed process had written in whole and not flushed counts as there, and the next owner has it flushed by
`settle`. If an append fails, its records are gone; only if the disk refuses to take them back too they may be there.
Who goes on after a failure reads again what is there.
"""

import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from backsight.errors import SettingError
from backsight.runs.durable import BINARY, flush_folder, told, write_all, write_durably
from backsight.runs.locks import in_turn

Record = dict[str, Any]

#: Hex digits of the checksum: two different lines share them once in 2^64.
DIGITS = 16

#: The least that a disk writes in one piece: a gap of zeros that a power cut leaves within a line is as long.
SECTOR = 512

#: How much of the end of a file is read to find its last line; more where that does not do.
BLOCK = 4096

_JSON = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def read_records(path: Path) -> list[Record]:
    """The records of a ledger, in the order in which they were appended; none of a file that is not there.

    Others may append meanwhile. The last record may be one that is not acknowledged yet: whoever builds on what he
    reads takes `settle`.

    Raises:
        SettingError: a line is damaged (the message names it), or the file can't be read.
    """
    with told(path, "read"):
        if not _is_there(path):
            return []
        data = path.read_bytes()
        while True:
            try:
                return _parse(data, path)
            except SettingError:
                # Read while somebody cut off what was torn, and went on in its place?
                before, data = data, path.read_bytes()
                if data == before:
                    raise


def append_records(path: Path, records: Sequence[Record]) -> None:
    """Append records; when this returns, they are on the disk, one after another. Several processes may do so at once.

    Args:
        path: of the ledger; made if it is not there, in a folder that is.
        records: of text, finite numbers, true, false, none, lists, and dicts with keys of text. A record may be given
            twice; it is then there twice.

    Raises:
        SettingError: a record holds something else, the last line is damaged, or the file can't be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     ledger = Path(folder, "ledger.jsonl")
    ...     append_records(ledger, [{"piece": "lstm_3", "seed": 0}, {"piece": "lstm_3", "seed": 1}])
    ...     print(ledger.read_text(), end="")
    ...     read_records(ledger)[-1]
    462df9f663d4cbe0 {"piece":"lstm_3","seed":0}
    984cb9d3a3651f77 {"piece":"lstm_3","seed":1}
    {'piece': 'lstm_3', 'seed': 1}
    """
    lines = b"".join(_line(record, path) for record in records)
    with told(path), in_turn(path):
        _is_there(path)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | BINARY, 0o666)
        try:
            _append(handle, lines, path)
        finally:
            with suppress(OSError):  # all is flushed
                os.close(handle)


def append_record(path: Path, record: Record) -> None:
    """Append one record; see `append_records`."""
    append_records(path, [record])


def replace_records(path: Path, records: Sequence[Record]) -> None:
    """Put a ledger of these records in place of the one that is there, whole or not at all.

    For the owner of a folder only: what others append meanwhile would be lost.

    Raises:
        SettingError: see `append_records`.
    """
    with in_turn(path):
        write_durably(path, b"".join(_line(record, path) for record in records))


def settle(path: Path) -> list[Record]:
    """The records of a ledger, all of them on the disk: what its next owner begins with.

    A killed process may have left a line that is whole and not flushed. A reader takes it for finished work, and
    without this, a power cut might then still take it back.

    Raises:
        SettingError: see `read_records` and `append_records`.
    """
    append_records(path, [])
    return read_records(path)


def _append(handle: int, lines: bytes, path: Path) -> None:
    size = _cut_torn(handle, path)
    if not size or not lines:
        # The name of the file, before anything in it counts.
        flush_folder(path.parent)
    try:
        write_all(handle, lines)
        os.fsync(handle)
    except BaseException:
        with suppress(OSError):
            _cut(handle, size)
        raise


def _cut_torn(handle: int, path: Path) -> int:
    """Cut off what was torn; the length of what is left."""
    length = size = os.fstat(handle).st_size
    while size:
        start, line = _last_line(handle, size)
        if not _is_torn(line):
            _checked(line, path, "in its last line")  # nothing is hidden behind damage
            break
        size = start
    if size < length:
        _cut(handle, size)
    return size


def _cut(handle: int, size: int) -> None:
    os.ftruncate(handle, size)
    os.fsync(handle)


def _last_line(handle: int, size: int) -> tuple[int, bytes]:
    """Where the last line of a file begins, and the line."""
    block = BLOCK
    while True:
        start = max(0, size - block)
        os.lseek(handle, start, os.SEEK_SET)
        data = b""
        while len(data) < size - start:
            data += os.read(handle, size - start - len(data))
        before = data.rfind(b"\n", 0, -1)
        if before >= 0 or not start:
            return start + before + 1, data[before + 1 :]
        block *= 8


def _parse(data: bytes, path: Path) -> list[Record]:
    lines = data.split(b"\n")
    lines = [line + b"\n" for line in lines[:-1]] + lines[-1:]
    while lines and (not lines[-1] or _is_torn(lines[-1])):
        lines.pop()
    return [_record(line, path, f"in line {number}") for number, line in enumerate(lines, 1)]


def _is_torn(line: bytes) -> bool:
    """Whether a last line is what an append leaves that did not get to its end."""
    if line.endswith(b"\n"):
        # Zeros are where a power cut kept bytes from the disk that the length of the file counts already.
        return line.startswith(b"\0") or bytes(SECTOR) in line
    # What is right but for its last byte was whole once, and is damaged.
    return line.endswith(b"\0") or not _is_right(line[:-1])


def _is_right(body: bytes) -> bool:
    return body[: DIGITS + 1] == _checksum(body[DIGITS + 1 :]) + b" "


def _checksum(text: bytes) -> bytes:
    return sha256(text).hexdigest()[:DIGITS].encode()


def _checked(line: bytes, path: Path, where: str) -> bytes:
    """The JSON of a line."""
    if line.endswith(b"\n") and _is_right(line[:-1]):
        return line[DIGITS + 1 : -1]
    raise SettingError(
        f"{path} is damaged {where}: its checksum is not that of its text. Take the file from a copy, or remove that "
        f"line and all after it; their work will be done again."
    )


def _record(line: bytes, path: Path, where: str) -> Record:
    try:
        text = _checked(line, path, where).decode("ascii")
        record = json.loads(text)
        # That it reads the same rules out repeated keys and numbers beyond all bounds, such as 1e999.
        if isinstance(record, dict) and _JSON.encode(record) == text:
            return record
    except (ValueError, RecursionError):
        pass
    raise SettingError(
        f"{path} holds something that backsight has not written {where}: no JSON of a record in its compact form. "
        f"Take the file from a copy, or remove that line and all after it."
    )


def _line(record: Record, path: Path) -> bytes:
    try:
        text = _JSON.encode(record)
        same = isinstance(record, dict) and json.loads(text) == record
    except (TypeError, ValueError, RecursionError) as error:
        raise SettingError(f"A record can't be kept in {path}: {error}.") from error
    if not same:
        raise SettingError(
            f"A record can't be kept in {path}: it would not read the same. Records are dicts with keys of text, and "
            f"hold lists in place of tuples."
        )
    line = text.encode("ascii")
    return _checksum(line) + b" " + line + b"\n"


def _is_there(path: Path) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    if not stat.S_ISREG(mode):
        raise SettingError(f"{path} is a folder, a link or a device; a ledger is a plain file. Move it away.")
    return True
