"""The forecasts table: the only thing that is scored.

One row a forecast:

| column | meaning |
|---|---|
| entry, seed | who made it |
| part | validation or test |
| origin | time of the last step it was allowed to see |
| lead | steps ahead, from 1 |
| time | the target's time |
| actual, predicted | in the target's unit |

Where forecasters say themselves what an actual lies between, as networks with the quantile loss do, there are two
columns more, `low` and `high`, empty for those that say nothing.

A backtest has one column more, `fold`, from 1: which of several exams, each later than the one before. Validation rows
of one fold may be test rows of an earlier one, or validation rows of both; the fold tells them apart.
"""

import numpy as np
import pandas as pd

from backsight.errors import ExamError
from backsight.vocabulary import Band, Outputs
from backsight.windows.windows import Windows, target_rows

KEY = ["part", "origin", "lead", "time"]
COLUMNS = ["entry", "seed", *KEY, "actual", "predicted"]
FOLD = "fold"
BAND = ["low", "high"]

NO_FORECASTS = pd.DataFrame(columns=COLUMNS)


def forecast_rows(
    windows: Windows, predicted: Outputs, *, entry: str, seed: int, part: str, band: Band | None = None
) -> pd.DataFrame:
    """Forecasts rows of one entry, seed and part.

    Args:
        windows: whose targets are known.
        predicted: shape (windows, horizon).
        band: the ends that the forecaster gives, if it gives any; each of that shape.

    Raises:
        ExamError: `predicted` has another shape.
    """
    actual = windows.gather_outputs()
    if predicted.shape != actual.shape:
        raise ExamError(
            f"{entry} must forecast {actual.shape[0]} windows of {actual.shape[1]} leads; "
            f"it made forecasts of shape {predicted.shape}."
        )
    count, horizon = actual.shape
    rows = pd.DataFrame(
        {
            "entry": entry,
            "seed": seed,
            "part": part,
            "origin": np.repeat(windows.times[windows.origins].to_numpy(), horizon),
            "lead": np.tile(np.arange(1, horizon + 1), count),
            "time": windows.times[target_rows(windows.origins, horizon).ravel()],
            "actual": actual.ravel(),
            "predicted": predicted.ravel(),
        },
        columns=COLUMNS,
    )
    return rows if band is None else rows.assign(**{name: end.ravel() for name, end in zip(BAND, band, strict=True)})


def key_columns(forecasts: pd.DataFrame) -> list[str]:
    """The columns that name a forecast among those of one entry and seed.

    >>> key_columns(NO_FORECASTS), key_columns(NO_FORECASTS.assign(fold=1))
    (['part', 'origin', 'lead', 'time'], ['fold', 'part', 'origin', 'lead', 'time'])
    """
    return [FOLD, *KEY] if FOLD in forecasts else KEY


def check_same_exam(forecasts: pd.DataFrame) -> None:
    """Make sure that every entry and seed forecast the same keys, each once, against the same actuals.

    Raises:
        ExamError: one did not; the message names it and how many keys it lacks.
    """
    key = key_columns(forecasts)
    first: pd.DataFrame | None = None
    for (entry, seed), rows in forecasts.groupby(["entry", "seed"], sort=False):
        sat = rows.set_index(key)[["actual"]].sort_index()
        if sat.index.has_duplicates:
            raise ExamError(f"{entry}, seed {seed}, forecast {sat.index.duplicated().sum()} keys twice.")
        if first is None:
            first = sat
        elif not sat.index.equals(first.index):
            lacking = len(first.index.difference(sat.index))
            more = len(sat.index.difference(first.index))
            raise ExamError(
                f"All entries must sit the same exam: {entry}, seed {seed}, lacks {lacking} keys that the "
                f"first entry has, and has {more} others. Compare entries of one run."
            )
        elif not np.array_equal(sat["actual"].to_numpy(), first["actual"].to_numpy()):
            raise ExamError(f"{entry}, seed {seed}, was scored against other actual values than the first entry.")
