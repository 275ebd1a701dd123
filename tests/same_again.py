"""Run as a program: one comparison of every recipe, its forecasts hashed. Law 8 compares the hashes."""

import sys
from hashlib import sha256

from backsight.models.registry import RECIPES
from backsight.runs.compare import compare
from backsight.runs.comparison import Comparison
from backsight.training.plan import Plan
from conftest import HORIZON, LOOKBACK, make_toy


def comparison(workers: int) -> Comparison:
    return compare(
        make_toy(), "y", models=list(RECIPES), lookback=[LOOKBACK], horizon=HORIZON, seeds=2,
        plan=Plan(epochs=2, batch_size=16), baselines=False, workers=workers,
    )  # fmt: skip


def digest(found: Comparison) -> str:
    return sha256(found.forecasts.to_csv().encode()).hexdigest()


if __name__ == "__main__":
    print(digest(comparison(int(sys.argv[1]))))
