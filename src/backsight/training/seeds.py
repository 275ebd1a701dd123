"""Initial weights that depend on a seed and on nothing else."""

import random
from collections.abc import Callable
from threading import Lock, local
from typing import TypeVar

from backsight.engine import keras_on_jax

Built = TypeVar("Built")

_SEEDING = Lock()


class _Draws(local):
    """What Keras draws default seeds from: in a thread that builds a network for us a generator of its own."""

    generator: random.Random | None = None

    def randint(self, low: int, high: int) -> int:
        return (self.generator or random).randint(low, high)


_DRAWS = _Draws()


def seeded(build: Callable[[], Built], seed: int) -> Built:
    """What `build` returns when Keras draws its default seeds from `seed`.

    Keras takes the seed of every initialiser and dropout layer from Python's process-wide generator. Here it takes
    them from one that only this thread knows, seeded as `keras.utils.set_random_seed` would: the same seed gives the
    weights that a Keras script gets, also where other threads draw numbers meanwhile, as those of a cluster's worker
    do. The process-wide generator is seeded too, for what `build` itself may draw, and then put back as it was. One
    thread at a time.

    >>> seeded(lambda: random.random(), seed=1) == seeded(lambda: random.random(), seed=1)
    True
    """
    keras_on_jax()
    from keras.src.random import seed_generator

    seed_generator.python_random = _DRAWS  # no public way leads there; tests/test_seeds.py sees if it leads nowhere
    with _SEEDING:
        before = random.getstate()
        random.seed(seed)
        _DRAWS.generator = random.Random(seed)
        try:
            return build()
        finally:
            _DRAWS.generator = None
            random.setstate(before)
