"""Every recipe of the registry against every law, and every law against a planted violation."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backsight.errors import WindowError
from backsight.models.recursive import Recursive
from backsight.models.registry import FAMILIES, RECIPES
from backsight.windows.split import Split, split_by_fractions
from backsight.windows.windows import Windows, fit_view, window_origins
from laws import (
    FitsAllRows,
    Normalising,
    Peeking,
    ScalesByAllRows,
    StopsOnTestRows,
    law_alone_or_together,
    law_future,
    law_order,
    law_poison_after_training,
    law_poison_after_validation,
)

#: Those of the registry, and one recursive one of each kind: a line, a table, a network.
EVERY = {**RECIPES, **{f"recursive({name})": Recursive(RECIPES[name]) for name in ("ridge", "trees", "lstm")}}
every_recipe = pytest.mark.parametrize("recipe", EVERY.values(), ids=EVERY.keys())


def test_no_family_is_missing():
    assert {recipe.family for recipe in EVERY.values()} == set(FAMILIES)


@every_recipe
def test_poison_after_training(recipe):
    law_poison_after_training(recipe)


@every_recipe
def test_poison_after_validation(recipe):
    law_poison_after_validation(recipe)


@every_recipe
def test_future(recipe):
    law_future(recipe)


@every_recipe
def test_alone_or_together(recipe):
    law_alone_or_together(recipe)


@pytest.mark.parametrize(
    ("law", "violation"),
    [
        (law_poison_after_training, FitsAllRows()),
        (law_poison_after_training, ScalesByAllRows()),
        (law_poison_after_validation, FitsAllRows()),
        (law_poison_after_validation, StopsOnTestRows()),
        (law_future, Peeking()),
        (law_alone_or_together, Normalising()),
    ],
)
def test_a_planted_violation_is_caught(law, violation):
    with pytest.raises(AssertionError):
        law(violation)


sizes = {
    "steps": st.integers(20, 120),
    "lookback": st.integers(1, 15),
    "horizon": st.integers(1, 6),
    "stride": st.integers(1, 5),
    "gap": st.integers(0, 6),
    "shares": st.sampled_from([(0.8, 0.1, 0.1), (0.6, 0.2, 0.2), (0.5, 0.25, 0.25)]),
}


def cut(steps, lookback, horizon, stride, gap, shares):
    split = split_by_fractions(steps, shares, gap)
    return split, {name: window_origins(part, lookback, horizon, stride) for name, part in split.parts.items()}


@given(**sizes)
def test_order(steps, lookback, horizon, stride, gap, shares):
    try:
        split, origins = cut(steps, lookback, horizon, stride, gap, shares)
    except WindowError:
        return  # too short for such a gap, and says so
    law_order(split, gap, lookback, horizon, origins)


@given(**sizes)
def test_order_catches_an_origin_too_late(steps, lookback, horizon, stride, gap, shares):
    try:
        split, origins = cut(steps, lookback, horizon, stride, gap, shares)
    except WindowError:
        return
    if not len(origins["train"]) or not len(origins["validation"]):
        return
    late = {**origins, "train": np.append(origins["train"], split.train.stop - horizon)}
    with pytest.raises(AssertionError):
        law_order(split, gap, lookback, horizon, late)


@given(**sizes)
def test_no_window_is_left_out(steps, lookback, horizon, stride, gap, shares):
    """Every origin that fits is there: the same by brute force."""
    try:
        split, origins = cut(steps, lookback, horizon, 1, gap, shares)
    except WindowError:
        return
    for name, part in split.parts.items():
        fitting = [
            o for o in range(steps)
            if o - lookback + 1 >= 0 and all(r in part for r in range(o + 1, o + horizon + 1))
        ]  # fmt: skip
        assert origins[name].tolist() == fitting


@given(**sizes)
def test_windows_hold_the_rows_they_should(steps, lookback, horizon, stride, gap, shares):
    """Inputs, lags and outputs against slices of the series, one window after another."""
    steps += lookback + horizon
    rows = np.arange(2.0 * steps).reshape(steps, 2)
    times = pd.date_range("2000-01-01", periods=steps)
    origins = window_origins(range(steps), lookback, horizon, stride)
    windows = Windows(rows.astype(np.float32), rows[:, 0], 0.0, 1.0, times, origins, lookback, horizon)
    inputs, lags, outputs = windows.gather_inputs(), windows.gather_lags(), windows.gather_outputs()
    assert len(origins)
    for i, origin in enumerate(origins):
        expected = rows[origin - lookback + 1 : origin + 1]
        assert np.array_equal(inputs[i], expected)
        assert np.array_equal(lags[i], expected.T.ravel())
        assert np.array_equal(outputs[i], rows[origin + 1 : origin + 1 + horizon, 0])


def test_order_catches_parts_too_near():
    split = split_by_fractions(60, gap=3)
    near = {name: window_origins(part, 2, 1) for name, part in split.parts.items()}
    law_order(split, 3, 2, 1, near)
    with pytest.raises(AssertionError, match="validation does not follow train by more than a gap of 3"):
        law_order(split, 3, 2, 1, {**near, "validation": near["validation"] - 1})
    with pytest.raises(AssertionError, match="before the series"):
        law_order(split, 3, 9, 1, near)


def test_a_scaler_that_sees_all_rows_is_caught(monkeypatch):
    """Planted: a view fitted on the whole series."""
    everything = Split(range(0, 148), range(148, 149), range(149, 150))

    def leaky(series, split, *arguments, **options):
        return fit_view(series, everything, *arguments, **options)

    monkeypatch.setattr("backsight.evaluation.leaks.fit_view", leaky)
    with pytest.raises(AssertionError):
        law_poison_after_training(RECIPES["persistence"])
