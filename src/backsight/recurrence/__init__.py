"""Recurrent layers at the speed of the arithmetic.

`SimpleRNN`, `LSTM` and `GRU` are Keras layers for anyone's model on JAX; they are loaded, and Keras with
them, when they are first asked for.

>>> import backsight.recurrence
>>> backsight.recurrence.LSTM(8).units
8
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backsight.recurrence.layers import GRU, LSTM, SimpleRNN

__all__ = ["GRU", "LSTM", "SimpleRNN"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from backsight.recurrence import layers

        return getattr(layers, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
