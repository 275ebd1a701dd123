"""Measures what is promised of tasks with a known answer, over many seeds; kept in `known_answers.txt`.

- *floors*: models that can reach the best possible error do, and none goes below it.
- *planted*: `backsight memory` finds the lag at which a signal was planted.
- *adding*: GRU and LSTM solve the adding problem over 100 steps, where SimpleRNN stays at chance.

    python benchmarks/known_answers.py [floors] [planted] [adding]

All of it takes about five minutes on two cores. Errors are those of test rows, which nothing was chosen by, except
in *planted*, which looks at validation rows as `backsight memory` does.
"""

import sys
from collections import defaultdict
from collections.abc import Callable
from statistics import fmean
from time import perf_counter

import numpy as np

from backsight.evaluation.exam import Exam
from backsight.evaluation.metrics import rmse
from backsight.runs.compare import examine
from backsight.runs.entry import make_entries
from backsight.runs.memory import profile_study
from backsight.runs.memory_test import memory_test
from backsight.runs.study import Study, choose_recipes
from backsight.series.tasks import (
    Task,
    adding_task,
    autoregressive_task,
    copy_task,
    random_walk_task,
    sine_task,
    weather_task,
    white_noise_task,
)
from backsight.training.plan import Plan
from backsight.windows.split import Split

SEEDS = range(20)

#: Tasks, models that can reach the floor, lookback, and whether the season is read from the calendar.
FLOORS: dict[str, tuple[Callable[[int], Task], str, int, bool]] = {
    "AR(3)": (lambda seed: autoregressive_task(seed=seed), "ridge,gru", 3, False),
    "random walk": (lambda seed: random_walk_task(seed=seed), "persistence,ridge", 1, False),
    "white noise": (lambda seed: white_noise_task(seed=seed), "climatology,gru", 3, False),
    "sine": (lambda seed: sine_task(seed=seed), "ridge,gru", 60, False),
    "weather": (lambda seed: weather_task(seed=seed), "ridge,gru", 3, True),
}

PLANTED_MODELS = "ridge,trees,dense,cnn,rnn,gru,lstm,transformer"
PLANTED_LOOKBACK = 12

ADDING_STEPS, ADDING_SEEDS = 100, 10


def floors() -> None:
    """RMSE over the best possible RMSE of the same test rows."""
    print(f"Test RMSE over the best possible one, {len(SEEDS)} seeds of each task: mean, lowest to highest")
    for name, (make, models, lookback, calendar) in FLOORS.items():
        ratios = defaultdict(list)
        for seed in SEEDS:
            task = make(seed)
            exam = Exam(task.target, 1, Split(*task.parts()))
            entries = make_entries(choose_recipes(models, (), False), [lookback], task.features, calendar)
            plan = Plan(learning_rate=0.003, patience=8)
            found = examine(Study(task.series, exam, tuple(entries), 1, plan))
            floor = task.noise_floor(exam.split.test)
            for fitted in found.fitted:
                rows = fitted.sit(task.series, exam, "test")
                ratios[fitted.entry.name].append(rmse(rows["actual"], rows["predicted"]) / floor)
        for entry, found_ratios in ratios.items():
            error = np.std(found_ratios, ddof=1) / len(found_ratios) ** 0.5
            print(
                f"  {name:12s} {entry:22s} {fmean(found_ratios):.3f} ± {error:.3f} of the mean  "
                f"({min(found_ratios):.3f} to {max(found_ratios):.3f})"
            )


def planted() -> None:
    """The lags that carry 95 % of the skill against the lag of the copy, one seed after another."""
    agreed: dict[str, list[str]] = defaultdict(list)
    hits: dict[str, int] = defaultdict(int)
    plan = Plan(learning_rate=0.005, epochs=60, patience=10)
    for seed in SEEDS:
        lag = 1 + seed % 10
        task = copy_task(2000, seed, lag)
        entries = make_entries(choose_recipes(PLANTED_MODELS, (), False), [PLANTED_LOOKBACK], task.features)
        study = Study(task.series, Exam(task.target, 1, Split(*task.parts())), tuple(entries), 1, plan)
        for one in profile_study(study).entries:
            agreed[one.entry.name].append(f"{lag}:{one.carrying if one.carrying is not None else '-'}")
            hits[one.entry.name] += one.carrying is not None and abs(one.carrying - lag) <= 1
    print(f"Planted lag : lags that carry 95 % of the skill, of {PLANTED_LOOKBACK} (- where no skill was learnt)")
    for entry, pairs in agreed.items():
        print(f"  {entry:15s} {hits[entry]} of {len(pairs)} within one step: {' '.join(pairs)}")


def adding() -> None:
    """Test MSE on the adding problem, every seed, at several learning rates and scales of the inputs."""
    chance = adding_task(10, 0, ADDING_STEPS).chance ** 2
    print(f"Adding over {ADDING_STEPS} steps, test MSE of {ADDING_SEEDS} seeds (chance {chance:.4f}, solved < 0.01)")
    for scale, rate in (("none", 0.01), ("none", 0.005), ("none", 0.001), ("standard", 0.002)):
        plan = Plan(learning_rate=rate, epochs=30, patience=10)
        found = memory_test("adding", [ADDING_STEPS], "rnn,lstm,gru", seeds=ADDING_SEEDS, plan=plan, scale=scale)
        told = "as they are" if scale == "none" else "standardised"
        print(f"  inputs and target {told}, learning rate {rate}:")
        for answer in found.answers:
            errors = " ".join(f"{error:.4f}" for error in answer.mse)
            print(f"    {answer.model:5s} {errors}   solved by {sum(e < 0.01 for e in answer.mse)}", flush=True)


def main() -> None:
    """Measure what was named, or everything."""
    parts = {"floors": floors, "planted": planted, "adding": adding}
    for name in sys.argv[1:] or parts:
        began = perf_counter()
        parts[name]()
        print(f"  ({perf_counter() - began:.0f} s)\n", flush=True)


if __name__ == "__main__":
    main()
