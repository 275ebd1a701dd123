"""The laws of the design as assertions: a recipe must pass them on the toy series, a planted violation must not.

The laws themselves stand in `backsight.evaluation.leaks`, where users can try them on their own models and data.
"""

import numpy as np

from backsight.evaluation.exam import Exam
from backsight.evaluation.leaks import (
    Case,
    Law,
    alone_or_together,
    change_after_origin,
    poison_after_training,
    poison_after_validation,
)
from backsight.models.recipe import Forecaster, Recipe
from backsight.models.recursive import Recursive
from backsight.models.registry import RECIPES
from backsight.series.series import Series
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.windows.order import order_leaks
from backsight.windows.split import Split, split_by_fractions
from backsight.windows.windows import Windows
from conftest import HORIZON, LOOKBACK, STEPS, make_toy

SPLIT = split_by_fractions(STEPS)
EXAM = Exam("y", HORIZON, SPLIT)
#: Runs all of its epochs and keeps the last, whatever the validation error is.
BLIND = Plan(epochs=2, batch_size=16, patience=99, keep="last")
CHOOSING = Plan(epochs=4, batch_size=16, patience=1, keep="best")


def toy_case(recipe: Recipe) -> Case:
    """A recipe on the toy series, of which a recursive one reads the target alone."""
    series = make_toy()
    columns = ("y",) if isinstance(recipe, Recursive) else series.columns
    return Case(recipe, series, EXAM, columns, LOOKBACK, blind=BLIND, choosing=CHOOSING)


def views(series: Series) -> tuple[Windows, Windows, Windows]:
    """Training, validation and test windows, scaled by the training rows."""
    return toy_case(RECIPES["ridge"]).parts(series)


def hold(law: Law, recipe: Recipe) -> None:
    trials = law(toy_case(recipe))
    assert trials, "a law that tries nothing holds for everybody"
    leaks = [f"{trial.tried} {trial.leak}" for trial in trials if trial.leak]
    assert not leaks, "\n".join(leaks)


def law_poison_after_training(recipe: Recipe) -> None:
    """Whatever follows the training rows may be NaN: windows, scaling and fitted weights stay the same."""
    hold(poison_after_training, recipe)


def law_poison_after_validation(recipe: Recipe) -> None:
    """Test rows may be NaN: what was chosen (when to stop, which weights) stays the same."""
    hold(poison_after_validation, recipe)


def law_future(recipe: Recipe) -> None:
    """Values after an origin may change at will: forecasts up to it stay bit-identical."""
    hold(change_after_origin, recipe)


def law_alone_or_together(recipe: Recipe) -> None:
    """A window's forecast does not depend on which other windows are asked for with it."""
    hold(alone_or_together, recipe)


def law_order(split: Split, gap: int, lookback: int, horizon: int, origins_by_part: dict[str, np.ndarray]) -> None:
    """In every window input precedes target; parts' targets follow each other by more than the gap."""
    leaks = order_leaks(split, lookback, horizon, origins_by_part, gap)
    assert not leaks, "\n".join(leaks)


class PeekingForecaster(Forecaster):
    """Averages the step before the origin, the origin, and the step after it."""

    def predict(self, windows):
        after = np.minimum(windows.origins + 1, len(windows.targets) - 1)
        level = (windows.targets[windows.origins] + windows.targets[after]) / 2
        return np.repeat(level[:, None], windows.horizon, axis=1)


class NormalisingForecaster(Forecaster):
    """Centres its forecasts over all the windows it is asked for."""

    def predict(self, windows):
        level = windows.targets[windows.origins]
        return np.repeat((level - level.mean())[:, None], windows.horizon, axis=1)


class ConstantForecaster(Forecaster):
    """One number."""

    def __init__(self, level: float) -> None:
        self.level = level

    def predict(self, windows):
        return np.full((len(windows), windows.horizon), self.level)


class Peeking(Recipe):
    family = "peeking"

    def fit(self, learn, check, plan, seed, on_epoch=None):
        return PeekingForecaster()


class Normalising(Recipe):
    family = "normalising"

    def fit(self, learn, check, plan, seed, on_epoch=None):
        return NormalisingForecaster()


class FitsAllRows(Recipe):
    """Learns the mean of the whole series."""

    family = "fits_all_rows"

    def fit(self, learn, check, plan, seed, on_epoch=None):
        return ConstantForecaster(float(learn.targets.mean()))


class ScalesByAllRows(Recipe):
    """Learns a scale from all of the inputs."""

    family = "scales_by_all_rows"

    def fit(self, learn, check, plan, seed, on_epoch=None):
        return ConstantForecaster(float(np.nanstd(learn.inputs)))


class StopsOnTestRows(Recipe):
    """Trains, so to speak, until the mean of the test rows is low enough."""

    family = "stops_on_test_rows"

    def fit(self, learn, check, plan, seed, on_epoch=None):
        forecaster = ConstantForecaster(0.0)
        epochs = 3 if learn.targets[SPLIT.test.start :].mean() > 0 else 1
        forecaster.history = History((1.0,) * epochs, (1.0,) * epochs, epochs)
        return forecaster
