"""Where runs are kept that nobody named a folder for, and what is there."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import fmean

from backsight.errors import SettingError
from backsight.runs.folder import JOURNAL, LEDGER, SEARCH
from backsight.runs.layout import RESULT_FILE
from backsight.runs.ledger import read_records
from backsight.runs.locks import work_in
from backsight.runs.saved import STUDY_FILE, read_run_record

#: Names another folder for runs; empty: runs are kept only where `--out` says.
FOLDER_VARIABLE = "BACKSIGHT_RUNS"
#: In the current folder, where nothing else is named.
HOME = "backsight-runs"
#: Where removed runs lie until they are removed for good.
REMOVED = ".removed"


def runs_home() -> Path | None:
    """The folder of runs; None where the user wants none."""
    named = os.environ.get(FOLDER_VARIABLE)
    return None if named == "" else Path(named or HOME)


def new_run(kind: str, data: str) -> Path | None:
    """A folder name that is not taken, such as backsight-runs/2026-11-24-001-compare-seattle; None without a home."""
    home = runs_home()
    if home is None:
        return None
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(data).stem).strip("-")[:40] or "data"
    day = datetime.now(UTC).astimezone().strftime("%Y-%m-%d")
    taken = {p.name[:14] for folder in (home, home / REMOVED) if folder.is_dir() for p in folder.iterdir()}
    number = next(n for n in count(1) if f"{day}-{n:03d}" not in taken)
    return home / f"{day}-{number:03d}-{kind}-{readable}"


@dataclass(frozen=True)
class RunSummary:
    """A run on disk, in a few words.

    Attributes:
        path: of its folder.
        kind: compare, lookback or tune.
        data, target: what was forecast.
        pieces: how many fits the run takes; None where that is not known yet.
        finished, lost: how many have been done, and given up.
        ended: whether its results are written.
        best: the entry with the lowest validation RMSE, and that; empty and None before the end.
        begun: when.
    """

    path: Path
    kind: str
    data: str
    target: str
    pieces: int | None
    finished: int
    lost: int
    ended: bool
    best: str
    val_rmse: float | None
    begun: datetime


def is_run(path: Path) -> bool:
    """Whether a folder holds a run, or a search that has not come to its exam."""
    return (path / STUDY_FILE).is_file() or ((path / SEARCH).is_file() and (path / JOURNAL).is_file())


def summarise(path: Path) -> RunSummary:
    """What a run folder holds.

    Raises:
        SettingError: it holds no run, or one that can't be read.
    """
    record = read_run_record(path)
    ledger = read_records(path / LEDGER)
    done = {(r["entry"], r["fold"], r["seed"]) for r in ledger if r["what"] == "finished"}
    lost = {(r["entry"], r["fold"], r["seed"]) for r in ledger if r["what"] == "lost"} - done
    ended = [r for r in ledger if r["what"] == "ended"]
    return RunSummary(
        path,
        record.get("kind", "lesson"),
        record["data"]["name"],
        record["exam"]["target"],
        record.get("pieces"),
        len(done),
        len(lost),
        bool(ended),
        ended[-1].get("best", "") if ended else "",
        ended[-1].get("val_rmse") if ended else None,
        datetime.fromtimestamp((path / STUDY_FILE).stat().st_mtime, UTC),
    )


def list_runs(home: Path) -> Iterator[RunSummary]:
    """The runs of a folder, oldest first by name.

    Raises:
        SettingError: there is no such folder.
    """
    if not home.is_dir():
        raise SettingError(f"There is no folder {home} with runs. `backsight compare` makes one.")
    for path in sorted(home.iterdir()):
        if path.is_dir() and path.name != REMOVED and is_run(path):
            yield summarise(path)


def remove_run(path: Path) -> Path:
    """Put a run aside, where `restore_run` finds it; returns its new place.

    Raises:
        SettingError: it holds no run, or a process works in it.
    """
    if not is_run(path):
        raise SettingError(f"{path} holds no run, and only runs are removed.")
    with work_in(path):
        pass  # nobody works in it
    place = path.parent / REMOVED / path.name
    if place.exists():
        raise SettingError(f"{place} is there already: a run of that name was removed before. Empty it first.")
    place.parent.mkdir(exist_ok=True)
    path.rename(place)
    return place


def restore_run(path: Path) -> Path:
    """Bring a removed run back, named by where it was; returns that.

    Raises:
        SettingError: there is no removed run of that name, or another is in its place.
    """
    place = path.parent / REMOVED / path.name
    if not place.is_dir():
        raise SettingError(f"No run {path.name} was removed from {path.parent}.")
    if path.exists():
        raise SettingError(f"{path} is there already; rename it first.")
    place.rename(path)
    return path


def removed_runs(home: Path) -> list[str]:
    """Names of the runs that were put aside."""
    aside = home / REMOVED
    return sorted(path.name for path in aside.iterdir()) if aside.is_dir() else []


def empty_removed(home: Path) -> None:
    """Remove for good what was put aside."""
    shutil.rmtree(home / REMOVED)


def read_leaderboard(path: Path) -> dict[str, dict[str, float | None]]:
    """Mean validation and test RMSE by entry, of a run that has ended.

    Raises:
        SettingError: it has not, or its results can't be read.
    """
    result = path / RESULT_FILE
    try:
        record = json.loads(result.read_text(encoding="utf-8"))
        entries = record["exam"]["entries"]
        return {e["name"]: {part: _mean(e[part]) for part in ("val_rmse", "test_rmse")} for e in entries}
    except FileNotFoundError as error:
        raise SettingError(f"{path} has no results yet. `backsight resume {path}` goes on with it.") from error
    except (OSError, ValueError, RecursionError, KeyError, TypeError) as error:
        raise SettingError(f"{result} can't be read as results: {error}.") from error


def _mean(errors: list[float | None]) -> float | None:
    known = [error for error in errors if error is not None]
    return fmean(known) if len(known) == len(errors) else None
