"""Series from files, strictly: a cell that breaks a rule is an error that names its line."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict, Unpack, overload

import numpy as np
import pandas as pd

from backsight.errors import DataError
from backsight.series.from_frame import Reading, from_frame
from backsight.series.numerals import Numerals, advice, has_commas, is_missing, is_number
from backsight.series.panel import Panel
from backsight.series.rules import OnDuplicate, OnMissing
from backsight.series.series import Series
from backsight.series.times import find_time_column, parse_times

SEPARATORS = (",", ";", "\t", "|")


@dataclass(frozen=True, eq=False)
class CsvCells:
    """A CSV file before anything in it is understood.

    Attributes:
        header: the names of the columns.
        rows: the cells of each row, as text.
        lines: the line on which each row begins.
        separator: between fields.
    """

    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    separator: str


class FileReading(TypedDict, total=False):
    """How a file is read; see `read_series`."""

    time: str | None
    time_format: str | None
    encoding: str
    decimal: str
    thousands: str | None
    columns: Iterable[str] | None
    first: str | None
    last: str | None
    on_duplicate: OnDuplicate
    on_missing: OnMissing
    name: str | None
    units: Mapping[str, str] | None


@overload
def read_series(path: str | Path, *, id: None = None, **reading: Unpack[FileReading]) -> Series: ...


@overload
def read_series(path: str | Path, *, id: str, **reading: Unpack[FileReading]) -> Panel: ...


def read_series(
    path: str | Path,
    *,
    id: str | None = None,
    time: str | None = None,
    time_format: str | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    thousands: str | None = None,
    columns: Iterable[str] | None = None,
    first: str | None = None,
    last: str | None = None,
    on_duplicate: OnDuplicate = "error",
    on_missing: OnMissing = "error",
    name: str | None = None,
    units: Mapping[str, str] | None = None,
) -> Series | Panel:
    """Read a series from a CSV or Parquet file, or many from a long table in which a column names them.

    Args:
        path: a `.parquet` or `.pq` file is read as Parquet, anything else as CSV with a header line.
            Fields may be separated by comma, semicolon, tab or bar.
        id: the column that says which series a row belongs to, and is read as text; without it all rows are of one.
        time: the column of times; without it, one called date, time or the like.
        time_format: strptime format of the times, where they are not ISO 8601 or YYYYMMDD.
        encoding: of a CSV file.
        decimal: the sign before the decimals of numbers in a CSV file, "." or ",".
        thousands: a sign that may stand between groups of three digits there.
        columns, first, last, on_duplicate, on_missing: see `from_frame`.
        name: what to call the series; the file's name without it.
        units: unit by column.

    Raises:
        DataError: the file can't be read, or a rule is broken; the message names the line.
        ColumnError: there is no column of times.
        SettingError: no sign to write numbers with.
    """
    numerals = Numerals(decimal, thousands)
    path = Path(path)
    check_is_file(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        frame = read_parquet(path)
        where = _row
    else:
        frame, lines = _read_csv(path, time, time_format, encoding, id, numerals)
        where = partial(_line, lines)
    reading = Reading(
        time=time,
        time_format=time_format,
        columns=columns,
        first=first,
        last=last,
        name=name or path.stem,
        units=units,
        on_duplicate=on_duplicate,
        on_missing=on_missing,
        where=where,
    )
    return from_frame(frame, **reading) if id is None else from_frame(frame, id=id, **reading)


def check_is_file(path: Path) -> None:
    """Make sure that there is a file to read.

    Raises:
        DataError: there is none, or a folder.
    """
    if path.is_dir():
        raise DataError(f"{path} is a folder. Name a CSV or Parquet file.")
    if not path.exists():
        raise DataError(f"There is no file {path}. Name a CSV or Parquet file, or one of `backsight data`.")


def read_parquet(path: Path) -> pd.DataFrame:
    """The table of a Parquet file, as it is.

    Raises:
        DataError: it is none.
    """
    import pyarrow

    try:
        return pd.read_parquet(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{path} is not a readable Parquet file: {_first_line(error)}") from error


def _read_csv(
    path: Path, time: str | None, time_format: str | None, encoding: str, names: str | None, numerals: Numerals
) -> tuple[pd.DataFrame, list[int]]:
    """The columns, typed, and the line number of each row."""
    cells, lines = _read_columns(path, encoding)
    header = list(cells)
    time_column = find_time_column(header, time)
    if time_column is None and header[0] != names and looks_like_times(cells[header[0]]):
        time_column = header[0]
    typed: dict[str, object] = {}
    for name in header:
        column = cells.pop(name)  # let go of when its numbers are there
        if name == time_column:
            typed[name] = parse_times(pd.Series(column, dtype=str), time_format, partial(_line, lines))
        elif name == names:
            typed[name] = pd.Series(column, dtype=str)
        else:
            typed[name] = _numbers(name, column, lines, numerals)
    frame = pd.DataFrame(typed)
    return (frame.set_index(time_column) if time is None and time_column else frame), lines


def read_rows(path: Path, encoding: str) -> CsvCells:
    """The cells of a CSV file as text.

    Raises:
        DataError: the file is no CSV: fields are missing, quotes stay open, the encoding is another one.
    """
    text = _decode(path, encoding)
    separator = _separator(text)
    (_, header), *rows = _scan(path, text, separator)
    _check_rows(path, rows)
    return CsvCells(header, [row for _, row in rows], [line for line, _ in rows], separator)


def _read_columns(path: Path, encoding: str) -> tuple[dict[str, list[str]], list[int]]:
    """The cells of a CSV file as text, by column, and the line on which each row begins.

    Raises:
        DataError: see `read_rows`.
    """
    text = _decode(path, encoding)
    scanned = _scan(path, text, _separator(text))
    columns: dict[str, list[str]] = {name: [] for name in next(scanned)[1]}
    lines = []
    # Column by column, for a list a row would be more than all of its cells.
    appends = [column.append for column in columns.values()]
    for line, row in scanned:
        lines.append(line)
        for append, cell in zip(appends, row, strict=True):
            append(cell)
    _check_rows(path, lines)
    return columns, lines


def _scan(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """The header, and then every row, with the line on which it begins; all of one length.

    Raises:
        DataError: see `read_rows`.
    """
    if not text.strip():
        raise DataError(f"{path} is empty. A CSV needs a header line and one row a step.")
    reader = csv.reader(_lines(text), delimiter=separator, strict=True)
    begun = 1
    try:
        header = [name.strip() for name in next(reader)]
        _check_header(path, header)
        yield 1, header
        blank, begun = 0, reader.line_num + 1  # a quoted field may hold line ends, so a row may take several lines
        for row in reader:
            line, begun = begun, reader.line_num + 1
            if not row:
                blank = blank or line
                continue
            if blank:
                raise DataError(f"Line {blank} of {path.name} is empty, and rows follow it. Delete it.")
            if len(row) != len(header):
                raise DataError(
                    f"Line {line} of {path.name} has {len(row)} fields where the header has "
                    f"{len(header)}. Every row needs one field a column."
                )
            yield line, row
    except csv.Error as error:
        raise DataError(f"Line {begun} of {path.name} is no CSV: {error} within the row that begins there.") from error


def _lines(text: str) -> Iterator[str]:
    """The lines with their ends as they are, so that those within quotes stay; no other copy of the text is made."""
    return (match.group() for match in re.finditer(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+", text))


def _separator(text: str) -> str:
    return max(SEPARATORS, key=re.sub('"[^"]*"', "", next(_lines(text), "")).count)


def _check_rows(path: Path, rows: Sequence[object]) -> None:
    if not rows:
        raise DataError(f"{path.name} has a header and no rows.")


def _decode(path: Path, encoding: str) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror}.") from error
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") and encoding == "utf-8":
        raise DataError(f"{path.name} is UTF-16, not UTF-8. Pass --encoding utf-16.")
    try:
        return raw.decode("utf-8-sig" if encoding == "utf-8" else encoding)
    except UnicodeError as error:
        at = getattr(error, "start", 0)
        line = raw.count(b"\n", 0, at) + 1
        raise DataError(
            f"Line {line} of {path.name} is not {encoding} (byte 0x{raw[at : at + 1].hex()}). "
            f"Save the file as UTF-8, or name its encoding, for example --encoding latin-1."
        ) from error
    except (LookupError, ValueError) as error:
        raise DataError(f"There is no encoding {encoding!r}. Try utf-8 or latin-1.") from error


def _check_header(path: Path, header: list[str]) -> None:
    if not header:
        raise DataError(f"The first line of {path.name} is empty. It must name the columns.")
    if len(header) < 2:
        raise DataError(
            f"The header of {path.name} names one column, {header[0]!r}. A series needs a column of times "
            f"and one of numbers, separated by comma, semicolon, tab or bar."
        )
    if all(is_number(name) or _is_date(name) for name in header):
        raise DataError(f"The first line of {path.name} holds numbers. It must name the columns.")
    if "" in header:
        raise DataError(f"Column {header.index('') + 1} of {path.name} has no name in the header line.")
    if len(set(header)) < len(header):
        twice = next(n for i, n in enumerate(header) if n in header[:i])
        raise DataError(f"Two columns of {path.name} are called {twice!r}. Rename one of them.")


def _numbers(name: str, column: Sequence[str], lines: list[int], numerals: Numerals) -> object:
    """The column as float64, or as it is if none of its cells holds a number."""
    # Python reads 1_000 as a number; a data file means text.
    if numerals.plain and not any("_" in cell for cell in column):
        with suppress(ValueError):
            return np.array(column, dtype=np.str_).astype(np.float64)
    values = [numerals.read(cell) for cell in column]
    missing = [is_missing(cell) for cell in column]
    if all(value is None for value in values):
        if all(missing):
            return np.full(len(column), np.nan)
        # Numbers with commas are no text to be left out, but meant to be read.
        if not all(is_missing(cell) or has_commas(cell) for cell in column):
            return pd.Series(column, dtype=str)
    for line, cell, value, none in zip(lines, column, values, missing, strict=True):
        if value is None and not none:
            raise DataError(f"Line {line}, column {name!r}: {cell[:40]!r} is not a number. {advice(cell, numerals)}")
    return np.array([np.nan if value is None else value for value in values])


def _is_date(cell: str) -> bool:
    return re.match(r"\d{4}[-/]\d\d", cell) is not None


def looks_like_times(column: Sequence[str]) -> bool:
    """Whether a column without a usual name holds times, by its first cell."""
    return not is_number(column[0]) and pd.to_datetime(column[0], errors="coerce") is not pd.NaT


def _row(row: int) -> str:
    return f"row {row + 1}"


def _line(lines: list[int], row: int) -> str:
    return f"line {lines[row]}"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0].rstrip(".") + "."
