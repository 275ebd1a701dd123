"""Checks of what a cell holds: a number, and a finite one."""

import numpy as np

from backsight.series.doctor.finding import Cells, Finding
from backsight.series.doctor.table import Table
from backsight.series.rules import LARGEST


def check_contents(table: Table) -> list[Finding]:
    """Cells that are empty, hold no number, or one that is infinite or too large."""
    numbers = table.numbers
    found = []
    for column in map(str, numbers.columns):
        rows = table.no_numbers.get(column, ())
        if rows:
            place = table.source.header.index(column)
            found.append(
                Finding(
                    "no number",
                    "wrong",
                    (_cells(table, column, rows),),
                    f"{table.source.rows[rows[0]][place][:20]!r} at {table.where(rows[0])}",
                    "a column of numbers holds numbers, written with a decimal point",
                    "mend these cells, or leave them empty",
                )
            )
        rows = tuple(np.flatnonzero(np.abs(numbers[column].to_numpy()) > LARGEST).tolist())
        if rows:
            found.append(
                Finding(
                    "not finite",
                    "wrong",
                    (_cells(table, column, rows),),
                    f"{numbers[column].iloc[rows[0]]:g} at {table.where(rows[0])}",
                    f"numbers are finite, and below {LARGEST:g}",
                    "mend these cells, or leave them empty",
                )
            )
    empty = numbers.isna()
    for column, rows in table.no_numbers.items():
        empty.loc[list(rows), column] = False
    cells = tuple(
        _cells(table, c, tuple(np.flatnonzero(empty[c]).tolist())) for c in map(str, numbers) if empty[c].any()
    )
    if cells:
        found.append(
            Finding(
                "empty",
                "note",
                cells,
                f"{sum(len(c.rows) for c in cells):,} cells of {len(cells)} column{'s' if len(cells) > 1 else ''}",
                "an empty cell says honestly that nothing was observed",
                "read with --on-missing ffill: what is filled is not scored",
            )
        )
    return found


def _cells(table: Table, column: str, rows: tuple[int, ...]) -> Cells:
    return Cells(column, rows, tuple(table.times[list(rows)]))
