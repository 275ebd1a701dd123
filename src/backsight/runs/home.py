"""Where runs are kept that nobody named a folder for, and what is there."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Any

from backsight.errors import SettingError
from backsight.runs.durable import make_folder, told
from backsight.runs.folder import JOURNAL, LEDGER, SEARCH
from backsight.runs.forms import ResultForm, check_form, check_notes, read_json
from backsight.runs.layout import RESULT_FILE
from backsight.runs.ledger import read_records
from backsight.runs.locks import work_in
from backsight.runs.saved import STUDY_FILE, read_run_record
from backsight.runs.search_file import read_search

#: Names another folder for runs; empty: runs are kept only where `--out` says.
FOLDER_VARIABLE = "BACKSIGHT_RUNS"
#: In the current folder, where nothing else is named.
HOME = "backsight-runs"
#: Where removed runs lie until they are removed for good.
REMOVED = Path(".removed")


def runs_home() -> Path | None:
    """The folder of runs; None where the user wants none."""
    named = os.environ.get(FOLDER_VARIABLE)
    return None if named == "" else Path(named or HOME)


def home_of_runs(named: Path | None) -> Path:
    """The home of runs, or the folder that is named instead.

    Raises:
        SettingError: there is no home.
    """
    found = named or runs_home()
    if found is None:
        raise SettingError(f"{FOLDER_VARIABLE} is empty, so runs have no home. Name a folder with --home.")
    return found


def find_run(run: Path, home: Path | None = None) -> Path:
    """The folder of a run that is named by its path, or by its name in the home of runs."""
    if run.is_dir() or run.parent != Path() or (home or runs_home()) is None:
        return run
    return home_of_runs(home) / run


def new_run(kind: str, data: str) -> Path | None:
    """A new folder, such as backsight-runs/2026-11-24-001-compare-seattle; None without a home.

    Raises:
        SettingError: it can't be made.
    """
    home = runs_home()
    if home is None:
        return None
    readable = re.sub(r"[^A-Za-z0-9_-]+", "-", Path(data).stem).strip("-")[:40] or "data"
    day = datetime.now(UTC).astimezone().strftime("%Y-%m-%d")
    make_folder(home)
    names = [p.name for folder in (home, home / REMOVED) if folder.is_dir() for p in folder.iterdir()]
    of_today = (re.match(rf"{day}-(\d{{3,}})-", name) for name in names)
    for number in count(1 + max((int(found[1]) for found in of_today if found), default=0)):
        path = home / f"{day}-{number:03d}-{kind}-{readable}"
        with told(path, "made"), suppress(FileExistsError):  # another process was first
            path.mkdir()
            return path
    raise AssertionError


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
        trouble: why nothing more can be said of it; empty if all is well.
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
    trouble: str = ""


def is_run(path: Path) -> bool:
    """Whether a folder holds a run, or a search that has not come to its exam."""
    return (path / STUDY_FILE).is_file() or ((path / SEARCH).is_file() and (path / JOURNAL).is_file())


def summarise(path: Path) -> RunSummary:
    """What a run folder holds.

    Raises:
        SettingError: it holds no run, or one that can't be read.
    """
    record = read_run_record(path) if (path / STUDY_FILE).exists() else _as_run(read_search(path))
    ledger = read_records(path / LEDGER)
    check_notes(ledger, path / LEDGER)
    done = {(r["entry"], r["fold"], r["seed"]) for r in ledger if r["what"] == "finished"}
    lost = {(r["entry"], r["fold"], r["seed"]) for r in ledger if r["what"] == "lost"} - done
    ended = [r for r in ledger if r["what"] == "ended"]
    return RunSummary(
        path,
        record["kind"],
        record["data"]["name"],
        record["exam"]["target"],
        record["pieces"],
        len(done),
        len(lost),
        bool(ended) or record["kind"] == "lesson",  # which writes what it asked when all is done, and no ledger
        ended[-1].get("best", "") if ended else "",
        ended[-1].get("val_rmse") if ended else None,
        _begun(path),
    )


def _as_run(search: dict[str, Any]) -> dict[str, Any]:
    """A search that has not come to its exam, as the run it will be."""
    return {**search["asked"]["study"], "kind": "tune", "pieces": None}


def _begun(path: Path) -> datetime:
    """When the first file of a run was written."""
    place = next((p for p in (path / STUDY_FILE, path / SEARCH) if p.exists()), path)
    return datetime.fromtimestamp(place.stat().st_mtime, UTC)


def list_runs(home: Path) -> Iterator[RunSummary]:
    """The runs of a folder, oldest first by name; of one that can't be read, why.

    Raises:
        SettingError: there is no such folder.
    """
    if not home.is_dir():
        raise SettingError(f"There is no folder {home} with runs. `backsight compare` makes one.")
    for path in sorted(home.iterdir()):
        if path.is_dir() and path.name != REMOVED.name and is_run(path):
            try:
                yield summarise(path)
            except SettingError as error:
                yield RunSummary(path, "", "", "", None, 0, 0, False, "", None, _begun(path), str(error))


def find_removed(run: Path, home: Path | None = None) -> Path:
    """Where a removed run was, that is named by its path, or by its name in the home of runs."""
    if run.parent != Path() or (REMOVED / run).is_dir() or (home or runs_home()) is None:
        return run.absolute()
    return home_of_runs(home).absolute() / run


def remove_run(path: Path) -> Path:
    """Put a run aside, where `restore_run` finds it; returns its new place.

    Raises:
        SettingError: it holds no run, or a process works in it.
    """
    path = path.absolute()
    if not is_run(path):
        raise SettingError(f"{path} holds no run, and only runs are removed.")
    with work_in(path):
        pass  # nobody works in it
    place = path.parent / REMOVED / path.name
    if place.exists():
        raise SettingError(f"{place} is there already: a run of that name was removed before. Empty it first.")
    with told(path, "moved"):
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
    with told(place, "moved"):
        place.rename(path)
    return path


def removed_runs(home: Path) -> list[str]:
    """Names of the runs that were put aside."""
    aside = home / REMOVED
    return sorted(path.name for path in aside.iterdir()) if aside.is_dir() else []


def empty_removed(home: Path) -> None:
    """Remove for good what was put aside."""
    with told(home / REMOVED, "removed"):
        shutil.rmtree(home / REMOVED)


def read_leaderboard(path: Path) -> dict[str, dict[str, float | None]]:
    """Mean validation and test RMSE by entry, of a run that has ended.

    Raises:
        SettingError: it has not, or its results can't be read.
    """
    result = path / RESULT_FILE
    try:
        found = check_form(read_json(result), ResultForm, result)
    except FileNotFoundError as error:
        raise SettingError(f"{path} has no results yet. `backsight resume {path}` goes on with it.") from error
    in_exam = {} if found.exam is None else {e.name: e for e in found.exam.entries}
    on_curves = {point.entry: point for curve in found.curves for point in curve.points}
    errors = {**in_exam, **on_curves, **found.lines}
    return {name: {"val_rmse": _mean(e.val_rmse), "test_rmse": _mean(e.test_rmse)} for name, e in errors.items()}


def _mean(errors: Sequence[float | None]) -> float | None:
    known = [error for error in errors if error is not None]
    return fmean(known) if known and len(known) == len(errors) else None
