"""Lookback curves as tables and as sentences, from records (see `runs.record.lookback_record`)."""

from collections.abc import Callable
from functools import partial
from statistics import fmean
from typing import Any, Literal

from rich.table import Table

from backsight.report.intervals import curve_intervals, interval_sentences
from backsight.report.sentences import (
    inputs_sentences,
    lost_sentences,
    pair_sentence,
    picks_sentences,
    show_days,
    show_openings,
    show_p,
    show_validation,
)
from backsight.report.series import series_sentences
from backsight.report.tables import new_table, show_mean

Part = Literal["validation", "test"]
Record = dict[str, Any]

#: What stands behind the error of a lookback, and what that means.
LEGEND = "= tied with the model's best on validation; * the shortest of these; = and * are the same in both tables"


def lookback_tables(record: Record) -> list[Table]:
    """Validation errors with their marks, test errors, and what a fit costs: a line a lookback, a column a model."""
    exam = record["exam"]
    unit = f", {exam['unit']}" if exam["unit"] else ""
    days = exam["validation"]
    return [
        _table(
            record, f"Validation RMSE{unit}: {days['first']} to {days['last']}", partial(_show_error, part="val_rmse")
        ),
        _table(record, f"Test RMSE{unit}: {exam['first']} to {exam['last']}", partial(_show_error, part="test_rmse")),
        _table(record, "Seconds a fit, and parameters", _show_cost),
    ]


def lookback_sentences(record: Record) -> list[str]:
    """How far back is worth looking: over all models, for each model, and what it costs on the test days."""
    exam, curves = record["exam"], record["curves"]
    unit = f" {exam['unit']}" if exam["unit"] else ""
    lookbacks = sorted({point["lookback"] for curve in curves for point in curve["points"]})
    models = f"{len(curves)} models" if len(curves) > 1 else curves[0]["model"]
    return [
        f"{models} at {len(lookbacks)} lookbacks, {lookbacks[0]} to {lookbacks[-1]} steps, were examined on the same "
        f"{show_days(exam)}; lookbacks were chosen on {show_validation(exam)}. {show_openings(exam)}",
        *inputs_sentences(exam),
        *series_sentences(exam),
        *_overall(record, unit),
        *[_of_model(curve, unit) for curve in curves],
        *_network(record, unit),
        *_power(record, unit),
        *picks_sentences(record["picks"], unit),
        *_price(curves),
        *_lines(record, unit),
        *interval_sentences(curve_intervals(curves), (record["overall"] or {}).get("entry"), unit),
        *lost_sentences(exam["lost"]),
    ]


def compared_lines(record: Record) -> dict[Part, dict[str, float]]:
    """Mean errors of the floor and of the best simple model, by part and by what they are."""
    exam = record["exam"]
    named = {"floor": exam["floor"], "best simple": exam["baseline"]}
    found: dict[Part, dict[str, float]] = {"validation": {}, "test": {}}
    columns: tuple[tuple[Part, str], ...] = (("validation", "val_rmse"), ("test", "test_rmse"))
    for part, column in columns:
        for what, name in named.items():
            errors = record["lines"].get(name, {}).get(column, [None])
            if None not in errors:
                found[part][f"{what}: {name}"] = fmean(errors)
    return found


def _overall(record: Record, unit: str) -> list[str]:
    choice = record["overall"]
    if choice is None:
        return ["Every entry failed: no forecast of any of them was a number on all days."]
    if not choice["enough"]:
        return [
            f"There are too few validation windows ({record['exam']['validation']['days']} rows) to tell lookbacks "
            f"apart, so nothing is recommended."
        ]
    errors = _errors(record["curves"])
    best, taken = choice["best"], choice["entry"]
    if best == taken:
        return [
            f"How far back: {_steps(choice['lookback'])}, with {choice['model']}. It has the lowest validation error "
            f"of all ({errors[best]:.3f}{unit}), and no shorter lookback of any model is tied with it."
        ]
    said = (
        f"How far back: {_steps(choice['lookback'])}, with {choice['model']} (validation RMSE {errors[taken]:.3f}"
        f"{unit}). That is the shortest lookback that is tied with the best of all, {best} ({errors[best]:.3f}); "
        f"{len(choice['tied'])} of {len(errors)} are."
    )
    return [said, *([pair_sentence(choice["cost"], unit)] if choice["cost"] else [])]


def _of_model(curve: Record, unit: str) -> str:
    """What is enough for one model, and what that costs on the test days: its error less that of the best lookback."""
    model, choice = curve["model"], curve["choice"]
    if choice is None:
        return f"{model} failed: at every lookback a forecast was no number."
    errors = _errors([curve])
    best, taken, longest = choice["best"], choice["entry"], choice["best_lookback"]
    if not choice["enough"]:
        return f"{model}: lowest validation RMSE at {_steps(longest)} ({errors[best]:.3f}{unit})."
    if best == taken:
        longer = len(choice["tied"]) - 1
        tied = f"; longer ones tied with it: {longer}" if longer else "; none is tied with it"
        return f"{model}: {_steps(choice['lookback'])}, its best on validation ({errors[best]:.3f}{unit}){tied}."
    said = (
        f"{model}: {_steps(choice['lookback'])} ({errors[taken]:.3f}{unit} on validation), the shortest tied with its "
        f"best, {longest} ({errors[best]:.3f})"
    )
    cost = choice["cost"]
    if cost is None:
        return f"{said}."
    if cost["low"] is None:
        return f"{said}."
    interval = (
        f"95 % interval {cost['low']:+.3f} to {cost['high']:+.3f}, {show_p(cost['p'])}; {cost['windows']} windows, "
        f"worth {cost['effective']:.0f} independent ones"
    )
    return f"{said}. What that costs on the test days: {cost['difference']:+.3f}{unit} ({interval}), {_verdict(cost)}."


def _verdict(cost: Record) -> str:
    if not cost["enough"]:
        return "too few windows to tell"
    if not cost["differ"]:
        return "not to be told from none"
    return f"a real difference: the {'longer' if cost['difference'] > 0 else 'shorter'} one is better there"


def _network(record: Record, unit: str) -> list[str]:
    """The best network and the best simple model, unless what the overall choice costs has told of these two."""
    overall = record["overall"]
    told = None if overall is None or overall["cost"] is None else {overall["entry"], overall["best"]}
    return [pair_sentence(pair, unit) for pair in _pairs(record) if {pair["first"], pair["second"]} != told]


def _pairs(record: Record) -> list[Record]:
    """The tests of networks; a run of before they were asked has none."""
    return list(record.get("pairs", ()))


def _power(record: Record, unit: str) -> list[str]:
    """How many questions were asked, and the differences that the tests could have shown."""
    choices = [record["overall"], *(curve["choice"] for curve in record["curves"])]
    costs = {(c["entry"], c["best"]): c["cost"] for c in choices if c is not None and c["cost"] is not None}
    smallest = [cost["smallest"] for cost in costs.values() if cost["enough"]]
    if not smallest:
        return []
    low, high = f"{min(smallest):.2f}", f"{max(smallest):.2f}"
    questions = {frozenset(pair) for pair in (*costs, *((p["first"], p["second"]) for p in _pairs(record)))}
    asked = f" Each p is adjusted for {len(questions)} questions that were asked." if len(questions) > 1 else ""
    return [f"Costs of {low if low == high else f'{low} to {high}'}{unit} would have shown, four times in five.{asked}"]


def _price(curves: list[Record]) -> list[str]:
    """Seconds of a fit at the recommended and at the longest lookback, of the model where they differ most, if much."""
    prices = []
    for curve in curves:
        if curve["choice"] is not None:
            seconds = {point["lookback"]: fmean(point["seconds"]) for point in curve["points"]}
            short, long = curve["choice"]["lookback"], max(seconds)
            prices.append((seconds[long] - seconds[short], curve["model"], short, long, seconds))
    more, model, short, long, seconds = max(prices, default=(0.0, "", 0, 0, {}))
    if more < 1:
        return []
    return [f"A fit of {model} takes {seconds[short]:.1f} s at {_steps(short)} and {seconds[long]:.1f} s at {long}."]


def _lines(record: Record, unit: str) -> list[str]:
    """The floor and the best simple model."""
    exam = record["exam"]
    shown = []
    for what, name in (("floor", exam["floor"]), ("best simple model", exam["baseline"])):
        line = record["lines"].get(name)
        if line is not None:
            errors = f"validation {show_mean(line['val_rmse'])}, test {show_mean(line['test_rmse'])}{unit}"
            shown.append(f"the {what} is {name} ({errors})")
    return [f"To compare: {'; '.join(shown)}."] if shown else []


def _table(record: Record, title: str, cell: Callable[[Record], str]) -> Table:
    """A line a lookback, a column a model; empty where a fit was not finished."""
    curves = record["curves"]
    table = new_table(title, "lookback", *(curve["model"] for curve in curves))
    by_lookback = [{point["lookback"]: point for point in curve["points"]} for curve in curves]
    for lookback in sorted({steps for points in by_lookback for steps in points}):
        cells = (cell(points[lookback]) if lookback in points else "" for points in by_lookback)
        table.add_row(str(lookback), *cells)
    return table


def _show_error(point: Record, part: str) -> str:
    mark = "*" if point["recommended"] else "=" if point["tied"] else " "
    return f"{show_mean(point[part])} {mark}"


def _show_cost(point: Record) -> str:
    seconds = f"{fmean(point['seconds']):.1f} s"
    return seconds if point["parameters"] is None else f"{seconds}, {point['parameters']:,}"


def _errors(curves: list[Record]) -> dict[str, float]:
    """Mean validation errors of the entries that did not fail."""
    points = (point for curve in curves for point in curve["points"])
    return {point["entry"]: fmean(point["val_rmse"]) for point in points if None not in point["val_rmse"]}


def _steps(lookback: int) -> str:
    return f"{lookback} step{'s' if lookback > 1 else ''}"
