"""Backtests: the same exam at earlier dates; every law of one exam holds in each fold, and over all of them."""

import json
import shlex
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from backsight.cli.main import main
from backsight.errors import ExamError, Interrupted, SettingError, WindowError
from backsight.evaluation.forecasts import check_same_exam
from backsight.evaluation.judge import Judge
from backsight.evaluation.metrics import rmse
from backsight.report.lookback import lookback_sentences
from backsight.report.sentences import exam_sentences, pair_sentence
from backsight.runs.compare import compare, conclude
from backsight.runs.jobs import Outcome, carry_out
from backsight.runs.lookback import lookback_curve
from backsight.runs.openings import FOLDER_VARIABLE, exam_fingerprint
from backsight.runs.progress import Silent
from backsight.runs.record import exam_record, lookback_record
from backsight.runs.saved import read_study, study_record
from backsight.runs.study import make_study
from backsight.training.plan import Plan
from backsight.windows.split import split_by_fractions
from conftest import HORIZON, make_toy, poisoned

PLAN = Plan(epochs=2, batch_size=16)
OPTIONS = {"models": "ridge,trees,rnn", "lookback": [3], "horizon": HORIZON, "seeds": 2, "plan": PLAN}


def run(series=None, *, folds=3, window="expanding", workers=2, **changed):
    options = {**OPTIONS, "baselines": False, **changed}
    return compare(series or make_toy(), "y", folds=folds, window=window, workers=workers, **options)


@pytest.fixture(scope="module")
def found():
    return run()


def test_every_entry_and_seed_sits_every_fold(found):
    rows = found.forecasts
    assert sorted(rows["fold"].unique()) == [1, 2, 3]
    check_same_exam(rows)
    counts = rows[rows["part"] == "test"].groupby(["entry", "seed", "fold"])["origin"].nunique()
    assert set(counts) == {15 - HORIZON + 1}
    assert len(counts) == 3 * (1 + 3 + 3)  # ridge; trees and rnn with two seeds and their ensemble


def test_an_entry_that_lacks_a_fold_is_refused(found):
    rows = found.forecasts
    lacking = rows[(rows["entry"] != "rnn_3") | (rows["fold"] != 2)]
    with pytest.raises(ExamError, match="rnn_3, seed 0, lacks"):
        Judge(lacking).leaderboard  # noqa: B018


def test_rows_of_one_fold_don_t_pass_for_those_of_another():
    """Validation parts longer than test parts overlap: the fold tells their rows apart."""
    found = run(models="ridge", split=split_by_fractions(150, (0.7, 0.2, 0.1)))
    rows = found.forecasts.query("part == 'validation'")
    assert rows.duplicated(["origin", "lead"]).any()
    check_same_exam(found.forecasts)
    with pytest.raises(ExamError, match="twice"):
        check_same_exam(found.forecasts.drop(columns="fold"))
    # Each origin counts once in a paired test, with the mean over its folds.
    losses = found.judge.losses("validation")
    squared = (rows["predicted"] - rows["actual"]) ** 2
    assert losses["ridge_3"].to_numpy() == pytest.approx(squared.groupby(rows["origin"]).mean().to_numpy())
    assert losses.index.is_monotonic_increasing


@pytest.mark.parametrize("window", ["expanding", "sliding"])
def test_nothing_after_a_fold_changes_it(window):
    """Law of poison: with all that follows fold 2's test rows replaced, folds 1 and 2 stay bit-identical."""
    clean = run(window=window)
    stop = clean.study.exams[1].split.test.stop
    wild = run(poisoned(make_toy(), stop, 1e3), window=window)
    before, after = (c.forecasts[c.forecasts["fold"] <= 2].reset_index(drop=True) for c in (clean, wild))
    pd.testing.assert_frame_equal(before, after, check_exact=True)
    # Planted: one row earlier is in the second fold's test part.
    leaky = run(poisoned(make_toy(), stop - 1, 1e3), window=window, models="ridge")
    ridge = before[before["entry"] == "ridge_3"]
    changed = leaky.forecasts[leaky.forecasts["fold"] <= 2]
    assert not np.array_equal(ridge["actual"], changed["actual"])


def test_the_last_fold_is_the_exam_itself_and_one_fold_is_no_backtest(found):
    """To the bit, with other folds beside it and without."""
    plain = run(folds=1)
    assert "fold" not in plain.forecasts
    assert plain.study.earlier == ()
    last = found.forecasts.query("fold == 3").drop(columns="fold").reset_index(drop=True)
    pd.testing.assert_frame_equal(last, plain.forecasts, check_exact=True)
    pd.testing.assert_frame_equal(found.predict(entry="rnn_3"), plain.predict(entry="rnn_3"), check_exact=True)


def test_a_sliding_window_trains_on_as_many_rows_in_every_fold():
    sizes = {window: [len(e.split.train) for e in run(models="ridge", window=window).study.exams]
             for window in ("expanding", "sliding")}  # fmt: skip
    assert sizes == {"expanding": [90, 105, 120], "sliding": [90, 90, 90]}


def test_errors_are_over_the_test_rows_of_all_folds(found):
    board = found.leaderboard.set_index("entry")
    rows = found.forecasts.query("part == 'test' and entry == 'ridge_3'")
    assert board.loc["ridge_3", "test_rmse"] == pytest.approx(rmse(rows["actual"], rows["predicted"]))
    by_fold = found.judge.folds.scores.query("entry == 'ridge_3'")
    squares = [rmse(of["actual"], of["predicted"]) ** 2 for _, of in rows.groupby("fold")]
    assert (by_fold["test_rmse"] ** 2).tolist() == pytest.approx(squares)
    assert board.loc["ridge_3", "test_rmse"] ** 2 == pytest.approx(np.mean(squares))
    assert found.paired("ridge_3", "rnn_3").windows == 3 * (15 - HORIZON + 1)


def forecasts(errors):
    """Forecasts that are off by so much: {entry: {part: [error of each fold]}}; each fold is ten days on."""
    lines = [
        {"entry": entry, "seed": 0, "part": part, "origin": 10 * fold + day, "lead": 1, "time": 10 * fold + day + 1,
         "actual": 0.0, "predicted": error, "fold": fold}
        for entry, parts in errors.items()
        for part, of_folds in parts.items()
        for fold, error in enumerate(of_folds, start=1)
        for day in range(10)
    ]  # fmt: skip
    return pd.DataFrame(lines)


def test_picks_are_made_by_each_fold_s_own_validation():
    """b is best over all folds on both parts; whoever picks before each fold's test days can't know that."""
    folds = Judge(
        forecasts(
            {
                "a": {"validation": [1.0, 1.0, 9.0], "test": [4.0, 1.0, 9.0]},
                "b": {"validation": [2.0, 2.0, 2.0], "test": [2.0, 2.0, 2.0]},
            }
        )
    ).folds
    assert folds.picks == {1: "a", 2: "a", 3: "b"}
    assert folds.picks_rmse == pytest.approx(np.sqrt((16 + 1 + 4) / 3))
    assert (folds.won("a", "b"), folds.won("b", "a"), len(folds)) == (1, 2, 3)


def test_no_pick_where_all_failed_in_a_fold():
    folds = Judge(forecasts({"a": {"validation": [1.0, np.nan], "test": [1.0, 1.0]}})).folds
    assert folds.picks == {}
    assert folds.picks_rmse is None


def test_the_record_and_its_sentences_tell_of_folds(found):
    record = exam_record(found)
    assert [fold["train_rows"] for fold in record["folds"]] == [90, 105, 120]
    assert (record["days"], record["validation"]["days"], record["tested_before"]) == (45, 45, 30)
    assert all(len(entry["folds"]) == 3 for entry in record["entries"])
    said = " ".join(exam_sentences(record))
    assert "in 3 folds, fitted anew for each on 90 to 120 earlier rows" in said
    assert "of which 30 are test rows of an earlier fold" in said
    assert "Whoever had chosen anew in each fold" in said
    assert "Test days chose nothing" not in said
    plain = exam_record(run(folds=1, models="ridge"))
    assert (plain["folds"], plain["picks"], plain["tested_before"]) == ([], None, 0)
    assert "Test days chose nothing" in " ".join(exam_sentences(plain))


@pytest.mark.parametrize(("difference", "says"), [(-0.2, "a is better than b"), (0.2, "b is better than a")])
def test_a_pair_says_in_how_many_folds_the_better_one_was_better(difference, says):
    pair = {
        "first": "a", "second": "b", "difference": difference, "low": -0.3, "high": 0.3, "p": 0.01, "windows": 99,
        "effective": 99.0, "smallest": 0.1, "enough": True, "differ": True, "seeds_undo": False,
        "folds_won": {"first": 4, "of": 5},
    }  # fmt: skip
    said = pair_sentence(pair)
    assert said.startswith(says)
    assert f"lower in {4 if difference < 0 else 1} of 5 folds" in said


def test_a_run_holds_its_folds_and_can_be_read_again(tmp_path, capsys):
    command = "compare seattle --target temp_max --rows 300 --lookback 3 --models ridge --folds 3 --window sliding"
    assert main([*shlex.split(command), "--no-baselines", "--out", str(tmp_path), "--json", str(tmp_path / "r")]) == 0
    assert "in 3 folds" in capsys.readouterr().out
    study = read_study(tmp_path)
    assert [exam.split.test for exam in study.exams] == [range(210, 240), range(240, 270), range(270, 300)]
    assert {len(exam.split.train) for exam in study.exams} == {180}
    assert "fold" in pd.read_csv(tmp_path / "forecasts.csv")
    assert pd.read_csv(tmp_path / "folds.csv")["fold"].tolist() == [1, 2, 3]
    assert len(json.loads((tmp_path / "r").read_text())["exam"]["folds"]) == 3


def test_one_exam_is_saved_as_ever(toy):
    assert "earlier" not in study_record(make_study(toy, "y", **OPTIONS))["exam"]


def test_a_backtest_opens_its_test_days_once(toy, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert run(models="ridge").openings.times == 1
    assert run(models="ridge").openings.times == 2
    assert run(models="ridge", folds=1).openings.times == 1  # other days, another exam
    prints = {folds: exam_fingerprint(make_study(toy, "y", folds=folds, **OPTIONS)) for folds in (1, 2, 3)}
    assert len(set(prints.values())) == 3


def test_a_seed_that_lacks_a_fold_sits_in_none(toy):
    """As after Ctrl-C."""
    study = make_study(toy, "y", folds=2, **{**OPTIONS, "models": "ridge,trees"}, baselines=False)
    results = [list(of_job) for of_job in carry_out(study.jobs(), 2, Silent()).results]
    assert [job.name for job in study.jobs()] == [
        f"{entry}_3, fold {fold}" for entry in ("ridge", "trees") for fold in (1, 2)
    ]
    results[2][1] = None  # trees, fold 1, seed 1
    found = conclude(study, Outcome(tuple(map(tuple, results)), True), 1.0)
    rows = found.forecasts
    assert sorted(set(zip(rows["entry"], rows["seed"], strict=True))) == [("ridge_3", 0), ("trees_3", 0)]
    results[0] = [None]
    results[2][0] = None
    with pytest.raises(Interrupted):
        conclude(study, Outcome(tuple(map(tuple, results)), True), 1.0)


def test_lookback_curves_are_over_all_folds_too():
    options = {"models": "ridge", "lookback": [1, 3], "baselines": False}
    found = lookback_curve(make_toy(), "y", folds=3, **options)
    assert found.choices["ridge"].enough
    board = compare(make_toy(), "y", folds=3, **options).leaderboard.set_index("entry")
    table = found.table.set_index("entry")
    assert "Whoever had chosen anew" in " ".join(lookback_sentences(lookback_record(found)))
    assert table["val_rmse"].to_dict() == board.loc[table.index, "val_rmse"].to_dict()


def test_what_can_not_be_a_backtest_is_refused(toy):
    with pytest.raises(SettingError, match="Folds must be 1 or more"):
        make_study(toy, "y", folds=0, **OPTIONS)
    with pytest.raises(WindowError, match="Take fewer folds"):
        make_study(toy, "y", folds=9, **OPTIONS)
    with pytest.raises(WindowError, match=r"lookback of 100 .* at most"):
        make_study(toy, "y", folds=3, **{**OPTIONS, "lookback": [100]})
    study = make_study(toy, "y", folds=2, **OPTIONS)
    with pytest.raises(ExamError, match="follow each other"):
        replace(study, earlier=(study.exam,))
    with pytest.raises(ExamError, match="ask for the same thing"):
        replace(study, earlier=(replace(study.earlier[0], horizon=1),))
