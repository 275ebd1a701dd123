"""What memory profiles and memory tests say: tables and sentences, from records."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from rich.markup import escape
from rich.table import Table

from backsight.report.charts.layers import FORGOTTEN

Record = dict[str, Any]


def memory_heading(record: Record) -> str:
    """What the table of a memory profile shows."""
    days, unit = record["validation"], f", {record['unit']}" if record["unit"] else ""
    return (
        f"How far back models look: {record['target']}, {days['windows']} validation windows, targets "
        f"{days['first']} to {days['last']} (RMSE{unit})"
    )


def memory_table(record: Record) -> Table:
    """One line a model: its errors without any step and with all, and how far back it looks."""
    table = Table(box=None, pad_edge=False)
    for name in (
        "entry",
        "knowing no step",
        "all steps",
        f"{record['step']} with 95 %",
        "over seeds",
        "state below 1 %",
    ):
        table.add_column(name, justify="left" if name == "entry" else "right", no_wrap=True)
    for entry in record["entries"]:
        curve = mean_curve(entry["truncation"])
        table.add_row(
            escape(entry["name"]),
            _number(curve[0]),
            _number(curve[-1]),
            _lags(entry["carrying_of_mean"]),
            _seeds(entry["carrying"]),
            ", ".join(_distance(entry, layer) for layer in _layers(entry)),
        )
    return table


def memory_sentences(record: Record) -> list[str]:
    """What a memory profile says, the deepest memory first told of its own model, then of the others."""
    said = [_one_model(entry, record) for entry in record["entries"]]
    said += [s for entry in record["entries"] if (s := _forgetting(entry, record["step"]))]
    said += [s for entry in record["entries"] if (s := _attention(entry, record["step"]))]
    return said


def _one_model(entry: Record, record: Record) -> str:
    name, lookback, lags = entry["name"], entry["lookback"], entry["carrying_of_mean"]
    curve = mean_curve(entry["truncation"])
    unit = f" {record['unit']}" if record["unit"] else ""
    if lags is None:
        return (
            f"{name} has no skill to carry: knowing all of its {lookback} {record['step']} it is no better than "
            f"knowing none."
        )
    seeds = f" ({_seeds(entry['carrying'])} over seeds)" if len(set(entry["carrying"])) > 1 else ""
    said = (
        f"{name} looks back {lags} of its {lookback} {record['step']}{seeds}: they carry 95 % of its skill. "
        f"Validation RMSE is {_number(curve[0])}{unit} knowing none of them, {_number(curve[lags])} with these, "
        f"{_number(curve[-1])} with all."
    )
    best = min(range(len(curve)), key=lambda k: curve[k])
    if curve[-1] - curve[best] > 0.01 * (curve[0] - curve[-1]) and best < lookback:
        said += f" Older ones bring nothing here: with the last {best} alone it is {_number(curve[best])}."
    return said


def _forgetting(entry: Record, step: str) -> str | None:
    layers = _layers(entry)
    if not layers:
        return None
    told = [f"{_distance(entry, layer)} {step}" + (f" in {layer}" if len(layers) > 1 else "") for layer in layers]
    return f"In {entry['name']} less than 1 % of a change of the state is left after {' and '.join(told)}."


def _attention(entry: Record, step: str) -> str | None:
    if not entry["attention"]:
        return None
    weights = [fmean(of_lag) for of_lag in zip(*(a["weights"] for a in entry["attention"]), strict=True)]
    total, half = 0.0, 0
    while total < 0.5 * sum(weights):
        total += weights[half]
        half += 1
    return f"{entry['name']} gives half of its attention to the last {half} of its {entry['lookback']} {step}."


def memory_test_heading(record: Record) -> str:
    """What the table of a memory test shows."""
    return (
        f"Skill (1 - MSE/variance) in the {record['task']} task by lag: mean over {record['seeds']} seeds, and lowest "
        f"to highest where they differ"
    )


def memory_test_table(record: Record) -> Table:
    """Skill by model and lag."""
    table = Table(box=None, pad_edge=False)
    table.add_column("model", no_wrap=True)
    lags = list(dict.fromkeys(row["lag"] for row in record["rows"]))
    for lag in lags:
        table.add_column(f"{lag} steps", justify="right", no_wrap=True)
    for model in dict.fromkeys(row["model"] for row in record["rows"]):
        skills = {row["lag"]: row["skill"] for row in record["rows"] if row["model"] == model}
        table.add_row(escape(model), *(_skill(skills.get(lag, [])) for lag in lags))
    return table


def memory_test_sentences(record: Record) -> list[str]:
    """How far back each model finds the signal; in the order of the table."""
    task = {
        "copy": "the answer stands alone at the far end of the window",
        "adding": "two marked values stand somewhere in the window",
    }[record["task"]]
    plan = record["plan"]
    said = [
        f"Found means a skill of {record['found_from']:g} or more with every seed; {task}. Lost is what was not found "
        f"within {plan['epochs']} epochs, or {plan['patience']} without progress: longer training may find it."
    ]
    for model in dict.fromkeys(row["model"] for row in record["rows"]):
        rows = [row for row in record["rows"] if row["model"] == model and row["skill"]]
        found = [row["lag"] for row in rows if None not in row["skill"] and min(row["skill"]) >= record["found_from"]]
        lost = [row for row in rows if row["lag"] not in found]
        if not lost:
            said.append(f"{model} finds it at every lag, up to {max(found)} steps (skill {_skill(rows[-1]['skill'])}).")
        elif not found:
            said.append(f"{model} finds it at no lag, not even at {rows[0]['lag']} steps ({_skill(rows[0]['skill'])}).")
        elif max(found) < lost[0]["lag"]:
            said.append(
                f"{model} finds it up to {max(found)} steps back and loses it at {lost[0]['lag']} "
                f"(skill {_skill(lost[0]['skill'])})."
            )
        else:
            told = ", ".join(f"{row['lag']} ({_skill(row['skill'])})" for row in lost)
            said.append(f"{model} finds it at {', '.join(map(str, found))} steps, but not at {told}.")
    return said


def mean_curve(of_seeds: Sequence[Sequence[float | None]]) -> list[float]:
    """Mean over seeds, step by step; infinite where one failed.

    >>> mean_curve([[1.0, 2.0], [3.0, 4.0]])
    [2.0, 3.0]
    """
    return [fmean(float("inf") if v is None else v for v in values) for values in zip(*of_seeds, strict=True)]


def _layers(entry: Record) -> list[str]:
    return list(dict.fromkeys(t["layer"] for t in entry["recurrent"]))


def _distance(entry: Record, layer: str) -> str:
    """Steps after which less than 1 % of a change of the state is left, by the median window; over seeds."""
    distances = []
    for trace in (t for t in entry["recurrent"] if t["layer"] == layer):
        felt = trace["felt"]["median"]
        distances.append(next((d for d, left in enumerate(felt) if left is not None and left < FORGOTTEN), None))
    return _seeds(distances, beyond=f"more than {entry['lookback']}")


def _seeds(lags: Sequence[int | None], beyond: str = "none") -> str:
    """Smallest to largest over seeds.

    >>> _seeds([5, 8]), _seeds([5, 5]), _seeds([5, None], beyond="more than 30")
    ('5 to 8', '5', '5 to more than 30')
    """
    known = sorted({lag for lag in lags if lag is not None})
    ends = [str(lag) for lag in ([known[0], known[-1]] if known else [])]
    if None in lags:
        ends = [*ends[:1], beyond]
    return " to ".join(dict.fromkeys(ends))


def _lags(lags: int | None) -> str:
    return "no skill" if lags is None else str(lags)


def _number(value: float) -> str:
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.1 else f"{value:.3g}"


def _skill(skills: Sequence[float | None]) -> str:
    """Mean, and lowest to highest where they differ."""
    known = [s for s in skills if s is not None]
    if len(known) < len(skills):
        return "failed"
    if not known:
        return ""
    # "z": no minus before a number that is rounded to 0
    low, high = f"{min(known):z.2f}", f"{max(known):z.2f}"
    return f"{fmean(known):z.2f}" + (f" ({low} to {high})" if low != high else "")
