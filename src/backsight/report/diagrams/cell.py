"""What happens in a recurrent cell in one step, with the sizes of its weights."""

from collections.abc import Callable

from matplotlib.axes import Axes

from backsight.report.diagrams.pen import arrow, box, canvas, dot, frame, operation, words

#: Gates of each cell, the candidate counted with them.
GATES = {"SimpleRNN": 1, "GRU": 3, "LSTM": 4}

_GATE = (0.92, 0.62)


def draw_cell(kind: str = "LSTM", features: int = 9, units: int = 7, ax: Axes | None = None) -> Axes:
    """One step of a recurrent cell: what it reads, its gates, what it hands on; and the sizes of its weights.

    Circles are done number by number; a line that splits carries the same numbers both ways.

    Args:
        kind: SimpleRNN, GRU (with the reset gate after the product, as Keras has it) or LSTM.
        features: numbers in one step of its input.
        units: numbers in its state.
        ax: where to draw; a new one without it.

    Raises:
        ValueError: another kind.

    Sources: SimpleRNN: Elman 1990, Cognitive Science 14, 179-211; GRU: Cho et al. 2014, EMNLP; LSTM: Hochreiter and
    Schmidhuber 1997, Neural Computation 9, 1735-1780, with the forget gate of Gers, Schmidhuber and Cummins 2000,
    Neural Computation 12, 2451-2471.

    >>> axis = draw_cell("LSTM", features=9, units=7)
    >>> [text.get_text() for text in axis.texts if "parameters" in text.get_text()]
    ['252 + 196 + 28 = 476 parameters, the same at every step']
    """
    if kind not in _CELLS:
        raise ValueError(f"There is no cell {kind!r}; there are {', '.join(_CELLS)}.")
    ax = canvas(12.4, 7.0, ax, scale=0.78)
    frame(ax, (6.2, 3.72), (9.2, 4.5))
    _CELLS[kind](ax, units)
    words(ax, (2.3, 0.72), f"$x_t$ ({features})")
    words(ax, (0.15, 6.65), f"{kind}, one step: {features} inputs, {units} units", align="left", size=14)
    _weights(ax, kind, features, units)
    return ax


def _lstm(ax: Axes, units: int) -> None:
    top, bus, gates = 5.3, 2.0, 3.0
    arrow(ax, [(0.3, top), (12.1, top)])
    arrow(ax, [(0.3, bus), (7.6, bus)], head=False)
    for x, sign, name, tone in (
        (3.3, "σ", "forget $f$", "c2"),
        (4.9, "σ", "input $i$", "c1"),
        (6.2, "tanh", "candidate $g$", "c3"),
        (7.6, "σ", "output $o$", "c4"),
    ):
        _gate(ax, (x, gates), sign, name, tone, bus)
    arrow(ax, [(3.3, gates + 0.31), (3.3, top - 0.26)], "c2")
    arrow(ax, [(6.2, gates + 0.31), (6.2, 4.0)], "c3")
    arrow(ax, [(4.9, gates + 0.31), (4.9, 4.25), (5.94, 4.25)], "c1")
    arrow(ax, [(6.2, 4.5), (6.2, top - 0.26)])
    arrow(ax, [(9.2, top), (9.2, 4.78)], head=False)
    box(ax, (9.2, 4.5), _GATE, "tanh")
    arrow(ax, [(9.2, 4.19), (9.2, 3.92)])
    arrow(ax, [(7.6, gates + 0.31), (7.6, 3.66), (8.94, 3.66)], "c4")
    arrow(ax, [(9.2, 3.4), (9.2, bus), (12.1, bus)])
    for at, sign in (((3.3, top), "×"), ((6.2, 4.25), "×"), ((6.2, top), "+"), ((9.2, 3.66), "×")):
        operation(ax, at, sign)
    dot(ax, (9.2, top))
    _input(ax, bus)
    _ends(ax, bus, f"$h_{{t-1}}$ ({units})", f"$h_t$ ({units})")
    _ends(ax, top, f"$c_{{t-1}}$ ({units})", f"$c_t$ ({units})")


def _gru(ax: Axes, units: int) -> None:
    top, bus, gates = 5.3, 2.0, 3.0
    arrow(ax, [(0.3, top), (12.1, top)])
    arrow(ax, [(1.95, top), (1.95, bus), (8.3, bus)], head=False)
    for x, sign, name, tone in (
        (3.3, "σ", "reset $r$", "c2"),
        (5.8, "tanh", "candidate $g$, of $x_t$", "c3"),
        (8.3, "σ", "update $z$", "c1"),
    ):
        _gate(ax, (x, gates), sign, name, tone, bus)
    arrow(ax, [(3.3, top), (3.3, 4.24)])
    box(ax, (3.3, 4.7), (1.25, 0.44), "$U h + b$")  # Keras multiplies by the reset gate after this product
    arrow(ax, [(3.3, gates + 0.31), (3.3, 3.74)], "c2")
    arrow(ax, [(3.54, 4.0), (4.6, 4.0), (4.6, gates), (5.34, gates)])
    arrow(ax, [(5.8, gates + 0.31), (5.8, 3.94)], "c3")
    arrow(ax, [(8.3, 4.2), (7.34, 4.2)], "c1")
    arrow(ax, [(6.8, 4.2), (6.06, 4.2)], "c1")
    arrow(ax, [(5.8, 4.46), (5.8, 4.78), (9.7, 4.78), (9.7, top - 0.26)])
    arrow(ax, [(8.3, gates + 0.31), (8.3, top - 0.26)], "c1", hop=True)
    for at, sign in (((3.3, 4.0), "×"), ((5.8, 4.2), "×"), ((8.3, top), "×"), ((9.7, top), "+")):
        operation(ax, at, sign)
    operation(ax, (7.07, 4.2), "1−", radius=0.27)
    dot(ax, (1.95, top))
    dot(ax, (3.3, top))
    dot(ax, (8.3, 4.2))
    _input(ax, bus)
    _ends(ax, top, f"$h_{{t-1}}$ ({units})", f"$h_t$ ({units})")


def _simple(ax: Axes, units: int) -> None:
    bus = 2.0
    arrow(ax, [(0.3, bus), (6.2, bus)], head=False)
    _gate(ax, (6.2, 3.4), "tanh", "new state", "c3", bus)
    arrow(ax, [(6.2, 3.71), (6.2, 4.6), (9.4, 4.6), (9.4, bus), (12.1, bus)])
    _input(ax, bus)
    _ends(ax, bus, f"$h_{{t-1}}$ ({units})", f"$h_t$ ({units})")


_CELLS: dict[str, Callable[[Axes, int], None]] = {"SimpleRNN": _simple, "GRU": _gru, "LSTM": _lstm}


def _gate(ax: Axes, at: tuple[float, float], sign: str, name: str, tone: str, bus: float) -> None:
    """A gate above the line it reads; its name to the lower right."""
    x, y = at
    arrow(ax, [(x, bus), (x, y - 0.31)])
    dot(ax, (x, bus))
    box(ax, at, _GATE, sign, tone)
    words(ax, (x + 0.08, y - 0.62), name, align="left", size=9, muted=True)


def _input(ax: Axes, bus: float) -> None:
    arrow(ax, [(2.3, 0.95), (2.3, bus)], head=False)
    dot(ax, (2.3, bus))


def _ends(ax: Axes, y: float, before: str, after: str) -> None:
    words(ax, (0.7, y + 0.3), before)
    words(ax, (11.6, y + 0.3), after)


def _weights(ax: Axes, kind: str, features: int, units: int) -> None:
    """How many weights there are, and why."""
    gates = GATES[kind]
    wide = gates * units
    biases = 2 * wide if kind == "GRU" else wide
    parts = (features * wide, units * wide, biases)
    of_gates = f"{gates} × {units} = {wide}" if gates > 1 else f"{units}"
    shapes = f"W {features} × {wide}, U {units} × {wide}, b {'2 × ' if kind == 'GRU' else ''}{wide}"
    words(
        ax,
        (4.0, 0.86),
        f"each box: its part of $W x_t + U h_{{t-1}} + b$, {of_gates} numbers in all; {shapes}",
        align="left",
        size=9.5,
        muted=True,
    )
    total = f"{parts[0]:,} + {parts[1]:,} + {parts[2]:,} = {sum(parts):,} parameters, the same at every step"
    words(ax, (4.0, 0.42), total, align="left", size=10.5)
