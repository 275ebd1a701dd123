"""The fused recurrent layers against Keras's own, against plain JAX, and against numbers of other projects."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from backsight.engine import COMPILER_OPTIONS, keras_on_jax
from backsight.errors import Interrupted
from backsight.models.registry import as_recipe
from backsight.recurrence import layers, library, reference
from backsight.recurrence.fused import ACTIVATIONS, CELLS, Cell, recur
from backsight.recurrence.library import kernels
from backsight.training.plan import Plan
from conftest import IN_A_HURRY, make_toy
from laws import views

keras = keras_on_jax()

needs_kernels = pytest.mark.skipif(
    not kernels().loaded, reason="installed without kernels: `backsight doctor` says why"
)
pytestmark = needs_kernels


@pytest.fixture
def calls(monkeypatch):
    """The cells that went to the kernels, as they were asked for."""
    made = []

    def spy(cell, *arguments):
        made.append(cell)
        return recur(cell, *arguments)

    monkeypatch.setattr(layers, "recur", spy)
    return made


def distance(ours, theirs):
    """The largest difference, relative to the largest value."""
    ours, theirs = np.asarray(ours, float), np.asarray(theirs, float)
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)


def together(arrays):
    """Several arrays as one: a single number can be near 0 by cancellation, and then no rounding is small beside it."""
    return np.concatenate([np.ravel(a) for a in arrays])


def outputs_and_gradients(layer, inputs, states, training=False):
    """All that a layer returns, and the gradients of its weights, its inputs and its initial states.

    Keras's own layers are compiled in a hurry: most of such a test is that.
    """
    slow = not type(layer).__module__.startswith("backsight")
    other = [v.value for v in layer.non_trainable_variables]

    def loss(weights, inputs, states):
        found, _ = layer.stateless_call(weights, other, inputs, initial_state=states, training=training)
        found = jax.tree.leaves(found)
        return sum(jnp.sum(jnp.sin(3 * y + i)) for i, y in enumerate(found)), found

    weights = [v.value for v in layer.trainable_variables]
    gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True)).lower(weights, inputs, states)
    options = IN_A_HURRY if slow else COMPILER_OPTIONS
    gradients, found = gradient.compile(compiler_options=options)(weights, inputs, states)
    return found, jax.tree.leaves(gradients)


def weights_of(layer):
    return [np.asarray(v.value) for v in layer.weights]


def set_weights(layer, weights):
    for variable, value in zip(layer.weights, weights, strict=True):
        variable.assign(value.reshape(variable.shape))


def random_case(seed):
    """A layer's name and settings, and the shape of its inputs."""
    rng = np.random.default_rng(seed)
    name = str(rng.choice(["SimpleRNN", "LSTM", "GRU"]))
    settings = {
        "units": int(rng.choice([1, 2, 3, 5, 7, 8, 13, 16, 24, 33])),
        "activation": str(rng.choice(ACTIVATIONS, p=[0.7, 0.1, 0.1, 0.1])),
        "use_bias": bool(rng.random() < 0.8),
        "return_sequences": bool(rng.random() < 0.5),
        "return_state": bool(rng.random() < 0.3),
        "go_backwards": bool(rng.random() < 0.3),
        **{f"{part}_initializer": "zeros" for part in ("kernel", "recurrent", "bias")},  # others are compiled
        "seed": seed,
    }
    if name == "GRU":
        settings["reset_after"] = bool(rng.random() < 0.5)
    shape = tuple(int(rng.choice(c)) for c in ([1, 2, 7, 16, 17, 32, 33, 70], [1, 2, 3, 10, 33], [1, 2, 3, 9, 20]))
    return name, settings, shape, bool(rng.random() < 0.4)


def random_weights(layer, rng):
    """For a layer as in `random_case`: no state explodes or saturates, which would leave few digits to compare."""
    kernel, recurrent, *bias = weights_of(layer)
    units = len(recurrent)
    gates = [0.8 * np.linalg.qr(rng.standard_normal((units, units)))[0] for _ in range(recurrent.shape[1] // units)]
    kernel = 0.5 * rng.standard_normal(kernel.shape) / np.sqrt(sum(kernel.shape) / 2)
    return [kernel, np.concatenate(gates, axis=1), *(0.3 * rng.standard_normal(b.shape) for b in bias)]


def twins(name, settings, shape):
    """Keras's layer and ours, with the same weights."""
    pair = [getattr(home, name)(**settings) for home in (keras.layers, layers)]
    for layer in pair:
        layer.build(shape)
    set_weights(pair[1], weights_of(pair[0]))
    return pair


@pytest.mark.parametrize("seed", range(200))
def test_a_layer_is_the_one_of_keras(seed, calls):
    name, settings, shape, stateful_start = random_case(seed)
    theirs, ours = twins(name, settings, shape)
    rng = np.random.default_rng(seed + 1000)
    weights = random_weights(ours, rng)
    for layer in (theirs, ours):
        set_weights(layer, weights)
    inputs = rng.standard_normal(shape).astype(np.float32)
    start = [rng.standard_normal((shape[0], settings["units"])) for _ in range(1 + (name == "LSTM"))]
    states = [s.astype(np.float32) for s in start] if stateful_start else None
    found, gradients = outputs_and_gradients(ours, inputs, states)
    assert calls, "the kernels were not asked"
    expected, expected_gradients = outputs_and_gradients(theirs, inputs, states)
    assert len(found) == len(expected)
    assert distance(together(found), together(expected)) <= 1e-6
    # Weights, and after them the inputs and the states.
    for part in (slice(len(weights)), slice(len(weights), None)):
        assert distance(together(gradients[part]), together(expected_gradients[part])) <= 1e-5


def test_a_swapped_gate_is_caught():
    """Planted: two gates of the recurrent kernel change places."""
    theirs, ours = twins("LSTM", {"units": 5}, (8, 6, 3))
    kernel, recurrent, bias = weights_of(theirs)
    i, f, g, o = np.split(recurrent, 4, axis=1)
    set_weights(ours, [kernel, np.concatenate([f, i, g, o], axis=1), bias])
    inputs = np.random.default_rng(0).standard_normal((8, 6, 3)).astype(np.float32)
    (found,), gradients = outputs_and_gradients(ours, inputs, None)
    (expected,), expected_gradients = outputs_and_gradients(theirs, inputs, None)
    assert distance(found, expected) > 1e-3
    assert distance(gradients[0], expected_gradients[0]) > 1e-3


# ---- against plain JAX ------------------------------------------------------------------------------


def arguments_of(name, batch, steps, features, units, seed=0):
    """Inputs, states and weights for `recur`, float64."""
    rng = np.random.default_rng(seed)
    gates, biases = {"simple_rnn": (1, 1), "lstm": (4, 4), "gru": (3, 6), "gru_reset_before": (3, 3)}[name]
    shapes = [(batch, steps, features), (batch, units), (batch, units if name == "lstm" else 0)]
    shapes += [(features, gates * units), (units, gates * units), (biases * units,)]
    return [rng.standard_normal(shape) * (1.0 if len(shape) == 3 else 0.4) for shape in shapes]


def plain(name, activation, inputs, hidden, carry, kernel, recurrent, bias):
    """The outputs by `reference.py`."""
    function = getattr(reference, name)
    act = {"tanh": jnp.tanh, "relu": jax.nn.relu, "linear": lambda x: x, "sigmoid": jax.nn.sigmoid}[activation]
    if name == "lstm":
        return function(inputs, hidden, carry, kernel, recurrent, bias, act)[0]
    return function(inputs, hidden, kernel, recurrent, bias.reshape(2, -1) if name == "gru" else bias, act)[0]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("name", CELLS)
def test_kernels_and_reference_agree(name, activation):
    wide = arguments_of(name, 20, 12, 3, 6)
    narrow = [a.astype(np.float32) for a in wide]

    def loss(outputs):
        return jnp.sum(jnp.cos(2 * outputs)), outputs

    def run(function, arguments):
        return jax.grad(lambda a: loss(function(*a)), has_aux=True)(arguments)

    gradients, outputs = run(lambda *a: recur(Cell(name, activation), *a)[0], narrow)
    with jax.enable_x64(True):
        expected_gradients, expected = run(partial(plain, name, activation), [jnp.asarray(a) for a in wide])
    assert distance(outputs, expected) <= 1e-6
    for a, b in zip(gradients, expected_gradients, strict=True):
        assert a.size == 0 or distance(a, b) <= 1e-5


@pytest.mark.parametrize("name", CELLS)
def test_gradients_are_those_of_central_differences(name):
    """In double precision, of the reference; the kernels are compared with it above."""
    with jax.enable_x64(True):
        start = [jnp.asarray(a) for a in arguments_of(name, 3, 5, 2, 3)]

        def loss(arguments):
            return jnp.sum(jnp.cos(2 * plain(name, "tanh", *arguments)))

        gradient = jax.grad(loss)(start)
        rng = np.random.default_rng(1)
        for which, values in enumerate(start):
            if not values.size:
                continue
            direction = jnp.asarray(rng.standard_normal(values.shape))
            ahead, behind = (
                loss([*start[:which], values + sign * 1e-5 * direction, *start[which + 1 :]]) for sign in (1, -1)
            )
            np.testing.assert_allclose((ahead - behind) / 2e-5, jnp.vdot(gradient[which], direction), rtol=1e-7)


@pytest.mark.parametrize("name", CELLS)
def test_vmap_is_a_loop(name):
    cases = [[a.astype(np.float32) for a in arguments_of(name, 4, 5, 2, 3, seed)] for seed in range(3)]
    stacked = [np.stack(a) for a in zip(*cases, strict=True)]
    gradient = jax.grad(lambda a: jnp.sum(recur(Cell(name), *a)[0] ** 2))
    found = jax.vmap(gradient)(stacked)
    for i, case in enumerate(cases):
        for a, b in zip(found, gradient(case), strict=True):
            assert np.array_equal(a[i], b)


@pytest.mark.parametrize("name", CELLS)
def test_nan_goes_where_it_belongs_and_nowhere_else(name):
    arguments = [a.astype(np.float32) for a in arguments_of(name, 20, 6, 2, 3)]
    clean, _ = recur(Cell(name), *arguments)
    arguments[0][5, 3] = np.nan
    found, _ = recur(Cell(name), *arguments)
    assert np.isnan(found[5, 3:]).all()
    untouched = np.ones((20, 6), bool)
    untouched[5, 3:] = False
    assert np.array_equal(np.asarray(found)[untouched], np.asarray(clean)[untouched])


@pytest.mark.parametrize("name", CELLS)
def test_far_out_values_saturate(name):
    """Gates at their ends: no overflow, no NaN, gradients too."""
    arguments = [(1e4 * a).astype(np.float32) for a in arguments_of(name, 4, 6, 2, 3)]
    value, gradient = jax.value_and_grad(lambda a: jnp.sum(recur(Cell(name), *a)[0]))(arguments)
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in gradient)


# ---- numbers of other projects ------------------------------------------------------------------------


def vectors(file):
    folder = os.environ.get("BACKSIGHT_REFERENCE")
    if not folder:
        pytest.skip("BACKSIGHT_REFERENCE names no folder of reference numbers")
    return json.loads((Path(folder) / file).read_text())


@pytest.mark.parametrize("place", range(40))
def test_forward_passes_of_other_projects(place, calls):
    case = vectors("recurrent_vectors.json")[place]
    flags = ("go_backwards", "reset_after", "activation", "zero_output_for_mask")
    settings = {k: case[k] for k in flags if k in case}
    weights = [np.asarray(case[k]) for k in ("kernel", "recurrent_kernel", "bias") if case.get(k) is not None]
    inputs = np.asarray(case["input"], np.float32)
    layer = getattr(layers, case["layer"])(
        case["units"], use_bias=len(weights) == 3, return_sequences=True, return_state=True, **settings
    )
    layer.build(inputs.shape)
    set_weights(layer, weights)
    states = case.get("initial_state")
    if states is not None:
        states = np.asarray(states, np.float32).reshape(-1, len(inputs), case["units"])
    mask = np.asarray(case["mask"], bool) if "mask" in case else None
    sequence, *final = layer(inputs, initial_state=None if states is None else list(states), mask=mask)
    assert bool(calls) == (mask is None)
    near = {"rtol": case["tolerance"], "atol": case["tolerance"]}
    if "expected_sequence" in case:
        expected = np.asarray(case["expected_sequence"])
        np.testing.assert_allclose(np.reshape(sequence, expected.shape), expected, **near)
    if "expected_last" in case:
        expected = np.asarray(case["expected_last"])
        np.testing.assert_allclose(np.reshape(sequence[:, -1], expected.shape), expected, **near)
    if "expected_states" in case:
        expected = np.asarray(case["expected_states"])
        np.testing.assert_allclose(np.reshape(np.stack(final), expected.shape), expected, **near)


def test_training_of_another_project():
    descent, stateful, _ = vectors("simplernn_training.json")
    ones = {"kernel_initializer": "ones", "use_bias": False}
    inputs = keras.Input((3, 4))
    recurrent = layers.SimpleRNN(1, recurrent_initializer="ones", **ones)
    model = keras.Model(inputs, keras.layers.Dense(1, **ones)(recurrent(inputs)))
    model.compile(keras.optimizers.SGD(5.0), loss="mse")
    model.fit(np.ones((5, 3, 4)), np.zeros((5, 1)), batch_size=5, epochs=2, verbose=0)
    kernel, recurrence, dense = weights_of(model)
    expected = descent["expected"]
    np.testing.assert_allclose(kernel, np.full((4, 1), expected["rnn_kernel_each"]), rtol=1e-4)
    np.testing.assert_allclose(recurrence, [[expected["rnn_recurrent"]]], rtol=1e-4)
    np.testing.assert_allclose(dense, [[expected["dense_kernel"]]], rtol=1e-4)

    carried = layers.SimpleRNN(
        5, activation="linear", kernel_initializer="ones", recurrent_initializer="ones", stateful=True
    )
    batch = np.ones((4, 3, 2), np.float32)
    carried.build(batch.shape)
    firsts = [float(carried(batch)[0, 0]) for _ in range(2)]
    carried.reset_state()
    assert [*firsts, float(carried(batch)[0, 0])] == list(stateful["expected"].values())


# ---- what is not covered ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "settings", "call"),
    [
        ("LSTM", {"recurrent_dropout": 0.5, "seed": 1}, {"training": True}),
        ("LSTM", {"recurrent_activation": "hard_sigmoid"}, {}),
        ("GRU", {"activation": "softplus"}, {}),
        ("GRU", {"unroll": True}, {}),
        ("SimpleRNN", {"activation": lambda x: x / 2}, {}),
        ("SimpleRNN", {"dtype": "mixed_bfloat16"}, {}),
        ("SimpleRNN", {}, {"mask": np.array([[True] * 5, [True, True, False, True, False]])}),
        ("LSTM", {"go_backwards": True}, {"mask": np.array([[True] * 5, [False] * 3 + [True] * 2])}),
    ],
)
def test_other_settings_take_kerass_loop(name, settings, call, calls):
    pair = twins(name, {"units": 3, "return_sequences": True, **settings}, (2, 5, 2))
    inputs = np.random.default_rng(0).standard_normal((2, 5, 2)).astype(np.float32)
    theirs, ours = (np.asarray(layer(inputs, **call), np.float32) for layer in pair)
    assert not calls
    assert np.array_equal(ours, theirs)


def test_without_kernels_too(monkeypatch, calls):
    from backsight.recurrence.library import Kernels

    monkeypatch.setattr(layers, "kernels", lambda: Kernels(None, "not built"))
    theirs, ours = twins("GRU", {"units": 3}, (2, 5, 2))
    inputs = np.random.default_rng(0).standard_normal((2, 5, 2)).astype(np.float32)
    assert np.array_equal(ours(inputs), theirs(inputs))
    assert not calls


def test_on_a_gpu_keras_has_its_own(monkeypatch, calls):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    _, ours = twins("GRU", {"units": 3, "use_cudnn": False}, (2, 5, 2))
    ours(np.zeros((2, 5, 2), np.float32))
    assert not calls


# ---- as a Keras layer ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_dropout_masks_are_those_of_keras(name, calls):
    theirs, ours = twins(name, {"units": 4, "dropout": 0.4, "seed": 7}, (6, 5, 3))
    inputs = np.random.default_rng(0).standard_normal((6, 5, 3)).astype(np.float32)
    pair = [outputs_and_gradients(layer, inputs, None, training=True) for layer in (ours, theirs)]
    assert calls
    assert distance(pair[0][0][0], pair[1][0][0]) <= 1e-6
    assert distance(ours(inputs), pair[0][0][0]) > 0.01


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_names_weights_and_settings_are_those_of_keras(name):
    settings = {"units": 4, "dropout": 0.1, "name": "memory", "seed": 3, "kernel_regularizer": "l2"}
    keras.utils.set_random_seed(5)
    theirs = getattr(keras.layers, name)(**settings)
    theirs.build((None, 5, 3))
    keras.utils.set_random_seed(5)
    ours = getattr(layers, name)(**settings)
    ours.build((None, 5, 3))
    assert ours.get_config() == theirs.get_config()
    assert [(v.path, v.shape) for v in ours.weights] == [(v.path, v.shape) for v in theirs.weights]
    for a, b in zip(weights_of(ours), weights_of(theirs), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's own, in saving
def test_in_anyones_model_saved_and_loaded(tmp_path, calls):
    inputs = keras.Input((6, 2))
    state = keras.layers.Bidirectional(layers.GRU(3, return_sequences=True))(inputs)
    model = keras.Model(inputs, keras.layers.Dense(1)(layers.LSTM(4)(state)))
    model.compile("adam", loss="mse")
    x = np.random.default_rng(0).standard_normal((40, 6, 2)).astype(np.float32)
    model.fit(x, x[:, -1, :1], epochs=2, verbose=0)
    assert {cell.name for cell in calls} == {"gru", "lstm"}
    assert {cell.backwards for cell in calls} == {False, True}
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert np.array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))


def compiled_text(function, *arguments):
    return jax.jit(function).lower(*arguments).compile(compiler_options=COMPILER_OPTIONS).as_text()


def test_work_that_nobody_asked_for_is_not_done():
    """One input gradient for two layers, and outputs of the last step alone from the second."""
    model = as_recipe("lstm_stacked(units=4)").build(6, 3, 1)
    weights = [v.value for v in model.trainable_variables]

    def loss(weights, x):
        return jnp.sum(model.stateless_call(weights, [v.value for v in model.non_trainable_variables], x)[0])

    x = jnp.zeros((8, 6, 3))
    text = compiled_text(jax.grad(loss), weights, x)
    counts = {t: text.count(f'custom_call_target="backsight_{t}"') for t in ("forward", "backward", "input_gradient")}
    assert counts == {"forward": 2, "backward": 2, "input_gradient": 1}
    assert compiled_text(jax.grad(loss, argnums=(0, 1)), weights, x).count("backsight_input_gradient") > 1
    assert "f32[8,4]" in next(
        line for line in text.splitlines() if "backsight_forward" in line and "f32[8,6,4]" in line
    )


# ---- threads, processors, installations ----------------------------------------------------------------


def test_eight_threads_get_the_bits_of_one():
    """10,000 calls in random order; the shapes differ, so the threads' working memory grows under way."""
    rng = np.random.default_rng(0)
    tasks = []
    for name in CELLS:
        for batch, steps, features, units in ((1, 1, 1, 1), (32, 10, 3, 5), (40, 3, 2, 17), (16, 20, 9, 8)):
            arguments = [a.astype(np.float32) for a in arguments_of(name, batch, steps, features, units)]
            gradient = jax.jit(jax.grad(lambda a, name=name: jnp.sum(recur(Cell(name), *a)[0] ** 2)))
            tasks.append((gradient.lower(arguments).compile(compiler_options=COMPILER_OPTIONS), arguments))

    def bits(place):
        compiled, arguments = tasks[place]
        return b"".join(np.asarray(g).tobytes() for g in compiled(arguments))

    expected = [bits(place) for place in range(len(tasks))]
    order = rng.integers(0, len(tasks), 10_000)
    with ThreadPoolExecutor(8) as pool:
        wrong = [place for place, found in zip(order, pool.map(bits, order), strict=True) if found != expected[place]]
    assert wrong == []


DIGEST = """
import hashlib, sys
import numpy as np, jax, jax.numpy as jnp
sys.path.insert(0, sys.argv[1])
import test_recurrence as t
found = hashlib.sha256()
for name in t.CELLS:
    for shape in ((32, 40, 3, 7), (45, 30, 2, 8), (600, 20, 2, 3)):
        arguments = [a.astype(np.float32) for a in t.arguments_of(name, *shape)]
        gradient = jax.jit(jax.grad(lambda a: jnp.sum(t.recur(t.Cell(name), *a)[0] ** 2)))
        for _ in range(20):  # helpers are not at hand at once
            parts = gradient(arguments)
            found.update(b"".join(np.asarray(part).tobytes() for part in parts))
print(found.hexdigest())
"""


def test_the_same_bits_on_any_number_of_cores():
    """The last of these has more threads than the machine may have cores, and so shares of all sizes."""
    environments = [{**os.environ, "BACKSIGHT_CORES": cores} for cores in ("1", "2", "5")]
    command = [sys.executable, "-c", DIGEST, str(Path(__file__).parent)]
    runs = [subprocess.run(command, env=e, capture_output=True, text=True, check=True) for e in environments]
    assert len({run.stdout for run in runs}) == 1


def test_trainings_are_counted(monkeypatch):
    """However they end: kernels leave the other cores to those beside them."""
    told = []
    monkeypatch.setattr(library, "kernels", lambda: replace(kernels(), count_trainings=told.append))
    learn, check, _ = views(make_toy())
    recipe, plan = as_recipe("rnn(units=2)"), Plan(epochs=2, batch_size=32)
    during = []
    recipe.fit(learn, check, plan, 0, lambda done: during.append(sum(told)))
    assert during == [1, 1]
    assert sum(told) == 0

    def stop(done):
        raise Interrupted

    with pytest.raises(Interrupted):
        recipe.fit(learn, check, plan, 0, stop)
    assert sum(told) == 0


SCRIPT = """
import sys, warnings
import numpy as np, jax, jax.numpy as jnp
sys.path.insert(0, sys.argv[1])
import test_recurrence as t
print(t.kernels().vectors)
for name in t.CELLS:
    for shape in ((1, 1, 1, 1), (33, 40, 5, 13)):
        wide = t.arguments_of(name, *shape)
        narrow = [a.astype(np.float32) for a in wide]
        f = lambda a: jnp.sum(jnp.cos(2 * t.recur(t.Cell(name), *a)[0]))
        g = lambda a: jnp.sum(jnp.cos(2 * t.plain(name, "tanh", *a)))
        ours = jax.grad(f)(narrow)
        with jax.enable_x64(True):
            theirs = jax.grad(g)([jnp.asarray(a) for a in wide])
        for a, b in zip(ours, theirs):
            assert a.size == 0 or t.distance(a, b) <= 1e-5, (name, shape)
"""


@pytest.mark.parametrize("vectors", ["plain", "avx2", "avx512"])
def test_every_copy_of_the_kernels(vectors):
    """The copy for other processors gives the same numbers, in a process that is told to use it."""
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent)],
        env={**os.environ, "BACKSIGHT_VECTORS": vectors},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    if run.stdout.split()[0] != vectors:
        pytest.skip(f"this processor has no {vectors}")
