"""Intervals of many series: each by itself as that of one is, and nothing early; what they hold, by simulation."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight.errors import ExamError, SettingError
from backsight.evaluation.calibration import NARROW, Arrival, OfLead, Standing, conformal_ends, follow, step_of
from backsight.evaluation.intervals import ADAPTIVE, FIXED, centred, examined, score
from backsight.evaluation.judge import Judge
from backsight.evaluation.leads import Leads
from backsight.evaluation.panel_forecasts import PanelForecasts, Sheet
from backsight.evaluation.panel_intervals import SHARED, examined_panel, first_ends
from backsight.report.intervals import exam_intervals, interval_sentences
from backsight.report.output import interval_files
from backsight.report.sentences import exam_sentences
from backsight.report.series import series_rows
from backsight.runs.compare import compare
from backsight.runs.interval_record import intervals_record
from backsight.runs.lookback import lookback_curve
from backsight.runs.record import exam_record, lookback_record
from conftest import HORIZON, make_toy
from test_many_series import make_panel, run, stack

BEGUN = np.datetime64("2020-01-01", "ns")
DAY = np.timedelta64(1, "D")


def sheet_of(days, actual, scale):
    """What is asked of these days (a list of them for each series) with these actuals, shape (windows, horizon)."""
    series = np.repeat(np.arange(len(days), dtype=np.int32), [len(of_series) for of_series in days])
    origin = BEGUN + np.concatenate(days).astype(int) * DAY
    leads = np.arange(1, actual.shape[1] + 1) * DAY
    _, turn = np.unique(origin, return_inverse=True)
    return Sheet(series, origin, turn.astype(np.int32), origin[:, None] + leads, actual, np.asarray(scale)[series])


def forecasts_of(errors, *, validation, scale=None, horizon=1, seeds=1, holes=()):
    """Forecasts of 0 with these errors, shape (days, series); lead h errs by those of h days later, h times as much.

    Args:
        validation: so many days are of the validation part.
        holes: (day, series) that nobody is asked about.
    """
    days, count = errors.shape
    scale = np.ones(count) if scale is None else np.asarray(scale, dtype=float)
    sheets = {}
    for part, span in (("validation", range(validation)), ("test", range(validation + horizon, days - horizon))):
        asked = [[day for day in span if (day, s) not in holes] for s in range(count)]
        rows = [
            [errors[day + h - 1, s] * h * scale[s] for h in range(1, horizon + 1)]
            for s in range(count)
            for day in asked[s]
        ]
        sheets[part] = sheet_of(asked, np.array(rows), scale)
    answers = {
        ("m", seed): {part: np.full_like(s.actual, 0.25 * (seed - (seeds - 1) / 2)) for part, s in sheets.items()}
        for seed in range(seeds)
    }
    return PanelForecasts(tuple(f"s{s}" for s in range(count)), sheets, answers)


def noise(days, series, seed=0, spread=0.0, shared=0.0):
    """Errors of series that differ in their size, with a part that all have in common."""
    rng = np.random.default_rng(seed)
    own, common = rng.standard_normal((days, series)), rng.standard_normal((days, 1))
    return (np.sqrt(1 - shared) * own + np.sqrt(shared) * common) * np.exp(spread * rng.standard_normal(series))


# One series, and each of many


@pytest.mark.parametrize(("horizon", "seeds"), [(1, 1), (3, 2)])
def test_a_series_alone_has_the_intervals_of_one_series_to_the_bit(horizon, seeds):
    forecasts = forecasts_of(noise(160, 1), validation=80, horizon=horizon, seeds=seeds, holes={(5, 0), (100, 0)})
    ours = examined_panel(forecasts, "m")
    plain = examined(centred(forecasts.rows("m").drop(columns="series")))
    pd.testing.assert_frame_equal(
        ours.rows().drop(columns=["series", "seed_sd"]), plain.drop(columns="seed_sd"), check_dtype=False,
        check_exact=True,
    )  # fmt: skip
    np.testing.assert_allclose(ours.seed_sd.ravel(), plain["seed_sd"])
    for ends, names in ((ours.fixed, FIXED), (ours.adaptive, ADAPTIVE)):
        one, other = ours.score(ends), score(plain, 0.9, names)
        np.testing.assert_allclose(list(vars(one).values()), list(vars(other).values()))


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 99),
    horizon=st.integers(1, 4),
    level=st.sampled_from([0.5, 0.9]),
    holes=st.sets(st.tuples(st.integers(0, 69), st.integers(0, 2)), max_size=30),
)
def test_each_series_follows_its_own_actuals_as_one_alone_does(seed, horizon, level, holes):
    """Told one by one by the program for one series, from the ends that each begins with."""
    forecasts = forecasts_of(
        noise(70, 3, seed, spread=1), validation=30, scale=[1, 10, 0.1], horizon=horizon, holes=holes
    )
    found, test, validation = examined_panel(forecasts, "m", level), forecasts.sheets["test"], None
    validation = forecasts.sheets["validation"]
    for lead in range(horizon):
        known = (validation.actual / validation.scale[:, None])[:, lead]
        lower, upper = first_ends(known, validation.series, 3, level)
        # The most forecasts of one series that were made before the actual of the first came.
        days, times = validation.origin, validation.time[:, lead]
        of_series = [np.flatnonzero(validation.series == s) for s in range(3)]
        overlap = max((np.searchsorted(days[w], times[w]) - np.arange(len(w))).max() for w in of_series)
        for s in range(3):
            scale, windows = [1, 10, 0.1][s], np.flatnonzero(test.series == s)
            ends = (float(lower[s]),), (float(upper[s]),)
            narrowest = NARROW * (ends[1][0] - ends[0][0])
            begun = OfLead(step_of(overlap), narrowest, (Standing(pd.Timestamp(BEGUN), len(known), *ends),))
            arrivals = [
                Arrival(pd.Timestamp(test.origin[w]), pd.Timestamp(test.time[w, lead]), *[error / scale] * 2)
                for w in windows
                for error in [float(test.actual[w, lead])]
            ]
            stood = follow(begun, [level], arrivals)[1]
            for way, expected in ((0, [o.lower[0] for o in stood]), (1, [o.upper[0] for o in stood])):
                np.testing.assert_allclose(found.adaptive[way][windows, lead], np.array(expected) * scale)


def test_no_interval_knows_an_actual_that_came_after_its_origin():
    errors = noise(120, 4, spread=0.5)
    before = examined_panel(forecasts_of(errors, validation=50, horizon=3), "m")
    changed = errors.copy()
    changed[80:] += 50  # actuals of day 80 are known from day 81 on, counted from the origin's own day
    after = examined_panel(forecasts_of(changed, validation=50, horizon=3), "m")
    early = before.sheet.origin <= BEGUN + 80 * DAY
    assert early.any() and not early.all()
    for one, other in zip((*before.fixed, *before.adaptive), (*after.fixed, *after.adaptive), strict=True):
        assert np.array_equal(one[early], other[early])
    assert not np.array_equal(before.adaptive[1], after.adaptive[1])
    assert np.array_equal(before.fixed[1], after.fixed[1])


def test_what_happens_in_one_series_moves_no_other():
    errors = noise(120, 3)
    changed = errors.copy()
    changed[60:, 1] += 50
    one, other = (examined_panel(forecasts_of(e, validation=50), "m") for e in (errors, changed))
    same = one.sheet.series != 1
    assert np.array_equal(one.adaptive[1][same], other.adaptive[1][same])
    assert not np.array_equal(one.adaptive[1][~same], other.adaptive[1][~same])


def test_a_series_in_another_unit_has_the_same_intervals_in_it():
    errors = noise(120, 3, spread=0.5)
    one, other = (examined_panel(forecasts_of(errors, validation=50, scale=s), "m") for s in ([1, 1, 1], [1, 1000, 1]))
    factor = np.where(one.sheet.series == 1, 1000.0, 1.0)[:, None]
    for way in ("fixed", "adaptive"):
        for end, end_of_other in zip(getattr(one, way), getattr(other, way), strict=True):
            np.testing.assert_allclose(end * factor, end_of_other)
        assert one.score(getattr(one, way)).score == pytest.approx(other.score(getattr(other, way)).score)


# Where they begin


def test_first_ends_by_definition():
    rng = np.random.default_rng(0)
    series = np.sort(rng.integers(0, 4, 50)).astype(np.int32)
    errors = rng.standard_normal(50) * (1 + series)
    usual, shares = np.mean(errors**2), []
    for place in range(50):
        mates = [j for j in range(50) if series[j] == series[place] and j != place]
        shares.append(errors[place] / np.sqrt((sum(errors[mates] ** 2) + SHARED * usual) / (len(mates) + SHARED)))
    (low,), (high,) = conformal_ends(np.array(shares), np.array(shares), [0.8])
    lower, upper = first_ends(errors, series, 5, 0.8)
    for s in range(5):
        own = errors[series == s]  # the last has none, and errors of the usual size
        size = np.sqrt((sum(own**2) + SHARED * usual) / (len(own) + SHARED))
        assert (lower[s], upper[s]) == pytest.approx((low * size, high * size))
    assert upper[4] == pytest.approx(high * np.sqrt(usual))


@pytest.mark.parametrize("windows", [12, 25, 100])
def test_ninety_per_cent_are_held_over_series_of_different_spread(windows):
    held = [
        examined_panel(forecasts_of(noise(2 * windows + 2, 60, seed, 0.4, 0.2), validation=windows), "m")
        for seed in range(12)
    ]
    for way in ("fixed", "adaptive"):
        shares = [found.score(getattr(found, way)).coverage for found in held]
        assert 0.88 <= np.mean(shares) <= 0.92
    wide, narrow = np.argmax(held[0].fixed[1][:, 0]), np.argmin(held[0].fixed[1][:, 0])
    assert held[0].fixed[1][wide, 0] > 2 * held[0].fixed[1][narrow, 0], "series have widths of their own"


def test_an_error_among_those_it_is_divided_by_would_hold_too_few():
    """The guard above, without its care: of few errors a series, each looks smaller than the next one will be."""
    shares = []
    for seed in range(12):
        errors = noise(26, 60, seed, 0.4, 0.2)
        sizes = np.sqrt((errors[:12] ** 2).mean(axis=0))
        (low,), (high,) = (end for end in conformal_ends(*[(errors[:12] / sizes).ravel()] * 2, [0.9]))
        shares.append(np.mean((low * sizes <= errors[12:]) & (errors[12:] <= high * sizes)))
    assert np.mean(shares) < 0.88


def test_after_a_shift_in_the_mean_updates_hold_88_per_cent():
    errors = noise(400, 30, spread=0.4, shared=0.2)
    errors[200:] += 2
    found = examined_panel(forecasts_of(errors, validation=200), "m")
    assert found.score(found.fixed).coverage < 0.6
    assert found.score(found.adaptive).coverage > 0.88
    assert np.nanmin(found.of_each(found.adaptive)) > 0.85


def test_copies_of_a_series_make_no_coverage_more_certain():
    errors = noise(160, 1)
    one, fifty = (examined_panel(forecasts_of(np.repeat(errors, n, axis=1), validation=80), "m") for n in (2, 50))
    assert one.score(one.fixed).error == pytest.approx(fifty.score(fifty.fixed).error)
    assert fifty.score(fifty.fixed).error > 0.005


def test_too_few_errors_and_perfect_ones():
    few = forecasts_of(noise(40, 2), validation=9)
    found = examined_panel(few, "m")
    assert found.errors == 18 and np.isinf(found.fixed[0]).all() and np.isinf(found.adaptive[1]).all()
    record = intervals_record(few, "m")
    assert record["fixed"]["width"] is None
    assert "they need 19 validation windows, and there are 18" in interval_sentences({"m": record}, "m", " sd")[0]
    assert np.isfinite(examined_panel(few, "m", 0.5).fixed[0]).all()
    perfect = examined_panel(forecasts_of(np.zeros((80, 3)), validation=40), "m")
    assert perfect.score(perfect.adaptive).coverage == 1 and perfect.score(perfect.fixed).width == 0


def test_a_missing_forecast_has_no_intervals():
    forecasts = forecasts_of(noise(80, 2), validation=40)
    answers = {part: a.copy() for part, a in forecasts.answers["m", 0].items()}
    answers["test"][3] = np.nan
    broken = replace(forecasts, answers={("m", 0): answers})
    with pytest.raises(ExamError, match="missing"):
        examined_panel(broken, "m")
    assert intervals_record(broken, "m") is None
    with pytest.raises(ExamError, match="no forecasts of 'n'"):
        examined_panel(forecasts, "n")


# Comparisons


@pytest.fixture(scope="module")
def found():
    return run(make_panel((160, 210, 180)))


def test_every_entry_of_a_comparison_has_its_coverage(found, tmp_path):
    record = exam_record(found)
    rows = found.intervals("ridge_4")
    for entry in record["entries"]:
        intervals = entry["intervals"]
        test = found.forecasts.sheets["test"]
        assert intervals["fixed"]["forecasts"] == test.actual.size
        assert [one["lead"] for one in intervals["leads"]] == [1, 2]
        means = [np.mean([one[way]["coverage"] for one in intervals["leads"]]) for way in ("fixed", "adaptive")]
        assert means == pytest.approx([intervals[way]["coverage"] for way in ("fixed", "adaptive")])
    of_ridge = exam_intervals(record)["ridge_4"]
    for names, way in ((FIXED, "fixed"), (ADAPTIVE, "adaptive")):
        held = (rows[names[0]] <= rows["actual"]) & (rows["actual"] <= rows[names[1]])
        assert held.mean() == pytest.approx(of_ridge[way]["coverage"])
        assert held.groupby(rows["series"], observed=True).mean().tolist() == pytest.approx(of_ridge["each"][way])
    said = " ".join(exam_sentences(record))
    assert f"90 % intervals from the validation errors of {record['recommended']} held" in said
    assert "In single series:" in said and " sd wide on average" in said
    for name, write in interval_files(exam_intervals(record), record["recommended"], found.forecasts).items():
        write(tmp_path / name)
    kept = pd.read_parquet(tmp_path / "intervals.parquet").drop(columns=["entry", "level"])
    pd.testing.assert_frame_equal(kept, found.intervals(), check_categorical=False)
    assert len(pd.read_csv(tmp_path / "coverage.csv")) == len(record["entries"]) * (1 + HORIZON) * 2
    table = series_rows(record["series"], exam_intervals(record))
    assert table.query("entry == 'ridge_4'")["coverage"].tolist() == of_ridge["each"]["fixed"]
    with pytest.raises(SettingError, match="between 0 and 1"):
        found.intervals(level=90)


def test_errors_by_lead_of_many_series_are_those_of_their_rows(found):
    scores = found.judge.leads.scores
    rows = pd.concat(found.forecasts.tables(), ignore_index=True)
    sd = found.forecasts.series_scores.drop_duplicates("series").set_index("series")["sd"]
    scale = rows["series"].map(sd).astype(float)
    in_sd = rows.assign(actual=rows["actual"] / scale, predicted=rows["predicted"] / scale)
    by_rows = Leads(in_sd, found.judge.leads.floors).scores
    keys = ["entry", "seed", "lead"]
    pd.testing.assert_frame_equal(
        scores.sort_values(keys, ignore_index=True),
        by_rows.astype({"entry": str}).sort_values(keys, ignore_index=True),
        check_dtype=False,
    )
    record = exam_record(found)
    assert len(record["leads"]["references"]) == HORIZON
    assert all(len(entry["leads"]) == HORIZON for entry in record["entries"])
    assert "leads" in " ".join(exam_sentences(record)) or "step ahead" in " ".join(exam_sentences(record))


def test_a_panel_of_one_has_the_leads_and_intervals_of_the_plain_comparison():
    alone, panel = (run(s, models="ridge") for s in (make_toy(200), stack([make_toy(200)], ["y"])))
    for entry in alone.leaderboard["entry"]:
        one, other = (intervals_record(c.forecasts, entry) for c in (alone, panel))
        for way in ("fixed", "adaptive"):
            assert other[way] == pytest.approx(one[way])
        assert other["each"] == one["each"] == {}
    pd.testing.assert_frame_equal(panel.leads, alone.leads, check_exact=False)
    for one, other in zip(_useful(alone), _useful(panel), strict=True):
        assert one == other


def _useful(found):
    judge: Judge = found.judge
    return [judge.leads.useful(entry).leads for entry in found.leaderboard["entry"]]


def test_lookback_curves_say_what_intervals_hold():
    for series in (make_toy(300), make_panel((160, 210, 180))):
        curves = lookback_curve(series, "y", models="ridge", lookback=[1, 2], baselines=False, workers=1)
        record = lookback_record(curves)
        (curve,) = record["curves"]
        for point in curve["points"]:
            alone = intervals_record(curves.comparison.forecasts, point["entry"])
            assert point["intervals"] == alone and 0.5 < alone["adaptive"]["coverage"] <= 1


def test_a_comparison_of_one_series_is_as_it_was():
    found = compare(make_toy(300), "y", models=["ridge"], lookback=[2], seeds=1, baselines=False)
    assert exam_record(found)["entries"][0]["intervals"]["each"] == {}
