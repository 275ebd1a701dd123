"""The step of a series, and the grid of times it belongs on."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Step = pd.Timedelta | pd.offsets.BaseOffset

_DAY = pd.Timedelta(days=1)
_MICROSECOND = pd.Timedelta(microseconds=1)
#: Units of durations, and what people call them.
_UNITS = (
    (_DAY, "day"),
    (pd.Timedelta(hours=1), "hour"),
    (pd.Timedelta(minutes=1), "minute"),
    (pd.Timedelta(seconds=1), "second"),
    (pd.Timedelta(milliseconds=1), "millisecond"),
    (_MICROSECOND, "microsecond"),
)


def find_step(times: pd.DatetimeIndex) -> Step:
    """The step that most rows keep: a duration, business days, or whole months.

    Args:
        times: at least two, rising.

    >>> find_step(pd.date_range("2020-01-31", periods=4, freq="ME"))
    <MonthEnd>
    >>> find_step(pd.date_range("2020-01-01", periods=4, freq="h"))
    Timedelta('0 days 01:00:00')
    """
    gaps = np.diff(_microseconds(times))
    usual = _most_common(gaps) * _MICROSECOND
    # Months and years differ in length, so they are counted, not measured.
    if usual >= 28 * _DAY and (gaps % (usual // _MICROSECOND)).any():
        months = max(_most_common(np.diff(_months(times))), 1)
        return pd.offsets.MonthEnd(months) if times.is_month_end.all() else pd.DateOffset(months=months)
    over_weekends = bool((gaps == 3 * _DAY // _MICROSECOND).any())
    if usual == _DAY and over_weekends and (times.day_of_week < 5).all():
        return pd.offsets.BusinessDay()
    return usual


def grid_places(
    times: pd.DatetimeIndex, step: Step, first: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """How many steps each time lies after the first, and which times lie between two steps.

    Args:
        times: one a row.
        step: from one to the next.
        first: of rows of several series, for each row the one that its series begins with, rising; row 0 without it.

    >>> places, off = grid_places(pd.DatetimeIndex(["2020-01-01", "2020-01-02", "2020-01-04"]), pd.Timedelta(days=1))
    >>> places, off.any()
    (array([0, 1, 3]), np.False_)
    """
    start = np.zeros(len(times), dtype=np.int64) if first is None else first
    if isinstance(step, pd.Timedelta):
        since = _microseconds(times)
        places, rest = np.divmod(since - since[start], step // _MICROSECOND)
    elif isinstance(step, pd.offsets.BusinessDay):
        days = times.to_numpy().astype("datetime64[D]")
        places, rest = np.busday_count(days[start], days), _microseconds(times) - _microseconds(times.normalize())
    else:
        count = step.n if isinstance(step, pd.offsets.MonthEnd) else step.kwds["months"]
        months = _months(times)
        places, rest = np.divmod(months - months[start], count)
        # The same day of every month; a month without that day takes its last one.
        starts, of_start = np.unique(start, return_inverse=True)
        day = np.minimum(np.maximum.reduceat(times.day.to_numpy(), starts)[of_start], times.days_in_month)
        clock = _microseconds(times) - _microseconds(times.normalize())
        rest = rest + (times.day != day) + (clock != clock[start])
    return places.astype(np.int64), rest != 0


def times_after(times: pd.DatetimeIndex, steps: int) -> pd.DatetimeIndex:
    """The times of the next steps after the last one.

    >>> times_after(pd.date_range("2020-01-31", periods=4, freq="ME"), 1)[0]
    Timestamp('2020-05-31 00:00:00')
    """
    return steps_from(times[-1], find_step(times), steps + 1)[1:]


def steps_from(first: pd.Timestamp, step: Step, count: int) -> pd.DatetimeIndex:
    """`first` and the times after it.

    >>> [time.day for time in steps_from(pd.Timestamp("2021-01-30"), pd.DateOffset(months=1), 3)]
    [30, 28, 30]
    """
    if type(step) is pd.DateOffset:  # months, counted from the first: a short month is no anchor
        months = step.kwds["months"]
        return pd.DatetimeIndex([first + pd.DateOffset(months=months * k) for k in range(count)])
    return pd.date_range(first, periods=count, freq=step)


def show_step(step: Step) -> str:
    """A step for people.

    >>> show_step(pd.Timedelta(hours=1)), show_step(pd.offsets.BusinessDay()), show_step(pd.DateOffset(months=12))
    ('1 hour', '1 business day', '12 months')
    >>> [show_step(pd.Timedelta(minutes=m)) for m in (15, 90, 1440, 2880)]
    ['15 minutes', '90 minutes', '1 day', '2 days']
    """
    if isinstance(step, pd.Timedelta):
        unit, name = next(((u, n) for u, n in _UNITS if not step % u), _UNITS[-1])
        count = step // unit
        return f"{count:,} {name}{'s' if count != 1 else ''}"
    if isinstance(step, pd.offsets.BusinessDay):
        return "1 business day"
    months = step.n if isinstance(step, pd.offsets.MonthEnd) else step.kwds["months"]
    return f"{months} month{'s' if months > 1 else ''}"


def step_name(times: pd.DatetimeIndex) -> str:
    """What several steps are called: days, hours, business days, ...; "steps" where they have no name of their own.

    >>> [step_name(pd.date_range("2020-01-01", periods=3, freq=f)) for f in ("D", "6h", "MS")]
    ['days', 'steps', 'months']
    """
    step = find_step(times)
    if isinstance(step, pd.Timedelta):
        named = {_DAY: "days", 7 * _DAY: "weeks", _DAY / 24: "hours", _DAY / 1440: "minutes"}
        return named.get(step, "steps")
    if isinstance(step, pd.offsets.BusinessDay):
        return "business days"
    months = step.n if isinstance(step, pd.offsets.MonthEnd) else step.kwds["months"]
    return {1: "months", 3: "quarters", 12: "years"}.get(months, "steps")


def _microseconds(times: pd.DatetimeIndex) -> NDArray[np.int64]:
    """Since 1970; pandas counts in whatever unit an index came in."""
    return times.as_unit("us").asi8


def _months(times: pd.DatetimeIndex) -> NDArray[np.int64]:
    return np.asarray(times.year * 12 + times.month, dtype=np.int64)


def _most_common(numbers: NDArray[np.int64]) -> int:
    values, counts = np.unique(numbers, return_counts=True)
    return int(values[np.argmax(counts)])
