"""Memory profiles as charts, from their records (see `runs.memory_record`)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from backsight.report.charts.chart import (
    RECENT,
    Chart,
    Dots,
    Line,
    Mark,
    Numbers,
    Rule,
    Scale,
    finite,
    numbers,
    tone_of,
    with_unit,
)
from backsight.report.charts.ticks import counted_axis, log_axis, number_axis

Record = dict[str, Any]

#: The longest lookback whose steps are drawn evenly.
LINEAR = 3 * RECENT

#: Inputs whose slopes are drawn: those of the steepest.
MOST_INPUTS = 6

#: Slopes below this share of the steepest are not drawn: who looks at them looks at how soon they fall.
FLATTEST = 1e-3


def truncation_chart(record: Record) -> Chart:
    """RMSE with only the last L steps of each window real: thin lines are seeds.

    A ring marks the lags that carry 95 % of the skill.
    """
    marks: list[Mark] = []
    for place, entry in enumerate(record["entries"]):
        errors = numbers(entry["truncation"])
        marks += _seeds_and_mean(np.arange(errors.shape[1], dtype=float), errors, tone_of(place), entry["name"])
        lags = entry["carrying_of_mean"]
        if lags is not None:
            at = np.array([float(lags)])
            marks.append(Dots(at, errors.mean(axis=0)[[lags]], tone_of(place), shape="ring", size=6.0))
    marks.append(Dots(np.empty(0), np.empty(0), "muted", "carries 95 % of the skill", shape="ring", size=6.0))
    longest = _longest(record)
    y = number_axis(with_unit("validation RMSE", record["unit"]), finite(*(e["truncation"] for e in record["entries"])))
    x = counted_axis(f"real {record['step']} L", 0, longest, _scale(longest))
    alt = f"Validation RMSE with only the last L {record['step']} of each window, of {_names(record)}."
    return Chart("With only the last steps", alt, x, y, tuple(marks), height=270)


def occlusion_chart(record: Record) -> Chart:
    """Rise of the RMSE when one step is taken from each window, by its lag."""
    marks: list[Mark] = [Rule(0.0, "y", dash="solid")]
    for place, entry in enumerate(record["entries"]):
        rises = numbers(entry["occlusion"])
        marks += _seeds_and_mean(np.arange(1.0, rises.shape[1] + 1), rises, tone_of(place), entry["name"])
    longest = _longest(record)
    rises = finite(*(e["occlusion"] for e in record["entries"]))
    y = number_axis(with_unit("rise of the RMSE", record["unit"]), rises, zero=True)
    x = counted_axis(f"lag ({record['step']})", 1 if longest > 1 else 0, longest, _scale(longest))
    alt = f"Rise of the validation RMSE without one of the {record['step']} of each window, of {_names(record)}."
    return Chart("Without one step", alt, x, y, tuple(marks), height=270)


def slope_charts(record: Record) -> list[Chart]:
    """How much a forecast moves with an input, by lag, on a log axis: a chart an entry, a line an input."""
    charts = []
    tones: dict[str, str] = {}  # an input has the same colour in every chart
    for entry in record["entries"]:
        if entry["slopes"] is None or entry["lookback"] < 2:
            continue
        slopes = numbers(entry["slopes"])  # (lags, inputs)
        tops = np.nan_to_num(slopes).max(axis=0)
        lags = np.arange(1.0, len(slopes) + 1)
        drawn = {str(entry["inputs"][place]): slopes[:, place] for place in np.argsort(-tops, kind="stable")}
        drawn = dict(list(drawn.items())[:MOST_INPUTS])
        tones |= {name: tone_of(len(tones) + k) for k, name in enumerate(n for n in drawn if n not in tones)}
        marks = tuple(Line(lags, slope, tones[name], name) for name, slope in drawn.items())
        unit = f"{record['unit']} per standard deviation" if record["unit"] else "per standard deviation"
        y = log_axis(unit, finite(*drawn.values()), least=FLATTEST * max(float(tops.max()), 1e-12))
        x = counted_axis(f"lag ({record['step']})", 1, entry["lookback"], _scale(entry["lookback"]))
        alt = f"Mean slope of the forecast of {entry['name']} by each input, by lag."
        charts.append(Chart(entry["name"], alt, x, y, marks, height=230))
    return charts


def attention_charts(record: Record) -> list[Chart]:
    """Attention of the last step over the window, by lag, a chart a layer: a line a head, thin for seeds."""
    charts = []
    for entry in record["entries"]:
        for layer in dict.fromkeys(a["layer"] for a in entry["attention"]):
            rows = [a for a in entry["attention"] if a["layer"] == layer]
            marks: list[Mark] = [Rule(1 / entry["lookback"], "y", "evenly", "dotted")]
            for place, head in enumerate(dict.fromkeys(row["head"] for row in rows)):
                weights = numbers([row["weights"] for row in rows if row["head"] == head])
                lags = np.arange(1.0, weights.shape[1] + 1)
                marks += _seeds_and_mean(lags, weights, tone_of(place), f"head {head}")
            x = counted_axis(f"lag ({record['step']})", 1, entry["lookback"])
            y = number_axis("weight", finite(*(row["weights"] for row in rows)), zero=True)
            name = f"{entry['name']}, {layer}"
            alt = f"Weights of attention by lag in {name}."
            charts.append(Chart(name, alt, x, y, tuple(marks), height=230))
    return charts


def _seeds_and_mean(x: Numbers, of_seeds: Numbers, tone: str, label: str) -> list[Mark]:
    faint = [Line(x, values, tone, faint=True) for values in of_seeds] if len(of_seeds) > 1 else []
    return [*faint, Line(x, of_seeds.mean(axis=0), tone, label)]


def _longest(record: Record) -> int:
    return max((len(entry["occlusion"][0]) for entry in record["entries"]), default=1)


def _scale(longest: int) -> Scale:
    return "recent" if longest > LINEAR else "linear"


def _names(record: Record) -> str:
    names: Sequence[str] = [entry["name"] for entry in record["entries"]]
    return ", ".join(names)
