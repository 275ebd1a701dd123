"""What a check reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.series.series import day

#: wrong: it can't be so. suspect: it can, and hardly is. note: good to know.
Severity = Literal["wrong", "suspect", "note"]

#: So many times are listed one by one.
FEW = 3


@dataclass(frozen=True)
class Cells:
    """Cells of one column.

    Attributes:
        column: its name; "" where the rows themselves are meant.
        rows: of the source, counted from 0.
        times: of these rows, in the same order.
    """

    column: str
    rows: tuple[int, ...]
    times: tuple[pd.Timestamp, ...]


@dataclass(frozen=True)
class Finding:
    """One rule that is broken: by the rows, by one column, or by columns that belong together.

    Attributes:
        check: what was looked for, in a word or two.
        severity: wrong, suspect or note.
        cells: where, column by column.
        seen: what stands there.
        rule: what was expected, and how that is known.
        advice: what to do.
    """

    check: str
    severity: Severity
    cells: tuple[Cells, ...]
    seen: str
    rule: str
    advice: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns concerned; none if it is about the rows."""
        return tuple(c.column for c in self.cells if c.column)

    @property
    def times(self) -> tuple[pd.Timestamp, ...]:
        """The times concerned, each once, rising; rows whose time can't be read have none."""
        return tuple(sorted({t for c in self.cells for t in c.times if not pd.isna(t)}))

    @property
    def count(self) -> int:
        """Number of rows concerned."""
        return len({row for c in self.cells for row in c.rows})

    @property
    def when(self) -> str:
        """The times for people; see `span`."""
        return span(self.times)

    def record(self) -> dict[str, Any]:
        """The finding as plain values, with every date."""
        times = self.times
        return {
            "check": self.check,
            "severity": self.severity,
            "columns": list(self.columns),
            "first": day(times[0]) if times else None,
            "last": day(times[-1]) if times else None,
            "count": self.count,
            "when": self.when,
            "seen": self.seen,
            "rule": self.rule,
            "advice": self.advice,
            "times": {c.column or "rows": [None if pd.isna(t) else day(t) for t in c.times] for c in self.cells},
        }


@dataclass(frozen=True, eq=False)
class Observed:
    """What the checks of values look at: rows in time order, one a time.

    Attributes:
        times: shape (rows,), strictly rising.
        rows: where each stands in the source; shape (rows,).
        numbers: one column a column; NaN where nothing is known, or where something was found already.
        units: by column, where known.
    """

    times: pd.DatetimeIndex
    rows: NDArray[np.int64]
    numbers: pd.DataFrame
    units: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.times)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self.numbers.columns)

    def column(self, name: str) -> NDArray[np.float64]:
        """One column, shape (rows,)."""
        return self.numbers[name].to_numpy(np.float64)

    def cells(self, column: str, bad: NDArray[np.bool_]) -> Cells:
        """Some cells of a column.

        Args:
            column: its name.
            bad: shape (rows,), true for the cells meant.
        """
        return Cells(column, tuple(self.rows[bad].tolist()), tuple(self.times[bad]))

    def without(self, findings: list[Finding]) -> "Observed":
        """The same with NaN in the cells of these findings, so that no cell is found twice."""
        numbers = self.numbers.copy()
        for cells in (c for f in findings for c in f.cells if c.column):
            numbers.loc[np.isin(self.rows, cells.rows), cells.column] = np.nan
        return Observed(self.times, self.rows, numbers, self.units)


def span(times: Sequence[pd.Timestamp] | pd.DatetimeIndex) -> str:
    """Times for people: each of them if they are few, else the first and the last.

    >>> span(pd.date_range("2020-01-30", periods=2)), span(pd.date_range("2020-01-01", periods=9))
    ('2020-01-30, 2020-01-31', '2020-01-01 .. 2020-01-09')
    """
    if len(times) > FEW:
        return f"{day(times[0])} .. {day(times[-1])}"
    return ", ".join(map(day, times))


def show_values(values: NDArray[np.float64]) -> str:
    """Values for people: each with how often it comes, or their range where they are many.

    >>> show_values(np.array([-99.0, -99.0]))
    '-99 (2 times)'
    >>> show_values(np.array([1.0, 2.0, 3.0, 4.5]))
    '1 to 4.5'
    """
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) > 3:
        return f"{distinct[0]:g} to {distinct[-1]:g}"
    return ", ".join(f"{v:g}" if n == 1 else f"{v:g} ({n} times)" for v, n in zip(distinct, counts, strict=True))
