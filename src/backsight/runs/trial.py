"""One trial: a configuration's error on days that it was neither fitted to nor stopped by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from time import perf_counter
from typing import NamedTuple, Protocol

from backsight.errors import Interrupted
from backsight.evaluation.exam import Exam
from backsight.evaluation.metrics import rmse
from backsight.models.recipe import OnSeedEpoch
from backsight.runs.entry import Entry
from backsight.runs.fit import fit_entry
from backsight.runs.search_space import Configuration, Values
from backsight.series.series import Series
from backsight.training.checkpoint import Checkpoints
from backsight.training.events import EpochDone
from backsight.training.history import History
from backsight.windows.scaling import ScaleName

#: Epochs from one question whether a trial is hopeless to the next.
LOOK_EVERY = 5

#: Told after so many epochs what the lowest validation RMSE was; says whether to give the trial up.
GiveUp = Callable[[int, float], bool]


class Hopeless(Interrupted):
    """A trial is given up. Raised from a training's epoch, caught by `run_trial`."""


class Scored(NamedTuple):
    """What came of one fit: its error on the scored days, its epochs, and what was seen of it on the way, if it was."""

    rmse: float
    epochs: int
    looks: tuple[tuple[int, float], ...] = ()


class TrialKeeper(Protocol):
    """Keeps the fits of one trial, and where its training stands; see `runs.trial_fits`."""

    def known(self, fold: int, seeds: Sequence[int]) -> list[Scored] | None:
        """What came of fits that are done; None if they are not. Folds are counted from 0."""

    def keep(self, fold: int, seeds: Sequence[int], found: Sequence[Scored]) -> None:
        """Note that they are done."""

    def checkpoints(self, fold: int, seeds: Sequence[int]) -> Checkpoints:
        """Where their training stands."""

    def given_up(self) -> None:
        """The trial is given up, and its first training with it."""


@dataclass(frozen=True)
class Conditions:
    """What is the same for all trials of a search.

    Attributes:
        series: only the rows that may be seen.
        exams: one a fold; what they call their test part is what trials are scored on.
        features: columns that are read.
        calendar: whether the day of the year is read too.
        scale: how inputs, and the target for networks, are scaled.
        seeds: fits of each fold, if the model is random.
    """

    series: Series
    exams: tuple[Exam, ...]
    features: tuple[str, ...]
    calendar: bool
    scale: ScaleName
    seeds: int


@dataclass(frozen=True)
class Trial:
    """What came of one configuration.

    Attributes:
        model: name of the candidate.
        number: from 0, of this candidate.
        values: as they were drawn; see `Candidate.configure`.
        configuration: what they amount to.
        rmse: on the scored days: of each fold, of each seed. Of a trial that was given up, none.
        looks: epochs and the lowest validation RMSE up to them, of the first seed on the first fold.
        epochs: of all fits, in the order of `rmse`; 0 for what has none. Of a trial that was given up, until then.
        seconds: that all of it took.
    """

    model: str
    number: int
    values: Values
    configuration: Configuration
    rmse: tuple[tuple[float, ...], ...]
    looks: tuple[tuple[int, float], ...]
    epochs: tuple[int, ...]
    seconds: float

    @property
    def pruned(self) -> bool:
        """Whether it was given up."""
        return not self.rmse

    @property
    def score(self) -> float | None:
        """What is made small: the mean over folds and seeds, so that no seed is chosen. None if it was given up."""
        return None if self.pruned else fmean(error for of_fold in self.rmse for error in of_fold)


def run_trial(
    conditions: Conditions,
    model: str,
    number: int,
    values: Values,
    configuration: Configuration,
    give_up: GiveUp,
    on_epoch: OnSeedEpoch,
    keeper: TrialKeeper | None = None,
) -> Trial:
    """Fit a configuration to every fold with every seed: a pure function of its arguments.

    Args:
        conditions: see there.
        model, number, values: of the trial.
        configuration: what to fit.
        give_up: asked every few epochs of the first seed on the first fold, and never again.
        on_epoch: told of every epoch; an exception raised in it ends the trial.
        keeper: has fits that were done before a kill, and keeps those that are done now.
    """
    began = perf_counter()
    looks: list[tuple[int, float]] = []

    def look(val_rmse: Sequence[float]) -> None:
        # Also at epochs before a kill: it may have come between an epoch and the question.
        for epoch in range(LOOK_EVERY * (len(looks) + 1), len(val_rmse) + 1, LOOK_EVERY):
            looks.append((epoch, min(val_rmse[:epoch])))
            if give_up(*looks[-1]):
                raise Hopeless

    def tell(seed: int, done: EpochDone) -> None:
        on_epoch(seed, done)
        look(done.all_val_rmse)

    def fit(fold: int, seeds: Sequence[int], *, first: bool = False) -> list[Scored]:
        known = None if keeper is None else keeper.known(fold, seeds)
        if known is not None or not seeds:
            return known or []
        checkpoints = None if keeper is None else keeper.checkpoints(fold, seeds)
        done = _fit(
            conditions, model, configuration, conditions.exams[fold], seeds, tell if first else on_epoch, checkpoints
        )
        if first:
            (history,) = (history for _, history in done)
            look(history.val_rmse if history else ())
        found = [
            Scored(error, history.epochs if history else 0, tuple(looks) if first else ()) for error, history in done
        ]
        if keeper is not None:
            keeper.keep(fold, seeds, found)
        return found

    seeds = range(conditions.seeds if configuration.recipe.random else 1)
    try:
        begun = fit(0, seeds[:1], first=True)
        looks[:] = begun[0].looks
        found = [begun + fit(0, seeds[1:]), *(fit(fold, seeds) for fold in range(1, len(conditions.exams)))]
        errors = tuple(tuple(one.rmse for one in of_fold) for of_fold in found)
        epochs = tuple(one.epochs for of_fold in found for one in of_fold)
    except Hopeless:
        errors, epochs = (), (looks[-1][0],)
        if keeper is not None:
            keeper.given_up()
    seconds = perf_counter() - began
    return Trial(model, number, values, configuration, errors, tuple(looks), epochs, seconds)


def _fit(
    conditions: Conditions,
    model: str,
    configuration: Configuration,
    exam: Exam,
    seeds: Sequence[int],
    on_epoch: OnSeedEpoch,
    checkpoints: Checkpoints | None,
) -> list[tuple[float, History | None]]:
    """RMSE on the scored days and how training went, of each seed."""
    entry = Entry(model, configuration.recipe, configuration.lookback, conditions.features, conditions.calendar)
    series = conditions.series
    found = []
    for fitted in fit_entry(series, exam, entry, configuration.plan, conditions.scale, seeds, on_epoch, checkpoints):
        rows = fitted.sit(series, exam, "test")
        found.append((rmse(rows["actual"], rows["predicted"]), fitted.forecaster.history))
    return found
