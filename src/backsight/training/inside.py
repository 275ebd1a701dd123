"""Slopes of a network's forecast by its inputs, and what its layers do on the way."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from backsight.engine import keras_on_jax
from backsight.recurrence.trace import Cell, felt_after, state_slopes, trace_gates, trace_states
from backsight.training.batches import cut_batches
from backsight.training.losses import point
from backsight.training.program import BLOCK, Program, State, gather
from backsight.training.traces import AttentionTrace, Inside, RecurrentTrace
from backsight.windows.windows import Windows

Array = jax.Array

#: Numbers in the slopes of states that are held at once.
_MOST_NUMBERS = 2**24


def mean_slopes(program: Program, state: State, windows: Windows) -> NDArray[np.float64]:
    """Mean over windows and leads of |d forecast / d input|: exact, by reverse-mode differentiation.

    Returns:
        shape (lookback, features), the first step of the window first, in the target's unit per unit of the
        scaled inputs.
    """
    blocks, weights = cut_batches(windows.origins, BLOCK)
    inputs = jnp.asarray(windows.inputs)
    sums = [
        np.asarray(program.run(_slopes, state.trainable, state.other, inputs, block, weight), dtype=np.float64)
        for block, weight in zip(blocks, weights, strict=True)
    ]
    return np.sum(sums, axis=0) / len(windows) * windows.target_scale


def _slopes(program: Program, trainable: Any, other: Any, inputs: Array, origins: Array, weights: Array) -> Array:
    """Sum over a block of windows of the absolute slopes, averaged over leads: (lookback, features)."""

    def forecast(windows: Array) -> Array:
        outputs, _ = program.model.stateless_call(trainable, other, windows, training=False)
        return point(outputs, program.horizon, program.quantiles)  # (batch, horizon)

    outputs, pull = jax.vjp(forecast, gather(program, inputs, origins))

    def of_lead(lead: Array) -> Array:
        # A window's forecast depends on no other window, so one pull gives the slopes of all of them.
        (slopes,) = pull(jnp.zeros_like(outputs).at[:, lead].set(1.0))
        return jnp.sum(weights[:, None, None] * jnp.abs(slopes), axis=0)

    return jnp.mean(jax.lax.map(of_lead, jnp.arange(program.horizon)), axis=0)


def look_inside(program: Program, state: State, windows: Windows) -> Inside:
    """Traces of the recurrent and attention layers that a network applies to its window once, first step first.

    Layers inside of others (as in Bidirectional), called more than once, run backwards, or with other gates than
    sigmoids, are left out: nothing is seen of them.
    """
    model = program.model
    values = {id(v): w for v, w in zip(model.trainable_variables, state.trainable, strict=True)}
    values |= {id(v): w for v, w in zip(model.non_trainable_variables, state.other, strict=True)}
    inputs = jnp.asarray(windows.gather_inputs())
    recurrent, attention = [], []
    for layer in model.layers:
        if _is_recurrent(layer):
            (sequence,) = _inputs_of(model, layer, values, inputs)
            if sequence.shape[1] == windows.lookback:
                recurrent.append(_trace_recurrent(layer, values, sequence))
        elif _is_attention(layer):
            reached = _inputs_of(model, layer, values, inputs)
            trace = _trace_attention(layer, values, reached)
            if trace.weights.shape[-1] == windows.lookback:
                attention.append(trace)
    return Inside(tuple(recurrent), tuple(attention))


def _is_recurrent(layer: Any) -> bool:
    layers = keras_on_jax().layers
    return (
        isinstance(layer, layers.SimpleRNN | layers.LSTM | layers.GRU)
        and not layer.go_backwards
        and not layer.stateful
        and _called_once(layer)
        and getattr(getattr(layer.cell, "recurrent_activation", None), "__name__", "sigmoid") == "sigmoid"
    )


def _is_attention(layer: Any) -> bool:
    layers = keras_on_jax().layers
    return isinstance(layer, layers.Attention | layers.MultiHeadAttention) and _called_once(layer)


def _called_once(layer: Any) -> bool:
    """Whether Keras knows one symbolic input of it; a model that is not functional has none."""
    return len(getattr(layer, "_inbound_nodes", ())) == 1


def _inputs_of(model: Any, layer: Any, values: dict[int, Array], inputs: Array) -> list[Array]:
    """What reaches a layer when the windows enter the network."""
    wanted = layer.input if isinstance(layer.input, list) else [layer.input]
    up_to = keras_on_jax().Model(model.inputs, wanted)
    found, _ = up_to.stateless_call(*_values_of(up_to, values), [inputs], training=False)
    return jax.tree.leaves(found)  # Keras unwraps a list of one


def _values_of(part: Any, values: dict[int, Array]) -> tuple[list[Array], list[Array]]:
    return [values[id(v)] for v in part.trainable_variables], [values[id(v)] for v in part.non_trainable_variables]


def _trace_recurrent(layer: Any, values: dict[int, Array], inputs: Array) -> RecurrentTrace:
    cell = _cell(layer, values)
    states = trace_states(cell, inputs)
    gates = {name: np.asarray(gate) for name, gate in trace_gates(cell, inputs, states).items()}
    slopes = jax.jit(partial(state_slopes, cell))
    felt = [felt_after(np.asarray(slopes(inputs[some], states[some]))) for some in _blocks(cell, inputs.shape)]
    kind = next(c.__name__ for c in type(layer).__mro__ if c.__module__.startswith("keras."))
    return RecurrentTrace(layer.name, kind, np.concatenate(felt), gates)


def _cell(layer: Any, values: dict[int, Array]) -> Cell:
    cell = layer.cell
    if isinstance(layer, keras_on_jax().layers.GRU):
        kind = "gru" if cell.reset_after else "gru_reset_before"
    else:
        kind = "lstm" if hasattr(cell, "recurrent_activation") else "simple_rnn"
    kernel, recurrent = values[id(cell.kernel)], values[id(cell.recurrent_kernel)]
    zeros = jnp.zeros((2, kernel.shape[1]) if kind == "gru" else (kernel.shape[1],), kernel.dtype)
    return Cell(kind, kernel, recurrent, values[id(cell.bias)] if cell.use_bias else zeros, cell.activation)


def _blocks(cell: Cell, shape: Sequence[int]) -> Iterator[slice]:
    """Windows whose slopes are held at once."""
    count = max(_MOST_NUMBERS // (shape[1] * cell.size**2), 1)
    for first in range(0, shape[0], count):
        yield slice(first, first + count)


def _trace_attention(layer: Any, values: dict[int, Array], reached: Sequence[Array]) -> AttentionTrace:
    heads = isinstance(layer, keras_on_jax().layers.MultiHeadAttention)
    arguments = reached if heads else [list(reached)]
    (_, scores), _ = layer.stateless_call(
        *_values_of(layer, values), *arguments, return_attention_scores=True, training=False
    )
    # (windows, heads, asking steps, steps), and without heads in Keras's plain Attention
    asked = scores[..., -1, :]
    return AttentionTrace(layer.name, np.asarray(asked if heads else asked[:, None]))
