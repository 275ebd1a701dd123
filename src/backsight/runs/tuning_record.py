"""A tuning as plain values: what `--json` writes, and what its report is made from."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import optuna
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

from backsight.models.registry import recipe_name
from backsight.runs.estimate import Estimate
from backsight.runs.proposals import quiet
from backsight.runs.record import exam_record, paired_record
from backsight.runs.search import Search
from backsight.runs.search_log import to_optuna
from backsight.runs.search_space import Candidate
from backsight.runs.trial import Trial
from backsight.runs.tune import Tuning
from backsight.series.series import day

Record = dict[str, Any]

#: Finished trials without which nothing is said of which setting mattered.
ENOUGH_TRIALS = 20


def tuning_record(tuning: Tuning) -> Record:
    """A tuning as plain values: data, seconds, interrupted, out_of_time, search, models, and exam (None without one).

    Of each model: how many trials finished and were given up, the `best` one, the best `untuned` one, the
    `importance` of each setting (None of too few trials), and the `gain`: a paired test on the test days of the tuned
    entry against the best untuned one (None where there are not both).
    """
    search = tuning.search
    return {
        "data": search.study.series.name,
        "seconds": round(tuning.seconds, 3),
        "interrupted": tuning.interrupted,
        "out_of_time": tuning.found.out_of_time,
        "search": search_record(search),
        "models": [_model_record(tuning, candidate) for candidate in search.candidates],
        "exam": exam_record(tuning.comparison) if tuning.comparison else None,
    }


def search_record(search: Search) -> Record:
    """What was asked: target, unit, trials of each model, seeds, seed, and the folds."""
    exam, series = search.study.exam, search.study.series
    return {
        "target": exam.target,
        "unit": series.units.get(exam.target, ""),
        "trials": search.trials,
        "seeds": search.study.seeds,
        "seed": search.seed,
        "folds": [
            {
                "train_rows": len(fold.train),
                "first": day(series.times[fold.test.start]),
                "last": day(series.times[fold.test.stop - 1]),
                "days": len(fold.test),
            }
            for fold in search.folds
        ],
    }


def estimate_record(search: Search, estimates: Sequence[Estimate], workers: int) -> Record:
    """How long a search would take, as plain values."""
    return {
        "data": search.study.series.name,
        "search": search_record(search),
        "workers": workers,
        "models": [{**asdict(e), "seconds": round(e.seconds, 1)} for e in estimates],
    }


def importances(candidate: Candidate, trials: Sequence[Trial]) -> dict[str, float] | None:
    """The share of each setting in how much scores differ, by functional analysis of variance; shares add up to 1.

    Returns:
        shares by setting, the largest first; None of fewer than twenty finished trials, or if all scores are the same.

    Source: Hutter, Hoos, Leyton-Brown 2014, ICML 32 (fANOVA); Optuna's implementation.
    """
    scored = [t for t in trials if t.score is not None and math.isfinite(t.score)]
    if len(scored) < ENOUGH_TRIALS or len({t.score for t in scored}) == 1:
        return None
    with quiet():
        study = optuna.create_study()
        study.add_trials([to_optuna(t, candidate) for t in scored])
        return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=0))


def _model_record(tuning: Tuning, candidate: Candidate) -> Record:
    trials = [t for t in tuning.found.trials if t.model == candidate.name]
    best, untuned = tuning.best.get(candidate.name), tuning.untuned.get(candidate.name)
    return {
        "name": candidate.name,
        "finished": sum(not t.pruned for t in trials),
        "pruned": sum(t.pruned for t in trials),
        "best": _trial_record(tuning, candidate, best),
        "untuned": _trial_record(tuning, candidate, untuned),
        "gain": _gain_record(tuning, candidate.name),
        "importance": importances(candidate, trials),
    }


def _gain_record(tuning: Tuning, model: str) -> Record | None:
    gain, found = tuning.gains.get(model), tuning.comparison
    return paired_record(gain, found.judge) if gain and found else None


def _trial_record(tuning: Tuning, candidate: Candidate, trial: Trial | None) -> Record | None:
    if trial is None:
        return None
    return {
        "trial": trial.number + 1,
        "entry": tuning.entry(trial).name,
        "recipe": recipe_name(trial.configuration.recipe),
        "settings": candidate.show(trial.values),
        "changed": candidate.changed(trial.values),
        "rmse": trial.score if trial.score is not None and math.isfinite(trial.score) else None,
        "fits": [[e if math.isfinite(e) else None for e in errors] for errors in trial.rmse],
    }
