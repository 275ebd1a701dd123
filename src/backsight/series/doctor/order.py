"""Checks of columns that belong together: a minimum, a mean and a maximum of one thing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from backsight.series.doctor.finding import Finding, Observed, span

_LOW, _MIDDLE, _HIGH = ("min", "minimum"), ("mean", "avg", "average"), ("max", "maximum")


@dataclass(frozen=True)
class Group:
    """Columns of one thing in rising order: minimum, mean (if there is one) and maximum, two of them at least."""

    columns: tuple[str, ...]


def groups(columns: Sequence[str]) -> list[Group]:
    """The columns that differ in nothing but the word min, mean or max.

    >>> groups(["A_temp_min", "A_temp_max", "A_temp_mean", "B_temp_max"])
    [Group(columns=('A_temp_min', 'A_temp_mean', 'A_temp_max'))]
    """
    ranks: dict[str, dict[int, str]] = {}
    for column in columns:
        for rank, words in enumerate((_LOW, _MIDDLE, _HIGH)):
            pattern = rf"(?i)(?<![a-z])(?:{'|'.join(words)})(?![a-z])"
            if len(re.findall(pattern, column)) == 1:
                ranks.setdefault(re.sub(pattern, "*", column), {})[rank] = column
    return [Group(tuple(of[rank] for rank in sorted(of))) for of in ranks.values() if len(of) > 1]


def check_order(seen: Observed) -> list[Finding]:
    """Minima above the maximum, and means outside of both. Which of the two is wrong can't be told: both count."""
    found = []
    for group in groups(seen.columns):
        bad = {column: np.zeros(len(seen), dtype=bool) for column in group.columns}
        said = []
        for low, high in _pairs(group.columns):
            values, limits = seen.column(low), seen.column(high)
            above = values > limits + 1e-9 * np.maximum(np.abs(limits), 1.0)  # no rounding error
            if above.any():
                times = seen.times[above]
                rows = f"{len(times):,} row{'' if len(times) == 1 else 's'}"
                said.append(f"{low} above {high} in {rows} ({span(times)})")
                bad[low] |= above
                bad[high] |= above
        if said:
            found.append(
                Finding(
                    "min, mean, max",
                    "wrong",
                    tuple(seen.cells(column, cells) for column, cells in bad.items() if cells.any()),
                    "; ".join(said),
                    " <= ".join(group.columns),
                    "which of them is wrong the row does not say: --mask empties both",
                )
            )
    return found


def _pairs(columns: tuple[str, ...]) -> list[tuple[str, str]]:
    """First the ends, then neighbours."""
    neighbours = list(pairwise(columns))
    return neighbours if len(columns) == 2 else [(columns[0], columns[-1]), *neighbours]
