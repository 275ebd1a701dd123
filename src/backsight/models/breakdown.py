"""Where a network's parameters sit: layer by layer, kind by kind, as a sum a learner can check."""

from dataclasses import dataclass
from math import prod
from typing import Any

from backsight.models.weights import GATES

_KINDS = {
    "kernel": "weights",
    "bias": "biases",
    "gamma": "scales",
    "beta": "shifts",
}


@dataclass(frozen=True)
class Part:
    """One array of weights.

    Attributes:
        kind: what its numbers are.
        formula: the product that counts them, such as "9 inputs x 7 units x 4 gates".
        count: how many there are.
    """

    kind: str
    formula: str
    count: int


@dataclass(frozen=True)
class LayerParameters:
    """One layer of a network.

    Attributes:
        name: of the layer.
        kind: its class in Keras.
        output_shape: None stands for the number of windows.
        parts: its arrays of trainable weights; none for a layer that learns nothing.
    """

    name: str
    kind: str
    output_shape: tuple[int | None, ...]
    parts: tuple[Part, ...]

    @property
    def count(self) -> int:
        """Number of trainable parameters."""
        return sum(part.count for part in self.parts)


def parameter_breakdown(model: Any) -> tuple[LayerParameters, ...]:
    """The layers of a model and their trainable parameters.

    Args:
        model: a `keras.Model`, built.

    >>> import backsight
    >>> model = backsight.as_recipe("lstm_stacked").build(lookback=30, features=9, horizon=1)
    >>> [(layer.name, layer.count) for layer in parameter_breakdown(model)]
    [('lstm_1', 476), ('lstm_2', 420), ('head', 8)]
    """
    return tuple(
        LayerParameters(
            layer.name,
            type(layer).__name__,
            _output_shape(layer),
            _recurrent_parts(layer) if type(layer).__name__ in GATES else _parts(layer),
        )
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"
    )


def one_line(layers: tuple[LayerParameters, ...]) -> str:
    """The whole sum in one line.

    >>> one_line((LayerParameters("head", "Dense", (None, 1), (Part("weights", "7", 7), Part("biases", "1", 1))),))
    'head 7 + 1 = 8'
    """
    learning = [layer for layer in layers if layer.count]
    sums = [f"{layer.name} {' + '.join(str(p.count) for p in layer.parts)} = {layer.count:,}" for layer in learning]
    total = f"; total {sum(layer.count for layer in learning):,}" if len(learning) > 1 else ""
    return "; ".join(sums) + total


def _output_shape(layer: Any) -> tuple[int | None, ...]:
    """Empty for a layer that was called outside Keras's functional way, which keeps no record of it."""
    try:
        return tuple(layer.output.shape)
    except (AttributeError, ValueError):
        return ()


def _recurrent_parts(layer: Any) -> tuple[Part, ...]:
    units, gates = layer.units, GATES[type(layer).__name__]
    times = f" x {gates} gates" if gates > 1 else ""
    inputs = layer.cell.kernel.shape[0]
    parts = [
        Part("input weights", f"{inputs} inputs x {units} units{times}", inputs * units * gates),
        Part("recurrent weights", f"{units} units x {units} units{times}", units * units * gates),
    ]
    if layer.use_bias:
        biases = prod(layer.cell.bias.shape)
        # GRU with reset_after keeps the biases of inputs and states apart.
        double = "2 x " if biases == 2 * units * gates else ""
        parts.append(Part("biases", f"{double}{units} units{times}", biases))
    return tuple(parts)


def _parts(layer: Any) -> tuple[Part, ...]:
    return tuple(
        Part(
            _KINDS.get(weight.name, weight.name) if len(layer.trainable_weights) <= 2 else _path_kind(weight),
            " x ".join(str(n) for n in weight.shape) or "1",
            prod(weight.shape),
        )
        for weight in layer.trainable_weights
    )


def _path_kind(weight: Any) -> str:
    """Such as "query weights", for a layer that is made of several."""
    owner = weight.path.split("/")[-2]
    return f"{owner} {_KINDS.get(weight.name, weight.name)}"
