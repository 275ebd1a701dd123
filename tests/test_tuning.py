"""Tuning: what may be chosen, that only earlier days choose, that seeds are averaged, and that a kill costs nothing."""

import json
import signal
import subprocess
import sys
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from statistics import fmean

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution

from backsight.cli import screen
from backsight.cli.main import main
from backsight.errors import RecipeError, SettingError, WindowError
from backsight.models.recipe import Recipe
from backsight.models.registry import FAMILIES, RECIPES, as_recipe
from backsight.runs import search as searching
from backsight.runs import trial as trials
from backsight.runs.compare import examine
from backsight.runs.entry import Entry
from backsight.runs.fit import fit_entry
from backsight.runs.folder import LEDGER, UNFINISHED
from backsight.runs.ledger import append_record, read_records
from backsight.runs.model_file import load_model
from backsight.runs.progress import Silent
from backsight.runs.saved import STUDY_FILE, read_study, run_record
from backsight.runs.search import carry_out_search, make_search
from backsight.runs.search_log import JOURNAL, open_journal
from backsight.runs.search_space import SPACES, Candidate, Configuration, make_candidates
from backsight.runs.study import make_study
from backsight.runs.trial import Trial
from backsight.runs.trial_fits import FITS
from backsight.runs.tune import pursue, tune
from backsight.runs.tuning_record import importances
from backsight.series.generated import lagged_copy
from backsight.series.source import Source
from backsight.training.plan import Plan
from conftest import make_toy, poisoned
from killed_search import KillsItself, search
from laws import ConstantForecaster

HERE = Path(__file__).parent
ODD = ["dense(units=64,layers=3)", "transformer(units=20,heads=5)", "lstm(units=200,dropout=0.613)", "ridge(penalty=3)"]


def outcome(trials):
    """What trials found, without the time that they took."""
    return [replace(trial, seconds=0.0) for trial in trials]


def run(asked, **options):
    return carry_out_search(asked, [], lambda trial: None, **options)


@cache
def undisturbed():
    """Two models, two rounds, from begin to end."""
    return outcome(run(search()).trials)


def test_every_family_says_what_can_be_tuned():
    assert set(SPACES) == set(FAMILIES)


@pytest.mark.parametrize("model", [*(n for n in RECIPES if n not in ("persistence", "seasonal")), *ODD])
def test_the_untuned_model_is_a_choice_and_every_choice_is_a_model(model):
    """The first proposals are the untuned model itself; a hundred others are all fit to be built."""
    plan = Plan(learning_rate=0.2, batch_size=20)  # outside the usual ranges
    tunable = as_recipe(model)  # a recipe, so that nothing is kept
    candidate = make_candidates([tunable], [3, 5], plan)[0]
    assert [candidate.configure(values) for values in candidate.starts] == [
        Configuration(tunable, plan, lookback) for lookback in ([3, 5] if tunable.reads_window else [1])
    ]
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for values in candidate.starts:
        study.enqueue_trial(values)
    asked = [study.ask(candidate.space).params for _ in range(100)]
    assert asked[: len(candidate.starts)] == list(candidate.starts)
    recipes = {candidate.configure(values).recipe for values in asked}
    assert len(recipes) > 4
    assert {type(recipe) for recipe in recipes} == {type(tunable)}


def test_what_is_written_in_brackets_stays():
    candidate = make_candidates("lstm(units=7,dropout=0.1)", [3, 5], Plan())[0]
    assert not {"units", "dropout"} & set(candidate.space)
    assert candidate.recipe == as_recipe("lstm(units=7,dropout=0.1)")
    with pytest.raises(RecipeError, match="no setting left to tune"):
        make_candidates("ridge(penalty=3)", [3, 5], Plan())


def test_what_can_not_be_tuned_is_refused():
    for models, message in (
        ("persistence", "no setting left to tune"),
        ("lstm,lstm(layers=2),lstm", "lstm is to be tuned twice"),
        ("", "No model to tune"),
        ("lstm(unit=7)", "no setting 'unit'"),
    ):
        with pytest.raises(RecipeError, match=message):
            make_candidates(models, [3], Plan())
    with pytest.raises(SettingError, match="3 trials would try ridge untuned and nothing else"):
        search(trials=3)
    with pytest.raises(SettingError, match="0 or more; -1"):
        search(seed=-1)
    with pytest.raises(WindowError, match=r"lookback of 95 leaves the first fold no training window"):
        tune(make_toy(), "y", models="ridge", lookback=[3, 95], trials=5)


def test_trials_see_nothing_after_the_validation_part():
    asked = search()
    split = asked.study.exam.split
    assert len(asked.conditions.series) == split.validation.stop
    assert all(max(fold.test) < split.test.start for fold in asked.folds)
    assert asked.folds[-1].test == split.validation


def test_poisoned_test_days_change_no_trial():
    """Nor the identity of the search: what is never read can't make it another one."""
    clean = search()
    spoilt = search(series=poisoned(make_toy(), clean.study.exam.split.test.start))
    assert outcome(run(spoilt).trials) == undisturbed()
    assert searching.identify(spoilt) == searching.identify(clean)
    # Planted: one value of the validation part is another.
    changed = search(series=poisoned(make_toy(), clean.study.exam.split.test.start - 1, 99.0))
    assert outcome(run(changed).trials) != undisturbed()
    assert searching.identify(changed)["data"] != searching.identify(clean)["data"]


def test_workers_neighbours_and_more_trials_change_no_trial():
    assert outcome(run(search(), workers=3).trials) == undisturbed()
    alone = outcome(run(search(models="ridge"), workers=1).trials)
    assert alone == [trial for trial in undisturbed() if trial.model == "ridge"]
    more = outcome(run(search(trials=14)).trials)
    assert [trial for trial in more if trial.number < 11] == undisturbed()
    assert outcome(run(search(seed=1)).trials) != undisturbed()


def test_a_score_is_the_mean_over_folds_and_seeds_and_the_same_as_by_hand():
    asked = search()
    trial = next(t for t in undisturbed() if t.model == "trees(trees=5)" and t.number > 3)
    entry = Entry("x", trial.configuration.recipe, trial.configuration.lookback, ("y", "a", "b"))
    by_hand = []
    for fold in asked.folds:
        exam = replace(asked.study.exam, split=fold)
        fits = fit_entry(asked.study.series, exam, entry, Plan(), "standard", [0, 1], lambda seed, done: None)
        rows = [fit.sit(asked.study.series, exam, "test") for fit in fits]
        by_hand.append(tuple(np.sqrt(np.mean((r["actual"] - r["predicted"]) ** 2)) for r in rows))
        assert set(rows[0]["time"]) == set(asked.study.series.times[fold.test.start : fold.test.stop])
    np.testing.assert_allclose(trial.rmse, by_hand, rtol=1e-12)
    assert trial.score == pytest.approx(np.mean(by_hand))
    assert trial.score > np.min(by_hand)


def test_a_lucky_seed_is_not_chosen():
    """One choice has a seed that is right and two that are far off, the other is a little off with all of them."""

    class Lottery(Recipe):
        family, random = "lottery", True

        def __init__(self, risky):
            self.risky = risky

        def fit(self, learn, check, plan, seed, on_epoch=None):
            return ConstantForecaster(10 + ((0.0, 9.0, 9.0)[seed] if self.risky else 2.0))

    class Lotteries(Candidate):
        def configure(self, values):
            return Configuration(Lottery(values["risky"]), self.plan, 1)

    space = {"risky": CategoricalDistribution([False, True])}
    lotteries = Lotteries("lottery", Lottery(False), Plan(), space, ({"risky": False},))
    study = make_study(make_toy(), "y", models="ridge", lookback=[1], seeds=3, baselines=False)
    trials = run(make_search(study, [lotteries], trials=8, folds=2)).trials
    risky, safe = (next(t for t in trials if t.values["risky"] is kind) for kind in (True, False))
    assert min(map(min, risky.rmse)) < min(map(min, safe.rmse)), "the lucky seed would have won"
    assert risky.score > safe.score


def test_a_planted_lag_is_found():
    """y copies x five steps back: no lookback below five knows anything."""
    plan = Plan(epochs=25, batch_size=16, learning_rate=0.005)
    found = tune(
        lagged_copy(300, seed=0, lag=5), "y", models="ridge,dense(units=16,dropout=0,activation=tanh)",
        lookback=range(2, 9), trials=9, folds=1, seeds=1, plan=plan, baselines=False,
    )  # fmt: skip
    assert set(found.best) == {"ridge", "dense(units=16,activation=tanh)"}
    assert all(trial.configuration.lookback >= 5 for trial in found.best.values())
    done = found.trials[found.trials["state"] != "pruned"]
    assert done[done["lookback"] < 5]["rmse"].min() > 0.8 > 0.5 > found.best["ridge"].score
    # The winners sat the exam beside the untuned ones.
    names = [entry.name for entry in found.comparison.entries]
    assert {entry.name for entry in found.entries.values()} <= set(names)
    assert {f"ridge_{n}" for n in range(2, 9)} <= set(names)
    # What was gained is tested in pairs, for the models that were changed at all.
    changed = {model for model, entry in found.entries.items() if entry.name.endswith(" tuned")}
    assert set(found.gains) == changed
    assert all(gain.first == found.entries[model].name for model, gain in found.gains.items())


def test_hopeless_trials_are_given_up_after_a_few_epochs():
    plan = Plan(epochs=40, batch_size=32, learning_rate=0.003, patience=40)
    study = make_study(make_toy(), "y", models="dense(units=8)", lookback=[2], seeds=2, plan=plan, baselines=False)
    usual = make_candidates("dense(units=8)", [2], plan)[0]
    space = {"learning_rate": CategoricalDistribution([0.003, 10.0]), "lookback": CategoricalDistribution([2])}
    candidate = replace(usual, space=space, starts=({"learning_rate": 0.003, "lookback": 2},))
    trials = run(make_search(study, [candidate], trials=20, folds=1)).trials
    bad = [t for t in trials if t.values["learning_rate"] == 10.0]
    later = [t for t in bad if t.number >= searching.ROUND]
    assert later
    assert all(t.pruned and sum(t.epochs) <= 15 and t.score is None for t in later)
    assert not any(t.pruned for t in trials if t.number < searching.ROUND), "there is nothing to compare with yet"
    assert not any(t.pruned for t in trials if t.values["learning_rate"] == 0.003)


def killed_after(trials, folder):
    run = subprocess.run(
        [sys.executable, "killed_search.py", folder, str(trials)], cwd=HERE, capture_output=True, check=False
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    return folder


def test_a_killed_search_goes_on_and_finds_the_same(tmp_path):
    """Killed by a signal that nothing catches, twice, and with half a line at the end of its journal."""
    for times in (5, 14):
        killed_after(times, tmp_path)
        lines = (tmp_path / JOURNAL).read_bytes().count(b"\n")
        with (tmp_path / JOURNAL).open("ab") as journal:
            journal.write(b'{"op_code": 4, "worker')
    assert lines == 2 + 14, "two studies, and no trial was done twice"
    tuning = pursue(search(), tmp_path)
    assert outcome(tuning.found.trials) == undisturbed()
    assert (tmp_path / JOURNAL).read_bytes().count(b"\n") == 2 + 22
    # Optuna's own tools read it.
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(tmp_path / JOURNAL)))
    assert {s.study_name: s.n_trials for s in optuna.get_all_study_summaries(storage)} == {
        "ridge": 11,
        "trees(trees=5)": 11,
    }
    again = pursue(search(), tmp_path, progress=KillsItself(after=10**6))
    assert outcome(again.found.trials) == undisturbed()
    assert (tmp_path / JOURNAL).read_bytes().count(b"\n") == 2 + 22


class BreaksOff(Silent):
    """Ends every life of a search as a kill would, after so many epochs of it; counts the epochs of all."""

    def __init__(self, every: int) -> None:
        self.every, self.epochs = every, 0

    def epoch(self, job, seed, done):
        self.epochs += 1
        if self.epochs % self.every == 0:
            raise ZeroDivisionError


def test_a_killed_search_loses_at_most_the_epoch_in_progress(tmp_path, monkeypatch):
    """Nor does it fit anything twice, forget what it saw of a trial, or give up another one."""
    plan = Plan(epochs=15, patience=15)
    model = "dense(units=2,activation=relu,dropout=0)"  # so that few programs are compiled
    study = make_study(make_toy(), "y", models=model, lookback=[2], seeds=2, plan=plan, baselines=False)
    asked = make_search(study, make_candidates(model, [2], plan), trials=7, folds=2, seed=0)
    # Some are hopeless, whatever Optuna thinks: it would take more trials to say so.
    monkeypatch.setattr(searching, "is_hopeless", lambda study, seen: seen.get(10, 1.0) * 1e6 % 3 < 1.5)
    whole = BreaksOff(10**9)
    undisturbed = outcome(run(asked, workers=1, progress=whole).trials)
    assert any(trial.pruned for trial in undisturbed), "nothing was given up"
    fits = []
    monkeypatch.setattr(trials, "fit_entry", lambda *given: (fit_entry(*given), fits.append(given))[0])
    found, broken = (), BreaksOff(7)
    for _ in range(40):
        with suppress(ZeroDivisionError):
            found = pursue(asked, tmp_path, 1, progress=broken).found.trials
            break
    assert outcome(found) == undisturbed
    # Where two seeds are trained at once, only the first one's epoch is told before a life ends.
    assert 0.8 * whole.epochs < broken.epochs <= whole.epochs, "epochs were done again"
    assert broken.epochs > 5 * broken.every, "it was not killed often"
    # Of each trial: the first seed, the other, and both in the second fold.
    assert len(fits) == 3 * sum(not trial.pruned for trial in undisturbed), "a fit that was done was done again"
    assert not list((tmp_path / UNFINISHED).iterdir())


def test_errors_that_somebody_changed_in_the_journal_are_seen(tmp_path):
    pursue(search(models="ridge"), tmp_path)
    kept = read_records(tmp_path / FITS)
    assert len(kept) == 11 * 2, "one a fold: ridge has one seed"
    journal, error = tmp_path / JOURNAL, repr(kept[5]["rmse"][0])
    assert journal.read_text().count(error) >= 1
    journal.write_text(journal.read_text().replace(error, "0.125"))
    with pytest.raises(SettingError, match=r"has other errors in the journal than in .*fits\.jsonl"):
        pursue(search(models="ridge"), tmp_path)
    append_record(tmp_path / FITS, {**kept[0], "rmse": []})
    with pytest.raises(SettingError, match=r"fits\.jsonl holds something else than a run's notes in line 23"):
        pursue(search(models="ridge"), tmp_path)


def test_another_search_is_refused_and_the_differences_are_listed(tmp_path):
    pursue(search(), tmp_path)
    before = (tmp_path / JOURNAL).read_bytes()
    with pytest.raises(SettingError, match=r"seeds was 2, now 3; seed was 0, now 7\. Name another --out"):
        pursue(search(seeds=3, seed=7), tmp_path)
    with pytest.raises(SettingError, match=r"data was \w{16}, now \w{16}"):
        pursue(search(series=make_toy(seed=1)), tmp_path)
    with pytest.raises(SettingError, match=r"models was ridge .*, now ridge"):
        pursue(search(models="ridge"), tmp_path)
    assert (tmp_path / JOURNAL).read_bytes() == before
    known, _ = open_journal(tmp_path, search().candidates)
    trees = {t.number: t for t in known if t.model != "ridge"}
    changed = [*known, replace(trees[8], values=trees[9].values)]
    with pytest.raises(SettingError, match=r"Trial 8 of trees\(trees=5\) was another one"):
        carry_out_search(search(), changed, lambda trial: None)
    (tmp_path / "search.json").unlink()
    with pytest.raises(SettingError, match=r"no search\.json"):
        pursue(search(), tmp_path)


def test_time_that_is_up_ends_a_search_and_the_rest_is_done_later(tmp_path):
    plan = Plan(epochs=3)
    asked = {"models": "dense(units=8)", "lookback": [2], "trials": 3, "seeds": 1, "folds": 1, "plan": plan}
    with pytest.raises(SettingError, match="No trial was done within 1e-09 minutes"):
        tune(make_toy(), "y", minutes=1e-9, out=tmp_path, baselines=False, **asked)
    found = tune(make_toy(), "y", out=tmp_path, baselines=False, **asked)
    assert len(found.trials) == 3
    assert not found.found.out_of_time


def test_an_entry_is_trained_by_its_own_plan_and_a_run_keeps_it(tmp_path):
    source = Source("seattle", rows=150)
    study = make_study(
        source.load(), "temp_max", models="dense(units=8)", lookback=[2], seeds=1, plan=Plan(epochs=3), baselines=False
    )
    own = replace(study.entries[0], name="own", plan=Plan(epochs=2))
    study = replace(study, entries=(*study.entries, own))
    found = examine(study)
    assert [f.forecaster.history.epochs for f in found.fitted] == [3, 2]
    (tmp_path / STUDY_FILE).write_text(json.dumps(run_record("compare", study, source)))
    assert read_study(tmp_path).entries == study.entries


def trials_of(candidate, rmse):
    """Forty made-up trials whose error is a function of their values."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    asked = [study.ask(candidate.space).params for _ in range(40)]
    return [
        Trial(candidate.name, n, v, candidate.configure(v), ((rmse(v),),), (), (0,), 0.0) for n, v in enumerate(asked)
    ]


def test_importance_names_the_setting_that_matters():
    candidate = make_candidates("lstm", [1, 2, 4, 8], Plan())[0]
    shares = importances(candidate, trials_of(candidate, lambda v: float(np.log(v["learning_rate"]))))
    assert next(iter(shares)) == "learning_rate"
    assert shares["learning_rate"] > 0.8
    assert sum(shares.values()) == pytest.approx(1)
    assert importances(candidate, trials_of(candidate, lambda v: 1.0)) is None, "nothing differs"
    assert importances(candidate, trials_of(candidate, lambda v: v["units"])[:19]) is None, "too few"


TUNE = "tune seattle --rows 300 --models ridge,trees(trees=5) --lookback 1,3 --trials 6 --seeds 2 --no-baselines"


def test_the_command_tunes_writes_and_goes_on(tmp_path, capsys):
    out = tmp_path / "out"
    command = [*TUNE.split(" "), "--out", str(out)]
    assert main([*command, "--dry-run", "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(m["model"], m["search_fits"], m["exam_fits"]) for m in told["models"]] == [
        ("ridge", 12, 3), ("trees(trees=5)", 24, 6),
    ]  # fmt: skip
    assert not out.exists(), "a dry run writes nothing"
    assert main([*command, "--json", str(tmp_path / "r.json")]) == 0
    printed = capsys.readouterr().out
    record = json.loads((tmp_path / "r.json").read_text())
    assert record == json.loads((out / "tuning.json").read_text())
    assert {"search.json", "trials.journal", "trials.csv", "tuning.json", "leaderboard.csv"} <= {
        p.name for p in out.iterdir()
    }
    assert (out / "figures" / "search.png").exists()
    assert 'id="tuning"' in (out / "report.html").read_text(encoding="utf-8")
    for model in record["models"]:
        assert model["finished"] == 6
        assert model["best"]["rmse"] == pytest.approx(fmean(e for fold in model["best"]["fits"] for e in fold))
        assert model["best"]["rmse"] <= model["untuned"]["rmse"]
        assert model["best"]["entry"] in {e["name"] for e in record["exam"]["entries"]}
        assert f"Tuning {model['name']} (6 trials finished)" in " ".join(printed.split())
    journal = (out / JOURNAL).read_bytes()
    assert main(command) == 0
    assert (out / JOURNAL).read_bytes() == journal
    assert main([*command, "--folds", "1"]) == 2
    assert "holds another search: folds was" in capsys.readouterr().err
    assert {main([*command, "--minutes", few]) for few in ("0", "nan")} == {2}


def test_more_trials_may_choose_another_winner(tmp_path, capsys):
    """Its exam takes the place of the one before; what is fitted of entries that stay is not fitted again."""
    command = [*TUNE.replace("ridge,", "").split(" "), "--out", str(tmp_path / "out")]
    assert main([*command, "--trials", "3"]) == 0
    assert main([*command, "--trials", "8", "--json", str(tmp_path / "r.json")]) == 0
    tuned = json.loads((tmp_path / "r.json").read_text())["models"][0]["best"]["entry"]
    assert tuned.endswith("tuned")
    finished = [r for r in read_records(tmp_path / "out" / LEDGER) if r["what"] == "finished"]
    assert sorted({r["entry"] for r in finished}) == sorted(["trees(trees=5)_1", "trees(trees=5)_3", tuned])
    assert len(finished) == 3 * 2
    assert main([*command, "--trials", "8", "--out", str(tmp_path / "at once")]) == 0
    for name in ("leaderboard.csv", "forecasts.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "at once" / name).read_bytes()
    assert main([*command, "--trials", "8", "--seeds", "1"]) == 2, "another search"
    assert "seeds was" in capsys.readouterr().err


def test_a_tuning_has_its_home_and_its_winner_can_be_saved(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BACKSIGHT_RUNS", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    command = TUNE.replace("ridge,", "").split(" ")
    assert main([*command, "--trials", "8", "--save", "model.zip", "--backend", "processes"]) == 0
    assert "The trials run on threads" in " ".join(capsys.readouterr().out.split())
    (folder,) = (tmp_path / "home").iterdir()
    assert folder.name.endswith("-001-tune-seattle")
    assert main(["runs"]) == 0
    assert "done" in capsys.readouterr().out
    assert main(["resume", folder.name, "--save", "tuned.zip", "--save-entry", "trees(trees=5)_3 tuned"]) == 0
    assert load_model(tmp_path / "tuned.zip").card.name == "trees(trees=5)_3 tuned"
    assert (folder / "next.json").exists()
    assert main(["resume", folder.name, "--save", "tuned.zip", "--save-entry", "lstm"]) == 2
    assert main(["tune", "nowhere.csv", "--save", "nowhere/model.zip"]) == 2
    assert [path.name for path in (tmp_path / "home").iterdir()] == [folder.name]


def test_minutes_end_a_search_of_models_without_epochs():
    """A thousand trials of ridge in no time at all: what was begun in time is kept, and the rest is not begun."""
    few = tune(make_toy(), "y", models="ridge", lookback=[2, 3], trials=1000, minutes=0.02, baselines=False)
    assert few.found.out_of_time
    assert 0 < len(few.trials) < 1000


def test_ctrl_c_keeps_the_trials_that_are_done(tmp_path, capsys, monkeypatch):
    class PressesCtrlC(KillsItself):
        def finished(self, job, seed):
            self.left -= 1
            if not self.left:
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(screen, "progress_bar", lambda of: nullcontext(PressesCtrlC(6)))
    long = TUNE.replace("trees(trees=5)", "dense(units=4)") + " --epochs 100000 --patience 100000 --workers 1"
    assert main([*long.split(" "), "--out", str(tmp_path)]) == 130
    assert f"`backsight resume {tmp_path}` goes on" in " ".join(capsys.readouterr().out.split())
    record = json.loads((tmp_path / "tuning.json").read_text())
    assert record["interrupted"]
    assert record["exam"] is None, "no test day was opened"
    assert [m["finished"] for m in record["models"]] == [6, 0]
