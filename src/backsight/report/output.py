"""The files of a result folder."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from backsight.evaluation.panel_forecasts import Forecasts
from backsight.report.files import Writer
from backsight.report.lookback import compared_lines
from backsight.report.lookback_plot import plot_lookbacks
from backsight.report.plots import plot_histories, plot_leaderboard, plot_lesson
from backsight.report.series import forecasts_file, series_rows, write_forecasts
from backsight.report.tuning_plots import plot_importances, plot_searches

Record = dict[str, Any]


def comparison_files(
    record: Record, study: Record, board: pd.DataFrame, histories: pd.DataFrame, forecasts: Forecasts
) -> dict[str, Writer]:
    """Writers by file name: the run, the leaderboard, the forecasts; and, if there are any, folds and training curves.

    Of many series, their errors, and the forecasts as Parquet.

    Args:
        record: of the comparison; see `runs.record`.
        study: what was asked; see `runs.saved`.
        board: see `evaluation.leaderboard`.
        histories: see `runs.compare.history_rows`.
        forecasts: see `evaluation.forecasts`.
    """
    unit = record["exam"]["unit"]
    run = json.dumps({**study, "openings": record["exam"]["openings"]}, indent=1)
    files: dict[str, Writer] = {
        "run.json": lambda path: path.write_text(run, encoding="utf-8"),
        "leaderboard.csv": board.to_csv,
        "leaderboard.png": lambda path: _save(plot_leaderboard(board, unit=unit), path),
        **_forecasts_files(record["exam"], forecasts),
    }
    if record["exam"]["folds"]:
        files["folds.csv"] = lambda path: fold_rows(record["exam"]["entries"]).to_csv(path, index=False)
    if not histories.empty:
        files |= {
            "histories.csv": lambda path: histories.to_csv(path, index=False),
            "training_curves.png": lambda path: plot_histories(histories, unit).savefig(path, dpi=110),
        }
    return files


def tuning_files(record: Record, trials: pd.DataFrame) -> dict[str, Writer]:
    """Writers by file name: the record, the trials, how the search went, and which settings mattered, if known.

    Args:
        record: of the tuning; see `runs.tuning_record`.
        trials: see `runs.tune.trial_rows`.
    """
    importances = {model["name"]: model["importance"] for model in record["models"] if model["importance"]}
    unit = record["search"]["unit"]
    files: dict[str, Writer] = {
        "tuning.json": lambda path: path.write_text(
            json.dumps(record, indent=1, allow_nan=False) + "\n", encoding="utf-8"
        ),
        "trials.csv": lambda path: trials.to_csv(path, index=False),
        "search.png": lambda path: plot_searches(trials, unit).savefig(path, dpi=110),
    }
    if importances:
        files["importance.png"] = lambda path: plot_importances(importances).savefig(path, dpi=110)
    return files


def fold_rows(entries: list[Record]) -> pd.DataFrame:
    """Errors in each fold of a backtest: one row an entry, fold and seed.

    >>> errors = {"val_rmse": [3.0, 3.1], "test_rmse": [3.2, 3.3]}
    >>> fold_rows([{"name": "lstm_3", "seeds": [0, 1], "folds": [errors, errors]}]).columns.tolist()
    ['entry', 'fold', 'seed', 'val_rmse', 'test_rmse']
    """
    return pd.concat(
        pd.DataFrame({"entry": entry["name"], "fold": fold, "seed": entry["seeds"], **errors})
        for entry in entries
        for fold, errors in enumerate(entry["folds"], start=1)
    )


def lookback_files(
    record: Record, study: Record, table: pd.DataFrame, histories: pd.DataFrame, forecasts: Forecasts
) -> dict[str, Writer]:
    """Writers by file name: the run, the curves as table and picture, the forecasts, and training curves if any.

    Args:
        record: of the curves; see `runs.record.lookback_record`.
        study: what was asked; see `runs.saved`.
        table: see `runs.lookback`.
        histories, forecasts: as in `comparison_files`.
    """
    exam = record["exam"]
    run = json.dumps({**study, "openings": exam["openings"]}, indent=1)
    files: dict[str, Writer] = {
        "run.json": lambda path: path.write_text(run, encoding="utf-8"),
        "lookback.csv": lambda path: table.to_csv(path, index=False),
        "lookback.png": lambda path: plot_lookbacks(table, exam["unit"], compared_lines(record)).savefig(path, dpi=150),
        **_forecasts_files(exam, forecasts),
    }
    if not histories.empty:
        files["histories.csv"] = lambda path: histories.to_csv(path, index=False)
    return files


def lesson_files(
    record: Record,
    study: Record,
    board: pd.DataFrame,
    histories: pd.DataFrame,
    forecasts: Forecasts,
    lesson_histories: pd.DataFrame,
    lesson_forecasts: pd.DataFrame,
) -> dict[str, Writer]:
    """Writers by file name: those of the exam, and the lesson's own table, curves and forecasts."""
    unit = record["exam"]["unit"]
    return {
        "lesson.png": lambda path: _save(plot_lesson(record["rows"], unit=unit), path),
        "lesson_training_curves.png": lambda path: plot_histories(lesson_histories, unit).savefig(path, dpi=110),
        "lesson_histories.csv": lambda path: lesson_histories.to_csv(path, index=False),
        "lesson_forecasts.csv": lambda path: lesson_forecasts.to_csv(path, index=False),
        **comparison_files(record, study, board, histories, forecasts),
    }


def _forecasts_files(exam: Record, forecasts: Forecasts) -> dict[str, Writer]:
    files: dict[str, Writer] = {forecasts_file(forecasts): lambda path: write_forecasts(forecasts, path)}
    if "series" in exam:
        files["series.csv"] = lambda path: series_rows(exam["series"]).to_csv(path, index=False)
    return files


def _save(ax: Axes, path: Path) -> None:
    assert isinstance(ax.figure, Figure)
    ax.figure.savefig(path, dpi=150)
