"""Forecasts of a model for a terminal: a table and sentences, from its record (see `runs.outlook_record`)."""

from typing import Any

from rich.markup import escape
from rich.table import Table

from backsight.report.series import show_name
from backsight.report.tables import new_table

Record = dict[str, Any]

#: Lines of a table that are read; the files have all of them.
MOST_LINES = 40


def outlook_table(record: Record) -> Table:
    """A line a forecast: the latest ones, where there are many; of many series the first ones."""
    model, several, many = record["model"], record["origins"] > 1, "series" in record["data"]
    forecasts = record["forecasts"][:MOST_LINES] if many else record["forecasts"][-MOST_LINES:]
    unit = f", {model['unit']}" if model["unit"] else ""
    known = any(row["actual"] is not None for row in forecasts)
    spread = any(row["seed_sd"] is not None for row in forecasts)
    table = new_table(
        f"{model['target']}{unit}, by {model['name']}",
        *(["series"] if many else []),
        *(["origin"] if several else []),
        "time",
        "ahead",
        "forecast",
        f"{_percent(record['level'])} interval",
        *(["seeds ±"] if spread else []),
        *(["actual"] if known else []),
    )
    for row in forecasts:
        outside = row["actual"] is not None and not _holds(row)
        table.add_row(
            *([escape(show_name(row["series"]))] if many else []),
            *([escape(row["origin"])] if several else []),
            escape(row["time"]),
            str(row["lead"]),
            show(row["predicted"], row),
            _interval(row),
            *([show(row["seed_sd"], row)] if spread else []),
            *([show(row["actual"], row) + (" !" if outside else "")] if known else []),
        )
    return table


def outlook_sentences(record: Record) -> list[str]:
    """What is forecast next, what the intervals are worth, and what is to be known of model and data."""
    return [
        _next(record),
        *_held(record),
        *_short(record),
        *_place(record),
        *_carried_forward(record),
        *_update(record),
    ]


def _next(record: Record) -> str:
    """The first step after the last origin; of many series, which steps of how many."""
    if "series" in record["data"]:
        times = sorted({row["time"] for row in record["forecasts"]})
        when = times[0] if len(times) == 1 else f"{times[0]} to {times[-1]}"
        count, lines = record["data"]["series"], len(record["forecasts"])
        return f"{record['model']['target']} of {count:,} series, {when}: {lines:,} forecast{'s' if lines > 1 else ''}."
    row = record["forecasts"][-record["horizon"]]
    unit = f" {record['model']['unit']}" if record["model"]["unit"] else ""
    said = f"{record['model']['target']} of {row['time']}: {show(row['predicted'], row)}{unit}"
    if row["lower"] is not None and row["upper"] is not None:
        ends = (show(row[end], row) for end in ("lower", "upper"))
        said += f", {_percent(record['level'])} interval {' to '.join(ends)}"
    seeds = len(record["model"]["seeds"])
    if row["seed_sd"] is not None:
        said += f". The {seeds} seeds differ by ± {show(row['seed_sd'], row)}, which is no part of it"
    return f"{said}."


def _held(record: Record) -> list[str]:
    """What the intervals held of actuals that they did not know."""
    held, judged, asked = record["intervals"]["held"], record["intervals"]["judged"], _percent(record["level"])
    if held is None:
        return [f"No actual value after {record['intervals']['until']} is here by which to judge the intervals."]
    share, over_all = f"{100 * held['coverage']:.1f} %", " over all series" if "series" in record["data"] else ""
    sure = f" ± {100 * held['error']:.1f}" if 0 < held["coverage"] < 1 else ""
    how = "as they stood at the origin of each forecast" if record["update"] else "as they stand"
    follow = "" if record["update"] else " With --update they follow such values."
    return [
        f"Realised coverage: the {asked} intervals, {how}, held {share}{sure} of the {held['forecasts']:,} actual "
        f"values from {judged['first']} to {judged['last']} that they did not know{over_all}.{follow}"
    ]


def _short(record: Record) -> list[str]:
    """Where there are no intervals, and why."""
    found, horizon = record["intervals"], record["horizon"]
    if found["errors"] < found["needed"]:
        return [
            f"A {_percent(record['level'])} interval needs {found['needed']} errors and has {found['errors']}: its "
            f"ends are not known."
        ]
    if horizon > found["leads"] and record["forecasts"][-1]["lower"] is None:
        return [
            f"There are no intervals beyond lead {found['leads']}, for which the model was trained: "
            f"{record['data']['name']} has not the validation rows of {record['model']['data']['name']}, on which they "
            f"could be made."
        ]
    if horizon > found["leads"]:
        return [
            f"Beyond lead {found['leads']}, for which it was trained, the model goes on from its own forecasts; "
            f"intervals there are made from its errors on the validation rows and know no later actuals."
        ]
    return []


def _place(record: Record) -> list[str]:
    """Where the data end, beside the rows that the model learnt from."""
    model, data = record["model"], record["data"]
    learnt = f"the rows that {model['name']} learnt from ({model['learnt']['first']} to {model['learnt']['last']})"
    said = {
        "before": f"ends on {data['last']}, before {learnt}: what it forecasts here came before all it knows",
        "learnt": f"ends on {data['last']}, within {learnt}: forecasts of them say nothing of how good it is",
        "chosen": f"ends on {data['last']}, within the validation rows by which {model['name']} was chosen",
        "within": f"ends on {data['last']}; {model['name']} was compared on data that go on to {model['data']['last']}",
        "end": f"ends on {data['last']}, as the data did that {model['name']} was compared on",
        "after": f"goes on {data['steps_after']} steps after {model['data']['last']}, where the data ended that "
        f"{model['name']} was compared on; it learnt from rows up to {model['learnt']['last']}",
    }
    sentences = [f"{data['name']} {said[data['place']]}."]
    if record["on_learnt_rows"]:
        of_all = f"{record['on_learnt_rows']} of the {len(record['forecasts'])} forecasts"
        sentences.append(f"{of_all} are of rows that the model learnt from.")
    return sentences


def _carried_forward(record: Record) -> list[str]:
    found = record["data"]["carried_forward"]
    if found is None or not found["forecasts"]:
        return []
    said = f"Values that were not observed but carried forward stand in the windows of {found['forecasts']} forecasts"
    last = f", {found['last']} of them in the last one's" if found["last"] else ""
    stale = f"; the last {found['at_origin']} rows are such" if found["at_origin"] else ""
    return [f"{said}{last}{stale}. What follows from them is worth less than its interval says."]


def _update(record: Record) -> list[str]:
    if record["update"] is None:
        return []
    judged = record["intervals"]["judged"]
    if judged is None:
        return ["There is no actual value here that the intervals had not been told of before; nothing was written."]
    return [
        f"The intervals were told of {judged['forecasts']:,} actual values and now know those up to "
        f"{record['intervals']['until']}; that is kept in {record['update']['file']}. Remove it to begin anew."
    ]


def show(value: float | None, row: Record) -> str:
    """A number with as many decimals as its forecast's interval, or else its size, gives a meaning to.

    >>> show(6.0314, {"predicted": 6.0314, "lower": 1.9, "upper": 10.2}), show(None, {})
    ('6.0', '')
    >>> show(12345.6, {"predicted": 12345.6, "lower": 9000.0, "upper": 15000.0})
    '12346'
    """
    if value is None:
        return ""
    lower, upper = row.get("lower"), row.get("upper")
    width = upper - lower if lower is not None and upper is not None else abs(row["predicted"])
    decimals = next((places for places, least in enumerate((100.0, 5.0, 0.5, 0.05, 0.005)) if width >= least), 5)
    return f"{value:.{decimals}f}"


def _interval(row: Record) -> str:
    if row["lower"] is None or row["upper"] is None:
        return "not known"
    return f"{show(row['lower'], row)} .. {show(row['upper'], row)}"


def _holds(row: Record) -> bool:
    if row["lower"] is None or row["upper"] is None:
        return True
    return bool(row["lower"] <= row["actual"] <= row["upper"])


def _percent(level: float) -> str:
    """A share for people.

    >>> _percent(0.9), _percent(0.995)
    ('90 %', '99.5 %')
    """
    return f"{100 * level:g} %"
