"""Networks that learn quantiles: the loss against another library, a known distribution, and all that follows."""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import mean_pinball_loss

from backsight.errors import ModelFileError, RecipeError, SettingError
from backsight.evaluation.exam import Exam
from backsight.evaluation.intervals import ADAPTIVE, centred, examined, score
from backsight.evaluation.leaks import change_after_origin, poison_after_training, poison_after_validation
from backsight.models.frozen import check_specs, specs_of
from backsight.models.registry import as_recipe
from backsight.report.intervals import exam_intervals
from backsight.report.output import interval_files
from backsight.report.sentences import exam_sentences
from backsight.runs.compare import compare
from backsight.runs.record import exam_record
from backsight.series.series import Series
from backsight.training.losses import error_sums, in_order, pinball, point
from backsight.training.plan import Plan
from backsight.training.watch import Watch
from backsight.windows.split import split_by_fractions
from backsight.windows.windows import with_inputs
from conftest import HORIZON, LOOKBACK, STEPS, make_toy
from laws import toy_case, views
from test_checkpoints import CutOff, InMemory, assert_same_bits, cut_off_after, ignore
from test_recipes import own_for_any_horizon, own_network

QUANTILES = (0.05, 0.5, 0.95)
PLAN = Plan(epochs=4, batch_size=16, patience=2, loss="quantile")
SHAPE = (LOOKBACK, 3, HORIZON)


def fit(name, plan=PLAN, seed=0):
    learn, check, _ = views(make_toy())
    return as_recipe(name).fit(learn, check, plan, seed)


# The loss.


def test_the_loss_is_that_of_another_library():
    rng = np.random.default_rng(0)
    outputs, truth = (rng.standard_normal((50, width)).astype(np.float32) for width in (6, 2))
    losses = np.asarray(pinball(outputs, truth, QUANTILES))
    assert losses.shape == (50, 2, 3)
    for place, quantile in enumerate(QUANTILES):
        for lead in range(2):
            theirs = mean_pinball_loss(truth[:, lead], outputs.reshape(50, 2, 3)[:, lead, place], alpha=quantile)
            assert losses[:, lead, place].mean() == pytest.approx(theirs, rel=1e-5)


def test_sums_leave_out_what_fills_a_batch_up():
    rng = np.random.default_rng(0)
    outputs, truth = rng.standard_normal((5, 6)).astype(np.float32), rng.standard_normal((5, 2)).astype(np.float32)
    weights = np.array([1, 1, 1, 0, 0], dtype=np.float32)
    learnt, squared = error_sums(outputs, truth, weights, QUANTILES)
    assert learnt == pytest.approx(
        np.sum(np.asarray(pinball(outputs, truth, QUANTILES))[:3].mean(axis=(1, 2))), rel=1e-5
    )
    medians = np.sort(outputs.reshape(5, 2, 3), axis=2)[:, :, 1]
    assert squared == pytest.approx(np.sum(((medians - truth) ** 2)[:3].mean(axis=1)), rel=1e-5)
    (only,) = error_sums(outputs[:, :2], truth, weights, ())
    assert only == pytest.approx(np.sum(((outputs[:, :2] - truth) ** 2)[:3].mean(axis=1)), rel=1e-5)


def test_quantiles_that_cross_are_put_in_order():
    outputs = np.array([[3.0, 1.0, 2.0, -1.0, -2.0, -3.0]])
    assert np.asarray(in_order(outputs, 2, QUANTILES)).tolist() == [[[1, 2, 3], [-3, -2, -1]]]
    assert np.asarray(point(outputs, 2, QUANTILES)).tolist() == [[2, -2]]
    assert point(outputs, 6, ()) is outputs


# The plan.


@pytest.mark.parametrize(
    "quantiles", [(), (0.5,), (0.1, 0.9), (0.1, 0.4, 0.9), (0.9, 0.5, 0.1), (0.1, 0.5, 0.5, 0.5, 0.9), (0, 0.5, 1)]
)
def test_quantiles_rise_around_the_median(quantiles):
    with pytest.raises(SettingError, match="planned"):
        Plan(loss="quantile", quantiles=quantiles)


def test_a_plan_goes_through_json_and_squared_ones_learn_no_quantiles():
    plan = Plan(loss="quantile", quantiles=[0.1, 0.25, 0.5, 0.75, 0.9])
    assert Plan(**asdict(plan)) == plan
    assert plan.learnt_quantiles == (0.1, 0.25, 0.5, 0.75, 0.9)
    assert Plan(quantiles=QUANTILES).learnt_quantiles == ()


def test_the_pinball_loss_is_watched_and_the_rmse_is_told():
    watch = Watch(Plan(patience=2, loss="quantile"), scale=10.0)
    losses = [(4.0, 9.0, 0.4, 0.3), (1.0, 1.0, 0.3, 0.2), (1.0, 0.25, 0.2, 0.25), (1.0, 0.25, 0.1, 0.25)]
    assert [watch.note(*of_epoch) for of_epoch in losses] == [True, True, False, False]
    assert watch.stopped
    assert watch.history.kept_epoch == 2, "the lowest RMSE came later"
    assert watch.history.val_rmse == (30.0, 10.0, 5.0, 5.0)
    assert watch.history.val_pinball == (3.0, 2.0, 2.5, 2.5)
    assert watch.event.best_val_rmse == 5.0
    again = Watch(Plan(patience=2, loss="quantile"), scale=10.0)
    again.note_all(watch.losses)
    assert again.history == watch.history


# A distribution that is known.


def noisy(steps, seed=0):
    """y[t+1] = 2 a[t] + (0.5 + b[t]) e[t+1], with e exponential less its median: skewed, and of changing width."""
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-1, 1, steps), rng.uniform(0, 1, steps)
    y = np.zeros(steps)
    y[1:] = 2 * a[:-1] + (0.5 + b[:-1]) * (rng.exponential(1.0, steps - 1) - np.log(2))
    times = pd.date_range("2000-01-01", periods=steps, freq="D", name="time")
    return Series("noisy", times, np.column_stack([y, a, b]), ("y", "a", "b"))


@pytest.fixture(scope="module")
def known():
    """One network on a known distribution, and ridge beside it."""
    plan = Plan(loss="quantile", patience=5, epochs=60, learning_rate=0.01)
    series = noisy(4000)
    split = split_by_fractions(len(series), (0.6, 0.2, 0.2))
    return compare(
        series, "y", features=["a", "b"], models=["dense(units=16)", "ridge"], lookback=[1], seeds=2,
        plan=plan, baselines=False, split=split,
    )  # fmt: skip


def test_a_network_finds_known_quantiles(known):
    series, origins = known.series, known.exam.origins("test")
    fitted = known.members("dense(units=16)_1")[0]
    windows = fitted.view.show(series, origins)
    low, high = fitted.forecaster.predict_band(windows)
    a, b = (series.column(name)[origins] for name in ("a", "b"))
    for found, quantile in ((low, 0.05), (fitted.predict(series, origins), 0.5), (high, 0.95)):
        truth = 2 * a + (0.5 + b) * (-np.log(1 - quantile) - np.log(2))
        assert np.abs(found[:, 0] - truth).mean() < 0.25
        assert np.corrcoef(found[:, 0], truth)[0, 1] > 0.95
    assert (low <= high).all()


def test_what_it_tells_is_what_its_forecasts_have(known):
    fitted = known.members("dense(units=16)_1")[0]
    history = fitted.forecaster.history
    rows = fitted.sit(known.series, known.exam, "validation")
    kept = history.kept_epoch - 1
    assert history.kept_epoch == np.argmin(history.val_pinball) + 1
    assert history.val_rmse[kept] == pytest.approx(
        np.sqrt(np.mean((rows["actual"] - rows["predicted"]) ** 2)), rel=1e-4
    )
    losses = [
        mean_pinball_loss(rows["actual"], rows[column], alpha=quantile)
        for column, quantile in zip(("low", "predicted", "high"), QUANTILES, strict=True)
    ]
    assert history.val_pinball[kept] == pytest.approx(np.mean(losses), rel=1e-3)
    assert {"train_pinball", "val_pinball"} <= set(known.histories.columns)


def test_intervals_from_quantiles_hold_as_much_and_are_better(known):
    found = {}
    for name in ("dense(units=16)_1", "ridge_1"):
        rows = known.intervals(name)
        found[name] = score(rows, 0.9)
        assert found[name].coverage == pytest.approx(0.9, abs=0.035)
        assert score(rows, 0.9, ADAPTIVE).coverage == pytest.approx(0.9, abs=0.02)
        # Where noise is wide, intervals must be: those of one number hold too little there.
        b = pd.Series(known.series.column("b"), known.series.times)[rows["origin"]].to_numpy()
        held = (rows["lower"] <= rows["actual"]) & (rows["actual"] <= rows["upper"])
        found[name] = (found[name].score, held[b > 0.7].mean())
    assert found["dense(units=16)_1"][0] < 0.95 * found["ridge_1"][0]
    assert found["dense(units=16)_1"][1] > 0.86 > found["ridge_1"][1]


def test_seeds_have_one_centre_and_are_shown_apart(known):
    entry = "dense(units=16)_1"
    rows, ensemble = known.intervals(entry), known.forecasts[known.forecasts["entry"] == f"{entry} ensemble"]
    pd.testing.assert_frame_equal(known.intervals(f"{entry} ensemble"), rows)
    test = ensemble[ensemble["part"] == "test"]
    np.testing.assert_allclose(rows["predicted"], test["predicted"])
    np.testing.assert_allclose(rows["low"], test["low"])
    of_seeds = known.forecasts[(known.forecasts["entry"] == entry) & (known.forecasts["part"] == "test")]
    spread = of_seeds.pivot_table(index="origin", columns="seed", values="predicted").std(axis=1)
    np.testing.assert_allclose(rows["seed_sd"], spread)
    assert known.intervals("ridge_1")["seed_sd"].isna().all()
    assert "low" not in known.intervals("ridge_1"), "ridge says one number"


def test_the_record_and_its_sentence(known):
    record = exam_record(known)
    taken = next(e for e in record["entries"] if e["name"] == record["recommended"])["intervals"]
    assert (taken["level"], taken["errors"], taken["needed"], taken["leads"]) == (0.9, 800, 19, [])
    by_hand = score(known.intervals(), 0.9)
    assert taken["fixed"]["coverage"] == by_hand.coverage
    said = next(s for s in exam_sentences(record) if "intervals" in s)
    assert said.startswith(f"90 % intervals from the validation errors of {record['recommended']} held")
    assert f"{100 * by_hand.coverage:.1f} %" in said
    assert "of 800 test values" in said


def test_every_origin_has_a_band_and_the_last_one_an_interval(known):
    entry = "dense(units=16)_1"
    rows = known.predict(entry=entry)
    assert (rows["low"] <= rows["predicted"]).all()
    assert (rows["seed_sd"] > 0).all()
    last, calibration = rows.iloc[-1], known.calibration(entry)
    low, high = calibration.interval(last["predicted"], 1, band=(last["low"], last["high"]))
    assert low < last["predicted"] < high
    first = examined(centred(known.forecasts[known.forecasts["entry"] == entry])).iloc[0]
    assert calibration.interval(first["predicted"], 1, band=(first["low"], first["high"])) == pytest.approx(
        (first["lower"], first["upper"])
    )


# Everything else that a network can do.


@pytest.mark.parametrize("name", ["dense", "lstm(units=3)"])
def test_laws_hold_with_quantiles(name):
    case = toy_case(as_recipe(name))
    blind, choosing = (replace(plan, loss="quantile") for plan in (case.blind, case.choosing))
    case = replace(case, blind=blind, choosing=choosing)
    for law in (poison_after_training, poison_after_validation, change_after_origin):
        trials = law(case)
        assert trials
        assert not [trial.leak for trial in trials if trial.leak]


@pytest.mark.parametrize("seeds", [[1], [0, 1, 2]], ids=["alone", "together"])
def test_a_training_goes_on_to_the_bit(seeds):
    learn, check, _ = views(make_toy())
    recipe, kept = as_recipe("dense(units=4,dropout=0.3)"), InMemory()
    plan = replace(PLAN, epochs=6, patience=6)
    whole = recipe.fit_together(learn, check, plan, seeds, ignore)
    with pytest.raises(CutOff):
        recipe.fit_together(learn, check, plan, seeds, cut_off_after(2), kept)
    for one, other in zip(recipe.fit_together(learn, check, plan, seeds, ignore, kept), whole, strict=True):
        assert_same_bits(one, other)
        assert one.history.val_pinball


def test_seeds_trained_together_are_as_if_alone():
    learn, check, _ = views(make_toy())
    together = as_recipe("dense").fit_together(learn, check, PLAN, [0, 1, 2], ignore)
    for seed, one in enumerate(together):
        alone = fit("dense", seed=seed)
        np.testing.assert_allclose(one.history.val_pinball, alone.history.val_pinball, rtol=1e-5)
        np.testing.assert_allclose(one.history.val_rmse, alone.history.val_rmse, rtol=1e-5)
        assert one.history.kept_epoch == alone.history.kept_epoch


@pytest.mark.parametrize("name", ["dense", "lstm(units=3)", own_for_any_horizon])
def test_thawed_is_fitted_to_the_bit(name):
    before, windows = fit(name), views(make_toy())[2]
    recipe, frozen = as_recipe(name), before.freeze()
    check_specs(specs_of(frozen.arrays), recipe.expected(*SHAPE, frozen.settings))
    after = recipe.thaw(frozen, *SHAPE, PLAN)
    assert after.history == before.history
    for ours, theirs in zip(after.predict_band(windows), before.predict_band(windows), strict=True):
        assert ours.tobytes() == theirs.tobytes()
    with pytest.raises(ModelFileError, match="quantiles are not those of its plan"):
        recipe.thaw(frozen, *SHAPE, Plan())


def test_functions_of_ones_own_take_the_outputs_as_their_horizon():
    fitted = fit(own_for_any_horizon)
    assert fitted.predict_band(views(make_toy())[2])[0].shape[1] == HORIZON
    with pytest.raises(RecipeError, match="with the quantile loss it counts the quantiles too"):
        fit(own_network)


def test_slopes_are_those_of_the_median():
    fitted, windows = fit("dense"), views(make_toy())[2]
    slopes, small = fitted.mean_slopes(windows), 1e-2
    moved = []
    for step in range(LOOKBACK):
        for column in range(3):
            shifted = []
            for sign in (-1, 1):
                inputs = windows.gather_inputs()
                inputs[:, step, column] += sign * small
                shifted.append(fitted.predict(with_inputs(windows, inputs)))
            moved.append(np.abs(shifted[1] - shifted[0]).mean() / (2 * small))
    np.testing.assert_allclose(slopes.ravel(), moved, rtol=0.05, atol=0.02)


def test_squared_and_quantile_networks_share_no_program():
    learn, _, _ = views(make_toy())
    quantile, squared = fit("dense"), fit("dense", replace(PLAN, loss="squared"))
    assert quantile.program is not squared.program
    assert (quantile.program.outputs, squared.program.outputs) == (3 * learn.horizon, learn.horizon)
    assert squared.history.val_pinball == ()
    assert squared.predict_band(learn) is None


def test_a_backtest_begins_anew_in_each_fold():
    found = compare(
        make_toy(400), "y", models=["dense(units=4)"], lookback=[2], seeds=1, plan=PLAN, folds=3, baselines=False,
        split=split_by_fractions(400, (0.6, 0.2, 0.2)),
    )  # fmt: skip
    rows = found.intervals("dense(units=4)_2")
    forecasts = found.forecasts[found.forecasts["entry"] == "dense(units=4)_2"]
    for fold in (1, 2, 3):
        alone = examined(centred(forecasts[forecasts["fold"] == fold].drop(columns="fold")))
        ours = rows[rows["fold"] == fold].drop(columns="fold").reset_index(drop=True)
        pd.testing.assert_frame_equal(ours, alone)
    record = exam_record(found)["entries"][0]["intervals"]
    assert (record["errors"], record["fixed"]["forecasts"]) == (80, 240)


def test_an_exam_too_short_for_intervals_says_so():
    found = compare(make_toy(), "y", models=["ridge"], lookback=[2], seeds=1, baselines=False)
    assert len(found.exam.origins("validation")) < 19
    record = exam_record(found)
    assert record["entries"][0]["intervals"]["fixed"]["width"] is None
    assert "There are no 90 % intervals around forecasts of ridge_2: they need 19" in " ".join(exam_sentences(record))
    assert np.isinf(found.intervals()["lower"]).all()
    assert Exam("y", 1, split_by_fractions(STEPS)) == found.exam


def test_levels_that_are_no_share_are_refused():
    found = compare(make_toy(), "y", models=["ridge"], lookback=[2], seeds=1, baselines=False)
    with pytest.raises(SettingError, match="between 0 and 1"):
        found.intervals(level=90)
    assert np.isfinite(found.intervals(level=0.8)["lower"]).all()


def test_the_files_hold_what_python_gives(tmp_path):
    found = compare(make_toy(300), "y", models=["ridge"], lookback=[2], horizon=3, seeds=1)
    record = exam_record(found)
    for name, write in interval_files(exam_intervals(record), record["recommended"], found.forecasts).items():
        write(tmp_path / name)
    rows = pd.read_csv(tmp_path / "intervals.csv", parse_dates=["origin", "time"])
    assert set(rows.pop("entry")) == {record["recommended"]}
    pd.testing.assert_frame_equal(rows, found.intervals(), check_dtype=False)
    coverage = pd.read_csv(tmp_path / "coverage.csv")
    assert len(coverage) == len(record["entries"]) * (1 + 3) * 2
    of_taken = coverage[(coverage["entry"] == record["recommended"]) & (coverage["intervals"] == "adaptive")]
    assert of_taken["lead"].tolist() == ["all", "1", "2", "3"]
    by_hand = [score(found.intervals(), 0.9, ADAPTIVE)]
    by_hand += [score(rows[rows["lead"] == lead], 0.9, ADAPTIVE) for lead in (1, 2, 3)]
    np.testing.assert_allclose(of_taken["score"], [one.score for one in by_hand])
    np.testing.assert_allclose(of_taken["coverage"], [one.coverage for one in by_hand])
