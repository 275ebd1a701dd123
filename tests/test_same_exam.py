"""One exam for all (law 3), no entry changes another (law 4), test days choose nothing (law 7)."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backsight.errors import ExamError
from backsight.evaluation.exam import Exam
from backsight.evaluation.forecasts import check_same_exam, forecast_rows
from backsight.evaluation.leaderboard import leaderboard
from backsight.models.recipe import Recipe
from backsight.models.registry import RECIPES
from backsight.runs.compare import compare, examine
from backsight.runs.entry import make_entries
from backsight.runs.study import Study
from backsight.training.plan import Plan
from backsight.windows.split import split_by_fractions
from conftest import HORIZON, LOOKBACK, STEPS, make_toy, poisoned
from laws import ConstantForecaster

PLAN = Plan(epochs=2, batch_size=16)


def run(models, *, series=None, lookback=(LOOKBACK,), seeds=1, workers=1):
    return compare(
        series or make_toy(), "y", models=models, lookback=lookback, horizon=HORIZON, seeds=seeds, plan=PLAN,
        baselines=False, workers=workers,
    )  # fmt: skip


@pytest.fixture(scope="module")
def all_recipes():
    """Every recipe at once, two seeds, two workers."""
    return run(list(RECIPES), seeds=2, workers=2)


def rows_of(comparison, entry, seed=0):
    rows = comparison.forecasts
    return rows[(rows["entry"] == entry) & (rows["seed"] == seed)].reset_index(drop=True)


def test_order_changes_nothing(all_recipes):
    """Every entry and both seeds, with the recipes the other way round and one worker."""
    turned = run(list(RECIPES)[::-1], seeds=2, workers=1)
    key = ["entry", "seed", "part", "origin", "lead"]
    one, other = (c.forecasts.sort_values(key, ignore_index=True) for c in (all_recipes, turned))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


@pytest.mark.parametrize("name", RECIPES)
def test_neighbours_change_nothing(name, all_recipes):
    """Alone, with one seed and one worker, an entry gets the very numbers it gets among all the others."""
    alone = run([name])
    entry = alone.entries[0].name
    pd.testing.assert_frame_equal(rows_of(alone, entry), rows_of(all_recipes, entry), check_exact=True)


def test_neighbour_law_catches_shared_state():
    """A recipe that counts its fits gives other numbers in company."""

    class Counting(Recipe):
        family = "counting"
        fits = 0

        def fit(self, learn, check, plan, seed, on_epoch=None):
            type(self).fits += 1
            return ConstantForecaster(type(self).fits)

    series, exam = make_toy(), Exam("y", HORIZON, split_by_fractions(STEPS))
    entry = replace(make_entries([RECIPES["ridge"]], [LOOKBACK], series.columns)[0], name="counting", recipe=Counting())
    two = [replace(entry, name=n) for n in ("one", "two")]
    together = examine(Study(series, exam, tuple(two), 1, PLAN), workers=1)
    alone = examine(Study(series, exam, tuple(two[1:]), 1, PLAN), workers=1)
    with pytest.raises(AssertionError):
        pd.testing.assert_frame_equal(rows_of(alone, "two"), rows_of(together, "two"), check_exact=True)


def test_all_lookbacks_sit_the_same_exam():
    found = run(["ridge", "persistence", "seasonal"], lookback=(1, 3, 30))
    check_same_exam(found.forecasts)
    days = found.forecasts.groupby("entry")["time"].agg(["min", "max", "count"])
    assert len(days) == 5
    assert len(days.drop_duplicates()) == 1


def test_a_missing_day_is_refused():
    found = run(["ridge", "persistence"])
    with pytest.raises(ExamError, match="lacks 1 keys"):
        leaderboard(found.forecasts.drop(index=found.forecasts.index[-1]))


def test_another_actual_value_is_refused():
    forecasts = run(["ridge", "persistence"]).forecasts
    forecasts.loc[forecasts.index[-1], "actual"] += 1
    with pytest.raises(ExamError, match="other actual values"):
        check_same_exam(forecasts)


def test_a_key_forecast_twice_is_refused():
    forecasts = run(["ridge"]).forecasts
    with pytest.raises(ExamError, match="twice"):
        check_same_exam(pd.concat([forecasts, forecasts.iloc[:1]]))


def test_a_missing_forecast_is_a_failure_and_never_averaged_around():
    found = run(["ridge", "persistence"])
    forecasts = found.forecasts.copy()
    last = forecasts.index[(forecasts["entry"] == "persistence") & (forecasts["part"] == "test")][-1]
    forecasts.loc[last, "predicted"] = np.nan
    board = leaderboard(forecasts).set_index("entry")
    assert board.loc["persistence", "test_rmse"] == np.inf
    assert board.loc["persistence", "failed"] == 1
    assert board.loc["ridge_4", "failed"] == 0


def test_wrong_shape_of_forecasts_is_refused(toy, toy_exam):
    windows = run(["ridge"]).fitted[0].view.show(toy, toy_exam.origins("test"))
    with pytest.raises(ExamError, match="shape"):
        forecast_rows(windows, np.zeros((len(windows), 1)), entry="e", seed=0, part="test")


def test_ranking_reads_validation_only(all_recipes):
    """Whatever the test days hold, the order stays."""
    forecasts = all_recipes.forecasts.copy()
    test = forecasts["part"] == "test"
    shift = {entry: 10.0 * place for place, entry in enumerate(all_recipes.leaderboard["entry"][::-1])}
    forecasts.loc[test, "predicted"] += forecasts.loc[test, "entry"].map(shift)
    turned = replace(all_recipes.judge, forecasts=forecasts).leaderboard
    assert list(turned["entry"]) == list(all_recipes.leaderboard["entry"])
    # Planted: a ranking on test errors does not survive the same change.
    by_test = [b.sort_values("test_rmse")["entry"].tolist() for b in (leaderboard(forecasts), all_recipes.leaderboard)]
    assert by_test[0] != by_test[1]


def test_test_rows_change_no_validation_score():
    clean = run(["ridge", "trees", "lstm"])
    wild = run(["ridge", "trees", "lstm"], series=poisoned(make_toy(), split_by_fractions(STEPS).test.start, 1e6))
    assert list(clean.judge.scores["val_rmse"]) == list(wild.judge.scores["val_rmse"])
    assert list(clean.leaderboard["entry"]) == list(wild.leaderboard["entry"])
    assert list(clean.judge.scores["test_rmse"]) != list(wild.judge.scores["test_rmse"])
