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
from backsight.runs.search_space import Candidate
from backsight.runs.trial import Trial

Identity = Mapping[str, Any]
Save = Callable[[Trial], None]

SEARCH, JOURNAL = "search.json", "trials.journal"


def begin(folder: Path, identity: Identity) -> None:
    """Say in the folder what is searched for, or make sure that it says so already.

    Raises:
        SettingError: the folder holds another search, or can't be written.
    """
    path = folder / SEARCH
    try:
        if path.exists():
            check_identity(identity, json.loads(path.read_text(encoding="utf-8")), folder)
            return
        if (folder / JOURNAL).exists():
            raise SettingError(f"{folder} holds trials, and no {SEARCH} that says of what. Name another --out.")
    except json.JSONDecodeError as error:
        raise SettingError(f"{path} can't be read: it is no JSON ({error}). Name another --out.") from error
    except OSError as error:
        raise SettingError(f"{folder} can't be read: {error.strerror or error}.") from error
    make_folder(folder)
    write_durably(path, (json.dumps(identity, indent=1) + "\n").encode())


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


def check_identity(asked: Identity, begun: Identity, folder: Path) -> None:
    """Make sure that the search in a folder is the one that is asked for.

    Raises:
        SettingError: it is not; the message lists the differences.
    """
    different = [
        f"{name} was {_show(begun.get(name))}, now {_show(asked.get(name))}"
        for name in dict.fromkeys([*begun, *asked])
        if begun.get(name) != asked.get(name)
    ]
    if different:
        raise SettingError(
            f"{folder} holds another search: {'; '.join(different)}. Name another --out, remove the folder, or ask "
            f"for the same again."
        )


def _show(value: object) -> str:
    text = "not there" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
