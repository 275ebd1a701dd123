"""Results as plain values: what `--json` writes, and what reports are made from."""

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from backsight.evaluation.descents import second_descent
from backsight.models.breakdown import one_line, parameter_breakdown
from backsight.models.network import NetworkForecaster
from backsight.models.own import Own
from backsight.models.registry import recipe_name, recipe_to_json
from backsight.runs.compare import Comparison
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted
from backsight.runs.lesson import Lesson, RowResult
from backsight.windows.windows import input_names

Record = dict[str, Any]


def comparison_record(comparison: Comparison) -> Record:
    """A comparison as plain values: data, seconds, interrupted, and `exam`."""
    return {
        "data": comparison.series.name,
        "seconds": round(comparison.seconds, 3),
        "interrupted": comparison.interrupted,
        "exam": exam_record(comparison),
    }


def exam_record(comparison: Comparison) -> Record:
    """The exam as plain values: target, unit, days, and entries in the order of the leaderboard.

    `first`, `last` and `days` are those of the test part. In an entry, `seeds`, `val_rmse`, `test_rmse`,
    `epochs` and `seconds` hold one value a seed; a model without randomness has one seed. An error of a
    failed forecast is None.
    """
    exam, series = comparison.exam, comparison.series
    first, last, days = exam.describe_days(series, "test")
    val_first, val_last, val_days = exam.describe_days(series, "validation")
    entries = {entry.name: entry for entry in comparison.entries}
    board = comparison.leaderboard
    return {
        "target": exam.target,
        "unit": series.units.get(exam.target, ""),
        "horizon": exam.horizon,
        "stride": exam.stride,
        "gap": exam.split.gap,
        "validation": {"first": val_first, "last": val_last, "days": val_days},
        "first": first,
        "last": last,
        "days": days,
        "entries": [
            _entry_record(rank, entries[name], comparison)
            for rank, name in zip(board.index, board["entry"], strict=True)
        ],
    }


def lesson_record(lesson: Lesson) -> Record:
    """Both tables of the lesson as plain values: data, seconds, `rows` and `exam`."""
    comparison = lesson.comparison
    return {
        "data": lesson.series.name,
        "seconds": round(lesson.seconds, 3),
        "interrupted": comparison.interrupted,
        "rows": [_row_record(result, lesson.published) for result in lesson.rows],
        "exam": exam_record(comparison),
    }


def _entry_record(rank: int, entry: Entry, comparison: Comparison) -> Record:
    members = comparison.members(entry.name)
    scores = comparison.scores
    scores = scores[scores["entry"] == entry.name]
    return {
        "rank": int(rank),
        "name": entry.name,
        "recipe": recipe_name(entry.recipe),
        "settings": None if isinstance(entry.recipe, Own) else recipe_to_json(entry.recipe),
        "lookback": entry.lookback,
        "features": list(input_names(entry.features, entry.calendar)),
        "network": isinstance(members[0].forecaster, NetworkForecaster),
        "reads_window": entry.recipe.reads_window,
        "parameters": members[0].forecaster.parameters,
        "train_windows": members[0].train_windows,
        "seeds": [f.seed for f in members],
        "val_rmse": _plain(scores["val_rmse"]),
        "test_rmse": _plain(scores["test_rmse"]),
        "test_mae": _plain(scores["test_mae"]),
        "second_descents": _second_descents(members),
        **_training(members),
    }


def _row_record(result: RowResult, published: bool) -> Record:
    row, split = result.row, result.exam.split
    sizes = {name: len(part) for name, part in split.parts.items()}
    forecaster = result.fitted[0].forecaster if result.fitted else None
    is_network = isinstance(forecaster, NetworkForecaster)
    return {
        "name": row.name,
        "recipe": recipe_name(row.recipe),
        "lookback": row.lookback,
        "batch_size": row.batch_size,
        "samples": sum(sizes.values()),
        "train": sizes["train"],
        "val": sizes["validation"],
        "test": sizes["test"],
        "parameters": forecaster.parameters if forecaster else None,
        "breakdown": one_line(parameter_breakdown(forecaster.program.model)) if is_network else "",  # type: ignore[union-attr]
        "published_rmse": row.published_rmse if published else None,
        "seeds": [f.seed for f in result.fitted],
        "test_rmse": _plain(result.scores["test_rmse"]),
        "val_rmse": _plain(result.scores["val_rmse"]),
        **_training(result.fitted),
    }


def _training(members: Sequence[Fitted]) -> Record:
    histories = [f.forecaster.history for f in members]
    return {
        "epochs": [h.epochs if h else 0 for h in histories],
        "kept_epoch": [h.kept_epoch if h else 0 for h in histories],
        "seconds": [round(f.seconds, 3) for f in members],
    }


def _second_descents(members: Sequence[Fitted]) -> list[Record]:
    found = []
    for f in members:
        history = f.forecaster.history
        descent = second_descent(history.val_rmse) if history else None
        if descent is not None:
            found.append({"seed": f.seed, "gain": descent.gain, **vars(descent)})
    return found


def _plain(values: Sequence[float] | pd.Series) -> list[float | None]:
    """Errors as JSON can hold them."""
    return [float(v) if math.isfinite(v) else None for v in values]
