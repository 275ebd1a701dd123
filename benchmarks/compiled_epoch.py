"""backsight's compiled epoch, timed without the loop around it; what several benchmarks share.

Validation costs next to nothing here: the check set, without which no epoch is, is one batch of one window.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

TARGET = "BASEL_sunshine"
FEATURES = "BASEL_*"
LEARNING_RATE = 0.001


@dataclass(frozen=True)
class Network:
    """Recurrent layers and their head, what they read, and how many windows a step they learn from."""

    layer: str = "LSTM"
    units: int = 16
    layers: int = 1
    lookback: int = 30
    batch_size: int = 32

    def __str__(self) -> str:
        return " + ".join([f"{self.layer}({self.units})"] * self.layers)


@dataclass(frozen=True, eq=False)
class Data:
    """The nine Basel columns as the lesson has them, unscaled, and the rows from which to look back.

    Attributes:
        inputs: shape (steps, features), float32.
        targets: shape (steps,), float32.
        origins: shape (windows,), int32: the row of each window's last input.
    """

    inputs: np.ndarray
    targets: np.ndarray
    origins: np.ndarray

    def steps(self, batch_size: int) -> int:
        """Training steps an epoch."""
        return -(-len(self.origins) // batch_size)

    def windows(self, lookback: int) -> tuple[np.ndarray, np.ndarray]:
        """Copied out: inputs (windows, lookback, features) and targets (windows, 1)."""
        return self.inputs[self.origins[:, None] + np.arange(1 - lookback, 1)], self.targets[self.origins + 1, None]

    def save(self, path: Path) -> None:
        """For processes that have no backsight."""
        np.savez(path, inputs=self.inputs, targets=self.targets, origins=self.origins)


def load_data(path: Path) -> Data:
    """What `Data.save` wrote."""
    with np.load(path) as kept:
        return Data(kept["inputs"], kept["targets"], kept["origins"])


def basel(lookback: int, windows: int | None = None) -> Data:
    """The training windows of the lesson's rows of this lookback, or the last so many of them."""
    from backsight.series.catalogue import load
    from backsight.windows.split import split_by_fractions
    from backsight.windows.windows import window_origins

    series = load("basel")
    inputs = np.column_stack([series.column(name) for name in series.select([FEATURES]).columns])
    origins = window_origins(split_by_fractions(len(series), first=lookback).train, lookback, horizon=1)
    if windows is not None:
        assert windows <= len(origins), "The lesson has not as many training windows."
        origins = origins[-windows:]
    return Data(inputs.astype(np.float32), series.column(TARGET).astype(np.float32), origins)


@dataclass(frozen=True)
class Timed:
    """Epochs of one network.

    Attributes:
        parameters: the network's.
        layer: the class that did the recurrence, with its module.
        ms_a_step: of each epoch after the first: its time, over its steps and over the models trained at a time.
    """

    parameters: int
    layer: str
    ms_a_step: list[float]


def time_epochs(network: Network, data: Data, epochs: int, models: int = 1, workers: int = 1) -> Timed:
    """Trains models that differ by their seed, as many at a time as there are workers.

    The first epoch of each compiles or warms up and is left out. Several models go in turns of one epoch each, so that
    all workers are busy from the beginning of a turn nearly to its end.
    """
    import jax.numpy as jnp

    from backsight.models.recurrent import Recurrent
    from backsight.recurrence.library import beside_others
    from backsight.training.batches import cut_batches
    from backsight.training.program import program_for
    from backsight.training.seeds import seeded

    recipe: Any = Recurrent(layer=network.layer, units=network.units, layers=network.layers)  # type: ignore[arg-type]
    shape = (network.lookback, data.inputs.shape[1], 1)
    program = program_for(recipe, *shape, LEARNING_RATE)
    inputs, targets = jnp.asarray(data.inputs), jnp.asarray(data.targets)
    check = cut_batches(data.origins[:1], 1)
    states = [program.start(seeded(lambda: recipe.build(*shape), seed)) for seed in range(models)]

    def epoch(seed: int, number: int) -> None:
        batches = cut_batches(data.origins, network.batch_size, np.random.default_rng([seed, number]))
        states[seed], loss, _ = program.run_epoch(states[seed], inputs, targets, batches, check)
        assert np.isfinite(float(loss))  # waits for the epoch's end, too

    seconds = []
    with ThreadPoolExecutor(workers) as pool, ExitStack() as trainings:
        for _ in range(min(workers, models)):  # as `train` says it
            trainings.enter_context(beside_others())
        for number in range(epochs + 1):
            began = perf_counter()
            for done in [pool.submit(epoch, seed, number) for seed in range(models)]:
                done.result()
            seconds.append(perf_counter() - began)
    parameters = sum(w.size for w in states[0].trainable)
    layer = type(program.model.layers[1])
    return Timed(parameters, f"{layer.__module__}.{layer.__name__}", per_step(seconds, data, network, models))


def per_step(seconds: Sequence[float], data: Data, network: Network, models: int = 1) -> list[float]:
    """Milliseconds a step and model, from the seconds of all epochs; the first is left out."""
    return [1000 * s / data.steps(network.batch_size) / models for s in seconds[1:]]
