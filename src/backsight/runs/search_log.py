"""What a search has found, on disk: a killed one goes on where it stopped.

Beside `search.json`, what is searched for (see `runs.search_file`), lies `trials.journal`, Optuna's append-only file
with one study a model, which its own tools read too. A trial is one line, written when it is done: whatever happens, it
is there or not. Lines have no checksum: a digit that somebody changes is not noticed, what is no journal is.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import optuna
from optuna.exceptions import OptunaError
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from backsight.errors import SettingError
from backsight.runs.durable import told
from backsight.runs.folder import JOURNAL
from backsight.runs.search_space import Candidate
from backsight.runs.trial import Trial

#: What Optuna calls the lock of a journal, after the journal's name.
LOCK_FILE_SUFFIX = ".lock"

Save = Callable[[Trial], None]


def open_journal(folder: Path, candidates: Iterable[Candidate]) -> tuple[list[Trial], Save]:
    """The trials that a folder holds, and a function that adds one; it may be called from several threads.

    The folder is this process's own (see `runs.locks.work_in`). A line that was cut off by a kill is removed first, and
    so is the lock of who was killed while holding it, for which Optuna would wait half a minute.

    Raises:
        SettingError: the journal is damaged, or can't be read.
    """
    path = folder / JOURNAL
    if path.is_symlink():  # else trials would be appended to whatever it leads to
        raise SettingError(f"{path} is a link; a journal is a plain file. Move it away.")
    with told(path, "read"):
        Path(f"{path}{LOCK_FILE_SUFFIX}").unlink(missing_ok=True)
        if path.exists():
            drop_unfinished_line(path)
    with _understood(path):
        # The lock that works on every system.
        backend = JournalFileBackend(str(path), JournalFileOpenLock(str(path)))
        storage = optuna.storages.JournalStorage(backend)
        # Not `load_if_exists`: that would add a line whenever the journal is opened.
        there = optuna.get_all_study_names(storage)
        studies = {
            c.name: (
                c,
                (optuna.load_study if c.name in there else optuna.create_study)(study_name=c.name, storage=storage),
            )
            for c in candidates
        }
        found = [from_optuna(frozen, c) for c, study in studies.values() for frozen in study.get_trials(deepcopy=False)]
    lock = Lock()

    def save(trial: Trial) -> None:
        candidate, study = studies[trial.model]
        with lock, told(path):
            study.add_trial(to_optuna(trial, candidate))

    return found, save


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """Optuna checks little of what it reads, and raises whatever comes of it.

    Raises:
        SettingError: in place of what lines that Optuna has not written make it raise.
    """
    try:
        yield
    except (
        OptunaError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        AssertionError,
        RecursionError,
    ) as e:
        raise SettingError(
            f"{path} is damaged: it is no journal of trials ({type(e).__name__}: {e}). Take it from a copy, or begin "
            f"the search anew in another folder."
        ) from e


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
