"""What a fit costs through each backend, beside the fit itself, and what that makes of a large study.

    python benchmarks/backends.py            # minutes

The same study by threads, processes, Dask and Ray, two workers each: seconds in all, the seconds that the fits
themselves took, and what is left over: beginning (workers load their libraries and compile) and handing to and fro.
Networks are compiled once a worker, so a larger study pays for that once.
"""

import argparse
import os
from time import perf_counter

os.environ["BACKSIGHT_STATE"] = ""

import backsight
from backsight.runs.compare import examine
from backsight.runs.pools import Backend, BackendName
from backsight.runs.study import make_study
from backsight.training.plan import Plan

BACKENDS: tuple[BackendName, ...] = ("threads", "processes", "dask", "ray")
WORKERS = 2
#: Fits of the study that the last column is about.
LARGE = 100_000


def measure(backend: BackendName, models: str, seeds: int) -> tuple[int, float, float]:
    """Number of fits, seconds in all, and seconds of the fits themselves, summed."""
    series = backsight.load("seattle")
    study = make_study(
        series,
        "temp_max",
        models=models,
        lookback=[30],
        seeds=seeds,
        plan=Plan(epochs=60, patience=60),
        baselines=False,
    )
    began = perf_counter()
    found = examine(study, WORKERS, backend=Backend(backend))
    return len(found.fitted), perf_counter() - began, sum(one.seconds for one in found.fitted)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60)
    seeds = parser.parse_args().seeds
    models = "lstm(units=32)"
    measure("threads", models, 2)  # compiles, for all that follow
    print(f"{models}, lookback 30, 60 epochs, seattle; {WORKERS} workers; s")
    print(
        "backend     fits   in all   fits themselves   a fit more   100,000 fits, hours on 1 / 10 machines of 2 cores"
    )
    for backend in BACKENDS:
        few, many = (measure(backend, models, count) for count in (seeds // 3, seeds))
        more = (many[1] - few[1]) / (many[0] - few[0])  # what beginning takes is in both
        hours = more * LARGE / 3600
        print(f"{backend:10} {many[0]:5} {many[1]:8.1f} {many[2]:17.1f} {more:12.3f}   {hours:.1f} / {hours / 10:.2f}")
