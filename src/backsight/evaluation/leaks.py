"""The laws of a leak-free forecaster, tried out on a recipe: spoil what it must not see, and look for a difference.

Each law is a function of a case that returns trials; a trial says what was done and, if something leaked, what changed.
A forecast that stays the same to the last bit while everything after its origin is replaced has not read it. What the
laws can't see is a column that was made with later rows before it came here: see `audit_features` in
`evaluation.feature_leaks`, and the data doctor (`series.doctor`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from backsight.evaluation.exam import Exam
from backsight.models.recipe import Forecaster, Recipe
from backsight.models.registry import as_recipe, recipe_name
from backsight.series.columns import refuse_text, require_column
from backsight.series.series import Series, day
from backsight.series.source import one_series
from backsight.training.plan import Plan
from backsight.vocabulary import Outputs
from backsight.windows.split import Split, split_by_fractions
from backsight.windows.windows import View, Windows, fit_view

#: Runs all of its epochs and keeps the last, whatever the validation error is: weights know training rows alone.
BLIND = Plan(epochs=2, patience=99, keep="last")
#: Stops and keeps by validation.
CHOOSING = Plan(epochs=4, patience=1, keep="best")

Parts = tuple[Windows, Windows, Windows]


@dataclass(frozen=True)
class Trial:
    """One law, tried once.

    Attributes:
        law: its name.
        tried: what was done, and what must stay the same.
        leak: what changed; "" if nothing did.
    """

    law: str
    tried: str
    leak: str = ""


@dataclass(frozen=True, eq=False)
class Case:
    """A recipe, and the data and exam that the laws are tried on.

    Attributes:
        recipe: the model.
        series: the data.
        exam: target, horizon and days.
        features: columns it reads.
        lookback: steps in its window.
        calendar: whether it reads the day of the year too.
        blind, choosing: plans that ignore validation, and that choose by it.
        seed: of whatever is random.
    """

    recipe: Recipe
    series: Series
    exam: Exam
    features: tuple[str, ...]
    lookback: int
    calendar: bool = False
    blind: Plan = field(default_factory=lambda: BLIND)
    choosing: Plan = field(default_factory=lambda: CHOOSING)
    seed: int = 0

    def view(self, series: Series, split: Split | None = None) -> View:
        """What the recipe may see of a series, scaled by its training rows."""
        return fit_view(
            series,
            split or self.exam.split,
            self.exam.target,
            self.features,
            lookback=self.lookback,
            horizon=self.exam.horizon,
            calendar=self.calendar,
        )

    def parts(self, series: Series) -> Parts:
        """Training, validation and test windows of a series."""
        learn = self.view(series).show(series, self.exam.training_origins(self.lookback))
        return learn, learn.at(self.exam.origins("validation")), learn.at(self.exam.origins("test"))

    @cached_property
    def clean(self) -> Parts:
        """The windows of the series as it is."""
        return self.parts(self.series)

    def fit(self, learn: Windows, check: Windows, plan: Plan) -> Forecaster:
        """The recipe, fitted with the case's seed."""
        return self.recipe.fit(learn, check, plan, self.seed)

    @cached_property
    def forecaster(self) -> Forecaster:
        """Fitted on the series as it is, blind to validation where the recipe can be."""
        learn, check, _ = self.clean
        return self.fit(learn, check, self.blind)


Law = Callable[[Case], list[Trial]]


def poison_after_training(case: Case) -> list[Trial]:
    """Whatever follows the training rows may change at will: windows, scaling and fitted weights stay the same.

    Tried with NaN, which nothing survives that sums it up, and with other numbers, which choose where NaN can't.
    """
    law, split = "poison after training", case.exam.split
    learn, check, _ = case.clean
    seen = _all_windows(case)
    before = case.forecaster.predict(seen)
    last = day(case.series.times[split.train.stop - 1])
    trials = []
    for what, spoilt in _spoilt(case, split.train.stop):
        other = case.parts(spoilt)[0]
        done = f"Every value after the last training row ({last}) was replaced by {what}"
        same = f"{done}: training windows and scaling must stay the same."
        trials.append(Trial(law, same, _scaling_leak(learn, other)))
        # Ridge and trees choose by validation, so they are given the clean one; networks keep the last epoch.
        after = case.fit(other, check, case.blind).predict(seen)
        same = f"{done} and the model fitted anew: its forecasts on the true rows must stay the same."
        trials.append(Trial(law, same, _difference(seen, before, after)))
    return trials


def poison_after_validation(case: Case) -> list[Trial]:
    """Test rows may change at will: what was chosen by validation (when to stop, which weights) stays the same.

    Tried with NaN and with other numbers.
    """
    split = case.exam.split
    learn, check, _ = case.clean
    seen = _all_windows(case)
    one = case.fit(learn, check, case.choosing)
    before = one.predict(seen)
    first = day(case.series.times[split.test.start])
    trials = []
    for what, spoilt in _spoilt(case, split.test.start):
        learn_spoilt, check_spoilt, _ = case.parts(spoilt)
        other = case.fit(learn_spoilt, check_spoilt, case.choosing)
        leak = _difference(seen, before, other.predict(seen))
        if one.history != other.history:
            leak = f"Training took another course: {_epochs(one)} epochs became {_epochs(other)}. {leak}".strip()
        tried = (
            f"Every value from the first test row ({first}) on was replaced by {what} and the model fitted anew, "
            f"choosing by validation: when it stops, and its forecasts on the true rows, must stay the same."
        )
        trials.append(Trial("sealed test", tried, leak))
    return trials


def change_after_origin(case: Case) -> list[Trial]:
    """Values after an origin may change at will: forecasts up to it stay bit-identical.

    Tried at the last training row, and at two rows of validation and of test each; once with NaN, once with other
    numbers.
    """
    series, split = case.series, case.exam.split
    view = case.view(series)
    trials = []
    for origin in (split.train.stop - 1, *_two(split.validation), *_two(split.test)):
        first = max(case.lookback, case.forecaster.steps_back) - 1
        windows = view.show(series, np.arange(first, origin + 1, dtype=np.int32))
        before = case.forecaster.predict(windows)
        leaks = []
        for what, spoilt in _spoilt(case, origin + 1):
            changed = view.show(spoilt, windows.origins)
            if difference := _difference(windows, before, case.forecaster.predict(changed)):
                leaks.append(f"With {what}: {difference}")
        tried = (
            f"Every value after {day(series.times[origin])} was replaced, by NaN and by other numbers: the "
            f"{len(windows):,} forecasts up to then must stay the same."
        )
        trials.append(Trial("future of an origin", tried, " ".join(leaks)))
    return trials


def alone_or_together(case: Case) -> list[Trial]:
    """A window's forecast does not depend on which other windows are asked for with it."""
    _, _, test = case.clean
    some = test.at(test.origins[:: max(1, len(test) // 20)])
    together = case.forecaster.predict(some)
    alone = np.concatenate([case.forecaster.predict(some.at(some.origins[i : i + 1])) for i in range(len(some))])
    tried = f"{len(some)} test windows were forecast together and each alone: that must make no difference."
    return [Trial("neighbours", tried, _difference(some, together, alone))]


LAWS: tuple[Law, ...] = (poison_after_training, poison_after_validation, change_after_origin, alone_or_together)


@dataclass(frozen=True)
class LeakAudit:
    """What the laws said of one model.

    Attributes:
        model: its name.
        trials: all of them, law by law.
    """

    model: str
    trials: tuple[Trial, ...]

    @property
    def leaks(self) -> tuple[Trial, ...]:
        """The trials in which something leaked."""
        return tuple(trial for trial in self.trials if trial.leak)

    def record(self) -> dict[str, Any]:
        """The audit as plain values."""
        return {"model": self.model, "leaks": len(self.leaks), "trials": [vars(trial) for trial in self.trials]}


def audit_case(case: Case, laws: Iterable[Law] = LAWS, tried: Callable[[], object] = lambda: None) -> LeakAudit:
    """Try the laws on a case.

    Args:
        case: what they are tried on.
        laws: which.
        tried: called after each of them.
    """
    from threadpoolctl import threadpool_limits

    case.recipe.load_libraries()
    trials: list[Trial] = []
    # BLAS on one thread: how its sums are cut, and so the last bit, would depend on the number of cores otherwise.
    with threadpool_limits(1, user_api="blas"):
        for law in laws:
            trials += law(case)
            tried()
    return LeakAudit(recipe_name(case.recipe), tuple(trials))


def make_case(
    model: str | Recipe | Callable[..., Any],
    series: Series,
    target: str,
    *,
    features: Iterable[str] | None = None,
    lookback: int = 7,
    horizon: int = 1,
    stride: int = 1,
    split: Split | None = None,
    calendar: bool = False,
    seed: int = 0,
) -> Case:
    """The case of one model on one series; arguments and errors are those of `audit_model`."""
    series = one_series(series)
    refuse_text([target], series.columns, series.left_out)
    require_column(target, series.columns)
    recipe = as_recipe(model)
    columns = series.columns if features is None else series.select(features).columns
    recipe.check_columns(target, columns)
    split = split or split_by_fractions(len(series))
    exam = Exam(target, horizon, split, stride, series.filled_rows(target))
    return Case(recipe, series, exam, columns, lookback if recipe.reads_window else 1, calendar, seed=seed)


def audit_model(
    model: str | Recipe | Callable[..., Any],
    series: Series,
    target: str,
    *,
    features: Iterable[str] | None = None,
    lookback: int = 7,
    horizon: int = 1,
    stride: int = 1,
    split: Split | None = None,
    calendar: bool = False,
    seed: int = 0,
) -> LeakAudit:
    """Whether a model reads what it must not: fitted on the spot, for a few epochs, on spoilt copies of a series.

    Args:
        model: a name with settings, a recipe, or a function that returns a `keras.Model`.
        series: the data.
        target: the column to forecast.
        features: globs of the columns to read; all of them without it.
        lookback, horizon: lengths of a window's inputs and outputs.
        stride: steps from one origin to the next.
        split: the parts; 80, 10 and 10 % of the rows without it.
        calendar: whether to read sine and cosine of the day of the year too.
        seed: of whatever is random.

    Raises:
        ColumnError, RecipeError, SettingError, WindowError: see `compare`.

    >>> import backsight
    >>> audit_model("ridge", backsight.load("seattle"), "temp_max", lookback=3).leaks
    ()
    """
    return audit_case(
        make_case(
            model,
            series,
            target,
            features=features,
            lookback=lookback,
            horizon=horizon,
            stride=stride,
            split=split,
            calendar=calendar,
            seed=seed,
        )
    )


def _spoilt(case: Case, first: int) -> list[tuple[str, Series]]:
    """The series with every value from row `first` on replaced, twice; and by what."""
    series, rng = case.series, np.random.default_rng(case.seed)
    spread = 10 * (series.values.std(axis=0) + 1.0)
    others = series.values.mean(axis=0) + spread * rng.standard_normal(series.values[first:].shape)
    spoilt = []
    for what, values in (("NaN", np.nan), ("other numbers", others)):
        changed = series.values.copy()
        changed[first:] = values
        spoilt.append((what, replace(series, values=changed)))
    return spoilt


def _all_windows(case: Case) -> Windows:
    """Training, validation and test windows of the true series, as far as the forecaster can look back from them.

    Test windows too: who has learnt test targets by heart shows it there.
    """
    origins = np.concatenate([part.origins for part in case.clean])
    return case.clean[0].at(origins[origins + 1 >= case.forecaster.steps_back])


def _two(part: range) -> tuple[int, int]:
    """Two origins within this part, a third and two thirds into it."""
    return part.start + len(part) // 3, part.start + 2 * len(part) // 3


def _epochs(forecaster: Forecaster) -> int:
    return forecaster.history.epochs if forecaster.history else 0


def _scaling_leak(one: Windows, other: Windows) -> str:
    if (one.target_mean, one.target_scale) != (other.target_mean, other.target_scale):
        return f"The target's mean was {one.target_mean:g} and became {other.target_mean:g}."
    if not np.array_equal(one.gather_inputs(), other.gather_inputs()):
        return "Inputs of training windows changed."
    return "" if np.array_equal(one.gather_outputs(), other.gather_outputs()) else "Training targets changed."


def _difference(windows: Windows, before: Outputs, after: Outputs) -> str:
    """Which forecasts changed, and by how much; "" if none did, to the last bit."""
    changed = before != after
    changed &= ~(np.isnan(before) & np.isnan(after))
    if not changed.any():
        return ""
    window, lead = np.argwhere(changed)[-1]
    origin = day(windows.times[windows.origins[window]])
    size = np.abs(after - before)[changed]
    largest = f"by up to {np.nanmax(size):.3g}" if np.isfinite(size).any() else "to NaN"
    return (
        f"{changed.any(axis=1).sum():,} of {len(windows):,} forecasts changed, {largest}. The one made on {origin}, "
        f"{lead + 1} ahead, was {before[window, lead]:.6g} and became {after[window, lead]:.6g}."
    )
