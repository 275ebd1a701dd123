"""Checks of columns that know the target's later values."""

import numpy as np
from numpy.typing import NDArray

from backsight.series.doctor.finding import Finding, Observed

#: Rows of the target, before and after, by which a column is explained.
_BACK, _AHEAD = 7, 7
#: Shares of what the target's past leaves open that its future explains. By honest columns of daily weather up to 0.44
#: has been seen (a day's maximum that was booked a day early); the target's day in a neighbouring instrument gives
#: 0.6 to 0.7, a centred mean of the target 1.
_PROXY, _MADE_OF_IT = 0.5, 0.9
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
        if share >= _PROXY:
            found.append(_future(seen, column, target, share, y))
    return found


def known_of_the_future(column: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Of what the target's past and present leave unexplained in a column, the share that its future explains.

    Least squares of the column on the target's last 7 rows and its own, and then on the next 7 too: a partial R².
    Near 0 for what was measured on the day, near 1 for what was made with later rows of the target. A forecast of good
    quality lies between, and whoever feeds one must know when it was issued.

    Args:
        column, target: shape (rows,); NaN where nothing is known.

    Source: Greene, "Econometric Analysis", 8th ed., section 3.4 (partial correlation).
    """
    size = min(_BACK, _AHEAD, len(target) // 30)
    rows = np.arange(size, len(target) - size)
    past = target[rows[:, None] - np.arange(size + 1)]
    future = target[rows[:, None] + np.arange(1, size + 1)]
    known = np.isfinite(past).all(axis=1) & np.isfinite(future).all(axis=1) & np.isfinite(column[rows])
    if known.sum() < 60:
        return 0.0
    past, future, values = past[known], future[known], column[rows][known]
    before = unexplained(values, past)
    if before < 1e-9:  # it is made of the past alone
        return 0.0
    return 1 - unexplained(values, np.hstack([past, future])) / before


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


def _future(seen: Observed, column: str, target: str, share: float, y: NDArray[np.float64]) -> Finding:
    values = seen.column(column)
    known = np.isfinite(values[:-1]) & np.isfinite(y[1:])
    if unexplained(values[:-1][known], y[1:][known, None]) < _SAME:
        what = f"each row holds {target} of the next row"
    else:
        what = f"the next 7 rows of {target} explain {share:.0%} of what its past leaves open in {column}"
    return Finding(
        "knows the future",
        "wrong" if share >= _MADE_OF_IT else "suspect",
        (seen.cells(column, np.isfinite(values)),),
        what,
        "a row holds nothing that was made with later rows: no centred means, no filling backwards, no value of the "
        "target's day",
        "leave it out (--features), or make it of earlier rows only; where it is a forecast issued on the day, keep it",
    )
