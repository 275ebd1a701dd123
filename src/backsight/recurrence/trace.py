"""A recurrent layer laid open: its states, its gates, and how far a change of its state is felt.

What a layer computes is read from `reference`, one step at a time, in plain JAX; the kernels give the same
states and keep the rest to themselves. Shapes: inputs (windows, steps, features), states (windows, steps + 1, size),
where size is the number of units, or twice that for LSTM, whose state is h and c side by side.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from backsight.recurrence import reference

Array = jax.Array


@dataclass(frozen=True, eq=False)
class Cell:
    """A recurrent layer's weights, and what they are for.

    Attributes:
        kind: simple_rnn, lstm, gru or gru_reset_before: a function of `reference`.
        kernel, recurrent, bias: as Keras keeps them.
        activation: of the state.
    """

    kind: str
    kernel: Array
    recurrent: Array
    bias: Array
    activation: Callable[[Array], Array] = jnp.tanh

    @property
    def units(self) -> int:
        """Numbers in its hidden state."""
        return self.recurrent.shape[0]

    @property
    def size(self) -> int:
        """Numbers in all of its state."""
        return 2 * self.units if self.kind == "lstm" else self.units

    def advance(self, state: Array, x: Array) -> Array:
        """The state after one step: (windows, size) from (windows, size) and (windows, features)."""
        weights = (self.kernel, self.recurrent, self.bias, self.activation)
        if self.kind == "lstm":
            hidden, carry = jnp.split(state, 2, axis=-1)
            _, last = reference.lstm(x[:, None], hidden, carry, *weights)
            return jnp.concatenate(last, axis=-1)
        _, after = getattr(reference, self.kind)(x[:, None], state, *weights)
        return after


def trace_states(cell: Cell, inputs: Array) -> Array:
    """The states of a layer, from the zeros it begins with to the last: shape (windows, steps + 1, size).

    >>> cell = Cell("simple_rnn", jnp.ones((1, 1)), jnp.full((1, 1), 0.5), jnp.zeros(1), lambda h: h)
    >>> trace_states(cell, jnp.ones((1, 3, 1))).ravel().tolist()
    [0.0, 1.0, 1.5, 1.75]
    """
    start = jnp.zeros((inputs.shape[0], cell.size), inputs.dtype)

    def step(state: Array, x: Array) -> tuple[Array, Array]:
        after = cell.advance(state, x)
        return after, after

    _, later = jax.lax.scan(step, start, jnp.swapaxes(inputs, 0, 1))
    return jnp.concatenate([start[:, None], jnp.swapaxes(later, 0, 1)], axis=1)


def trace_gates(cell: Cell, inputs: Array, states: Array) -> dict[str, Array]:
    """How far each gate stands open, 0 to 1, at every step: arrays of shape (windows, steps, units) by name.

    LSTM has an input, a forget and an output gate, GRU an update and a reset gate, SimpleRNN none. An open forget or
    update gate keeps the state. The recurrent activation must be a sigmoid.
    """
    hidden = states[:, :-1, : cell.units]
    bias = cell.bias.sum(axis=0) if cell.bias.ndim == 2 else cell.bias  # GRU, reset after: two biases
    sums = inputs @ cell.kernel + hidden @ cell.recurrent + bias  # (windows, steps, gates x units)
    if cell.kind == "lstm":
        i, f, _, o = jnp.split(jax.nn.sigmoid(sums), 4, axis=-1)
        return {"input": i, "forget": f, "output": o}
    if cell.kind.startswith("gru"):
        z, r, _ = jnp.split(jax.nn.sigmoid(sums), 3, axis=-1)
        return {"update": z, "reset": r}
    return {}


def state_slopes(cell: Cell, inputs: Array, states: Array) -> Array:
    """Derivatives of each state by the one before: shape (windows, steps, size, size), new by old."""

    def advance(state: Array, x: Array) -> Array:
        return cell.advance(state[None], x[None])[0]

    every = jax.vmap(jax.vmap(jax.jacfwd(advance)))
    return every(states[:, :-1], inputs)


def felt_after(slopes: NDArray[np.floating]) -> NDArray[np.float64]:
    """How much of a change of the state d steps earlier is left in the last state.

    The Frobenius norm of d last state / d state d steps earlier, over the root of the state's size: the root mean
    square over directions of what is left of a change of length 1. It is 1 at d = 0.

    Args:
        slopes: shape (windows, steps, size, size); see `state_slopes`.

    Returns:
        shape (windows, steps + 1), by distance d from 0.

    Source: Bengio, Simard and Frasconi 1994, IEEE Transactions on Neural Networks 5, 157-166; Pascanu, Mikolov and
    Bengio 2013, ICML.

    >>> half = np.full((1, 3, 2, 2), 0.5) * np.eye(2)
    >>> felt_after(half)
    array([[1.   , 0.5  , 0.25 , 0.125]])
    """
    windows, steps, size, _ = slopes.shape
    product = np.broadcast_to(np.eye(size), (windows, size, size))
    left = np.empty((windows, steps + 1))
    left[:, 0] = 1.0
    for distance in range(1, steps + 1):
        product = product @ slopes[:, steps - distance].astype(np.float64)
        left[:, distance] = np.linalg.norm(product, axis=(1, 2)) / np.sqrt(size)
    return left
