"""The kernels as JAX functions, with gradients.

`kernels/cells.h` has the arithmetic, `reference.py` the same in plain JAX. Here is only what JAX must
be told: shapes of the results, which function computes the gradient, what `vmap` does.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from backsight.recurrence.library import Rows, kernels

Array = jax.Array

CELLS = ("simple_rnn", "lstm", "gru", "gru_reset_before")
ACTIVATIONS = ("tanh", "relu", "linear", "sigmoid")


@dataclass(frozen=True)
class Cell:
    """A recurrent layer over a whole window, but for its weights.

    Attributes:
        name: one of `CELLS`.
        activation: of the state, one of `ACTIVATIONS`; gates are sigmoids.
        backwards: read the window from its end; outputs come in the order of reading.
        sequences: outputs of all steps, or of the last alone, and then nothing else is written.
    """

    name: str
    activation: str = "tanh"
    backwards: bool = False
    sequences: bool = True

    @property
    def rows(self) -> Rows:
        return kernels().rows[CELLS.index(self.name)]


def block_width(batch: int) -> int:
    """Windows that a kernel works on side by side: two of the widest vectors, or one if that is enough.

    >>> block_width(5), block_width(32), block_width(500)
    (16, 32, 32)
    """
    return 16 if batch <= 16 else 32


def odd(rows: int) -> int:
    """At least so many rows a step: an odd number, for steps a power of two apart meet on the same lines of the cache.

    >>> odd(7), odd(64)
    (7, 65)
    """
    return rows | 1


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def recur(
    cell: Cell, inputs: Array, hidden: Array, carry: Array, kernel: Array, recurrent: Array, bias: Array
) -> tuple[Array, Array]:
    """A recurrent layer over whole windows, by the kernels; float32.

    Args:
        cell: which, and how.
        inputs: shape (batch, steps, features), steps at least 1.
        hidden: state before the first step, shape (batch, units).
        carry: an LSTM's carry before the first step, shape (batch, units); else of shape (batch, 0).
        kernel, recurrent, bias: as Keras has them, the bias flattened.

    Returns:
        outputs, of shape (batch, steps, units) or (batch, units), and the carry after the last step.
    """
    outputs, last_carry, _, _ = _forward(cell, False, inputs, hidden, carry, kernel, recurrent, bias)
    return outputs, last_carry


def _forward(
    cell: Cell, keep: bool, inputs: Array, hidden: Array, carry: Array, kernel: Array, recurrent: Array, bias: Array
) -> list[Array]:
    (batch, steps, features), units = inputs.shape, recurrent.shape[0]
    width, rows = block_width(batch), cell.rows
    blocks = -(-batch // width)
    shapes = [
        (batch, steps, units) if cell.sequences else (batch, units),
        carry.shape,
        (blocks, steps + 1, odd((1 + rows.extra) * units + features), width),
        (blocks, steps if keep else 1, odd(rows.saved * units), width),
    ]
    return _call("backsight_forward", shapes)(
        inputs, hidden, carry, kernel, recurrent, bias,
        cell=CELLS.index(cell.name), activation=ACTIVATIONS.index(cell.activation),
        backwards=cell.backwards, sequences=cell.sequences, keep=keep,
    )  # fmt: skip


def _recur_forward(cell: Cell, *arguments: Array) -> tuple[tuple[Array, Array], tuple[Array, ...]]:
    outputs, last_carry, panel, saved = _forward(cell, True, *arguments)
    kernel, recurrent = arguments[3], arguments[4]
    return (outputs, last_carry), (panel, saved, kernel, recurrent, arguments[0])


def _recur_backward(cell: Cell, kept: tuple[Array, ...], slopes_in: tuple[Array, Array]) -> tuple[Array, ...]:
    panel, saved, kernel, recurrent, inputs = kept
    rows, units = cell.rows, recurrent.shape[0]
    batch = inputs.shape[0]
    shapes = [
        (batch, units),
        (batch, rows.carries * units),
        kernel.shape,
        recurrent.shape,
        (rows.biases * units,),
        saved.shape,
    ]
    hidden, carry, of_kernel, of_recurrent, of_bias, slopes = _call("backsight_backward", shapes, {3: 5})(
        *slopes_in, panel, saved, kernel, recurrent,
        cell=CELLS.index(cell.name), activation=ACTIVATIONS.index(cell.activation), sequences=cell.sequences,
    )  # fmt: skip
    # A call of its own: where nobody wants the gradient of the inputs, the compiler drops it.
    (of_inputs,) = _call("backsight_input_gradient", [inputs.shape])(
        slopes, kernel, cell=CELLS.index(cell.name), backwards=cell.backwards
    )
    return of_inputs, hidden, carry, of_kernel, of_recurrent, of_bias


recur.defvjp(_recur_forward, _recur_backward)


def _call(target: str, shapes: list[tuple[int, ...]], aliases: dict[int, int] | None = None) -> Any:
    results = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]  # type: ignore[no-untyped-call]
    return jax.ffi.ffi_call(target, results, vmap_method="sequential", input_output_aliases=aliases)
