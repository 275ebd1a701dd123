"""A Series from a table, with every rule about time and missing values checked."""

from collections.abc import Iterable, Mapping
from typing import TypedDict, Unpack, overload

import numpy as np
import pandas as pd

from backsight.errors import DataError
from backsight.series.from_long import from_long
from backsight.series.panel import Panel
from backsight.series.rules import (
    OnDuplicate,
    OnMissing,
    carried_forward,
    check_finite,
    check_order,
    evenly_spaced,
    numbers_of,
)
from backsight.series.series import Series, rows_between
from backsight.series.times import Where, split_off_times


class Reading(TypedDict, total=False):
    """How a table is read; see `from_frame`."""

    time: str | None
    time_format: str | None
    columns: Iterable[str] | None
    first: str | None
    last: str | None
    name: str
    units: Mapping[str, str] | None
    on_duplicate: OnDuplicate
    on_missing: OnMissing
    where: Where


@overload
def from_frame(frame: pd.DataFrame, *, id: None = None, **reading: Unpack[Reading]) -> Series: ...


@overload
def from_frame(frame: pd.DataFrame, *, id: str, **reading: Unpack[Reading]) -> Panel: ...


def from_frame(
    frame: pd.DataFrame,
    *,
    id: str | None = None,
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
) -> Series | Panel:
    """A Series from a DataFrame, or a Panel where a column names one of several; nothing is repaired unless asked for.

    Args:
        frame: one row a step. The times are its `time` column, else its index if that holds dates, else a
            column with a usual name, else the first column of dates.
        id: name of the column that says which series a row belongs to, and that is read as text; without it all rows
            are of one series.
        time: name of the column of times.
        time_format: strptime format of times that are text.
        columns: globs of the columns to take; the others may hold what they like. All without it.
        first, last: dates; earlier and later rows may hold what they like.
        name: what to call the whole.
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
    >>> from_frame(frame.assign(store="north"), id="store").ids
    ('north',)
    """
    if id is not None:
        return from_long(
            frame,
            id,
            time=time,
            time_format=time_format,
            columns=columns,
            first=first,
            last=last,
            name=name,
            units=units,
            on_duplicate=on_duplicate,
            on_missing=on_missing,
            where=where,
        )
    times, frame = split_off_times(frame, time, time_format, where)
    check_order(times, where, repeats_allowed=on_duplicate != "error")
    numbers, left_out = numbers_of(frame, columns)
    kept = rows_between(times, first, last)
    numbers, times = numbers.iloc[kept].set_axis(times[kept]), times[kept]
    if not len(numbers) and len(frame):
        raise DataError(f"No row of {name} lies from {first or 'its start'} to {last or 'its end'}.")
    at: Where = lambda row: where(row + kept.start)
    check_finite(numbers, at, missing_allowed=on_missing == "ffill")
    if on_duplicate != "error" and times.has_duplicates:
        numbers = numbers.groupby(level=0).agg(on_duplicate)
        at = lambda row: f"step {row + 1}"  # repeats are gone, so rows no longer sit where the file has them
    if len(numbers) < 3:
        raise DataError(f"A series needs at least 3 rows; {name} has {len(numbers)}.")
    numbers = evenly_spaced(numbers, at, fill=on_missing == "ffill")
    filled = numbers.isna().to_numpy()
    return Series(
        name=name,
        times=pd.DatetimeIndex(numbers.index, name="time"),
        values=np.ascontiguousarray(carried_forward(numbers).to_numpy(np.float64)),
        columns=tuple(numbers.columns),
        units={c: u for c, u in (units or {}).items() if c in numbers.columns},
        left_out=left_out,
        filled=filled if filled.any() else None,
    )
