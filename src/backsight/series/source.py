"""Where a series is read from, and how: enough to read it again."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Literal

from backsight.series.catalogue import CATALOGUE, load
from backsight.series.series import Series


@dataclass(frozen=True)
class Source:
    """A file or a dataset of the catalogue, its columns and rows, and how a file is read.

    Attributes:
        data: a path, or a name of the catalogue.
        columns: globs of the columns that are needed; None for all. Others of a file need not be in order.
        first, last: dates; rows before and after them are left out.
        rows: only so many, from the start.
        time, time_format, encoding, on_duplicate, on_missing: of a file; see `read_series`.
    """

    data: str
    columns: Sequence[str] | None = None
    first: str | None = None
    last: str | None = None
    rows: int | None = None
    time: str | None = None
    time_format: str | None = None
    encoding: str = "utf-8"
    on_duplicate: Literal["error", "first", "last", "mean"] = "error"
    on_missing: Literal["error", "ffill"] = "error"

    def load(self) -> Series:
        """The series.

        Raises:
            SettingError: how to read a file is said of a catalogue dataset.
            DatasetUnavailable, DataError, ColumnError: see `series.catalogue.load`.

        >>> len(Source("seattle", first="2015-01-01", rows=10).load())
        10
        """
        reading = ("time", "time_format", "encoding", "on_duplicate", "on_missing")
        changed = {f.name: getattr(self, f.name) for f in fields(self) if f.name in reading}
        changed = {name: value for name, value in changed.items() if value != getattr(Source, name)}
        if self.data in CATALOGUE:
            series = load(self.data, **changed)
            series = series.between(self.first, self.last) if self.first or self.last else series
        else:
            columns = None if self.columns is None else list(self.columns)
            series = load(self.data, columns=columns, first=self.first, last=self.last, **changed)
        return series if self.rows is None else series.head(self.rows)


def column_fingerprints(series: Series) -> dict[str, str]:
    """The first 12 hex digits of the SHA-256 of each column's values: which column has changed.

    >>> series = load("seattle").select(["temp_*"])
    >>> column_fingerprints(series) == column_fingerprints(series.head(len(series)))
    True
    """
    return {name: sha256(series.column(name).tobytes()).hexdigest()[:12] for name in series.columns}


def fingerprint(series: Series) -> str:
    """SHA-256 of times, columns and values, in hex: two series of one fingerprint are the same numbers.

    >>> series = load("seattle")
    >>> fingerprint(series) == fingerprint(series.head(len(series))) != fingerprint(series.head(9))
    True
    """
    digest = sha256("\n".join(series.columns).encode())
    digest.update(series.times.as_unit("us").asi8.tobytes())
    digest.update(series.values.tobytes(order="C"))
    return digest.hexdigest()
