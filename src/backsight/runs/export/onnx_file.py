"""A saved model as ONNX: one file that many programs and languages run, checked against ONNX Runtime."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from backsight.errors import RecipeError, SettingError
from backsight.models.attention import Attention
from backsight.models.convolution import Convolution
from backsight.models.dense import Dense
from backsight.models.recurrent import Recurrent
from backsight.models.ridge import Ridge
from backsight.models.transformer import Transformer
from backsight.models.trees import BoostedTrees
from backsight.runs.export import onnx_networks, onnx_tables
from backsight.runs.export.agreement import Raw, check_agreement, draw_windows, exported_view
from backsight.runs.export.onnx_graph import Graph
from backsight.runs.fit import Fitted
from backsight.runs.model_file import Model
from backsight.vocabulary import Outputs
from backsight.windows.windows import input_names

#: ONNX's numbers for float32 and float64.
_FLOAT, _DOUBLE = 1, 11


def to_onnx(model: Model) -> bytes:
    """An ONNX model from windows of raw numbers to forecasts in the target's unit, the mean over the seeds.

    Its input "window" is float64 of shape (windows, lookback, columns), columns in the card's order and not scaled,
    those of the calendar last; its output "forecast" is float64 of shape (windows, horizon). Networks, ridge and trees
    can be exported. Columns, units and step stand in its metadata.

    Raises:
        RecipeError: ONNX has no operators for a model of this kind, or it is of many series.
        SettingError: onnx and ONNX Runtime are not installed.
        ModelFileError: ONNX Runtime forecasts something else.
    """
    for name in ("onnx", "onnxruntime"):
        if find_spec(name) is None:
            raise SettingError(
                f"Exporting to ONNX needs {name}, which is not installed: pip install 'backsight[onnx]'."
            )
    graph, view = Graph(), exported_view(model)
    centred = graph.add("Sub", "window", graph.constant(view.scaler.mean))
    # In 64 bits, and rounded to 32 where backsight does.
    scaled = graph.add("Cast", graph.add("Div", centred, graph.constant(view.scaler.scale)), to=_FLOAT)
    members = [_member(graph, scaled, one) for one in model.fitted]
    total = members[0]
    for member in members[1:]:
        total = graph.add("Add", total, member)
    mean = graph.add("Div", total, graph.constant(float(len(members))))
    shapes: tuple[list[Any], list[Any]] = (
        ["windows", view.lookback, len(view.scaler.mean)], ["windows", view.horizon]
    )  # fmt: skip
    data = graph.write(mean, shapes, _notes(model))
    check_agreement(model, draw_windows(view), _runtime(data), "ONNX")
    return data


def _member(graph: Graph, scaled: str, fitted: Fitted) -> str:
    """One seed's forecast in the target's unit, in 64 bits."""
    recipe, arrays, view = fitted.entry.recipe, fitted.forecaster.freeze().arrays, fitted.view
    if isinstance(recipe, Ridge):
        return onnx_tables.ridge_table(graph, scaled, arrays)
    if isinstance(recipe, BoostedTrees):
        return onnx_tables.trees_table(graph, scaled, arrays)
    if isinstance(recipe, Dense):
        output = onnx_networks.dense_network(graph, scaled, recipe, arrays)
    elif isinstance(recipe, Recurrent):
        output = onnx_networks.recurrent_network(graph, scaled, recipe, arrays)
    elif isinstance(recipe, Attention):
        output = onnx_networks.attention_network(graph, scaled, recipe, arrays)
    elif isinstance(recipe, Convolution):
        output = onnx_networks.convolution_network(graph, scaled, recipe, arrays, view.lookback)
    elif isinstance(recipe, Transformer):
        output = onnx_networks.transformer_network(graph, scaled, recipe, arrays, view.lookback)
    else:
        raise RecipeError(
            f"{fitted.entry.name} can't be exported to ONNX; networks of backsight, ridge and trees can. The model "
            f"file itself can be read by backsight."
        )
    if quantiles := fitted.forecaster.freeze().settings.get("quantiles"):
        output = onnx_networks.median(graph, output, view.horizon, quantiles)
    unscaled = graph.add("Mul", graph.add("Cast", output, to=_DOUBLE), graph.constant(view.target_scale))
    return graph.add("Add", unscaled, graph.constant(view.target_mean))


def _notes(model: Model) -> dict[str, str]:
    """What the file says of its numbers."""
    card = model.card
    columns = input_names(tuple(column.name for column in card.features), card.calendar)
    units = {column.name: column.unit for column in (card.target, *card.features)}
    return {
        "name": card.name,
        "target": card.target.name,
        "columns": json.dumps(columns),
        "units": json.dumps(units),
        "step": f"{card.step.count} {card.step.unit}",
        "backsight": card.backsight,
    }


def _runtime(data: bytes) -> Callable[[Raw], Outputs]:
    """What ONNX Runtime forecasts."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return lambda raw: np.asarray(session.run(["forecast"], {"window": raw})[0], dtype=np.float64)
