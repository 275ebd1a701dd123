"""Times the whole lesson: backsight against Keras's own `fit` on JAX, each in a fresh process.

Both sides train the lesson's six networks as the lesson does: the same rows and splits, unscaled inputs,
the lesson's batch sizes, at most 200 epochs, patience 10, the weights of the last epoch; then they score the
test days. The clock runs from the start of a process to its exit, so imports, reading the file and
compilation count.

Early stopping leaves the number of epochs to chance. Two more ratios are printed for that: of one epoch of
each network, and of the whole had Keras stopped after as many epochs as backsight. The processor's seconds
stand beside the clock's, since a machine that is busy with something else bends the clock's more.

    python benchmarks/lesson_against_keras.py [--seeds N] [--workers N] [--quick]
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from statistics import mean, median
from time import perf_counter
from typing import Any, NamedTuple

# Nothing heavy is imported up here: each side pays for its own imports, and for no others.

TARGET = "BASEL_sunshine"
FEATURES = "BASEL_"

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
    """All fits of one process, its seconds from start to exit, and the processor's seconds, over all cores."""

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

    def make_job(row: Any, seed: int) -> Any:
        taken, exam = lesson_exam(series, TARGET, row)
        entry = Entry(row.name, row.recipe, row.lookback, columns)
        plan = Plan(batch_size=row.batch_size, epochs=epochs, keep="last")
        ends: list[float] = []

        def fit(on_epoch: Callable[[Any], None]) -> Any:
            def watch(done: Any) -> None:
                ends.append(perf_counter())
                on_epoch(done)

            return fit_entry(taken, exam, entry, plan, "none", seed, watch), taken, exam, ends

        return Job(row.name, seed, fit)

    jobs = [make_job(row, seed) for seed in range(seeds) for row in LESSON if row.recipe.random]
    fits = []
    for result in carry_out(jobs, workers, Silent()).results:
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


def run_side(side: str, options: list[str], lesson: object = None) -> Side:
    """One side in a process of its own, timed from start to exit."""
    command = [sys.executable, __file__, side, *options]
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    began, cpu_began = perf_counter(), children_cpu_seconds()
    done = subprocess.run(
        command, input=json.dumps(lesson), env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    seconds, cpu_seconds = perf_counter() - began, children_cpu_seconds() - cpu_began
    return Side([Fit(*fit) for fit in json.loads(done.stdout)], seconds, cpu_seconds)


def children_cpu_seconds() -> float:
    """What the processor spent on all processes that this one has started and seen end."""
    times = os.times()
    return times.children_user + times.children_system


def print_table(ours: Side, theirs: Side) -> None:
    """One line a network, backsight on the left of Keras."""
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


def print_ratios(ours: Side, theirs: Side) -> None:
    """The whole from start to exit, one epoch of each network, and the whole with as many epochs."""
    pairs = [(ours.average(name), theirs.average(name)) for name in ours.names]
    epoch = sum(a.epoch_seconds for a, _ in pairs), sum(b.epoch_seconds for _, b in pairs)
    as_many = theirs.seconds + sum((a.epochs - b.epochs) * b.epoch_seconds for a, b in pairs)
    seeds = len(ours.fits) // len(pairs)
    print(f"\n| seconds | backsight, seeds: {seeds} | Keras, seeds: 1 | ratio |\n|---|---|---|---|")
    for what, a, b in (
        ("the whole, from process start to exit", ours.seconds, theirs.seconds),
        ("the whole, had Keras run as many epochs", ours.seconds, as_many),
        ("the processor's, for the whole", ours.cpu_seconds, theirs.cpu_seconds),
        ("one epoch of each network", *epoch),
    ):
        print(f"| {what} | {a:.2f} | {b:.2f} | {b / a:.1f} |")


def main() -> None:
    """Both sides one after the other, or, in a process that this one started, a single side."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("side", nargs="?", choices=("both", "backsight", "keras"), default="both")
    parser.add_argument("--seeds", type=int, default=1, help="of backsight; Keras always trains one")
    parser.add_argument("--workers", type=int, help="fits at a time of backsight; one a core without it")
    parser.add_argument("--quick", action="store_true", help="three epochs a network, to try this script")
    given = parser.parse_args()
    epochs = 3 if given.quick else 200
    if given.side == "backsight":
        print(json.dumps(train_backsight(epochs, given.seeds, given.workers)))
    elif given.side == "keras":
        path, tasks = json.load(sys.stdin)
        print(json.dumps(train_keras(path, [Task(*task) for task in tasks], epochs)))
    else:
        options = ["--quick"] if given.quick else []
        lesson = lesson_tasks()
        ours = run_side("backsight", [*options, f"--seeds={given.seeds}", *_workers(given.workers)])
        theirs = run_side("keras", options, lesson)
        print_table(ours, theirs)
        print_ratios(ours, theirs)


def _workers(workers: int | None) -> list[str]:
    return [] if workers is None else [f"--workers={workers}"]


if __name__ == "__main__":
    main()
