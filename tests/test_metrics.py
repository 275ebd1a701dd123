"""Errors, leaderboards and second descents against sums done by hand."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from backsight.errors import ExamError
from backsight.evaluation.descents import second_descent
from backsight.evaluation.leaderboard import leaderboard
from backsight.evaluation.metrics import bias, mae, rmse

numbers = st.floats(-1e6, 1e6)


@given(st.lists(st.tuples(numbers, numbers), min_size=1, max_size=20))
def test_errors_are_scikit_learns(pairs):
    actual, predicted = map(list, zip(*pairs, strict=True))
    assert rmse(actual, predicted) == pytest.approx(root_mean_squared_error(actual, predicted))
    assert mae(actual, predicted) == pytest.approx(mean_absolute_error(actual, predicted))
    assert bias(actual, predicted) == pytest.approx(np.mean(predicted) - np.mean(actual), abs=1e-6)


@pytest.mark.parametrize("metric", [rmse, mae, bias])
def test_errors_refuse_to_broadcast(metric):
    with pytest.raises(ExamError, match="one shape"):
        metric(np.zeros(3), np.zeros((3, 1)))
    with pytest.raises(ExamError, match="no forecast"):
        metric([], [])
    assert metric([1.0, 2.0], [1.0, np.nan]) == np.inf


def rows(entry, seed, errors, part):
    days = pd.date_range("2020-01-01", periods=len(errors))
    return pd.DataFrame(
        {"entry": entry, "seed": seed, "part": part, "origin": days, "lead": 1, "time": days, "actual": 0.0,
         "predicted": errors}
    )  # fmt: skip


def test_a_leaderboard_by_hand():
    forecasts = pd.concat(
        [
            *(rows("a", seed, [e, e], "validation") for seed, e in enumerate([1.0, 3.0])),
            *(rows("a", seed, [e, e], "test") for seed, e in enumerate([4.0, 6.0])),
            rows("b", 0, [1.5, 1.5], "validation"),
            rows("b", 0, [9.0, 9.0], "test"),
        ]
    )
    board = leaderboard(forecasts).set_index("entry")
    assert list(board.index) == ["b", "a"], "ranked on validation: 1.5 before the mean of 1 and 3"
    assert board.loc["a", ["seeds", "val_rmse", "test_rmse", "test_min", "test_max"]].tolist() == [2, 2, 5, 4, 6]
    assert board.loc["a", "test_sd"] == pytest.approx(np.sqrt(2))
    assert board.loc["b", "test_sd"] == 0


CURVE = [*np.linspace(5, 3, 20), *np.linspace(3, 4, 30), *np.linspace(4, 2.5, 40)]


def test_a_second_descent_is_found_and_its_gain_told():
    noise = 0.01 * np.random.default_rng(0).standard_normal(len(CURVE))
    found = second_descent(np.array(CURVE) + noise)
    assert found is not None
    assert abs(found.valley - 20) <= 3
    assert abs(found.peak - 50) <= 3
    assert found.gain == pytest.approx(0.5, abs=0.05)


def test_a_second_descent_that_stays_above_the_valley_is_worth_nothing():
    found = second_descent([*np.linspace(5, 3, 20), *np.linspace(3, 4, 30), *np.linspace(4, 3.3, 40)])
    assert found is not None
    assert found.gain == pytest.approx(-0.3, abs=0.05)


@pytest.mark.parametrize("curve", [np.linspace(5, 3, 50), [*np.linspace(5, 3, 20), *np.linspace(3, 4, 30)], [3.0], []])
def test_no_second_descent_where_there_is_none(curve):
    assert second_descent(list(curve)) is None


@pytest.mark.parametrize("tail", [np.nan, np.inf])
def test_a_curve_that_ends_in_no_number_is_cut_there(tail):
    assert second_descent([*CURVE, *[tail] * 9]) == second_descent(CURVE)
    assert second_descent([tail] * 9) is None
