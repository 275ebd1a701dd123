"""A table as it stands in a file, read so that what breaks a rule can be reported and not only refused."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from backsight.errors import ColumnError, DataError, SettingError
from backsight.series.catalogue import CATALOGUE, Dataset, fetch
from backsight.series.doctor.finding import Observed
from backsight.series.numerals import Numerals, is_missing
from backsight.series.read import CsvCells, check_is_file, looks_like_times, read_parquet, read_rows
from backsight.series.series import Series
from backsight.series.times import Where, coerce_times, find_time_column


@dataclass(frozen=True, eq=False)
class Table:
    """Rows in the order of the source, whatever is wrong with them.

    Attributes:
        name: what people call it.
        times: shape (rows,); NaT where a cell is no time.
        numbers: one column a column of numbers, rows counted from 0; NaN where a cell is empty or no number.
        no_numbers: by column, rows of the cells that hold neither a number nor nothing.
        units: by column, where known.
        where: names a row for people.
        source: header, cells and separator of the CSV file it came from, for a copy with cells emptied.
    """

    name: str
    times: pd.DatetimeIndex
    numbers: pd.DataFrame
    no_numbers: Mapping[str, tuple[int, ...]]
    units: Mapping[str, str]
    where: Where
    source: CsvCells

    def observed(self) -> Observed:
        """Rows in time order, the first of each time."""
        known = np.flatnonzero(self.times.notna())
        order = known[np.argsort(self.times[known].asi8, kind="stable")]
        times = self.times[order]
        first = ~times.duplicated()
        rows = order[first]
        numbers = self.numbers.iloc[rows].reset_index(drop=True).replace([np.inf, -np.inf], np.nan)
        return Observed(times[first], rows, numbers, self.units)


def read_table(
    source: "str | Path | pd.DataFrame | Series",
    *,
    time: str | None = None,
    time_format: str | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    thousands: str | None = None,
) -> Table:
    """The table behind a catalogue name, a file, a DataFrame or a Series.

    Args:
        source: of a catalogue dataset, the columns that are no observation are left out.
        time, time_format, encoding, decimal, thousands: see `read_series`.

    Raises:
        DataError: it can't be read as a table at all: fields are missing, no column holds numbers.
        ColumnError: there is no column of times.
        SettingError: options were given for a catalogue dataset, or no sign to write numbers with.
    """
    numerals = Numerals(decimal, thousands)
    if isinstance(source, Series):
        return _table(source.name, _cells_of_series(source), str(source.times.name or "time"), None, source.units)
    if isinstance(source, pd.DataFrame):
        cells, time = _cells_of_frame(source, time)
        return _table("frame", cells, time, time_format, {})
    dataset = CATALOGUE.get(str(source))
    if dataset and (time, time_format, encoding, numerals) != (None, None, "utf-8", Numerals()):
        raise SettingError(f"{dataset.name!r} is a dataset of the catalogue, read as it is published.")
    path = fetch(dataset) if dataset else Path(source)
    check_is_file(path)
    if path.suffix.lower() in (".parquet", ".pq"):
        cells, time = _cells_of_frame(read_parquet(path), time)
        numerals = Numerals()  # we have just written them
    else:
        cells = read_rows(path, encoding)
    if dataset:
        cells = _drop(cells, dataset)
    units = {c: u for c in cells.header for end, u in (dataset.units.items() if dataset else ()) if c.endswith(end)}
    return _table(dataset.name if dataset else path.stem, cells, time, time_format, units, numerals)


def _table(
    name: str,
    source: CsvCells,
    time: str | None,
    form: str | None,
    units: Mapping[str, str],
    numerals: Numerals = Numerals(),  # noqa: B008  (frozen)
) -> Table:
    columns = dict(zip(source.header, zip(*source.rows, strict=True), strict=True))
    time_column = find_time_column(source.header, time)
    if time_column is None and looks_like_times(columns[source.header[0]]):
        time_column = source.header[0]
    if time_column is None:
        raise ColumnError(f"No column of times was found among {', '.join(source.header[:8])}: name it with --time.")
    where = partial(_line, source.lines) if source.lines else _row
    times = pd.DatetimeIndex(coerce_times(pd.Series(columns.pop(time_column), dtype=str), form, where))
    if times.tz is not None:
        times = times.tz_convert("UTC").tz_localize(None)
    numbers, no_numbers = {}, {}
    for column, cells in columns.items():
        values = [numerals.read(cell) for cell in cells]
        numeric = np.array([value is not None for value in values])
        missing = np.array([is_missing(cell) for cell in cells])
        # A column is one of numbers if most of what is in it are numbers; else it is text and no business of ours.
        if 2 * numeric.sum() > (~missing).sum():
            numbers[column] = [np.nan if value is None else value for value in values]
            no_numbers[column] = tuple(np.flatnonzero(~numeric & ~missing).tolist())
    if not numbers:
        raise DataError(f"No column of {name} holds numbers. There is nothing to audit.")
    return Table(name, times.as_unit("us"), pd.DataFrame(numbers), no_numbers, units, where, source)


def _line(lines: list[int], row: int) -> str:
    return f"line {lines[row]}"


def _row(row: int) -> str:
    return f"row {row + 1}"


def _drop(cells: CsvCells, dataset: Dataset) -> CsvCells:
    kept = [i for i, name in enumerate(cells.header) if name not in dataset.drop]
    rows = [[row[i] for i in kept] for row in cells.rows]
    return replace(cells, header=[cells.header[i] for i in kept], rows=rows)


def _cells_of_series(series: Series) -> CsvCells:
    values = pd.DataFrame(series.values, columns=list(series.columns))
    if series.filled is not None:
        values = values.mask(series.filled)  # carried forward, so nobody observed it
    values.insert(0, series.times.name or "time", series.times)
    return _as_text(values)


def _cells_of_frame(frame: pd.DataFrame, time: str | None) -> tuple[CsvCells, str | None]:
    """The cells of a frame as text, and the name of its column of times: the one named, else its index of dates."""
    if not len(frame):
        raise DataError("The table has no rows. There is nothing to audit.")
    if isinstance(frame.index, pd.DatetimeIndex) and time is None:
        time = str(frame.index.name or "time")
        frame = frame.rename_axis(time).reset_index()
    elif time is None:
        time = next((str(c) for c in frame if pd.api.types.is_datetime64_any_dtype(frame[c])), None)
    return _as_text(frame), time


def _as_text(frame: pd.DataFrame) -> CsvCells:
    """A frame as a CSV file would hold it; numbers in as many digits as they need."""
    if frame.columns.nlevels > 1 or frame.columns.has_duplicates:
        raise DataError("The columns of a table need one name each, of one level. Rename them first.")
    columns = [["" if pd.isna(v) else str(v) for v in frame[c].tolist()] for c in frame]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return CsvCells([str(c) for c in frame], rows, [], ",")
