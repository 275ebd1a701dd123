"""Scores by entry and seed, and the ranking: on validation, never on test."""

import numpy as np
import pandas as pd

from backsight.evaluation.forecasts import check_same_exam
from backsight.evaluation.metrics import bias, mae, rmse


def seed_scores(forecasts: pd.DataFrame) -> pd.DataFrame:
    """One row an entry and seed: entry, seed, val_rmse, test_rmse, test_mae, test_bias.

    Entries and seeds keep the order of the forecasts rows. Test columns are NaN where the test part has
    not been opened.
    """
    scores = []
    for (entry, seed), rows in forecasts.groupby(["entry", "seed"], sort=False):
        parts = dict(iter(rows.groupby("part")))
        val, test = parts["validation"], parts.get("test")
        pair = None if test is None else (test["actual"], test["predicted"])
        scores.append(
            {
                "entry": entry,
                "seed": seed,
                "val_rmse": rmse(val["actual"], val["predicted"]),
                "test_rmse": rmse(*pair) if pair else np.nan,
                "test_mae": mae(*pair) if pair else np.nan,
                "test_bias": bias(*pair) if pair else np.nan,
            }
        )
    return pd.DataFrame(scores, columns=["entry", "seed", "val_rmse", "test_rmse", "test_mae", "test_bias"])


def leaderboard(forecasts: pd.DataFrame) -> pd.DataFrame:
    """One row an entry, ranked by its mean validation RMSE over seeds.

    Columns: entry, seeds, val_rmse and val_sd, test_rmse and test_sd (mean and standard deviation over
    seeds; 0 for a single one), test_min, test_max, test_mae, test_bias, and failed (seeds with a forecast
    missing). The index is the rank, from 1; entries that failed on validation come last.

    Raises:
        ExamError: the entries did not sit the same exam.
    """
    check_same_exam(forecasts)
    lines = []
    for entry, scores in seed_scores(forecasts).groupby("entry", sort=False):
        lines.append(
            {
                "entry": entry,
                "seeds": len(scores),
                "val_rmse": scores["val_rmse"].mean(),
                "val_sd": _spread(scores["val_rmse"]),
                "test_rmse": scores["test_rmse"].mean(),
                "test_sd": _spread(scores["test_rmse"]),
                "test_min": scores["test_rmse"].min(),
                "test_max": scores["test_rmse"].max(),
                "test_mae": scores["test_mae"].mean(),
                "test_bias": scores["test_bias"].mean(),
                "failed": int(np.isinf(scores[["val_rmse", "test_rmse"]]).any(axis=1).sum()),
            }
        )
    board = pd.DataFrame(lines).sort_values(["val_rmse", "entry"], kind="stable", ignore_index=True)
    board.index = pd.RangeIndex(1, len(board) + 1, name="rank")
    return board


def _spread(values: pd.Series) -> float:
    """Sample standard deviation; 0 for one value, infinite if one is."""
    if np.isinf(values).any():
        return float("inf")
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
