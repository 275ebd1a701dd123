"""Whether a user's own preprocessing reads later rows: run it on the past alone, and look for a difference."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from backsight.evaluation.leaks import LeakAudit, Trial
from backsight.series.series import Series, day
from backsight.windows.split import split_by_fractions


def audit_features(
    function: Callable[[pd.DataFrame], pd.DataFrame],
    series: Series | pd.DataFrame,
    origins: Iterable[int] | None = None,
) -> LeakAudit:
    """Whether a function that makes features of a table reads later rows than the one it makes.

    The function is given the whole table, the table up to an origin, and the table with other numbers after the
    origin. What it makes of the rows up to the origin must be the same (to a billionth of a column's spread: pandas
    may sum in another order). Scaling by all rows, centred means, filling backwards, interpolating and encoding by
    the whole column all fail that.

    Args:
        function: from a frame of numbers by time to a frame with the same times, or fewer of them.
        series: the data.
        origins: row numbers; without it five from the last training row of the usual split on (what was fitted to
            training rows leaks nothing), and up to five later rows with empty cells, where filling shows.

    >>> table = pd.DataFrame({"y": np.arange(10.0) ** 2}, index=pd.date_range("2020-01-01", periods=10))
    >>> audit_features(lambda frame: frame.rolling(3).mean(), table).leaks
    ()
    >>> audit_features(lambda frame: frame.rolling(3, center=True).mean(), table).leaks[0].leak
    'y at 2020-01-08 was 49.6667 and became nan. 1 of its 8 values up to then changed.'
    """
    frame = series if isinstance(series, pd.DataFrame) else _as_frame(series)
    whole = function(frame.copy())
    rng = np.random.default_rng(0)
    trials = []
    for origin in origins if origins is not None else _telling_origins(frame):
        last = frame.index[origin]
        changed = frame.copy()
        spread = frame.std().to_numpy() + 1.0
        changed.iloc[origin + 1 :] = frame.mean().to_numpy() + 10 * spread * rng.standard_normal(
            (len(frame) - origin - 1, frame.shape[1])
        )
        for what, later in (("left out", frame.iloc[: origin + 1].copy()), ("replaced by other numbers", changed)):
            leak = _frames_differ(whole.loc[:last], function(later).loc[:last])
            tried = f"Every row after {day(last)} was {what}: features up to then must stay the same."
            trials.append(Trial("features", tried, leak))
    return LeakAudit(getattr(function, "__name__", type(function).__name__), tuple(trials))


def _telling_origins(frame: pd.DataFrame) -> list[int]:
    rows = len(frame)
    learnt = split_by_fractions(rows).train.stop
    spread = np.linspace(learnt - 1, rows - 2, 5).astype(int)
    empty = np.flatnonzero(frame.isna().any(axis=1).to_numpy()[:-1])
    empty = empty[empty >= learnt - 1]
    return sorted({*spread.tolist(), *empty[np.linspace(0, len(empty) - 1, min(len(empty), 5)).astype(int)].tolist()})


def _as_frame(series: Series) -> pd.DataFrame:
    return pd.DataFrame(series.values, index=series.times, columns=list(series.columns))


def _frames_differ(one: pd.DataFrame, other: pd.DataFrame) -> str:
    if list(one.columns) != list(other.columns):
        return f"The columns {', '.join(map(str, one.columns))} became {', '.join(map(str, other.columns))}."
    rows = one.index.union(other.index)
    one, other = one.reindex(rows), other.reindex(rows)
    for column in one.columns:
        a, b = one[column].to_numpy(np.float64), other[column].to_numpy(np.float64)
        spread = float(np.nanstd(a)) if np.isfinite(a).any() else 0.0
        bad = np.flatnonzero(~np.isclose(a, b, rtol=1e-9, atol=1e-9 * spread, equal_nan=True))
        if len(bad):
            i = bad[-1]
            return (
                f"{column} at {day(rows[i])} was {a[i]:g} and became {b[i]:g}. {len(bad)} of its {len(a)} values up to "
                f"then changed."
            )
    return ""
