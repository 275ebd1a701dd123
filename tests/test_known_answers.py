"""Series whose best possible error is known: the right model reaches it, and no model goes below it (law 6)."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backsight.models.registry import RECIPES
from backsight.runs.compare import compare
from backsight.series.generated import autoregressive, lagged_copy, random_walk, sine, white_noise
from backsight.series.series import Series
from backsight.training.plan import Plan

PLAN = Plan(epochs=60, patience=15)


def daily(name, values):
    times = pd.date_range("2000-01-01", periods=len(values), freq="D", name="time")
    return Series(name, times, np.asarray(values)[:, None], ("y",))


def seasons(steps=400):
    return daily("weekly", np.tile([3.0, 1, 4, 1, 5, 9, 2], steps // 7 + 1)[:steps])


def years(steps=1600):
    days = pd.date_range("2000-01-01", periods=steps, freq="D").day_of_year.to_numpy() - 1
    angle = 2 * np.pi * days / 365.2425
    return daily("yearly", 5 + 4 * np.sin(angle) - 2 * np.cos(2 * angle))


def fading(steps=1600):
    """A year's course, and anomalies of which 0.7 is left each step, beside new ones of 1."""
    anomalies = autoregressive(steps, seed=1, phi=0.7).column("y")
    return replace(years(steps), name="autoregressive", values=years(steps).values + anomalies[:, None])


#: For each recipe a series it should master, the lookback it needs, and the test RMSE it must reach.
#: The floor of AR(1) and of the noisy sine is known; a finite sample of some 100 test days lies around it.
MASTERS = {
    "persistence": (daily("flat", np.full(300, 7.0)), 1, 0.0),
    "seasonal": (seasons(), 1, 0.0),
    "climatology": (years(), 1, 1e-6),
    "damped_persistence": (fading(), 1, 1.08),
    "ridge": (autoregressive(1200, seed=1, phi=0.3), 3, 1.08),
    "trees": (autoregressive(1200, seed=1, phi=0.3), 3, 1.12),
    **{name: (sine(1200, seed=2, noise=0.3), 8, 0.36) for name in list(RECIPES)[6:]},
}


def test_no_recipe_is_missing():
    assert set(MASTERS) == set(RECIPES)


def error_of(name, series, lookback, *, baselines=False):
    found = compare(
        series, "y", models=[name], lookback=[lookback], seeds=1, plan=PLAN, baselines=baselines, workers=1
    )  # fmt: skip
    return found.leaderboard.set_index("entry")["test_rmse"]


@pytest.mark.parametrize("name", RECIPES)
def test_the_right_model_reaches_the_best_error(name):
    series, lookback, bound = MASTERS[name]
    reached = error_of(name, series, lookback).iloc[0]
    assert reached <= bound
    if bound > 0.3:  # and is not better than possible, which would be a leak: noise 1 for AR(1), 0.3 for the sine
        assert reached >= {"autoregressive": 0.85, "sine": 0.25}[series.name]


def test_a_model_that_cannot_is_seen():
    """Planted: persistence on AR(1) and on the sine stays above the bounds that the others reach."""
    assert error_of("persistence", *MASTERS["trees"][:2]).iloc[0] > MASTERS["trees"][2]
    assert error_of("persistence", *MASTERS["lstm"][:2]).iloc[0] > MASTERS["lstm"][2]


def test_a_copy_from_three_steps_back_needs_three_steps():
    series = lagged_copy(600, seed=0, lag=3)
    assert error_of("ridge", series, 3).iloc[0] < 0.05
    assert error_of("ridge", series, 2).iloc[0] > 0.8


@pytest.mark.parametrize(
    ("series", "best"), [(random_walk(1000, seed=3), "persistence"), (white_noise(1000, seed=3), "climatology")]
)
def test_nothing_beats_the_best_on_walks_and_noise(series, best):
    errors = error_of("lstm", series, 3, baselines=True)
    assert (errors >= errors[best] - 0.05).all()


def test_persistence_is_exact_on_its_own_series():
    """RMSE of persistence equals the root mean square of the series' own steps."""
    series = random_walk(500, seed=4)
    steps = np.diff(series.column("y"))[-50:]
    np.testing.assert_allclose(error_of("persistence", series, 1).iloc[0], np.sqrt(np.mean(steps**2)), rtol=1e-12)


def test_ridge_is_scikit_learns():
    from sklearn.linear_model import Ridge

    from backsight.models.registry import as_recipe
    from backsight.training.plan import Plan
    from backsight.windows.split import split_by_fractions
    from backsight.windows.windows import fit_view, window_origins

    series = lagged_copy(200, seed=0, lag=3)
    split = split_by_fractions(len(series))
    for lookback in (2, 120):  # fewer, and more, lags than windows
        view = fit_view(series, split, "y", ("y", "x"), lookback=lookback, horizon=2)
        learn = view.show(series, window_origins(split.train, lookback, 2))
        ours = as_recipe("ridge(penalty=3)").fit(learn, learn, Plan(), 0).predict(learn)
        x = np.swapaxes(learn.gather_inputs(), 1, 2).reshape(len(learn), -1).astype(float)
        theirs = Ridge(alpha=3.0).fit(x, learn.gather_outputs()).predict(x)
        np.testing.assert_allclose(ours, theirs, atol=1e-8)


def announced(series, models):
    """Entries that are called better than the best baseline, and networks called better than the floor (law 5)."""
    found = compare(series, "y", models=models, lookback=[3], seeds=2, plan=Plan(epochs=15, patience=4))
    verdicts = found.leaderboard.set_index("entry")["verdict"]
    networks = [name for name in verdicts.index if name not in found.judge.simple]
    return [*verdicts[verdicts == "better"].index, *(n for n in networks if verdicts[n] in ("tied", "behind"))]


@pytest.mark.parametrize("make", [white_noise, random_walk])
def test_where_there_is_no_signal_nothing_is_announced(make):
    """One series each; two hundred are in `benchmarks/levels.py`."""
    assert announced(make(600, seed=5), "dense(units=8),rnn(units=8)") == []


def test_a_signal_is_announced():
    """The same noise, but yesterday's column knows it."""
    assert announced(lagged_copy(600, seed=5, lag=2), "dense(units=8)") != []
