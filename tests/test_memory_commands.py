"""`backsight memory` and `backsight memory-test`: what they print, write and refuse."""

import json
import shlex
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from backsight.cli import screen
from backsight.cli.main import main
from backsight.report.memory_text import memory_test_sentences
from test_cli import PressesCtrlC

QUICK = "--epochs 2 --seeds 2"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder of `compare`."""
    folder = tmp_path_factory.mktemp("run")
    command = f"compare seattle --rows 300 --lookback 2,3 --models gru,ridge,persistence {QUICK} --no-baselines"
    assert main([*shlex.split(command), "--out", str(folder)]) == 0
    return folder


def test_memory_of_models(tmp_path, capsys):
    command = f"memory ridge,gru seattle --rows 300 --lookback 3 {QUICK} --json {tmp_path / 'm.json'}"
    assert main([*shlex.split(command), "--out", str(tmp_path / "out")]) == 0
    out = capsys.readouterr().out
    assert "How far back models look: temp_max, 30 validation windows" in out
    assert "- ridge_3 looks back" in out
    record = json.loads((tmp_path / "m.json").read_text())
    assert [e["name"] for e in record["entries"]] == ["ridge_3", "gru_3"]
    assert record["entries"][1]["seeds"] == [0, 1]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "memory.csv", "memory.json", "memory.png", "memory_slopes.png", "memory_states.png", "memory_gates.png",
    }  # fmt: skip


def test_memory_of_a_run_is_that_of_its_models(run, tmp_path, capsys):
    """A run's entries are fitted again, to the same bytes; named models give the same numbers."""
    assert main(["memory", str(run), "--entries", "gru_3", "--json", str(tmp_path / "run.json")]) == 0
    named = f"memory gru seattle --rows 300 --lookback 3 {QUICK} --json {tmp_path / 'named.json'}"
    assert main(shlex.split(named)) == 0
    of_run, of_models = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("run", "named"))
    assert of_run["entries"] == of_models["entries"]
    scored = pd.read_csv(run / "forecasts.csv")
    rows = scored[(scored["entry"] == "gru_3") & (scored["part"] == "validation") & (scored["seed"].astype(str) == "0")]
    error = np.sqrt(np.mean((rows["actual"] - rows["predicted"]) ** 2))
    assert of_run["entries"][0]["truncation"][0][-1] == pytest.approx(error, rel=1e-5)
    capsys.readouterr()


def test_of_a_run_the_best_of_each_family_is_looked_at(run, capsys):
    assert main(["memory", str(run), "--json", "-"]) == 0
    names = [e["name"] for e in json.loads(capsys.readouterr().out)["entries"]]
    board = list(pd.read_csv(run / "leaderboard.csv")["entry"])
    best = [next(n for n in board if n in (f"{family}_2", f"{family}_3")) for family in ("gru", "ridge")]
    assert sorted(names) == sorted(best)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("memory nowhere", "There is no folder nowhere"),
        ("memory {run} --entries lstm_9", "has no entry 'lstm_9'"),
        ("memory {run} --lookback 9", "leave those options out"),
        ("memory {run} --target wind", "leave those options out"),
        ("memory {run} --entries ,", "needs at least one name"),
        ("memory {run} --entries persistence", "reads no window"),
        ("memory lstm seattle --entries lstm_9", "--entries chooses from a run"),
        ("memory lstm seattle --lookback x", "--lookback takes whole numbers"),
        ("memory ridge seattle --lookback 3 --draws 1", "2 other windows or more"),
        ("memory ridge seattle --lookback 3 --seeds 0", "Seeds must be 1 or more"),
        ("memory persistence seattle", "reads no window"),
        ("memory-test --lags 0", "--lags takes whole numbers"),
        ("memory-test --models nothing", "There is no model 'nothing'"),
        ("memory-test --task adding --lags 1", "2 steps or more"),
        ("memory-test --windows 10", "100 windows or more"),
        ("memory-test --learning-rate 0", "learning_rate"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_line(command, said, run, capsys):
    assert main(shlex.split(command.format(run=run))) == 2
    err = capsys.readouterr().err
    assert said in err
    assert err.count("\n") == 1


def test_a_run_without_leaderboard_wants_names(run, tmp_path, capsys):
    (tmp_path / "run.json").write_text((run / "run.json").read_text())
    assert main(["memory", str(tmp_path)]) == 2
    assert "Name some with --entries" in capsys.readouterr().err


def test_memory_test_command(tmp_path, capsys):
    command = "memory-test --lags 2,4 --models ridge,persistence --windows 300 --json -"
    assert main([*shlex.split(command), "--out", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    record = json.loads(out)
    assert [(row["model"], row["lag"]) for row in record["rows"]] == [
        ("ridge", 2), ("persistence", 2), ("ridge", 4), ("persistence", 4),
    ]  # fmt: skip
    assert "ridge finds it at every lag, up to 4 steps (skill 1.00)" in err
    assert "persistence finds it at no lag" in err
    table = pd.read_csv(tmp_path / "memory_test.csv")
    assert list(table["skill"]) == [row["skill"][0] for row in record["rows"]]
    assert (tmp_path / "memory_test.png").stat().st_size > 5000


def test_sentences_of_a_memory_test_say_where_the_signal_is_lost():
    rows = [
        {"model": "lstm", "lag": 5, "skill": [1.0, 0.9]},
        {"model": "lstm", "lag": 10, "skill": [1.0, 0.2]},
        {"model": "lstm", "lag": 20, "skill": [0.0, None]},
        {"model": "late", "lag": 5, "skill": [0.1]},
        {"model": "late", "lag": 10, "skill": [0.9]},
        {"model": "failed", "lag": 5, "skill": [None]},
    ]
    plan = {"epochs": 30, "patience": 10}
    said = memory_test_sentences({"task": "copy", "found_from": 0.5, "plan": plan, "rows": rows})
    assert said[1] == "lstm finds it up to 5 steps back and loses it at 10 (skill 0.60 (0.20 to 1.00))."
    assert said[2] == "late finds it at 10 steps, but not at 5 (0.10)."
    assert said[3] == "failed finds it at no lag, not even at 5 steps (failed)."


def test_ctrl_c_keeps_what_is_finished(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(screen, "progress_bar", lambda: nullcontext(PressesCtrlC()))
    command = "memory ridge,rnn seattle --lookback 3 --epochs 99999 --patience 99999 --workers 1"
    assert main([*shlex.split(command), "--json", str(tmp_path / "m.json")]) == 130
    assert "Stopped by Ctrl-C" in capsys.readouterr().out
    record = json.loads((tmp_path / "m.json").read_text())
    assert record["interrupted"]
    assert [e["name"] for e in record["entries"]] == ["ridge_3"]
