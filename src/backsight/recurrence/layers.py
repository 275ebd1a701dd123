"""Keras's recurrent layers with another inner loop: the fused kernels, wherever they cover the settings.

Weights, names, configuration, seeds and dropout masks are Keras's own. What the kernels do not cover
(recurrent dropout, masks, other activations, other types than float32, `unroll`, a GPU) takes Keras's
loop, by itself and with the same numbers.
"""

# ruff: noqa: E402
from typing import Any

import jax
import jax.numpy as jnp

from backsight.engine import keras_on_jax
from backsight.recurrence.fused import ACTIVATIONS, Cell, recur
from backsight.recurrence.library import kernels

keras_on_jax()  # before Keras is imported, which reads its backend then

import keras


def covered(layer: Any, inputs: Any, mask: Any) -> bool:
    """Whether the kernels can do this layer's work on these inputs of shape (batch, steps, features)."""
    cell = layer.cell
    gates = getattr(cell, "recurrent_activation", None)
    return (
        jax.default_backend() == "cpu"  # first: where JAX has no CPU, the kernels cannot be loaded
        and kernels().loaded
        and mask is None
        and not layer.unroll
        and not cell.recurrent_dropout
        and not (cell.dropout and getattr(cell, "implementation", 2) == 1)  # a mask for each gate
        and _name(cell.activation) in ACTIVATIONS
        and (gates is None or _name(gates) == "sigmoid")
        and 0 not in inputs.shape
        and str(inputs.dtype) == str(cell.compute_dtype) == "float32"
    )


def _name(activation: Any) -> str:
    """Keras's name of one of its own activations; '' for any other function."""
    name = getattr(activation, "__name__", "")
    return name if name and getattr(keras.activations, name, None) is activation else ""


def _fused(layer: Any, name: str, inputs: Any, states: list[Any], training: bool) -> tuple[Any, Any, list[Any]]:
    """What `keras.layers.RNN.inner_loop` returns: last output, all outputs, states."""
    cell = layer.cell
    if training and cell.dropout:
        inputs = inputs * jnp.expand_dims(cell.get_dropout_mask(inputs[:, 0, :]), 1)
    how = Cell(name, _name(cell.activation), layer.go_backwards, layer.return_sequences)
    kernel, recurrent = jnp.asarray(cell.kernel), jnp.asarray(cell.recurrent_kernel)
    biases = how.rows.biases * cell.units
    bias = jnp.reshape(jnp.asarray(cell.bias), biases) if cell.use_bias else jnp.zeros(biases, inputs.dtype)
    hidden, carry = states[0], states[1] if len(states) > 1 else jnp.zeros((inputs.shape[0], 0), inputs.dtype)
    outputs, last_carry = recur(how, inputs, hidden, carry, kernel, recurrent, bias)
    last = outputs[:, -1] if how.sequences else outputs
    return last, outputs if how.sequences else outputs[:, None], [last, last_carry][: len(states)]


@keras.saving.register_keras_serializable("backsight")
class SimpleRNN(keras.layers.SimpleRNN):
    """`keras.layers.SimpleRNN`, with the whole window in one native call forward and one backward.

    Arguments, weights, shapes and errors are Keras's. Activations tanh, relu, linear and sigmoid are fused.

    >>> import numpy as np
    >>> SimpleRNN(4)(np.zeros((2, 30, 3), "float32")).shape
    (2, 4)

    Source: Elman 1990, Cognitive Science 14, 179-211.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        if covered(self, sequences, mask):
            return _fused(self, "simple_rnn", sequences, _listed(initial_state), training)
        return super().inner_loop(sequences, initial_state, mask, training)


@keras.saving.register_keras_serializable("backsight")
class LSTM(keras.layers.LSTM):
    """`keras.layers.LSTM`, with the whole window in one native call forward and one backward.

    Arguments, weights, shapes and errors are Keras's. The recurrent activation must be a sigmoid to be
    fused; the activation tanh, relu, linear or sigmoid.

    >>> import numpy as np
    >>> LSTM(4, return_sequences=True)(np.zeros((2, 30, 3), "float32")).shape
    (2, 30, 4)

    Source: Hochreiter and Schmidhuber 1997, Neural Computation 9, 1735-1780.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        if covered(self, sequences, mask):
            return _fused(self, "lstm", sequences, _listed(initial_state), training)
        return super().inner_loop(sequences, initial_state, mask, training)


@keras.saving.register_keras_serializable("backsight")
class GRU(keras.layers.GRU):
    """`keras.layers.GRU`, with the whole window in one native call forward and one backward.

    Arguments, weights, shapes and errors are Keras's; `reset_after` both ways. The recurrent activation
    must be a sigmoid to be fused; the activation tanh, relu, linear or sigmoid.

    >>> import numpy as np
    >>> GRU(4)(np.zeros((2, 30, 3), "float32")).shape
    (2, 4)

    Source: Cho et al. 2014, EMNLP.
    """

    def inner_loop(self, sequences: Any, initial_state: Any, mask: Any, training: bool = False) -> Any:
        if covered(self, sequences, mask):
            name = "gru" if self.cell.reset_after else "gru_reset_before"
            return _fused(self, name, sequences, _listed(initial_state), training)
        return super().inner_loop(sequences, initial_state, mask, training)


def _listed(states: Any) -> list[Any]:
    return list(states) if isinstance(states, list | tuple) else [states]
