"""The figures of a report, from stored values: which there are depends on what was stored."""

from collections.abc import Callable, Collection, Iterator
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from backsight.report.charts.chart import Chart
from backsight.report.charts.draw import draw, draw_panels, is_saved, save
from backsight.report.charts.errors import lead_chart, month_chart, residual_chart, size_charts
from backsight.report.charts.forecast import forecast_chart
from backsight.report.charts.history import history_chart
from backsight.report.charts.layers import gate_charts, state_chart
from backsight.report.charts.leaderboard import leaderboard_chart
from backsight.report.charts.lookback import lookback_chart
from backsight.report.charts.memory import attention_charts, occlusion_chart, slope_charts, truncation_chart
from backsight.report.files import Writer
from backsight.report.leads import lead_rows, shown_by_lead
from backsight.report.leads_plot import plot_leads
from backsight.report.lookback import compared_lines
from backsight.report.lookback_plot import plot_lookbacks
from backsight.report.plots import plot_lesson
from backsight.report.stored import Record, Stored
from backsight.report.tuning_plots import plot_importances, plot_searches

Charts = dict[str, list[Chart]]

#: Names of all figures that a report may have.
NAMES = (
    "leaderboard",
    "lookback",
    "training_curves",
    "forecast",
    "errors_by_month",
    "errors_by_lead",
    "errors_by_size",
    "residuals",
    "memory",
    "slopes",
    "states",
    "gates",
    "attention",
    "lesson",
    "lesson_training_curves",
    "search",
    "importance",
)

#: Entries whose training curves are drawn, and entries that a page can show the forecasts of.
MOST_CURVES, MOST_FORECASTS = 12, 12


def charts_of(stored: Stored) -> Charts:
    """The charts of a run by name: one or several each, and no name without a chart."""
    found = {
        "leaderboard": [leaderboard_chart(stored.board, stored.unit)] if stored.board is not None else [],
        "lookback": _lookback(stored),
        "training_curves": _curves(stored.histories, stored.unit),
        **_of_forecasts(stored),
        **_of_memory(stored),
    }
    return {name: charts for name, charts in found.items() if charts}


def shown_entries(stored: Stored) -> dict[str, str]:
    """The entries that figures of forecasts show, and their colours: few enough to be told apart.

    The one to take, the best simple model, the best on validation, the best network, and the floor, in grey.
    """
    exam, entries = stored.exam, [e for e in stored.entries if not e["ensemble"]]
    choice = stored.record.get("overall") or {}
    taken = exam.get("recommended") or choice.get("entry")
    best = entries[0]["name"] if entries else choice.get("best")
    network = next((e["name"] for e in entries if e["network"]), None)
    tones: dict[str, str] = {}
    named = ((taken, "c1"), (exam.get("baseline"), "c2"), (best, "c3"), (network, "c4"), (exam.get("floor"), "muted"))
    for name, tone in named:
        if name is not None:
            tones.setdefault(str(name), tone)
    known = set() if stored.forecasts is None else set(stored.forecasts["entry"])
    return {name: tone for name, tone in tones.items() if name in known}


def picture_writers(stored: Stored, charts: Charts) -> dict[str, Writer]:
    """Writers of every figure as PNG and as SVG, by file name in `figures/`."""
    figures: dict[str, Callable[[], Figure]] = {name: partial(_draw, given) for name, given in charts.items()}
    if stored.lookbacks is not None and stored.record.get("curves"):
        lines = compared_lines(stored.record)
        figures["lookback"] = partial(plot_lookbacks, stored.lookbacks, stored.unit, lines)
    if stored.exam.get("leads") and "errors_by_lead" in charts:  # more lines than a page has room for
        figures["errors_by_lead"] = partial(_by_lead, stored)
    if stored.record.get("rows"):
        figures["lesson"] = lambda: _figure_of(plot_lesson(stored.record["rows"], unit=stored.unit))
    if lesson_curves := _curves(stored.lesson_histories, stored.unit):
        figures["lesson_training_curves"] = partial(_draw, lesson_curves)
    if stored.trials is not None:
        figures["search"] = partial(plot_searches, stored.trials, stored.unit)
    if shares := {m["name"]: m["importance"] for m in stored.record.get("models") or [] if m.get("importance")}:
        figures["importance"] = partial(plot_importances, shares)
    writers: dict[str, Writer] = {}
    for name, make in figures.items():
        once = lru_cache(maxsize=1)(make)
        writers |= {file: partial(_save, once) for file in _files(name)}
    return writers


def stale_pictures(folder: Path, written: Collection[str]) -> list[Path]:
    """Figures that an earlier report left in a run's folder, and that this one no longer has.

    Files of other names, and those that backsight did not draw, are somebody else's.

    Args:
        folder: of the run.
        written: what this report wrote, by file name.

    Raises:
        OSError: one can't be read.
    """
    known = (file for name in NAMES for file in _files(name))
    return [folder / file for file in known if file not in written and is_saved(folder / file)]


def _files(name: str) -> list[str]:
    return [f"figures/{name}.{kind}" for kind in ("png", "svg")]


def _save(make: Callable[[], Figure], path: Path) -> None:
    """The layout is worked out once, for the first of the two files."""
    figure = make()
    save(figure, path)
    figure.set_layout_engine("none")


def _draw(charts: list[Chart]) -> Figure:
    if len(charts) > 1:
        return draw_panels(charts, columns=2 if len(charts) in (2, 4) else 3)
    return _figure_of(draw(charts[0]))


def _figure_of(ax: object) -> Figure:
    figure = getattr(ax, "figure", None)
    assert isinstance(figure, Figure)
    return figure


def _by_lead(stored: Stored) -> Figure:
    """The best entry of each model at every lead, and what they have to beat."""
    floors = [entry["name"] for entry in stored.entries if not entry["reads_window"]]
    return _figure_of(plot_leads(lead_rows(stored.exam, shown_by_lead(stored.exam)), unit=stored.unit, dashed=floors))


def _curves(histories: pd.DataFrame | None, unit: str) -> list[Chart]:
    """Training curves of the first few networks, in the order of the table."""
    if histories is None:
        return []
    return [history_chart(histories, name, unit) for name in islice(histories["entry"].unique(), MOST_CURVES)]


def _lookback(stored: Stored) -> list[Chart]:
    """Validation and test errors by lookback, if a model was tried at several."""
    if stored.record.get("curves") and stored.lookbacks is not None:
        lines = compared_lines(stored.record)
        table = stored.lookbacks
        return [lookback_chart(table, stored.unit, part, lines.get(part)) for part in ("validation", "test")]
    table = lookback_rows(stored.entries, stored.exam.get("lookback"))
    if table.empty:
        return []
    floor = next((entry for entry in stored.entries if entry["name"] == stored.exam.get("floor")), None)
    return [
        lookback_chart(table, stored.unit, "validation", _line_of(floor, "val_rmse")),
        lookback_chart(table, stored.unit, "test", _line_of(floor, "test_rmse")),
    ]


def _line_of(floor: Record | None, errors: str) -> dict[str, float]:
    if floor is None or None in floor[errors]:
        return {}
    return {f"floor: {floor['name']}": float(np.mean(floor[errors]))}


def lookback_rows(entries: list[Record], found: Record | None) -> pd.DataFrame:
    """One row an entry of the models that were tried at several lookbacks, in the columns of `Lookbacks.table`.

    Args:
        entries: records of them; those that failed, read no window or are ensembles have no row.
        found: the model whose shortest lookback tied with its best is known, if any.
    """
    rows = []
    for entry in entries:
        errors = {part: entry[f"{part}_rmse"] for part in ("val", "test")}
        if entry["ensemble"] or not entry["reads_window"] or any(None in of_part for of_part in errors.values()):
            continue
        row = {
            "model": _model_of(entry),
            "recipe": entry["recipe"],
            "lookback": entry["lookback"],
            "entry": entry["name"],
        }
        for part, of_part in errors.items():
            row |= {f"{part}_rmse": np.mean(of_part), f"{part}_min": min(of_part), f"{part}_max": max(of_part)}
        rows.append(row)
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    several = table.groupby("model")["lookback"].transform("nunique") > 1
    table = table[several & ~table.duplicated(["model", "lookback"])].reset_index(drop=True)
    best = table.groupby("model")["val_rmse"].transform("min")
    table["best"] = table["val_rmse"] == best
    table["recommended"] = False
    if found is not None:
        at = (table["recipe"] == found["model"]) & (table["lookback"] == found["shortest"])
        table.loc[table.index[at][:1], "recommended"] = True
    return table


def _model_of(entry: Record) -> str:
    """What entries have in common that differ in their lookback alone: the name without it."""
    before, mark, after = str(entry["name"]).partition(f"_{entry['lookback']}")
    return f"{before}{after}" if mark else str(entry["recipe"])


def _of_forecasts(stored: Stored) -> Charts:
    forecasts, tones, unit = stored.forecasts, shown_entries(stored), stored.unit
    if forecasts is None or not tones or not (forecasts["part"] == "test").any():
        return {}
    first = next(iter(tones))
    most_telling = [name for name, tone in tones.items() if tone in ("c1", "c2")] or [first]
    others = [e["name"] for e in stored.entries if not e["ensemble"] and e["name"] not in most_telling]
    hidden = [name for name in dict.fromkeys((*tones, *others)) if name not in most_telling]
    lead = int(forecasts["lead"].min())
    colours = dict(_colours([*most_telling, *hidden], tones))
    shown = forecasts[forecasts["entry"].isin([*most_telling, *hidden[:MOST_FORECASTS]])]
    also, target = hidden[: MOST_FORECASTS - 2], str(stored.exam.get("target", "value"))
    drawn = forecast_chart(shown, most_telling, unit, "test", lead, stored.intervals, also, colours, target)
    month, by_lead = month_chart(forecasts, tones, unit), lead_chart(forecasts, tones, unit)
    residuals = residual_chart(forecasts, first)
    return {
        "forecast": [drawn],
        "errors_by_month": [month] if month else [],
        "errors_by_lead": [by_lead] if by_lead else [],
        "errors_by_size": size_charts(forecasts, tones, unit),
        "residuals": [residuals] if residuals else [],
    }


def _colours(names: list[str], tones: dict[str, str]) -> Iterator[tuple[str, str]]:
    left = [tone for tone in ("c3", "c4", "c5", "c6", "c7") if tone not in tones.values()] or ["c5", "c6", "c7"]
    for place, name in enumerate(names):
        yield name, tones.get(name, left[place % len(left)])


def _of_memory(stored: Stored) -> Charts:
    memory = stored.memory
    if memory is None or not memory.get("entries"):
        return {}
    return {
        "memory": [truncation_chart(memory), occlusion_chart(memory)],
        "slopes": slope_charts(memory),
        "states": [state_chart(memory)] if any(entry["recurrent"] for entry in memory["entries"]) else [],
        "gates": gate_charts(memory),
        "attention": attention_charts(memory),
    }
