"""Tests of differences: against formulas written out here, and against what simulated exams must give."""

from math import sqrt

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import optimal_block_length
from scipy import stats

from backsight.errors import ExamError
from backsight.evaluation.significance import (
    Paired,
    better_than,
    confidence_set,
    holm,
    paired_test,
    seed_error,
    tie_groups,
    within_one_error,
)
from backsight.runs.compare import compare
from backsight.series.series import Series


def losses(*means, windows=365, seed=0, shared=1.0, rho=0.0):
    """Columns a, b, ...: squared errors with these means, a shared part that moves all of them, and an own one."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((windows + 50, len(means)))
    for t in range(1, len(own)):
        own[t] = rho * own[t - 1] + sqrt(1 - rho**2) * own[t]
    common = shared * rng.standard_normal((windows, 1))
    return pd.DataFrame(20 + common + own[50:] + np.array(means), columns=list("abcdefghijkl")[: len(means)])


def always(*_):
    return True


@pytest.mark.parametrize("overlap", [1, 6])
def test_diebold_mariano_with_the_small_sample_correction_by_hand(overlap):
    table = losses(0.0, 0.3, windows=60, seed=7)
    gap = (table["a"] - table["b"]).to_numpy()
    n, d = len(gap), gap - gap.mean()
    lags = max(int(np.ceil(1.5 * overlap)), int(np.ceil(n ** (1 / 3))))
    assert lags > 2 * optimal_block_length(gap)["stationary"].iloc[0], "else this would be the bandwidth"
    variance = d @ d / n + sum(2 * (1 - k / (lags + 1)) * (d[k:] @ d[:-k]) / n for k in range(1, lags + 1))
    corrected = sqrt((n + 1 - 2 * overlap + overlap * (overlap - 1) / n) / n) * gap.mean() / sqrt(variance / n)
    found = paired_test(table, "a", "b", overlap=overlap)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(corrected), 1.5 * n / (lags + 1)), rel=1e-9)
    assert found.difference == pytest.approx(sqrt(table["a"].mean()) - sqrt(table["b"].mean()))


def test_the_interval_is_that_of_normal_theory_where_windows_are_independent():
    table = losses(0.0, 0.2, windows=2000)
    found = paired_test(table, "a", "b")
    gap = table["a"] - table["b"]
    half = 1.96 * gap.std() / sqrt(2000) / (sqrt(table["a"].mean()) + sqrt(table["b"].mean()))
    assert found.low == pytest.approx(found.difference - half, abs=0.15 * half)
    assert found.high == pytest.approx(found.difference + half, abs=0.15 * half)


def test_dependent_windows_are_worth_fewer():
    """An AR(1) with 0.6 leaves a quarter: (1 - 0.6) / (1 + 0.6)."""
    worth = [paired_test(losses(0, 0, windows=3000, rho=0.6, seed=s), "a", "b").effective / 3000 for s in range(5)]
    assert np.mean(worth) == pytest.approx(0.25, abs=0.06)
    assert paired_test(losses(0, 0, windows=3000), "a", "b").effective > 2500


def test_the_smallest_difference_shows_four_times_in_five():
    base = losses(0, 0, windows=200, seed=1)
    smallest = paired_test(base, "a", "b").smallest
    mean = (sqrt(20.0) + smallest / 2) ** 2 - (sqrt(20.0) - smallest / 2) ** 2
    seen = [paired_test(losses(0, mean, windows=200, seed=s), "a", "b").p < 0.05 for s in range(100, 300)]
    assert 0.70 < np.mean(seen) < 0.90


@pytest.mark.parametrize("overlap", [1, 6])
def test_equal_forecasts_are_rarely_called_different(overlap):
    """Windows that share shocks; `benchmarks/levels.py` has a thousand exams, and other statements."""

    def called(seed):
        shocks = np.random.default_rng(seed).standard_normal((120 + overlap, 2))
        shared = np.lib.stride_tricks.sliding_window_view(shocks, overlap, axis=0).mean(axis=2)[:120]
        return paired_test(pd.DataFrame(20 + shared, columns=["a", "b"]), "a", "b", overlap=overlap).differ

    assert np.mean([called(seed) for seed in range(200)]) <= 0.10


def test_nothing_is_claimed_of_short_exams():
    short = losses(0, 50, windows=29)
    assert not paired_test(short, "a", "b", overlap=6).differ
    assert paired_test(losses(0, 50, windows=30), "a", "b", overlap=1).differ
    assert set(tie_groups(short.head(9), always).values()) == {1}


def test_a_difference_that_seeds_could_undo_is_none():
    table = losses(0, 2)
    difference = paired_test(table, "a", "b").difference
    assert paired_test(table, "a", "b", seed_error=abs(difference) / 3).differ
    assert not paired_test(table, "a", "b", seed_error=abs(difference) / 1.5).differ
    assert seed_error([1.0], [2.0]) == 0
    assert seed_error([1.0, 3.0], [2.0, 2.0]) == pytest.approx(1.0)


def test_the_same_forecasts_do_not_differ_and_constant_gaps_are_no_test():
    table = losses(0).assign(b=lambda t: t["a"], c=lambda t: t["a"] + 1)
    same = paired_test(table, "a", "b")
    assert (same.difference, same.low, same.high, same.p, same.differ) == (0, 0, 0, 1, False)
    assert not paired_test(table, "a", "c").differ
    with pytest.raises(ExamError, match="no losses of nobody"):
        paired_test(table, "a", "nobody")


def test_holm_by_hand():
    one = Paired("a", "b", 1.0, 0.5, 1.5, 0.5, 300, 300.0, 0.4, 0.0, True)
    asked = [0.04, 0.001, 0.03, 0.5]
    adjusted = [t.p for t in holm(Paired(**{**vars(one), "p": p}) for p in asked)]
    assert adjusted == pytest.approx([0.09, 0.004, 0.09, 0.5])
    assert holm([]) == []


def test_the_confidence_set_keeps_the_best_and_drops_the_worst():
    kept = [confidence_set(losses(0.0, 0.05, 3.0, seed=s)) for s in range(20)]
    assert sum("a" in names for names in kept) >= 18
    assert all("c" not in names for names in kept)
    assert confidence_set(losses(0.0)) == ["a"]


def test_equal_columns_stay_together():
    table = losses(0.0, 5.0).assign(copy=lambda t: t["a"])
    assert confidence_set(table) == ["a", "copy"]
    assert tie_groups(table, always) == {"a": 1, "copy": 1, "b": 2}


def test_tie_groups_hold_all():
    groups = tie_groups(losses(0, 0.02, 3.5, 3.52, 9), always)
    assert [groups[c] for c in "abcde"] == [1, 1, 2, 2, 3]
    assert set(tie_groups(losses(0, 3, 9), lambda one, other: False).values()) == {1}, "seeds set nobody apart"


def test_what_nobody_would_pay_for_is_no_difference():
    """Always worse, by half a percent of the error and by three."""
    table = losses(0.0, 9.0).assign(c=lambda t: t["a"] * 1.01, d=lambda t: t["a"] * 1.06)
    assert tie_groups(table, always) == {"a": 1, "c": 1, "d": 2, "b": 3}
    assert within_one_error(table, "a", "c")
    assert not within_one_error(table, "a", "d")


def test_a_single_day_ties_but_does_not_make_as_good():
    """An entry that is off by a hundred once, and by a little always, can't be shown to be worse."""
    table = losses(0.0, 0.8, windows=200, shared=0.0)
    table.loc[7, "b"] += 600
    assert tie_groups(table, always) == {"a": 1, "b": 1}
    assert not within_one_error(table, "a", "b")


def test_better_than_names_the_better_ones_and_no_others():
    table = losses(0, -2, -0.02, 2).assign(copy=lambda t: t["a"])
    assert better_than(table, "a") == ["b"]
    assert better_than(-table, "a") == ["d"]


def test_better_than_where_all_are_better():
    """In two rounds nobody is left over."""
    assert set(better_than(losses(0, -8, -1, -0.6, shared=5.0), "a")) == {"b", "c", "d"}


def test_a_bootstrap_is_the_same_again_and_another_with_another_seed():
    table = losses(0, 0.1)
    assert paired_test(table, "a", "b") == paired_test(table, "a", "b")
    assert paired_test(table, "a", "b").low != paired_test(table, "a", "b", seed=1).low


@pytest.mark.parametrize("rows", [20, 30, 45, 70, 80])
def test_exams_of_two_to_eight_windows_say_too_few_and_no_more(rows):
    """Monthly series are that short, and so are exams with a long stride."""
    values = 10 + np.arange(rows) % 7 + np.random.default_rng(0).normal(size=rows)
    times = pd.date_range("2020-01-01", periods=rows, name="time")
    series = Series("short", times, values[:, None], ("y",))
    found = compare(series, "y", models="ridge", lookback=[1, 3], seeds=1)
    assert set(found.leaderboard["verdict"]) <= {"too few windows", "floor"}


@pytest.mark.parametrize("windows", range(1, 10))
def test_exams_of_a_few_windows_claim_nothing_and_do_not_crash(windows):
    table = losses(0, 3, 5, windows=windows)
    assert not paired_test(table, "a", "b").enough
    assert set(tie_groups(table, always).values()) == {1}
    assert "a" in confidence_set(table)
    assert within_one_error(table, "a", "a")
