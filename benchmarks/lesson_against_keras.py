"""Times the whole lesson: backsight against Keras's own `fit`, each in a fresh process.

Both sides train the lesson's six networks as the lesson does: the same rows and splits, unscaled inputs,
the lesson's batch sizes, at most 200 epochs, patience 10, the weights of the last epoch; then they score the
test days. The clock runs from the start of a process to its exit, so imports, reading the file and
compilation count.

Early stopping leaves the number of epochs to chance. Two more ratios are printed for that: of one epoch of
each network, and of the whole had Keras stopped after as many epochs as backsight. The processor's seconds
stand beside the clock's, since a machine that is busy with something else bends the clock's more.

backsight runs in three ways: *cold*, with one seed and an empty compilation cache; *warm*, once more with the
cache that another run has left; *ten*, warm, with ten seeds. Keras runs once, with one seed. It runs on the
backend of `--backend`, under the interpreter of `--python`, which need not have backsight; on TensorFlow that
takes minutes, so `--keras FILE` keeps what was measured and takes it from there the next time. Numbers of
another machine are worth nothing beside this one's: measure both sides on the same one.

    python benchmarks/lesson_against_keras.py [--backend tensorflow] [--python PATH] [--keras FILE]
        [--runs cold warm ten] [--rounds N] [--workers N] [--quick]
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, NamedTuple

# Nothing heavy is imported up here: each side pays for its own imports, and for no others.

TARGET = "BASEL_sunshine"
FEATURES = "BASEL_"

#: Names the folder where backsight's compiled programs outlive a process.
CACHE_VARIABLE = "BACKSIGHT_CACHE"

#: The ways in which backsight runs, and the seeds of each.
RUNS = {"cold": 1, "warm": 1, "ten": 10}

#: The lesson's hidden layers in Keras's own words, by the name of its row without the lookback.
HIDDEN: dict[str, Callable[[Any], list[Any]]] = {
    "Dense": lambda layers: [layers.Dense(100, "relu"), layers.Dense(50, "relu")],
    "RNN": lambda layers: [layers.SimpleRNN(16, activation="relu")],
    "RNN_stacked": lambda layers: [layers.SimpleRNN(16, return_sequences=True), layers.SimpleRNN(16)],
    "LSTM_stacked": lambda layers: [layers.LSTM(7, return_sequences=True), layers.LSTM(7)],
}


class Task(NamedTuple):
    """One network of the lesson, in plain values: `train`, `validation` and `test` are [first, end) of target rows."""

    name: str
    lookback: int
    batch_size: int
    train: tuple[int, int]
    validation: tuple[int, int]
    test: tuple[int, int]


class Fit(NamedTuple):
    """What one fit came to; `epoch_seconds` is the median of all but the first, which waits for the compiler."""

    name: str
    parameters: int
    epochs: int
    seconds: float
    epoch_seconds: float
    test_rmse: float


class Side(NamedTuple):
    """All fits of one process, its seconds from start to exit, and the processor's seconds, over all cores.

    `software` says what ran, in words.
    """

    software: str
    fits: list[Fit]
    seconds: float
    cpu_seconds: float

    def average(self, name: str) -> Fit:
        """The mean over the seeds of one network."""
        columns = zip(*(fit[1:] for fit in self.fits if fit.name == name), strict=True)
        return Fit(name, *map(mean, columns))

    @property
    def names(self) -> list[str]:
        """The networks, in the order of the lesson."""
        return list(dict.fromkeys(fit.name for fit in self.fits))

    @property
    def seeds(self) -> int:
        """Fits of each network."""
        return len(self.fits) // len(self.names)


def lesson_tasks() -> tuple[str, list[Task]]:
    """The path of the data and the networks that Keras shall train, as backsight's own lesson cuts them."""
    from backsight.runs.lesson import LESSON, lesson_exam
    from backsight.series.catalogue import CATALOGUE, fetch, load

    series = load("basel")
    tasks = []
    for row in LESSON:
        if row.recipe.random:
            parts = lesson_exam(series, TARGET, row)[1].split.parts
            ends = {name: (part.start, part.stop) for name, part in parts.items()}
            tasks.append(Task(row.name, row.lookback, row.batch_size, **ends))
    return str(fetch(CATALOGUE["basel"])), tasks


def train_backsight(epochs: int, seeds: int, workers: int | None) -> list[Fit]:
    """Every network and seed through the same calls as `backsight lesson`."""
    from backsight.evaluation.metrics import rmse
    from backsight.runs.entry import Entry
    from backsight.runs.fit import fit_entry
    from backsight.runs.jobs import Job, carry_out
    from backsight.runs.lesson import LESSON, lesson_exam
    from backsight.runs.progress import Silent
    from backsight.series.catalogue import load
    from backsight.training.plan import Plan

    series = load("basel")
    columns = series.select([f"{FEATURES}*"]).columns

    def make_job(row: Any) -> Any:
        taken, exam = lesson_exam(series, TARGET, row)
        entry = Entry(row.name, row.recipe, row.lookback, columns)
        plan = Plan(batch_size=row.batch_size, epochs=epochs, keep="last")

        def fit(some: Any, on_epoch: Callable[[int, Any], None]) -> Any:
            ends: dict[int, list[float]] = {seed: [] for seed in some}

            def watch(seed: int, done: Any) -> None:
                ends[seed].append(perf_counter())
                on_epoch(seed, done)

            fitted = fit_entry(taken, exam, entry, plan, "none", some, watch)
            return [(f, taken, exam, ends[f.seed]) for f in fitted]

        return Job(row.name, row.recipe, range(seeds), fit)

    jobs = [make_job(row) for row in LESSON if row.recipe.random]
    fits = []
    by_row = carry_out(jobs, workers, Silent()).results
    for result in (results[place] for place in range(seeds) for results in by_row):
        if result is None:  # so says carry_out of a fit that Ctrl-C ended
            raise KeyboardInterrupt
        fitted, taken, exam, ends = result
        began = perf_counter()
        forecasts = fitted.sit(taken, exam, "test")
        error = rmse(forecasts["actual"], forecasts["predicted"])
        seconds = fitted.seconds + perf_counter() - began
        parameters = fitted.forecaster.parameters
        fits.append(Fit(fitted.entry.name, parameters, len(ends), seconds, epoch_seconds(ends), error))
    return fits


def train_keras(path: str, tasks: list[Task], epochs: int) -> list[Fit]:
    """Every network once, one after the other, as a Keras script would."""
    import keras
    import pandas as pd

    keras.utils.set_random_seed(42)
    table = pd.read_csv(path, usecols=lambda name: name.startswith(FEATURES))
    values, target = table.to_numpy("float32"), table[TARGET].to_numpy("float32")
    return [fit_keras(keras, task, values, target, epochs) for task in tasks]


def fit_keras(keras: Any, task: Task, values: Any, target: Any, epochs: int) -> Fit:
    """Build, compile, fit and evaluate one network."""
    began = perf_counter()
    ends: list[float] = []
    flat = task.name.startswith("Dense")
    train, validation, test = (
        cut_windows(values, target, task.lookback, part, flat) for part in (task.train, task.validation, task.test)
    )
    hidden = HIDDEN[task.name.rpartition("_")[0]](keras.layers)
    model = keras.Sequential([keras.Input(train[0].shape[1:]), *hidden, keras.layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse", metrics=[keras.metrics.RootMeanSquaredError()])
    callbacks = [
        keras.callbacks.EarlyStopping(monitor="val_loss", patience=10),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(perf_counter())),
    ]
    batch = task.batch_size
    model.fit(*train, batch, epochs, validation_data=validation, callbacks=callbacks, verbose=0)
    error = model.evaluate(*test, verbose=0, return_dict=True)["root_mean_squared_error"]
    seconds = perf_counter() - began
    return Fit(task.name, model.count_params(), len(ends), seconds, epoch_seconds(ends), error)


def cut_windows(values: Any, target: Any, lookback: int, rows: tuple[int, int], flat: bool) -> tuple[Any, Any]:
    """The windows before some target rows, copied out as `fit` needs them, and the targets."""
    import numpy as np

    first, end = rows
    windows = np.lib.stride_tricks.sliding_window_view(values, lookback, axis=0)[first - lookback : end - lookback]
    inputs = np.ascontiguousarray(windows.swapaxes(1, 2))  # (windows, lookback, features)
    return (inputs.reshape(len(inputs), -1) if flat else inputs), target[first:end]


def epoch_seconds(ends: list[float]) -> float:
    """The median epoch after the first, from the times at which epochs ended."""
    return median(after - before for before, after in pairwise(ends))


def software(*packages: str) -> str:
    """What runs here, with versions."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)])


def run_side(
    arguments: list[str], environment: dict[str, str], python: str = sys.executable, lesson: object = None
) -> Side:
    """One side in a process of its own, timed from start to exit."""
    command = [python, __file__, *arguments]
    began, cpu_began = perf_counter(), children_cpu_seconds()
    done = subprocess.run(
        command, input=json.dumps(lesson), env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True
    )
    seconds, cpu_seconds = perf_counter() - began, children_cpu_seconds() - cpu_began
    what, fits = json.loads(done.stdout)
    return Side(what, [Fit(*fit) for fit in fits], seconds, cpu_seconds)


def children_cpu_seconds() -> float:
    """What the processor spent on all processes that this one has started and seen end."""
    times = os.times()
    return times.children_user + times.children_system


def run_backsight(runs: list[str], rounds: int, options: list[str]) -> dict[str, Side]:
    """backsight in each of the ways, by turns; of each, the round with the median of the seconds."""

    def measure(run: str, folder: str, *more: str) -> Side:
        return run_side(["backsight", *options, *more, f"--seeds={RUNS[run]}"], {CACHE_VARIABLE: folder})

    measured: dict[str, list[Side]] = {run: [] for run in runs}
    with TemporaryDirectory() as filled:
        if set(runs) - {"cold"}:
            measure("cold", filled, "--quick")  # the programs of three epochs are those of two hundred
        for _ in range(rounds):
            for run in runs:
                with TemporaryDirectory() as empty:
                    measured[run].append(measure(run, empty if run == "cold" else filled))
    return {run: sorted(sides, key=lambda side: side.seconds)[len(sides) // 2] for run, sides in measured.items()}


def run_keras(backend: str, python: str, options: list[str]) -> Side:
    """Keras on one backend."""
    environment = {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "2"}
    return run_side(["keras", f"--backend={backend}", *options], environment, python, lesson_tasks())


def kept_keras(file: Path | None, backend: str, python: str, options: list[str]) -> tuple[Side, str]:
    """Keras's side from a file, or measured and, if a file is named, written into it; and the day it was measured.

    Raises:
        SystemExit: the file is of another backend, or of other epochs.
    """
    if file and file.is_file():
        kept = json.loads(file.read_text())
        if [kept["backend"], kept["options"]] != [backend, options]:
            raise SystemExit(
                f"{file} is of {kept['backend']} with options {kept['options']}: delete it, or name another."
            )
        side = kept["side"] | {"fits": [Fit(**fit) for fit in kept["side"]["fits"]]}
        return Side(**side), kept["day"]
    side, day = run_keras(backend, python, options), date.today().isoformat()
    if file:
        plain = side._asdict() | {"fits": [fit._asdict() for fit in side.fits]}
        kept = {"backend": backend, "options": options, "day": day, "side": plain}
        file.write_text(json.dumps(kept, indent=1) + "\n")
    return side, day


def print_networks(run: str, ours: Side, theirs: Side) -> None:
    """One line a network, backsight on the left of Keras."""
    print(f"\n{run}, seeds: {ours.seeds}\n")
    print("| network | epochs | | s | | ms an epoch | | test RMSE, h | |")
    print("|---|---|---|---|---|---|---|---|---|")
    print("| | backsight | Keras | backsight | Keras | backsight | Keras | backsight | Keras |")
    for name in ours.names:
        a, b = ours.average(name), theirs.average(name)
        if a.parameters != b.parameters:
            raise SystemExit(f"{name} has {a.parameters} parameters in backsight and {b.parameters} in Keras.")
        print(
            f"| {name} | {a.epochs:.0f} | {b.epochs:.0f} | {a.seconds:.1f} | {b.seconds:.1f} "
            f"| {1000 * a.epoch_seconds:.1f} | {1000 * b.epoch_seconds:.1f} | {a.test_rmse:.3f} | {b.test_rmse:.3f} |"
        )


def print_ratios(sides: dict[str, Side], theirs: Side) -> None:
    """A line a way in which backsight ran, each beside the one Keras run.

    Four ratios: the whole from start to exit, the whole with as many epochs, the processor's seconds, and one
    epoch of each network. For ten seeds they are of ten times the work.
    """
    print("\n| backsight | seeds | s | Keras, 1 seed, s | ratio | had Keras run as many epochs | ratio ", end="")
    print("| processor, s | Keras | ratio | an epoch of each network, s | Keras | ratio |\n" + "|---" * 13 + "|")
    for run, ours in sides.items():
        pairs = [(ours.average(name), theirs.average(name)) for name in ours.names]
        epoch, their_epoch = sum(a.epoch_seconds for a, _ in pairs), sum(b.epoch_seconds for _, b in pairs)
        as_many = theirs.seconds + sum((a.epochs - b.epochs) * b.epoch_seconds for a, b in pairs)
        print(
            f"| {run} | {ours.seeds} | {ours.seconds:.1f} | {theirs.seconds:.1f} | {theirs.seconds / ours.seconds:.1f} "
            f"| {as_many:.1f} | {as_many / ours.seconds:.1f} "
            f"| {ours.cpu_seconds:.1f} | {theirs.cpu_seconds:.1f} | {theirs.cpu_seconds / ours.cpu_seconds:.1f} "
            f"| {epoch:.3f} | {their_epoch:.3f} | {their_epoch / epoch:.1f} |"
        )


def options_parser() -> argparse.ArgumentParser:
    """What the script understands, its own children's words included."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("side", nargs="?", choices=("both", "backsight", "keras"), default="both")
    parser.add_argument("--backend", choices=("jax", "tensorflow"), default="jax", help="Keras's")
    parser.add_argument("--python", default=sys.executable, help="Keras's interpreter; this one without it")
    parser.add_argument("--keras", type=Path, metavar="FILE", help="keeps Keras's side; measured if it is not there")
    parser.add_argument("--runs", nargs="+", choices=RUNS, default=list(RUNS), help="of backsight; all without it")
    parser.add_argument("--rounds", type=int, default=3, help="of backsight's runs; the median one is shown")
    parser.add_argument("--seeds", type=int, default=1, help="of the side backsight, where that is all that shall run")
    parser.add_argument("--workers", type=int, help="fits at a time of backsight; one a core without it")
    parser.add_argument("--quick", action="store_true", help="three epochs a network, to try this script")
    return parser


def main() -> None:
    """Both sides one after the other, or, in a process that this one started, a single side."""
    given = options_parser().parse_args()
    epochs = 3 if given.quick else 200
    if given.side == "backsight":
        fits = train_backsight(epochs, given.seeds, given.workers)
        print(json.dumps([software("backsight", "keras", "jax"), fits]))
    elif given.side == "keras":
        path, tasks = json.load(sys.stdin)
        fits = train_keras(path, [Task(*task) for task in tasks], epochs)
        print(json.dumps([software("keras", given.backend), fits]))
    else:
        compare_sides(given)


def compare_sides(given: argparse.Namespace) -> None:
    """Measures both sides and prints what came out."""
    quick = ["--quick"] if given.quick else []
    workers = [] if given.workers is None else [f"--workers={given.workers}"]
    theirs, day = kept_keras(given.keras, given.backend, given.python, quick)
    sides = run_backsight(given.runs, given.rounds, [*quick, *workers])
    print(f"Keras: {theirs.software}, measured on {day}. backsight: {next(iter(sides.values())).software}.")
    for run, ours in sides.items():
        print_networks(run, ours, theirs)
    print_ratios(sides, theirs)


if __name__ == "__main__":
    main()
