"""How often differences are announced that are none: every statement of the judge, on cases where nothing differs.

    python benchmarks/levels.py [--cases N] [--quick]

Four kinds of cases; in each of them every announcement is a mistake.

- *Pairs*: two forecasts with equal expected error, one to 24 steps ahead, on a year of days and on the shortest exam
  that is allowed any claim (five horizons). Errors of overlapping windows share their shocks, and what each forecast
  adds to the best possible one wanders slowly. Counted: `Paired.differ`.
- *Entries against a baseline*: ten such forecasts and an eleventh as baseline. Counted: exams in which any of the ten
  is called better, or behind.
- *Copies*: eight trainings of one network that differ in nothing but their seed. Counted: exams in which one of them
  is tied with none (a "winner").
- *No signal*: white noise and random walks, with ridge, trees and two networks. Counted: exams in which anything is
  called better than the baseline, or a network better than the floor.
"""

import argparse
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter

import numpy as np
import pandas as pd

from backsight.evaluation.exam import Exam
from backsight.evaluation.judge import Judge
from backsight.evaluation.significance import paired_test
from backsight.evaluation.verdicts import give_verdicts
from backsight.runs.compare import examine
from backsight.runs.entry import Entry
from backsight.runs.fit import fit_entry
from backsight.runs.jobs import cores
from backsight.runs.study import Study, choose_recipes, make_entries
from backsight.series.generated import autoregressive, random_walk, white_noise
from backsight.series.series import Series
from backsight.training.plan import Plan
from backsight.windows.split import split_by_fractions

#: Horizon and windows of the simulated exams: a year of days, and five horizons.
EXAMS = ((1, 365), (6, 365), (24, 365), (1, 30), (6, 60), (6, 30), (24, 240), (24, 120))
#: Short trainings: what is tested is the judge.
PLAN = Plan(epochs=30, patience=5)


def equal_losses(horizon: int, windows: int, entries: int, rng: np.random.Generator) -> pd.DataFrame:
    """Losses of forecasts of one expected error: the best possible forecast of an AR(1), and a slow deviation each.

    Args:
        horizon: leads of a window; windows follow each other at every step.
        windows: how many.
        entries: how many forecasts.
        rng: source of all noise.

    Returns:
        shape (windows, entries), mean squared error over leads.
    """
    shocks = rng.standard_normal(windows + horizon)
    errors = np.zeros((windows, horizon))
    error = np.zeros(windows)
    for lead in range(horizon):
        error = 0.8 * error + shocks[lead : lead + windows]
        errors[:, lead] = error
    noise = rng.standard_normal((windows + 20, entries))
    deviations = np.zeros_like(noise)
    for t in range(1, len(noise)):
        deviations[t] = 0.5 * deviations[t - 1] + noise[t]
    losses = ((errors[:, :, None] + deviations[20:, None, :]) ** 2).mean(axis=1)
    return pd.DataFrame(losses, columns=[f"entry_{i}" for i in range(entries)])


def pair_differs(horizon: int, windows: int, rng: np.random.Generator) -> bool:
    """Whether two equal forecasts are called different."""
    losses = equal_losses(horizon, windows, 2, rng)
    return paired_test(losses, "entry_0", "entry_1", overlap=horizon).differ


def baseline_is_beaten(horizon: int, windows: int, rng: np.random.Generator) -> bool:
    """Whether any of ten forecasts is called better than an equal baseline, or behind it."""
    losses = equal_losses(horizon, windows, 11, rng)
    enough = lambda one, other: paired_test(losses, one, other, overlap=horizon).enough
    found = give_verdicts(losses, None, "entry_0", enough, overlap=horizon)
    return any(verdict.label in ("better", "behind") for verdict in found.values())


def exam_of(series: Series) -> Exam:
    """One step ahead, half of the rows to learn from and a quarter for each other part."""
    return Exam("y", 1, split_by_fractions(len(series), (0.5, 0.25, 0.25)))


def copy_wins(model: str, rng: np.random.Generator) -> bool:
    """Whether one of eight copies of a network is tied with none."""
    series = autoregressive(600, seed=int(rng.integers(2**31)))
    exam, (recipe,) = exam_of(series), choose_recipes(model, (), baselines=False)
    seeds = [int(seed) for seed in rng.integers(2**31, size=8)]
    fitted = fit_entry(series, exam, Entry(model, recipe, 3, ("y",)), PLAN, "standard", seeds, lambda *_: None)
    rows = [f.sit(series, exam, "validation").assign(entry=f"copy_{i}", seed=0) for i, f in enumerate(fitted)]
    return list(Judge(pd.concat(rows)).groups.values()).count(1) == 1


def noise_is_beaten(make: Callable[[int, int], Series], rng: np.random.Generator) -> bool:
    """Whether a model is called better than the baseline, or a network than the floor, with nothing to find."""
    series = make(600, int(rng.integers(2**31)))
    recipes = choose_recipes("dense(units=8),rnn(units=8)", (), baselines=True)
    found = examine(Study(series, exam_of(series), tuple(make_entries(recipes, [3], ("y",))), 2, PLAN), workers=1)
    better = found.leaderboard.set_index("entry")["verdict"]
    networks = [name for name in better.index if name not in found.judge.simple]
    return bool((better == "better").any() or better[networks].isin(["tied", "behind"]).any())


def cases(count: int) -> Iterator[np.random.Generator]:
    """A generator of random numbers for each case."""
    return map(np.random.default_rng, np.random.SeedSequence(0).spawn(count))


def share(count: int, case: Callable[[np.random.Generator], bool], title: str, allowed: float) -> bool:
    """Print a line of the table; returns whether mistakes are as rare as they must be."""
    began = perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        mistakes = sum(pool.map(case, cases(count)))
    found = mistakes / count
    print(f"| {title} | {count:,} | {found:.1%} | {allowed:.0%} | {perf_counter() - began:.0f} |", flush=True)
    return found <= allowed


def main() -> None:
    """One table; ends with an error if mistakes are more frequent than they may be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--cases", type=int, default=1000, help="simulated exams of each kind")
    parser.add_argument("--trained", type=int, default=200, help="exams of each kind for which models are trained")
    parser.add_argument("--quick", action="store_true", help="a few of each, to try this script")
    given = parser.parse_args()
    simulated, trained = (20, 4) if given.quick else (given.cases, given.trained)
    print("| nothing differs, and yet | cases | announced | allowed | s |\n|---|---|---|---|---|")
    kept = [
        share(simulated, partial(pair_differs, h, n), f"two equal forecasts, {h} ahead, {n} windows: different", 0.10)
        for h, n in EXAMS
    ]
    kept += [
        share(
            simulated // 3,
            partial(baseline_is_beaten, h, n),
            f"ten equal to a baseline, {h} ahead, {n} windows: any",
            0.10,
        )
        for h, n in EXAMS
    ]
    kept += [
        share(trained, partial(copy_wins, model), f"eight copies of {model}: a winner", 0.05)
        for model in ("dense(units=8)", "rnn(units=8)")
    ]
    kept += [
        share(trained, partial(noise_is_beaten, make), f"{name}: better than baseline or floor", 0.05)
        for name, make in (("white noise", white_noise), ("random walk", random_walk))
    ]
    if not all(kept):
        raise SystemExit("Differences are announced more often than they may be.")


if __name__ == "__main__":
    main()
