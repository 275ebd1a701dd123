"""Weighs `backsight compare` on a thousand series of a thousand steps: peak memory of a fresh process.

The table is written into a temporary folder: for each series a target that follows its own past and a second column,
in a unit and at a level of its own. Ridge, boosted trees and an LSTM (two seeds) look back over 30 steps of both;
training windows are some 770,000, of 60 numbers each. Two seeds of trees are fitted side by side, where there are two
cores: each holds the lags of as many windows as it learns from.

Peak memory is the largest resident set that the kernel counted for the process (`ru_maxrss`). It should stay below
2,000 MB.

    python benchmarks/many_series.py [SERIES [STEPS]]
"""

import csv
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from random import Random
from time import perf_counter

from memory import peak_megabytes

LOOKBACK = 30
COMPARE = ["--id", "shop", "--target", "units", "--models", "lstm", "--lookback", str(LOOKBACK)]
COMPARE += ["--epochs", "2", "--seeds", "2"]


def write_table(path: Path, series: int, steps: int) -> None:
    """A long table, in plain Python: a child counts what its parent holds at the fork, so this script stays small."""
    days = [(date(2020, 1, 1) + timedelta(days=k)).isoformat() for k in range(steps)]
    random = Random(0)
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["shop", "day", "units", "visitors"])
        for shop in range(series):
            unit, level, follows = 10 ** random.uniform(-1, 3), random.uniform(3, 9), random.uniform(0.3, 0.9)
            sold = told = 0.0
            for day in days:
                sold = follows * sold + told + random.gauss(0, 1)
                told = random.gauss(0, 0.5)
                table.writerow([f"shop {shop}", day, f"{unit * (level + sold):.4f}", f"{100 + 20 * told:.2f}"])


def main() -> None:
    """One line: how many series and steps, peak memory, seconds."""
    series, steps = (int(text) for text in (*sys.argv[1:], *("1000", "1000")[len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shops.csv")
        write_table(path, series, steps)
        result = ["--out", str(Path(folder, "result")), "--json", str(Path(folder, "result.json"))]
        began = perf_counter()
        peak = peak_megabytes(["compare", str(path), *COMPARE, *result])
        print("| series | steps | peak memory, MB | seconds |\n|---|---|---|---|")
        print(f"| {series} | {steps} | {peak:.0f} | {perf_counter() - began:.0f} |")


if __name__ == "__main__":
    main()
