"""One epoch as one compiled program.

The series lies on the device once. A mini-batch is gathered from it by row number inside the program,
so a window is never copied out and a lookback of 360 costs the memory of one of 3.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from threading import Lock, RLock
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from backsight.engine import COMPILER_OPTIONS, accelerated, keras_on_jax
from backsight.errors import RecipeError
from backsight.training.adam import adam_step, covered
from backsight.training.batches import cut_batches
from backsight.training.losses import error_sums, in_order, point
from backsight.training.seeds import seeded
from backsight.vocabulary import Outputs
from backsight.windows.windows import Windows

#: Windows a block when nothing is learnt: large enough to be fast, small enough to stay in the cache.
BLOCK = 128

Array = jax.Array


class State(NamedTuple):
    """All that changes from one training step to the next, as lists of arrays.

    Attributes:
        trainable: the weights.
        other: seeds of dropout, moving averages and the like.
        optimizer: Adam's moments, its step count and learning rate.
    """

    trainable: list[Array]
    other: list[Array]
    optimizer: list[Array]


class Builder(Hashable, Protocol):
    """Builds the same network again and again; hashable, so that its program is compiled once."""

    def build(self, lookback: int, features: int, horizon: int) -> Any:
        """A `keras.Model` from (windows, lookback, features) to (windows, horizon).

        Where quantiles are learnt, `horizon` counts them too: each quantile of each lead is an output.
        """


@dataclass(frozen=True, eq=False)
class Program:
    """A network's training epoch and its predictions, compiled for the shapes they meet.

    Attributes:
        model: the network as Keras describes it; its own weights are never used.
        lookback, horizon: lengths of its windows' inputs and outputs.
        quantiles: that it forecasts, rising, the median in the middle; none if it learns squared errors.
    """

    model: Any
    optimizer: Any
    lookback: int
    horizon: int
    quantiles: tuple[float, ...] = ()
    _idle: dict[Any, list[Any]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    @property
    def outputs(self) -> int:
        """How many numbers the network gives for a window."""
        return self.horizon * max(len(self.quantiles), 1)

    def start(self, model: Any) -> State:
        """The state before the first step, with the weights of a freshly built model of this kind.

        Raises:
            RecipeError: it is another network than the one that was compiled.
        """
        shapes = [tuple(v.shape) for v in model.variables]
        if shapes != [tuple(v.shape) for v in self.model.variables]:
            raise RecipeError("The function builds another network each time. It must depend on its arguments alone.")
        return State(
            [v.value for v in model.trainable_variables],
            [v.value for v in model.non_trainable_variables],
            [v.value for v in self.optimizer.variables],
        )

    def restore(self, weights: Sequence[Any]) -> State:
        """The state of a network that forecasts and learns no more.

        Args:
            weights: the trainable ones in Keras's order, and then the others; without those, the ones that a freshly
                built model begins with.
        """
        values = [jnp.asarray(w) for w in weights]
        learnt = len(self.model.trainable_variables)
        others = [v.value for v in self.model.non_trainable_variables]
        return State(values[:learnt], values[learnt:] or others, [])

    def run_epoch(self, state: State, inputs: Any, targets: Any, learn: Any, check: Any) -> tuple[Any, ...]:
        """Every training batch once, then the validation loss.

        Args:
            state: before the epoch.
            inputs: shape (steps, features).
            targets: shape (steps,), scaled.
            learn, check: origins and weights of the training and validation batches, each of shape
                (batches, batch size); see `cut_batches`.

        Returns:
            state after the epoch; mean squared training error, gathered while learning; mean squared
            validation error. Where quantiles are learnt, the mean pinball losses after them.
        """
        return self.run(_epoch, state, inputs, targets, *learn, *check)

    def run_epochs(self, states: State, inputs: Any, targets: Any, learn: Any, check: Any) -> tuple[Any, ...]:
        """An epoch of several seeds at once.

        Arguments and results are those of `run_epoch`, with a leading axis of seeds on all that belongs to
        one: the state, the training batches, all errors.
        """
        return self.run(_epochs, states, inputs, targets, *learn, *check)

    def predict(self, state: State, windows: Windows) -> Outputs:
        """Forecasts of shape (windows, horizon), in the target's unit; medians where quantiles are learnt."""
        return self._forecast(_predict_point, state, windows, (self.horizon,))

    def predict_quantiles(self, state: State, windows: Windows) -> NDArray[np.float64]:
        """Quantiles, rising: shape (windows, horizon, quantiles), in the target's unit."""
        return self._forecast(_predict_quantiles, state, windows, (self.horizon, len(self.quantiles)))

    def _forecast(self, function: Callable[..., Any], state: State, windows: Windows, shape: tuple[int, ...]) -> Any:
        if not len(windows):
            return np.empty((0, *shape))
        # Blocks of one size, whatever the number of windows: one program, and a window's forecast
        # does not depend on how many others are asked for.
        blocks, _ = cut_batches(windows.origins, BLOCK)
        inputs = jnp.asarray(windows.inputs)
        outputs = [np.asarray(self.run(function, state.trainable, state.other, inputs, block)) for block in blocks]
        scaled = np.concatenate(outputs)[: len(windows)].astype(np.float64)
        return scaled * windows.target_scale + windows.target_mean

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function of this file, compiled for these shapes.

        XLA runs one executable for one caller at a time, so each caller borrows one of its own. The first
        is compiled; others are made when they are needed, from the compiler's cache.
        """
        shapes = tuple(np.shape(leaf) for leaf in jax.tree.leaves(arguments))
        with self._lock:
            idle = self._idle.setdefault((function, shapes), [])
            if not idle:
                traced = jax.jit(lambda *a: function(self, *a)).lower(*arguments)
                idle.append(traced.compile(compiler_options=None if accelerated() else COMPILER_OPTIONS))
            executable = idle.pop()
        try:
            return jax.block_until_ready(executable(*arguments))  # type: ignore[no-untyped-call]
        finally:
            with self._lock:
                idle.append(executable)


_BUILDING = RLock()


@lru_cache(maxsize=64)
def _program(
    builder: Builder, lookback: int, features: int, horizon: int, learning_rate: float, quantiles: tuple[float, ...]
) -> Program:
    model = seeded(lambda: builder.build(lookback, features, horizon * max(len(quantiles), 1)), seed=0)
    if accelerated():
        avoid_cudnn(model)
    optimizer = keras_on_jax().optimizers.Adam(learning_rate)
    optimizer.build(model.trainable_variables)
    return Program(model, optimizer, lookback, horizon, quantiles)


def program_for(
    builder: Builder,
    lookback: int,
    features: int,
    horizon: int,
    learning_rate: float,
    quantiles: tuple[float, ...] = (),
) -> Program:
    """The program of this network and these shapes: entries and seeds that share them share it."""
    with _BUILDING:
        return _program(builder, lookback, features, horizon, learning_rate, quantiles)


def avoid_cudnn(model: Any) -> None:
    """Let every LSTM of a network take Keras's loop: JAX can't run cuDNN's for several seeds at once.

    Keras would choose cuDNN's by itself, in the layers of a user's own network too.
    """
    lstm = keras_on_jax().layers.LSTM
    for layer in model._flatten_layers():  # `model.layers` leaves out those inside of others, as in Bidirectional
        if isinstance(layer, lstm):
            layer.use_cudnn = False


def gather(program: Program, inputs: Array, origins: Array) -> Array:
    """The windows of these origins: (batch, lookback, features)."""
    return inputs[origins[:, None] + jnp.arange(1 - program.lookback, 1)]


def _error_sums(program: Program, outputs: Array, targets: Array, origins: Array, weights: Array) -> tuple[Array, ...]:
    """Sums over a batch, averaged over leads: of the loss that is learnt first, of the squared error last."""
    truth = targets[origins[:, None] + jnp.arange(1, program.horizon + 1)]  # (batch, horizon)
    return error_sums(outputs, truth, weights, program.quantiles)


def _epoch(
    program: Program,
    state: State,
    inputs: Array,
    targets: Array,
    origins: Array,
    weights: Array,
    check_origins: Array,
    check_weights: Array,
) -> tuple[Any, ...]:
    model, optimizer = program.model, program.optimizer
    descend = partial(adam_step, optimizer) if covered(optimizer) else optimizer.stateless_apply

    def loss(trainable: Any, other: Any, o: Array, w: Array) -> tuple[Array, tuple[Any, tuple[Array, ...]]]:
        outputs, other, penalties = model.stateless_call(
            trainable, other, gather(program, inputs, o), training=True, return_losses=True
        )
        sums = _error_sums(program, outputs, targets, o, w)
        return sums[0] / jnp.sum(w) + sum(penalties), (other, sums)

    def step(state: State, batch: tuple[Array, Array]) -> tuple[State, tuple[Array, ...]]:
        (_, (other, sums)), gradient = jax.value_and_grad(loss, has_aux=True)(state.trainable, state.other, *batch)
        trainable, moments = descend(state.optimizer, gradient, state.trainable)
        return State(trainable, other, moments), sums

    state, learnt = jax.lax.scan(step, state, (origins, weights))

    def check(batch: tuple[Array, Array]) -> tuple[Array, ...]:
        o, w = batch
        outputs = _predict(program, state.trainable, state.other, inputs, o)
        return _error_sums(program, outputs, targets, o, w)

    checked = jax.lax.map(check, (check_origins, check_weights))
    # Squared errors come first; they are the only ones unless quantiles are learnt.
    means = [
        (jnp.sum(on_train) / jnp.sum(weights), jnp.sum(on_check) / jnp.sum(check_weights))
        for on_train, on_check in zip(reversed(learnt), reversed(checked), strict=True)
    ]
    return state, *(mean for pair in means for mean in pair)


def _epochs(program: Program, *arguments: Any) -> tuple[Any, ...]:
    """`_epoch` over a leading axis of the state and of the training batches."""
    return jax.vmap(partial(_epoch, program), in_axes=(0, None, None, 0, 0, None, None))(*arguments)


def _predict(program: Program, trainable: Any, other: Any, inputs: Array, origins: Array) -> Array:
    windows = gather(program, inputs, origins)
    outputs, _ = program.model.stateless_call(trainable, other, windows, training=False)
    return outputs  # (batch, outputs), scaled


def _predict_point(program: Program, *arguments: Any) -> Array:
    return point(_predict(program, *arguments), program.horizon, program.quantiles)


def _predict_quantiles(program: Program, *arguments: Any) -> Array:
    return in_order(_predict(program, *arguments), program.horizon, program.quantiles)
