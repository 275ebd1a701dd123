"""What a comparison found of each of many series: a table of a few, a file of all, and sentences."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from rich.markup import escape
from rich.table import Table

from backsight.evaluation.panel_forecasts import Forecasts, PanelForecasts
from backsight.report.tables import new_table, show_mean
from backsight.runs.layout import MANY_FILE

Record = dict[str, Any]

#: Series that are shown from each end.
SHOWN = 5
#: Characters of a name that are shown.
LONGEST_NAME = 40


def extremes(exam: Record) -> list[tuple[str, float, float, float] | None]:
    """The series on which the entry gains and loses most beside the model that reads no window.

    Returns:
        name, sd, test RMSE of the second and of the first, in the unit of the series; from the greatest gain on. None
        stands for those in between. Nothing where no two are compared.
    """
    ranked = _ranked(exam)
    if not ranked:
        return []
    of_series = exam["series"]
    one, other = (of_series["entries"][of_series["compared"][k]]["test_rmse"] for k in ("first", "second"))
    rows = {
        name: (show_name(name), *numbers)
        for name, *numbers in zip(of_series["names"], of_series["sd"], other, one, strict=True)
    }
    shown = ranked if len(ranked) <= 2 * SHOWN else [*ranked[:SHOWN], None, *ranked[-SHOWN:]]
    return [None if name is None else rows[name] for name in shown]


def _ranked(exam: Record) -> list[str]:
    """Names of the series by what the first of the compared entries gains on the second, the most first."""
    of_series = exam.get("series")
    if not of_series or not of_series["compared"]:
        return []
    one, other = (of_series["entries"][of_series["compared"][k]]["test_rmse"] for k in ("first", "second"))
    gains = {n: a / b for n, a, b in zip(of_series["names"], one, other, strict=True) if a is not None and b}
    return sorted(gains, key=lambda name: gains[name])


def told_series(exam: Record) -> list[str]:
    """The series on which the entry gains most beside the model that reads no window, the middle one, and the last.

    Each once; nothing where no two are compared.
    """
    ranked = _ranked(exam)
    return [ranked[k] for k in dict.fromkeys([0, len(ranked) // 2, len(ranked) - 1])] if ranked else []


def series_table(exam: Record) -> Table | None:
    """The best and worst series (see `extremes`), with the share of the second's error that the first saves."""
    rows = extremes(exam)
    if not rows:
        return None
    of_series = exam["series"]
    first, second = of_series["compared"]["first"], of_series["compared"]["second"]
    unit = f", {of_series['unit']}" if of_series["unit"] else ""
    title = f"{first} beside {second}: best and worst series (test RMSE{unit})"
    table = new_table(title, of_series["column"], "sd", second, first, "gain")
    table.columns[0].justify = "left"
    for row in rows:
        table.add_row(*(escape(cell) for cell in series_cells(row)))
    return table


def series_cells(row: tuple[str, float, float, float] | None) -> tuple[str, ...]:
    """A line of `extremes`, for people.

    >>> series_cells(("north", 2.0, 1.0, 0.75)), series_cells(None)[0]
    (('north', '2.000', '1.000', '0.750', '+25%'), '...')
    """
    if row is None:
        return ("...", "", "", "", "")
    name, sd, other, one = row
    return (name, *(show_mean([value]) for value in (sd, other, one)), f"{1 - one / other:+.0%}")


def show_name(name: str) -> str:
    r"""A name of a series for people: in one line, and not too long.

    >>> show_name("north"), show_name("a\nb"), len(show_name("x" * 100))
    ('north', 'a b', 40)
    """
    line = "".join(c if c.isprintable() else " " for c in name)
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 3]}..."


def series_sentences(exam: Record) -> list[str]:
    r"""How many series there are, in what errors are, and on how many of them the best does better than the simplest.

    >>> of_series = {"count": 3, "column": "shop", "steps": [100, 120], "skipped": ["d"], "drawn": {},
    ...              "known_ahead": None, "compared": {"first": "gru_7", "second": "persistence", "lower": 2}}
    >>> print("\n".join(series_sentences({"series": of_series})))
    3 series, told by column 'shop', of 100 to 120 steps; errors over all of them are in standard deviations of each
    series' target up to its last training row (sd), so that each counts alike.
    Left out, since they are too short for this or constant: 'd'.
    gru_7 has a lower test RMSE than persistence on 2 of 3 series.
    """
    of_series = exam.get("series")
    if not of_series:
        return []
    fewest, most = of_series["steps"]
    steps = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    count, skipped, compared = of_series["count"], of_series["skipped"], of_series["compared"]
    said = [f"{count:,} series, told by column {of_series['column']!r}, of {steps} steps"]
    if count > 1:
        said[0] += (
            "; errors over all of them are in standard deviations of each series' target up to its last training row "
            "(sd), so that each counts alike"
        )
    said[0] += "."
    if skipped:
        names = ", ".join(repr(show_name(name)) for name in skipped[:SHOWN])
        more = f" and {len(skipped) - SHOWN:,} more" if len(skipped) > SHOWN else ""
        said.append(f"Left out, since they are too short for this or constant: {names}{more}.")
    if compared:
        said.append(
            f"{compared['first']} has a lower test RMSE than {compared['second']} on {compared['lower']:,} of "
            f"{count:,} series."
        )
    if ahead := of_series["known_ahead"]:
        said.append(
            f"Warning: some series are learnt from or chosen by up to {ahead['seen_to']}, and others are tested from "
            f"{ahead['tested_from']} on. One model over all may know what those days brought: cut all at the same "
            f"dates, with --validation-from and --test-from (in Python, split=)."
        )
    for name, (some, windows) in of_series["drawn"].items():
        said.append(
            f"{name} learnt from {some:,} of its {windows:,} training windows, drawn at random: the lags of all would "
            f"have to lie in memory at once."
        )
    return said


def series_rows(of_series: Record, known: Mapping[str, Record]) -> pd.DataFrame:
    """One row a series and entry: series, entry, sd, val_rmse, test_rmse, coverage, adaptive_coverage.

    Args:
        of_series: see `runs.series_record`.
        known: intervals by entry, of which coverages come (see `runs.interval_record`); empty where it has none.
    """
    tables = []
    for name, errors in of_series["entries"].items():
        held = known[name]["each"] if name in known else {}
        coverage = {"coverage": held.get("fixed"), "adaptive_coverage": held.get("adaptive")}
        rows = {"series": of_series["names"], "entry": name, "sd": of_series["sd"], **errors, **coverage}
        tables.append(pd.DataFrame(rows))
    return pd.concat(tables, ignore_index=True)


def write_forecasts(forecasts: Forecasts, path: Path) -> None:
    """Forecasts rows of one series as CSV; of many as Parquet, an entry and seed at a time.

    As text, ten million of them would fill gigabytes; in memory at once, too.
    """
    if not isinstance(forecasts, PanelForecasts):
        forecasts.to_csv(path, index=False)
        return
    import pyarrow as pa
    from pyarrow import parquet

    tables: Iterator[pa.Table] = (pa.Table.from_pandas(rows, preserve_index=False) for rows in forecasts.tables())
    first = next(tables)
    with parquet.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)


def forecasts_file(forecasts: Forecasts) -> str:
    """The name of the file that `write_forecasts` writes."""
    return MANY_FILE if isinstance(forecasts, PanelForecasts) else "forecasts.csv"
