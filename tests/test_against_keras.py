"""The compiled epoch against Keras's own `predict` and `fit`, from the same weights and in the same order."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from backsight.engine import keras_on_jax
from backsight.models.network import Network
from backsight.models.registry import RECIPES, as_recipe
from backsight.training.batches import cut_batches
from backsight.training.plan import Plan
from backsight.training.program import program_for
from backsight.training.seeds import seeded
from backsight.training.train import train
from conftest import HORIZON, IN_A_HURRY, LOOKBACK, make_toy
from laws import views

NETWORKS = {name: recipe for name, recipe in RECIPES.items() if isinstance(recipe, Network)}
every_network = pytest.mark.parametrize("recipe", NETWORKS.values(), ids=NETWORKS.keys())
#: 114 training windows make 20 batches, the last of them smaller than the rest.
BATCH = 6


def build(recipe, seed=3):
    shape = (LOOKBACK, 3, HORIZON)
    return program_for(recipe, *shape, 0.001), seeded(lambda: recipe.build(*shape), seed)


def keras_fit(model, learn, batch_size, epochs=1):
    keras = keras_on_jax()
    model.compile(keras.optimizers.Adam(), loss="mse")
    x, y = learn.gather_inputs(), (learn.gather_outputs() - learn.target_mean) / learn.target_scale
    return model.fit(x, y.astype(np.float32), batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0)


def keras_forward(model, inputs):
    """What Keras's model puts out; as one program, which compiles in less time than its operations one by one."""
    variables = [[v.value for v in part] for part in (model.trainable_variables, model.non_trainable_variables)]
    program = jax.jit(lambda *read: model.stateless_call(*read, inputs)[0]).lower(*variables)
    return np.asarray(program.compile(compiler_options=IN_A_HURRY)(*variables))


def values(model):
    return [np.asarray(v.value) for v in model.trainable_variables]


@every_network
def test_forward_pass(recipe):
    _, _, test = views(make_toy())
    program, model = build(recipe)
    plain = replace(test, target_mean=0.0, target_scale=1.0)  # what the network itself puts out
    ours = program.predict(program.start(model), plain)
    np.testing.assert_allclose(ours, keras_forward(model, test.gather_inputs()), rtol=1e-6, atol=1e-6)


@every_network
def test_twenty_steps_end_at_the_same_weights(recipe):
    learn, check, _ = views(make_toy())
    assert -(-len(learn) // BATCH) == 20
    assert len(learn) % BATCH, "the last batch must be a smaller one, or filling it up is not tested"
    program, model = build(recipe)
    targets = ((learn.targets - learn.target_mean) / learn.target_scale).astype(np.float32)
    batches = cut_batches(learn.origins, BATCH)
    state, loss, _ = program.run_epoch(
        program.start(model), learn.inputs, targets, batches, cut_batches(check.origins, 8)
    )
    fitted = keras_fit(model, learn, BATCH)
    for ours, theirs in zip(state.trainable, values(model), strict=True):
        assert np.abs(np.asarray(ours) - theirs).max() <= 1e-5 * np.abs(theirs).max(), theirs.shape
    np.testing.assert_allclose(loss, fitted.history["loss"][0], rtol=1e-4)


def test_a_wrong_step_would_be_seen():
    """Planted: with the batches in another order the weights differ by far more than the tolerance."""
    learn, check, _ = views(make_toy())
    program, model = build(NETWORKS["rnn"])
    targets = ((learn.targets - learn.target_mean) / learn.target_scale).astype(np.float32)
    shuffled = cut_batches(learn.origins, BATCH, np.random.default_rng(0))
    state, _, _ = program.run_epoch(
        program.start(model), learn.inputs, targets, shuffled, cut_batches(check.origins, 8)
    )
    keras_fit(model, learn, BATCH)
    pairs = [(np.asarray(ours), theirs) for ours, theirs in zip(state.trainable, values(model), strict=True)]
    assert max(np.abs(a - b).max() / np.abs(b).max() for a, b in pairs) > 1e-3


def test_seeds_are_those_of_a_keras_script():
    keras = keras_on_jax()
    recipe = NETWORKS["lstm"]
    model = seeded(lambda: recipe.build(LOOKBACK, 3, 1), seed=42)
    keras.utils.set_random_seed(42)
    script = recipe.build(LOOKBACK, 3, 1)
    for ours, theirs in zip(values(model), values(script), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_early_stopping_stops_where_keras_does(keep):
    """Keras's own callback, fed the same validation losses, stops at the same epoch and keeps the same one."""
    keras = keras_on_jax()
    learn, check, _ = views(make_toy())
    program, model = build(NETWORKS["dense"])
    plan = Plan(epochs=60, batch_size=16, patience=3, keep=keep, learning_rate=0.001)
    trained = train(program, program.start(model), learn, check, plan, 0, lambda _: None)

    class Stub:
        stop_training = False

        def get_weights(self):
            return []

        def set_weights(self, _):
            pass

    callback = keras.callbacks.EarlyStopping(monitor="val_loss", patience=3, restore_best_weights=True)
    callback.set_model(Stub())
    callback.on_train_begin()
    losses = [rmse**2 for rmse in trained.history.val_rmse]
    stopped = []
    for epoch, loss in enumerate(losses):
        callback.on_epoch_end(epoch, {"val_loss": loss})
        stopped.append(callback.model.stop_training)
    assert trained.history.epochs < 60
    assert stopped == [False] * (len(losses) - 1) + [True]
    assert trained.history.kept_epoch == (callback.best_epoch + 1 if keep == "best" else trained.history.epochs)


def test_best_weights_are_those_of_the_best_epoch():
    learn, check, _ = views(make_toy())
    program, model = build(NETWORKS["dense"])
    plan = Plan(epochs=60, batch_size=16, patience=3, keep="best")
    best = train(program, program.start(model), learn, check, plan, 0, lambda _: None)
    short = Plan(epochs=best.history.kept_epoch, batch_size=16, patience=99, keep="last")
    again = train(program, program.start(model), learn, check, short, 0, lambda _: None)
    for one, other in zip(best.state.trainable, again.state.trainable, strict=True):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("name", [n for n, r in NETWORKS.items() if hasattr(r, "dropout")])
def test_dropout_acts_while_learning_and_only_then(name):
    learn, check, test = views(make_toy())
    plan = Plan(epochs=1, batch_size=16)
    recipe = as_recipe(f"{name}(dropout=0.5)")
    plain, dropped = (r.fit(learn, check, plan, seed=0) for r in (NETWORKS[name], recipe))
    assert not np.array_equal(plain.predict(test), dropped.predict(test))
    assert np.array_equal(dropped.predict(test), dropped.predict(test))


def test_penalties_of_a_users_layers_are_learnt_from():
    keras = keras_on_jax()

    def strict(shape, horizon):
        inputs = keras.Input(shape)
        flat = keras.layers.Flatten()(inputs)
        return keras.Model(inputs, keras.layers.Dense(horizon, kernel_regularizer=keras.regularizers.L2(10.0))(flat))

    learn, check, _ = views(make_toy())
    program, model = build(as_recipe(strict))
    targets = ((learn.targets - learn.target_mean) / learn.target_scale).astype(np.float32)
    batches = cut_batches(learn.origins, BATCH)
    state, *_ = program.run_epoch(program.start(model), learn.inputs, targets, batches, cut_batches(check.origins, 8))
    keras_fit(model, learn, BATCH)
    np.testing.assert_allclose(state.trainable[0], values(model)[0], rtol=1e-4, atol=1e-7)
