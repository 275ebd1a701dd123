"""The files of a result folder; its report and pictures are made from them (see `report.report`)."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from backsight.evaluation.ensemble import base_entry
from backsight.evaluation.intervals import centred, examined
from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts, rows_of
from backsight.evaluation.panel_intervals import examined_panel
from backsight.report.files import Writer
from backsight.report.intervals import coverage_rows, curve_intervals, exam_intervals
from backsight.report.leads import lead_rows
from backsight.report.series import forecasts_file, series_rows, write_forecasts
from backsight.runs.layout import MADE_FILE, NEXT_FILE, RESULT_FILE

Record = dict[str, Any]


def comparison_files(
    record: Record, board: pd.DataFrame, histories: pd.DataFrame, forecasts: Forecasts
) -> dict[str, Writer]:
    """Writers by file name: record, leaderboard, forecasts, intervals; leads, folds and training curves if any.

    Of many series, their errors, and the forecasts as Parquet.

    Args:
        record: of the comparison; see `runs.record`.
        board: see `evaluation.leaderboard`.
        histories: see `runs.histories.history_rows`.
        forecasts: see `evaluation.forecasts`.
    """
    known = exam_intervals(record["exam"])
    files: dict[str, Writer] = {
        RESULT_FILE: _json(record),
        "leaderboard.csv": board.to_csv,
        **_forecasts_files(record["exam"], known, forecasts),
        **interval_files(known, record["exam"]["recommended"], forecasts),
    }
    if record["exam"]["leads"] is not None:
        files["leads.csv"] = lambda path: lead_rows(record["exam"]).to_csv(path, index=False)
    if record["exam"]["folds"]:
        files["folds.csv"] = lambda path: fold_rows(record["exam"]["entries"]).to_csv(path, index=False)
    if not histories.empty:
        files["histories.csv"] = lambda path: histories.to_csv(path, index=False)
    return files


def interval_files(known: Mapping[str, Record], taken: str | None, forecasts: Forecasts) -> dict[str, Writer]:
    """Writers by file name: the recommended entry's intervals, and how those of all entries did; none if it failed.

    Args:
        known: intervals by entry; see `report.intervals`.
        taken: the recommended one.
        forecasts: see `evaluation.forecasts`. The intervals of many series are written as Parquet, as forecasts are.
    """
    if taken is None or taken not in known:
        return {}
    level = known[taken]["level"]
    coverage: dict[str, Writer] = {"coverage.csv": lambda path: coverage_rows(known).to_csv(path, index=False)}
    if isinstance(forecasts, PanelForecasts):
        many = examined_panel(forecasts, base_entry(taken), level)
        return {
            "intervals.parquet": lambda path: (
                many.rows().assign(entry=taken, level=level).to_parquet(path, index=False)
            ),
            **coverage,
        }
    test = examined(centred(rows_of(forecasts, base_entry(taken))), level)
    rows = test.assign(entry=taken, level=level)
    return {"intervals.csv": lambda path: rows.to_csv(path, index=False), **coverage}


def tuning_files(record: Record, trials: pd.DataFrame) -> dict[str, Writer]:
    """Writers by file name: the record, as tuning.json too, and the trials.

    Args:
        record: of the tuning; see `runs.tuning_record`.
        trials: see `runs.tune.trial_rows`.
    """
    return {
        "tuning.json": _json(record),
        RESULT_FILE: _json(record),
        "trials.csv": lambda path: trials.to_csv(path, index=False),
    }


def made_files(made: Record) -> dict[str, Writer]:
    """Writers by file name: how a run was made; see `runs.made`."""
    return {MADE_FILE: _json(made)}


def next_files(found: Record) -> dict[str, Writer]:
    """Writers by file name: what follows the data; see `runs.outlook_record.next_record`."""
    return {NEXT_FILE: _json(found)}


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
    record: Record, table: pd.DataFrame, histories: pd.DataFrame, forecasts: Forecasts
) -> dict[str, Writer]:
    """Writers by file name: the record, the curves, the forecasts, intervals, and training curves if any.

    Args:
        record: of the curves; see `runs.record.lookback_record`.
        table: see `runs.lookback`.
        histories, forecasts: as in `comparison_files`.
    """
    known, taken = curve_intervals(record["curves"]), (record["overall"] or {}).get("entry")
    files: dict[str, Writer] = {
        RESULT_FILE: _json(record),
        "lookback.csv": lambda path: table.to_csv(path, index=False),
        **_forecasts_files(record["exam"], known, forecasts),
        **interval_files(known, taken, forecasts),
    }
    if not histories.empty:
        files["histories.csv"] = lambda path: histories.to_csv(path, index=False)
    return files


def lesson_files(
    record: Record,
    run: Record,
    board: pd.DataFrame,
    histories: pd.DataFrame,
    forecasts: Forecasts,
    lesson_histories: pd.DataFrame,
    lesson_forecasts: pd.DataFrame,
) -> dict[str, Writer]:
    """Writers by file name: the exam's run and its results, and the lesson's own table, curves and forecasts.

    Args:
        record: of the lesson; see `runs.record.lesson_record`.
        run: see `runs.saved.run_record`.
        board, histories, forecasts: of the exam, as in `comparison_files`.
        lesson_histories, lesson_forecasts: of the lesson's own rows.
    """
    return {
        "lesson_histories.csv": lambda path: lesson_histories.to_csv(path, index=False),
        "lesson_forecasts.csv": lambda path: lesson_forecasts.to_csv(path, index=False),
        **comparison_files(record, board, histories, forecasts),
        "run.json": _json(run),
    }


def _forecasts_files(exam: Record, known: Mapping[str, Record], forecasts: Forecasts) -> dict[str, Writer]:
    files: dict[str, Writer] = {forecasts_file(forecasts): lambda path: write_forecasts(forecasts, path)}
    if "series" in exam:
        files["series.csv"] = lambda path: series_rows(exam["series"], known).to_csv(path, index=False)
    return files


def _json(record: Record) -> Writer:
    text = json.dumps(record, indent=1, allow_nan=False) + "\n"
    return lambda path: path.write_text(text, encoding="utf-8")
