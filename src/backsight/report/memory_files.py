"""The files of a memory profile and of a memory test."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from backsight.report.files import Writer
from backsight.report.memory_plots import memory_plots, plot_memory_test

Record = dict[str, Any]


def memory_files(record: Record) -> dict[str, Writer]:
    """Writers by file name: one table of all that is known by lag, the record for a report, and the plots.

    Args:
        record: of a memory profile; see `runs.memory_record`.
    """
    table = by_lag(record)
    plots = memory_plots(record)
    text = json.dumps(record, allow_nan=False) + "\n"
    return {
        "memory.csv": lambda path: table.to_csv(path, index=False),
        "memory.json": lambda path: path.write_text(text, encoding="utf-8"),
        **{name: partial(_save, figure) for name, figure in plots.items()},
    }


def by_lag(record: Record) -> pd.DataFrame:
    """One row an entry, seed and lag: rmse_with, the error with that many steps alone; rise_without that one step.

    Lag 0 stands for no step at all.
    """
    rows = []
    for entry in record["entries"]:
        for seed, truncation, occlusion in zip(entry["seeds"], entry["truncation"], entry["occlusion"], strict=True):
            for lag, (with_steps, without) in enumerate(zip(truncation, [None, *occlusion], strict=True)):
                rows.append((entry["name"], seed, lag, with_steps, without))
    return pd.DataFrame(rows, columns=["entry", "seed", "lag", "rmse_with", "rise_without"])


def memory_test_files(record: Record) -> dict[str, Writer]:
    """Writers by file name: the table, a row a model, lag and seed, and its plot.

    Args:
        record: of a memory test; see `runs.memory_test`.
    """
    rows = [
        (row["model"], row["lag"], seed, mse, skill)
        for row in record["rows"]
        for seed, (mse, skill) in enumerate(zip(row["mse"], row["skill"], strict=True))
    ]
    table = pd.DataFrame(rows, columns=["model", "lag", "seed", "mse", "skill"])
    figure = plot_memory_test(record).figure
    assert isinstance(figure, Figure)
    return {
        "memory_test.csv": lambda path: table.to_csv(path, index=False),
        "memory_test.png": partial(_save, figure),
    }


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110)
