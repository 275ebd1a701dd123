"""A Series from a table, with every rule about time and missing values checked."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import pandas as pd

from backsight.errors import ColumnError, DataError
from backsight.series.frequency import find_step, grid_places, show_step
from backsight.series.series import Series, day

OnDuplicate = Literal["error", "first", "last", "mean"]
OnMissing = Literal["error", "ffill"]

#: Column names that are taken for the time where none is given, in lower case.
TIME_NAMES = ("date", "datetime", "time", "timestamp", "ds", "day", "month_start")


def from_frame(
    frame: pd.DataFrame,
    *,
    time: str | None = None,
    name: str = "series",
    units: Mapping[str, str] | None = None,
    on_duplicate: OnDuplicate = "error",
    on_missing: OnMissing = "error",
    where: Callable[[int], str] = lambda row: f"row {row + 1}",
) -> Series:
    """A Series from a DataFrame; nothing is repaired unless asked for.

    Args:
        frame: one row a step. The times are its `time` column, else a column of dates, else its index.
        time: name of the column of times.
        name: what to call the series.
        units: unit by column.
        on_duplicate: what to do with rows of the same time: refuse, keep one of them, or average.
        on_missing: what to do with missing steps and values: refuse, or carry the last value forward
            (from the past only, so nothing leaks).
        where: names a row (counted from 0) in error messages.

    Raises:
        ColumnError: no column of times was found.
        DataError: times out of order, repeated or uneven; values missing or infinite.

    >>> frame = pd.DataFrame({"date": ["2020-01-01", "2020-01-02", "2020-01-03"], "y": [1.0, 2, 3]})
    >>> from_frame(frame, time="date").columns
    ('y',)
    """
    times, frame = _split_off_times(frame, time, where)
    _check_order(times, where, repeats_allowed=on_duplicate != "error")
    numbers = frame.select_dtypes("number").astype("float64")
    left_out = tuple(str(c) for c in frame.columns if c not in numbers.columns)
    if numbers.columns.empty:
        raise DataError("No column holds numbers. A forecaster needs at least one.")
    _check_finite(numbers, where, missing_allowed=on_missing == "ffill")
    numbers.index = times
    if on_duplicate != "error" and times.has_duplicates:
        by_time = numbers.groupby(level=0)
        numbers = by_time.agg(on_duplicate)
        # Repeats are gone, so rows no longer sit where the file has them.
        where = lambda row: f"step {row + 1}"
    if len(numbers) < 3:
        raise DataError(f"A series needs at least 3 rows; {name} has {len(numbers)}.")
    numbers = _evenly_spaced(numbers, where, fill=on_missing == "ffill")
    if on_missing == "ffill":
        numbers = numbers.ffill()
        if numbers.isna().to_numpy().any():
            column = numbers.columns[numbers.isna().any()][0]
            raise DataError(
                f"Column {column!r} begins with missing values, and there is no earlier one to carry "
                f"forward: start the series later (--from) or leave the column out."
            )
    return Series(
        name=name,
        times=pd.DatetimeIndex(numbers.index, name="time"),
        values=np.ascontiguousarray(numbers.to_numpy(np.float64)),
        columns=tuple(str(c) for c in numbers.columns),
        units={c: u for c, u in (units or {}).items() if c in numbers.columns},
        left_out=left_out,
    )


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


def _split_off_times(
    frame: pd.DataFrame, time: str | None, where: Callable[[int], str]
) -> tuple[pd.DatetimeIndex, pd.DataFrame]:
    frame = frame.rename(columns=str)
    if frame.columns.has_duplicates:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise DataError(f"Two columns are called {twice!r}. Rename one of them.")
    column = find_time_column(list(frame.columns), time)
    if column is None:
        column = next((c for c in frame.columns if pd.api.types.is_datetime64_any_dtype(frame[c])), None)
    if column is not None:
        times, frame = parse_times(frame[column], None, where), frame.drop(columns=column)
    elif isinstance(frame.index, pd.DatetimeIndex):
        times = frame.index
    else:
        raise ColumnError(
            f"No column of times was found among {', '.join(list(frame.columns)[:8])}: "
            f"name it with --time (in Python, time=)."
        )
    if times.tz is not None:
        # One clock without summer time: otherwise an hour a year is missing, and another one doubled.
        times = times.tz_convert("UTC").tz_localize(None)
    # Microseconds reach from the year -290,000 to 294,000; pandas' nanoseconds end in 2262.
    times = times.as_unit("us")
    if len(outside := np.flatnonzero((times.year < 1) | (times.year > 9999))):
        raise DataError(f"The time at {where(outside[0])} lies outside the years 1 to 9999. Mend it.")
    return times, frame


def parse_times(cells: pd.Series, form: str | None, where: Callable[[int], str]) -> pd.DatetimeIndex:
    """Times from text, whole numbers (YYYYMMDD) or dates.

    Args:
        cells: shape (rows,).
        form: strptime format; None takes ISO 8601, YYYYMMDD, YYYY/MM/DD and YYYY.
        where: names a row in error messages.

    Raises:
        DataError: a cell is not a time; the message names its row.
    """
    if pd.api.types.is_datetime64_any_dtype(cells):
        parsed = cells
    else:
        text = cells.astype(str).str.strip()
        if form is None and text.str.fullmatch(r"\d{8}").all():
            form = "%Y%m%d"
        elif form is None and text.str.fullmatch(r"\d{4}").all():
            form = "%Y"
        elif form is None and text.str.match(r"\d{4}/").all():
            text = text.str.replace("/", "-")
        zoned = text.str.contains(r"(?:Z|[+-]\d\d:?\d\d)$", regex=True) & text.str.contains(":")
        parsed = pd.to_datetime(text, format=form or "ISO8601", errors="coerce", utc=bool(zoned.any()))
    bad = np.flatnonzero(parsed.isna().to_numpy())
    if len(bad):
        shown = "empty" if pd.isna(cells.iloc[bad[0]]) else repr(str(cells.iloc[bad[0]]))
        raise DataError(
            f"The time at {where(bad[0])} is {shown}, which is no date of the form "
            f"{form or '2009-01-04 or 2009-01-04T12:00'}: mend it, or say how dates are written with "
            f"--time-format, for example '%d/%m/%Y'."
        )
    return pd.DatetimeIndex(parsed)


def _check_order(times: pd.DatetimeIndex, where: Callable[[int], str], repeats_allowed: bool) -> None:
    steps = np.diff(times.asi8)
    back = np.flatnonzero(steps < 0)
    if len(back):
        i = back[0] + 1
        raise DataError(
            f"The rows are not in time order: {day(times[i])} at {where(i)} follows "
            f"{day(times[i - 1])}. Sort the file by time."
        )
    repeats = np.flatnonzero(steps == 0)
    if len(repeats) and not repeats_allowed:
        i = repeats[0] + 1
        raise DataError(
            f"{_count(len(repeats), 'repeated time')}, first at {where(i)} ({day(times[i])}). A forecast "
            f"needs one row a step: drop the repeats or pass --on-duplicate first, last or mean."
        )


def _check_finite(numbers: pd.DataFrame, where: Callable[[int], str], missing_allowed: bool) -> None:
    values = numbers.to_numpy()
    for kind, flaw, allowed in (
        ("infinite", np.isinf(values), False),
        ("missing", np.isnan(values), missing_allowed),
    ):
        if flaw.any() and not allowed:
            row, column = np.argwhere(flaw)[0]
            advice = "" if kind == "infinite" else ", or pass --on-missing ffill to carry the last one forward"
            raise DataError(
                f"{_count(int(flaw.sum()), f'{kind} value')}, first at {where(row)} in column "
                f"{numbers.columns[column]!r}. Every cell must hold a number: mend them{advice}."
            )


def _evenly_spaced(numbers: pd.DataFrame, where: Callable[[int], str], fill: bool) -> pd.DataFrame:
    times = pd.DatetimeIndex(numbers.index)
    step = find_step(times)
    places, off_grid = grid_places(times, step)
    strays = np.flatnonzero(off_grid | (np.diff(places, prepend=-1) == 0))
    if len(strays):
        i = strays[0]
        raise DataError(
            f"The steps are uneven: most are {show_step(step)} apart, but {day(times[i])} at {where(i)} is off that "
            f"grid. Resample the series to even steps first."
        )
    gaps = np.flatnonzero(np.diff(places) > 1)
    if not len(gaps):
        return numbers
    if not fill:
        i = gaps[0] + 1
        raise DataError(
            f"{_count(int(places[-1] + 1 - len(places)), 'missing step')}: {day(times[i])} at {where(i)} "
            f"follows {day(times[i - 1])}, and a step is {show_step(step)}. Add the rows, or pass --on-missing ffill "
            f"to carry the last values forward."
        )
    full = pd.date_range(times[0], periods=places[-1] + 1, freq=step)
    filled = pd.DataFrame(np.nan, index=full, columns=numbers.columns)
    filled.iloc[places] = numbers.to_numpy()
    return filled


def _count(n: int, thing: str) -> str:
    return f"There {'is' if n == 1 else 'are'} {n} {thing}{'' if n == 1 else 's'}"
