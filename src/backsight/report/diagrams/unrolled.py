"""A recurrent network unrolled: the same layer at every step of the window, and what is handed on."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from backsight.report.diagrams.cell import GATES
from backsight.report.diagrams.pen import arrow, box, canvas, words

#: Steps that are drawn; of more, the first two and the last two.
MOST_STEPS = 5

#: Keras's name of a layer, its outputs, and its parameters where they are known.
Layer = tuple[str, int] | tuple[str, int, int]

_TONES = ("c1", "c3", "c4", "c2")
_WIDE, _HIGH, _APART = 1.5, 0.78, 1.5


def draw_unrolled(
    layers: Sequence[Layer],
    lookback: int = 30,
    features: int = 9,
    horizon: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """A recurrent network over the steps of its window, with the shapes of what goes from layer to layer.

    Boxes of one colour are one layer with one set of weights. Layers after the recurrent ones, and the head, see the
    last state alone.

    Args:
        layers: Keras's name and the number of outputs of each, from the input on, such as [("LSTM", 7), ("LSTM", 7)];
            and their parameters, if they are not what these make them. The head need not be named.
        lookback: steps in a window.
        features: numbers in a step.
        horizon: steps forecast at once.
        ax: where to draw; a new one without it.

    Raises:
        ValueError: none of the layers is recurrent.

    >>> axis = draw_unrolled([("LSTM", 7), ("LSTM", 7)], lookback=30, features=9)
    >>> [text.get_text() for text in axis.texts if text.get_text().startswith("(")]
    ['(30, 9)', '(30, 7)', '(7)', '(1)']
    """
    recurrent = [layer for layer in layers if layer[0] in GATES]
    if not recurrent:
        raise ValueError("None of these layers is recurrent, so there is nothing to unroll.")
    after = list(layers[max(k for k, layer in enumerate(layers) if layer[0] in GATES) + 1 :])
    rest = after if after and after[-1][:2] == ("Dense", horizon) else [*after, ("Dense", horizon)]
    columns = _columns(lookback)
    rows = 1 + len(recurrent) + len(rest) + 1
    ax = canvas(4.6 + 2.1 * len(columns), _APART * rows + 0.35, ax, scale=0.72)
    places = [4.7 + 2.1 * k for k in range(len(columns))]
    heights = [0.75 + _APART * k for k in range(rows)]
    _inputs(ax, columns, places, heights[0], features)
    words(ax, (0.15, heights[0]), "window", align="left", size=12)
    inputs = features
    for row, layer in enumerate(recurrent):
        kind, units = layer[:2]
        _layer(ax, kind, row, columns, places, heights, last=row == len(recurrent) - 1)
        _shape(ax, heights[row], (lookback, inputs))
        of_formula = GATES[kind] * units * (inputs + units + (2 if kind == "GRU" else 1))
        _describe(ax, heights[row + 1], f"{kind}, {units} units", layer[2] if len(layer) > 2 else of_formula)
        inputs = units
    _head(ax, rest, inputs, places[-1], heights, len(recurrent), horizon)
    return ax


def _columns(lookback: int) -> list[int | None]:
    """Steps before the last one, from the oldest; None stands for those left out.

    >>> _columns(3), _columns(30)
    ([2, 1, 0], [29, 28, None, 1, 0])
    """
    if lookback <= MOST_STEPS:
        return list(range(lookback - 1, -1, -1))
    return [lookback - 1, lookback - 2, None, 1, 0]


def _name(before: int, of: str) -> str:
    return f"${of}_{{t-{before}}}$" if before else f"${of}_t$"


def _inputs(ax: Axes, columns: list[int | None], places: list[float], y: float, features: int) -> None:
    for column, x in zip(columns, places, strict=True):
        if column is None:
            words(ax, (x, y), "…", size=18)
        else:
            box(ax, (x, y), (_WIDE, _HIGH * 0.8), _name(column, "x"))


def _layer(
    ax: Axes, kind: str, row: int, columns: list[int | None], places: list[float], heights: list[float], *, last: bool
) -> None:
    """One layer at every step: it reads from below, hands its state to the right, and its outputs upwards."""
    y, below, tone = heights[row + 1], heights[row], _TONES[row % len(_TONES)]
    for k, (column, x) in enumerate(zip(columns, places, strict=True)):
        if column is None:
            words(ax, (x, y), "…", size=18)
        else:
            arrow(ax, [(x, below + _HIGH * (0.4 if row == 0 else 0.5)), (x, y - _HIGH / 2)])
            box(ax, (x, y), (_WIDE, _HIGH), kind, tone)
        if k:
            left = places[k - 1] + (_WIDE / 2 if columns[k - 1] is not None else 0.25)
            right = x - (_WIDE / 2 if column is not None else 0.25)
            arrow(ax, [(left, y), (right, y)], tone)
    handed = "h, c" if kind == "LSTM" else "h"
    words(ax, ((places[0] + places[1]) / 2 if len(places) > 1 else places[0], y + 0.24), f"${handed}$", size=10)
    if last:
        arrow(ax, [(places[-1], y + _HIGH / 2), (places[-1], heights[row + 2] - _HIGH / 2)])


def _head(
    ax: Axes, rest: Sequence[Layer], inputs: int, x: float, heights: list[float], first: int, horizon: int
) -> None:
    """What follows the last state: the head, and layers before it if any."""
    for k, layer in enumerate(rest):
        kind, outputs = layer[:2]
        y = heights[first + 1 + k]
        box(ax, (x, y), (_WIDE, _HIGH), kind, "c5")
        _shape(ax, heights[first + k], (inputs,))
        of_formula = (inputs + 1) * outputs if kind == "Dense" else 0
        name = f"{kind}, {outputs} output{'s' if outputs > 1 else ''}" if kind == "Dense" else kind
        _describe(ax, y, name, layer[2] if len(layer) > 2 else of_formula)
        arrow(ax, [(x, y + _HIGH / 2), (x, heights[first + 2 + k] - _HIGH * (0.4 if k == len(rest) - 1 else 0.5))])
        inputs = outputs
    _shape(ax, heights[first + len(rest)], (horizon,))
    top = heights[first + 1 + len(rest)]
    ahead = r"$\hat y_{t+1}$" if horizon == 1 else rf"$\hat y_{{t+1}}$ … $\hat y_{{t+{horizon}}}$"
    box(ax, (x, top), (_WIDE if horizon == 1 else 1.9, _HIGH * 0.8), ahead)
    words(ax, (0.15, top), "forecast", align="left", size=12)


def _describe(ax: Axes, y: float, name: str, parameters: int) -> None:
    """What a row is, and how many parameters it has, if any."""
    words(ax, (0.15, y + (0.16 if parameters else 0)), name, align="left", size=12)
    if parameters:
        words(ax, (0.15, y - 0.18), f"{parameters:,} parameters", align="left", size=9.5, muted=True)


def _shape(ax: Axes, y: float, shape: tuple[int, ...]) -> None:
    """The shape of what goes up from a row, for one window."""
    words(ax, (3.55, y + _APART / 2), f"({', '.join(map(str, shape))})", align="right", size=10, muted=True)
