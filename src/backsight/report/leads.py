"""Errors lead by lead: table, sentence and rows, from records (see `runs.record`)."""

from itertools import groupby
from statistics import fmean
from typing import Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from backsight.report.tables import new_table, show_mean

Record = dict[str, Any]

#: Columns and lines of a table that are read; the files have all of them.
MOST_LEADS = 8
MOST_ENTRIES = 10


def leads_table(exam: Record) -> Table:
    """Test RMSE by lead: a line for the best entry of each model, and one for the skill of the best of them."""
    unit = f", {exam['unit']}" if exam["unit"] else ""
    leads = shown_leads(exam["horizon"])
    table = new_table(f"By lead (test RMSE{unit})", "entry", *(f"{lead} ahead" for lead in leads))
    for entry in shown_by_lead(exam):
        cells = (show_mean([_mean(entry["leads"][lead - 1]["test_rmse"])]) for lead in leads)
        table.add_row(escape(entry["name"]), *cells)
    best = next((entry for entry in exam["entries"] if entry["name"] == exam["leads"]["best"]), None)
    if best is not None:
        skills = (best["leads"][lead - 1]["test_skill"] for lead in leads)
        table.add_row(escape(f"skill of {best['name']}"), *("" if s is None else f"{s:+.2f}" for s in skills))
    return table


def leads_sentences(exam: Record, unit: str) -> list[str]:
    """Up to which lead the best entry is of use; nothing for a horizon of 1, or without anything to measure it by."""
    found = exam["leads"]
    if found is None or found["useful"] is None:
        return []
    best, useful, last = found["best"], found["useful"], found["tests"][-1]
    whom = show_references(found["references"][: useful or 1])
    if useful == exam["horizon"]:
        return [f"Useful at all {useful} leads: at each of them {best} is better on the test days than {whom}."]
    against = f"{last['second']} at lead {useful + 1}"
    size = f"{abs(last['difference']):.3f}{unit} of RMSE {'above' if last['difference'] > 0 else 'below'} it"
    why = f"it can't be told from {against} ({size})"
    if last["differ"]:
        why = f"it is behind {against}, by {last['difference']:.3f}{unit} of RMSE"
    elif not last["enough"]:
        why = f"there are too few test windows to tell it from {against}"
    if not useful:
        return [f"Of no proven use, not even one step ahead: {best} is the best entry that reads a window, and {why}."]
    upto = f"up to lead {useful}" if useful > 1 else "one step ahead and no further"
    return [f"Useful {upto}: there {best} is better on the test days than {whom}; {why}."]


def show_references(references: list[str]) -> str:
    """Which model each lead was measured by.

    >>> show_references(["persistence", "climatology", "climatology"])
    'persistence (at 1), climatology (at 2 to 3)'
    >>> show_references(["climatology", "climatology"])
    'climatology'
    """
    runs = [[lead for lead, _ in run] for _, run in groupby(enumerate(references, start=1), key=lambda pair: pair[1])]
    if len(runs) == 1:
        return references[0]
    spans = ((f"{run[0]} to {run[-1]}" if len(run) > 1 else f"{run[0]}", references[run[0] - 1]) for run in runs)
    return ", ".join(f"{name} (at {span})" for span, name in spans)


def shown_leads(horizon: int) -> list[int]:
    """All leads, or some of them: close to each other at first, and further apart the further ahead.

    >>> shown_leads(3), shown_leads(168)
    ([1, 2, 3], [1, 2, 4, 9, 19, 39, 81, 168])
    """
    if horizon <= MOST_LEADS:
        return list(range(1, horizon + 1))
    growth = horizon ** (1 / (MOST_LEADS - 1))
    return sorted({round(growth**place) for place in range(MOST_LEADS)})


def shown_by_lead(exam: Record) -> list[Record]:
    """The best entry of each model, in the order of the leaderboard; of many the first, and what they must beat."""
    of_model: dict[str, Record] = {}
    for entry in exam["entries"]:
        of_model.setdefault(entry["recipe"], entry)
    needed = {exam["leads"]["best"], exam["floor"], *exam["leads"]["references"]}
    room = MOST_ENTRIES - sum(entry["name"] in needed for entry in of_model.values())
    chosen: list[Record] = []
    for entry in of_model.values():
        if entry["name"] in needed or room > 0:
            chosen.append(entry)
            room -= entry["name"] not in needed
    return chosen


def lead_rows(exam: Record, entries: list[Record] | None = None) -> pd.DataFrame:
    """One row an entry and lead: entry, lead, reference, and means over seeds of errors and skill on both parts.

    Args:
        exam: its record.
        entries: of them; all without it.
    """
    rows = []
    for entry in exam["entries"] if entries is None else entries:
        for of_lead, reference in zip(entry["leads"], exam["leads"]["references"], strict=True):
            values = {name: _mean(value) if isinstance(value, list) else value for name, value in of_lead.items()}
            rows.append({"entry": entry["name"], "lead": values.pop("lead"), "reference": reference, **values})
    return pd.DataFrame(rows)


def _mean(values: list[float | None]) -> float | None:
    """Mean over seeds; none if one of them failed."""
    return None if None in values else fmean(value for value in values if value is not None)
