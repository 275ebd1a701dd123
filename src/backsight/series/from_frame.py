"""A Series from a table, with every rule about time and missing values checked."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Literal

import numpy as np
import pandas as pd

from backsight.errors import ColumnError, DataError, SettingError
from backsight.series.columns import expand_globs, refuse_text
from backsight.series.frequency import find_step, grid_places, show_step, steps_from
from backsight.series.series import Series, day, rows_between

OnDuplicate = Literal["error", "first", "last", "mean"]
OnMissing = Literal["error", "ffill"]
Where = Callable[[int], str]

#: Column names that are taken for the time where none is given, in lower case.
TIME_NAMES = ("date", "datetime", "time", "timestamp", "ds", "day", "month_start")

#: Numbers beyond this are refused: far beyond it, 32 bits can't hold them.
LARGEST = 1e30


def from_frame(
    frame: pd.DataFrame,
    *,
    time: str | None = None,
    time_format: str | None = None,
    columns: Iterable[str] | None = None,
    first: str | None = None,
    last: str | None = None,
    name: str = "series",
    units: Mapping[str, str] | None = None,
    on_duplicate: OnDuplicate = "error",
    on_missing: OnMissing = "error",
    where: Where = lambda row: f"row {row + 1}",
) -> Series:
    """A Series from a DataFrame; nothing is repaired unless asked for.

    Args:
        frame: one row a step. The times are its `time` column, else its index if that holds dates, else a
            column with a usual name, else the first column of dates.
        time: name of the column of times.
        time_format: strptime format of times that are text.
        columns: globs of the columns to take; the others may hold what they like. All without it.
        first, last: dates; earlier and later rows may hold what they like.
        name: what to call the series.
        units: unit by column.
        on_duplicate: what to do with rows of the same time: refuse, keep one of them, or average.
        on_missing: what to do with missing steps and values: refuse, or carry the last value forward
            (from the past only, so nothing leaks; no window with a target filled so is learnt from or scored).
        where: names a row (counted from 0) in error messages.

    Raises:
        ColumnError: no column of times was found, or a glob fits nothing.
        DataError: times out of order, repeated or uneven; values missing, infinite or too large.
        SettingError: `time_format` is no format.

    >>> frame = pd.DataFrame({"date": ["2020-01-01", "2020-01-02", "2020-01-03"], "y": [1.0, 2, 3]})
    >>> from_frame(frame, time="date").columns
    ('y',)
    """
    times, frame = _split_off_times(frame, time, time_format, where)
    _check_order(times, where, repeats_allowed=on_duplicate != "error")
    numbers, left_out = _numbers(frame, columns)
    kept = rows_between(times, first, last)
    numbers, times = numbers.iloc[kept].set_axis(times[kept]), times[kept]
    if not len(numbers) and len(frame):
        raise DataError(f"No row of {name} lies from {first or 'its start'} to {last or 'its end'}.")
    at: Where = lambda row: where(row + kept.start)
    _check_finite(numbers, at, missing_allowed=on_missing == "ffill")
    if on_duplicate != "error" and times.has_duplicates:
        numbers = numbers.groupby(level=0).agg(on_duplicate)
        at = lambda row: f"step {row + 1}"  # repeats are gone, so rows no longer sit where the file has them
    if len(numbers) < 3:
        raise DataError(f"A series needs at least 3 rows; {name} has {len(numbers)}.")
    numbers = _evenly_spaced(numbers, at, fill=on_missing == "ffill")
    filled = numbers.isna().to_numpy()
    return Series(
        name=name,
        times=pd.DatetimeIndex(numbers.index, name="time"),
        values=np.ascontiguousarray(_carried_forward(numbers).to_numpy(np.float64)),
        columns=tuple(numbers.columns),
        units={c: u for c, u in (units or {}).items() if c in numbers.columns},
        left_out=left_out,
        filled=filled if filled.any() else None,
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


def _split_off_times(
    frame: pd.DataFrame, time: str | None, form: str | None, where: Where
) -> tuple[pd.DatetimeIndex, pd.DataFrame]:
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


def _numbers(frame: pd.DataFrame, globs: Iterable[str] | None) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The columns of numbers that were asked for, as float64, and the names of those that hold text."""
    numeric = [str(c) for c in frame.columns if _is_numeric(frame[c])]
    left_out = tuple(str(c) for c in frame.columns if c not in numeric)
    if globs is not None:
        globs = tuple(globs)
        refuse_text(globs, numeric, left_out)
        numeric = list(expand_globs(globs, numeric))
        left_out = ()
    if not numeric:
        raise DataError("No column holds numbers. A forecaster needs at least one.")
    return frame[numeric].astype("float64"), left_out


def _is_numeric(column: pd.Series) -> bool:
    if pd.api.types.is_object_dtype(column):
        return all(isinstance(v, Decimal | int | float) for v in column.dropna()) and not column.isna().all()
    return pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)


def _check_order(times: pd.DatetimeIndex, where: Where, repeats_allowed: bool) -> None:
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


def _check_finite(numbers: pd.DataFrame, where: Where, missing_allowed: bool) -> None:
    values = numbers.to_numpy()
    fill = ", or pass --on-missing ffill to carry the last one forward"
    for kind, flaw, advice, allowed in (
        ("infinite value", np.isinf(values), "Every cell must hold a number: mend them", False),
        ("missing value", np.isnan(values), f"Every cell must hold a number: mend them{fill}", missing_allowed),
        ("value beyond 1e30", np.abs(values) > LARGEST, "Numbers so large overflow: take another unit", False),
    ):
        if flaw.any() and not allowed:
            row, column = np.argwhere(flaw)[0]
            raise DataError(
                f"{_count(int(flaw.sum()), kind)}, first at {where(row)} in column "
                f"{numbers.columns[column]!r}. {advice}."
            )


def _evenly_spaced(numbers: pd.DataFrame, where: Where, fill: bool) -> pd.DataFrame:
    """The rows, with rows of NaN where steps are missing and may be filled."""
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
    missing = int(places[-1] + 1 - len(places))
    if not missing:
        return numbers
    i = gaps[0] + 1
    found = (
        f"{_count(missing, 'missing step')}: {day(times[i])} at {where(i)} follows {day(times[i - 1])}, and a step is "
        f"{show_step(step)}."
    )
    if not fill:
        raise DataError(f"{found} Add the rows, or pass --on-missing ffill to carry the last values forward.")
    if missing > len(numbers):
        raise DataError(f"{found} That is more than there are rows: too many to be filled.")
    filled = pd.DataFrame(np.nan, index=steps_from(times[0], step, int(places[-1]) + 1), columns=numbers.columns)
    filled.iloc[places] = numbers.to_numpy()
    return filled


def _carried_forward(numbers: pd.DataFrame) -> pd.DataFrame:
    carried = numbers.ffill()
    if carried.isna().to_numpy().any():
        column = carried.columns[carried.isna().any()][0]
        raise DataError(
            f"Column {column!r} begins with missing values, and there is no earlier one to carry forward: begin "
            f"later (--from), or read other columns (--features)."
        )
    return carried


def _count(n: int, thing: str) -> str:
    thing = thing if n == 1 else thing.replace("value", "values") if "value" in thing else f"{thing}s"
    return f"There {'is' if n == 1 else 'are'} {n} {thing}"
