"""Lookback curves: the shortest lookback that will do, on series where it is known, and what is printed and drawn."""

import json
import os
import shlex
import signal
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from backsight.cli.main import main
from backsight.errors import ExamError, Interrupted, SettingError, WindowError
from backsight.evaluation.judge import Judge
from backsight.evaluation.lookback import LookbackCurves, Point
from backsight.report.lookback import lookback_sentences
from backsight.report.lookback_plot import plot_lookback, plot_lookbacks
from backsight.runs.compare import compare
from backsight.runs.lookback import lookback_curve, usual_lookbacks
from backsight.runs.progress import Silent
from backsight.runs.record import lookback_record
from backsight.series.generated import lagged_copy, white_noise
from backsight.training.plan import Plan
from backsight.windows.split import split_by_fractions
from conftest import make_toy

DAYS = 200


def rows(entry, errors, seeds=(0.0,), parts=("validation", "test")):
    """Forecasts of an entry whose errors are these; each seed is off by so much more."""
    tables = [
        pd.DataFrame(
            {
                "entry": entry, "seed": seed, "part": part, "origin": range(DAYS), "lead": 1,
                "time": range(1, DAYS + 1), "actual": 0.0, "predicted": errors + more,
            }
        )
        for seed, more in enumerate(seeds)
        for part in parts
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


def curves(*entries, order=None, **kwargs):
    points = {name: Point(*name.split("_")) for name in (table["entry"].iloc[0] for table in entries)}
    points = {name: Point(model, int(lookback)) for name, (model, lookback) in points.items()}
    return LookbackCurves(Judge(pd.concat(entries, ignore_index=True)), points, order or {}, **kwargs)


def noise(seed, level):
    return level + np.random.default_rng(seed).random(DAYS)


def test_a_signal_five_steps_back_needs_five_steps():
    """In every one of these series: with fewer the error is 1, with five or more it is 0."""
    for seed in range(3):
        found = lookback_curve(
            lagged_copy(400, seed, lag=5), "y", models="ridge", lookback=[10, 1, 4, 5, 6], baselines=False
        )
        choice = found.choices["ridge"]
        assert found.recommended == choice.recommended == "ridge_5"
        assert found.table.set_index("lookback").loc[[1, 4], "val_rmse"].min() > 0.8


def test_noise_needs_one_step():
    """In 19 of 20 or so; in these six of six."""
    taken = [
        lookback_curve(white_noise(400, s), "y", models="ridge", lookback=[1, 2, 5, 10], baselines=False).recommended
        for s in range(6)
    ]
    assert taken == ["ridge_1"] * 6


def test_a_better_lookback_is_not_given_up_for_a_shorter_one():
    found = curves(rows("a_1", noise(0, 2.0)), rows("a_3", noise(1, 1.0)), rows("a_9", noise(2, 1.0)))
    assert found.choices["a"].recommended == "a_3"
    assert set(found.choices["a"].tied) == {"a_3", "a_9"}


def test_what_other_seeds_could_undo_is_tied():
    """The same mean errors, once from seeds that agree and once from seeds that don't."""
    better = noise(1, 1.5)
    sure = curves(rows("a_1", noise(0, 1.8), (-0.01, 0.01)), rows("a_3", better, (-0.01, 0.01)))
    assert sure.choices["a"].recommended == "a_3"
    unsure = curves(rows("a_1", noise(0, 1.8), (-0.9, 0.9)), rows("a_3", better, (-0.9, 0.9)))
    assert unsure.choices["a"].recommended == "a_1"


def test_test_days_choose_nothing_and_say_what_it_costs():
    """Whatever happens on the test days, the choice stays; its price is the paired test of the judge."""
    entries = [rows("a_1", noise(0, 1.0)), rows("a_3", noise(1, 1.0) - 0.01)]
    found = curves(*entries)
    assert (found.choices["a"].recommended, found.choices["a"].best) == ("a_1", "a_3")
    entries[0].loc[entries[0]["part"] == "test", "predicted"] += 3.0
    spoilt = curves(*entries)
    assert replace(spoilt.choices["a"], cost=None) == replace(found.choices["a"], cost=None)
    cost = spoilt.choices["a"].cost
    assert cost.differ
    assert cost.difference == pytest.approx(3.0, abs=0.1)
    assert cost == spoilt.judge.paired("a_1", "a_3")
    assert curves(*(e[e["part"] == "validation"] for e in entries)).choices["a"].cost is None


def against_ridge(*entries, simple=("ridge_1",)):
    points = {name: Point(name[:-2], int(name[-1])) for name in (table["entry"].iloc[0] for table in entries)}
    return LookbackCurves(Judge(pd.concat(entries, ignore_index=True), simple=simple), points)


def test_the_best_network_is_tested_against_the_best_simple_model():
    """Both are chosen on validation; p is adjusted together with what shorter lookbacks cost."""
    ridge, short, long = rows("ridge_1", noise(0, 1.0)), rows("a_1", noise(1, 1.0)), rows("a_3", noise(2, 1.0) - 0.01)
    unlucky = rows("a_9", noise(3, 1.1))
    unlucky.loc[unlucky["part"] == "test", "predicted"] *= 0.5
    found = against_ridge(ridge, short, long, unlucky)
    alone = found.judge.paired("a_3", "ridge_1")
    assert (found.network.first, found.network.second) == ("a_3", "ridge_1"), "a_9 is best on test alone"
    assert found.choices["a"].recommended == "a_1"
    cost = found.judge.paired("a_1", "a_3")
    assert found.network == replace(alone, p=min(1.0, 2 * alone.p) if alone.p < cost.p else found.network.p)
    assert found.network.p >= alone.p
    assert against_ridge(short, long, simple=()).network is None
    assert against_ridge(ridge).network is None
    assert against_ridge(*(t[t["part"] == "validation"] for t in (ridge, short, long))).network is None


def test_a_pair_that_is_asked_both_ways_is_asked_once():
    """Ridge with one step is recommended, a with three is best: what that costs is what the network is worth."""
    found = against_ridge(rows("ridge_1", noise(0, 1.0)), rows("a_3", noise(2, 1.0) - 0.01))
    assert (found.overall.recommended, found.overall.best) == ("ridge_1", "a_3")
    assert found.network == found.overall.cost == found.judge.paired("ridge_1", "a_3")


def test_among_all_models_what_is_known_of_one_alone_stays_known():
    """Beside many other entries a_1 could not be told from a_3; alone it can, and so it is not recommended."""
    worse = np.random.default_rng(2).normal(0, 0.15, DAYS)
    short = rows("a_1", noise(0, 1.0) + worse - worse.mean() + 0.011)
    others = [rows(f"b_{lookback}", noise(lookback, 1.0)) for lookback in range(3, 30)]
    found = curves(short, rows("a_3", noise(0, 1.0)), *others, order={"a": 0, "b": 1})
    assert found.judge.groups_among(list(found.points))["a_1"] == 1
    assert found.choices["a"].tied == ("a_3",)
    assert "a_1" not in found.overall.tied
    assert found.overall.recommended == "a_3"


def test_between_equal_lookbacks_the_simpler_model_is_taken():
    entries = [rows("a_3", noise(0, 1.0)), rows("b_3", noise(1, 1.0))]
    assert curves(*entries, order={"a": 0, "b": 1}).overall.recommended == "a_3"
    assert curves(*entries, order={"a": 1, "b": 0}).overall.recommended == "b_3"


def test_failures_are_never_recommended_and_no_curve_is_an_error():
    broken = rows("a_1", noise(0, 0.1))
    broken.loc[5, "predicted"] = np.nan
    found = curves(broken, rows("a_3", noise(1, 1.0)))
    assert found.choices["a"].tied == ("a_3",)
    assert curves(broken).choices == {}
    assert curves(broken).overall is None
    assert np.isinf(found.table["val_rmse"]).tolist() == [True, False]
    with pytest.raises(ExamError, match="none of b_1"):
        LookbackCurves(found.judge, {"b_1": Point("b", 1)})


def test_too_few_days_recommend_nothing(toy):
    found = lookback_curve(
        toy, "y", models="ridge", lookback=[1, 3], baselines=False, horizon=4, split=split_by_fractions(len(toy))
    )
    assert not found.choices["ridge"].enough
    assert found.recommended is None
    assert any("nothing is recommended" in said for said in lookback_sentences(lookback_record(found)))


def test_the_numbers_are_those_of_a_comparison(toy):
    """The same fits; ensembles lie on no curve."""
    options = {"models": "ridge,trees", "lookback": [1, 3], "seeds": 2}
    found = lookback_curve(toy, "y", **options)
    board = compare(toy, "y", **options).leaderboard.set_index("entry")
    table = found.table.set_index("entry")
    assert list(table.index) == ["ridge_1", "ridge_3", "trees_1", "trees_3"]
    columns = ["val_rmse", "val_sd", "test_rmse", "test_min", "test_max"]
    pd.testing.assert_frame_equal(table[columns], board.loc[table.index, columns], check_exact=True)
    assert (table["parameters"].dropna() > 0).all()


def test_lookbacks_that_fit():
    assert usual_lookbacks(split_by_fractions(40)) == [1, 2, 3]
    assert usual_lookbacks(split_by_fractions(5000))[-1] == 360


def test_a_lookback_too_long_is_refused_and_the_longest_is_named(toy):
    longest = split_by_fractions(len(toy)).train.stop - 1
    with pytest.raises(WindowError, match=rf"Take a lookback of at most {longest}, or"):
        lookback_curve(toy, "y", models="ridge", lookback=[3, longest + 1])
    found = lookback_curve(toy, "y", models="ridge", lookback=[longest], baselines=False)
    assert found.table["train_windows"].tolist() == [1]


def table_of(models, lookbacks):
    steps = [n for _ in models for n in lookbacks]
    errors = {f"{part}_{what}": 3.0 + shift for part in ("val", "test") for what, shift in BANDS.items()}
    names = [m for m in models for _ in lookbacks]
    marks = {"best": [n == lookbacks[-1] for n in steps], "recommended": [n == lookbacks[0] for n in steps]}
    return pd.DataFrame({"model": names, "lookback": steps, **errors, **marks})


BANDS = {"rmse": 0.0, "min": -0.1, "max": 0.2}


def test_the_plot_names_lookbacks_models_lines_and_marks():
    models = ["ridge", "trees", "rnn", "lstm", "gru", "cnn"]
    ax = plot_lookback(table_of(models, [1, 2, 3, 7, 360]), unit="h", lines={"floor: climatology": 3.1})
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2", "3", "7", "360"]
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("lookback (steps)", "RMSE (h)")
    handles, labels = ax.get_legend_handles_labels()
    assert labels == [*models, "shortest tied with best", "lowest on validation", "floor: climatology"]
    assert len({to_hex(h.get_color()) for h in handles[: len(models)]}) == len(models)
    rings = [line for line in ax.lines if line.get_fillstyle() == "full" and line.get_markerfacecolor() == "none"]
    assert [list(ring.get_xdata()) for ring in rings] == [[1]] * len(models) + [[]]
    low, high = ax.collections[0].get_datalim(ax.transData).intervaly
    assert (low, high) == pytest.approx((2.9, 3.2))


def test_a_line_beyond_the_frame_is_told_at_its_edge():
    """It must not press the curves flat."""
    ax = plot_lookback(table_of(["ridge"], [1, 3]), lines={"floor: climatology": 9.0, "near": 3.1, "deep": 1.0})
    assert ax.get_ylim()[1] < 3.3
    assert [text.get_text() for text in ax.texts] == ["floor: climatology, 9.00 ↑", "deep, 1.00 ↓"]


def test_ticks_do_not_stand_on_each_other():
    ax = plot_lookback(table_of(["ridge"], [1, 100, 101, 102, 1000]))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "100", "1000"]


def test_validation_and_test_stand_side_by_side_with_one_legend():
    table = table_of(["ridge"], [1, 3]).assign(test_rmse=4.0)
    figure = plot_lookbacks(table, "h", {"validation": {"floor": 3.9}, "test": {"floor": 4.1}})
    assert [ax.get_title() for ax in figure.axes] == ["validation", "test"]
    assert [ax.lines[0].get_ydata()[0] for ax in figure.axes] == [3.0, 4.0]
    assert [ax.get_legend() for ax in figure.axes] == [None, None]
    assert len(figure.legends) == 1


COMMAND = (
    "lookback seattle --target temp_max --rows 300 --lookback 1,3 --models rnn --epochs 2 --seeds 2 --no-baselines"
)


def test_the_command_prints_writes_and_records(tmp_path, capsys):
    files = ["--json", str(tmp_path / "r.json"), "--out", str(tmp_path / "out")]
    assert main([*shlex.split(COMMAND), *files]) == 0
    printed = capsys.readouterr().out
    for text in ("Validation RMSE, degC", "Test RMSE, degC", "Seconds a fit", "How far back:", "rnn:"):
        assert text in printed
    names = {"run.json", "result.json", "lookback.csv", "forecasts.csv", "histories.csv", "report.html", "figures"}
    names |= {"intervals.csv", "coverage.csv", "made.json", "ledger.jsonl", "ledger.jsonl.lock", "pieces", "unfinished"}
    assert {p.name for p in (tmp_path / "out").iterdir() if not p.name.startswith(".")} == names
    record = json.loads((tmp_path / "r.json").read_text())
    assert (record["data"], record["interrupted"], record["exam"]["days"]) == ("seattle", False, 30)
    (curve,) = record["curves"]
    assert [point["lookback"] for point in curve["points"]] == [1, 3]
    table = pd.read_csv(tmp_path / "out" / "lookback.csv")
    assert table["val_rmse"].tolist() == pytest.approx([np.mean(p["val_rmse"]) for p in curve["points"]])
    assert table.loc[table["recommended"], "entry"].tolist() == [curve["choice"]["entry"]]
    assert all(len(point["seconds"]) == 2 for point in curve["points"])
    assert curve["network"]
    assert (record["pairs"], curve["points"][0]["verdict"]) == ([], ""), "there is nothing to measure it by"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--lookback 400", "at most 239"),
        ("--lookback 0", "whole numbers"),
        ("--folds 0", "folds must be 1 or more"),
        ("--models persistence --no-baselines", "None of these models reads a window"),
    ],
)
def test_the_command_refuses_what_can_not_be(options, says, capsys):
    assert main(shlex.split(f"lookback seattle --rows 300 --models ridge {options}")) == 2
    assert says in capsys.readouterr().err


class PressesCtrlC(Silent):
    """Interrupts the process in the first epoch of a network."""

    def epoch(self, job, seed, done):
        if done.epoch == 1:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_before_the_first_point_draws_no_curve(toy):
    """Persistence is finished by then, which lies on none."""
    endless = Plan(epochs=99_999, patience=99_999)
    options = {"models": "persistence,rnn", "lookback": [3], "baselines": False, "seeds": 1, "plan": endless}
    with pytest.raises(Interrupted):
        lookback_curve(toy, "y", workers=1, progress=PressesCtrlC(), **options)


def test_a_curve_is_the_same_wherever_it_is_fitted():
    asked = {"models": "ridge", "lookback": [2, 3], "baselines": False}
    here = lookback_curve(make_toy(), "y", **asked)
    elsewhere = lookback_curve(make_toy(), "y", **asked, backend="processes", workers=1)
    pd.testing.assert_frame_equal(elsewhere.comparison.forecasts, here.comparison.forecasts, check_exact=True)
    with pytest.raises(SettingError, match="have a cluster with an address; the backend is threads"):
        lookback_curve(make_toy(), "y", **asked, cluster="127.0.0.1:1")
