"""Where a series is read from, and how: enough to read it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Literal

from backsight.errors import SettingError
from backsight.series.catalogue import CATALOGUE, load
from backsight.series.columns import require_column
from backsight.series.panel import Panel
from backsight.series.rows import Rows
from backsight.series.series import Series


@dataclass(frozen=True)
class Source:
    """A file or a dataset of the catalogue, its columns and rows, and how a file is read.

    Attributes:
        data: a path, or a name of the catalogue.
        columns: globs of the columns that are needed; None for all. Others of a file need not be in order.
        first, last: dates; rows before and after them are left out.
        rows: only so many, from the start; of many series, of each.
        time, time_format, encoding, decimal, thousands, on_duplicate, on_missing, units: of a file; see `read_series`.
        id: of a file of many series, the column that names them.
    """

    data: str
    columns: Sequence[str] | None = None
    first: str | None = None
    last: str | None = None
    rows: int | None = None
    time: str | None = None
    time_format: str | None = None
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str | None = None
    on_duplicate: Literal["error", "first", "last", "mean"] = "error"
    on_missing: Literal["error", "ffill"] = "error"
    units: Mapping[str, str] | None = None
    id: str | None = None

    def load(self) -> Series:
        """The series.

        Raises:
            SettingError: how to read a file is said of a catalogue dataset, or there are many series.
            DatasetUnavailable, DataError, ColumnError: see `series.catalogue.load`.

        >>> len(Source("seattle", first="2015-01-01", rows=10).load())
        10
        """
        return one_series(self.read())

    def read(self) -> Series | Panel:
        """The series, or all of them where a column names them.

        Raises:
            SettingError, DatasetUnavailable, DataError: see `load`.
            ColumnError: see `load`; or a unit is given of a column that is not read.
        """
        rows = self._read()
        for name in self.units or ():
            require_column(name, rows.columns)
        return rows

    def _read(self) -> Series | Panel:
        reading = ("time", "time_format", "encoding", "decimal", "thousands", "on_duplicate", "on_missing", "units")
        changed = {f.name: getattr(self, f.name) for f in fields(self) if f.name in reading}
        changed = {name: value for name, value in changed.items() if value != getattr(Source, name)}
        columns = None if self.columns is None else list(self.columns)
        if self.id is not None:
            panel = load(self.data, id=self.id, columns=columns, first=self.first, last=self.last, **changed)
            return panel if self.rows is None else panel.head(self.rows)
        if self.data in CATALOGUE:
            series = load(self.data, **changed)
            series = series.between(self.first, self.last) if self.first or self.last else series
        else:
            series = load(self.data, columns=columns, first=self.first, last=self.last, **changed)
        return series if self.rows is None else series.head(self.rows)


def one_series(series: Series | Panel) -> Series:
    """The series, if it is one and not many.

    Raises:
        SettingError: they are many.
    """
    if isinstance(series, Panel):
        raise SettingError(
            f"This works on one series; {series.name} has {len(series.ids):,}, told by column {series.id!r}. Take one "
            f"of them alone, or put all through one exam with `backsight compare` or `backsight lookback`."
        )
    return series


def column_fingerprints(series: Rows) -> dict[str, str]:
    """The first 12 hex digits of the SHA-256 of each column's values: which column has changed.

    >>> series = load("seattle").select(["temp_*"])
    >>> column_fingerprints(series) == column_fingerprints(series.head(len(series)))
    True
    """
    return {name: sha256(series.column(name).tobytes()).hexdigest()[:12] for name in series.columns}


def fingerprint(series: Series | Panel) -> str:
    """SHA-256 of times, columns and values, in hex: two series of one fingerprint are the same numbers.

    Of many series that of their names and of where each begins, too.

    >>> series = load("seattle")
    >>> fingerprint(series) == fingerprint(series.head(len(series))) != fingerprint(series.head(9))
    True
    """
    digest = sha256("\n".join(series.columns).encode())
    if isinstance(series, Panel):
        digest.update("\n".join(["", *series.ids, ""]).encode())
        digest.update(series.blocks.bounds.tobytes())
    digest.update(series.times.as_unit("us").asi8.tobytes())
    digest.update(series.values.tobytes(order="C"))
    return digest.hexdigest()
