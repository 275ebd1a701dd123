"""A run as it lies in its folder: what a report is made from, without any model or data."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from backsight.errors import SettingError
from backsight.runs.layout import MADE_FILE, MANY_FILE, MANY_INTERVALS_FILE, NEXT_FILE, RESULT_FILE

Record = dict[str, Any]

#: Columns without which a table is not read.
_NEEDED = {
    "leaderboard.csv": ("entry", "val_rmse", "test_rmse"),
    "histories.csv": ("entry", "seed", "epoch", "train_rmse", "val_rmse", "kept"),
    "forecasts.csv": ("entry", "seed", "part", "lead", "time", "actual", "predicted"),
    "lookback.csv": ("model", "lookback", "val_rmse", "test_rmse", "best", "recommended"),
    "intervals.csv": ("entry", "time", "lower", "upper"),
    "lesson_histories.csv": ("entry", "seed", "epoch", "train_rmse", "val_rmse", "kept"),
    "trials.csv": ("model",),
}


#: Columns of the forecasts of many series that a report needs.
_OF_MANY = ["entry", "seed", "series", "lead", "time", "actual", "predicted"]


@dataclass(frozen=True, eq=False)
class Stored:
    """The stored values of a run; what was not stored is None, or an empty record.

    Attributes:
        record: what the command found; see `runs.record` and `runs.tuning_record`.
        study: what was asked; see `runs.saved`.
        board, histories, forecasts, lookbacks, intervals, trials, lesson_histories: its tables.
        made: how it was made: command, versions, what the data doctor found, sources; see `runs.made`.
        next: what the model that was saved forecasts for the steps after the data; see `runs.outlook_record`.
        memory: the record of a memory profile of its entries; see `runs.memory_record`.
        folder: where it lies, as it was named.
    """

    record: Record
    study: Record
    board: pd.DataFrame | None = None
    histories: pd.DataFrame | None = None
    forecasts: pd.DataFrame | None = None
    lookbacks: pd.DataFrame | None = None
    intervals: pd.DataFrame | None = None
    trials: pd.DataFrame | None = None
    lesson_histories: pd.DataFrame | None = None
    made: Record = field(default_factory=dict)
    next: Record | None = None
    memory: Record | None = None
    folder: Path | None = None

    @property
    def exam(self) -> Record:
        """The exam; empty where there was none, as in a search that ended before it."""
        return self.record.get("exam") or {}

    @property
    def entries(self) -> list[Record]:
        """Its entries, in the order of the leaderboard."""
        return list(self.exam.get("entries") or [])

    @property
    def unit(self) -> str:
        """Of the target."""
        return str(self.exam.get("unit") or self.record.get("search", {}).get("unit") or "")


def read_stored(folder: Path) -> Stored:
    """The stored values of a run.

    Raises:
        SettingError: the folder holds no run, or one of its files can't be read as what it should be.
    """
    if not folder.is_dir():
        raise SettingError(f"There is no folder {folder}. Name a run, a folder that `backsight compare --out` wrote.")
    record = _read_json(folder / RESULT_FILE)
    if record is None:
        raise SettingError(
            f"{folder} holds no results: there is no {RESULT_FILE}. `compare`, `lookback`, `tune` and `lesson` write "
            f"it with --out; a run of an older version has to be made anew."
        )
    return Stored(
        record,
        _read_json(folder / "run.json") or {},
        board=_read_table(folder, "leaderboard.csv"),
        histories=_read_table(folder, "histories.csv"),
        forecasts=_read_table(folder, "forecasts.csv", times=["time"]),
        lookbacks=_read_table(folder, "lookback.csv"),
        intervals=_read_table(folder, "intervals.csv", times=["time"]),
        trials=_read_table(folder, "trials.csv"),
        lesson_histories=_read_table(folder, "lesson_histories.csv"),
        made=_read_json(folder / MADE_FILE) or {},
        next=_read_json(folder / NEXT_FILE),
        memory=_memory_of(folder, record),
        folder=folder,
    )


def read_many(stored: Stored, entries: Collection[str]) -> pd.DataFrame | None:
    """The test forecasts of some entries of many series, in the unit of each; None where there is one series.

    Returns:
        forecasts rows (see `evaluation.forecasts`) with two columns more: series, and sd, that of its series.

    Raises:
        SettingError: the file can't be read.
    """
    of_series = stored.exam.get("series")
    asked = [("entry", "in", list(entries)), ("part", "==", "test")]
    if not of_series or (rows := _read_parquet(stored, MANY_FILE, asked, _OF_MANY)) is None:
        return None
    sd = dict(zip(of_series["names"], of_series["sd"], strict=True))
    series = rows["series"].astype(str)
    return rows.assign(entry=rows["entry"].astype(str), series=series, part="test", sd=series.map(sd))


def read_many_intervals(stored: Stored, series: Collection[str]) -> pd.DataFrame | None:
    """The intervals of the recommended entry in some of many series; None where there are none.

    Raises:
        SettingError: the file can't be read.
    """
    rows = _read_parquet(stored, MANY_INTERVALS_FILE, [("series", "in", list(series))])
    return None if rows is None else rows.assign(series=rows["series"].astype(str))


def _read_parquet(
    stored: Stored, name: str, filters: list[tuple[str, str, Any]], columns: list[str] | None = None
) -> pd.DataFrame | None:
    """Some rows of a table of many series; None where there is no table, or no such row."""
    if not all(asked for _, _, asked in filters):
        return None  # nothing is among none
    if stored.folder is None or not (path := stored.folder / name).exists():
        return None
    try:
        rows = pd.read_parquet(path, columns=columns, filters=filters)
    except (OSError, ValueError) as error:
        raise SettingError(f"{path} can't be read as a table: {error}. Make the run anew.") from error
    return rows if len(rows) else None


def _memory_of(folder: Path, record: Record) -> Record | None:
    """The memory profile that lies in the folder, if it is of this run's data and target."""
    memory = _read_json(folder / "memory.json")
    if memory is None or memory.get("data") != record.get("data"):
        return None
    return memory if memory.get("target") == (record.get("exam") or {}).get("target") else None


def _read_json(path: Path) -> Record | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SettingError(f"{path} can't be read: {error}. Make the run anew.") from error
    if not isinstance(values, dict):
        raise SettingError(f"{path} holds no record of a run. Make the run anew.")
    return values


def _read_table(folder: Path, name: str, times: Iterable[str] = ()) -> pd.DataFrame | None:
    """A table; None where there is none, or one without rows."""
    path = folder / name
    if not path.exists():
        return None
    try:
        # Names are text, whatever they look like: "NA" and "1e3" are good names of models.
        table = pd.read_csv(path, converters={"entry": str, "model": str, "part": str})
        table = table.assign(**{column: pd.to_datetime(table[column]) for column in times if column in table})
    except (OSError, ValueError) as error:
        raise SettingError(f"{path} can't be read as a table: {error}. Make the run anew.") from error
    lacking = [column for column in _NEEDED[name] if column not in table]
    if lacking:
        raise SettingError(f"{path} lacks the column {lacking[0]}. Make the run anew.")
    return None if table.empty else table
