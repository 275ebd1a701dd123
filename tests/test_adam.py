"""Adam's step by the kernels against Keras's own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from backsight.engine import keras_on_jax
from backsight.recurrence.library import kernels
from backsight.training.adam import adam_step, covered

keras = keras_on_jax()
pytestmark = pytest.mark.skipif(not kernels().loaded, reason="installed without kernels: `backsight doctor` says why")

#: Around one vector of every width, and nothing at all.
SHAPES = [(), (1,), (0, 3), (3, 5), (16,), (17,), (2, 3, 4), (40, 33)]


def built(dtype="float32", constraint=None):
    """An optimizer and the weights it was built for."""
    rng = np.random.default_rng(0)
    weights = [keras.Variable(rng.standard_normal(shape), dtype=dtype) for shape in SHAPES]
    weights[3].constraint = constraint
    optimizer = keras.optimizers.Adam(0.01)
    optimizer.build(weights)
    return optimizer, [w.value for w in weights]


def descend(step, optimizer, weights, steps=25):
    """Weights and moments after steps down gradients of very different sizes."""
    moments, rng = [v.value for v in optimizer.variables], np.random.default_rng(1)
    for size in 10.0 ** rng.integers(-6, 4, steps):
        gradient = [jnp.asarray(size * rng.standard_normal(np.shape(w)), jnp.float32) for w in weights]
        weights, moments = step(moments, gradient, weights)
    return [np.asarray(a) for a in [*weights, *moments]]


def largest_difference(ours, theirs):
    """Relative to the largest value of each array."""
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if b.size]
    return max(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30) for a, b in pairs)


@pytest.mark.parametrize("jitted", [True, False])
def test_a_step_is_the_one_of_keras(jitted):
    optimizer, weights = built()
    assert covered(optimizer)

    def ours(*arguments):
        return adam_step(optimizer, *arguments)

    found = descend(jax.jit(ours) if jitted else ours, optimizer, weights)
    expected = descend(jax.jit(optimizer.stateless_apply), optimizer, weights)
    assert [a.dtype for a in found] == [b.dtype for b in expected]
    assert largest_difference(found, expected) <= 2e-6


def test_another_epsilon_is_caught():
    """Planted."""
    optimizer, weights = built()
    expected = descend(optimizer.stateless_apply, optimizer, weights, steps=3)
    optimizer.epsilon = 1e-5
    assert (
        largest_difference(descend(lambda *a: adam_step(optimizer, *a), optimizer, weights, steps=3), expected) > 1e-4
    )


def test_arguments_are_left_as_they_were():
    """A caller may keep the weights of an earlier epoch."""
    optimizer, weights = built()
    before = [np.array(w) for w in weights]
    moments = [v.value for v in optimizer.variables]
    jax.jit(lambda *a: adam_step(optimizer, *a))(moments, [w + 1 for w in weights], weights)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights, strict=True))
    assert all(np.array_equal(v.value, m) for v, m in zip(optimizer.variables, moments, strict=True))


def test_several_seeds_at_once():
    optimizer, weights = built()
    moments = [v.value for v in optimizer.variables]
    stacked = [jax.tree.map(lambda a: jnp.stack([a, a]), values) for values in (moments, weights, weights)]
    found = jax.tree.leaves(jax.vmap(lambda *a: adam_step(optimizer, *a))(*stacked))
    expected = jax.tree.leaves(adam_step(optimizer, moments, weights, weights))
    for both, one in zip(found, expected, strict=True):
        assert np.array_equal(both, jnp.stack([one, one]))


@pytest.mark.parametrize("settings", [{"constraint": keras.constraints.NonNeg()}, {"dtype": "bfloat16"}])
def test_what_the_kernels_do_not_know_is_left_to_keras(settings):
    optimizer, _ = built(**settings)
    assert not covered(optimizer)


def test_on_a_gpu_too(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    optimizer, _ = built()
    assert not covered(optimizer)
