"""Times one training step of small recurrent networks: backsight, Keras's `fit`, bare PyTorch.

All sides train the same network on the same windows: the lesson's 2,899 training windows of the nine Basel
columns, unscaled, 30 days each; mean squared error, Adam with a learning rate of 0.001, batches of 32, shuffled every
epoch, no validation data (backsight's epoch can't go without: it gets one window). A step's time is the
median epoch after the first, over its 91 steps. Each measurement is a fresh process; sides take turns, round after
round, and the median of the rounds is shown beside their smallest and largest.

- *backsight*: its compiled epoch. *Two seeds*: two models on two threads; time a step and model.
- *Keras*: `fit` as it is by default, on windows copied out beforehand; one seed.
- *PyTorch*: `torch.nn.LSTM` and `Linear` in a plain loop over shuffled batches, gathered from copied windows by index,
  with as many threads as it takes by itself, and with one. The faster one counts. Its LSTM has a second bias, which
  adds nothing and is left out of the number of parameters.

TensorFlow and PyTorch may be installed for other interpreters than this one; a side whose library is not found is
left out.

    python benchmarks/training_step.py [--tensorflow-python PATH] [--torch-python PATH] [--rounds N] [--quick]
"""

import argparse
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from compiled_epoch import LEARNING_RATE, Data, Network, Timed, basel, load_data, per_step, time_epochs

LOOKBACK = 30


@dataclass(frozen=True)
class Side:
    """One way to train.

    Attributes:
        name: in the table.
        library: that its interpreter must have.
        time: trains a network for some epochs.
        environment: that its process gets.
    """

    name: str
    library: str
    time: Callable[[Network, Data, int], Timed]
    environment: dict[str, str]


def time_keras(network: Network, data: Data, epochs: int) -> Timed:
    """Keras's `fit` on the backend that the environment names."""
    import keras

    keras.utils.set_random_seed(0)
    inputs, targets = data.windows(network.lookback)
    make = getattr(keras.layers, network.layer)
    hidden = [make(network.units, return_sequences=place < network.layers) for place in range(1, network.layers + 1)]
    model = keras.Sequential([keras.Input(inputs.shape[1:]), *hidden, keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss="mse")
    ends = [perf_counter()]
    watch = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(perf_counter()))
    model.fit(inputs, targets, network.batch_size, epochs + 1, verbose=0, callbacks=[watch])
    layer = f"{make.__module__}.{make.__name__}"
    return Timed(model.count_params(), layer, per_step(differences(ends), data, network))


def time_torch(network: Network, data: Data, epochs: int, threads: int | None = None) -> Timed:
    """A plain training loop."""
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    torch.manual_seed(0)
    inputs, targets = map(torch.from_numpy, data.windows(network.lookback))
    make = getattr(torch.nn, network.layer)
    recurrent = make(inputs.shape[2], network.units, num_layers=network.layers, batch_first=True)
    head = torch.nn.Linear(network.units, 1)
    weights = [*recurrent.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, LEARNING_RATE)
    loss = torch.nn.MSELoss()
    ends = [perf_counter()]
    for _ in range(epochs + 1):
        for batch in torch.randperm(len(inputs)).split(network.batch_size):
            optimizer.zero_grad()
            outputs, _ = recurrent(inputs[batch])
            loss(head(outputs[:, -1]), targets[batch]).backward()
            optimizer.step()
        ends.append(perf_counter())
    second_biases = sum(w.numel() for name, w in recurrent.named_parameters() if name.startswith("bias_hh"))
    parameters = sum(w.numel() for w in weights) - second_biases
    return Timed(parameters, f"torch.nn.{network.layer}", per_step(differences(ends), data, network))


def differences(ends: list[float]) -> list[float]:
    """Seconds from each time to the next."""
    return [after - before for before, after in pairwise(ends)]


ONE_SEED, TWO_SEEDS = "backsight", "backsight, two seeds on two threads"

SIDES = {
    side.name: side
    for side in (
        Side(ONE_SEED, "backsight", time_epochs, {}),
        Side(TWO_SEEDS, "backsight", lambda n, d, e: time_epochs(n, d, e, models=2, workers=2), {}),
        Side("Keras fit on JAX", "jax", time_keras, {"KERAS_BACKEND": "jax"}),
        Side("Keras fit on TensorFlow", "tensorflow", time_keras, {"KERAS_BACKEND": "tensorflow"}),
        Side("PyTorch, its own number of threads", "torch", time_torch, {}),
        Side("PyTorch, one thread", "torch", lambda n, d, e: time_torch(n, d, e, threads=1), {}),
    )
}

#: What is trained, and by whom: the lesson's stacked LSTM by all, one layer of each kind by Keras on JAX only.
COMPARED = {
    Network("LSTM", 7, layers=2): list(SIDES),
    Network("SimpleRNN", 16): [ONE_SEED, TWO_SEEDS, "Keras fit on JAX"],
    Network("GRU", 16): [ONE_SEED, TWO_SEEDS, "Keras fit on JAX"],
    Network("LSTM", 16): [ONE_SEED, TWO_SEEDS, "Keras fit on JAX"],
}


@dataclass
class Measured:
    """All rounds of one side: each round's median of its epochs, milliseconds."""

    rounds: list[float]
    parameters: int = 0
    layer: str = ""


def has_library(python: str, library: str) -> bool:
    """Whether this interpreter would find the library, which is not imported for that."""
    asking = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({library!r}) is None)"
    return subprocess.run([python, "-c", asking], check=False).returncode == 0


def run_side(side: Side, python: str, network: Network, data: Path, epochs: int) -> Timed:
    """One measurement in a process of its own."""
    task = json.dumps({"side": side.name, "network": asdict(network), "data": str(data), "epochs": epochs})
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "2"} | side.environment
    command = [python, __file__, "--task", task]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Timed(**json.loads(done.stdout))


def carry_out(task: dict[str, Any]) -> None:
    """What a process of `run_side` does."""
    network, data = Network(**task["network"]), load_data(Path(task["data"]))
    print(json.dumps(asdict(SIDES[task["side"]].time(network, data, task["epochs"]))))


def measure(pythons: dict[str, str], rounds: int, epochs: int) -> dict[Network, dict[str, Measured]]:
    """All sides of all networks, by turns.

    Raises:
        SystemExit: two sides don't train the same number of parameters.
    """
    found = {library: has_library(python, library) for library, python in pythons.items()}
    measured: dict[Network, dict[str, Measured]] = {n: defaultdict(lambda: Measured([])) for n in COMPARED}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "windows.npz"
        basel(LOOKBACK).save(path)
        for _ in range(rounds):
            for network, names in COMPARED.items():
                for side in (SIDES[name] for name in names):
                    if found[side.library]:
                        timed = run_side(side, pythons[side.library], network, path, epochs)
                        line = measured[network][side.name]
                        line.rounds.append(median(timed.ms_a_step))
                        line.parameters, line.layer = timed.parameters, timed.layer
    for network, sides in measured.items():
        counts = {name: line.parameters for name, line in sides.items()}
        if len(set(counts.values())) > 1:
            raise SystemExit(f"The sides don't train the same network as {network}: {counts} parameters.")
    return measured


def print_table(network: Network, sides: dict[str, Measured]) -> None:
    """One line a side; ratios to backsight with one seed, and with two side by side."""
    one, two = (median(sides[name].rounds) for name in (ONE_SEED, TWO_SEEDS))
    print(
        f"\n{network} + Dense(1), {sides[ONE_SEED].parameters} parameters; backsight's layer: {sides[ONE_SEED].layer}\n"
    )
    print("| | ms a step and model | min .. max of rounds | times backsight | times backsight, two seeds |")
    print("|---|---|---|---|---|")
    for name, line in sides.items():
        ms = median(line.rounds)
        spread = f"{min(line.rounds):.3f} .. {max(line.rounds):.3f}"
        print(f"| {name} | {ms:.3f} | {spread} | {ms / one:.1f} | {ms / two:.1f} |")


def main() -> None:
    """A table a network, or, in a process that this one started, one measurement."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--tensorflow-python", default=sys.executable, help="interpreter that has TensorFlow and Keras")
    parser.add_argument("--torch-python", default=sys.executable, help="interpreter that has PyTorch")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each side")
    parser.add_argument("--epochs", type=int, default=8, help="timed in each measurement")
    parser.add_argument("--quick", action="store_true", help="one round of two epochs, to try this script")
    parser.add_argument("--task", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.task:
        carry_out(given.task)
        return
    here = sys.executable
    pythons = {"backsight": here, "jax": here, "tensorflow": given.tensorflow_python, "torch": given.torch_python}
    rounds, epochs = (1, 2) if given.quick else (given.rounds, given.epochs)
    for network, sides in measure(pythons, rounds, epochs).items():
        print_table(network, sides)


if __name__ == "__main__":
    main()
