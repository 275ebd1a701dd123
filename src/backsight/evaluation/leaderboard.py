"""Scores by entry and seed, and the ranking: on validation, never on test."""

import numpy as np
import pandas as pd

from backsight.evaluation.forecasts import check_same_exam
from backsight.evaluation.metrics import bias, mae, rmse

#: Errors of each part, and the columns they stand in: "val_rmse" and so on.
METRICS = {"rmse": rmse, "mae": mae, "bias": bias}
PARTS = {"val": "validation", "test": "test"}


def seed_scores(forecasts: pd.DataFrame) -> pd.DataFrame:
    """One row an entry and seed: entry, seed, val_rmse, val_mae, val_bias, test_rmse, test_mae, test_bias.

    Over all rows of a part; those of several folds are pooled. Entries and seeds keep the order of the forecasts
    rows. Test columns are NaN where the test part has not been opened.
    """
    scores = []
    for (entry, seed), rows in forecasts.groupby(["entry", "seed"], sort=False):
        by_part = dict(iter(rows.groupby("part")))
        line: dict[str, object] = {"entry": entry, "seed": seed}
        for short, part in PARTS.items():
            of_part = by_part.get(part)
            for name, metric in METRICS.items():
                scored = np.nan if of_part is None else metric(of_part["actual"], of_part["predicted"])
                line[f"{short}_{name}"] = scored
        scores.append(line)
    return pd.DataFrame(scores, columns=["entry", "seed", *(f"{p}_{m}" for p in PARTS for m in METRICS)])


def leaderboard(forecasts: pd.DataFrame) -> pd.DataFrame:
    """One row an entry, ranked by its mean validation RMSE over seeds.

    Columns: entry, seeds; for validation (`val_`) and test (`test_`) rmse and sd, its standard deviation over
    seeds (0 for a single one), min and max, mae, bias; and failed (seeds with a forecast missing). The index is
    the rank, from 1; entries that failed on validation come last.

    Raises:
        ExamError: the entries did not sit the same exam.
    """
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
