"""Scores by entry and seed, and the ranking: on validation, never on test."""

from collections.abc import Hashable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from backsight.evaluation.forecasts import check_same_exam
from backsight.evaluation.metrics import bias, mae, rmse
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts

#: Errors of each part, and the columns they stand in: "val_rmse" and so on.
METRICS = {"rmse": rmse, "mae": mae, "bias": bias}
PARTS = {"val": "validation", "test": "test"}

#: Entry, seed, and by part what was asked and what was answered.
Sitting = tuple[Hashable, Hashable, Mapping[str, tuple[ArrayLike, ArrayLike]]]


def seed_scores(forecasts: Forecasts) -> pd.DataFrame:
    """One row an entry and seed: entry, seed, val_rmse, val_mae, val_bias, test_rmse, test_mae, test_bias.

    Over all rows of a part; those of several folds are pooled. Entries and seeds keep the order of the forecasts
    rows. Test columns are NaN where the test part has not been opened. Of many series, errors are in sd; see
    `evaluation.panel_forecasts`.
    """
    scores = []
    sat: Iterable[Sitting] = forecasts.in_sd() if isinstance(forecasts, PanelForecasts) else _sat(forecasts)
    for entry, seed, by_part in sat:
        line: dict[str, object] = {"entry": entry, "seed": seed}
        for short, part in PARTS.items():
            for name, metric in METRICS.items():
                line[f"{short}_{name}"] = metric(*by_part[part]) if part in by_part else np.nan
        scores.append(line)
    return pd.DataFrame(scores, columns=["entry", "seed", *(f"{p}_{m}" for p in PARTS for m in METRICS)])


def _sat(forecasts: pd.DataFrame) -> Iterator[Sitting]:
    for (entry, seed), rows in forecasts.groupby(["entry", "seed"], sort=False):
        yield entry, seed, {str(part): (of["actual"], of["predicted"]) for part, of in rows.groupby("part")}


def leaderboard(forecasts: Forecasts) -> pd.DataFrame:
    """One row an entry, ranked by its mean validation RMSE over seeds.

    Columns: entry, seeds; for validation (`val_`) and test (`test_`) rmse and sd, its standard deviation over
    seeds (0 for a single one), min and max, mae, bias; and failed (seeds with a forecast missing). The index is
    the rank, from 1; entries that failed on validation come last.

    Raises:
        ExamError: the entries did not sit the same exam.
    """
    if not isinstance(forecasts, PanelForecasts):  # which are on the same exam by construction
        check_same_exam(forecasts)
    lines = []
    for entry, scores in seed_scores(forecasts).groupby("entry", sort=False):
        line: dict[str, object] = {"entry": entry, "seeds": len(scores)}
        for part in PARTS:
            errors = scores[f"{part}_rmse"]
            line |= {
                f"{part}_rmse": errors.mean(),
                f"{part}_sd": _spread(errors),
                f"{part}_min": errors.min(),
                f"{part}_max": errors.max(),
                f"{part}_mae": scores[f"{part}_mae"].mean(),
                f"{part}_bias": scores[f"{part}_bias"].mean(),
            }
        line["failed"] = int(np.isinf(scores[["val_rmse", "test_rmse"]]).any(axis=1).sum())
        lines.append(line)
    return ranked(pd.DataFrame(lines), ["val_rmse", "entry"])


def ranked(board: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """The lines in order, with the rank as index, from 1."""
    board = board.sort_values(by, kind="stable", ignore_index=True)
    board.index = pd.RangeIndex(1, len(board) + 1, name="rank")
    return board


def _spread(values: pd.Series) -> float:
    """Sample standard deviation; 0 for one value, infinite if one is."""
    if np.isinf(values).any():
        return float("inf")
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
