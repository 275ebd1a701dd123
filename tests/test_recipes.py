"""Recipes: names and JSON both ways, settings, a user's own function."""

from dataclasses import asdict, fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backsight.errors import RecipeError, SettingError, WindowError
from backsight.models.climatology import Climatology
from backsight.models.convolution import layers_to_see
from backsight.models.damped import DampedPersistence
from backsight.models.network import Network
from backsight.models.persistence import SeasonalPersistence, usual_seasons
from backsight.models.recursive import Recursive
from backsight.models.registry import (
    BASELINES,
    FAMILIES,
    RECIPES,
    as_recipe,
    recipe_from_json,
    recipe_name,
    recipe_to_json,
    split_models,
)
from backsight.models.transformer import sinusoids
from backsight.runs.compare import compare
from backsight.series.generated import autoregressive
from backsight.training.plan import Plan
from conftest import make_toy
from laws import views


@pytest.mark.parametrize("name", RECIPES)
def test_names_and_json_go_both_ways(name):
    recipe = RECIPES[name]
    assert recipe_name(recipe) == name
    assert as_recipe(name) == as_recipe(name.replace("_", "-").upper()) == recipe
    assert recipe_from_json(recipe_to_json(recipe)) == recipe
    assert hash(recipe) == hash(as_recipe(name))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_tells_what_it_is_and_where_from(name):
    assert "Source" in type(RECIPES[name]).__doc__
    for field in fields(RECIPES[name]):
        assert field.name in type(RECIPES[name]).__doc__


@given(
    st.sampled_from([n for n in RECIPES if "units" in asdict(RECIPES[n])]),
    st.integers(1, 99),
    st.sampled_from([0.0, 0.25]),
)
def test_settings_go_both_ways(name, units, dropout):
    units *= 2  # the transformer's heads want it even
    recipe = as_recipe(f"{name}(units={units},dropout={dropout})")
    assert as_recipe(recipe_name(recipe)) == recipe
    assert recipe_from_json(recipe_to_json(recipe)) == recipe


@pytest.mark.parametrize(
    "values", [{}, {"family": "own"}, {"family": "ridge", "penalty": -1}, {"family": "ridge", "size": 1}]
)
def test_json_of_something_else_is_refused(values):
    with pytest.raises(RecipeError):
        recipe_from_json(values)


def test_the_table_is_whole():
    assert set(BASELINES) <= set(RECIPES)
    assert {type(r) for r in RECIPES.values()} | {Recursive} == set(FAMILIES.values())
    assert {c.family for c in FAMILIES.values()} == set(FAMILIES)


def test_dense_layers_of_one_width():
    assert len(as_recipe("dense(units=6,layers=3)").build(2, 2, 1).layers) == 2 + 3 + 1
    with pytest.raises(RecipeError, match="one number of units"):
        as_recipe("dense(layers=3)")


def test_forecasts_of_a_series_too_short():
    found = compare(make_toy(), "y", models=["ridge"], lookback=[4], seeds=1, baselines=False)
    assert len(found.predict(make_toy().head(4))) == 1
    with pytest.raises(WindowError, match="needs 4 steps"):
        found.predict(make_toy().head(3))


def test_lists_of_models_with_settings():
    assert split_models("ridge, lstm(units=7,layers=2) ,m:f") == ["ridge", "lstm(units=7,layers=2)", "m:f"]


@pytest.mark.parametrize("name", [n for n, r in RECIPES.items() if isinstance(r, Network)])
def test_units_and_activation_reach_the_layers(name):
    recipe = as_recipe(f"{name}(units=6,activation=softplus)")
    config = str(recipe.build(5, 3, 2).get_config())
    assert "'units': 6" in config or "'filters': 6" in config
    assert "'activation': 'softplus'" in config


@pytest.mark.parametrize("horizon", [1, 3])
@pytest.mark.parametrize("lookback", [1, 2, 9])
@pytest.mark.parametrize("name", [n for n, r in RECIPES.items() if isinstance(r, Network)])
def test_shapes(name, lookback, horizon):
    model = RECIPES[name].build(lookback, 2, horizon)
    assert model.input_shape == (None, lookback, 2)
    assert model.output_shape == (None, horizon)


def own_network(shape):
    import keras

    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(inputs)))


def own_for_any_horizon(shape, horizon):
    import keras

    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(horizon)(keras.layers.Flatten()(inputs)))


def test_a_users_function_sits_the_exam_like_any_other():
    found = compare(
        make_toy(),
        "y",
        models=[own_network, "ridge"],
        lookback=[2],
        seeds=2,
        plan=Plan(epochs=200, learning_rate=0.02, patience=50),
        baselines=False,
    )
    board = found.leaderboard.set_index("entry")
    assert board.loc["own_network_2", "seeds"] == 2
    assert found.members("own_network_2")[0].forecaster.parameters == 7
    assert board.loc["own_network_2", "test_rmse"] < 3 * board.loc["ridge_2", "test_rmse"]


def test_a_users_function_may_ask_for_the_horizon():
    found = compare(
        make_toy(),
        "y",
        models=[own_for_any_horizon],
        lookback=[2],
        horizon=3,
        seeds=1,
        plan=Plan(epochs=1),
        baselines=False,
    )
    assert set(found.forecasts["lead"]) == {1, 2, 3}
    with pytest.raises(RecipeError, match=r"\(None, 3\)"):
        compare(make_toy(), "y", models=[own_network], lookback=[2], horizon=3, seeds=1, baselines=False)


def sequential(shape):
    import keras

    return keras.Sequential([keras.layers.LSTM(3), keras.layers.Dense(1)])


def test_a_sequential_model_without_an_input_will_do():
    found = compare(make_toy(), "y", models=[sequential], lookback=[2], seeds=2, plan=Plan(epochs=1), baselines=False)
    assert found.members("sequential_2")[0].forecaster.parameters == 4 * (3 * 3 + 3 * 3 + 3) + 4


def test_two_models_of_one_name_are_refused():
    def rnn(shape):
        return own_network(shape)

    with pytest.raises(SettingError, match="called 'rnn_2'"):
        compare(make_toy(), "y", models=["rnn", rnn], lookback=[2], baselines=False)


def test_seasons_that_are_usual():
    assert usual_seasons(pd.date_range("2020-01-01", periods=99, freq="h")) == [24, 168, 8766]
    assert usual_seasons(pd.date_range("2020-01-01", periods=99, freq="MS")) == [12]
    assert usual_seasons(pd.date_range("2020-01-01", periods=99, freq="YS")) == []
    assert usual_seasons(pd.date_range("2020-01-01", periods=99, freq="B")) == [5, 261]


def test_seasonal_persistence_beyond_one_season():
    """Leads longer than a season copy the last whole season before the origin."""
    learn, check, test = views(make_toy())
    forecaster = SeasonalPersistence(season=1).fit(learn, check, Plan(), 0)
    assert np.array_equal(forecaster.predict(test), np.repeat(test.targets[test.origins][:, None], 2, axis=1))
    with pytest.raises(WindowError, match="needs 300 training rows"):
        SeasonalPersistence(season=150).fit(learn, check, Plan(), 0)


def test_climatology_of_less_than_a_year_is_the_mean():
    learn, check, test = views(make_toy())
    forecaster = Climatology().fit(learn, check, Plan(), 0)
    assert forecaster.parameters == 1
    np.testing.assert_allclose(forecaster.predict(test), learn.targets[4:120].mean())


def test_damped_persistence_regresses_later_anomalies_on_the_last():
    """By hand: the toy is shorter than a year, so its climatology is the mean of its training targets."""
    learn, check, test = views(make_toy())
    forecaster = DampedPersistence().fit(learn, check, Plan(), 0)
    usual = learn.targets[4:120].mean()
    last, later = learn.targets[learn.origins] - usual, learn.gather_outputs() - usual
    by_hand = [np.linalg.lstsq(last[:, None], of_lead, rcond=None)[0][0] for of_lead in later.T]
    np.testing.assert_allclose(forecaster.shares, by_hand)
    assert forecaster.parameters == 1 + 2
    expected = usual + np.outer(test.targets[test.origins] - usual, by_hand)
    np.testing.assert_allclose(forecaster.predict(test), expected)


def test_anomalies_of_an_autoregression_fade_by_its_powers():
    series = autoregressive(20_000, seed=0, phi=0.8)
    found = compare(series, "y", models="damped_persistence", lookback=[1], horizon=4, baselines=False)
    np.testing.assert_allclose(found.fitted[0].forecaster.shares, 0.8 ** np.arange(1, 5), atol=0.02)


def test_damped_persistence_of_what_never_varies_is_climatology():
    toy = make_toy()
    learn, check, test = views(replace(toy, values=np.full_like(toy.values, 7.0)))
    forecaster = DampedPersistence().fit(learn, check, Plan(), 0)
    np.testing.assert_allclose(forecaster.predict(test), 7.0)


@given(st.integers(1, 400), st.integers(2, 5))
def test_a_convolution_sees_its_window_with_no_layer_too_many(lookback, kernel):
    layers = layers_to_see(lookback, kernel)

    def seen(n):
        return 1 + (kernel - 1) * (2**n - 1)

    assert seen(layers) >= lookback
    assert layers == 1 or seen(layers - 1) < lookback


def test_positions_are_those_of_the_paper():
    table = sinusoids(50, 8)
    position, dimension = 7, 2
    assert table[position, 2 * dimension] == pytest.approx(np.sin(position / 10_000 ** (2 * dimension / 8)), abs=1e-6)
    assert table[position, 2 * dimension + 1] == pytest.approx(
        np.cos(position / 10_000 ** (2 * dimension / 8)), abs=1e-6
    )
