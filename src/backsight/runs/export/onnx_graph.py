"""A small writer of ONNX graphs: operators of the standard, one after another."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Version of the operators, and of those for trees. Any ONNX Runtime since 1.17 (2024) knows them.
OPERATORS, TREES = 20, 3
#: Of the file's form; goes with the operators.
IR_VERSION = 9


class Graph:
    """A graph that is being written. A value is known by its name."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def add(self, operator: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """Apply an operator of one output; returns the output's name.

        Args:
            operator: as in the standard, such as "MatMul".
            inputs: names of values; "" for one that is left out.
            domain: of the operator; the standard's own without it.
            attributes: of the operator.
        """
        return self.several(operator, 1, *inputs, domain=domain, **attributes)[0]

    def several(self, operator: str, outputs: int, *inputs: str, domain: str = "", **attributes: Any) -> list[str]:
        """Apply an operator of several outputs; returns their names."""
        from onnx import helper

        names = [f"{operator.lower()}_{len(self._nodes)}_{place}" for place in range(outputs)]
        self._nodes.append(helper.make_node(operator, list(inputs), names, domain=domain, **attributes))
        return names

    def constant(self, array: NDArray[Any] | list[int] | float) -> str:
        """A constant; whole numbers and lists of them become int64, as shapes and axes are."""
        from onnx import numpy_helper

        values = np.asarray(array)
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(np.ascontiguousarray(values).reshape(values.shape), name))
        return name

    def write(self, output: str, shapes: tuple[list[Any], list[Any]], notes: dict[str, str]) -> bytes:
        """The file.

        Args:
            output: the value that is the forecast.
            shapes: of the input, called "window", and of the output; a text stands for any number.
            notes: by key, for who reads the file.
        """
        from onnx import TensorProto, checker, helper

        self._nodes.append(helper.make_node("Identity", [output], ["forecast"]))
        ends = [
            helper.make_tensor_value_info(name, TensorProto.DOUBLE, shape)
            for name, shape in zip(("window", "forecast"), shapes, strict=True)
        ]
        graph = helper.make_graph(self._nodes, "backsight", ends[:1], ends[1:], self._constants)
        operators = [helper.make_opsetid("", OPERATORS), helper.make_opsetid("ai.onnx.ml", TREES)]
        model = helper.make_model(graph, opset_imports=operators, ir_version=IR_VERSION, producer_name="backsight")
        helper.set_model_props(model, notes)
        checker.check_model(model)
        data: bytes = model.SerializeToString(deterministic=True)
        return data
