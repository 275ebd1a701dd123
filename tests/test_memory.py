"""How far back models look, against closed forms, finite differences and planted lags."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from backsight.errors import RecipeError, SettingError, WindowError
from backsight.evaluation.exam import Exam
from backsight.evaluation.leaderboard import seed_scores
from backsight.evaluation.memory import carrying_lags, occlude, other_windows, truncate
from backsight.models.network import Network, NetworkForecaster
from backsight.models.registry import as_recipe
from backsight.report.memory_files import by_lag, memory_files
from backsight.report.memory_text import memory_sentences
from backsight.runs.compare import examine
from backsight.runs.memory import memory_profile, spread_origins
from backsight.series.generated import lagged_copy, white_noise
from backsight.training.history import History
from backsight.training.plan import Plan
from backsight.windows.split import split_by_fractions
from backsight.windows.windows import fit_view, with_inputs
from conftest import HORIZON, LOOKBACK, STEPS, make_toy

PLAN = Plan(epochs=2, batch_size=16)


def windows_of(series, lookback=LOOKBACK, scale="standard"):
    exam = Exam("y", HORIZON, split_by_fractions(len(series)))
    view = fit_view(
        series, exam.split, "y", series.columns, lookback=lookback, horizon=HORIZON, scale=scale
    )  # fmt: skip
    learn = view.show(series, exam.training_origins(lookback))
    return learn, learn.at(exam.origins("validation"))


@pytest.fixture(scope="module")
def check():
    """Validation windows of the toy."""
    return windows_of(make_toy())[1]


@pytest.fixture(scope="module")
def profile():
    """Two models of the toy, profiled once: one of a recurrent, one of an attention layer."""
    models = "ridge,gru_stacked,transformer(activation=tanh)"
    return memory_profile(
        make_toy(), "y", models=models, lookback=[LOOKBACK], horizon=HORIZON, seeds=2, plan=PLAN
    )  # fmt: skip


@cache
def fitted(model):
    """A model of the toy's windows, made once for all tests; a network gets weights at random, biases too.

    Its training would take seconds to compile, and leave biases near the zeros they begin with.
    """
    recipe = as_recipe(model)
    if not isinstance(recipe, Network):
        return recipe.fit(*windows_of(make_toy()), PLAN, seed=0)
    from backsight.training.program import program_for

    shape = (LOOKBACK, 3, HORIZON)
    program, rng = program_for(recipe, *shape, learning_rate=0.001), np.random.default_rng(0)
    start = program.start(recipe.build(*shape))
    drawn = [w + rng.normal(0, 0.3, w.shape).astype("float32") for w in start.trainable]
    names = tuple(recipe.weights(*shape))
    return NetworkForecaster(program, start._replace(trainable=drawn), names, History((), (), 0))


#: Smooth ones: where a relu has its corner, a difference over a step is no slope.
SMOOTH = ["ridge", "lstm(units=3)", "gru(units=3)", "transformer(activation=tanh)"]


@pytest.mark.parametrize("name", SMOOTH)
def test_slopes_are_what_finite_differences_say(name, check):
    """Every lag and feature of a few windows is moved a little both ways, and the forecasts are taken apart."""
    forecaster = fitted(name)
    some = check.at(check.origins[:3])
    inputs, step = some.gather_inputs(), 1e-2
    differences = np.zeros((LOOKBACK, some.features))
    for lag, feature in np.ndindex(*differences.shape):
        moved = []
        for sign in (1, -1):
            changed = inputs.copy()
            changed[:, lag, feature] += np.float32(sign * step)
            moved.append(forecaster.predict(with_inputs(some, changed)))
        differences[lag, feature] = np.mean(np.abs(moved[0] - moved[1])) / (2 * step)
    slopes = forecaster.mean_slopes(some)
    np.testing.assert_allclose(slopes, differences, rtol=0.01, atol=2e-3 * slopes.max())


def test_slopes_of_a_line_are_its_weights(check):
    ridge = fitted("ridge")
    by_hand = np.zeros((LOOKBACK, 3))
    for feature in range(3):
        for step in range(LOOKBACK):
            by_hand[step, feature] = np.mean(np.abs(ridge.weights[feature * LOOKBACK + step]))
    np.testing.assert_array_equal(ridge.mean_slopes(check), by_hand)


def test_a_network_that_is_a_line_has_its_weights_for_slopes(check):
    """A SimpleRNN without activation: d forecast / d x at lag d is W R^(d-1) times the head's weights."""
    network = fitted("rnn(activation=linear,units=5)")
    kernel, recurrent, _, head, _ = (np.asarray(w, dtype=float) for w in network.state.trainable)
    expected = [
        np.abs(kernel @ np.linalg.matrix_power(recurrent, LOOKBACK - 1 - step) @ head).mean(axis=1)
        for step in range(LOOKBACK)
    ]
    slopes = network.mean_slopes(check)
    np.testing.assert_allclose(slopes, np.array(expected) * check.target_scale, rtol=2e-5)


def test_slopes_are_by_standard_deviation_whatever_the_scale():
    """Units of the columns are of no consequence: what is not standardised is, in the slopes."""
    found = [
        memory_profile(make_toy(), "y", models=["ridge(penalty=0.001)"], lookback=[2], scale=scale).entries[0].slopes
        for scale in ("standard", "none")
    ]
    np.testing.assert_allclose(found[0], found[1], rtol=0.01)


def test_state_gradient_of_a_linear_layer_is_a_matrix_power(check):
    network = fitted("rnn(activation=linear,units=5)")
    recurrent = np.asarray(network.state.trainable[1], dtype=float)
    (trace,) = network.look_inside(check).recurrent
    expected = [np.linalg.norm(np.linalg.matrix_power(recurrent, d)) / np.sqrt(5) for d in range(LOOKBACK + 1)]
    np.testing.assert_allclose(trace.felt, np.tile(expected, (len(check), 1)), rtol=1e-5)
    assert trace.gates == {}


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_state_gradient_is_what_finite_differences_say(name, check):
    """The state after the first step is moved, each number on its own, and followed by Keras's own cell."""
    import jax.numpy as jnp

    network = fitted(f"{name}(units=3)")
    (trace,) = network.look_inside(check).recurrent
    layer, weights = keras_layer(network)
    window = jnp.asarray(check.gather_inputs()[:1])

    def last(state):
        for x in jnp.swapaxes(window[:, 1:], 0, 1):
            state = keras_step(layer, weights, x, state)
        return np.concatenate([np.asarray(part, dtype=float) for part in state], axis=1)[0]

    zeros = [jnp.zeros((1, 3))] * (2 if name == "lstm" else 1)
    first = keras_step(layer, weights, window[:, 0], zeros)
    columns, move = [], 1e-2
    for place, part in enumerate(first):
        for unit in range(3):
            ends = []
            for sign in (1, -1):
                moved = list(first)
                moved[place] = part.at[0, unit].add(sign * move)
                ends.append(last(moved))
            columns.append((ends[0] - ends[1]) / (2 * move))
    size = len(columns)
    assert trace.felt[0, LOOKBACK - 1] == pytest.approx(np.linalg.norm(columns) / np.sqrt(size), rel=2e-3)
    assert (trace.felt[:, 0] == 1).all()


def keras_layer(network):
    """The recurrent layer of a trained network, and its weights in Keras's order."""
    layer = network.program.model.layers[1]
    return layer, network.state.trainable[: len(layer.trainable_weights)]


def keras_step(layer, weights, x, state):
    held = [v.value for v in layer.cell.non_trainable_variables]
    (_, after), _ = layer.cell.stateless_call(weights, held, x, state)
    return list(after)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_gates_carry_keras_cells_from_state_to_state(name, check):
    """The gates, put into the textbook's formulas with Keras's states, give the states that Keras comes to."""
    import jax.numpy as jnp

    network = fitted(f"{name}(units=3)")
    (trace,) = network.look_inside(check).recurrent
    layer, weights = keras_layer(network)
    inputs = jnp.asarray(check.gather_inputs())
    state = [jnp.zeros((len(check), 3))] * (2 if name == "lstm" else 1)
    for step in range(LOOKBACK):
        after = keras_step(layer, weights, inputs[:, step], state)
        gate = {key: values[:, step] for key, values in trace.gates.items()}
        x, h = inputs[:, step], state[0]
        if name == "lstm":
            kernel, recurrent, bias = weights
            candidate = jnp.tanh((x @ kernel + h @ recurrent + bias)[:, 6:9])
            carry = gate["forget"] * state[1] + gate["input"] * candidate
            np.testing.assert_allclose(after[1], carry, atol=1e-6)
            np.testing.assert_allclose(after[0], gate["output"] * jnp.tanh(carry), atol=1e-6)
        else:
            kernel, recurrent, bias = weights
            candidate = jnp.tanh((x @ kernel + bias[0])[:, 6:] + gate["reset"] * (h @ recurrent + bias[1])[:, 6:])
            np.testing.assert_allclose(after[0], gate["update"] * h + (1 - gate["update"]) * candidate, atol=1e-6)
        state = after


def test_gru_with_its_reset_before_the_product_is_traced_too(check):
    """Keras's own layer in a function of the user's: its states are those that the trace comes to."""
    import keras

    def build(shape):
        window = keras.Input(shape)
        return keras.Model(window, keras.layers.Dense(HORIZON)(keras.layers.GRU(3, reset_after=False)(window)))

    network = fitted(build)
    (trace,) = network.look_inside(check).recurrent
    layer, weights = keras_layer(network)
    x = check.gather_inputs()[:, 0]
    after = np.asarray(keras_step(layer, weights, x, [np.zeros((len(check), 3), np.float32)])[0])
    candidate = np.tanh((x @ np.asarray(weights[0]) + np.asarray(weights[2]))[:, 6:])
    np.testing.assert_allclose(after, (1 - trace.gates["update"][:, 0]) * candidate, atol=1e-6)
    assert trace.kind == "GRU"


def test_of_a_function_of_the_users_what_can_be_seen_is_seen(check):
    """Also in a Sequential model; layers inside of others, backwards or with other gates are left out."""
    import keras

    def build(shape):
        layers = keras.layers
        return keras.Sequential(
            [
                layers.LSTM(2, return_sequences=True, name="seen"),
                layers.Bidirectional(layers.GRU(2, return_sequences=True)),
                layers.SimpleRNN(2, return_sequences=True, go_backwards=True),
                layers.LSTM(2, recurrent_activation="hard_sigmoid", return_sequences=True),
                layers.SimpleRNN(2, use_bias=False, name="seen_too"),
                layers.Dense(HORIZON),
            ]
        )

    found = fitted(build).look_inside(check)
    assert [trace.layer for trace in found.recurrent] == ["seen", "seen_too"]
    assert found.attention == ()


def test_attention_weights_add_up_to_one(check):
    for name, heads in (("attention", 1), ("transformer(activation=tanh)", 2)):
        (trace,) = fitted(name).look_inside(check).attention
        assert trace.weights.shape == (len(check), heads, LOOKBACK)
        np.testing.assert_allclose(trace.weights.sum(axis=-1), 1.0, atol=1e-5)
        assert (trace.weights >= 0).all()


def test_luong_attention_is_the_softmax_of_products(check):
    """Recomputed from the hidden states, which the layer below gives."""
    import keras

    network = fitted("attention")
    (trace,) = network.look_inside(check).attention
    model = network.program.model
    below = keras.Model(model.input, model.layers[1].output)
    states, _ = below.stateless_call(network.state.trainable[:3], network.state.other, check.gather_inputs())
    scores = np.einsum("wsu,wu->ws", np.asarray(states), np.asarray(states)[:, -1])
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(trace.weights[:, 0], softmax, rtol=1e-4)


def test_truncation_of_a_line_has_a_closed_form(check):
    """For a line, the mean over all other windows is the forecast with the missing steps at their mean."""
    ridge = fitted("ridge")
    every = np.array([np.roll(np.arange(len(check)), shift) for shift in range(1, len(check))])
    found = truncate(ridge.predict, check, every)
    lags, truth = check.gather_lags().reshape(len(check), 3, LOOKBACK), check.gather_outputs()
    weights = ridge.weights.reshape(3, LOOKBACK, HORIZON)
    for kept in range(LOOKBACK + 1):
        own = np.einsum("wfl,flh->wh", lags[:, :, LOOKBACK - kept :], weights[:, LOOKBACK - kept :])
        taken = np.einsum("wfl,flh->wh", lags[:, :, : LOOKBACK - kept], weights[:, : LOOKBACK - kept])
        # The window itself is not among the others.
        mean = (taken.sum(axis=0) - taken) / (len(check) - 1)
        errors = own + mean + ridge.intercept - truth
        spread = np.mean([np.delete(taken, i, axis=0).var(axis=0, ddof=1) for i in range(len(check))])
        assert found[kept] ** 2 == pytest.approx(np.mean(errors**2) - spread / (len(check) - 1), rel=1e-5)


def test_a_few_draws_estimate_what_all_of_them_say():
    ridge, (_, check) = fitted("ridge"), windows_of(make_toy(steps=2000))
    every = np.array([np.roll(np.arange(len(check)), shift) for shift in range(1, len(check))])
    few = [truncate(ridge.predict, check, other_windows(len(check), 4, seed)) for seed in range(20)]
    np.testing.assert_allclose(np.mean(few, axis=0), truncate(ridge.predict, check, every), rtol=0.01)


@pytest.mark.parametrize(("name", "lag"), [("ridge", 4), ("trees", 2), ("dense", 3), ("gru", 2)])
def test_the_planted_lag_is_found(name, lag):
    """Errors fall at the planted lag and nowhere else; taking any other step away changes little."""
    series = lagged_copy(1500, seed=lag, lag=lag)
    plan = Plan(learning_rate=0.01, epochs=30, patience=5)
    found = memory_profile(series, "y", features=["x"], models=[name], lookback=[6], seeds=1, plan=plan).entries[0]
    assert found.carrying == lag
    nothing, everything = found.truncation[0], found.truncation[-1]
    assert nothing == pytest.approx(1.0, abs=0.1)
    assert everything < 0.3
    np.testing.assert_allclose(found.truncation[:lag], nothing, atol=0.15)
    np.testing.assert_allclose(found.truncation[lag:], everything, atol=0.15)
    assert (np.diff(found.truncation) < 0.1).all(), "a step more must not cost much"
    assert np.argmax(found.occlusion) == lag - 1
    assert np.delete(found.occlusion, lag - 1).max() < 0.2 * found.occlusion[lag - 1]
    if found.slopes is not None:
        assert np.argmax(found.slopes[:, 0]) == lag - 1


def test_where_there_is_no_skill_no_lag_carries_it():
    found = memory_profile(white_noise(600, seed=0), "y", models=["ridge(penalty=100000)"], lookback=[5])
    assert found.entries[0].carrying is None
    assert any("no skill" in sentence for sentence in memory_sentences(found.record))


def test_carrying_lags():
    assert carrying_lags(np.array([4.0, 3.06, 3.05, 3.0])) == 2
    assert carrying_lags(np.array([4.0, 3.0, 3.0, 3.0]), share=1.0) == 1
    assert carrying_lags(np.array([3.0, 3.1, 3.2])) is None
    assert carrying_lags(np.array([3.0, np.inf, 2.0])) is None


def test_other_windows_are_others():
    others = other_windows(50, draws=9, seed=3)
    assert (np.sort(others, axis=1) == np.arange(50)).all()
    assert (others != np.arange(50)).all()
    assert np.array_equal(others, other_windows(50, draws=9, seed=3))
    with pytest.raises(WindowError, match="2 windows or more"):
        other_windows(1, draws=2)
    with pytest.raises(SettingError, match="2 other windows or more"):
        other_windows(5, draws=1)


def test_windows_laid_end_to_end_forecast_alike(check):
    for name in ("ridge", "trees", "gru(units=3)"):
        forecaster = fitted(name)
        apart = with_inputs(check, check.gather_inputs())
        np.testing.assert_array_equal(forecaster.predict(apart), forecaster.predict(check))
        assert np.array_equal(apart.times[apart.origins], check.times[check.origins])
        assert (occlude(lambda w: np.zeros((len(w), HORIZON)), check, other_windows(len(check), 2)) == 0).all()


def test_the_profile_of_the_toy(profile):
    assert [one.entry.name for one in profile.entries] == ["ridge_4", "gru_stacked_4", "transformer(activation=tanh)_4"]
    ridge, gru, transformer = profile.entries
    assert [len(one.seeds) for one in profile.entries] == [1, 2, 2]
    assert [trace.layer for trace in gru.seeds[1].inside.recurrent] == ["gru_1", "gru_2"]
    assert ridge.seeds[0].inside is None
    assert transformer.seeds[0].inside.attention[0].weights.shape[-1] == LOOKBACK
    assert gru.slopes.shape == (LOOKBACK, 3)
    scores = gru.seeds[0].truncation[-1]
    assert scores == pytest.approx(validation_rmse(profile, gru.entry.name, seed=0))


def validation_rmse(profile, entry, seed):
    """What the exam's own way of scoring says of the same fit."""
    compared = examine(replace(profile.study, entries=(profile.of(entry).entry,)))
    scores = seed_scores(compared.forecasts)
    return scores[(scores["entry"] == entry) & (scores["seed"] == seed)]["val_rmse"].iloc[0]


def test_the_record_and_the_files(profile, tmp_path):
    record = json.loads(json.dumps(profile.record, allow_nan=False))
    assert record["step"] == "days"
    gru = record["entries"][1]
    assert {(t["layer"], t["seed"]) for t in gru["recurrent"]} == {(f"gru_{n}", s) for n in (1, 2) for s in (0, 1)}
    assert len(gru["recurrent"][0]["felt"]["median"]) == LOOKBACK + 1
    assert set(gru["recurrent"][0]["gates"]) == {"update", "reset"}
    attention = record["entries"][2]["attention"]
    assert {(a["head"], a["seed"]) for a in attention} == {(h, s) for h in (1, 2) for s in (0, 1)}
    files = memory_files(record)
    assert list(files) == [
        "memory.csv", "memory.json", "memory.png", "memory_slopes.png", "memory_states.png", "memory_gates.png",
        "memory_attention.png",
    ]  # fmt: skip
    for name, write in files.items():
        write(tmp_path / name)
    table = by_lag(record)
    assert len(table) == 5 * (LOOKBACK + 1)
    one = table[(table["entry"] == "gru_stacked_4") & (table["seed"] == 1)]
    np.testing.assert_array_equal(one["rmse_with"], profile.of("gru_stacked_4").seeds[1].truncation)


def test_sentences_say_the_numbers(profile):
    said = memory_sentences(profile.record)
    curve = profile.of("ridge_4").truncation
    assert f"{curve[0]:.3f}" in said[0]
    assert f"{curve[-1]:.3f}" in said[0]
    assert f"looks back {profile.of('ridge_4').carrying} of its 4 days" in said[0]
    assert any(s.startswith("transformer(activation=tanh)_4 gives half of its attention") for s in said)


def test_test_days_stay_sealed(profile):
    """Whatever stands in the test rows: the profile is the same, to the bit."""
    series = make_toy()
    values = series.values.copy()
    values[split_by_fractions(STEPS).test.start :] = 1e6
    spoilt = memory_profile(
        replace(series, values=values), "y", models=["ridge"], lookback=[LOOKBACK], horizon=HORIZON
    )  # fmt: skip
    assert np.array_equal(spoilt.of("ridge_4").truncation, profile.of("ridge_4").truncation)
    assert np.array_equal(spoilt.of("ridge_4").occlusion, profile.of("ridge_4").occlusion)


def test_neighbours_and_workers_change_nothing(profile):
    alone = memory_profile(
        make_toy(), "y", models=["gru_stacked"], lookback=[LOOKBACK], horizon=HORIZON, seeds=1, plan=PLAN, workers=1
    )  # fmt: skip
    (one,), among = alone.of("gru_stacked_4").seeds, profile.of("gru_stacked_4").seeds[0]
    assert np.array_equal(one.truncation, among.truncation)
    assert np.array_equal(one.occlusion, among.occlusion)
    assert np.array_equal(one.slopes, among.slopes)
    for trace, other in zip(one.inside.recurrent, among.inside.recurrent, strict=True):
        assert np.array_equal(trace.felt, other.felt)


def test_what_reads_no_window_is_refused():
    with pytest.raises(RecipeError, match="reads no window"):
        memory_profile(make_toy(), "y", models=["persistence"])
    with pytest.raises(RecipeError, match="The entries are ridge_2"):
        memory_profile(make_toy(), "y", models=["ridge"], lookback=[2]).of("lstm_2")


def test_of_many_windows_some_are_looked_at():
    origins = np.arange(100, 5100, dtype=np.int32)
    some = spread_origins(origins, most=1000)
    assert len(set(some.tolist())) == 1000
    assert (some[0], some[-1]) == (100, 5099)
    assert np.array_equal(spread_origins(origins[:9]), origins[:9])
