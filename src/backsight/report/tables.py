"""Tables for a terminal, from records (see `runs.record`)."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any, Literal

from rich.markup import escape
from rich.table import Table

Record = dict[str, Any]
Errors = Sequence[float | None]

#: Verdicts whose label needs a word more. "No better" is no better than the floor; sentences name what is meant.
VERDICTS = {"baseline": "best baseline"}

#: Errors below this are shown with significant digits, not with decimals.
SMALL = 0.1


def lesson_table(record: Record) -> Table:
    """The rows of the lesson beside their published test RMSE."""
    unit = _in_unit(record["exam"]["unit"])
    title = f"As in the lesson: its rows, splits, unscaled inputs, last weights (test RMSE{unit})"
    columns = ("row", "parameters", "train/val/test", "epochs", "seconds", "published", "here", "range")
    table = new_table(title, *columns)
    for row in record["rows"]:
        published = row["published_rmse"]
        table.add_row(
            escape(row["name"]),
            f"{row['parameters']:,}" if row["parameters"] is not None else "",
            f"{row['train']}/{row['val']}/{row['test']}",
            show_range(row["epochs"]) if any(row["epochs"]) else "",
            f"{fmean(row['seconds']):.1f}" if row["seconds"] else "",
            f"{published:.2f}" if published is not None else "",
            show_mean(row["test_rmse"]),
            show_errors_range(row["test_rmse"]),
        )
    return table


def exam_table(exam: Record) -> Table:
    """The leaderboard: tie groups, and entries in each ranked on validation; errors over seeds."""
    folds = len(exam["folds"])
    title = (
        f"On the same exam: {exam['target']}, test days {exam['first']} to {exam['last']} ({exam['days']}"
        f"{f' in {folds} folds' if folds else ''}), "
        f"ranked on {exam['validation']['first']} to {exam['validation']['last']} (RMSE{_in_unit(exam['unit'])})"
    )
    table = new_table(
        title,
        "tie",
        "entry",
        "parameters",
        "seconds",
        "validation",
        "test",
        "test range",
        *(["folds' range"] if folds else []),
        "MAE",
        "bias",
        "skill",
        "verdict",
    )
    group = 0
    for entry in exam["entries"]:
        table.add_row(
            str(entry["group"]) if entry["group"] != group else "",
            escape(entry["name"]),
            f"{entry['parameters']:,}" if entry["parameters"] is not None else "",
            f"{fmean(entry['seconds']):.1f}",
            show_mean(entry["val_rmse"]),
            show_mean(entry["test_rmse"]),
            show_errors_range(entry["test_rmse"]),
            *([show_errors_range([mean_of(fold["test_rmse"]) for fold in entry["folds"]])] if folds else []),
            show_mean([mean_of(entry["test_mae"])]),
            show_bias(entry),
            f"{entry['test_skill']:+.2f}" if entry["test_skill"] is not None else "",
            VERDICTS.get(entry["verdict"], entry["verdict"]),
        )
        group = entry["group"]
    return table


def breakdown_lines(record: Record) -> list[str]:
    """One line a network of the lesson: where its parameters sit."""
    return [f"{row['name']}: {row['breakdown']}" for row in record["rows"] if row["breakdown"]]


def show_mean(errors: Errors) -> str:
    """Mean and, over several seeds, standard deviation.

    >>> show_mean([3.0, 3.5, 4.0]), show_mean([3.0]), show_mean([3.0, None]), show_mean([0.00012])
    ('3.500 ± 0.500', '3.000', 'failed', '0.00012')
    """
    if not errors:
        return ""
    finite = [e for e in errors if e is not None]
    if len(finite) < len(errors):
        return "failed"
    mean = fmean(finite)
    form = ".3f" if mean == 0 or mean >= SMALL else ".3g"
    return f"{mean:{form}}" + (f" ± {stdev(finite):{form}}" if len(finite) > 1 else "")


def show_errors_range(errors: Errors) -> str:
    """Smallest and largest over several seeds, or how many failed.

    >>> show_errors_range([3.0, 3.5]), show_errors_range([3.0]), show_errors_range([3.0, None])
    ('3.00 .. 3.50', '', '1 of 2 seeds failed')
    """
    finite = [e for e in errors if e is not None]
    if len(finite) < len(errors):
        return f"{len(errors) - len(finite)} of {len(errors)} seeds failed"
    form = ".2f" if min(finite) >= SMALL else ".3g"
    return f"{min(finite):{form}} .. {max(finite):{form}}" if len(finite) > 1 else ""


def show_range(numbers: Sequence[int]) -> str:
    """Smallest and largest, once if they are the same.

    >>> show_range([12, 40]), show_range([7, 7])
    ('12 .. 40', '7')
    """
    return f"{min(numbers)} .. {max(numbers)}" if min(numbers) < max(numbers) else str(numbers[0])


def mean_of(values: Errors) -> float | None:
    """The mean over seeds; None if one failed."""
    return None if None in values else fmean(v for v in values if v is not None)


def show_bias(entry: Record) -> str:
    """With its sign, and as many digits as the error has; nothing for a failed entry."""
    bias, error = mean_of(entry["test_bias"]), mean_of(entry["test_rmse"])
    if bias is None or error is None:
        return ""
    return f"{bias:+.3f}" if error == 0 or error >= SMALL else f"{bias:+.2g}"


def _in_unit(unit: str) -> str:
    return f", {unit}" if unit else ""


def new_table(title: str, *columns: str) -> Table:
    """A table in the style of all of them; columns of words stand to the left, those of numbers to the right."""
    table = Table(title=escape(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in columns:
        justify: Literal["left", "right"] = "left" if name in ("row", "entry", "verdict") else "right"
        table.add_column(escape(name), justify=justify, no_wrap=True)
    return table
