"""What a training step of backsight costs, by lookback, units, batch size and number of seeds side by side.

In the middle stands one LSTM of 16 units that looks back 30 days, batches of 32, one seed; each table moves one of
the four and leaves the others. All learn from the same 2,560 windows of the nine Basel columns, so that an epoch
is as many windows everywhere. Seeds run on as many threads as there are cores; their time is that of one step
of one model, the wall clock's over all of them.

Each point is a fresh process: a time is the median of its epochs after the first, beside their smallest and largest,
and memory is the process's peak (`ru_maxrss`), Python, Keras, JAX and the compiler included. `--plot FILE` draws all
that.

    python benchmarks/scaling.py [--plot docs/images/scaling.png] [--epochs N] [--quick]
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from compiled_epoch import Network, basel, load_data, time_epochs
from memory import MAXRSS_BYTES

CENTRE = Network()
WINDOWS = 2560

SEEDS = "seeds side by side"

#: What is moved, by the name of its axis: a field of `Network`, or None for the number of models.
SWEEPS: dict[str, tuple[str | None, tuple[int, ...]]] = {
    "lookback": ("lookback", (3, 10, 30, 90, 180, 360)),
    "units": ("units", (4, 8, 16, 32, 64, 128)),
    "batch size": ("batch_size", (8, 16, 32, 64, 128, 256, 512)),
    SEEDS: (None, (1, 2, 4, 8, 16)),
}


@dataclass(frozen=True)
class Point:
    """What was measured in one process.

    Attributes:
        value: of what is moved.
        ms, low, high: a step and model: median, smallest and largest of the epochs.
        megabytes: peak resident memory.
        layer: the class that did the recurrence, with its module.
    """

    value: int
    ms: float
    low: float
    high: float
    megabytes: float
    layer: str


def points_of(sweep: str, quick: bool) -> Iterator[tuple[int, Network, int]]:
    """The values of one sweep, each with the network and the number of models; the ends only, if it shall be quick."""
    name, values = SWEEPS[sweep]
    for value in (values[0], values[-1]) if quick else values:
        if name is None:
            yield value, CENTRE, value
        else:
            moved: dict[str, Any] = {name: value}
            yield value, replace(CENTRE, **moved), 1


def measure(value: int, network: Network, models: int, data: Path, epochs: int) -> Point:
    """One point, in a process of its own, which compiles its program anew: memory depends on that."""
    task = json.dumps({"network": asdict(network), "models": models, "data": str(data), "epochs": epochs})
    command, environment = [sys.executable, __file__, "--task", task], os.environ | {"BACKSIGHT_CACHE": ""}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Point(value, **json.loads(done.stdout))


def carry_out(task: dict[str, Any]) -> None:
    """What a process of `measure` does."""
    from backsight.runs.jobs import cores

    network, data = Network(**task["network"]), load_data(Path(task["data"]))
    timed = time_epochs(network, data, task["epochs"], task["models"], cores())
    ms = timed.ms_a_step
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_BYTES / 1e6
    said = {"ms": median(ms), "low": min(ms), "high": max(ms), "megabytes": megabytes, "layer": timed.layer}
    print(json.dumps(said))


def time_unit(sweep: str) -> str:
    """What a time of this sweep is of."""
    return "ms a step and model" if sweep == SEEDS else "ms a step"


def print_table(sweep: str, points: list[Point]) -> None:
    """One line a value."""
    print(f"\n| {sweep} | {time_unit(sweep)} | min .. max of epochs | peak memory, MB |\n|---|---|---|---|")
    for p in points:
        print(f"| {p.value} | {p.ms:.3f} | {p.low:.3f} .. {p.high:.3f} | {p.megabytes:.0f} |", flush=True)


def plot(sweeps: dict[str, list[Point]], path: Path) -> None:
    """Four panels: time on logarithmic axes, alike in all; memory in grey on the right, from zero."""
    from matplotlib.figure import Figure

    from backsight.report.plots import TRAIN
    from backsight.runs.jobs import cores

    figure = Figure(figsize=(11, 7), layout="constrained")
    top = 1.15 * max(p.megabytes for points in sweeps.values() for p in points)
    for axis, (sweep, points) in zip(figure.subplots(2, 2, sharey=True).flat, sweeps.items(), strict=True):
        values, ms = [p.value for p in points], [p.ms for p in points]
        spread = [[p.ms - p.low for p in points], [p.high - p.ms for p in points]]
        times = [1 / min(v, cores()) if sweep == SEEDS else v / values[0] for v in values]
        axis.plot(values, [ms[0] * t for t in times], ":", color="0.6", lw=1)
        axis.errorbar(values, ms, spread, fmt="o-", color=TRAIN, ms=5, lw=1.4, capsize=3)
        axis.set(xscale="log", yscale="log", xlabel=sweep, ylabel=time_unit(sweep))
        axis.set_xticks(values, [str(v) for v in values], minor=False)
        axis.set_xticks([], minor=True)
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.label.set_color(TRAIN)
        axis.grid(axis="y", alpha=0.3)
        right = axis.twinx()
        right.plot(values, [p.megabytes for p in points], "s--", color="0.4", ms=4, lw=1)
        right.set(ylim=(0, top), ylabel="peak memory, MB")
        right.yaxis.label.set_color("0.4")
        for side in (axis, right):
            side.spines["top"].set_visible(False)
    figure.suptitle(
        f"One training step: {CENTRE}, lookback {CENTRE.lookback}, batches of {CENTRE.batch_size}, one thing moved at a"
        f" time\n(dotted: in proportion; for seeds, as many at once as there are cores: {cores()})",
        fontsize=11,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """A table a sweep, or, in a process that this one started, one point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the tables, too")
    parser.add_argument("--epochs", type=int, default=6, help="timed at each point")
    parser.add_argument("--quick", action="store_true", help="two epochs at the ends of each table, to try this script")
    parser.add_argument("--task", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        carry_out(given.task)
        return
    epochs = 2 if given.quick else given.epochs
    sweeps: dict[str, list[Point]] = {}
    with TemporaryDirectory() as folder:
        data = Path(folder) / "windows.npz"
        basel(max(SWEEPS["lookback"][1]), WINDOWS).save(data)
        for sweep in SWEEPS:
            sweeps[sweep] = [measure(*point, data, epochs) for point in points_of(sweep, given.quick)]
            print_table(sweep, sweeps[sweep])
    print(f"\nThe recurrence was done by {sweeps[SEEDS][0].layer}.")
    if given.plot:
        plot(sweeps, given.plot)


if __name__ == "__main__":
    main()
