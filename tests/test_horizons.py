"""Several steps ahead: recursion against closed forms and a plain loop, errors by lead against the leaderboard's."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import backsight
from backsight.cli.main import main
from backsight.errors import RecipeError, SettingError, WindowError
from backsight.evaluation.exam import Exam
from backsight.evaluation.leaderboard import seed_scores
from backsight.evaluation.leads import Leads
from backsight.evaluation.leaks import Case, audit_case
from backsight.evaluation.significance import paired_test
from backsight.models.recipe import Forecaster
from backsight.models.recursive import CHUNK, Recursive, RecursiveForecaster
from backsight.models.registry import (
    RECIPES,
    as_recipe,
    given_settings,
    recipe_from_json,
    recipe_name,
    recipe_to_json,
    simplicity,
    split_models,
)
from backsight.report.leads import leads_sentences, show_references
from backsight.runs.compare import compare
from backsight.runs.packed import pack, unpack
from backsight.runs.study import make_study
from backsight.series.frequency import times_after
from backsight.series.series import Series
from backsight.training.plan import Plan
from backsight.windows.onward import lay_out, observe
from backsight.windows.split import split_by_fractions
from backsight.windows.windows import fit_view, with_inputs
from conftest import make_toy
from laws import BLIND

PLAN = Plan(epochs=2, batch_size=16)


def one_column(values, start="2020-01-01", freq="D"):
    times = pd.date_range(start, periods=len(values), freq=freq, name="time")
    return Series("own", times, np.asarray(values, dtype=float)[:, None], ("y",))


def fitted(recipe, series, lookback=3, horizon=4, calendar=False, plan=PLAN):
    """A forecaster, its view, and the windows of all origins."""
    split = split_by_fractions(len(series))
    exam = Exam("y", horizon, split)
    view = fit_view(series, split, "y", ("y",), lookback=lookback, horizon=horizon, calendar=calendar)
    learn = view.show(series, exam.training_origins(lookback))
    forecaster = as_recipe(recipe).fit(learn, learn.at(exam.origins("validation")), plan, 0)
    return forecaster, view, learn.at(np.arange(lookback - 1, len(series), dtype=np.int32))


@pytest.mark.parametrize("share", [0.9, -0.8])
def test_recursion_of_a_line_is_a_power(share):
    """x(t+1) = share x(t) and no noise: a line forecasts share^h x(t), however far ahead."""
    starts = np.random.default_rng(0).standard_normal(40)
    values = (starts[:, None] * share ** np.arange(6)).ravel()  # forty decays of six steps
    series = one_column(values)
    split = split_by_fractions(len(series))
    view = fit_view(series, split, "y", ("y",), lookback=1, horizon=5, scale="none")
    within = np.arange(0, 180, 6, dtype=np.int32)  # the first step of each decay
    learn = view.show(series, within)
    forecaster = as_recipe("recursive(ridge(penalty=1e-9))").fit(learn, learn, PLAN, 0)
    forecasts = forecaster.predict(learn)
    expected = series.values[within] * share ** np.arange(1, 6)
    np.testing.assert_allclose(forecasts, expected, atol=1e-6)
    assert forecaster.parameters == 2


def test_recursion_of_a_recurrence_of_two_steps_goes_on_for_ever():
    """A sine obeys x(t+1) = 2 cos(w) x(t) - x(t-1): forecasts a hundred steps ahead stay on it."""
    wave = np.sin(0.3 * np.arange(400))
    forecaster, _, windows = fitted("recursive(ridge(penalty=1e-9))", one_column(wave), lookback=2, horizon=4)
    far = replace(windows, horizon=100).at(np.array([50, 399], dtype=np.int32))
    expected = np.sin(0.3 * (far.origins[:, None] + np.arange(1, 101)))
    np.testing.assert_allclose(forecaster.predict(far), expected, atol=2e-3)


def by_hand(base, view, series, origin, horizon):
    """One window: forecast a step, write it into a copy of the series, forecast the next."""
    values, times = series.values[: origin + 1], series.times[: origin + 1]
    leads = []
    for _ in range(horizon):
        so_far = Series("so far", times, values, series.columns)
        windows = replace(view, horizon=1).show(so_far, np.array([len(values) - 1], dtype=np.int32))
        leads.append(base.predict(windows)[0, 0])
        values = np.vstack([values, [leads[-1]]])
        times = times.append(times_after(times, 1))
    return leads


@pytest.mark.parametrize("calendar", [False, True])
@pytest.mark.parametrize("model", ["ridge", "trees", "lstm"])
def test_recursion_is_the_loop_that_anybody_would_write(model, calendar):
    series = one_column(make_toy(300).column("y"))
    forecaster, view, windows = fitted(f"recursive({model})", series, lookback=4, horizon=6, calendar=calendar)
    together = forecaster.predict(windows)
    for origin in (3, 150, 297, 299):
        place = origin - 3
        expected = by_hand(forecaster.base, view, series, origin, 6)
        np.testing.assert_array_equal(together[place], expected)


@pytest.mark.parametrize("freq", ["h", "B", "ME", "YS"])
def test_the_calendar_goes_on_at_every_frequency(freq):
    series = one_column(make_toy(120).column("y"), start="2001-01-31", freq=freq)
    forecaster, view, windows = fitted("recursive(ridge)", series, lookback=2, horizon=5, calendar=True)
    for origin in (60, 118, 119):
        expected = by_hand(forecaster.base, view, series, origin, 5)
        np.testing.assert_array_equal(forecaster.predict(windows)[origin - 1], expected)


@pytest.mark.parametrize("model", ["ridge", "trees", "lstm"])
def test_one_step_ahead_recursion_changes_nothing(model):
    series = one_column(make_toy(200).column("y"))
    direct, _, windows = fitted(model, series, horizon=1)
    recursive, _, _ = fitted(f"recursive({model})", series, horizon=1)
    np.testing.assert_array_equal(direct.predict(windows), recursive.predict(windows))
    assert (direct.parameters, direct.history) == (recursive.parameters, recursive.history)


def test_forecasts_do_not_depend_on_chunks_or_company():
    series = one_column(make_toy(2 * CHUNK + 90).column("y"))
    forecaster, _, windows = fitted("recursive(lstm(units=3))", series, plan=Plan(epochs=1))
    together = forecaster.predict(windows)
    assert together.shape == (len(windows), 4)
    for some in (slice(0, 1), slice(CHUNK - 1, CHUNK + 2), slice(40, 40 + CHUNK)):
        np.testing.assert_array_equal(forecaster.predict(windows.at(windows.origins[some])), together[some])
    assert forecaster.predict(windows.at(windows.origins[:0])).shape == (0, 4)


def test_windows_taken_out_of_their_series_go_on_in_their_own_time():
    """As a memory profile asks: other windows laid end to end."""
    series = one_column(make_toy(300).column("y"))
    forecaster, _, windows = fitted("recursive(ridge)", series, calendar=True)
    apart = with_inputs(windows, windows.gather_inputs())
    np.testing.assert_array_equal(forecaster.predict(apart), forecaster.predict(windows))


class Peeking(Forecaster):
    """Reads one step past the origin."""

    def predict(self, windows):
        return windows.targets[np.minimum(windows.origins + 1, len(windows.targets) - 1)][:, None]


def test_what_is_not_known_yet_is_no_number():
    """Planted: a base that reads the step after its origin forecasts nothing from the second lead on."""
    _, _, windows = fitted("ridge", one_column(make_toy().column("y")))
    forecasts = RecursiveForecaster(Peeking()).predict(windows.at(windows.origins[:-4]))
    assert np.isfinite(forecasts[:, 0]).all()
    assert np.isnan(forecasts[:, 1]).all()
    laid = lay_out(windows, 3)
    assert np.isnan(laid.inputs.reshape(len(windows), 6, 1)[:, 3:]).all()
    one = observe(laid, np.full((len(windows), 1), 7.0))
    assert np.array_equal(one.targets[one.origins], np.full(len(windows), 7.0))
    assert np.isnan(one.targets[one.origins + 1]).all()


def test_a_recursive_model_passes_the_leak_audit_with_the_calendar():
    series = make_toy()
    exam = Exam("y", 3, split_by_fractions(len(series)))
    case = Case(as_recipe("recursive(lstm)"), series, exam, ("y",), 4, calendar=True, blind=BLIND)
    assert audit_case(case).leaks == ()


def test_what_a_recursive_model_can_not_read_is_named():
    with pytest.raises(RecipeError, match=r"reads y alone.*would read a, b\. Name the features \(y\)"):
        make_study(make_toy(), "y", models="recursive(ridge)", horizon=2)
    with pytest.raises(RecipeError, match="would not read it"):
        make_study(make_toy(), "y", features=[], models="recursive(ridge)", horizon=2, calendar=True)
    with pytest.raises(RecipeError, match="reads a alone"):
        backsight.audit_model("recursive(ridge)", make_toy(), "a")
    learn = fit_view(make_toy(), split_by_fractions(150), "y", ("y", "a"), lookback=2, horizon=2)
    windows = learn.show(make_toy(), np.arange(5, 90, dtype=np.int32))
    with pytest.raises(RecipeError, match="own past alone"):
        as_recipe("recursive(ridge)").fit(windows, windows, PLAN, 0)
    with pytest.raises(WindowError, match="these read other columns"):
        lay_out(windows, 2)


@pytest.mark.parametrize("text", ["recursive(persistence)", "recursive(recursive(ridge))", "recursive()", "recursive"])
def test_what_can_not_be_made_recursive_is_refused(text):
    with pytest.raises(RecipeError):
        as_recipe(text)


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.reads_window])
def test_names_and_json_of_recursive_models_go_both_ways(name):
    recipe = Recursive(RECIPES[name])
    assert recipe_name(recipe) == f"recursive({name})"
    assert as_recipe(f" Recursive( {name} )") == as_recipe(recipe_name(recipe)) == recipe
    assert recipe_from_json(recipe_to_json(recipe)) == recipe
    assert (recipe.random, recipe.stage) == (RECIPES[name].random, RECIPES[name].stage)
    assert simplicity(RECIPES[name]) < simplicity(recipe) <= simplicity(RECIPES[name]) + 1


def test_settings_of_recursive_models_are_those_of_the_base():
    named = "recursive(lstm(units=7,dropout=0.1)),ridge,recursive(gru)"
    assert split_models(named) == ["recursive(lstm(units=7,dropout=0.1))", "ridge", "recursive(gru)"]
    assert given_settings(split_models(named)[0]) == {"units", "dropout"}
    study = make_study(
        make_toy(), "y", features=["y"], models=named, lookback=[2], horizon=2, dropout=[0, 0.3], baselines=False
    )
    assert [entry.name for entry in study.entries] == [
        "recursive(lstm(units=7))_2", "recursive(lstm(units=7,dropout=0.3))_2", "ridge_2", "recursive(gru)_2",
        "recursive(gru(dropout=0.3))_2",
    ]  # fmt: skip


@pytest.mark.parametrize("model", ["ridge", "trees", "lstm"])
def test_a_recursive_model_is_packed_and_read_again_to_the_bit(model):
    series = one_column(make_toy(200).column("y"))
    found = compare(
        series, "y", models=f"recursive({model})", lookback=[3], horizon=3, seeds=1, plan=PLAN, baselines=False
    )
    one = found.fitted[0]
    again = unpack(pack(one), one.entry, PLAN)
    assert pack(again) == pack(one)
    origins = np.arange(2, 200, dtype=np.int32)
    np.testing.assert_array_equal(again.predict(series, origins), one.predict(series, origins))


def own(shape):
    raise AssertionError("a file must not run code")


@pytest.mark.parametrize(
    "values",
    [
        {"family": "recursive"},
        {"family": "recursive", "base": "ridge"},
        {"family": "recursive", "base": {"family": "own"}},
        {"family": "recursive", "base": {"family": "persistence"}},
        {"family": "recursive", "base": {"family": "ridge"}, "more": 1},
        {"family": "recursive", "base": {"family": "recursive", "base": {"family": "ridge"}}},
        {"family": "recursive", "base": {"family": ["ridge"]}},
    ],
)
def test_json_of_something_else_is_refused(values):
    with pytest.raises(RecipeError):
        recipe_from_json(values)


def test_a_function_of_the_users_stays_out_of_files():
    with pytest.raises(RecipeError, match="model of yours"):
        recipe_to_json(Recursive(as_recipe(own)))


def test_each_strategy_enters_every_model_that_reads_a_window():
    study = make_study(
        make_toy(), "y", features=["y"], models="lstm,recursive(ridge)", lookback=[2], horizon=2,
        strategy=["direct", "recursive"],
    )  # fmt: skip
    assert [entry.name for entry in study.entries] == [
        "persistence", "seasonal", "climatology", "ridge_2", "recursive(ridge)_2", "trees_2", "recursive(trees)_2",
        "lstm_2", "recursive(lstm)_2",
    ]  # fmt: skip
    with pytest.raises(SettingError, match="the horizon is 1"):
        make_study(make_toy(), "y", features=["y"], strategy=["recursive"])


# Scores by lead


@pytest.fixture(scope="module")
def found():
    series = one_column(make_toy(400).column("y"))
    return compare(
        series, "y", models="ridge,dense", lookback=[5], horizon=4, seeds=2, plan=PLAN,
        strategy=["direct", "recursive"],
    )  # fmt: skip


def test_errors_by_lead_are_the_leaderboards_of_each_lead(found):
    scores = found.judge.leads.scores
    for lead in range(1, 5):
        alone = seed_scores(found.forecasts[found.forecasts["lead"] == lead])
        ours = scores[scores["lead"] == lead].drop(columns="lead").reset_index(drop=True)
        pd.testing.assert_frame_equal(ours, alone, check_dtype=False, rtol=1e-12)


def test_skill_by_lead_is_measured_by_the_best_floor_of_that_lead(found):
    table = found.leads
    floors = table[table["entry"].isin(found.judge.floors)]
    for lead, of_lead in floors.groupby("lead"):
        best = of_lead.loc[of_lead["val_rmse"].idxmin()]
        rows = table[table["lead"] == lead]
        assert set(rows["reference"]) == {best["entry"]}
        np.testing.assert_allclose(rows["test_skill"], 1 - (rows["test_rmse"] / best["test_rmse"]) ** 2)
        np.testing.assert_allclose(rows["val_skill"], 1 - (rows["val_rmse"] / best["val_rmse"]) ** 2)


STEPS = 1200


def planted(errors, leads=4, failed=()):
    """Forecasts rows of entries whose errors have these sizes by lead; half of the steps are validation."""
    actual = np.random.default_rng(0).standard_normal(STEPS)
    tables = []
    for place, (entry, sizes) in enumerate(errors.items()):
        for lead in range(1, leads + 1):
            predicted = actual + sizes[lead - 1] * np.random.default_rng([place, lead]).standard_normal(STEPS)
            rows = np.arange(leads, STEPS)
            part = np.where(rows < STEPS // 2, "validation", "test")
            if entry in failed:
                predicted[-1] = np.nan
            tables.append(
                pd.DataFrame(
                    {
                        "entry": entry, "seed": 0, "part": part, "origin": rows - lead, "lead": lead, "time": rows,
                        "actual": actual[rows], "predicted": predicted[rows],
                    }
                )
            )  # fmt: skip
    return pd.concat(tables, ignore_index=True)


@pytest.mark.parametrize(
    ("sizes", "useful"),
    [([0.5] * 4, 4), ([0.5, 0.5, 1.0, 0.5], 2), ([1.0, 0.5, 0.5, 0.5], 0), ([2.0, 0.5, 0.5, 0.5], 0)],
)
def test_useful_up_to_the_first_lead_that_is_not(sizes, useful):
    """A lead at which the entry is no better ends it, whatever follows."""
    leads = Leads(planted({"floor": [1.0] * 4, "net": sizes}), ["floor"], overlap=4)
    found = leads.useful("net")
    assert found.leads == useful
    assert len(found.tests) == min(useful + 1, 4)
    rows = leads.forecasts[(leads.forecasts["lead"] == 1) & (leads.forecasts["part"] == "test")]
    losses = rows.assign(loss=(rows["predicted"] - rows["actual"]) ** 2).pivot_table("loss", "origin", "entry")
    assert found.tests[0] == paired_test(losses, "net", "floor", overlap=1)


def test_each_lead_has_its_own_reference():
    leads = Leads(planted({"near": [0.8, 0.8, 1.5, 1.5], "far": [1.2] * 4, "net": [0.5] * 4}), ["near", "far"])
    assert leads.references == {1: "near", 2: "near", 3: "far", 4: "far"}
    assert leads.best == "net"
    assert [test.second for test in leads.useful("net").tests] == ["near", "near", "far", "far"]


def test_without_anything_to_measure_by_nothing_is_called_useful():
    rows = planted({"net": [0.5] * 4, "floor": [1.0] * 4}, failed=["floor"])
    for leads in (Leads(rows), Leads(rows, ["floor"])):
        assert leads.useful("net") is None
        assert leads.table["test_skill"].isna().all()
    assert Leads(rows, ["net"]).useful("floor") is None, "it failed on test"


def test_noise_is_not_called_useful():
    """No signal: of forty exams of noise at most a few call the first lead useful."""
    named = 0
    for seed in range(40):
        rows = planted({"floor": [1.0], "net": [1.0]}, leads=1)
        rows["predicted"] = rows["actual"] + np.random.default_rng(seed).standard_normal(len(rows))
        named += Leads(rows, ["floor"]).useful("net").leads
    assert named <= 4


def sentence(useful, horizon=3, references=("floor",) * 3, **last):
    test = {"second": "floor", "difference": -0.1, "differ": False, "enough": True, **last}
    exam = {
        "horizon": horizon,
        "leads": {"best": "net_3", "useful": useful, "references": list(references), "tests": [test]},
    }
    return leads_sentences(exam, " h")[0]


def test_sentences_of_leads_fit_what_they_tell():
    assert "Useful at all 3 leads" in sentence(3)
    assert "Useful up to lead 2: there net_3 is better on the test days than floor; it can't be told" in sentence(2)
    assert "(0.100 h of RMSE below it)" in sentence(2)
    assert "one step ahead and no further" in sentence(1)
    assert "too few test windows to tell it from floor at lead 2" in sentence(1, enough=False)
    assert "it is behind floor at lead 1, by 0.200 h" in sentence(0, difference=0.2, differ=True)
    assert "better on the test days than near (at 1), far (at 2 to 3)" in sentence(3, references=["near", "far", "far"])
    assert leads_sentences({"leads": None}, "") == []
    assert leads_sentences({"leads": {"useful": None}}, "") == []
    assert show_references(["a", "b", "a"]) == "a (at 1), b (at 2), a (at 3)"


def test_the_command_shows_and_writes_errors_by_lead(tmp_path, capsys):
    asked = "compare seattle --features temp_max --models ridge --lookback 7 --horizon 3 --seeds 1"
    json, out = tmp_path / "found.json", tmp_path / "out"
    assert main([*asked.split(), "--strategy", "direct,recursive", "--json", str(json), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "3 ahead" in printed
    assert "skill of" in printed
    assert "Useful" in printed or "Of no proven use" in printed
    record = pd.read_json(json, typ="series")["exam"]
    assert [of_lead["lead"] for of_lead in record["entries"][0]["leads"]] == [1, 2, 3]
    by_lead = pd.read_csv(out / "leads.csv")
    assert set(by_lead["entry"]) == {entry["name"] for entry in record["entries"]}
    assert {"test_rmse", "test_mae", "test_bias", "test_skill", "val_rmse", "reference"} <= set(by_lead)
    assert (out / "figures" / "errors_by_lead.png").stat().st_size > 10_000
    assert main([*asked.split(), "--strategy", "both"]) == 2
    assert main(["compare", "seattle", "--horizon", "2", "--strategy", "recursive"]) == 2
    assert "would read precipitation" in capsys.readouterr().err


def test_a_horizon_of_one_has_no_leads(tmp_path):
    asked = "compare seattle --models ridge --lookback 2 --seeds 1 --rows 300"
    assert main([*asked.split(), "--out", str(tmp_path)]) == 0
    assert not (tmp_path / "leads.csv").exists()
