"""Plots of memory profiles and memory tests, from records (see `runs.memory_record`, `runs.memory_test`)."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from backsight.report.charts.draw import draw, draw_panels, new_axis
from backsight.report.charts.layers import gate_charts, state_chart
from backsight.report.charts.memory import attention_charts, occlusion_chart, truncation_chart

Record = dict[str, Any]

#: Colours that people with any colour vision tell apart (Okabe and Ito 2008); a model keeps its own in every panel.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")

#: Features that a map of slopes has room for; the weaker ones are left out.
MOST_FEATURES = 12


def plot_memory(
    record: Record, ax: Axes | None = None, *, without: Literal["older steps", "one step"] = "older steps"
) -> Axes:
    """What a model loses without its older steps, or without each single one; models overlaid.

    Older steps: RMSE with only the last L steps of each window real; a ring marks the lags that carry 95 % of the
    skill. One step: rise of the RMSE when it is taken away. Thin lines are seeds.

    Args:
        record: of a memory profile; see `MemoryProfile.record`.
        ax: where to draw; a new one without it.
        without: what is taken away.

    >>> entry = {"name": "a", "truncation": [[2.0, 1.0]], "occlusion": [[1.0]], "carrying_of_mean": 1}
    >>> record = {"unit": "h", "step": "days", "entries": [entry]}
    >>> plot_memory(record).get_xlabel(), plot_memory(record, without="one step").get_xlabel()
    ('real days L', 'lag (days)')
    """
    return draw(truncation_chart(record) if without == "older steps" else occlusion_chart(record), ax)


def plot_memories(record: Record) -> Figure:
    """Both of `plot_memory`: a figure of two panels."""
    return draw_panels([truncation_chart(record), occlusion_chart(record)], columns=2, width=5.6, height=4.1)


def plot_slopes(record: Record) -> Figure:
    """Mean |d forecast / d feature| by lag and feature, a map a model."""
    entries = [e for e in record["entries"] if e["slopes"] is not None]
    panels = _panels(len(entries), width=4.6, height=3.2)
    unit = f"{record['unit']} per standard deviation" if record["unit"] else "per standard deviation"
    colours = colormaps["viridis"].with_extremes(bad=colormaps["viridis"](0.0))  # a slope of 0 has no logarithm
    for ax, entry in zip(panels.axes, entries, strict=True):
        slopes = _numbers(entry["slopes"])  # (lags, features)
        strongest = np.argsort(-slopes.max(axis=0), kind="stable")[:MOST_FEATURES]
        top = max(float(np.nan_to_num(slopes).max()), 1e-12)
        norm = LogNorm(top / 1000, top)  # slopes fall by orders of magnitude, and that they do is what one looks for
        image = ax.imshow(slopes[:, strongest].T, norm=norm, aspect="auto", cmap=colours, interpolation="nearest")
        ax.set_yticks(range(len(strongest)), [entry["inputs"][i] for i in strongest], fontsize="x-small")
        _lags_on_x(ax, len(slopes))
        ax.set(title=entry["name"], xlabel=f"lag ({record['step']})")
        panels.colorbar(image, ax=ax, label=unit).ax.tick_params(labelsize="x-small")
    return panels


def plot_states(record: Record, ax: Axes | None = None) -> Axes:
    """How much of a change of a layer's state is left so many steps later, on a log axis: vanishing to be seen.

    Lines are medians over windows, averaged over seeds (of logarithms); bands run from the 10th to the 90th percentile.

    Args:
        record: of a memory profile; see `MemoryProfile.record`.
        ax: where to draw; a new one without it.
    """
    return draw(state_chart(record), ax)


def plot_gates(record: Record) -> Figure:
    """How far gates stand open over the window, a panel a layer.

    Lines are means over windows, units and seeds, between the thin ones of the 10th and 90th percentile over windows
    and units.
    """
    return draw_panels(gate_charts(record))


def plot_attention(record: Record) -> Figure:
    """Attention of the last step over the window, by lag: a figure of one panel a layer, with a line a head."""
    return draw_panels(attention_charts(record))


def plot_memory_test(record: Record, ax: Axes | None = None) -> Axes:
    """Skill by how far back the signal stands, on a log axis of lags; a line a model, dots are seeds.

    Args:
        record: of a memory test; see `MemoryTest.record`.
        ax: where to draw; a new one without it.

    >>> row = {"model": "gru", "lag": 5, "skill": [0.9, 1.0]}
    >>> plot_memory_test({"task": "copy", "rows": [row], "found_from": 0.5}).get_ylabel()
    'skill'
    """
    ax = new_axis(7.5, 4.4) if ax is None else ax
    models = list(dict.fromkeys(row["model"] for row in record["rows"]))
    for place, (model, colour) in enumerate(zip(models, _cycle(len(models)), strict=True)):
        rows = [row for row in record["rows"] if row["model"] == model and row["skill"]]
        lags = np.array([row["lag"] for row in rows], dtype=float)
        means = [_numbers(row["skill"]).mean() for row in rows]
        nudge = 1 + 0.03 * (place - (len(models) - 1) / 2)  # or models that are alike would hide each other
        ax.plot(lags * nudge, means, "-", color=colour, lw=1.8, label=model)
        for lag, row in zip(lags, rows, strict=True):
            ax.plot([lag * nudge] * len(row["skill"]), row["skill"], "o", ms=4, color=colour, alpha=0.6, mec="none")
    ax.axhline(record["found_from"], color="0.6", lw=0.8, ls=":", zorder=0)
    ax.set_xscale("log")
    every = sorted({row["lag"] for row in record["rows"]})
    ax.set_xticks(every, [str(lag) for lag in every])
    ax.set_xticks([], minor=True)
    told = {"copy": "steps back to the answer", "adding": "steps of a block"}
    ax.set(
        xlabel=told.get(record["task"], "lag"), ylabel="skill", title=f"The {record['task']} task", ylim=(-0.15, 1.08)
    )
    ax.grid(alpha=0.3)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return ax


def _cycle(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def _numbers(lists: Sequence[Any]) -> np.ndarray:
    return np.array(lists, dtype=float)  # None becomes NaN, which is not drawn


def _panels(count: int, width: float, height: float) -> Figure:
    columns = min(3, max(count, 1))
    lines = max(-(-count // columns), 1)
    figure = Figure(figsize=(width * columns, height * lines), layout="constrained")
    for place in range(count):
        figure.add_subplot(lines, columns, place + 1)
    return figure


def _lags_on_x(ax: Axes, lags: int) -> None:
    places = np.unique(np.linspace(0, lags - 1, min(lags, 7)).round().astype(int))
    ax.set_xticks(places, [str(p + 1) for p in places])


def memory_plots(record: Record) -> Mapping[str, Figure]:
    """The plots that a memory profile has something to show in, by file name."""
    entries = record["entries"]
    plots = {"memory.png": plot_memories(record)}
    if any(e["slopes"] is not None for e in entries):
        plots["memory_slopes.png"] = plot_slopes(record)
    if any(e["recurrent"] for e in entries):
        figure = plot_states(record).figure
        assert isinstance(figure, Figure)
        plots["memory_states.png"] = figure
    if any(t["gates"] for e in entries for t in e["recurrent"]):
        plots["memory_gates.png"] = plot_gates(record)
    if any(e["attention"] for e in entries):
        plots["memory_attention.png"] = plot_attention(record)
    return plots
