"""Run as a program: a search that kills its own process, as `kill -9` would, after so many trials."""

import os
import signal
import sys
from pathlib import Path

from backsight.runs.progress import Silent
from backsight.runs.search import Search, make_search
from backsight.runs.search_space import make_candidates
from backsight.runs.study import make_study
from backsight.runs.tune import pursue
from conftest import make_toy

MODELS, LOOKBACK, TRIALS = "ridge,trees(trees=5)", (1, 2, 3), 11


def search(*, seed: int = 0, trials: int = TRIALS, models: str = MODELS, seeds: int = 2, series=None) -> Search:
    study = make_study(series or make_toy(), "y", models=models, lookback=LOOKBACK, seeds=seeds, baselines=False)
    return make_search(study, make_candidates(models, LOOKBACK, study.plan), trials=trials, folds=2, seed=seed)


class KillsItself(Silent):
    """Sends itself a signal that nothing can catch."""

    def __init__(self, after: int) -> None:
        self.left = after

    def finished(self, job: str, seed: int) -> None:
        self.left -= 1
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    pursue(search(), Path(sys.argv[1]), workers=1, progress=KillsItself(int(sys.argv[2])))
