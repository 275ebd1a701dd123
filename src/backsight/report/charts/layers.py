"""What recurrent layers do over a window, as charts, from records (see `runs.memory_record`)."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from backsight.report.charts.chart import Axis, Band, Chart, Dash, Line, Mark, Numbers, Rule, finite, numbers, tone_of
from backsight.report.charts.ticks import counted_axis, log_axis, round_ticks

Record = dict[str, Any]

#: What is left of a change when it counts as forgotten.
FORGOTTEN = 0.01

#: The smallest remainder of a state's change that is drawn: below it a float32 says nothing.
LEAST_FELT = 1e-8

_DASHES: tuple[Dash, ...] = ("solid", "dashed", "dotted")


def state_chart(record: Record) -> Chart:
    """How much of a change of a layer's state is left so many steps later, on a log axis: vanishing to be seen.

    Lines are medians over windows, averaged over seeds (of logarithms); bands run from the 10th to the 90th percentile.
    """
    marks: list[Mark] = [Rule(FORGOTTEN, "y", "1 %")]
    drawn: list[Numbers] = [np.array([0.5 * FORGOTTEN, 1.0])]
    for place, entry in enumerate(record["entries"]):
        layers = list(_layers(entry))
        for nth, (layer, traces) in enumerate(layers):
            low, middle, high = (_log_mean([t["felt"][q] for t in traces]) for q in ("low", "median", "high"))
            distance = np.arange(len(middle), dtype=float)
            name = entry["name"] + (f", {layer}" if len(layers) > 1 else "")
            marks.append(Band(distance, low, high, tone_of(place)))
            marks.append(Line(distance, middle, tone_of(place), name, dash=_DASHES[nth % len(_DASHES)]))
            drawn += [low, high]
    longest = max((len(m.y) for m in marks if isinstance(m, Line)), default=1)
    y = log_axis("left in the last state", finite(*drawn), least=LEAST_FELT)
    x = counted_axis(f"distance ({record['step']})", 0, longest - 1)
    alt = f"What is left of a change of the state so many {record['step']} later."
    return Chart("What is left of a change of the state", alt, x, y, tuple(marks), height=270)


def gate_charts(record: Record) -> list[Chart]:
    """How far gates stand open over the window, a chart a layer.

    Lines are means over windows, units and seeds, between the thin ones of the 10th and 90th percentile over windows
    and units.
    """
    charts = []
    for entry in record["entries"]:
        for layer, traces in _layers(entry):
            if not traces[0]["gates"] or entry["lookback"] < 2:
                continue
            steps = np.arange(-entry["lookback"] + 1.0, 1.0)
            marks: list[Mark] = []
            for place, gate in enumerate(traces[0]["gates"]):
                of_seeds = [t["gates"][gate] for t in traces]
                mean, low, high = (numbers([g[q] for g in of_seeds]).mean(axis=0) for q in ("mean", "low", "high"))
                marks += [Line(steps, edge, tone_of(place), dash="dotted", faint=True) for edge in (low, high)]
                marks.append(Line(steps, mean, tone_of(place), gate))
            x = counted_axis(f"{record['step']} before the origin", steps[0], 0)
            name = f"{entry['name']}, {layer}"
            alt = f"How far the gates of {name} stand open, over the window."
            charts.append(Chart(name, alt, x, Axis("open", 0, 1, round_ticks(0, 1)), tuple(marks), height=230))
    return charts


def _layers(entry: Record) -> Iterator[tuple[str, list[Record]]]:
    """The recurrent layers of an entry, each with what every seed's does."""
    for layer in dict.fromkeys(trace["layer"] for trace in entry["recurrent"]):
        yield layer, [trace for trace in entry["recurrent"] if trace["layer"] == layer]


def _log_mean(of_seeds: Sequence[Sequence[float | None]]) -> Numbers:
    """Geometric mean over seeds: an arithmetic one would be that of the largest alone."""
    tiny = np.finfo(float).tiny
    mean: Numbers = np.exp(np.mean(np.log(np.maximum(numbers(of_seeds), tiny)), axis=0))
    return mean
