"""A run on disk: what is asked, what has been finished, and where each training stands.

    RUN/
    ├── run.json            the study and what its bytes depend on; written first
    ├── ledger.jsonl        one checksummed line a finished piece, written last: what is not in it has not happened
    ├── pieces/             fitted forecasters, one file each
    ├── unfinished/         checkpoints of trainings in progress
    └── leaderboard.csv ... the results, when all is done

Whoever works in a folder holds its lock. A killed process leaves what it had acknowledged, checkpoints, and at most
some files that nothing mentions, which the next one sweeps away.
"""

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from backsight.errors import BacksightError, SettingError
from backsight.models.recipe import OnSeedEpoch
from backsight.runs.checkpoints import FileCheckpoints
from backsight.runs.durable import make_folder, write_durably
from backsight.runs.fit import Fit, Fitted
from backsight.runs.forms import check_notes
from backsight.runs.identity import as_read, check_identity, differences
from backsight.runs.layout import RESULTS
from backsight.runs.ledger import append_record, read_records, settle
from backsight.runs.locks import LOCK, WORKER, work_in
from backsight.runs.openings import Openings, note_opening
from backsight.runs.packed import pack, unpack
from backsight.runs.piece import Piece
from backsight.runs.saved import STUDY_FILE, identity, read_run_record, run_record
from backsight.runs.study import Study
from backsight.series.source import Source

LEDGER, PIECES, UNFINISHED = "ledger.jsonl", "pieces", "unfinished"
#: Of a tuning, before it comes to its exam; see `runs.search_log`.
SEARCH, JOURNAL = "search.json", "trials.journal"

Record = dict[str, Any]
Kind = Literal["compare", "lookback", "tune"]


@dataclass(frozen=True, eq=False)
class RunFolder:
    """A folder that this process works in; see `open_run`. Its methods may be called from several threads.

    Attributes:
        path: of the folder.
        study: whose pieces it keeps.
        records: of the ledger when it was opened, and those added since.
        command: with which it was begun, as it was typed; None if it was begun in Python.
        finished: the ledger's line of each finished piece.
    """

    path: Path
    study: Study
    records: list[Record]
    command: str | None = None
    finished: dict[Piece, Record] = field(init=False)
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        # Kept beside the list: a study may have a hundred thousand pieces, and each asks.
        finished = {_piece(record): record for record in self.records if record["what"] == "finished"}
        object.__setattr__(self, "finished", finished)

    def fit(self, fit: Fit, entry: str, fold: int, seeds: Sequence[int], on_epoch: OnSeedEpoch) -> list[Fitted]:
        """The pieces of these seeds: as they were kept, and the rest fitted and kept.

        Raises:
            SettingError: a kept piece is damaged, or one can't be written.
        """
        pieces = [Piece(entry, fold, seed) for seed in seeds]
        known = {piece.seed: self.recall(piece) for piece in pieces if piece in self.finished}
        rest = [seed for seed in seeds if seed not in known]
        if rest:
            fitted = fit(rest, on_epoch, self.checkpoints(Piece(entry, fold, rest[0])))
            known |= {f.seed: self.keep(f, fold, pack(f)) for f in fitted}
        return [known[seed] for seed in seeds]

    def checkpoints(self, piece: Piece) -> FileCheckpoints:
        """Where the training of a piece stands; of seeds that are trained together, under the first one's name."""
        return FileCheckpoints(self.path / UNFINISHED / f"{self._name(piece)}.checkpoint")

    def recall(self, piece: Piece) -> Fitted:
        """A piece as it was kept; see `recall`."""
        return recall(self.path, self.study, self.finished[piece])

    def keep(self, fitted: Fitted, fold: int, packed: bytes) -> Fitted:
        """Write a finished piece and then its line in the ledger; returns it."""
        piece = Piece(fitted.entry.name, fold, fitted.seed)
        name = f"{self._name(piece)}.safetensors"
        write_durably(self.path / PIECES / name, packed)
        digest = sha256(packed).hexdigest()
        self._note({"what": "finished", **piece._asdict(), "file": name, "sha256": digest, "seconds": fitted.seconds})
        self.checkpoints(piece).remove()
        return fitted

    def pass_over(self, piece: Piece, attempts: int, why: str) -> None:
        """Note that a piece was given up."""
        self._note({"what": "lost", **piece._asdict(), "attempts": attempts, "why": why})

    @property
    def lost(self) -> dict[Piece, str]:
        """Pieces that were given up, and why."""
        with self._lock:
            return {_piece(record): str(record["why"]) for record in self.records if record["what"] == "lost"}

    def open_test_days(self) -> Openings | None:
        """Note that the test days are opened, once a run however often it is continued."""
        earlier = [record for record in self.records if record["what"] == "opened"]
        if earlier:
            found = earlier[-1]["openings"]
            return None if found is None else Openings(**found)
        openings = note_opening(self.study)
        told = None if openings is None else {"times": openings.times, "studies": openings.studies}
        self._note({"what": "opened", "openings": told})
        return openings

    def end(self, **summary: Any) -> None:
        """Note that the results are written, and in a few words what they were."""
        self._note({"what": "ended", **summary})

    def _note(self, record: Record) -> None:
        with self._lock:
            append_record(self.path / LEDGER, record)
            self.records.append(record)
            if record["what"] == "finished":
                self.finished[_piece(record)] = record

    def _name(self, piece: Piece) -> str:
        """A file name for a piece: its place among the entries makes it one of a kind, its name readable."""
        place = self.study.places[piece.entry]
        readable = re.sub(r"[^A-Za-z0-9_.=-]+", "-", piece.entry).strip("-.")[:60]
        fold = f"-fold{piece.fold}" if self.study.earlier else ""
        return f"{place:03d}-{readable}{fold}-seed{piece.seed}"


@dataclass(frozen=True, eq=False)
class PastRun:
    """A run that is only read: gives the pieces that it has; others are fitted, and not kept.

    Attributes:
        path: of the folder.
        study: some of the run's entries.
        records: of its ledger.
    """

    path: Path
    study: Study
    records: list[Record]

    def fit(self, fit: Fit, entry: str, fold: int, seeds: Sequence[int], on_epoch: OnSeedEpoch) -> list[Fitted]:
        """The pieces of these seeds.

        Raises:
            SettingError: a kept piece is damaged.
        """
        kept = _finished(self.records)
        known = {p.seed: recall(self.path, self.study, r) for p, r in kept.items() if p[:2] == (entry, fold)}
        rest = [seed for seed in seeds if seed not in known]
        known |= {f.seed: f for f in (fit(rest, on_epoch) if rest else [])}
        return [known[seed] for seed in seeds]


def past_run(path: Path, study: Study) -> PastRun:
    """A run to be read, whoever works in it; without a ledger, none of its pieces is there.

    Raises:
        SettingError: its ledger is damaged.
    """
    return PastRun(path, study, read_records(path / LEDGER))


def recall(path: Path, study: Study, record: Record) -> Fitted:
    """A piece of a run as it was kept.

    Args:
        path: of the run's folder.
        study: that has its entry.
        record: the ledger's line.

    Raises:
        SettingError: its file is damaged or gone.
    """
    entry, file = study.entry(record["entry"]), path / PIECES / str(record["file"])
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SettingError(f"{file} can't be read: {error.strerror}. {_START_ANEW}") from error
    if sha256(data).hexdigest() != record["sha256"]:
        raise SettingError(f"{file} has changed since it was written. {_START_ANEW}")
    return unpack(data, entry, entry.plan or study.plan, record["seconds"])


_START_ANEW = "Bring it back, or start the run anew in another folder."


@contextmanager
def open_run(
    path: Path, kind: Kind, study: Study, source: Source | None, command: str | None = None
) -> Iterator[RunFolder]:
    """Begin a run in a folder, or go on with the one that is there, and hold its lock meanwhile.

    A run that ends in one of our errors before anything was finished leaves nothing behind.

    Args:
        path: of the folder; made if it is not there.
        kind: of the command.
        study: what is asked.
        source: where its series can be read again; None if that can't be said.
        command: as it was typed, if it was.

    Raises:
        SettingError: the folder holds another run, another process works in it, its ledger is damaged, or it can't be
            written.
    """
    asked = run_record(kind, study, source) | {"command": command}
    made = not path.exists()
    if taken := [name for name in RESULTS if (path / name).is_dir()]:
        raise SettingError(f"{path / taken[0]} is a folder where a file of that name would go. Name another folder.")
    make_folder(path)
    records: list[Record] = []
    begun: list[Path] = []
    try:
        with work_in(path, PIECES, UNFINISHED):
            begun = _begin(path, asked)
            records += settle(path / LEDGER)
            check_notes(records, path / LEDGER)
            yield RunFolder(path, study, records, read_run_record(path)["command"])
    except BacksightError:
        if begun and not records:
            _clear(path, begun, made)
        raise


def _begin(path: Path, asked: Record) -> list[Path]:
    """Write what is asked, or make sure that it is what was asked before; returns what of that was not there."""
    folders = [path / PIECES, path / UNFINISHED]
    for inside in folders:
        if inside.is_symlink():  # else what we write would go wherever it leads
            raise SettingError(f"{inside} is a link, and folders of a run are plain ones. Name another --out.")
    begun = [] if (path / STUDY_FILE).exists() else [path / STUDY_FILE, *(f for f in folders if not f.exists())]
    if not begun:
        _check_same(path, asked)
    elif read_records(path / LEDGER):
        raise SettingError(f"{path} holds a ledger, and no {STUDY_FILE} that says of what. Name another --out.")
    else:
        _write(path, asked)
    for folder in folders:
        make_folder(folder)
    return begun


def _check_same(path: Path, asked: Record) -> None:
    """Make sure that the run in a folder is what is asked for, and note where its data is now."""
    before, now = read_run_record(path), as_read(asked)
    of_versions = differences(before["made_with"], now["made_with"])
    if of_versions:
        raise SettingError(
            f"{path} was begun with other versions: {', '.join(of_versions)}. They may give other numbers, and a run "
            f"has those of one. Install the versions that it was begun with, or start it anew in another folder."
        )
    check_identity(identity(now), identity(before), path, "run")
    if now["source"] not in (None, before["source"]):
        _write(path, {**before, "source": now["source"]})


def _write(path: Path, asked: Record) -> None:
    write_durably(path / STUDY_FILE, (json.dumps(asked, indent=1) + "\n").encode())


def run_in(out: Path | str | None, kind: Kind, study: Study) -> AbstractContextManager[RunFolder | None]:
    """`open_run` for a caller who may name no folder, and can't say where the series came from."""
    return nullcontext(None) if out is None else open_run(Path(out), kind, study, None)


def _clear(path: Path, begun: Sequence[Path], made: bool) -> None:
    """Remove what a run that came to nothing has made, and nothing that was there before."""
    if made:
        shutil.rmtree(path, ignore_errors=True)
        return
    for place in begun:
        if place.is_dir():
            shutil.rmtree(place, ignore_errors=True)
        else:
            place.unlink(missing_ok=True)
    for name in (LEDGER, f"{LEDGER}.lock", WORKER, LOCK):
        (path / name).unlink(missing_ok=True)


def _finished(records: Iterable[Record]) -> dict[Piece, Record]:
    return {_piece(record): record for record in records if record["what"] == "finished"}


def _piece(record: Record) -> Piece:
    return Piece(record["entry"], record["fold"], record["seed"])
