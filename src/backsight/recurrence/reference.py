"""The recurrent layers in plain JAX: what the kernels compute, to be read beside them.

Shapes: inputs (batch, steps, features), states (batch, units), outputs (batch, steps, units). Weights
and the order of their gates are Keras's. Any float type; slow, and differentiable by JAX in any way.

Sources: SimpleRNN: Elman 1990, Cognitive Science 14, 179-211; LSTM: Gers, Schmidhuber and Cummins 2000, Neural
Computation 12, 2451-2471; GRU: Cho et al. 2014, EMNLP (reset before the product), and as in cuDNN (after it).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array
Activation = Callable[[Array], Array]


def simple_rnn(
    inputs: Array, hidden: Array, kernel: Array, recurrent: Array, bias: Array, activation: Activation = jnp.tanh
) -> tuple[Array, Array]:
    """H' = activation(x W + h R + b).

    Args:
        inputs: shape (batch, steps, features).
        hidden: state before the first step, shape (batch, units).
        kernel, recurrent, bias: W (features, units), R (units, units), b (units,).

    Returns:
        the states of all steps, shape (batch, steps, units), and the last, shape (batch, units).
    """

    def step(h: Array, x: Array) -> tuple[Array, Array]:
        h = activation(x @ kernel + h @ recurrent + bias)
        return h, h

    return _over_time(step, hidden, inputs)


def lstm(
    inputs: Array,
    hidden: Array,
    carry: Array,
    kernel: Array,
    recurrent: Array,
    bias: Array,
    activation: Activation = jnp.tanh,
) -> tuple[Array, tuple[Array, Array]]:
    """Gates i, f, g, o from x W + h R + b; c' = f c + i g; h' = o activation(c').

    Args:
        inputs: shape (batch, steps, features).
        hidden, carry: h and c before the first step, each of shape (batch, units).
        kernel, recurrent, bias: W (features, 4 units), R (units, 4 units), b (4 units,).

    Returns:
        the hidden states of all steps, and the last hidden state and carry.
    """

    def step(state: tuple[Array, Array], x: Array) -> tuple[tuple[Array, Array], Array]:
        h, c = state
        i, f, g, o = jnp.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)  # each (batch, units)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * activation(g)
        h = jax.nn.sigmoid(o) * activation(c)
        return (h, c), h

    return _over_time(step, (hidden, carry), inputs)


def gru(
    inputs: Array, hidden: Array, kernel: Array, recurrent: Array, bias: Array, activation: Activation = jnp.tanh
) -> tuple[Array, Array]:
    """Update gate z, reset gate r; candidate g = activation(x W + r (h R + b')); h' = z h + (1 - z) g.

    Args:
        inputs: shape (batch, steps, features).
        hidden: state before the first step, shape (batch, units).
        kernel, recurrent, bias: W (features, 3 units), R (units, 3 units), b and b' (2, 3 units).

    Returns:
        the states of all steps, and the last.
    """

    def step(h: Array, x: Array) -> tuple[Array, Array]:
        from_x = jnp.split(x @ kernel + bias[0], 3, axis=-1)  # each (batch, units)
        from_h = jnp.split(h @ recurrent + bias[1], 3, axis=-1)
        z, r = (jax.nn.sigmoid(a + b) for a, b in zip(from_x[:2], from_h[:2], strict=True))
        h = z * h + (1 - z) * activation(from_x[2] + r * from_h[2])
        return h, h

    return _over_time(step, hidden, inputs)


def gru_reset_before(
    inputs: Array, hidden: Array, kernel: Array, recurrent: Array, bias: Array, activation: Activation = jnp.tanh
) -> tuple[Array, Array]:
    """As `gru`, with the state reset before its product: g = activation(x W + (r h) R + b).

    Args:
        inputs: shape (batch, steps, features).
        hidden: state before the first step, shape (batch, units).
        kernel, recurrent, bias: W (features, 3 units), R (units, 3 units), b (3 units,).

    Returns:
        the states of all steps, and the last.
    """
    to_gates, to_candidate = jnp.split(recurrent, [2 * hidden.shape[-1]], axis=-1)

    def step(h: Array, x: Array) -> tuple[Array, Array]:
        z, r, g = jnp.split(x @ kernel + bias, 3, axis=-1)  # each (batch, units)
        of_z, of_r = jnp.split(h @ to_gates, 2, axis=-1)
        z, r = jax.nn.sigmoid(z + of_z), jax.nn.sigmoid(r + of_r)
        h = z * h + (1 - z) * activation(g + (r * h) @ to_candidate)
        return h, h

    return _over_time(step, hidden, inputs)


def _over_time(step: Callable[..., Any], state: Any, inputs: Array) -> tuple[Array, Any]:
    """Apply a step from the first to the last; what it gives for each stands on axis 1."""
    last, outputs = jax.lax.scan(step, state, jnp.swapaxes(inputs, 0, 1))
    return jnp.swapaxes(outputs, 0, 1), last
