"""The column of times of a table: which it is, and how its cells are read."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from backsight.errors import ColumnError, DataError, SettingError

#: Names a row, counted from 0, in an error message.
Where = Callable[[int], str]

#: Column names that are taken for the time where none is given, in lower case.
TIME_NAMES = ("date", "datetime", "time", "timestamp", "ds", "day", "month_start")


def find_time_column(columns: list[str], time: str | None) -> str | None:
    """The name of the column of times: the one named, else one with a usual name, else None.

    Raises:
        ColumnError: the named one does not exist.
    """
    if time is not None:
        if time not in columns:
            raise ColumnError(f"There is no time column {time!r}. The columns are {', '.join(columns[:8])}.")
        return time
    return next((c for c in columns if c.lower() in TIME_NAMES), None)


def split_off_times(
    frame: pd.DataFrame, time: str | None, form: str | None, where: Where
) -> tuple[pd.DatetimeIndex, pd.DataFrame]:
    """The times of a table, in UTC and microseconds, and its other columns.

    Raises:
        ColumnError: no column of times was found.
        DataError: a time can't be read; two columns have one name.
    """
    if frame.columns.nlevels > 1:
        raise DataError("The columns have names of several levels. Flatten them first.")
    if not isinstance(frame.index, pd.DatetimeIndex | pd.RangeIndex):
        frame = frame.reset_index()  # text dates are often the index
    frame = frame.rename(columns=str)
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"Two columns are called {twice!r}. Rename one of them.")
    if time is None and isinstance(frame.index, pd.DatetimeIndex):
        times = parse_times(frame.index.to_series(), form, where)
    else:
        column = find_time_column(list(frame.columns), time)
        if column is None:
            column = next((c for c in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[c])), None)
        if column is None:
            raise ColumnError(
                f"No column of times was found among {', '.join(list(frame.columns)[:8])}: "
                f"name it with --time (in Python, time=)."
            )
        times, frame = parse_times(frame[column], form, where), frame.drop(columns=column)
    if times.tz is not None:
        # One clock without summer time: otherwise an hour a year is missing, and another one doubled.
        times = times.tz_convert("UTC").tz_localize(None)
    # Microseconds reach from the year -290,000 to 294,000; pandas' nanoseconds end in 2262.
    times = times.as_unit("us")
    if len(outside := np.flatnonzero((times.year < 1) | (times.year > 9999))):
        raise DataError(f"The time at {where(outside[0])} lies outside the years 1 to 9999. Mend it.")
    return times, frame


def parse_times(cells: pd.Series, form: str | None, where: Where) -> pd.DatetimeIndex:
    """Times from text, whole numbers (YYYYMMDD) or dates.

    Args:
        cells: shape (rows,).
        form: strptime format; None takes ISO 8601, YYYYMMDD, YYYY/MM/DD and YYYY.
        where: names a row in error messages.

    Raises:
        DataError: a cell is not a time, or some have a time zone and others none; the message names the row.
        SettingError: `form` is no format.
    """
    parsed = coerce_times(cells, form, where)
    bad = np.flatnonzero(parsed.isna().to_numpy())
    if len(bad):
        shown = "empty" if pd.isna(cells.iloc[bad[0]]) else repr(str(cells.iloc[bad[0]])[:40])
        raise DataError(
            f"The time at {where(bad[0])} is {shown}, which is no date of the form "
            f"{form or '2009-01-04 or 2009-01-04T12:00'}: mend it, or say how dates are written with "
            f"--time-format, for example '%d/%m/%Y'."
        )
    return pd.DatetimeIndex(parsed)


def coerce_times(cells: pd.Series, form: str | None, where: Where) -> pd.Series:
    """What `parse_times` reads, with NaT where a cell is no time.

    Raises:
        DataError: some cells have a time zone and others none.
        SettingError: `form` is no format.
    """
    if pd.api.types.is_datetime64_any_dtype(cells):
        return cells
    return _parse_text(cells.astype(str).str.strip(), form, where)


def _parse_text(text: pd.Series, form: str | None, where: Where) -> pd.Series:
    if form is None and text.str.fullmatch(r"\d{8}").all():
        form = "%Y%m%d"
    elif form is None and text.str.fullmatch(r"\d{4}").all():
        form = "%Y"
    elif form is None and text.str.match(r"\d{4}/").all():
        text = text.str.replace("/", "-")
    zoned = (text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$", regex=True) & text.str.contains(":")).to_numpy()
    if zoned.any() and not zoned.all():
        odd = int(np.flatnonzero(zoned != zoned[0])[0])
        raise DataError(
            f"The time at {where(odd)}, {text.iloc[odd]!r}, has {'a' if zoned[odd] else 'no'} time zone, unlike those "
            f"before it. Write all of them with one, or none."
        )
    try:
        return pd.to_datetime(text, format=form or "ISO8601", errors="coerce", utc=bool(zoned.any()))
    except ValueError as error:
        raise SettingError(f"{form!r} is no format of times ({error}). Write it as '%d/%m/%Y %H:%M'.") from error
