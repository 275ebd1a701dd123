"""Zip files of one form, so that there is one file for one content, and every damaged bit is found.

Members are stored, not compressed, one right after the other, with fixed times and rights; then the directory, and
nothing else. Any zip program opens such a file. This reader opens no other: what is not exactly as `write_zip` would
have written it is refused, so sizes can't lie, members can't overlap, and nothing hides between them.

Source: PKWARE, APPNOTE.TXT - .ZIP File Format Specification, version 6.3.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import BinaryIO
from zlib import crc32

from backsight.errors import ModelFileError

#: Bytes that are read at once.
CHUNK = 1 << 18

#: 1 January 1980, the first day that a zip file knows, at midnight: the same file whenever it is written.
_DATE, _TIME = (1 << 5) | 1, 0
#: A plain file that everybody may read and its owner write, as Unix has it.
_RIGHTS, _UNIX = 0o100644 << 16, 3
_VERSION = 20

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_LOCAL_FIELDS = struct.Struct("<4s5H3I2H")


@dataclass(frozen=True)
class _Stored:
    """What both headers of a member say of it."""

    name: str
    crc: int
    size: int

    @property
    def local(self) -> bytes:
        fields = (_LOCAL, _VERSION, 0, 0, _TIME, _DATE, self.crc, self.size, self.size, len(self.name), 0)
        return _LOCAL_FIELDS.pack(*fields) + self.name.encode("ascii")

    def central(self, begins: int) -> bytes:
        made_by = _UNIX << 8 | _VERSION
        sizes = (self.crc, self.size, self.size, len(self.name), 0, 0, 0, 0, _RIGHTS, begins)
        fields = (_CENTRAL, made_by, _VERSION, 0, 0, _TIME, _DATE, *sizes)
        return struct.pack("<4s6H3I5H2I", *fields) + self.name.encode("ascii")


def write_zip(members: Mapping[str, bytes]) -> bytes:
    """The zip file of these members, in their order; names are of ASCII.

    >>> import io, zipfile
    >>> zipfile.ZipFile(io.BytesIO(write_zip({"a": b"1", "b": b"2"}))).read("b")
    b'2'
    """
    stored = [_Stored(name, crc32(data), len(data)) for name, data in members.items()]
    files = [part for one, data in zip(stored, members.values(), strict=True) for part in (one.local, data)]
    return b"".join([*files, *(part for _, part in _directory(stored))])


def _directory(stored: Sequence[_Stored]) -> list[tuple[str, bytes]]:
    """The parts of the directory, each with a name for people."""
    parts, begins = [], 0
    for one in stored:
        parts.append((f"{one.name}: its line in the zip's directory", one.central(begins)))
        begins += len(one.local) + one.size
    size = sum(len(part) for _, part in parts)
    end = struct.pack("<4s4H2IH", _END, 0, 0, len(stored), len(stored), size, begins, 0)
    return [*parts, ("The end of the zip's directory", end)]


@dataclass(frozen=True)
class Opened:
    """A member that is whole.

    Attributes:
        size: in bytes.
        crc, sha256: of them.
    """

    size: int
    crc: int
    sha256: str


def read_through(file: BinaryIO, size: int, most: int) -> Opened:
    """Read the next bytes of a file in small pieces, keep none of them, and go back to where they begin.

    Raises:
        ModelFileError: there are fewer, or more are asked for than may be.
    """
    if size > most:
        raise ModelFileError(f"It may have {most:,} bytes; it has {size:,}.")
    digest, crc, left, begin = sha256(), 0, size, file.tell()
    while left:
        piece = file.read(min(left, CHUNK))
        if not piece:
            raise ModelFileError("It is cut off.")
        digest.update(piece)
        crc = crc32(piece, crc)
        left -= len(piece)
    file.seek(begin)
    return Opened(size, crc, digest.hexdigest())


class ZipMembers:
    """The members of a zip file, front to back; whoever reads must know what comes next.

    Args:
        file: open for reading, at its start.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._stored: list[_Stored] = []
        self._next = 0

    def open(self, name: str, size: int | None, most: int) -> Opened:
        """Go to the next member, and make sure that it is whole.

        Args:
            name: what it must be called.
            size: what it must be; None for what the file says.
            most: bytes that it may have.

        Raises:
            ModelFileError: the next member is another one, is not stored in our form, or is damaged.
        """
        self._file.seek(self._next)
        header = self._file.read(_LOCAL_FIELDS.size + len(name))
        if len(header) < _LOCAL_FIELDS.size + len(name):
            raise ModelFileError("The zip is cut off before it.")
        wanted = _LOCAL_FIELDS.unpack_from(header)[8] if size is None else size
        _check_header(header, name, wanted)
        found = read_through(self._file, wanted, most)
        stored = _Stored(name, found.crc, wanted)
        if stored.local != header:
            raise ModelFileError("It is damaged: its check sum, or what the zip says of it, has changed.")
        self._stored.append(stored)
        self._next += len(header) + wanted
        return found

    def read(self, count: int) -> bytes:
        """The next bytes of the member."""
        return self._file.read(count)

    def finish(self) -> None:
        """Make sure that nothing follows but the directory of what was read.

        Raises:
            ModelFileError: something does, or the directory is damaged.
        """
        self._file.seek(self._next)
        for what, wanted in _directory(self._stored):
            found = self._file.read(len(wanted))
            if found[:4] == _LOCAL:
                name = found[_LOCAL_FIELDS.size :].decode("ascii", "replace")
                raise ModelFileError(f"A member follows that it doesn't list; it begins with {name!r}.")
            if found != wanted:
                raise ModelFileError(f"{what} is not ours, is damaged, or was cut off.")
        if self._file.read(1):
            raise ModelFileError("Something follows the end of the zip's directory.")


def _check_header(header: bytes, name: str, size: int) -> None:
    """Say what is wrong with the header of a member, as far as that shows before its bytes are read."""
    mark, _, flags, method, _, _, crc, *sizes, name_length, extra = _LOCAL_FIELDS.unpack_from(header)
    found = header[_LOCAL_FIELDS.size :]
    rules = {
        "Here stands no member of a zip": mark == _LOCAL,
        "It is encrypted": not flags & 1,
        "Its size stands behind it": not flags & 8,
        "It is compressed, and ours are stored": method == 0,
        "Its size takes a zip64": not {0xFFFFFFFF} & set(sizes),
        f"The next member begins with {found.decode('ascii', 'replace')!r}": found == name.encode()
        and name_length == len(name),
        "It has extra fields": extra == 0,
        f"It must have {size} bytes, and has {sizes[0]}": sizes == [size, size],
        "Its header is not ours": _Stored(name, crc, size).local == header,
    }
    for wrong, kept in rules.items():
        if not kept:
            raise ModelFileError(f"{wrong}.")
