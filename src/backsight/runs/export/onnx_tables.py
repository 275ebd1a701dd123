"""Models of tables as ONNX graphs, from scaled windows to forecasts in the target's unit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backsight.runs.export.onnx_graph import Graph

Arrays = Mapping[str, NDArray[Any]]


def ridge_table(graph: Graph, window: str, arrays: Arrays) -> str:
    """One weighted sum a lead, in 64 bits."""
    lags = graph.add("Cast", _lags(graph, window), to=_DOUBLE)
    return graph.add("Gemm", lags, graph.constant(arrays["weights"]), graph.constant(arrays["intercept"]))


def trees_table(graph: Graph, window: str, arrays: Arrays) -> str:
    """One ensemble a lead; leaves are added in 32 bits, what the sum begins with in 64."""
    roots, nodes = arrays["root"], len(arrays["feature"])
    itself = np.arange(nodes)
    tree = np.searchsorted(roots, itself, side="right") - 1
    lead = np.searchsorted(arrays["last_tree"], tree, side="right")
    leaf = arrays["left"] == itself
    within = itself - roots[tree]  # nodes are counted tree by tree

    def child(side: str) -> list[int]:
        return [int(n) for n in np.where(leaf, 0, arrays[side] - roots[tree])]

    sums = graph.add(
        "TreeEnsembleRegressor",
        _lags(graph, window),
        domain="ai.onnx.ml",
        n_targets=len(arrays["baseline"]),
        nodes_treeids=[int(n) for n in tree],
        nodes_nodeids=[int(n) for n in within],
        nodes_featureids=[int(n) for n in arrays["feature"]],
        nodes_modes=["LEAF" if is_leaf else "BRANCH_LEQ" for is_leaf in leaf],
        nodes_values=[float(n) for n in _below(arrays["threshold"])],
        nodes_truenodeids=child("left"),
        nodes_falsenodeids=child("right"),
        nodes_missing_value_tracks_true=[int(n) for n in arrays["missing_left"]],
        target_treeids=[int(n) for n in tree[leaf]],
        target_nodeids=[int(n) for n in within[leaf]],
        target_ids=[int(n) for n in lead[leaf]],
        target_weights=[float(n) for n in arrays["value"][leaf]],
    )
    return graph.add("Add", graph.add("Cast", sums, to=_DOUBLE), graph.constant(arrays["baseline"]))


#: ONNX's number for float64.
_DOUBLE = 11


def _lags(graph: Graph, window: str) -> str:
    """All lags of the first column, then those of the next: (windows, columns x lookback)."""
    return graph.add("Flatten", graph.add("Transpose", window, perm=[0, 2, 1]))


def _below(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest numbers of 32 bits that are not above: for a lag of 32 bits, the same question.

    >>> bool(_below(np.array([0.1]))[0] <= 0.1)
    True
    """
    nearest = thresholds.astype(np.float32)
    return np.where(nearest > thresholds, np.nextafter(nearest, np.float32(-np.inf)), nearest)
