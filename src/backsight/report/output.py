"""The files of a result folder; its report and pictures are made from them (see `report.report`)."""

import json
from typing import Any

import pandas as pd

from backsight.report.files import Writer
from backsight.report.stored import RECORD_FILE

Record = dict[str, Any]


def comparison_files(
    record: Record, study: Record, board: pd.DataFrame, histories: pd.DataFrame, forecasts: pd.DataFrame
) -> dict[str, Writer]:
    """Writers by file name: the run, what was found, the leaderboard, the forecasts; if any, folds and training curves.

    Args:
        record: of the comparison; see `runs.record`.
        study: what was asked; see `runs.saved`.
        board: see `evaluation.leaderboard`.
        histories: see `runs.compare.history_rows`.
        forecasts: see `evaluation.forecasts`.
    """
    files: dict[str, Writer] = {
        **_record_files(record, study),
        "leaderboard.csv": board.to_csv,
        "forecasts.csv": lambda path: forecasts.to_csv(path, index=False),
    }
    if record["exam"]["folds"]:
        files["folds.csv"] = lambda path: fold_rows(record["exam"]["entries"]).to_csv(path, index=False)
    if not histories.empty:
        files["histories.csv"] = lambda path: histories.to_csv(path, index=False)
    return files


def tuning_files(record: Record, trials: pd.DataFrame) -> dict[str, Writer]:
    """Writers by file name: the record, as tuning.json too, and the trials.

    Args:
        record: of the tuning; see `runs.tuning_record`.
        trials: see `runs.tune.trial_rows`.
    """
    text = _as_json(record)
    return {
        "tuning.json": lambda path: path.write_text(text, encoding="utf-8"),
        RECORD_FILE: lambda path: path.write_text(text, encoding="utf-8"),
        "trials.csv": lambda path: trials.to_csv(path, index=False),
    }


def _record_files(record: Record, study: Record) -> dict[str, Writer]:
    """What was asked, and what was found."""
    run = json.dumps({**study, "openings": record["exam"]["openings"]}, indent=1)
    found = _as_json(record)
    return {
        "run.json": lambda path: path.write_text(run, encoding="utf-8"),
        RECORD_FILE: lambda path: path.write_text(found, encoding="utf-8"),
    }


def _as_json(record: Record) -> str:
    return json.dumps(record, indent=1, allow_nan=False) + "\n"


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
    record: Record, study: Record, table: pd.DataFrame, histories: pd.DataFrame, forecasts: pd.DataFrame
) -> dict[str, Writer]:
    """Writers by file name: the run, what was found, the curves, the forecasts, and training curves if any.

    Args:
        record: of the curves; see `runs.record.lookback_record`.
        study: what was asked; see `runs.saved`.
        table: see `runs.lookback`.
        histories, forecasts: as in `comparison_files`.
    """
    files: dict[str, Writer] = {
        **_record_files(record, study),
        "lookback.csv": lambda path: table.to_csv(path, index=False),
        "forecasts.csv": lambda path: forecasts.to_csv(path, index=False),
    }
    if not histories.empty:
        files["histories.csv"] = lambda path: histories.to_csv(path, index=False)
    return files


def lesson_files(
    record: Record,
    study: Record,
    board: pd.DataFrame,
    histories: pd.DataFrame,
    forecasts: pd.DataFrame,
    lesson_histories: pd.DataFrame,
    lesson_forecasts: pd.DataFrame,
) -> dict[str, Writer]:
    """Writers by file name: those of the exam, and the lesson's own curves and forecasts."""
    return {
        "lesson_histories.csv": lambda path: lesson_histories.to_csv(path, index=False),
        "lesson_forecasts.csv": lambda path: lesson_forecasts.to_csv(path, index=False),
        **comparison_files(record, study, board, histories, forecasts),
    }
