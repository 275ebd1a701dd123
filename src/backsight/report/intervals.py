"""What intervals held of the test days, from records (see `runs.interval_record`): a sentence, and rows of a file."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from backsight.evaluation.ensemble import base_entry

Record = dict[str, Any]

#: Intervals as validation errors make them, and with updates.
WAYS = ("fixed", "adaptive")
#: From so many series on, the middle nine in ten of them are said, and not the first and last.
MANY = 20


def exam_intervals(exam: Record) -> dict[str, Record]:
    """The intervals of each entry of a leaderboard by its name; those that failed are left out."""
    return {entry["name"]: entry["intervals"] for entry in exam["entries"] if entry["intervals"] is not None}


def curve_intervals(curves: Iterable[Record]) -> dict[str, Record]:
    """The intervals at each point of lookback curves by the name of its entry; those that failed are left out.

    Curves of before they were stored have none.
    """
    points = [point for curve in curves for point in curve["points"]]
    return {point["entry"]: point["intervals"] for point in points if point.get("intervals") is not None}


def interval_sentences(known: Mapping[str, Record], taken: str | None, unit: str) -> list[str]:
    r"""How many test values the intervals of the recommended entry held, and those of all.

    Args:
        known: intervals by entry.
        taken: the recommended one; nothing is said where there is none, or it has failed.
        unit: of the errors, a space before it.

    >>> fixed = {"coverage": 0.9, "error": 0.02, "width": 9.0, "score": 12.0, "forecasts": 363}
    >>> found = {"level": 0.9, "errors": 365, "needed": 19, "seed_sd": None, "each": {}, "fixed": fixed,
    ...          "adaptive": {**fixed, "coverage": 0.91}}
    >>> print("\n".join(interval_sentences({"gru_7": found}, "gru_7", " h")))
    90 % intervals from the validation errors of gru_7 held 90.0 % (± 2.0) of 363 test values, 9.00 h wide on average;
    with updates as actual values arrive, 91.0 % (9.00 h).
    """
    if taken is None or taken not in known:
        return []
    found = known[taken]
    level = f"{100 * found['level']:g} %"
    if found["errors"] < found["needed"]:
        return [
            f"There are no {level} intervals around forecasts of {taken}: they need {found['needed']} "
            f"validation windows, and there are {found['errors']}."
        ]
    fixed, adaptive = (found[way] for way in WAYS)
    return [
        f"{level} intervals from the validation errors of {taken} held {100 * fixed['coverage']:.1f} % "
        f"(± {100 * fixed['error']:.1f}) of {fixed['forecasts']:,} test values, {fixed['width']:.2f}{unit} wide on "
        f"average; with updates as actual values arrive, {100 * adaptive['coverage']:.1f} % "
        f"({adaptive['width']:.2f}{unit}).{_of_each(found)}{_over_all(known)}{_apart(found, unit)}"
    ]


def _of_each(found: Record) -> str:
    if not found.get("each"):  # nor has a run of before they were stored
        return ""
    shares = [np.array([share for share in found["each"][way] if share is not None]) for way in WAYS]
    ends = [np.quantile(of_way, (0.05, 0.95) if len(of_way) >= MANY else (0, 1)) for of_way in shares]
    fixed, adaptive = (f"{100 * low:.0f} to {100 * high:.0f}" for low, high in ends)
    whose = "the middle nine in ten series" if len(shares[0]) >= MANY else "single series"
    return f" In {whose}: {fixed} %, with updates {adaptive} %."


def _over_all(known: Mapping[str, Record]) -> str:
    if len(set(map(base_entry, known))) < 2:  # an ensemble has the intervals of its entry
        return ""
    shares = [[found[way]["coverage"] for found in known.values()] for way in WAYS]
    fixed, adaptive = (f"{100 * min(of_way):.1f} to {100 * max(of_way):.1f}" for of_way in shares)
    return f" Over all entries: {fixed} %, with updates {adaptive} %."


def _apart(found: Record, unit: str) -> str:
    spread = found["seed_sd"]
    return f" Seeds lie {spread:.2f}{unit} apart (sd), which is no part of that." if spread else ""


def coverage_rows(known: Mapping[str, Record]) -> pd.DataFrame:
    """How the intervals of entries did: one row an entry, lead ("all" is over all of them) and way they were made.

    >>> found = {"coverage": 0.9, "error": 0.02, "width": 9.0, "score": 12.0, "forecasts": 363}
    >>> intervals = {"level": 0.9, "fixed": found, "adaptive": found, "leads": []}
    >>> coverage_rows({"lstm_3": intervals})["intervals"].tolist()
    ['fixed', 'adaptive']
    """
    return pd.DataFrame(
        {"entry": name, "lead": scored.get("lead", "all"), "intervals": way, "level": found["level"], **scored[way]}
        for name, found in known.items()
        for scored in [found, *found["leads"]]
        for way in WAYS
    )
