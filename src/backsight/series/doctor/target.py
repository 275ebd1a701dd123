"""Checks of columns that know the target's later values."""

import numpy as np
from numpy.typing import NDArray

from backsight.series.doctor.finding import Finding, Observed

#: Rows before and after in which the target's later values are looked for: in a column made of them, and in one that
#: was measured with them.
_MADE, _MEASURED = 15, 7
#: Shares of what the past leaves open that the future explains. Honest columns of daily weather reach 0.41 (a maximum
#: that was booked a day early); an instrument's reading of the target's day 0.66 to 0.81, a copy of the next row 1.
_PROXY, _COPY = 0.5, 0.9
#: A column made of the target leaves less than this of itself unexplained by the target's rows around it.
_EXACT = 0.02
_SAME = 1e-4


def check_target(seen: Observed, target: str) -> list[Finding]:
    """Columns that know what the target will be, and those that are the target under another name."""
    y = seen.column(target)
    found = []
    for column in seen.columns:
        values = seen.column(column)
        known = np.isfinite(values) & np.isfinite(y)
        if column == target or known.sum() < 60 or np.ptp(values[known]) == 0:
            continue
        if unexplained(values[known], y[known, None]) < _SAME:
            found.append(_same(seen, column, target))
            continue
        share = known_of_the_future(values, y)
        if made_of_the_future(values, y):
            found.append(_future(seen, column, target, 1.0, "it is made of the rows of {target} before and after it"))
        elif share >= _PROXY:
            what = f"the next {_MEASURED} rows of {{target}} explain {share:.0%} of what the past leaves open in it"
            found.append(_future(seen, column, target, share, what))
    return found


def made_of_the_future(column: NDArray[np.float64], target: NDArray[np.float64]) -> bool:
    """Whether a column is a sum of rows of the target, later ones among them: a centred mean, a filter run backwards.

    Least squares on the target's last 15 rows and present one, then on the next 15 too: the first must leave ten times
    as much open as the second, and the second next to nothing. Means over more than 31 rows are not seen.

    Args:
        column, target: shape (rows,); NaN where nothing is known.
    """
    values, past, future = _around(column, target, _MADE)
    if len(values) < 4 * past.shape[1]:
        return False
    after = unexplained(values, np.hstack([past, future]))
    return after < _EXACT and after < (1 - _COPY) * unexplained(values, past)


def known_of_the_future(column: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Of what the past leaves open in a column, the share that the target's future explains.

    Least squares of the column on its own last 7 rows, and the target's last 7 and present one; then on the target's
    next 7 rows too: a partial R². Near 0 for what was measured on the day, near 1 for the target's next row. A forecast
    of good quality lies between, and whoever feeds one must know when it was issued.

    Args:
        column, target: shape (rows,); NaN where nothing is known.

    Source: Greene, "Econometric Analysis", 8th ed., section 3.4 (partial correlation).
    """
    values, past, future = _around(column, target, _MEASURED, own=True)
    if len(values) < 4 * past.shape[1]:
        return 0.0
    before = unexplained(values, past)
    if before < 1e-9:  # the past says it all
        return 0.0
    return 1 - unexplained(values, np.hstack([past, future])) / before


def _around(
    column: NDArray[np.float64], target: NDArray[np.float64], size: int, own: bool = False
) -> tuple[NDArray[np.float64], ...]:
    """The column's values, the past up to `size` rows back and the target's next rows, where all of them are known."""
    rows = np.arange(size, len(target) - size)
    past = target[rows[:, None] - np.arange(size + 1)]
    if own:
        past = np.hstack([past, column[rows[:, None] - np.arange(1, size + 1)]])
    future = target[rows[:, None] + np.arange(1, size + 1)]
    known = np.isfinite(past).all(axis=1) & np.isfinite(future).all(axis=1) & np.isfinite(column[rows])
    return column[rows][known], past[known], future[known]


def unexplained(values: NDArray[np.float64], by: NDArray[np.float64]) -> float:
    """Share of the variance of `values`, shape (rows,), that a line in the columns `by`, shape (rows, n), leaves."""
    centred = values - values.mean()
    if not centred.any():
        return 0.0
    deviation = by.std(axis=0)
    design = (by - by.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    # By the few normal equations: ten times as fast as the many rows, and the rest is measured on the rows themselves.
    weights, *_ = np.linalg.lstsq(design.T @ design, design.T @ centred, rcond=None)
    return float(np.square(centred - design @ weights).sum() / np.square(centred).sum())


def _same(seen: Observed, column: str, target: str) -> Finding:
    return Finding(
        "target's double",
        "note",
        (seen.cells(column, np.isfinite(seen.column(column))),),
        f"{column} is {target}, up to its unit",
        "a feature tells something that the target's own past does not",
        "leave it out (--features): nothing leaks, and nothing is learnt",
    )


def _future(seen: Observed, column: str, target: str, share: float, what: str) -> Finding:
    values, y = seen.column(column), seen.column(target)
    known = np.isfinite(values[:-1]) & np.isfinite(y[1:])
    if unexplained(values[:-1][known], y[1:][known, None]) < _SAME:
        what = "each row holds {target} of the next row"
    return Finding(
        "knows the future",
        "wrong" if share >= _COPY else "suspect",
        (seen.cells(column, np.isfinite(values)),),
        what.format(target=target),
        "a row holds nothing that was made with later rows: no centred means, no filling backwards, no value of the "
        "target's day",
        "leave it out (--features), or make it of earlier rows only; where it is a forecast issued on the day, keep it",
    )
