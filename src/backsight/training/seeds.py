"""Initial weights that depend on a seed and on nothing else."""

import random
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

Built = TypeVar("Built")

_SEEDING = Lock()


def seeded(build: Callable[[], Built], seed: int) -> Built:
    """What `build` returns when Keras draws its default seeds from `seed`.

    Keras takes the seed of every initialiser and dropout layer from Python's process-wide generator.
    It is seeded here as `keras.utils.set_random_seed` would, so the same seed gives the weights that a
    Keras script gets, and then put back as it was. One thread at a time.

    >>> seeded(lambda: random.random(), seed=1) == seeded(lambda: random.random(), seed=1)
    True
    """
    with _SEEDING:
        before = random.getstate()
        random.seed(seed)
        try:
            return build()
        finally:
            random.setstate(before)
