"""Initial weights depend on a seed alone."""

import random
from threading import Event, Thread

import numpy as np
import pytest

from backsight.engine import keras_on_jax
from backsight.models.registry import as_recipe
from backsight.training.seeds import seeded


def weights(seed=3):
    model = seeded(lambda: as_recipe("lstm(units=3,dropout=0.2)").build(4, 3, 1), seed)
    return [np.asarray(v.value) for v in model.variables]


def assert_same(one, other):
    for ours, theirs in zip(one, other, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.fixture
def others_draw():
    """A thread that draws from the process-wide generator all the time, as that of a cluster's worker does."""
    stop = Event()

    def draw():
        while not stop.is_set():
            random.random()

    thread = Thread(target=draw)
    thread.start()
    yield
    stop.set()
    thread.join()


@pytest.mark.usefixtures("others_draw")
def test_other_threads_may_draw_meanwhile():
    expected = weights()
    for _ in range(5):
        assert_same(weights(), expected)


def test_a_seed_gives_the_weights_of_a_keras_script():
    keras = keras_on_jax()
    ours = weights(seed=42)
    keras.utils.set_random_seed(42)
    model = as_recipe("lstm(units=3,dropout=0.2)").build(4, 3, 1)
    assert_same(ours, [np.asarray(v.value) for v in model.variables])


def test_the_process_wide_generator_is_left_as_it_was():
    random.seed(1)
    expected = random.random()
    random.seed(1)
    weights()
    assert random.random() == expected


@pytest.mark.usefixtures("others_draw")
def test_the_process_wide_generator_would_be_seen(monkeypatch):
    """Planted: Keras's own way to its seeds."""
    from backsight.training import seeds

    monkeypatch.setattr(seeds, "_DRAWS", random)
    assert any(not np.array_equal(a, b) for _ in range(5) for a, b in zip(weights(), weights(), strict=True))
