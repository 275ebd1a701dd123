"""A recurrent network and its cell on one sheet."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from backsight.report.diagrams.cell import GATES, draw_cell
from backsight.report.diagrams.unrolled import Layer, draw_unrolled


def draw_network(layers: Sequence[Layer], lookback: int, features: int, horizon: int = 1) -> Figure:
    """A figure of two drawings: the network unrolled, and one step of the cell of its first recurrent layer.

    Arguments as in `draw_unrolled`.

    Raises:
        ValueError: none of the layers is recurrent.

    >>> len(draw_network([("GRU", 8)], lookback=7, features=4).axes)
    2
    """
    rows = sum(layer[0] in GATES for layer in layers) + 3
    figure = Figure(figsize=(10.8, 1.1 * rows + 6.4), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(1.5 * rows + 0.35, 8.2))
    draw_unrolled(layers, lookback, features, horizon, above)
    kind, units = next(layer[:2] for layer in layers if layer[0] in GATES)
    draw_cell(kind, features, units, below)
    return figure
