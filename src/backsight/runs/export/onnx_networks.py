"""Networks of the closed list as ONNX graphs: one function a family, from scaled windows to scaled forecasts.

Each is given the frozen arrays by their names (see `models.weights`), all of them float32, and values of shape
(windows, steps, columns). Keras is not needed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backsight.errors import RecipeError
from backsight.models.attention import Attention
from backsight.models.convolution import Convolution, layers_to_see, steps_to_compute
from backsight.models.dense import Dense
from backsight.models.recurrent import Recurrent
from backsight.models.transformer import Transformer, sinusoids
from backsight.models.weights import GATES
from backsight.runs.export.onnx_graph import Graph

Arrays = Mapping[str, NDArray[Any]]

#: Keras's default of a layer normalisation.
EPSILON = 1e-3
#: Activations that ONNX's recurrent operators know, by Keras's names.
OF_STATES = {
    "relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "linear": "Affine", "elu": "Elu", "softplus": "Softplus"
}  # fmt: skip
#: Where ONNX has each gate, counted in Keras's order.
GATE_ORDER = {"SimpleRNN": [0], "LSTM": [0, 3, 1, 2], "GRU": [0, 1, 2]}


def dense_network(graph: Graph, window: str, recipe: Dense, arrays: Arrays) -> str:
    """All lags through dense layers."""
    values = graph.add("Flatten", window)
    for place in range(1, len(recipe.units) * (recipe.layers or 1) + 1):
        values = _activate(graph, _dense(graph, values, arrays, f"dense_{place}"), recipe.activation)
    return _dense(graph, values, arrays, "head")


def recurrent_network(graph: Graph, window: str, recipe: Recurrent, arrays: Arrays) -> str:
    """Recurrent layers; the head reads the last state."""
    _, last = _states(graph, window, recipe, arrays)
    return _dense(graph, last, arrays, "head")


def attention_network(graph: Graph, window: str, recipe: Attention, arrays: Arrays) -> str:
    """Recurrent layers; the head reads the last state, and the mean of all states that it asks for."""
    states, last = _states(graph, window, recipe, arrays)  # (steps, windows, units), (windows, units)
    values = graph.add("Transpose", states, perm=[1, 0, 2])  # (windows, steps, units)
    asking = graph.add("Unsqueeze", last, graph.constant([1]))  # (windows, 1, units)
    scores = graph.add("MatMul", asking, graph.add("Transpose", values, perm=[0, 2, 1]))
    context = graph.add("MatMul", graph.add("Softmax", scores, axis=-1), values)  # (windows, 1, units)
    both = graph.add("Concat", asking, context, axis=-1)
    return _dense(graph, graph.add("Flatten", both), arrays, "head")


def convolution_network(graph: Graph, window: str, recipe: Convolution, arrays: Arrays, lookback: int) -> str:
    """Causal convolutions, each at the steps that the next one reads."""
    depth = recipe.layers or layers_to_see(lookback, recipe.kernel)
    values, length = graph.add("Transpose", window, perm=[0, 2, 1]), lookback  # (windows, columns, steps)
    for place, steps in enumerate(steps_to_compute(lookback, recipe.kernel, depth), start=1):
        span = 2 * (steps - 1) + recipe.kernel
        if span < length:
            ends = [graph.constant([n]) for n in (length - span, length, 2)]
            values = graph.add("Slice", values, *ends)
        kernel = graph.constant(arrays[f"convolution_{place}/kernel"].transpose(2, 1, 0))
        bias = graph.constant(arrays[f"convolution_{place}/bias"])
        zeros = [max(span - length, 0), 0]
        values = graph.add("Conv", values, kernel, bias, strides=[2], pads=zeros, kernel_shape=[recipe.kernel])
        values, length = _activate(graph, values, recipe.activation), steps
    return _dense(graph, graph.add("Flatten", values), arrays, "head")  # one step is left


def transformer_network(graph: Graph, window: str, recipe: Transformer, arrays: Arrays, lookback: int) -> str:
    """Self-attention blocks; of the last one only the last step is computed."""
    values = _dense(graph, window, arrays, "embed")
    values = graph.add("Add", values, graph.constant(sinusoids(lookback, recipe.units)))
    for block in range(1, recipe.layers + 1):
        read = _normalize(graph, values, arrays, f"norm_{block}a")
        asking = read
        if block == recipe.layers:
            values, asking = _last(graph, values), _last(graph, read)
        attended = _self_attention(graph, asking, read, recipe, arrays, f"attention_{block}")
        values = graph.add("Add", values, attended)
        inner = _normalize(graph, values, arrays, f"norm_{block}b")
        inner = _activate(graph, _dense(graph, inner, arrays, f"widen_{block}"), recipe.activation)
        values = graph.add("Add", values, _dense(graph, inner, arrays, f"narrow_{block}"))
    return _dense(graph, graph.add("Flatten", _normalize(graph, values, arrays, "norm")), arrays, "head")


def median(graph: Graph, outputs: str, horizon: int, quantiles: int) -> str:
    """The middle one of each lead's quantiles; a network may have them in another order."""
    of_lead = graph.add("Reshape", outputs, graph.constant([0, horizon, quantiles]))
    rising, _ = graph.several("TopK", 2, of_lead, graph.constant([quantiles]), axis=-1, largest=0)
    return graph.add("Gather", rising, graph.constant(quantiles // 2), axis=-1)


def _dense(graph: Graph, values: str, arrays: Arrays, name: str) -> str:
    product = graph.add("MatMul", values, graph.constant(arrays[f"{name}/kernel"]))
    return graph.add("Add", product, graph.constant(arrays[f"{name}/bias"]))


def _activate(graph: Graph, values: str, activation: str) -> str:
    if activation == "linear":
        return values
    if activation == "silu":
        return graph.add("Mul", values, graph.add("Sigmoid", values))
    return graph.add(activation.capitalize(), values)  # all others have one operator of that name


def _last(graph: Graph, values: str) -> str:
    """The last step, still of three axes."""
    ends = [graph.constant([n]) for n in (-1, np.iinfo(np.int64).max, 1)]
    return graph.add("Slice", values, *ends)


def _normalize(graph: Graph, values: str, arrays: Arrays, name: str) -> str:
    scale, shift = (graph.constant(arrays[f"{name}/{part}"]) for part in ("scale", "shift"))
    return graph.add("LayerNormalization", values, scale, shift, axis=-1, epsilon=EPSILON)


def _self_attention(graph: Graph, asking: str, read: str, recipe: Transformer, arrays: Arrays, name: str) -> str:
    units, heads = recipe.units, recipe.heads
    width = units // heads

    def by_head(values: str, part: str, order: list[int]) -> str:
        kernel = graph.constant(arrays[f"{name}/{part}"].reshape(units, units))
        shape = graph.constant([0, -1, heads, width])
        split = graph.add("Reshape", graph.add("MatMul", values, kernel), shape)
        return graph.add("Transpose", split, perm=order)

    query = by_head(asking, "query", [0, 2, 1, 3])  # (windows, heads, asking steps, width)
    query = graph.add("Mul", query, graph.constant(np.array(1 / np.sqrt(width), np.float32)))
    key = by_head(read, "key", [0, 2, 3, 1])  # (windows, heads, width, steps)
    weights = graph.add("Softmax", graph.add("MatMul", query, key), axis=-1)
    answers = graph.add("MatMul", weights, by_head(read, "value", [0, 2, 1, 3]))
    side_by_side = graph.add("Transpose", answers, perm=[0, 2, 1, 3])
    flat = graph.add("Reshape", side_by_side, graph.constant([0, -1, units]))
    return graph.add("MatMul", flat, graph.constant(arrays[f"{name}/output"].reshape(units, units)))


def _states(graph: Graph, window: str, recipe: Recurrent | Attention, arrays: Arrays) -> tuple[str, str]:
    """The states of the last layer at all steps, (steps, windows, units), and at the last one, (windows, units)."""
    states = graph.add("Transpose", window, perm=[1, 0, 2])
    last = ""
    for place in range(1, recipe.layers + 1):
        states, last = _recurrent(graph, states, recipe, arrays, f"{recipe.layer.lower()}_{place}")
    return states, last


def _recurrent(graph: Graph, inputs: str, recipe: Recurrent | Attention, arrays: Arrays, name: str) -> tuple[str, str]:
    if recipe.activation not in OF_STATES:
        raise RecipeError(
            f"ONNX's recurrent layers have no activation {recipe.activation!r}; they have {', '.join(OF_STATES)}."
        )
    layer, state = recipe.layer, OF_STATES[recipe.activation]
    weights, recurrent = (_rows(arrays[f"{name}/{part}"], layer) for part in ("kernel", "recurrent_kernel"))
    biases = arrays[f"{name}/bias"]
    of_inputs, of_states = biases if layer == "GRU" else (biases, np.zeros_like(biases))
    both = np.concatenate([_rows(of_inputs[None], layer)[:, 0], _rows(of_states[None], layer)[:, 0]])
    activations = {"SimpleRNN": [state], "LSTM": ["Sigmoid", state, state], "GRU": ["Sigmoid", state]}[layer]
    of_gru: dict[str, Any] = {"linear_before_reset": 1} if layer == "GRU" else {}
    outputs = graph.several(
        "RNN" if layer == "SimpleRNN" else layer,
        2,
        inputs,
        *(graph.constant(array[None]) for array in (weights, recurrent, both)),  # of one direction
        hidden_size=recipe.units,
        activations=activations,
        # Whether a value is for each function or for each that wants one, readers don't agree; these fit both.
        activation_alpha=[1.0] * len(activations),
        activation_beta=[0.0] * len(activations),
        **of_gru,
    )
    all_states, last = outputs  # (steps, 1, windows, units), (1, windows, units)
    squeezed = graph.add("Squeeze", all_states, graph.constant([1]))
    return squeezed, graph.add("Squeeze", last, graph.constant([0]))


def _rows(columns: NDArray[Any], layer: str) -> NDArray[Any]:
    """Weights of all gates as ONNX has them: rows where Keras has columns, and the gates in another order."""
    gates = np.split(columns, GATES[layer], axis=1)
    return np.concatenate([gates[place].T for place in GATE_ORDER[layer]])
