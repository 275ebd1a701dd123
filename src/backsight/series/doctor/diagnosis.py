"""The audit of a table: every check, and a copy with what can't be so left empty."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from backsight.series.columns import require_column
from backsight.series.doctor.contents import check_contents
from backsight.series.doctor.finding import Finding, Severity
from backsight.series.doctor.order import check_order
from backsight.series.doctor.repeats import check_copied, check_still
from backsight.series.doctor.steps import check_times
from backsight.series.doctor.sunshine import check_sunshine
from backsight.series.doctor.table import Table, read_table
from backsight.series.doctor.target import check_target
from backsight.series.doctor.values import check_far_off, check_possible, check_sentinels
from backsight.series.read import CsvCells
from backsight.series.series import Series, day

#: Checks of values, each given what the earlier ones left.
CHECKS = (check_sentinels, check_possible, check_sunshine, check_order, check_far_off, check_still, check_copied)

#: Checks whose cells hold a value that can be masked; the others are about rows, or about whole columns.
MASKED = frozenset(
    {"sentinel", "impossible", "longer than the day", "min, mean, max", "far off", "stands still"}
    | {"filled with the mean", "copied", "no number", "not finite"}
)

_RANK: dict[Severity, int] = {"wrong": 0, "suspect": 1, "note": 2}


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What an audit of a table found.

    Attributes:
        table: what was looked at.
        target: the column to forecast, if it was named.
        findings: what was found; first what is wrong, then what is suspect, then notes.
    """

    table: Table
    target: str | None
    findings: tuple[Finding, ...]

    @property
    def wrong(self) -> bool:
        """Whether something was found that can't be so."""
        return any(f.severity == "wrong" for f in self.findings)

    @property
    def masked(self) -> pd.DataFrame:
        """The numbers by time, rows as in the source, with NaN where a value is wrong; the source stays as it is."""
        return self.mask()

    def mask(self, suspect: bool = False) -> pd.DataFrame:
        """The numbers by time, rows as in the source, with NaN where a value is wrong or, if so asked, `suspect`."""
        numbers = self.table.numbers.copy()
        for column, rows in self.masked_rows(suspect).items():
            numbers.loc[list(rows), column] = np.nan
        return numbers.set_axis(self.table.times.rename("time"))

    def masked_rows(self, suspect: bool = False) -> dict[str, tuple[int, ...]]:
        """By column, the rows of the source that a mask empties; `suspect`: see `mask`."""
        severities = ("wrong", "suspect") if suspect else ("wrong",)
        rows: dict[str, set[int]] = {}
        for finding in self.findings:
            if finding.check in MASKED and finding.severity in severities:
                for cells in finding.cells:
                    rows.setdefault(cells.column, set()).update(cells.rows)
        return {column: tuple(sorted(rows[column])) for column in self.table.numbers if column in rows}

    def masked_cells(self, suspect: bool = False) -> CsvCells:
        """The source's own cells, text and all, with those of the mask empty; `suspect`: see `mask`."""
        source = self.table.source
        cells = [list(row) for row in source.rows]
        for column, rows in self.masked_rows(suspect).items():
            place = source.header.index(column)
            for row in rows:
                cells[row][place] = ""
        return replace(source, rows=cells)

    def first_full_row(self, suspect: bool = False) -> pd.Timestamp | None:
        """The first time at which every column of the masked table has been observed; `suspect`: see `mask`.

        Earlier rows can't be read with `on_missing="ffill"`, for there is nothing to carry forward.
        """
        numbers = self.mask(suspect)
        begun = numbers.notna().to_numpy().argmax(axis=0)
        return None if not len(begun) else numbers.index[int(begun.max())]

    def mask_record(self, suspect: bool = False) -> dict[str, Any]:
        """What a mask empties, as plain values: number of cells by column, and where the rest can be read from.

        `suspect`: see `mask`.
        """
        first, begin = self.first_full_row(suspect), None
        if first is not None and first > self.table.times.min():
            begin = day(first)
        cells = {column: len(rows) for column, rows in self.masked_rows(suspect).items()}
        return {"cells": cells, "suspect": suspect, "read_from": begin}

    def record(self) -> dict[str, Any]:
        """The diagnosis as plain values."""
        table = self.table
        return {
            "data": table.name,
            "target": self.target,
            "rows": len(table.times),
            "columns": list(table.numbers.columns),
            "wrong": self.wrong,
            "findings": [finding.record() for finding in self.findings],
        }


def audit(
    source: str | Path | pd.DataFrame | Series,
    target: str | None = None,
    *,
    time: str | None = None,
    time_format: str | None = None,
    encoding: str = "utf-8",
    decimal: str = ".",
    thousands: str | None = None,
) -> Diagnosis:
    """Look for what in a table can't be so, or is unlikely to be.

    Times: unreadable, out of order, repeated, off the grid, left out, skipped and doubled by daylight-saving time.
    Values: codes for "missing", numbers impossible by name and unit, sunshine longer than the day, minima above
    maxima, numbers far from all others, stretches that stand still or were filled with the mean, copied blocks. With
    a target: columns that know its later values. Nothing is changed; `Diagnosis.masked` is a copy.

    Args:
        source: a name of the catalogue, a CSV or Parquet file, a DataFrame or a Series.
        target: the column to forecast.
        time, time_format, encoding, decimal, thousands: see `read_series`.

    Raises:
        DataError: it is no table: fields are missing, no column holds numbers.
        ColumnError: there is no column of times, or no such target.

    >>> days = pd.date_range("2020-01-01", periods=60)
    >>> frame = pd.DataFrame({"humidity": [0.5, 0.7, 0.6] * 19 + [0.8, -99.0, 0.75]}, index=days)
    >>> diagnosis = audit(frame)
    >>> [(f.check, f.when, f.seen) for f in diagnosis.findings]
    [('sentinel', '2020-02-28', '-99; the others are 0.5 to 0.8')]
    >>> diagnosis.masked["humidity"].iloc[-2:].tolist()
    [nan, 0.75]
    """
    from threadpoolctl import threadpool_limits

    table = read_table(
        source, time=time, time_format=time_format, encoding=encoding, decimal=decimal, thousands=thousands
    )
    if target is not None:
        require_column(target, tuple(table.numbers.columns))
    of_contents = check_contents(table)
    found = check_times(table) + of_contents
    seen = table.observed().without(of_contents)
    for check in CHECKS:
        of_values = check(seen)
        seen = seen.without(of_values)
        found += of_values
    if target is not None:
        with threadpool_limits(1, user_api="blas"):  # for many small sums: threads would mostly wait for each other
            found += check_target(seen, target)
    return Diagnosis(table, target, tuple(sorted(found, key=lambda f: _RANK[f.severity])))
