"""The laws of the design, as functions that any recipe must pass; a violation raises AssertionError.

They take a recipe rather than a name, so that tests can plant a violation and see it caught.
"""

from dataclasses import replace

import numpy as np

from backsight.evaluation.exam import Exam
from backsight.models.recipe import Forecaster, Recipe
from backsight.series.series import Series
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.windows.split import Split, split_by_fractions
from backsight.windows.windows import Windows, fit_view, target_rows, window_origins
from conftest import HORIZON, LOOKBACK, STEPS, make_toy

SPLIT = split_by_fractions(STEPS)
EXAM = Exam("y", HORIZON, SPLIT)
#: Runs all of its epochs and keeps the last, whatever the validation error is.
BLIND = Plan(epochs=2, batch_size=16, patience=99, keep="last")
CHOOSING = Plan(epochs=4, batch_size=16, patience=1, keep="best")


def views(series: Series) -> tuple[Windows, Windows, Windows]:
    """Training, validation and test windows, scaled by the training rows."""
    view = fit_view(series, SPLIT, "y", series.columns, lookback=LOOKBACK, horizon=HORIZON)
    learn = view.show(series, window_origins(SPLIT.train, LOOKBACK, HORIZON))
    return learn, learn.at(EXAM.origins("validation")), learn.at(EXAM.origins("test"))


def poisoned(series: Series, first: int, value: float = np.nan) -> Series:
    """The series with every value from row `first` on replaced."""
    values = series.values.copy()
    values[first:] = value
    return replace(series, values=values)


def law_poison_after_training(recipe: Recipe) -> None:
    """Whatever follows the training rows may be NaN: windows, scaling and fitted weights stay the same."""
    clean, spoilt = make_toy(), poisoned(make_toy(), SPLIT.train.stop)
    learn, check, _ = views(clean)
    learn_spoilt, _, _ = views(spoilt)
    assert np.array_equal(learn.gather_inputs(), learn_spoilt.gather_inputs())
    assert np.array_equal(learn.gather_outputs(), learn_spoilt.gather_outputs())
    assert (learn.target_mean, learn.target_scale) == (learn_spoilt.target_mean, learn_spoilt.target_scale)
    # Trees and ridge choose by validation, so they are given the clean one; networks keep the last epoch.
    one = recipe.fit(learn, check, BLIND, seed=0)
    other = recipe.fit(learn_spoilt, check, BLIND, seed=0)
    seen = learn.at(learn.origins[learn.origins + 1 >= one.steps_back])
    assert np.array_equal(one.predict(seen), other.predict(seen)), "fitted weights depend on later rows"


def law_poison_after_validation(recipe: Recipe) -> None:
    """Test rows may be NaN: what was chosen (when to stop, which weights) stays the same."""
    clean, spoilt = make_toy(), poisoned(make_toy(), SPLIT.test.start)
    learn, check, _ = views(clean)
    learn_spoilt, check_spoilt, _ = views(spoilt)
    one = recipe.fit(learn, check, CHOOSING, seed=0)
    other = recipe.fit(learn_spoilt, check_spoilt, CHOOSING, seed=0)
    assert one.history == other.history, "test rows decided when to stop"
    assert np.array_equal(one.predict(check), other.predict(check)), "test rows decided what was kept"


def law_future(recipe: Recipe) -> None:
    """Values after an origin may change at will: forecasts up to it stay bit-identical."""
    series = make_toy()
    learn, check, test = views(series)
    forecaster = recipe.fit(learn, check, BLIND, seed=0)
    rng = np.random.default_rng(1)
    for last in (int(test.origins[0]), int(test.origins[5])):
        origins = test.origins[test.origins <= last]
        changed = replace(series, values=series.values.copy())
        changed.values[last + 1 :] = rng.normal(50.0, 100.0, changed.values[last + 1 :].shape)
        view = fit_view(series, SPLIT, "y", series.columns, lookback=LOOKBACK, horizon=HORIZON)
        before = forecaster.predict(view.show(series, origins))
        after = forecaster.predict(view.show(changed, origins))
        assert np.array_equal(before, after), "a forecast read what came after its origin"


def law_alone_or_together(recipe: Recipe) -> None:
    """A window's forecast does not depend on which other windows are asked for with it."""
    learn, check, test = views(make_toy())
    forecaster = recipe.fit(learn, check, BLIND, seed=0)
    together = forecaster.predict(test)
    alone = np.concatenate([forecaster.predict(test.at(test.origins[i : i + 1])) for i in range(len(test))])
    assert np.array_equal(together, alone), "a forecast depends on its neighbours"


def law_order(split: Split, gap: int, lookback: int, horizon: int, origins_by_part: dict[str, np.ndarray]) -> None:
    """In every window input precedes target; parts' targets follow each other by more than the gap."""
    targets = {}
    for part, origins in origins_by_part.items():
        rows = target_rows(origins, horizon)
        assert (origins - lookback + 1 >= 0).all(), "a window begins before the series"
        assert (origins[:, None] < rows).all(), "an input does not precede a target"
        targets[part] = rows
    train, validation, test = (targets[p] for p in ("train", "validation", "test"))
    for earlier, later in ((train, validation), (validation, test)):
        if earlier.size and later.size:
            assert later.min() - earlier.max() > gap, "two parts are nearer than the gap"
    for part, rows in targets.items():
        if rows.size:
            allowed = split.parts[part]
            assert allowed.start <= rows.min() <= rows.max() < allowed.stop, "a target lies outside its part"


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
