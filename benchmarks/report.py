"""Times and weighs the report of a run of ten entries and five seeds on Basel, with a memory profile.

The run is a `backsight compare` of five networks at two lookbacks on the nine columns of Basel, five seeds each, the
simple models beside them, at most 200 epochs; then `backsight memory` puts the profile of the best of each family
into it. A fresh process then writes the report again (`backsight report`), which is what the end of a run costs, and
the start of Python besides; three times, of which the median is told.

It should take less than 5 seconds of the clock on two cores, and the page less than 6 MB.

    python benchmarks/report.py [FOLDER]

FOLDER: of a run that is there already, to time its report and nothing else.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

BACKSIGHT = [sys.executable, "-m", "backsight.cli.main"]
COMPARE = ["basel", "--target", "BASEL_sunshine", "--features", "BASEL_*", "--lookback", "3,30", "--seeds", "5"]
COMPARE += ["--models", "dense,rnn,lstm,gru,attention"]
ROUNDS = 3


def main() -> None:
    """One line: entries, seeds, seconds of the clock and of the processor, bytes of the page and of the figures."""
    with tempfile.TemporaryDirectory() as made:
        there = sys.argv[1:]
        folder = Path(there[0]) if there else Path(made, "run")
        if not there:
            run("compare", *COMPARE, "--out", str(folder))
            run("memory", str(folder), "--out", str(folder))
        clock, processor = zip(*(timed("report", str(folder)) for _ in range(ROUNDS)), strict=True)
        page = (folder / "report.html").stat().st_size
        figures = [path.stat().st_size for path in (folder / "figures").iterdir()]
        print("| seconds | the processor's | page, bytes | figures | their bytes |\n|---|---|---|---|---|")
        print(f"| {median(clock):.1f} | {median(processor):.1f} | {page:,} | {len(figures)} | {sum(figures):,} |")


def timed(*command: str) -> tuple[float, float]:
    """Seconds of the clock and of the processor that a command takes in a fresh process."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), perf_counter()
    run(*command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(*command: str) -> None:
    subprocess.run([*BACKSIGHT, *command], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
