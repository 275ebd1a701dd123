"""What a search has found, on disk: a killed one goes on where it stopped.

The folder holds `search.json`, what is searched for, and `trials.journal`, Optuna's append-only file with one study a
model, which its own tools read too. A trial is one line, written when it is done: whatever happens, it is there or not.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import optuna
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from backsight.errors import SettingError
from backsight.runs.durable import make_folder, write_durably
from backsight.runs.folder import JOURNAL, SEARCH
from backsight.runs.identity import check_identity
from backsight.runs.search_space import Candidate
from backsight.runs.trial import Trial

Identity = Mapping[str, Any]
Save = Callable[[Trial], None]


def begin(folder: Path, identity: Identity, asked: Identity) -> None:
    """Say in the folder what is searched for, or make sure that it says so already.

    Args:
        folder: made if it is not there.
        identity: what trials depend on; see `runs.search.identify`.
        asked: what brings the search back; see `runs.search.asked_record`. The latest asking counts.

    Raises:
        SettingError: the folder holds another search, or can't be written.
    """
    path = folder / SEARCH
    identity, asked = json.loads(json.dumps([identity, asked]))  # as they will be read: tuples are lists
    if path.exists():
        begun = read_search(folder)
        check_identity(identity, begun["identity"], folder, "search")
        if begun["asked"] == asked:
            return
    elif (folder / JOURNAL).exists():
        raise SettingError(f"{folder} holds trials, and no {SEARCH} that says of what. Name another --out.")
    make_folder(folder)
    write_durably(path, (json.dumps({"identity": identity, "asked": asked}, indent=1) + "\n").encode())


def read_search(folder: Path) -> dict[str, Any]:
    """What `begin` wrote: `identity` and `asked`.

    Raises:
        SettingError: it can't be read.
    """
    path = folder / SEARCH
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SettingError(f"{path} can't be read: it is no JSON ({error}). Name another --out.") from error
    if not isinstance(record, dict) or not {"identity", "asked"} <= record.keys():
        raise SettingError(f"{path} is no search of this version. Name another --out.")
    return record


def open_journal(folder: Path, candidates: Iterable[Candidate]) -> tuple[list[Trial], Save]:
    """The trials that a folder holds, and a function that adds one; it may be called from several threads.

    A line that was cut off by a kill is removed first. Where two processes have worked in one folder, the same trial
    may be there twice; it is the same.
    """
    path = folder / JOURNAL
    if path.exists():
        drop_unfinished_line(path)
    # The lock that works on every system; who is killed while holding it is waited for half a minute.
    backend = JournalFileBackend(str(path), JournalFileOpenLock(str(path)))
    storage = optuna.storages.JournalStorage(backend)
    # Not `load_if_exists`: that would add a line whenever the journal is opened.
    there = optuna.get_all_study_names(storage)
    studies = {
        c.name: (c, (optuna.load_study if c.name in there else optuna.create_study)(study_name=c.name, storage=storage))
        for c in candidates
    }
    lock = Lock()

    def save(trial: Trial) -> None:
        candidate, study = studies[trial.model]
        with lock:
            study.add_trial(to_optuna(trial, candidate))

    found = [from_optuna(frozen, c) for c, study in studies.values() for frozen in study.get_trials(deepcopy=False)]
    return found, save


def drop_unfinished_line(path: Path) -> None:
    """Cut a journal after its last whole line."""
    with path.open("r+b") as journal:
        text = journal.read()
        journal.truncate(text.rfind(b"\n") + 1)


def to_optuna(trial: Trial, candidate: Candidate) -> FrozenTrial:
    """The trial as Optuna keeps it."""
    return create_trial(
        state=TrialState.PRUNED if trial.pruned else TrialState.COMPLETE,
        value=trial.score,
        params=trial.values,
        distributions=candidate.space,
        user_attrs={
            "number": trial.number,
            "rmse": [list(of_fold) for of_fold in trial.rmse],
            "epochs": list(trial.epochs),
            "seconds": trial.seconds,
        },
        intermediate_values=dict(trial.looks),
    )


def from_optuna(frozen: FrozenTrial, candidate: Candidate) -> Trial:
    """The trial that `to_optuna` was given."""
    told = frozen.user_attrs
    return Trial(
        model=candidate.name,
        number=told["number"],
        values=frozen.params,
        configuration=candidate.configure(frozen.params),
        rmse=tuple(tuple(of_fold) for of_fold in told["rmse"]),
        looks=tuple(sorted(frozen.intermediate_values.items())),
        epochs=tuple(told["epochs"]),
        seconds=told["seconds"],
    )
