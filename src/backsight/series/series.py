"""What was observed: numbers in time order, one row a step."""

import re
from dataclasses import dataclass, replace

import pandas as pd

from backsight.errors import DataError
from backsight.series.rows import Rows

_DAY = pd.Timedelta(days=1)
_MICROSECOND = pd.Timedelta(microseconds=1)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?)?")


@dataclass(frozen=True, eq=False)
class Series(Rows):
    """A time series: named columns of numbers over evenly spaced times.

    Attributes:
        name: what people call it.
        times: one time a step, strictly increasing, evenly spaced (see `series.frequency`).
        values: shape (steps, columns), float64, finite.
        columns: the names, in the order of the second axis of `values`.
        units: unit by column, where known.
        left_out: columns of the source that hold text and so can't be forecast from.
        filled: shape (steps, columns), true where a value was carried forward and not observed; None
            where all were. No window with a filled target is learnt from or scored.

    Raises:
        DataError: the shapes of values, times and columns do not fit each other.

    >>> import numpy as np, pandas as pd
    >>> days = pd.date_range("2020-01-01", periods=3)
    >>> series = Series("toy", days, np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), ("a", "b"))
    >>> series.column("b")
    array([2., 4., 6.])
    """

    def head(self, steps: int) -> "Series":
        """The first `steps` rows.

        Raises:
            DataError: the series has fewer.
        """
        if not 1 <= steps <= len(self):
            raise DataError(f"{self.name} has {len(self)} rows; its first {steps} were asked for.")
        return self._rows(slice(0, steps))

    def between(self, first: str | None = None, last: str | None = None) -> "Series":
        """The rows from `first` to `last`, both included.

        Raises:
            DataError: no row lies between them.
        """
        kept = rows_between(self.times, first, last)
        if not len(self.times[kept]):
            raise DataError(
                f"No row of {self.name} lies from {first or 'its start'} to {last or 'its end'}; "
                f"it runs from {day(self.times[0])} to {day(self.times[-1])}."
            )
        return self._rows(kept)

    def _rows(self, kept: slice) -> "Series":
        filled = None if self.filled is None else self.filled[kept]
        return replace(self, times=self.times[kept], values=self.values[kept], filled=filled)


def rows_between(times: pd.DatetimeIndex, first: str | None, last: str | None) -> slice:
    """The rows from `first` to `last`, both included; "2010-01-01" means the whole of that day.

    Raises:
        DataError: one of them is no date.
    """
    begin = 0 if first is None else int(times.searchsorted(as_time(first)))
    return slice(begin, len(times) if last is None else int(times.searchsorted(end_of(last), side="right")))


def end_of(text: str) -> pd.Timestamp:
    """The last moment of a day such as 2010-01-01, or a moment such as 2010-01-01T12:00.

    Raises:
        DataError: it is no date.
    """
    return as_time(text) + (_DAY - _MICROSECOND if ":" not in text else 0 * _DAY)


def as_time(text: str) -> pd.Timestamp:
    """A time from text such as 2009-01-04 or 2009-01-04T12:00.

    Raises:
        DataError: it is no such time.
    """
    time = pd.to_datetime(text, errors="coerce") if _ISO.fullmatch(text) else pd.NaT
    if not isinstance(time, pd.Timestamp):
        raise DataError(f"{text!r} is not a date. Write it as 2009-01-04 or 2009-01-04T12:00.")
    return time if time.tz is None else time.tz_convert("UTC").tz_localize(None)


def day(time: pd.Timestamp) -> str:
    """A time for people: the date alone where the hour says nothing.

    >>> day(pd.Timestamp("2009-01-04")), day(pd.Timestamp("2009-01-04 06:00"))
    ('2009-01-04', '2009-01-04 06:00')
    """
    if time == time.normalize():
        return time.strftime("%Y-%m-%d")
    if time == time.floor("min"):
        return time.strftime("%Y-%m-%d %H:%M")
    return time.strftime("%Y-%m-%d %H:%M:%S.%f").removesuffix(".000000")
