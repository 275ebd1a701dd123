"""Intervals: ranks by definition, updates by hand and by another program, coverage by simulation, nothing early."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from math import ceil, inf, sqrt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight.errors import ExamError, SettingError
from backsight.evaluation import calibration as calibrations
from backsight.evaluation.calibration import (
    LEVELS,
    NARROW,
    STEP,
    Arrival,
    Calibration,
    calibrate_lead,
    errors_needed,
    follow,
)
from backsight.evaluation.intervals import ADAPTIVE, apply, calibrate, centred, examined, score, share_error, updated

BEGUN = datetime(2020, 1, 1)


def rows_of(errors, validation, lead=1, stride=1, width=0.0):
    """Rows of forecasts with these errors; actual values are errors, and forecasts 0, or a band around it."""
    origins = pd.date_range(BEGUN, periods=len(errors), freq=f"{stride}D")
    part = np.where(np.arange(len(errors)) < validation, "validation", "test")
    rows = {"part": part, "origin": origins, "lead": lead, "time": origins + timedelta(lead)}
    band = {"low": -width / 2, "high": width / 2} if width else {}
    return pd.DataFrame({**rows, "actual": errors, "predicted": 0.0, "seed_sd": 0.0, **band})


def many_leads(steps, leads, validation, seed=0):
    """Rows of several leads with independent errors."""
    rng = np.random.default_rng(seed)
    tables = [rows_of(rng.standard_normal(steps) * lead, validation, lead) for lead in range(1, leads + 1)]
    return pd.concat(tables).sort_values(["origin", "lead"], ignore_index=True)


# Split conformal.


@given(st.lists(st.integers(-1000, 1000), min_size=4, max_size=60, unique=True), st.sampled_from([0.5, 0.8, 0.9]))
def test_each_of_n_values_is_held_by_the_others_as_often_as_promised(values, level):
    """The guarantee itself: whichever of exchangeable values comes last, it is beyond each end at most so often."""
    alpha, count = 1 - level, len(values)
    if count - 1 < errors_needed(level):
        return
    beyond = np.zeros(2)
    for place, value in enumerate(values):
        others = np.delete(np.array(values, dtype=float), place)
        stood = calibrate_lead(others, until=BEGUN, levels=[level]).standing[0]
        beyond += value < stood.lower[0], value > stood.upper[0]
    assert (beyond <= count * alpha / 2 + 1e-9).all()
    # And no more often held than it must be: one rank further in would break the promise.
    assert (beyond + 1 > count * alpha / 2 - 1e-9).all()


def test_too_few_errors_have_no_ends_until_there_are_enough():
    assert [errors_needed(level) for level in (0.5, 0.8, 0.9, 0.95, 0.99)] == [3, 9, 19, 39, 199]
    calibration = Calibration(LEVELS, (calibrate_lead(np.arange(18.0), until=BEGUN),))
    assert calibration.interval(5.0, 1) == (-inf, inf)
    low, high = calibration.interval(5.0, 1, 0.8)
    assert (low, high) == (5.0 + 0, 5.0 + 17)
    more = calibration.update(9.0, 0.0, 1, origin=BEGUN, time=BEGUN + timedelta(1))
    assert all(np.isfinite(more.interval(5.0, 1)))
    assert Calibration.from_json(calibration.to_json()) == calibration, "nothing infinite is kept"


def test_signed_errors_bring_two_ends_that_need_not_be_alike():
    stood = calibrate_lead(np.arange(199.0) ** 2, until=BEGUN, levels=[0.9]).standing[0]
    assert (stood.lower[0], stood.upper[0]) == (9.0**2, 189.0**2)


def test_around_quantiles_each_end_has_errors_of_its_own():
    """Source: Romano, Patterson and Candès 2019, theorem 2."""
    rng = np.random.default_rng(0)
    actual = rng.standard_normal(199)
    rows = rows_of(actual, 199, width=1.0)
    calibration = calibrate(rows, [0.9])
    ordered = np.sort(actual)
    low, high = calibration.interval(0.0, 1, band=(-0.5, 0.5))
    assert (low, high) == pytest.approx((ordered[9], ordered[189]))
    assert calibration.interval(0.0, 1, band=(-2.5, 2.5)) == pytest.approx((low - 2, high + 2))


# Updates.


def test_updates_by_hand():
    """100 errors of -1 and 1 by turns, then 3, 0, -5: every step worked out on paper."""
    known = calibrate_lead(np.tile([-1.0, 1.0], 50), until=BEGUN, levels=[0.9])
    assert (known.step, known.narrowest) == (STEP, NARROW * 2)
    expected = [(-1.0, 1.0)]
    # 3 lies above 1: width 2, step 0.2; the upper end rises by 0.95 steps, the lower by 0.05.
    expected.append((-1 + 0.01, 1 + 0.19))
    # 0 lies inside of -0.99 .. 1.19: width 2.18, step 0.218; both ends come in by 0.05 steps.
    expected.append((-0.99 + 0.0109, 1.19 - 0.0109))
    # -5 lies below: width 2.1582, step 0.21582.
    expected.append((-0.9791 - 0.95 * 0.21582, 1.1791 - 0.05 * 0.21582))
    days = [BEGUN + timedelta(day) for day in range(5)]
    arrivals = [Arrival(*pair, value, value) for pair, value in zip(pairwise(days), (3.0, 0.0, -5.0, 0.0), strict=True)]
    _, stood = follow(known, [0.9], arrivals)
    for found, ends in zip(stood, expected, strict=True):
        assert (found.lower[0], found.upper[0]) == pytest.approx(ends, abs=1e-12)


def track(calibration_errors, errors, delay, level):
    """The same by another program: arrays in place of states, positions in place of times, one level."""
    alpha, n = 1 - level, len(calibration_errors)
    ordered = np.sort(calibration_errors)
    rank = min(ceil(round((n + 1) * (1 - alpha / 2), 9)), n)
    lower, upper = [ordered[n - rank]], [ordered[rank - 1]]
    narrowest = NARROW * (upper[0] - lower[0])
    step = STEP / delay ** (1 / 3)
    shown = []
    for place, error in enumerate(errors):
        known = max(place - delay + 1, 0)  # errors observed by this origin
        shown.append((lower[known], upper[known]))
        size = step * max(upper[-1] - lower[-1], narrowest)
        lower.append(lower[-1] - size * (float(error < shown[-1][0]) - alpha / 2))
        upper.append(upper[-1] + size * (float(error > shown[-1][1]) - alpha / 2))
    return np.array(shown)


@pytest.mark.parametrize(("lead", "stride"), [(1, 1), (3, 1), (7, 2), (4, 4)])
def test_updates_by_another_program(lead, stride):
    rng = np.random.default_rng(lead)
    errors = rng.standard_t(3, 300)
    rows = rows_of(errors, 100, lead, stride)
    rows.loc[rows.index[100:], ["origin", "time"]] += timedelta(2 * lead)  # as after a gap: all of validation is known
    found = examined(pd.concat([rows_of(errors, 100, k, stride) for k in range(1, lead)] + [rows]), 0.9)
    found = found[found["lead"] == lead]
    expected = track(errors[:100], errors[100:], -(-lead // stride), 0.9)
    np.testing.assert_allclose(found[list(ADAPTIVE)], expected, rtol=1e-12, atol=1e-12)


def early_bird(known, levels, arrivals):
    """Planted: forecasts of several steps that know the actual of the day after their origin's."""
    early = [replace_origin(arrival, arrival.time) for arrival in arrivals]
    return follow(known, levels, early)


def replace_origin(arrival, origin):
    return arrival._replace(origin=origin)


def poison(rows, after, calibration):
    """Intervals of forecasts made up to a time, as all actuals after it change."""
    spoilt = rows.assign(actual=rows["actual"].where(rows["time"] <= after, 1e6))
    tables = [updated(calibration, table)[1] for table in (rows, spoilt)]
    return [table.loc[table["origin"] <= after, ["lower", "upper"]].to_numpy().tobytes() for table in tables]


@pytest.mark.parametrize("day", [60, 75, 90])
def test_what_comes_later_changes_no_bit(day, monkeypatch):
    rows = many_leads(120, 5, 50)
    validation, test = (rows[rows["part"] == part].drop(columns="part") for part in ("validation", "test"))
    calibration = calibrate(validation)
    after = pd.Timestamp(BEGUN) + timedelta(day)
    before, spoilt = poison(test, after, calibration)
    assert before == spoilt
    assert len(before) > 16, "nothing was compared"
    monkeypatch.setattr("backsight.evaluation.intervals.follow", early_bird)
    before, spoilt = poison(test, after, calibration)
    assert before != spoilt, "a calibration that knows actuals too early was not caught"


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 69), max_size=4), st.booleans())
def test_told_at_once_or_little_by_little(cuts, through_json):
    rows = many_leads(120, 3, 50)
    calibration, test = calibrate(rows[rows["part"] == "validation"]), rows[rows["part"] == "test"]
    whole, at_once = updated(calibration, test, 0.8)
    tables = []
    for first, last in pairwise([0, *sorted(set(cuts)), 70]):
        # Each time the file is forecast from its beginning: what is known already moves nothing.
        told = test[test["origin"] < test["origin"].iloc[0] + timedelta(last)]
        calibration, table = updated(calibration, told, 0.8)
        tables.append(table[table["origin"] >= test["origin"].iloc[0] + timedelta(first)])
        if through_json:
            calibration = Calibration.from_json(calibration.to_json())
    assert calibration == whole
    pd.testing.assert_frame_equal(pd.concat(tables), at_once, check_exact=True)


def test_one_by_one_is_the_same_as_rows():
    rows = many_leads(90, 3, 50)
    calibration, test = calibrate(rows[rows["part"] == "validation"]), rows[rows["part"] == "test"]
    by_rows = updated(calibration, test)[0]
    for row in test.sort_values(["time", "lead"]).itertuples():
        times = {"origin": row.origin.to_pydatetime(), "time": row.time.to_pydatetime()}
        calibration = calibration.update(row.actual, row.predicted, row.lead, **times)
    assert calibration == by_rows


def test_unknown_actuals_move_nothing_and_get_their_intervals():
    rows = many_leads(80, 2, 50)
    calibration = calibrate(rows[rows["part"] == "validation"])
    test = rows[rows["part"] == "test"]
    known = updated(calibration, test.assign(actual=np.nan))
    assert known[0] == calibration
    pd.testing.assert_frame_equal(known[1], apply(calibration, test.assign(actual=np.nan)))


def test_a_perfect_past_leaves_intervals_that_can_widen():
    """Errors of 0 on all validation days leave no width to take steps of."""
    rows = rows_of(np.zeros(200), 100)
    rows["actual"] = rows["predicted"] = np.sin(np.arange(200.0))
    rows.loc[150:, "predicted"] += 0.01
    found = examined(rows)
    assert (found["lower"] == found["upper"]).all()
    assert (found["adaptive_upper"] - found["adaptive_lower"]).iloc[-1] > 0.005


@pytest.mark.parametrize(
    "spoil",
    [
        lambda v: v | {"levels": [0.9, 0.8]},
        lambda v: v | {"levels": [1.0]},
        lambda v: v | {"leads": []},
        lambda v: v | {"more": 1},
        lambda v: [],
        lambda v: v | {"leads": [v["leads"][0] | {"standing": []}]},
        lambda v: v | {"leads": [v["leads"][0] | {"standing": 2 * v["leads"][0]["standing"]}]},
        lambda v: v | {"leads": [v["leads"][0] | {"step": float("nan")}]},
        lambda v: v | {"leads": [v["leads"][0] | {"standing": [v["leads"][0]["standing"][0] | {"lower": [inf]}]}]},
        lambda v: v | {"leads": [v["leads"][0] | {"standing": [v["leads"][0]["standing"][0] | {"lower": [0.0]}]}]},
    ],
)
def test_values_of_something_else_are_refused(spoil):
    values = Calibration(LEVELS, (calibrate_lead(np.arange(30.0), until=BEGUN),)).to_json()
    assert Calibration.from_json(values).to_json() == values
    with pytest.raises(SettingError, match="no intervals' values"):
        Calibration.from_json(spoil(values))


def test_unknown_levels_and_leads_are_named():
    calibration = Calibration(LEVELS, (calibrate_lead(np.arange(30.0), until=BEGUN),))
    with pytest.raises(ExamError, match=r"levels 0\.5, 0\.8, 0\.9; 0\.95 was"):
        calibration.interval(1.0, 1, 0.95)
    with pytest.raises(ExamError, match="leads 1 to 1; 2 was"):
        calibration.interval(1.0, 2)
    with pytest.raises(ExamError, match="missing"):
        centred(rows_of(np.zeros(3), 3).assign(seed=0, predicted=np.nan))
    with pytest.raises(ExamError, match="all leads"):
        calibrate(rows_of(np.zeros(30), 30, lead=2))


# Scores.


def test_scores_by_hand():
    rows = rows_of(np.array([0.0, 3.0, -2.0, 1.0]), 0).assign(lower=-1.0, upper=1.0)
    found = score(rows, 0.8)
    assert (found.coverage, found.width, found.forecasts) == (0.5, 2.0, 4)
    assert found.score == pytest.approx(2 + (2 / 0.2) * (2 + 1) / 4)


def test_the_error_of_a_share_knows_of_neighbours():
    rng = np.random.default_rng(0)
    independent = rng.random((400, 1000)) < 0.9
    in_runs = np.repeat(rng.random((400, 100)) < 0.9, 10, axis=1)
    for held, per_origin in ((independent, 1), (in_runs, 10)):
        truth = sqrt(0.9 * 0.1 / (1000 / per_origin))
        assert np.mean([share_error(h.astype(float)) for h in held]) == pytest.approx(truth, rel=0.2)


# Coverage: 2,000 days, of which 200 make the intervals and 200 try them.


def errors_like(kind, series, lead, seed, days=400, phi=0.8):
    """Errors of the best forecast of an AR(1) so many steps ahead, standard deviation about 1; shape (series, days)."""
    rng = np.random.default_rng(seed)
    shape = (series, days + lead)
    if kind == "skewed":
        shocks = rng.exponential(1.0, shape) - 1
    elif kind == "heavy":
        shocks = rng.standard_t(4, shape) / sqrt(2)
    else:
        shocks = rng.standard_normal(shape)
    weights = phi ** np.arange(lead)
    errors = sum(w * shocks[:, lead - j : lead - j + days] for j, w in enumerate(weights)) / sqrt(np.sum(weights**2))
    if kind == "seasonal":
        errors *= 1 + 0.6 * np.sin(2 * np.pi * (np.arange(days) / 365 + rng.random((series, 1))))
    return errors


def coverages(errors, lead, begin=200):
    """Share of errors from `begin` on that were held: as made from the first 200, and with updates; one a series."""
    found = []
    days = [BEGUN + timedelta(day) for day in range(errors.shape[1] + lead)]
    for values in errors:
        known = calibrate_lead(values[:200], until=days[199], levels=[0.9], overlap=lead)
        tried = list(enumerate(values.tolist()))[200:]
        _, stood = follow(known, [0.9], [Arrival(days[day - lead], days[day], value, value) for day, value in tried])
        rows = zip(stood, tried, strict=True)
        held = [(s.lower[0] <= value <= s.upper[0]) for s, (day, value) in rows if day >= begin]
        first = known.standing[0]
        fixed = (first.lower[0] <= values[begin:]) & (values[begin:] <= first.upper[0])
        found.append((fixed.mean(), np.mean(held)))
    return np.array(found).T


@pytest.mark.parametrize("kind", ["normal", "skewed", "heavy", "seasonal"])
def test_coverage_on_stationary_series(kind):
    fixed, adaptive = coverages(errors_like(kind, 150, 1, seed=1), 1)
    assert 0.88 <= adaptive.mean() <= 0.92
    if kind == "seasonal":  # an unlucky season of validation is what updates are for
        assert adaptive.std() < fixed.std() / 3
        return
    assert 0.88 <= fixed.mean() <= 0.92
    assert ((adaptive >= 0.88) & (adaptive <= 0.92)).mean() >= 0.95, "each single series, too"


@pytest.mark.parametrize("shift", [1.0, 2.0, 3.0])
def test_coverage_after_a_shift_in_the_mean(shift):
    errors = errors_like("normal", 100, 1, seed=2)
    errors[:, 200:] += shift
    fixed, adaptive = coverages(errors, 1)
    assert fixed.mean() < 0.8
    assert 0.88 <= adaptive.mean() <= 0.92
    assert (adaptive >= 0.88).mean() >= 0.9


def test_coverage_several_steps_ahead():
    """Errors that overlap leave less to learn from: in the mean as promised, single series less surely."""
    fixed, adaptive = coverages(errors_like("normal", 150, 7, seed=1), 7)
    assert 0.88 <= adaptive.mean() <= 0.92
    assert adaptive.std() < fixed.std() / 2


def test_coverage_of_shares_as_in_closed_form():
    """Of normal errors and n of them, split conformal holds k / (n + 1) beyond either end: here 5 % in the mean."""
    errors = np.random.default_rng(0).standard_normal((300, 1000))
    fixed, _ = coverages(errors[:, :220], 1)
    rank = ceil(round(201 * 0.95, 9))
    assert fixed.mean() == pytest.approx(2 * rank / 201 - 1, abs=0.012)


def test_planted_a_calibration_that_never_moves_would_be_seen(monkeypatch):
    monkeypatch.setattr(
        calibrations, "_move", lambda known, levels, now, then, arrival: replace(now, time=arrival.time)
    )
    errors = errors_like("normal", 20, 1, seed=2)
    errors[:, 200:] += 2.0
    assert coverages(errors, 1)[1].mean() < 0.6
