"""What Optuna proposes, and what it calls hopeless."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isfinite

import numpy as np
import optuna
from optuna.pruners import PercentilePruner
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from backsight.runs.search_space import Candidate
from backsight.runs.trial import LOOK_EVERY, Trial

#: Trials that are drawn at random, the untuned ones among them, before Optuna learns from what came of them.
RANDOM = 10
#: A trial is given up if, at the same epoch, more than so many per cent of the finished ones were better.
WORST = 75.0
#: Epochs after which that is asked for the first time.
WARM_UP = 2 * LOOK_EVERY
#: Finished trials without which nobody is called hopeless: in all, and at the same epoch.
FINISHED, AT_EPOCH = 5, 3


def start_study(candidate: Candidate) -> optuna.Study:
    """Optuna's study of a model, in memory, with the untuned model waiting at every lookback."""
    pruner = PercentilePruner(WORST, n_startup_trials=FINISHED, n_warmup_steps=WARM_UP, n_min_trials=AT_EPOCH)
    study = optuna.create_study(study_name=candidate.name, pruner=pruner)
    for values in candidate.starts:
        study.enqueue_trial(values)
    return study


def ask(study: optuna.Study, candidate: Candidate, seed: int, number: int) -> optuna.Trial:
    """The next trial: its values depend on the seed, its number, and what came of earlier rounds."""
    # A sampler for each, so that nothing depends on how many this process has asked for before.
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    study.sampler = TPESampler(n_startup_trials=RANDOM, seed=own)
    return study.ask(candidate.space)


def tell(study: optuna.Study, asked: optuna.Trial, trial: Trial) -> None:
    """Let Optuna know what came of a trial."""
    for epoch, best in trial.looks:
        if isfinite(best):
            asked.report(best, epoch)
    study.tell(asked, trial.score, TrialState.PRUNED if trial.pruned else TrialState.COMPLETE)


def is_hopeless(study: optuna.Study, looks: Mapping[int, float]) -> bool:
    """Whether most finished trials were better at the last of these epochs than this one has been up to it."""
    running = create_trial(state=TrialState.RUNNING, intermediate_values=dict(looks))
    return study.pruner.prune(study, running)


@contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's notes of every trial; its level of notes belongs to the whole process and is put back."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
