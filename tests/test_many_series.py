"""Many series: what is so of each is what would be so if it were alone, and nothing crosses from one into another."""

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backsight
from backsight.cli.main import main
from backsight.errors import ColumnError, DataError, ExamError, ModelFileError, SettingError, WindowError
from backsight.evaluation.exam import Exam
from backsight.evaluation.panel_exam import PanelExam, make_panel_exam
from backsight.evaluation.panel_forecasts import PanelForecasts, Sheet
from backsight.models import ridge, trees
from backsight.models.registry import as_recipe
from backsight.report.figures import NAMES, charts_of
from backsight.report.sentences import exam_sentences
from backsight.report.series import told_series
from backsight.report.stored import read_stored
from backsight.runs.compare import compare, examine
from backsight.runs.fit import fit_entry
from backsight.runs.lookback import lookback_curve
from backsight.runs.memory import memory_profile
from backsight.runs.packed import _expected as expected
from backsight.runs.packed import _read_note, pack, unpack
from backsight.runs.record import comparison_record
from backsight.runs.saved import read_study
from backsight.runs.study import make_study
from backsight.runs.tensors import read_from, read_tensors, write_tensors
from backsight.runs.tune import tune
from backsight.series.frequency import find_step, grid_places
from backsight.series.from_frame import from_frame
from backsight.series.generated import autoregressive
from backsight.series.panel import Blocks, Panel
from backsight.series.read import read_series
from backsight.series.source import Source, fingerprint
from backsight.training.plan import Plan
from backsight.windows.many import drawn, each_series, fit_panel_view
from backsight.windows.split import split_by_dates, split_by_fractions
from backsight.windows.windows import fit_view, input_values
from conftest import HORIZON, LOOKBACK, make_toy, poisoned

PLAN = Plan(epochs=2, batch_size=16)
SIZES = (90, 150, 120)


def stack(series, ids=None, **changed) -> Panel:
    """Several series, one below the other."""
    ids = ids or [f"s{k}" for k in range(len(series))]
    bounds = np.cumsum([0, *map(len, series)])
    times = pd.DatetimeIndex(np.concatenate([one.times.to_numpy() for one in series]))
    values = np.concatenate([one.values for one in series])
    panel = Panel("toys", times, values, series[0].columns, blocks=Blocks(tuple(ids), bounds), id="toy")
    return replace(panel, **changed)


def make_panel(sizes=SIZES) -> Panel:
    """Series of these lengths, each in a unit of its own and from a day of its own."""
    made = []
    for seed, steps in enumerate(sizes):
        one = make_toy(steps, seed)
        times = one.times + pd.Timedelta(days=40 * seed)
        made.append(replace(one, times=times, values=one.values * 10.0**seed + 7 * seed))
    return stack(made)


def by_shares(series):
    return split_by_fractions(len(series))


def run(panel, *, models="ridge,trees,rnn", baselines=True, **changed):
    options = {"models": models, "lookback": [LOOKBACK], "horizon": HORIZON, "seeds": 2, "plan": PLAN, "workers": 2}
    return compare(panel, "y", baselines=baselines, **{**options, **changed})


@pytest.fixture(scope="module")
def found():
    return run(make_panel())


# Windows


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 2),
)
def test_windows_of_many_are_those_of_each_and_none_crosses(sizes, lookback, horizon, stride, gap):
    panel = stack([make_toy(max(n, 3), seed).head(n) if n < 3 else make_toy(n, seed) for seed, n in enumerate(sizes)])

    def cut(series):
        return split_by_fractions(len(series), (0.6, 0.2, 0.2), gap)

    try:
        kept, exam, skipped = make_panel_exam(
            panel, "y", cut, lookback=lookback, horizon=horizon, stride=stride, skip_short=True
        )
    except WindowError:
        return
    owner = np.repeat(kept.ids, kept.blocks.sizes)
    parts = {"train": exam.training_origins(lookback), "validation": exam.origins("validation"),
             "test": exam.origins("test")}  # fmt: skip
    for part, origins in parts.items():
        back = lookback if part == "train" else 1
        windows = [range(o - back + 1, o + horizon + 1) for o in origins.tolist()]
        assert all(len(set(owner[list(w)])) == 1 for w in windows)
        # Every window whose targets lie in the part and whose inputs exist, each once: counted one by one.
        expected = []
        for name, start in zip(kept.ids, kept.blocks.bounds.tolist(), strict=False):
            rows = panel.series(name)
            part_rows = cut(rows).parts[part]
            first = max(part_rows.start - 1, back - 1)
            expected += [
                start + o
                for o in range(len(rows))
                if o >= back - 1
                and (o - first) % stride == 0
                and all(o + lead in part_rows for lead in range(1, horizon + 1))
            ]
        assert origins.tolist() == expected
    assert {*kept.ids, *skipped} == set(panel.ids)


def test_every_series_is_seen_and_scaled_as_if_it_were_alone():
    panel = make_panel()
    _, exam, _ = make_panel_exam(panel, "y", by_shares, lookback=LOOKBACK, horizon=HORIZON)
    asked = {"lookback": LOOKBACK, "horizon": HORIZON, "calendar": True}
    view = fit_panel_view(panel, [one.split for one in exam.exams], "y", ("y", "a"), **asked)
    shown = list(each_series(view.show(panel, exam.training_origins(LOOKBACK))))
    assert [name for name, _, _ in shown] == list(panel.ids)
    for (_, _, of_many), series, one in zip(shown, panel.each(), exam.exams, strict=True):
        alone = fit_view(series, one.split, "y", ("y", "a"), **asked).show(series, one.training_origins(LOOKBACK))
        for field in ("inputs", "targets", "origins", "target_mean", "target_scale"):
            assert np.array_equal(getattr(of_many, field), getattr(alone, field)), field
        assert np.array_equal(of_many.gather_lags(), alone.gather_lags())
    # Other series, or the same in another order, are scaled by name.
    turned = stack(list(panel.each())[::-1], panel.ids[::-1])
    last = view.show(turned, np.array([LOOKBACK], dtype=np.int32))
    assert np.array_equal(last.inputs[: SIZES[-1]], view.show(panel, last.origins).inputs[-SIZES[-1] :])
    with pytest.raises(DataError, match="'new' was not among the 3 series"):
        view.show(stack([make_toy()], ["new"]), np.array([9], dtype=np.int32))
    with pytest.raises(DataError, match="fitted on several series"):
        view.show(make_toy(), np.array([9], dtype=np.int32))


def test_a_window_that_would_cross_is_refused():
    panel = make_panel()
    _, exam, _ = make_panel_exam(panel, "y", by_shares, lookback=3)
    view = fit_panel_view(panel, [one.split for one in exam.exams], "y", ("y",), lookback=3)
    begin = SIZES[0]
    view.show(panel, np.array([begin + 2], dtype=np.int32))
    with pytest.raises(WindowError, match="step 2 of series 's1'"):
        view.show(panel, np.array([begin + 1], dtype=np.int32))


def test_a_season_never_reaches_into_another_series():
    """The second series begins with what the first one ends with: reading on would find its season there."""
    season = as_recipe("seasonal(season=7)")
    panel = make_panel((40, 40))
    forecast = run(panel, models=[season], baselines=False, lookback=[1]).forecasts.rows("seasonal(season=7)")
    for place, name in enumerate(panel.ids):
        of_series = run(panel.nth(place), models=[season], baselines=False, lookback=[1]).forecasts
        of_many = forecast[forecast["series"] == name]
        assert np.array_equal(of_many["predicted"], of_series["predicted"])
    (fitted,) = fit_entry(*_unit_of_work(panel, season), [0], lambda *_: None)
    with pytest.raises(WindowError, match="before the first row"):
        fitted.predict(panel, np.array([40 + 3], dtype=np.int32))


def _unit_of_work(panel, recipe):
    study = make_study(panel, "y", models=[recipe], lookback=[1], baselines=False)
    return study.series, study.exam, study.entries[0], study.plan, study.scale


# Poison


def scalers(panel, first=None):
    """Mean and scale of every series, some of them with rows from `first` on replaced."""
    _, exam, _ = make_panel_exam(panel, "y", by_shares, lookback=1)
    view = fit_panel_view(panel, [one.split for one in exam.exams], "y", panel.columns, lookback=1)
    return view.each


def test_what_happens_in_one_series_changes_nothing_in_another(found):
    """Poison one series: scalers and forecasts of models that are fitted a series stay bit-identical in the others."""
    panel = make_panel()
    wild = [panel.nth(0), replace(panel.nth(1), values=panel.nth(1).values ** 2 * 100 + 5), panel.nth(2)]
    poisoned_panel = stack(wild)
    before, after = scalers(panel), scalers(poisoned_panel)
    for one, other in ((before.inputs, after.inputs), (before.target, after.target)):
        assert np.array_equal(one.mean[[0, 2]], other.mean[[0, 2]])
        assert np.array_equal(one.scale[[0, 2]], other.scale[[0, 2]])
        assert not np.array_equal(one.mean[1], other.mean[1])
    changed = run(poisoned_panel, models=[], lookback=[1])
    for entry in ("persistence", "seasonal", "climatology"):
        one, other = (c.forecasts.rows(entry).query("series != 's1'") for c in (found, changed))
        pd.testing.assert_frame_equal(one, other, check_exact=True, check_categorical=False)
        one, other = (c.forecasts.rows(entry).query("series == 's1'") for c in (found, changed))
        assert not np.array_equal(one["predicted"], other["predicted"])
    # Planted: one scaler over all rows would have seen it.
    whole = [input_values(p, p.columns, False).mean(axis=0) for p in (panel, poisoned_panel)]
    assert not np.array_equal(*whole)


def test_what_comes_after_training_changes_no_scaler():
    panel = make_panel()
    late = stack([poisoned(one, by_shares(one).train.stop) for one in panel.each()])
    early = stack([poisoned(one, by_shares(one).train.stop - 1, 1e6) for one in panel.each()])
    for what in ("inputs", "target"):
        one, other, planted = (getattr(scalers(p), what) for p in (panel, late, early))
        assert np.array_equal(one.mean, other.mean)
        assert np.array_equal(one.scale, other.scale)
        assert not np.array_equal(one.mean, planted.mean)


# One model over all


def test_a_panel_of_one_is_the_plain_comparison_to_the_bit():
    alone, panel = (run(s, calendar=True, seeds=3) for s in (make_toy(), stack([make_toy()], ["y"])))
    for entry in alone.leaderboard["entry"]:
        plain = alone.forecasts.query("entry == @entry").drop(columns="entry").reset_index(drop=True)
        many = panel.forecasts.rows(entry).drop(columns=["entry", "series"]).sort_values("seed", kind="stable")
        pd.testing.assert_frame_equal(
            many.reset_index(drop=True), plain, check_exact=True, check_dtype=False, check_categorical=False
        )
        next_ones = (c.predict(entry=entry).drop(columns="series", errors="ignore") for c in (alone, panel))
        pd.testing.assert_frame_equal(*next_ones, check_exact=True)
    pd.testing.assert_frame_equal(panel.leaderboard, alone.leaderboard)
    assert comparison_record(panel)["exam"]["unit"] == ""


def test_a_series_in_another_unit_gives_the_same_errors_in_sd(found):
    panel = make_panel()
    other = [panel.nth(0), replace(panel.nth(1), values=panel.nth(1).values * 1000 - 5e5), panel.nth(2)]
    changed = run(stack(other))
    # Baselines and lines exactly but for rounding; networks read 32 bits, and trees the order of values.
    errors = [c.judge.scores[["val_rmse", "test_rmse"]].to_numpy(float) for c in (found, changed)]
    assert errors[0] == pytest.approx(errors[1], rel=2e-3)
    of = [c.forecasts.series_scores.query("entry == 'ridge_4'").set_index("series") for c in (found, changed)]
    assert (of[1]["test_rmse"] / of[0]["test_rmse"]).tolist() == pytest.approx([1, 1000, 1], rel=1e-6)
    assert (of[1]["sd"] / of[0]["sd"]).tolist() == pytest.approx([1, 1000, 1])


def test_ridge_reaches_the_floor_of_autoregressive_series():
    """One line for 40 series of one law, in 40 units: the best error is that of the shocks."""
    units = 10.0 ** np.linspace(-3, 3, 40)
    made = [autoregressive(250, seed, phi=(0.6, 0.3)) for seed in range(40)]
    panel = stack([replace(one, values=one.values * unit + unit) for one, unit in zip(made, units, strict=True)])
    board = compare(panel, "y", models="ridge", lookback=[1, 2], baselines=False).leaderboard.set_index("entry")
    _, exam, _ = make_panel_exam(panel, "y", by_shares, lookback=2)
    best = math.sqrt(np.mean((units / exam.scales) ** 2))
    assert board.loc["ridge_2", "test_rmse"] == pytest.approx(best, rel=0.04)
    assert board.loc["ridge_1", "test_rmse"] > 1.03 * board.loc["ridge_2", "test_rmse"]


def test_ridge_in_blocks_of_windows_is_ridge(found, monkeypatch):
    def fitted():
        return run(make_panel(), models="ridge", baselines=False).forecasts.rows("ridge_4")["predicted"].to_numpy()

    whole = found.forecasts.rows("ridge_4")["predicted"].to_numpy()
    assert np.array_equal(fitted(), whole)
    for name, value in {"MANY": 100, "NUMBERS": 100, "BLOCK": 500}.items():
        monkeypatch.setattr(ridge, name, value)
    assert fitted() == pytest.approx(whole, rel=1e-9)


def test_of_very_many_windows_trees_learn_from_some(monkeypatch):
    recipe = as_recipe("trees")
    for lags in (1, 90, 32_040):  # as many as are compared on one series today: nothing changes
        assert recipe.windows_read(2**17, lags) == 2**17
    assert recipe.windows_read(800_000, 90) * 90 <= trees.NUMBERS < 800_000 * 90
    monkeypatch.setattr(trees, "MANY", 100)
    monkeypatch.setattr(trees, "NUMBERS", 12 * 60)
    monkeypatch.setattr(trees, "FEWEST", 10)
    found = run(make_panel(), models="trees,ridge", baselines=False)
    assert found.members("trees_4")[0].train_windows == 60
    record = comparison_record(found)["exam"]
    windows = found.members("ridge_4")[0].train_windows
    assert record["series"]["drawn"] == {"trees_4": [60, windows]}
    assert any(f"trees_4 learnt from 60 of its {windows} training windows" in s for s in exam_sentences(record))
    learn = found.members("ridge_4")[0].view.show(make_panel(), found.exam.training_origins(LOOKBACK))
    some, again = (drawn(learn, 50).origins for _ in range(2))
    assert np.array_equal(some, again)
    assert (np.diff(some) > 0).all()
    assert np.isin(some, learn.origins).all()


# Scores


def test_scores_are_those_of_the_rows(found):
    """By pandas, from the forecasts rows: pooled RMSE in sd, that of each series in its unit, one loss a turn."""
    rows = pd.concat(found.forecasts.tables())
    sd = dict(zip(found.series.ids, found.exam.scales, strict=True))
    for place, name in enumerate(found.series.ids):
        seen = found.series.nth(place).column("y")[: found.exam.exams[place].split.train.stop]
        assert sd[name] == pytest.approx(seen.std())
    rows["error"] = rows["predicted"] - rows["actual"]
    rows["scaled"] = rows["error"] / rows["series"].astype(str).map(sd)
    tested = rows[rows["part"] == "test"]
    board = found.leaderboard.set_index("entry")
    for entry, of in tested.groupby("entry", observed=True):
        by_seed = of.groupby("seed")["scaled"].agg(lambda e: math.sqrt((e**2).mean()))
        assert board.loc[entry, "test_rmse"] == pytest.approx(by_seed.mean())
        losses = found.judge.losses("test")[entry]
        pooled = (of["scaled"] ** 2).groupby(of["origin"]).sum()
        assert losses.to_numpy() == pytest.approx(pooled / pooled.sum() * (of["scaled"] ** 2).mean() * len(pooled))
        assert losses.mean() == pytest.approx((of["scaled"] ** 2).mean())
        assert losses.index.equals(pd.DatetimeIndex(pooled.index))
    each = found.forecasts.series_scores.set_index(["entry", "series"])["test_rmse"]
    ridge_rows = tested[tested["entry"] == "ridge_4"]
    by_series = (ridge_rows["error"] ** 2).groupby(ridge_rows["series"], observed=True).mean() ** 0.5
    assert each["ridge_4"].to_numpy() == pytest.approx(by_series.to_numpy())
    assert found.judge.losses("test").mean()["rnn_4"] >= 0


def test_copies_of_a_series_make_no_difference_more_certain():
    """Fifty copies know no more than one; a test that took their errors for independent would be sure of anything."""
    one = make_toy(300)
    two = {"models": "persistence,climatology", "baselines": False, "lookback": [1]}
    alone = run(one, **two).paired("persistence", "climatology")
    copies = run(stack([one] * 50), **two).paired("persistence", "climatology")
    assert (copies.windows, copies.enough) == (alone.windows, alone.enough)
    assert (copies.p, copies.effective) == pytest.approx((alone.p, alone.effective))
    sd = one.column("y")[: by_shares(one).train.stop].std()
    assert copies.difference * sd == pytest.approx(alone.difference)


def test_turns_put_origins_of_one_step_together():
    """Weekly series that begin on different days: one turn a week; and one a stride."""
    weeks = pd.date_range("2020-01-06", periods=60, freq="7D")
    made = [replace(make_toy(60, k), times=weeks + pd.Timedelta(days=k)) for k in range(3)]
    found = run(stack(made), models="ridge", baselines=False)
    assert len(found.judge.losses("test")) == 6 - HORIZON + 1
    strided = run(make_panel((80, 83, 90)), models="ridge", baselines=False, stride=HORIZON)
    assert strided.exam.overlap == 2
    assert len(strided.judge.losses("test")) < len(run(make_panel((80, 83, 90)), models="ridge").judge.losses("test"))


def test_a_missing_forecast_is_a_failure(found):
    broken = {member: dict(of) for member, of in found.forecasts.answers.items()}
    answers = broken["ridge_4", 0]["test"].copy()
    answers[0, 0] = np.nan
    broken["ridge_4", 0]["test"] = answers
    judged = replace(found, forecasts=replace(found.forecasts, answers=broken))
    board = judged.leaderboard.set_index("entry")
    assert board.loc["ridge_4", "test_rmse"] == np.inf
    assert "ridge_4" not in judged.judge.losses("test")
    record = comparison_record(judged)["exam"]["series"]["entries"]["ridge_4"]["test_rmse"]
    assert record.count(None) == 1
    with pytest.raises(ExamError, match="ridge_4, seed 0, must answer a test part"):
        replace(found.forecasts, answers={("ridge_4", 0): {"test": answers[1:], "validation": answers}})


def test_parts_that_were_not_opened_are_nan():
    sheet = Sheet(*(np.zeros(2, int),) * 0, series=np.array([0, 1]), origin=np.array(["2020", "2020"], "M8[D]"),
                  turn=np.array([0, 0]), time=np.array([["2021"], ["2021"]], "M8[D]"), actual=np.array([[1.0], [2.0]]),
                  scale=np.array([1.0, 2.0]))  # fmt: skip
    forecasts = PanelForecasts(("a", "b"), {"validation": sheet}, {("e", 0): {"validation": np.array([[2.0], [4.0]])}})
    assert forecasts.series_scores["val_rmse"].tolist() == [1.0, 2.0]
    assert forecasts.series_scores["test_rmse"].isna().all()
    assert forecasts.turn_losses("validation")["e"].tolist() == [1.0]
    with pytest.raises(ExamError, match="no test forecasts"):
        forecasts.turn_losses("test")
    with pytest.raises(ExamError, match="no forecasts of 'f'"):
        forecasts.rows("f")


# Asking


def test_dates_cut_every_series_at_the_same_time():
    panel = make_panel()
    study = make_study(panel, "y", models="ridge", split=lambda s: split_by_dates(s, "2020-06-20", "2020-07-01"),
                       lookback=[2], skip_short=True)  # fmt: skip
    assert isinstance(study.exam, PanelExam)
    assert study.skipped == ("s0",)  # ends before
    for series, exam in zip(study.series.each(), study.exam.exams, strict=True):
        assert series.times[exam.split.validation.start] == pd.Timestamp("2020-06-20")
        assert series.times[exam.split.test.start] == pd.Timestamp("2020-07-01")
    with pytest.raises(SettingError, match="function that cuts each"):
        make_study(panel, "y", models="ridge", split=split_by_fractions(90))
    cut = make_study(make_toy(), "y", models="ridge", lookback=[2], split=by_shares)
    assert cut.exam == Exam("y", 1, split_by_fractions(150))


def test_a_future_that_another_series_knows_is_said(found):
    """One model over all has seen days that some series are tested on, where they are not cut at one time."""
    ahead = comparison_record(found)["exam"]["series"]["known_ahead"]
    exams = list(zip(found.series.each(), found.exam.exams, strict=True))
    assert ahead["seen_to"] == str(max(s.times[e.split.validation.stop - 1] for s, e in exams))[:10]
    assert ahead["tested_from"] == str(min(s.times[e.split.test.start] for s, e in exams))[:10]
    assert ahead["tested_from"] < ahead["seen_to"]
    assert any("Warning: some series" in s for s in exam_sentences(comparison_record(found)["exam"]))
    at_dates = run(make_panel(), models="ridge", skip_short=True,
                   split=lambda s: split_by_dates(s, "2020-06-20", "2020-07-01"))  # fmt: skip
    assert comparison_record(at_dates)["exam"]["series"]["known_ahead"] is None


def test_series_that_are_too_short_or_constant_are_named():
    flat = replace(make_toy(100, 5), values=np.ones((100, 3)))
    panel = stack([make_toy(100), make_toy(8), make_toy(100, 2), flat], ["a", "short", "c", "flat"])
    with pytest.raises(WindowError, match=r"2 of 4 series are too short .* 'short' \(8 rows\), 'flat' \(100 rows\)"):
        run(panel)
    found = run(panel, models="ridge", skip_short=True)
    assert (found.series.ids, found.study.skipped) == (("a", "c"), ("short", "flat"))
    assert any("Left out" in s and "'short', 'flat'" in s for s in exam_sentences(comparison_record(found)["exam"]))
    with pytest.raises(WindowError, match="4 of 4 series") as error:
        run(panel, lookback=[200], skip_short=True)
    assert "--skip-short" not in str(error.value)
    with pytest.raises(WindowError, match="Its y is 1 in all training rows"):
        run(stack([flat]))


def test_filled_targets_are_neither_learnt_from_nor_scored():
    rows = long_table()
    rows = rows.drop(rows.index[[5, 140]])
    panel = from_frame(rows, id="shop", on_missing="ffill")
    found = run(panel, models="ridge", baselines=False)
    gaps = {("a", panel.series("a").times[5]), ("b", panel.series("b").times[50])}
    scored = {(r.series, r.time) for r in found.forecasts.rows("ridge_4").itertuples()}
    assert not gaps & scored
    assert (
        found.members("ridge_4")[0].train_windows
        < run(from_frame(long_table(), id="shop"), models="ridge", baselines=False).members("ridge_4")[0].train_windows
    )


def test_what_works_on_one_series_says_so():
    panel = make_panel()
    with pytest.raises(SettingError, match="backtest of them is not built"):
        run(panel, folds=2)
    with pytest.raises(SettingError, match="works on one series; toys has 3"):
        memory_profile(panel, "y", models="ridge", lookback=[3])
    with pytest.raises(SettingError, match="works on one series"):
        tune(panel, "y", models="ridge", lookback=[3], trials=2)
    with pytest.raises(SettingError, match="works on one series"):
        backsight.audit_model("ridge", panel, "y")
    with pytest.raises(ExamError, match="sit an exam of many"):
        replace(make_study(panel, "y", models="ridge", lookback=[3]), series=make_toy())


def test_what_is_kept_of_a_fit_is_the_fit_to_the_bit(found):
    """Scales and forecasters of every series, through the bytes of a run folder."""
    origins = found.exam.origins("test")
    for fitted in found.fitted:
        packed = pack(fitted)
        again = unpack(packed, fitted.entry, PLAN)
        assert again.view.each.ids == found.series.ids
        assert np.array_equal(again.predict(found.series, origins), fitted.predict(found.series, origins))
        assert pack(again) == packed
        with pytest.raises(ModelFileError):
            unpack(packed[:-8], fitted.entry, PLAN)


def test_bytes_that_are_no_fit_of_many_series_are_refused(found):
    seasonal = next(f for f in found.fitted if f.entry.name == "climatology")
    values, arrays = {}, {}

    def damaged(**changed):
        note = {**values, "each": {**values["each"], **changed.pop("note", {})}}
        return write_tensors({**arrays, **changed}, note)

    def expect(note):
        values.update(note)
        return expected(_read_note(note), seasonal.entry)

    packed = pack(seasonal)
    arrays |= read_tensors(read_from(packed), len(packed), expect)[1]
    assert damaged() == packed
    sizes, scale = values["each"]["sizes"], arrays["each/target/scale"]
    longer = {"each/arrays/weights": np.append(arrays["each/arrays/weights"], 1.0)}
    twice = np.frombuffer(b'{"names":["s0","s0","s2"]}', dtype=np.uint8)
    for message, changed in {
        "belong to no series": {**longer, "note": {"sizes": {"weights": sizes["weights"] + 1}}},
        "is cut off": {"each/settings/yearly": arrays["each/settings/yearly"] + 1},
        "must be a whole number": {"each/settings/yearly": arrays["each/settings/yearly"] - 9},
        "scales above 0": {"each/target/scale": 0 * scale},
        "no two alike": {"each/names": twice, "note": {"names": len(twice)}},
        "must be float64": {"note": {"series": 4}},
        "can't have -1 numbers": {"note": {"sizes": {"weights": -1}}},
        "one forecaster, or one of each": {"note": {"settings": None}},
    }.items():
        with pytest.raises(ModelFileError, match=message):
            unpack(damaged(**changed), seasonal.entry, PLAN)


def test_what_is_not_made_for_many_series_says_so(found):
    with pytest.raises(SettingError, match="one series"):
        found.calibration("ridge_4")


def test_lookbacks_of_many_series():
    found = lookback_curve(make_panel(), "y", models="ridge", baselines=False, workers=1)
    assert set(found.table["lookback"]) == {1, 2, 3, 7}  # a tenth of the training rows of the middle one
    assert found.recommended in set(found.table["entry"])


def test_next_steps_of_every_series(found):
    rows = found.predict(entry="persistence")
    assert list(rows["series"].cat.categories) == list(found.series.ids)
    for series in found.series.each():
        last = rows[rows["series"] == series.name].iloc[-HORIZON:]
        assert last["predicted"].tolist() == [series.column("y")[-1]] * HORIZON
        assert last["time"].tolist() == [series.times[-1] + pd.Timedelta(days=k) for k in range(1, HORIZON + 1)]
        assert last["actual"].isna().all()
    with pytest.raises(DataError, match="'new' was not among"):
        found.predict(stack([make_toy()], ["new"]), entry="persistence")
    with pytest.raises(WindowError, match="steps to look back on; s1 has 3"):
        found.predict(stack([make_toy(), make_toy(3)], ["s0", "s1"]), entry="ridge_4")


def test_a_series_is_forecast_alike_whoever_stands_beside_it(found):
    """Alone, too: what its model learnt in a unit that all shared is brought back to its own."""
    few = found.series.without(["s0", "s2"])
    for entry in found.leaderboard["entry"]:
        rows = found.predict(entry=entry)
        among = rows[rows["series"] == "s1"].drop(columns="series").reset_index(drop=True)
        alone = found.predict(few, entry=entry).drop(columns="series")
        pd.testing.assert_frame_equal(alone, among, rtol=1e-6)


# Reading


def long_table(**columns) -> pd.DataFrame:
    """Two shops; `a` from 2020, `b` from 2021."""
    tables = []
    for shop, steps in (("a", 90), ("b", 120)):
        one = make_toy(steps, len(tables))
        days = one.times + pd.Timedelta(days=366 * len(tables))
        tables.append(pd.DataFrame({"shop": shop, "day": days, "y": one.column("y"), "x": one.column("a")}))
    return pd.concat(tables, ignore_index=True).assign(**columns)


def test_a_long_table_is_read_whichever_way_its_rows_lie(tmp_path):
    table = long_table()
    panel = from_frame(table, id="shop")
    assert (panel.ids, panel.columns, panel.blocks.bounds.tolist()) == (("a", "b"), ("y", "x"), [0, 90, 210])
    assert panel.series("b").times[0] == pd.Timestamp("2021-01-01")
    mixed = table.sample(frac=1, random_state=0).sort_values("day", kind="stable")
    table.to_csv(tmp_path / "t.csv", index=False)
    table.to_parquet(tmp_path / "t.parquet")
    again = [
        from_frame(mixed, id="shop"),
        from_frame(pd.concat([table.iloc[:100], table.iloc[100:]]), id="shop"),
        from_frame(table.set_index(["shop", "day"]), id="shop"),
        from_frame(table.astype({"shop": "category"}).set_index("day"), id="shop"),
        read_series(tmp_path / "t.csv", id="shop"),
        read_series(tmp_path / "t.parquet", id="shop", name="t"),
        backsight.load(tmp_path / "t.csv", id="shop"),
        Source(str(tmp_path / "t.csv"), id="shop").read(),
    ]
    assert {fingerprint(p) for p in again} == {fingerprint(panel)}
    later = Source(str(tmp_path / "t.csv"), id="shop", first="2020-12-31", rows=10)
    assert later.read().blocks.sizes.tolist() == [0, 10]
    renamed = from_frame(table.replace({"shop": {"a": "c"}}), id="shop")
    assert fingerprint(renamed) != fingerprint(panel)


def test_names_are_text_and_stay_as_they_are(tmp_path):
    lines = ["id,date,y"]
    names = ["007", "7", "2020-01-01", "<script>alert(1)</script>", "NA", "[red]x[/red]", "ümläut, x", "1e5"]
    lines += [f'"{name}",2020-01-{day:02},{day + k}' for k, name in enumerate(names) for day in range(1, 32)]
    path = tmp_path / "names.csv"
    path.write_text("\n".join(lines))
    assert read_series(path, id="id").ids == tuple(names)
    days = [*pd.date_range("2020", periods=3)] * 2
    numbers = pd.DataFrame({"id": [1.0] * 3 + [2.5] * 3, "date": days, "y": range(6)})
    assert from_frame(numbers, id="id").ids == ("1", "2.5")
    of_a_day = numbers.assign(id=pd.Timestamp("2020-01-05")).iloc[:3]
    assert from_frame(of_a_day, id="id", time="date").ids == ("2020-01-05",)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda t: t.rename(columns={"shop": "store"}), ColumnError, "Column 'shop', to tell series by, is not there"),
        (lambda t: t.assign(shop=t["shop"].where(t.index != 7)), DataError, "is empty at row 8"),
        (lambda t: t.assign(shop=t["shop"].where(t.index != 7, "nan")), DataError, "is 'nan' at row 8"),
        (lambda t: t.assign(shop=[1, "1"] * 105), DataError, "read alike, 1 and '1', the second at row 2"),
        (lambda t: pd.concat([t, t.iloc[[89]]]), DataError, r"1 repeated time, first at row 211 \(series 'a'\)"),
        (lambda t: t.iloc[::-1], DataError, r"not in time order: .* at row 2 \(series 'b'\)"),
        (lambda t: t.drop(index=95), DataError, r"1 missing step: .* at row 96 \(series 'b'\)"),
        (lambda t: t.assign(y=t["y"].where(t.index != 95)), DataError, r"first at row 96 \(series 'b'\) in column 'y'"),
        (lambda t: t.iloc[[*range(90), *range(90, 210, 7)]], DataError,
         "Series have different steps: 'b' has one every 7 days.*'a', the longest, every 1 day"),
        (lambda t: t.assign(day=t["day"].where(t.index != 95, t["day"] + pd.Timedelta(hours=3))), DataError,
         r"off that grid|uneven"),
        (lambda t: t.assign(shop=range(210)), DataError, "the longest of 210 series of series, '0', has 1"),
    ],
)  # fmt: skip
def test_bad_tables(change, error, match):
    with pytest.raises(error, match=match):
        from_frame(change(long_table()), id="shop", time="day")


def test_a_hundred_thousand_names_are_no_names_of_series():
    steps = pd.date_range("2020-01-01", periods=100_000, freq="min")
    with pytest.raises(DataError, match=r"the longest of 100,000 series of series, '0', has 1\. Is 'n' the column"):
        from_frame(pd.DataFrame({"n": range(100_000), "time": steps, "y": 1.0}), id="n")


def test_repairs_stay_within_a_series():
    table = long_table()
    holes = table.assign(y=table["y"].where(~table.index.isin([5, 95])))
    panel = from_frame(holes, id="shop", on_missing="ffill")
    assert panel.series("b").column("y")[5] == table["y"][94]
    assert panel.series("a").filled_rows("y") == (5,)
    assert panel.filled_rows("y") == (5, 95)
    with pytest.raises(DataError, match="Series 'b' begins with a missing value in column 'y'"):
        from_frame(table.assign(y=table["y"].where(table.index != 90)), id="shop", on_missing="ffill")
    missing = from_frame(table.drop(index=[95, 96]), id="shop", on_missing="ffill")
    assert missing.blocks.sizes.tolist() == [90, 120]
    twice = pd.concat([table, table.iloc[[209]].assign(y=0.0)])
    kept = from_frame(twice, id="shop", on_duplicate="mean").series("b").column("y")
    assert kept[-1] == table["y"][209] / 2
    assert from_frame(twice, id="shop", on_duplicate="first").values.shape == panel.values.shape


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from(["D", "h", "15min", "MS", "ME", "QS", "B", "7D"]),
    st.lists(st.tuples(st.integers(0, 50), st.integers(2, 30)), min_size=1, max_size=4),
    st.integers(0, 10**6),
)
def test_places_on_the_grid_of_each_are_those_of_it_alone(freq, spans, hole):
    all_times = pd.date_range("2001-01-31", periods=100, freq=freq)
    series = [all_times[begin : begin + steps] for begin, steps in spans]
    gapped = [times.delete(hole % (len(times) - 1) + 1) if len(times) > 2 else times for times in series]
    step = find_step(all_times)
    firsts = np.repeat(np.cumsum([0, *map(len, gapped[:-1])]), [len(t) for t in gapped])
    stacked = pd.DatetimeIndex(np.concatenate([t.to_numpy() for t in gapped]))
    places, off = grid_places(stacked, step, firsts)
    alone = [grid_places(times, step) for times in gapped]
    assert np.array_equal(places, np.concatenate([p for p, _ in alone]))
    assert np.array_equal(off, np.concatenate([o for _, o in alone]))


def test_months_and_business_days():
    months = pd.date_range("2010-01-31", periods=60, freq="ME")
    begins = pd.date_range("2012-03-01", periods=40, freq="MS")
    tables = [pd.DataFrame({"id": name, "date": times, "y": np.arange(len(times)) * 1.0})
              for name, times in (("end", months), ("start", begins))]  # fmt: skip
    assert from_frame(pd.concat(tables), id="id").blocks.sizes.tolist() == [60, 40]
    holed = pd.concat([tables[0], tables[1].drop(index=7)])
    filled = from_frame(holed, id="id", on_missing="ffill").series("start")
    assert filled.times.equals(pd.DatetimeIndex(begins.as_unit("us"), name="time"))
    weekdays = pd.date_range("2020-01-06", periods=30, freq="B")
    short = pd.date_range("2020-01-06", periods=5, freq="B")
    both = pd.concat([pd.DataFrame({"id": n, "date": t, "y": 1.0}) for n, t in (("long", weekdays), ("week", short))])
    assert from_frame(both, id="id").blocks.sizes.tolist() == [30, 5]


def test_parts_of_a_panel():
    panel = make_panel()
    assert panel.without(["s1"]).ids == ("s0", "s2")
    assert np.array_equal(panel.without(["s1"]).series("s2").values, panel.series("s2").values)
    assert panel.head(100).blocks.sizes.tolist() == [90, 100, 100]
    assert panel.select(["y"]).series("s1").columns == ("y",)
    for wrong in (lambda: panel.series("s9"), lambda: panel.without(["s9"]), lambda: panel.without(panel.ids),
                  lambda: panel.head(0), lambda: panel.head(151), lambda: Blocks(("a", "a"), np.array([0, 1, 2])),
                  lambda: Blocks(("a",), np.array([1, 2])), lambda: stack([make_toy()], times=make_toy(9).times),
                  lambda: replace(panel, blocks=Blocks(("a",), np.array([0, 5])))):  # fmt: skip
        with pytest.raises(DataError):
            wrong()


# The program


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    table = pd.concat(
        long_table().assign(shop=lambda t, k=k, s=s: t["shop"] + s, y=lambda t, k=k: t["y"] * 10.0**k)
        for k, s in enumerate(["", "<script>", "[red]"])
    )
    tiny = long_table().iloc[:5].assign(shop="tiny")
    pd.concat([table, tiny]).to_csv(folder / "shops.csv", index=False)
    command = ["compare", str(folder / "shops.csv"), "--id", "shop", "--target", "y", "--models", "ridge", "--lookback",
               "3", "--seeds", "1", "--out", str(folder / "out"), "--json", str(folder / "r.json")]  # fmt: skip
    return folder, command


def test_the_program_from_table_to_files(result, capsys):
    folder, command = result
    assert main(command) == 2
    assert "1 of 7 series are too short for this, or constant: 'tiny' (5 rows)" in capsys.readouterr().err
    assert not (folder / "out").exists()
    assert main([*command, "--skip-short"]) == 0
    said = capsys.readouterr().out
    record = json.loads((folder / "r.json").read_text())["exam"]
    of_series = record["series"]
    assert (of_series["count"], of_series["skipped"], record["unit"]) == (6, ["tiny"], "sd")
    compared = of_series["compared"]
    names = of_series["entries"]
    lower = sum(a < b for a, b in zip(*(names[compared[k]]["test_rmse"] for k in ("first", "second")), strict=True))
    assert compared["lower"] == lower
    assert f"{compared['first']} has a lower test RMSE than {compared['second']} on {lower} of 6 series." in said
    assert "b<script>" in said
    assert "a[red]" in said
    assert "'tiny'" in said
    page = (folder / "out" / "report.html").read_text()
    assert "Series by series" in page
    assert "b&lt;script&gt;" in page
    assert "b<script>" not in page
    drawn = charts_of(read_stored(folder / "out"))
    assert set(drawn) <= set(NAMES) and len(drawn["series"]) == 3 and page.count(": forecast and what came") >= 3
    gains = sorted(of_series["names"], key=lambda n: np.divide(*(
        names[compared[k]]["test_rmse"][of_series["names"].index(n)] for k in ("first", "second"))))  # fmt: skip
    assert told_series(record) == [gains[0], gains[3], gains[5]]
    shown = pd.read_parquet(folder / "out" / "forecasts.parquet").query("part == 'test'")
    shown = shown[(shown["series"] == gains[0]) & (shown["entry"] == record["recommended"])]
    (line,) = (m for m in drawn["series"][0].marks if getattr(m, "label", "") == record["recommended"])
    assert line.y.tolist() == shown["predicted"].tolist()
    (band,) = (m for m in drawn["series"][0].marks if type(m).__name__ == "Band")
    ends = pd.read_parquet(folder / "out" / "intervals.parquet").query("series == @gains[0]")
    assert (band.low.tolist(), band.high.tolist()) == (ends["lower"].tolist(), ends["upper"].tolist())
    rows = pd.read_csv(folder / "out" / "series.csv")
    assert len(rows) == 6 * len(names)
    ridge_rows = rows[rows["entry"] == "ridge_3"]
    assert ridge_rows["series"].tolist() == of_series["names"]
    assert ridge_rows["test_rmse"].tolist() == pytest.approx(names["ridge_3"]["test_rmse"])
    forecasts = pd.read_parquet(folder / "out" / "forecasts.parquet")
    of_ridge = forecasts.query("entry == 'ridge_3' and part == 'test'")
    errors = (of_ridge["predicted"] - of_ridge["actual"]) ** 2
    assert errors.groupby(of_ridge["series"], observed=True).mean().pow(0.5).to_dict() == pytest.approx(
        dict(zip(of_series["names"], names["ridge_3"]["test_rmse"], strict=True))
    )


def test_a_run_of_many_series_is_read_again(result, capsys):
    folder, command = result
    assert main([*command, "--skip-short"]) == 0
    study = read_study(folder / "out")
    again = examine(replace(study, entries=tuple(e for e in study.entries if e.name == "ridge_3")))
    stored = pd.read_parquet(folder / "out" / "forecasts.parquet").query("entry == 'ridge_3'")
    assert np.array_equal(again.forecasts.rows("ridge_3")["predicted"], stored["predicted"])
    assert study.skipped == ("tiny",)
    capsys.readouterr()
    assert main(["memory", str(folder / "out")]) == 2
    assert "This works on one series; shops has 6" in capsys.readouterr().err
    record = json.loads((folder / "out" / "run.json").read_text())
    for part, wrong in (("train", [0, 9]), ("test", record["exam"]["test"][:2]), ("validation", [])):
        told = {**record, "exam": {**record["exam"], part: wrong}}
        (folder / "out" / "run.json").write_text(json.dumps(told))
        with pytest.raises(SettingError, match=f"{part} part of the run|exam {part}"):
            read_study(folder / "out")
    (folder / "out" / "run.json").write_text(json.dumps(record))
    path = folder / "shops.csv"
    path.write_text(path.read_text().replace("a<script>", "c<script>"))
    with pytest.raises(DataError, match="has changed since"):
        read_study(folder / "out")


def test_a_run_of_many_series_goes_on_where_it_was(result):
    folder, command = result
    assert main([*command[:-4], "--out", str(folder / "again"), "--skip-short"]) == 0
    ledger = folder / "again" / "ledger.jsonl"
    lines = ledger.read_text().splitlines()
    ledger.write_text("\n".join(lines[:3]) + "\n")  # as if it had been killed after three fits
    wanted = (folder / "again" / "leaderboard.csv").read_bytes()
    (folder / "again" / "leaderboard.csv").unlink()
    assert main(["resume", str(folder / "again")]) == 0
    assert (folder / "again" / "leaderboard.csv").read_bytes() == wanted
    assert ledger.read_text().splitlines()[:3] == lines[:3]


@pytest.mark.parametrize("command", ["tune", "memory lstm", "audit", "lesson"])
def test_id_is_refused_where_it_is_not_natural(command, capsys):
    assert main([*command.split(), "x.csv", "--id", "shop"][:10]) == 2
    told = capsys.readouterr().err
    assert "--id, for many series, is an option of compare and lookback" in told
    assert "forecast needs no --id" in told


def test_skipping_needs_many_series(capsys):
    assert main(["compare", "seattle", "--target", "temp_max", "--skip-short"]) == 2
    assert "--skip-short leaves out some of many series" in capsys.readouterr().err
