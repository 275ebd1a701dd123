"""Tables of the report."""

from statistics import fmean
from typing import Any

from backsight.report.page.html import Child, Html, join, name, table, tag
from backsight.report.series import extremes, series_cells
from backsight.report.tables import VERDICTS, mean_of, show_bias, show_errors_range, show_mean, show_range

Record = dict[str, Any]


def leaderboard_table(exam: Record) -> Html:
    """Tie groups, and entries in each ranked on validation; the entry to take stands out."""
    head = (
        "tie",
        "entry",
        "validation",
        "test",
        "test range",
        "MAE",
        "bias",
        "skill",
        "verdict",
        "parameters",
        "seconds",
    )
    rows, kinds, group = [], [], None
    for entry in exam["entries"]:
        taken = entry["name"] == exam.get("recommended")
        mark = tag("span", "take this", class_="badge note-badge") if taken else None
        rows.append(
            (
                str(entry["group"]) if entry["group"] != group else "",
                join((name(entry["name"], 80), " " if mark else None, mark)),
                show_mean(entry["val_rmse"]),
                show_mean(entry["test_rmse"]),
                show_errors_range(entry["test_rmse"]),
                show_mean([mean_of(entry["test_mae"])]) if entry.get("test_mae") else "",
                show_bias(entry) if entry.get("test_bias") else "",
                f"{entry['test_skill']:+.2f}" if entry.get("test_skill") is not None else "",
                VERDICTS.get(entry["verdict"], entry["verdict"] or ""),
                f"{entry['parameters']:,}" if entry.get("parameters") is not None else "",
                _seconds(entry.get("seconds")),
            )
        )
        group = entry["group"]
        kinds.append(" ".join([*(["shade"] if entry["group"] % 2 else []), *(["taken"] if taken else [])]) or None)
    return table(head, rows, "Leaderboard", kinds)


def lesson_table(rows: list[Record]) -> Html:
    """The rows of the lesson beside their published test RMSE."""
    head = ("row", "parameters", "train/val/test", "epochs", "published", "here", "range")
    cells = [
        (
            name(row["name"], 80),
            f"{row['parameters']:,}" if row["parameters"] is not None else "",
            f"{row['train']}/{row['val']}/{row['test']}",
            show_range(row["epochs"]) if any(row["epochs"]) else "",
            f"{row['published_rmse']:.2f}" if row["published_rmse"] is not None else "",
            show_mean(row["test_rmse"]),
            show_errors_range(row["test_rmse"]),
        )
        for row in rows
    ]
    return table(head, cells, "The rows of the lesson")


def lookback_table(curves: list[Record]) -> Html:
    """Errors of each model and lookback; the chosen lookbacks stand out."""
    head = ("model", "lookback", "validation", "test", "", "parameters", "seconds a fit")
    rows, kinds = [], []
    for place, curve in enumerate(curves):
        for point in curve["points"]:
            said = "shortest tied with best" if point["recommended"] else "tied with best" if point["tied"] else ""
            rows.append(
                (
                    name(curve["model"], 80) if point is curve["points"][0] else "",
                    str(point["lookback"]),
                    show_mean(point["val_rmse"]),
                    show_mean(point["test_rmse"]),
                    said,
                    f"{point['parameters']:,}" if point["parameters"] is not None else "",
                    _seconds(point["seconds"]),
                )
            )
            kinds.append(
                " ".join([*([] if place % 2 else ["shade"]), *(["taken"] if point["recommended"] else [])]) or None
            )
    return table(head, rows, "Errors by lookback", kinds)


def series_table(exam: Record) -> Html:
    """The best and worst of many series; see `report.series.extremes`."""
    compared = exam["series"]["compared"]
    head = (exam["series"]["column"], "sd", name(compared["second"], 60), name(compared["first"], 60), "gain")
    rows = [(name(cells[0], 60), *cells[1:]) for cells in map(series_cells, extremes(exam))]
    return table(head, rows, "Best and worst series")


def findings_table(findings: list[Record]) -> Html:
    """What the data doctor found, one line a finding."""
    rows: list[tuple[Child, ...]] = []
    for found in findings:
        columns = [name(column, 60) for column in found["columns"][:3]]
        more = len(found["columns"]) - len(columns)
        listed = join(
            [part for column in columns for part in (column, ", ")][:-1] + ([f" and {more} more"] if more else [])
        )
        kind = {"wrong": "wrong", "suspect": "suspect"}.get(found["severity"], "note-badge")
        badge = tag("span", found["severity"], class_=f"badge {kind}")
        rows.append((badge, found["check"], listed, f"{found['count']:,}", found["when"], _cut(found["seen"])))
    return table(("", "check", "columns", "rows", "when", "what was seen"), rows, "What the data doctor found")


def tuning_table(models: list[Record]) -> Html:
    """The best settings of each model that was searched for."""
    head = ("model", "trials", "untuned", "best", "settings")
    rows = [
        (
            name(model["name"], 60),
            str(model["finished"] + model["pruned"]),
            _rmse(model["untuned"]),
            _rmse(model["best"]),
            ", ".join(f"{k}={v}" for k, v in (model["best"] or {"settings": {}})["settings"].items()),
        )
        for model in models
    ]
    return table(head, rows, "The best settings that were found")


def sources_table(sources: dict[str, str]) -> Html:
    """Where the models come from."""
    return table(
        ("model", "source"), [(name(model, 60), _cut(source, 900)) for model, source in sources.items()], "Sources"
    )


def _rmse(trial: Record | None) -> str:
    return "" if trial is None else "failed" if trial["rmse"] is None else f"{trial['rmse']:.3f}"


def _cut(text: str, most: int = 400) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _seconds(values: list[float] | None) -> str:
    return f"{fmean(values):.1f}" if values else ""
