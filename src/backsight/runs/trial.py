"""One trial: a configuration's error on days that it was neither fitted to nor stopped by."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from time import perf_counter

from backsight.errors import Interrupted
from backsight.evaluation.exam import Exam
from backsight.evaluation.metrics import rmse
from backsight.models.recipe import OnSeedEpoch
from backsight.runs.entry import Entry
from backsight.runs.fit import fit_entry
from backsight.runs.search_space import Configuration, Values
from backsight.series.series import Series
from backsight.training.events import EpochDone
from backsight.windows.scaling import ScaleName

#: Epochs from one question whether a trial is hopeless to the next.
LOOK_EVERY = 5

#: Told after so many epochs what the lowest validation RMSE was; says whether to give the trial up.
GiveUp = Callable[[int, float], bool]


class Hopeless(Interrupted):
    """A trial is given up. Raised from a training's epoch, caught by `run_trial`."""


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
) -> Trial:
    """Fit a configuration to every fold with every seed: a pure function of its arguments.

    Args:
        conditions: see there.
        model, number, values: of the trial.
        configuration: what to fit.
        give_up: asked every few epochs of the first seed on the first fold, and never again.
        on_epoch: told of every epoch; an exception raised in it ends the trial.
    """
    began = perf_counter()
    looks: list[tuple[int, float]] = []

    def look(seed: int, done: EpochDone) -> None:
        on_epoch(seed, done)
        if done.epoch % LOOK_EVERY == 0:
            looks.append((done.epoch, done.best_val_rmse))
            if give_up(*looks[-1]):
                raise Hopeless

    seeds = range(conditions.seeds if configuration.recipe.random else 1)
    fit = partial(_fit, conditions, model, configuration)
    first, *others = conditions.exams
    try:
        found = [
            fit(first, seeds[:1], look) + fit(first, seeds[1:], on_epoch),
            *(fit(exam, seeds, on_epoch) for exam in others),
        ]
        errors = tuple(tuple(error for error, _ in of_fold) for of_fold in found)
        epochs = tuple(count for of_fold in found for _, count in of_fold)
    except Hopeless:
        errors, epochs = (), (looks[-1][0],)
    seconds = perf_counter() - began
    return Trial(model, number, values, configuration, errors, tuple(looks), epochs, seconds)


def _fit(
    conditions: Conditions,
    model: str,
    configuration: Configuration,
    exam: Exam,
    seeds: Sequence[int],
    on_epoch: OnSeedEpoch,
) -> list[tuple[float, int]]:
    """RMSE on the scored days and epochs, of each seed."""
    if not seeds:
        return []
    entry = Entry(model, configuration.recipe, configuration.lookback, conditions.features, conditions.calendar)
    series = conditions.series
    found = []
    for fitted in fit_entry(series, exam, entry, configuration.plan, conditions.scale, seeds, on_epoch):
        rows, history = fitted.sit(series, exam, "test"), fitted.forecaster.history
        found.append((rmse(rows["actual"], rows["predicted"]), history.epochs if history else 0))
    return found
