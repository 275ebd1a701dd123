"""Runs that are killed again and again, as by `kill -9`, and go on with one command each time.

    python tests/killed_runs.py --kills 200

Every process of a run is a fork of one that has loaded pandas and the like, but neither Keras nor JAX: it differs
from a new one in that it begins sooner.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import sklearn.ensemble  # noqa: F401

from backsight.cli.main import main
from backsight.report import output, plots  # noqa: F401
from backsight.runs import packed  # noqa: F401

ASKED = ["compare", "seattle", "--target", "temp_max", "--rows", "300", "--lookback", "3", "--seeds", "2"]
ASKED += ["--models", "ridge,lstm(units=3)", "--epochs", "60", "--patience", "60"]
RESULTS = ("leaderboard.csv", "forecasts.csv", "histories.csv")


def begin(arguments: list[str]) -> int:
    """Start the program in a process of its own; returns that."""
    child = os.fork()
    if child == 0:
        with redirect_stdout(StringIO()):
            code = main(arguments)
        os._exit(code)
    return child


def compile_first(folder: Path) -> None:
    """The run in a process that ends as usual, and so leaves what it has compiled to those that do not."""
    subprocess.run(
        [sys.executable, "-m", "backsight.cli.main", *ASKED, "--out", str(folder)],
        stdout=subprocess.DEVNULL,
        check=True,
    )


def end(child: int) -> int:
    """Wait for a process; returns its exit code, or the signal that killed it, below 0."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def whole(folder: Path) -> tuple[dict[str, bytes], float]:
    """The results of a run that nothing disturbs, and how many seconds it takes."""
    began = time.monotonic()
    assert end(begin([*ASKED, "--out", str(folder)])) == 0
    return results(folder), time.monotonic() - began


def killed(folder: Path, kills: int, seconds: float, rng: random.Random) -> int:
    """A run that is killed at so many moments, and then let go on to its end; returns how many of them met it alive."""
    met = 0
    for _ in range(kills):
        child = begin(go_on(folder))
        time.sleep(rng.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        code = end(child)
        assert code in (0, -signal.SIGKILL), f"ended with {code}"
        met += code != 0
    assert end(begin(go_on(folder))) == 0, "did not go on"
    return met


def go_on(folder: Path) -> list[str]:
    """The one command that goes on; before a run has said what it is, that is the one that begins it."""
    return ["resume", str(folder)] if (folder / "run.json").exists() else [*ASKED, "--out", str(folder)]


def try_kills(kills: int, each: int, seed: int, home: Path) -> int:
    """Kill runs so often, each of them up to `each` times; returns how many kills met a process alive.

    Raises:
        AssertionError: a run did not go on, or ended in other bytes.
    """
    rng = random.Random(seed)
    compile_first(home / "first")
    expected, seconds = whole(home / "whole")
    met = runs = 0
    while met < kills:
        folder = home / f"run{runs}"
        met += killed(folder, min(each, kills - met), seconds, rng)
        found = results(folder)
        assert [name for name in RESULTS if found[name] != expected[name]] == [], f"{folder.name} ended in other bytes"
        runs += 1
    print(f"{met} kills of {runs} runs, {seconds:.1f} s each undisturbed: all ended in the same bytes")
    return met


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--each", type=int, default=5, help="kills of one run, at most")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with TemporaryDirectory() as folder:
        try_kills(asked.kills, asked.each, asked.seed, Path(folder))
    sys.exit(0)
