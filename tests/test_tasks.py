"""Tasks with a known answer: the data are what they are said to be, and the best error is the one that is said."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight.errors import SettingError
from backsight.evaluation.exam import Exam
from backsight.evaluation.metrics import rmse
from backsight.runs.compare import examine
from backsight.runs.entry import make_entries
from backsight.runs.memory_test import memory_test, study_of
from backsight.runs.study import Study, choose_recipes
from backsight.series.generated import adding, autoregressive
from backsight.series.tasks import TASKS, adding_task, autoregressive_task, copy_task, sine_task, weather_task
from backsight.series.weather import TEMPERATE, YEAR, best_error, daily_weather
from backsight.training.plan import Plan
from backsight.windows.split import Split
from backsight.windows.windows import fit_view


def test_an_ar_process_has_the_autocorrelations_of_its_equations():
    """Yule and Walker: rho(k) = sum over i of phi_i rho(k - i), for k of 1 and more."""
    phi = (0.6, -0.2, 0.3)
    y = autoregressive(60_000, seed=0, phi=phi, noise=2.0).column("y")
    rho = np.array([np.mean(y[k:] * y[: len(y) - k]) for k in range(7)])
    rho /= rho[0]
    for k in range(1, 7):
        assert rho[k] == pytest.approx(sum(p * rho[abs(k - i)] for i, p in enumerate(phi, start=1)), abs=0.02)
    shocks = y[3:] - 0.6 * y[2:-1] + 0.2 * y[1:-2] - 0.3 * y[:-3]
    assert shocks.std() == pytest.approx(2.0, rel=0.01)
    assert autoregressive_task(phi=phi, noise=2.0).chance == pytest.approx(y.std(), rel=0.02)


def test_an_ar_process_begins_as_it_goes_on():
    """The first rows have the variance of all rows: over many seeds, since one series has but one beginning."""
    begun = np.array([autoregressive(8, seed=s, phi=(1.2, -0.3)).column("y")[:2] for s in range(2000)])
    expected = autoregressive_task(8, phi=(1.2, -0.3)).chance
    np.testing.assert_allclose(begun.std(axis=0), expected, rtol=0.05)
    assert np.corrcoef(begun.T)[0, 1] == pytest.approx(1.2 / 1.3, abs=0.01)  # rho(1) = phi_1 / (1 - phi_2)


@pytest.mark.parametrize("phi", [1.0, -1.1, (0.5, 0.5), (0.0, 0.0, 1.0)])
def test_what_is_not_stationary_is_refused(phi):
    with pytest.raises(SettingError, match="inside the unit circle"):
        autoregressive(100, seed=0, phi=phi)


def test_too_few_rows_are_refused():
    with pytest.raises(SettingError, match="needs 3 rows"):
        autoregressive(2, seed=0, phi=(0.1, 0.1, 0.1))
    with pytest.raises(SettingError, match="2 steps or more"):
        adding(5, seed=0, length=1)


@settings(max_examples=40)
@given(blocks=st.integers(10, 60), length=st.integers(2, 12), seed=st.integers(0, 99))
def test_windows_of_the_adding_task_are_its_blocks(blocks, length, seed):
    """In every window of every part: two marks, one a half, and the target is the sum of the two marked values."""
    task = adding_task(blocks, seed, length)
    exam = Exam(task.target, 1, Split(*task.parts()), task.block)
    view = fit_view(task.series, exam.split, task.target, task.features, lookback=length, scale="none")
    parts = [exam.training_origins(length), exam.origins("validation"), exam.origins("test")]
    assert sum(map(len, parts)) == blocks, "every block is the window of one part"
    for origins in parts:
        windows = view.show(task.series, origins)
        inputs = windows.gather_inputs()
        value, marker = inputs[:, :, 0], inputs[:, :, 1]
        assert set(np.unique(marker)) <= {0.0, 1.0}
        assert (marker[:, : length // 2].sum(axis=1) == 1).all()
        assert (marker[:, length // 2 :].sum(axis=1) == 1).all()
        np.testing.assert_allclose(windows.gather_outputs()[:, 0], (value * marker).sum(axis=1), rtol=1e-6)


def test_chance_of_the_adding_task_is_a_sixth():
    sums = adding_task(20_000, length=4).series.column("sum")[4::4]
    assert np.mean((sums - 1) ** 2) == pytest.approx(1 / 6, rel=0.03)
    assert adding_task(10, length=4).chance ** 2 == pytest.approx(1 / 6)


def test_the_best_weather_forecast_has_the_error_that_is_said():
    """Somebody who knows the climate forecasts from yesterday's weather; errors follow the season as said."""
    days = 60 * 365
    series = daily_weather(days, seed=0)
    elapsed = np.arange(days)
    season = np.cos(2 * np.pi * (elapsed - TEMPERATE.warmest) / YEAR)[:, None] * TEMPERATE.swing
    around = series.values - TEMPERATE.mean - season
    spread = TEMPERATE.spread_factor(elapsed.astype(float))[:, None] * TEMPERATE.spread
    known = (around / spread)[:-1] @ np.array(TEMPERATE.carry).T
    errors = around[1:, 0] - spread[1:, 0] * known[:, 0]
    said = best_error(days)[1:]
    assert np.std(errors / said) == pytest.approx(1.0, rel=0.01)
    windy = said > np.median(said)
    for half in (windy, ~windy):
        assert np.sqrt(np.mean(errors[half] ** 2)) == pytest.approx(np.sqrt(np.mean(said[half] ** 2)), rel=0.02)
    assert said.max() > 1.5 * said.min()


def test_weather_that_grows_without_bounds_is_refused():
    from dataclasses import replace

    wild = replace(TEMPERATE, carry=tuple(tuple(1.5 * float(i == j) for j in range(4)) for i in range(4)))
    with pytest.raises(SettingError, match="stationary"):
        daily_weather(10, seed=0, climate=wild)


def ratios(make, models, lookback, seeds=6, calendar=False):
    """Mean over seeds of a model's test RMSE over the best possible one, by entry."""
    found = {}
    for seed in range(seeds):
        task = make(seed=seed)
        exam = Exam(task.target, 1, Split(*task.parts()))
        entries = make_entries(choose_recipes(models, (), False), [lookback], task.features, calendar)
        compared = examine(Study(task.series, exam, tuple(entries), 1, Plan(epochs=3)))
        for fitted in compared.fitted:
            rows = fitted.sit(task.series, exam, "test")
            error = rmse(rows["actual"], rows["predicted"]) / task.noise_floor(exam.split.test)
            found.setdefault(fitted.entry.name, []).append(error)
    return {name: np.mean(values) for name, values in found.items()}


@pytest.mark.parametrize(
    ("make", "lookback", "calendar"),
    [(autoregressive_task, 3, False), (sine_task, 60, False), (weather_task, 2, True)],
    ids=["ar", "sine", "weather"],
)
def test_the_right_model_reaches_the_floor_and_none_goes_below(make, lookback, calendar):
    """Ridge within 5 %; six tests of 300 rows scatter by 1.7 % around the expectation."""
    reached = ratios(make, "ridge,trees,persistence", lookback, calendar=calendar)
    assert reached[f"ridge_{lookback}" + ("+calendar" if f"ridge_{lookback}" not in reached else "")] < 1.05
    assert min(reached.values()) > 0.96
    assert reached["persistence"] > 1.05


def test_a_lookback_too_short_stays_above_the_floor():
    """Planted: AR(3) by its last value alone; its third coefficient is out of sight."""
    assert ratios(autoregressive_task, "ridge", 1)["ridge_1"] > 1.04


def test_every_task_states_its_best_error_and_chance():
    for name, make in TASKS.items():
        task = make(seed=1)
        parts = task.parts()
        assert 0 <= task.noise_floor() <= task.chance + 1e-12, name
        assert task.best.shape == (len(task.series),)
        assert parts[2].stop == len(task.series)
        assert len(parts[0]) > 7 * len(parts[1])
        # Whoever knows the distribution alone has the error that is said, but for the sample.
        target = task.series.column(task.target)[parts[0].start :: task.block]
        assert np.std(target) == pytest.approx(task.chance, rel=0.15), name


def test_memory_test_tells_who_finds_the_signal():
    found = memory_test("copy", [3], "ridge,persistence,dense", seeds=2, windows=800, plan=Plan(learning_rate=0.01))
    skill = {answer.model: answer.skill for answer in found.answers}
    assert skill["ridge"][0] > 0.999
    assert min(skill["dense"]) > 0.9
    assert max(skill["persistence"]) < 0.1
    assert [len(s) for s in skill.values()] == [1, 1, 2]


def test_memory_test_scores_as_the_definition_says():
    (answer,) = memory_test("adding", [4], "ridge", windows=500).answers
    study = study_of(adding_task(500, 0, 4), "ridge")
    windows = answer.fitted[0].view.show(study.series, study.exam.origins("test"))
    truth = windows.gather_outputs()
    errors = answer.fitted[0].forecaster.predict(windows) - truth
    assert len(truth) == 50
    assert answer.skill[0] == pytest.approx(1 - np.mean(errors**2) / np.var(truth))
    assert answer.mse[0] == pytest.approx(np.mean(errors**2))


def test_gru_solves_adding_where_simple_rnn_stays_at_chance():
    """The short version of `benchmarks/known_answers.py adding`: 50 steps, one seed."""
    plan = Plan(learning_rate=0.01, epochs=6, patience=6)
    found = memory_test("adding", [50], "rnn,gru", seeds=1, windows=4000, plan=plan)
    mse = {answer.model: answer.mse[0] for answer in found.answers}
    assert mse["gru"] < 0.01
    assert mse["rnn"] > 0.1


def test_what_makes_no_memory_test_is_refused():
    with pytest.raises(SettingError, match="The tasks are copy, adding"):
        memory_test("sums")
    with pytest.raises(SettingError, match="100 windows or more"):
        memory_test(windows=9)
    with pytest.raises(SettingError, match="at least one lag"):
        memory_test(lags=[])
    with pytest.raises(SettingError, match="Lags must be 1 or more"):
        memory_test(lags=[0])


def test_a_copy_reaches_back_just_so_far():
    task = copy_task(500, lag=7)
    x, y = task.series.column("x"), task.series.column("y")
    assert np.array_equal(y[7:], x[:-7])
    assert task.parts()[0].start == task.lookback == 7
