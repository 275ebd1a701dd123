"""What a comparison found of each of many series, as plain values."""

import math
from typing import Any

import numpy as np
import pandas as pd

from backsight.evaluation.panel_exam import PanelExam
from backsight.evaluation.panel_forecasts import PanelForecasts
from backsight.runs.comparison import Comparison
from backsight.series.panel import Panel
from backsight.series.series import day

Record = dict[str, Any]


def series_record(comparison: Comparison) -> Record:
    """Under `series` what there is to say of each of many series; nothing where there is one.

    Attributes of `series`:
        column: that names them.
        count, skipped: how many sat the exam, and the names of those that could not.
        steps: rows of the shortest and of the longest.
        unit: of the target.
        names: of the series; lists by series are in their order.
        sd: standard deviation of each target up to its last training row, by which its errors are divided where those
            of several series are put together.
        entries: by entry val_rmse and test_rmse of each series, means over seeds, in the unit of the series; None where
            a forecast is missing.
        compared: the recommended entry (or the best that reads a window) and the best model that reads none (`first`
            and `second`), with `lower`, on how many series the first has the lower test RMSE. None without two such.
        known_ahead: where some series are learnt from or chosen by at times when others are tested already, `seen_to`
            and `tested_from`: the last such time, and the first that is tested. None where all are cut at one time.
        drawn: by entry, of how many training windows it learnt, and how many there are, where it did not from all.
    """
    panel, forecasts, exam = comparison.series, comparison.forecasts, comparison.exam
    if not (isinstance(panel, Panel) and isinstance(forecasts, PanelForecasts) and isinstance(exam, PanelExam)):
        return {}
    scores = forecasts.series_scores
    by_entry = {str(name): rows for name, rows in scores.groupby("entry", sort=False, observed=True)}
    return {
        "series": {
            "column": panel.id,
            "count": len(panel.ids),
            "skipped": list(comparison.study.skipped),
            "steps": [int(panel.blocks.sizes.min()), int(panel.blocks.sizes.max())],
            "unit": panel.units.get(exam.target, ""),
            "names": list(panel.ids),
            "sd": _plain(next(iter(by_entry.values()))["sd"]),
            "entries": {
                name: {part: _plain(rows[part]) for part in ("val_rmse", "test_rmse")}
                for name, rows in by_entry.items()
            },
            "compared": _compared(comparison, by_entry),
            "known_ahead": _known_ahead(panel, exam),
            "drawn": _drawn(comparison, exam),
        }
    }


def _compared(comparison: Comparison, scores: dict[str, pd.DataFrame]) -> Record | None:
    floor, board = comparison.judge.floor, comparison.leaderboard
    names = [comparison.recommended, *board.sort_values("val_rmse")["entry"]]
    first = next((name for name in names if comparison.entry(name).recipe.reads_window), None)
    if first is None or floor is None:
        return None
    one, other = (scores[name]["test_rmse"].to_numpy() for name in (first, floor))
    return {"first": first, "second": floor, "lower": int(np.sum(one < other))}


def _known_ahead(panel: Panel, exam: PanelExam) -> Record | None:
    starts = panel.blocks.bounds[:-1]
    seen = panel.times[[start + one.split.validation.stop - 1 for start, one in zip(starts, exam.exams, strict=True)]]
    tested = panel.times[[start + one.split.test.start for start, one in zip(starts, exam.exams, strict=True)]]
    if seen.max() < tested.min():
        return None
    return {"seen_to": day(seen.max()), "tested_from": day(tested.min())}


def _drawn(comparison: Comparison, exam: PanelExam) -> dict[str, list[int]]:
    drawn = {}
    there = {k: len(exam.training_origins(k)) for k in {f.entry.lookback for f in comparison.fitted}}
    for fitted in comparison.fitted:
        if fitted.train_windows < there[fitted.entry.lookback]:
            drawn[fitted.entry.name] = [fitted.train_windows, there[fitted.entry.lookback]]
    return drawn


def _plain(values: pd.Series) -> list[float | None]:
    """Errors as JSON can hold them."""
    return [float(v) if math.isfinite(v) else None for v in values]
