"""Checks of the times: what a strict reader refuses, all of it."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.series.doctor.finding import Cells, Finding
from backsight.series.doctor.table import Table
from backsight.series.frequency import find_step, grid_places, show_step, steps_from
from backsight.series.series import day

_HOUR = pd.Timedelta(hours=1)
_SUNDAY = 6
#: Clocks are put forward or back on a Sunday of these months, between midnight and four.
_MONTHS, _BEFORE = (3, 4, 9, 10, 11), 4


def check_times(table: Table) -> list[Finding]:
    """Times that can't be read, are out of order, repeated, off the grid, or left out.

    Hours that are missing in spring and doubled in autumn are one finding: daylight-saving time.
    """
    times = table.times
    readable = np.flatnonzero(times.notna())
    found = [_unreadable(table, np.flatnonzero(times.isna()))]
    if len(readable) < 3:
        return [f for f in found if f]
    steps = np.diff(times[readable].asi8)
    back = readable[1:][steps < 0]
    repeated = np.flatnonzero(times.duplicated() & times.notna())
    distinct = times[readable].unique().sort_values()
    missing, off_grid = _off_the_grid(distinct) if len(distinct) > 2 else (distinct[:0], distinct[:0])
    spring, autumn = _clock_changes(missing), _clock_changes(times[repeated])
    if spring.any() and len(distinct) > 2 and _sub_daily(distinct):
        found.append(_daylight_saving(table, missing[spring], repeated[autumn]))
        # Half-hourly rows go back by half an hour at the change, as well as repeating themselves.
        back = np.setdiff1d(back, back[_clock_changes(times[back])])
        missing, repeated = missing[~spring], repeated[~autumn]
    found += [
        _out_of_order(table, back),
        _repeats(table, repeated),
        _uneven(table, distinct, off_grid),
        _gaps(missing, distinct),
    ]
    return [f for f in found if f]


def _sub_daily(distinct: pd.DatetimeIndex) -> bool:
    step = find_step(distinct)
    return isinstance(step, pd.Timedelta) and step <= _HOUR


def _off_the_grid(distinct: pd.DatetimeIndex) -> tuple[pd.DatetimeIndex, pd.DatetimeIndex]:
    """The times that are missing on the grid of most rows, and those that lie off it."""
    step = find_step(distinct)
    places, off = grid_places(distinct, step)
    on = places[~off]
    # A slip of the pen in a year would ask for a million steps: no more gaps are listed than there are rows.
    last = min(int(places[-1]), 2 * len(distinct) + 1000)
    absent = np.setdiff1d(np.arange(int(places[0]), last + 1), on)
    return steps_from(distinct[0], step, last + 1)[absent], distinct[off]


def _clock_changes(times: pd.DatetimeIndex) -> NDArray[np.bool_]:
    """Which times lie where clocks are changed."""
    return np.asarray((times.day_of_week == _SUNDAY) & times.month.isin(_MONTHS) & (times.hour < _BEFORE))


def _at(table: Table, rows: NDArray[np.int64]) -> tuple[Cells, ...]:
    return (Cells("", tuple(rows.tolist()), tuple(table.times[rows])),)


def _first(table: Table, rows: NDArray[np.int64]) -> str:
    """Where the first of these rows stands."""
    return f"{table.where(int(rows[0]))} ({day(table.times[rows[0]])})"


def _rows(count: int, thing: str = "row") -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _unreadable(table: Table, rows: NDArray[np.int64]) -> Finding | None:
    if not len(rows):
        return None
    return Finding(
        "no time",
        "wrong",
        _at(table, rows),
        f"{_rows(len(rows))} without a time that can be read, first at {table.where(int(rows[0]))}",
        "every row has a time",
        "mend these times, or say with --time-format how they are written",
    )


def _out_of_order(table: Table, rows: NDArray[np.int64]) -> Finding | None:
    if not len(rows):
        return None
    return Finding(
        "out of order",
        "wrong",
        _at(table, rows),
        f"{_rows(len(rows))} earlier than the row before, first at {_first(table, rows)}",
        "rows stand in time order",
        "sort the file by time",
    )


def _repeats(table: Table, rows: NDArray[np.int64]) -> Finding | None:
    if not len(rows):
        return None
    return Finding(
        "repeated time",
        "wrong",
        _at(table, rows),
        f"{_rows(len(rows))} with a time that an earlier row has, first at {_first(table, rows)}",
        "one row a step; a row that stands twice can fall into training and test",
        "drop the repeats, or read with --on-duplicate first, last or mean",
    )


def _uneven(table: Table, distinct: pd.DatetimeIndex, off_grid: pd.DatetimeIndex) -> Finding | None:
    if not len(off_grid):
        return None
    rows = np.flatnonzero(table.times.isin(off_grid))
    return Finding(
        "uneven steps",
        "wrong",
        _at(table, rows),
        f"{_rows(len(rows))} between two steps, first at {_first(table, rows)}",
        f"most rows are {show_step(find_step(distinct))} apart",
        "resample the series to even steps, from earlier values only",
    )


def _gaps(missing: pd.DatetimeIndex, distinct: pd.DatetimeIndex) -> Finding | None:
    if not len(missing):
        return None
    return Finding(
        "gap",
        "wrong",
        (Cells("", tuple(range(-len(missing), 0)), tuple(missing)),),
        f"{_rows(len(missing), 'step')} left out, first {day(missing[0])}",
        f"a row every {show_step(find_step(distinct))}",
        "add the rows, or read with --on-missing ffill: what is filled is not scored",
    )


def _daylight_saving(table: Table, spring: pd.DatetimeIndex, autumn: NDArray[np.int64]) -> Finding:
    gone = Cells("", tuple(range(-len(spring), 0)), tuple(spring))
    return Finding(
        "daylight saving",
        "wrong",
        (gone, *_at(table, autumn)),
        f"{_rows(len(spring), 'step')} left out on Sundays in spring, first {day(spring[0])}, and "
        f"{_rows(len(autumn), 'step')} doubled in autumn",
        "a day has 24 hours; local time skips one in spring and repeats one in autumn",
        "write the times in UTC, or with their offset (2021-03-28T03:00+02:00)",
    )
