"""Networks that skip what nobody reads, against Keras's plain layers with the same weights."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from backsight.convolution.unfolded import unfolded_conv1d
from backsight.engine import COMPILER_OPTIONS, keras_on_jax
from backsight.models.convolution import Convolution, layers_to_see
from backsight.models.recipe import Activation
from backsight.models.transformer import Transformer, sinusoids
from backsight.training.seeds import seeded
from conftest import IN_A_HURRY

keras = keras_on_jax()
layers = keras.layers
FEATURES, HORIZON, WINDOWS = 3, 2, 8


def named(model):
    """Paths and shapes of what is learnt; Keras counts up the names of the rest."""
    return [(v.path, v.shape) for v in model.trainable_variables]


def differences(ours, theirs, inputs):
    """The largest difference of two models' outputs and of their gradients, relative to the largest value."""
    import jax

    assert named(ours) == named(theirs)
    weights, other = ([v.value for v in theirs.trainable_variables], [v.value for v in theirs.non_trainable_variables])
    slopes = np.random.default_rng(9).standard_normal((len(inputs), *theirs.output_shape[1:])).astype(np.float32)

    def run(model, options):
        def loss(weights, inputs):
            outputs, _ = model.stateless_call(weights, other, inputs, training=True)
            return (outputs * slopes).sum(), outputs

        gradient = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True)).lower(weights, inputs)
        gradients, outputs = gradient.compile(compiler_options=options)(weights, inputs)
        return outputs, jax.tree.leaves(gradients)

    def relative(a, b):
        return float(np.abs(np.asarray(a) - np.asarray(b)).max() / max(np.abs(np.asarray(b)).max(), 1e-30))

    our_outputs, our_gradients = run(ours, COMPILER_OPTIONS)
    their_outputs, their_gradients = run(theirs, IN_A_HURRY)  # most of such a test is compiling
    worst = max(relative(a, b) for a, b in zip(our_gradients, their_gradients, strict=True))
    return relative(our_outputs, their_outputs), worst


def assert_same(ours, theirs, inputs):
    outputs, gradients = differences(ours, theirs, inputs)
    assert outputs <= 1e-6, "outputs differ"
    assert gradients <= 1e-5, "gradients differ"


def windows(lookback, features=FEATURES):
    return np.random.default_rng(lookback).standard_normal((WINDOWS, lookback, features)).astype(np.float32)


def one_layer(layer, lookback, channels, settings):
    inputs = keras.Input((lookback, channels))
    return seeded(lambda: keras.Model(inputs, layer(**settings, name="convolution")(inputs)), seed=5)


def random_case(seed):
    """Lookback, channels and settings; lookback 1 comes up often, and kernels wider than the window too."""
    rng = np.random.default_rng(seed)
    lookback = int(rng.choice([1, 2, 3, 7, 16, 45]))
    settings = {
        "filters": int(rng.integers(1, 9)),
        "kernel_size": int(rng.integers(1, 8)),
        "padding": "causal",
        "dilation_rate": int(rng.choice([1, 1, 2, 3, 4, 8])),
        "activation": str(rng.choice([*get_args(Activation)])),
        "use_bias": bool(rng.integers(0, 4)),
    }
    return lookback, int(rng.integers(1, 6)), settings


@pytest.mark.parametrize("seed", range(60))
def test_a_layer_is_the_one_of_keras(seed):
    lookback, channels, settings = random_case(seed)
    settings |= {"kernel_initializer": "zeros"}  # others are compiled for every shape
    ours = one_layer(unfolded_conv1d(keras), lookback, channels, settings)
    theirs = one_layer(layers.Conv1D, lookback, channels, settings)
    rng = np.random.default_rng(seed + 1000)
    for variable in theirs.trainable_variables:  # whose values both get
        variable.assign(rng.standard_normal(variable.shape) / np.sqrt(variable.shape[0]))
    assert ours.layers[-1].get_config() == theirs.layers[-1].get_config()
    assert_same(ours, theirs, windows(lookback, channels))


@pytest.mark.parametrize(
    "settings",
    [
        {"strides": 2, "padding": "valid"},
        {"strides": 3, "padding": "causal"},
        {"strides": 5, "padding": "valid", "kernel_size": 2},
        {"padding": "valid", "dilation_rate": 2},
        {"padding": "valid", "kernel_size": 11},
        {"padding": "valid", "kernel_size": 4, "dilation_rate": 3},
        {"padding": "same"},
        {"padding": "causal", "groups": 2},
    ],
)
def test_other_settings_too(settings):
    settings = {"filters": 4, "kernel_size": 3, **settings}
    pair = [one_layer(layer, 11, 2, settings) for layer in (unfolded_conv1d(keras), layers.Conv1D)]
    assert_same(*pair, windows(11, 2))


def plain_convolution(recipe, lookback):
    """Every layer at every step, as the recipe is described."""
    inputs = x = keras.Input((lookback, FEATURES), name="window")
    for place in range(recipe.layers or layers_to_see(lookback, recipe.kernel)):
        x = layers.Conv1D(
            recipe.units,
            recipe.kernel,
            padding="causal",
            dilation_rate=2**place,
            activation=recipe.activation,
            name=f"convolution_{place + 1}",
        )(x)
        if place == 0 and recipe.dropout:
            x = layers.Dropout(recipe.dropout, name="dropout")(x)
    return keras.Model(inputs, layers.Dense(HORIZON, name="head")(x[:, -1, :]), name="convolution")


def plain_transformer(recipe, lookback):
    """Every block at every step."""
    inputs = keras.Input((lookback, FEATURES), name="window")
    x = layers.Dense(recipe.units, name="embed")(inputs) + sinusoids(lookback, recipe.units)
    for block in range(1, recipe.layers + 1):
        y = layers.LayerNormalization(name=f"norm_{block}a")(x)
        attention = layers.MultiHeadAttention(
            recipe.heads, recipe.units // recipe.heads, use_bias=False, name=f"attention_{block}"
        )
        x = x + layers.Dropout(recipe.dropout, name=f"dropout_{block}a")(attention(y, y))
        y = layers.LayerNormalization(name=f"norm_{block}b")(x)
        y = layers.Dense(2 * recipe.units, recipe.activation, name=f"widen_{block}")(y)
        y = layers.Dense(recipe.units, name=f"narrow_{block}")(y)
        x = x + layers.Dropout(recipe.dropout, name=f"dropout_{block}b")(y)
    last = layers.LayerNormalization(name="norm")(x)[:, -1, :]
    return keras.Model(inputs, layers.Dense(HORIZON, name="head")(last), name="transformer")


PLAIN = {Convolution: plain_convolution, Transformer: plain_transformer}
RECIPES = [
    Convolution(),
    Convolution(layers=1, activation="tanh"),
    Convolution(units=5, layers=2, kernel=2),
    Convolution(units=4, layers=5, kernel=4, activation="gelu"),
    Convolution(units=3, kernel=12, activation="silu"),
    Transformer(),
    Transformer(units=12, layers=2, heads=4, activation="gelu"),
]


def both(recipe, lookback, seed=3):
    build = (lambda: recipe.build(lookback, FEATURES, HORIZON), lambda: PLAIN[type(recipe)](recipe, lookback))
    return tuple(seeded(b, seed) for b in build)


@pytest.mark.parametrize("lookback", [1, 30])
@pytest.mark.parametrize("recipe", RECIPES, ids=repr)
def test_a_recipe_has_the_numbers_of_plain_keras(recipe, lookback):
    ours, theirs = both(recipe, lookback)
    assert ours.count_params() == theirs.count_params()
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        assert np.array_equal(a.value, b.value), f"{a.path} starts elsewhere"
    assert_same(ours, theirs, windows(lookback))


@pytest.mark.parametrize("recipe", [Convolution(dropout=0.5), Transformer(dropout=0.5)], ids=repr)
def test_with_dropout_too_while_nothing_is_learnt(recipe):
    ours, theirs = both(recipe, 9)
    assert named(ours) == named(theirs)
    np.testing.assert_allclose(ours(windows(9)), theirs(windows(9)), rtol=1e-6, atol=1e-6)
    assert not np.allclose(ours(windows(9), training=True), ours(windows(9)))


def test_a_kernel_far_wider_than_the_window():
    ours, theirs = both(Convolution(units=2, kernel=4096), 3)
    assert_same(ours, theirs, windows(3))


class ReadsBackwards(unfolded_conv1d(keras)):
    def _unfold(self, inputs):
        return super()._unfold(inputs)[..., ::-1]


class LooksAhead(unfolded_conv1d(keras)):
    def _unfold(self, inputs):
        return super()._unfold(keras.ops.roll(inputs, -1, axis=1))


@pytest.mark.parametrize("layer", [ReadsBackwards, LooksAhead])
def test_a_wrong_layer_is_caught(layer):
    settings = {"filters": 4, "kernel_size": 3, "padding": "causal"}
    pair = one_layer(layer, 9, 2, settings), one_layer(layers.Conv1D, 9, 2, settings)
    with pytest.raises(AssertionError, match="outputs differ"):
        assert_same(*pair, windows(9, 2))


def test_a_step_too_few_is_caught(monkeypatch):
    """Planted: the first layer leaves out the oldest step that the second one reads."""
    from backsight.models import convolution

    def too_few(*shape):
        first, *rest = layers_steps(*shape)
        return [first - 1, *rest]

    layers_steps = convolution.steps_to_compute
    monkeypatch.setattr(convolution, "steps_to_compute", too_few)
    with pytest.raises(AssertionError, match="outputs differ"):
        assert_same(*both(replace(RECIPES[0], layers=2), 30), windows(30))
