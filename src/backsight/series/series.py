"""What was observed: numbers in time order, one row a step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.errors import ColumnError, DataError
from backsight.series.columns import expand_globs, require_column


@dataclass(frozen=True, eq=False)
class Series:
    """A time series: named columns of numbers over evenly spaced times.

    Attributes:
        name: what people call it.
        times: one time a step, strictly increasing, evenly spaced (see `series.frequency`).
        values: shape (steps, columns), float64, finite.
        columns: the names, in the order of the second axis of `values`.
        units: unit by column, where known.
        left_out: columns of the source that hold text and so can't be forecast from.

    >>> import numpy as np, pandas as pd
    >>> days = pd.date_range("2020-01-01", periods=3)
    >>> series = Series("toy", days, np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), ("a", "b"))
    >>> series.column("b")
    array([2., 4., 6.])
    """

    name: str
    times: pd.DatetimeIndex
    values: NDArray[np.float64]
    columns: tuple[str, ...]
    units: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.times), len(self.columns)):
            raise DataError(
                f"A series needs one row of values a time and one column a name: values have shape "
                f"{self.values.shape}, with {len(self.times)} times and {len(self.columns)} names."
            )

    def __len__(self) -> int:
        return len(self.times)

    def column(self, name: str) -> NDArray[np.float64]:
        """One column, shape (steps,).

        Raises:
            ColumnError: there is no such column.
        """
        return self.values[:, self.columns.index(require_column(name, self.columns))]

    def select(self, globs: Iterable[str]) -> "Series":
        """The series with only the columns that fit one of the globs.

        Raises:
            ColumnError: a glob fits nothing, or names a column of text.
        """
        globs = tuple(globs)
        for glob in globs:
            if glob in self.left_out:
                raise ColumnError(
                    f"Column {glob!r} holds text. A forecaster reads numbers: "
                    f"encode it as numbers in the file, or leave it out."
                )
        chosen = expand_globs(globs, self.columns)
        places = [self.columns.index(c) for c in chosen]
        return replace(self, values=self.values[:, places], columns=chosen)

    def head(self, steps: int) -> "Series":
        """The first `steps` rows.

        Raises:
            DataError: the series has fewer.
        """
        if not 1 <= steps <= len(self):
            raise DataError(f"{self.name} has {len(self)} rows; its first {steps} were asked for.")
        return replace(self, times=self.times[:steps], values=self.values[:steps])

    def between(self, first: str | None = None, last: str | None = None) -> "Series":
        """The rows from `first` to `last`, both included.

        Raises:
            DataError: no row lies between them.
        """
        keep = np.ones(len(self), dtype=bool)
        if first is not None:
            keep &= self.times >= as_time(first)
        if last is not None:
            end = as_time(last)
            # "2010-01-01" means the whole of that day, for hourly rows too.
            if end == end.normalize() and ":" not in last:
                end += pd.Timedelta(days=1) - pd.Timedelta(microseconds=1)
            keep &= self.times <= end
        if not keep.any():
            raise DataError(
                f"No row of {self.name} lies from {first or 'its start'} to {last or 'its end'}; "
                f"it runs from {day(self.times[0])} to {day(self.times[-1])}."
            )
        return replace(self, times=self.times[keep], values=self.values[keep])


def as_time(text: str) -> pd.Timestamp:
    """A time from text such as 2009-01-04 or 2009-01-04T12:00.

    Raises:
        DataError: it is no such time.
    """
    time = pd.to_datetime(text, errors="coerce")
    if not isinstance(time, pd.Timestamp):
        raise DataError(f"{text!r} is not a date. Write it as 2009-01-04 or 2009-01-04T12:00.")
    return time


def day(time: pd.Timestamp) -> str:
    """A time for people: the date alone where the hour says nothing.

    >>> day(pd.Timestamp("2009-01-04")), day(pd.Timestamp("2009-01-04 06:00"))
    ('2009-01-04', '2009-01-04 06:00')
    """
    return time.strftime("%Y-%m-%d" if time == time.normalize() else "%Y-%m-%d %H:%M")
