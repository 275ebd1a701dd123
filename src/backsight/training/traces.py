"""What is seen inside a trained network; imports neither Keras nor JAX, so that anyone may read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RecurrentTrace:
    """One recurrent layer over some windows.

    Attributes:
        layer: its name in the network.
        kind: SimpleRNN, LSTM or GRU.
        felt: shape (windows, lookback + 1): what is left in its last state of a change of its state so many steps
            earlier; see `recurrence.trace.felt_after`.
        gates: by name, shape (windows, lookback, units), 0 to 1, first step of the window first.
    """

    layer: str
    kind: str
    felt: NDArray[np.float64]
    gates: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AttentionTrace:
    """Where one attention layer looks from the last step of the window.

    Attributes:
        layer: its name in the network.
        weights: shape (windows, heads, lookback), first step of the window first; they add up to 1 over steps.
    """

    layer: str
    weights: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Inside:
    """What is seen inside a network: its recurrent layers and its attention layers, in the order of the network."""

    recurrent: tuple[RecurrentTrace, ...] = ()
    attention: tuple[AttentionTrace, ...] = ()
