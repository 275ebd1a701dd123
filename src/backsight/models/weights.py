"""Names and shapes of the weights of Keras's layers, by arithmetic: a file is checked without Keras.

Each function gives the arrays of one layer in the order in which Keras keeps them. The names are backsight's own
and never change, whatever Keras calls its variables.
"""

from backsight.models.frozen import Spec, Specs

#: Gates of a recurrent layer, the candidate counted with them.
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}


def dense(name: str, inputs: int, units: int) -> Specs:
    """One weight an input and unit, one bias a unit.

    >>> dense("head", 7, 1)["head/kernel"]
    Spec(dtype='float32', shape=(7, 1))
    """
    return _layer(name, kernel=(inputs, units), bias=(units,))


def convolution(name: str, kernel: int, inputs: int, units: int) -> Specs:
    """One weight a step, input and filter, one bias a filter."""
    return _layer(name, kernel=(kernel, inputs, units), bias=(units,))


def recurrent(layer: str, name: str, inputs: int, units: int) -> Specs:
    """Weights of the inputs and of the state before, and biases, side by side for all gates.

    A GRU of Keras keeps the biases of inputs and states apart.
    """
    columns = GATES[layer] * units
    bias = (2, columns) if layer == "GRU" else (columns,)
    return _layer(name, kernel=(inputs, columns), recurrent_kernel=(units, columns), bias=bias)


def normalization(name: str, units: int) -> Specs:
    """A scale and a shift a unit."""
    return _layer(name, scale=(units,), shift=(units,))


def self_attention(name: str, units: int, heads: int) -> Specs:
    """Query, key, value and output, without biases; every head has units / heads of the width."""
    inside, out = (units, heads, units // heads), (heads, units // heads, units)
    return _layer(name, query=inside, key=inside, value=inside, output=out)


def stacked_recurrent(layer: str, features: int, units: int, layers: int) -> Specs:
    """Recurrent layers, one upon the other.

    >>> list(stacked_recurrent("LSTM", 9, 7, 2))[3:]
    ['lstm_2/kernel', 'lstm_2/recurrent_kernel', 'lstm_2/bias']
    """
    specs: Specs = {}
    for place in range(1, layers + 1):
        specs |= recurrent(layer, f"{layer.lower()}_{place}", features if place == 1 else units, units)
    return specs


def _layer(name: str, **shapes: tuple[int, ...]) -> Specs:
    return {f"{name}/{part}": Spec("float32", shape) for part, shape in shapes.items()}
