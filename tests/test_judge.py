"""What the judge makes of forecasts: ensembles, groups, verdicts, parrots. Forecasts are planted, nothing is fitted."""

from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from backsight.evaluation.ensemble import ENSEMBLE, with_ensembles
from backsight.evaluation.judge import Judge
from backsight.evaluation.metrics import rmse
from backsight.evaluation.verdicts import find_parrot
from backsight.report.sentences import pair_sentence
from backsight.series.generated import autoregressive, random_walk, white_noise

STEPS = 600


def sit(entry, predicted, actual, seed=0, part="test"):
    """Forecasts rows one step ahead of one entry, seed and part: half of the steps are validation."""
    rows = np.arange(1, STEPS // 2) if part == "validation" else np.arange(STEPS // 2, STEPS)
    return pd.DataFrame(
        {
            "entry": entry, "seed": seed, "part": part, "origin": rows - 1, "lead": 1, "time": rows,
            "actual": actual[rows], "predicted": predicted[rows],
        }
    )  # fmt: skip


def exam(actual, **entries):
    """Both parts of several entries; an entry is its forecasts, or a list of them, one a seed."""
    tables = [
        sit(name, of_seed, actual, seed, part)
        for name, predicted in entries.items()
        for seed, of_seed in enumerate(predicted if isinstance(predicted, list) else [predicted])
        for part in ("validation", "test")
    ]
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def actual():
    return np.random.default_rng(0).standard_normal(STEPS)


def off(actual, size, seed):
    """Forecasts with errors of this size."""
    return actual + size * np.random.default_rng(seed).standard_normal(STEPS)


def test_an_ensemble_is_the_mean_of_its_seeds(actual):
    seeds = [off(actual, 1.0, seed) for seed in (1, 2, 3)]
    rows = with_ensembles(exam(actual, net=seeds, line=seeds[0]))
    assert list(dict.fromkeys(rows["entry"])) == ["net", "net" + ENSEMBLE, "line"]
    judge = Judge(rows)
    test = slice(STEPS // 2, STEPS)
    scored = judge.scores.set_index("entry").loc["net" + ENSEMBLE, "test_rmse"]
    assert scored == pytest.approx(rmse(actual[test], np.mean(seeds, axis=0)[test]))
    board = judge.leaderboard.set_index("entry")
    assert board.loc["net" + ENSEMBLE, "test_rmse"] < 0.7 * board.loc["net", "test_rmse"]


def test_a_forecast_that_one_seed_lacks_is_lacking_in_the_ensemble(actual):
    broken = off(actual, 1.0, 2)
    broken[5] = np.nan
    board = Judge(with_ensembles(exam(actual, net=[off(actual, 1.0, 1), broken], line=actual))).leaderboard
    failed = board.set_index("entry")["failed"]
    assert failed["net"] == 1
    assert failed["net" + ENSEMBLE] == 1
    assert failed["line"] == 0
    assert list(board["entry"])[-1] != "line"


def test_every_verdict(actual):
    entries = {
        "climate": off(actual, 2.0, 1),
        "ridge": off(actual, 1.0, 2),
        "twin": off(actual, 1.0, 3),
        "lstm": off(actual, 0.5, 4),
        "gru": off(actual, 1.4, 5),
        "rnn": off(actual, 2.05, 6),
    }
    judge = Judge(exam(actual, **entries), floors=["climate"], simple=["climate", "ridge"])
    labels = {name: verdict.label for name, verdict in judge.verdicts.items()}
    assert labels == {
        "climate": "floor", "ridge": "baseline", "twin": "tied", "lstm": "better", "gru": "behind", "rnn": "no better",
    }  # fmt: skip
    board = judge.leaderboard.set_index("entry")
    assert board.loc["lstm", "against"] == "ridge"
    assert board.loc["rnn", "against"] == "climate"
    assert board.loc["ridge", "test_skill"] == 0
    assert board.loc["lstm", "test_skill"] == pytest.approx(0.75, abs=0.06), "half the error is a quarter of its square"
    assert list(judge.leaderboard["group"]) == sorted(judge.leaderboard["group"])
    assert board.loc["lstm", "group"] == 1 < board.loc["ridge", "group"] == board.loc["twin", "group"]


def test_a_lucky_seed_is_not_better(actual):
    """Eight seeds of which one shines, and a baseline that is as good as their mean."""
    seeds = [off(actual, 0.4 if seed == 0 else 1.35, 10 + seed) for seed in range(8)]
    judge = Judge(exam(actual, net=seeds, line=off(actual, 1.3, 1)), simple=["line"])
    assert judge.verdicts["net"].label == "tied"


def test_that_nothing_is_gained_needs_proof(actual):
    """What is behind, or the same but for a trace, gains nothing; what is tied since nobody can tell is left open."""
    line = off(actual, 1.0, 2)
    entries = {
        "line": line,
        "trace": line + 0.001 * off(np.zeros_like(actual), 1.0, 9),
        "tied": off(actual, 1.0, 3),
        "worse": off(actual, 1.4, 5),
        "better": off(actual, 0.5, 4),
        "swings": [off(actual, 0.6 if seed else 2.4, 20 + seed) for seed in range(3)],
    }
    judge = Judge(exam(actual, **entries), simple=["line"])
    assert judge.no_gain == {"trace", "worse"}
    assert judge.verdicts["tied"].label == judge.verdicts["trace"].label == "tied"
    assert Judge(exam(actual, **entries)).no_gain == frozenset()
    assert Judge(exam(actual, **entries).query("part == 'validation'"), simple=["line"]).no_gain == frozenset()


def test_the_best_baseline_is_chosen_on_validation(actual):
    """`late` is best on test alone."""
    early, late = off(actual, 1.0, 1), off(actual, 1.0, 2)
    early[STEPS // 2 :] += 3
    late[: STEPS // 2] += 3
    judge = Judge(exam(actual, early=early, late=late), simple=["early", "late"])
    assert judge.baseline == "early"
    assert judge.leaderboard["entry"].iloc[0] == "early"


def test_sealed_test_days_give_no_verdict(actual):
    sealed = exam(actual, a=off(actual, 1, 1), b=off(actual, 2, 2)).query("part == 'validation'")
    judge = Judge(sealed, simple=["b"])
    assert judge.verdicts == {}
    assert judge.leaderboard["test_rmse"].isna().all()
    assert judge.paired("a", "b", part="validation").differ


def test_too_few_windows(actual):
    rows = exam(actual, a=off(actual, 0.1, 1), b=off(actual, 5, 2))
    short = pd.concat([of_part.head(9) for _, of_part in rows.groupby(["entry", "part"])])
    assert Judge(short, simple=["b"]).verdicts["a"].label == "too few windows"


def repeats(series, predicted):
    actual = series.column("y")
    found = find_parrot(sit("x", predicted, actual), pd.Series(actual))
    return found is not None and found.repeats


@pytest.mark.parametrize("seed", range(3))
def test_a_parrot_is_told_from_a_forecaster(seed):
    """Copying yesterday; the best forecast of an AR(1), which is yesterday scaled; and a constant for noise."""
    for make in (random_walk, white_noise):
        series = make(STEPS, seed)
        y = series.column("y")
        jitter = 0.05 * np.random.default_rng([seed, 1]).standard_normal(STEPS)
        assert repeats(series, np.roll(y, 1) + jitter)
    series = autoregressive(STEPS, seed, phi=0.5)
    assert not repeats(series, 0.5 * np.roll(series.column("y"), 1))
    assert not repeats(white_noise(STEPS, seed), np.zeros(STEPS))


@pytest.mark.parametrize("copies_on", ["validation", "test"])
def test_parrots_are_looked_for_on_the_days_of_the_verdicts(copies_on):
    """What a verdict finds better than the last value is not warned of, whatever it did on the days before."""
    y = random_walk(STEPS, 0).column("y")
    yesterday = np.roll(y, 1)
    half = np.arange(STEPS) < STEPS // 2
    predicted = np.where(half == (copies_on == "validation"), yesterday, yesterday + 0.5 * (y - yesterday))
    judge = Judge(exam(y, x=predicted, persistence=yesterday), floors=["persistence"], simple=["persistence"])
    assert judge.parrots["x"].repeats is (copies_on == "test")
    assert (judge.verdicts["x"].label == "no better") is (copies_on == "test")


def test_sentences_of_pairs_fit_what_they_tell(actual):
    """The same forecasts, a constant gap, a difference that seeds could undo, too few windows."""

    def said(judge, first, second):
        return pair_sentence({**asdict(found := judge.paired(first, second)), **more(found)}, " h")

    def more(found):
        low = None if np.isnan(found.low) else found.low
        return {"low": low, "differ": found.differ, "seeds_undo": found.seeds_undo}

    same = off(actual, 1.0, 1)
    judge = Judge(exam(actual, a=same, twin=same, net=[off(actual, 0.1, 2), off(actual, 1.1, 3)]))
    assert "make the same forecasts" in said(judge, "a", "twin")
    assert "other seeds could undo it" in said(judge, "net", "a")
    off_by_one = Judge(exam(np.zeros(STEPS), a=np.full(STEPS, 1.0), b=np.full(STEPS, 2.0)))
    assert "nothing to test" in said(off_by_one, "a", "b")
    few = pd.concat([rows.head(9) for _, rows in judge.forecasts.groupby(["entry", "seed", "part"])])
    assert "too few test windows" in said(Judge(few), "net", "a")
