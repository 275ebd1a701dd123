"""Boosted trees after they have grown: plain arrays, and forecasts from them.

scikit-learn grows the trees; nothing of it stays. So a file of them outlives its versions.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from backsight.errors import ModelFileError
from backsight.models.frozen import Frozen
from backsight.models.recipe import Forecaster
from backsight.vocabulary import Outputs
from backsight.windows.windows import Windows

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingRegressor

#: Windows a block: what a tree's nodes give for so many of them stays in the cache.
BLOCK = 2048


@dataclass(frozen=True, eq=False)
class TreesForecaster(Forecaster):
    """One boosted ensemble a lead, all nodes of all trees in one row.

    A node asks whether a lag is at most a threshold, and sends a window left or right. A leaf has itself for both
    and gives its value. Children stand behind their parent, and a tree's nodes side by side.

    Attributes:
        baseline: shape (horizon,), what a lead's sum of trees begins with.
        last_tree: shape (horizon,), how many trees there are up to the end of each lead's.
        root: shape (trees,), the first node of each tree.
        feature: shape (nodes,), which lag a node looks at.
        threshold: shape (nodes,).
        left, right: shape (nodes,), the children.
        missing_left: shape (nodes,), 1 where a lag that is NaN goes left.
        value: shape (nodes,), of a leaf; in the target's unit.
    """

    baseline: NDArray[np.float64]
    last_tree: NDArray[np.int32]
    root: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.uint8]
    value: NDArray[np.float64]

    def predict(self, windows: Windows) -> Outputs:
        predicted = np.empty((len(windows), len(self.baseline)))
        for begin in range(0, len(windows), BLOCK):
            block = windows.at(windows.origins[begin : begin + BLOCK])
            lags = np.ascontiguousarray(block.gather_lags().T)  # a node reads one lag of all windows
            first = 0
            for lead, last in enumerate(self.last_tree.tolist()):
                total = np.full(len(block), self.baseline[lead])
                for tree in range(first, last):  # one after the other, for sums depend on their order
                    total += self._answers(tree, lags)
                predicted[begin : begin + BLOCK, lead] = total
                first = last
        return predicted

    def freeze(self) -> Frozen:
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        return Frozen({"trees": len(self.root), "nodes": len(self.feature)}, arrays)

    def _answers(self, tree: int, lags: NDArray[np.float64]) -> NDArray[np.float64] | float:
        """One value a window, from the leaves up: a node chooses between what its children say."""
        begin = int(self.root[tree])
        nodes = slice(begin, int(self.root[tree + 1]) if tree + 1 < len(self.root) else None)
        columns = (self.feature, self.threshold, self.left, self.right, self.missing_left, self.value)
        listed = list(zip(*(column[nodes].tolist() for column in columns), strict=True))
        says: dict[int, NDArray[np.float64] | float] = {}
        for node, (feature, threshold, left, right, missing_left, value) in reversed([*enumerate(listed, begin)]):
            if left == node:
                says[node] = value
                continue
            lag = lags[feature]
            goes_left = ~(lag > threshold) if missing_left else lag <= threshold
            says[node] = np.where(goes_left, says.pop(left), says.pop(right))
        return says[begin]


def as_forecaster(models: "Sequence[HistGradientBoostingRegressor]") -> TreesForecaster:
    """The forecaster of scikit-learn's fitted ensembles, one a lead."""
    of_lead = [[predictor.nodes for (predictor,) in model._predictors] for model in models]
    trees = [nodes for trees in of_lead for nodes in trees]
    sizes = [len(nodes) for nodes in trees]
    root = np.cumsum([0, *sizes[:-1]]).astype(np.int32)
    nodes = np.concatenate(trees)
    itself, leaf = np.arange(len(nodes), dtype=np.int32), nodes["is_leaf"] == 1
    first = np.repeat(root, sizes)
    return TreesForecaster(
        baseline=np.array([model._baseline_prediction.item() for model in models]),
        last_tree=np.cumsum([len(trees) for trees in of_lead]).astype(np.int32),
        root=root,
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int32),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]),
        left=np.where(leaf, itself, first + nodes["left"]).astype(np.int32),
        right=np.where(leaf, itself, first + nodes["right"]).astype(np.int32),
        missing_left=np.where(leaf, 0, nodes["missing_go_to_left"]).astype(np.uint8),
        value=np.where(leaf, nodes["value"], 0.0),
    )


def check_grown(grown: TreesForecaster, lags: int) -> None:
    """Make sure that arrays from a file are trees: every window comes to a leaf, and reads lags that it has.

    Raises:
        ModelFileError: they are not; the message names the array.
    """
    nodes, trees = len(grown.feature), len(grown.root)
    last, root = grown.last_tree.astype(np.int64), grown.root.astype(np.int64)
    itself = np.arange(nodes)
    tree = np.searchsorted(root, itself, side="right") - 1
    end = np.append(root[1:], nodes)[tree]
    leaf = grown.left == itself
    children = np.sort(np.concatenate([grown.left[~leaf], grown.right[~leaf]]))
    inside = (grown.left > itself) & (grown.right > itself) & (grown.left < end) & (grown.right < end)
    rules = {
        "last_tree": last[0] >= 1 and (np.diff(last) >= 1).all() and last[-1] == trees,
        "root": root[0] == 0 and (np.diff(root) >= 1).all() and root[-1] < nodes,
        "feature": ((grown.feature >= 0) & (grown.feature < lags)).all(),
        "left and right": (np.where(leaf, grown.right == itself, inside)).all()
        # Every node but the roots is the child of one other.
        and np.array_equal(children, np.delete(itself, root)),
        "missing_left": (grown.missing_left <= 1).all(),
    }
    for name, kept in rules.items():
        if not kept:
            raise ModelFileError(f"Its trees can't be: {name} must fit the rest.")
