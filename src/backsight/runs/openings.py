"""How often the test days of an exam have been opened, by all runs of this user.

Each look at the same test days makes the next one worth a little less, as choices adapt to them. So every opening
is noted in a file of the user's, one line each, and reports say how many there were.
"""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np

from backsight.runs.saved import study_record
from backsight.runs.study import Study

#: Names another folder for the file; empty: openings are not noted.
FOLDER_VARIABLE = "BACKSIGHT_STATE"


@dataclass(frozen=True)
class Openings:
    """How often these test days have been opened, this time included.

    Attributes:
        times: in all.
        studies: how many different studies did so; the same one again gives the same numbers again.
    """

    times: int
    studies: int


def openings_file() -> Path | None:
    """Where openings are noted; None where the user wants none."""
    named = os.environ.get(FOLDER_VARIABLE)
    if named == "":
        return None
    if named:
        return Path(named) / "openings.jsonl"
    from platformdirs import user_state_path

    return user_state_path("backsight") / "openings.jsonl"


def note_opening(study: Study) -> Openings | None:
    """Note that the test days of a study are opened now.

    Two exams are the same if they ask for the same values of the same target at the same times, whatever the
    features. Test days that overlap in part are not recognised, nor are those opened by another user.

    Returns:
        how often that has been so far; None if openings are not noted, or the file can't be written.
    """
    path = openings_file()
    if path is None:
        return None
    exam, asked = exam_fingerprint(study), _fingerprint(study_record(study))
    line = json.dumps({"exam": exam, "study": asked, "opened": datetime.now(UTC).isoformat(timespec="seconds")})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # One write of one line, at the end: two processes can't mix theirs up.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, f"{line}\n".encode())
        finally:
            os.close(handle)
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # a read-only home; reports then say nothing of openings
        return None
    studies = [noted["study"] for noted in map(_parse, lines) if noted.get("exam") == exam]
    return Openings(len(studies), len(set(studies)))


def exam_fingerprint(study: Study) -> str:
    """SHA-256 of the test targets, those of all folds of a backtest: name, horizon, times and values."""
    exam = study.exam
    rows = np.unique(np.concatenate([fold.target_rows("test") for fold in study.exams]))
    digest = sha256(f"{exam.target}\n{exam.horizon}\n{exam.stride}\n".encode())
    digest.update(study.series.times.as_unit("us").asi8[rows].tobytes())
    digest.update(study.series.column(exam.target)[rows].tobytes())
    return digest.hexdigest()


def _fingerprint(record: dict[str, object]) -> str:
    return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _parse(line: str) -> dict[str, str]:
    """A line of the file; one that a full disk cut short counts for nothing."""
    try:
        noted = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return noted if isinstance(noted, dict) and isinstance(noted.get("study"), str) else {}
