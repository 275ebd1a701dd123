"""The commands: what they print, write and return."""

import json
import os
import re
import shlex
import signal
from contextlib import nullcontext
from io import StringIO
from threading import Lock

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import backsight
from backsight.cli import screen
from backsight.cli.main import main
from backsight.runs.progress import Silent
from backsight.training.events import EpochDone

COMPARE = "compare seattle --target temp_max --rows 300 --lookback 2,3 --models rnn,dense(units=4) --epochs 3 --seeds 2"


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """One comparison by the command line, its folder and its JSON."""
    folder = tmp_path_factory.mktemp("compare")
    assert main([*COMPARE.split(" "), "--json", str(folder / "r.json"), "--out", str(folder / "out")]) == 0
    return folder / "out", json.loads((folder / "r.json").read_text())


def test_the_json_of_a_comparison(result):
    _, record = result
    assert record["data"] == "seattle"
    assert record["seconds"] > 0
    exam = record["exam"]
    assert (exam["first"], exam["last"], exam["days"]) == ("2012-09-27", "2012-10-26", 30)
    assert exam["unit"] == "degC"
    assert len(exam["entries"]) == 3 + 2 + 2 * 2 * 3  # persistence and the like, ridge; what has seeds has an ensemble
    for entry in exam["entries"]:
        assert {"name", "recipe", "lookback", "features", "val_rmse", "test_rmse"} <= set(entry)
        assert len(entry["val_rmse"]) == len(entry["test_rmse"]) == len(entry["seeds"])
    assert len(next(e for e in exam["entries"] if e["name"] == "rnn_3")["seeds"]) == 2


def test_the_files_of_a_comparison(result):
    out, record = result
    assert {p.name for p in out.iterdir() if not p.name.startswith(".")} == {
        "leaderboard.csv", "forecasts.csv", "histories.csv", "intervals.csv", "coverage.csv",
        "result.json", "made.json", "report.html", "figures",
        "run.json", "ledger.jsonl", "ledger.jsonl.lock", "pieces", "unfinished",
    }  # fmt: skip
    assert json.loads((out / "result.json").read_text()) == record
    forecasts = pd.read_csv(out / "forecasts.csv")
    for entry in record["exam"]["entries"]:
        rows = forecasts[(forecasts["entry"] == entry["name"]) & (forecasts["part"] == "test")]
        for seed, rmse in zip(entry["seeds"], entry["test_rmse"], strict=True):
            of_seed = rows[rows["seed"] == seed]
            assert np.sqrt(np.mean((of_seed["actual"] - of_seed["predicted"]) ** 2)) == pytest.approx(rmse)
    histories = pd.read_csv(out / "histories.csv")
    assert set(histories.groupby(["entry", "seed"])["kept"].sum()) == {1}
    assert histories["epoch"].max() == 3
    pictures = {p.name for p in (out / "figures").iterdir()}
    assert {"leaderboard.png", "leaderboard.svg", "training_curves.png", "forecast.svg"} <= pictures
    for picture in (out / "figures").glob("*.png"):
        assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_json_on_standard_output_is_json_alone(capsys):
    assert main(shlex.split("compare seattle --rows 200 --lookback 2 --models ridge --seeds 1 --json -")) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["exam"]["target"] == "temp_max"
    assert "ridge_2" in err


def test_options_change_what_they_say(capsys):
    base = shlex.split("compare seattle --rows 200 --lookback 2 --models ridge --seeds 1 --no-baselines --json -")

    def exam(*more):
        assert main([*base, *more]) == 0
        return json.loads(capsys.readouterr().out)["exam"]

    plain = exam()
    assert [e["name"] for e in plain["entries"]] == ["ridge_2"]
    assert exam("--calendar")["entries"][0]["features"][-2:] == ["year_sine", "year_cosine"]
    assert exam("--features", "temp_*", "wind")["entries"][0]["features"] == ["temp_max", "temp_min", "wind"]
    assert exam("--features", "temp_*,wind")["entries"][0]["features"] == ["temp_max", "temp_min", "wind"]
    assert exam("--horizon", "3")["horizon"] == 3
    assert exam("--gap", "5")["gap"] == 5
    assert exam("--stride", "7")["entries"][0]["train_windows"] == -(-plain["entries"][0]["train_windows"] // 7)
    assert exam("--split", "0.6,0.2,0.2")["days"] == 40
    dates = exam("--validation-from", "2012-05-01", "--test-from", "2012-06-01")
    assert (dates["validation"]["first"], dates["first"]) == ("2012-05-01", "2012-06-01")
    assert exam("--from", "2012-03-01", "--to", "2012-12-31")["last"] == "2012-09-16"
    assert exam("--scale", "none")["entries"][0]["val_rmse"] != plain["entries"][0]["val_rmse"]


def test_features_may_come_before_the_data(capsys):
    before = shlex.split("compare --features temp_max seattle --rows 200 --lookback 2 --models ridge --no-baselines")
    assert main([*before, "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["exam"]["entries"][0]["features"] == ["temp_max"]
    assert main(shlex.split("describe --features 9 ridge")) == 0


def test_dropout_enters_a_model_once_with_each_rate(capsys):
    command = "compare seattle --rows 200 --lookback 2 --models lstm,ridge --dropout 0,0.5 --epochs 1 --seeds 1"
    assert main([*shlex.split(command), "--no-baselines", "--json", "-"]) == 0
    names = {e["name"] for e in json.loads(capsys.readouterr().out)["exam"]["entries"]}
    assert names == {"lstm_2", "lstm(dropout=0.5)_2", "ridge_2"}


def test_keep_and_patience(capsys):
    command = "compare seattle --rows 400 --lookback 2 --models dense --seeds 1 --no-baselines --epochs 40 --json -"

    def entry(*more):
        assert main([*command.split(" "), *more]) == 0
        return json.loads(capsys.readouterr().out)["exam"]["entries"][0]

    patient, hasty = entry("--patience", "40"), entry("--patience", "1")
    assert patient["epochs"] == [40]
    assert hasty["epochs"][0] < 40
    assert entry("--patience", "1", "--monitor", "loss")["epochs"][0] > hasty["epochs"][0]
    last = entry("--keep", "last", "--patience", "40")
    assert last["kept_epoch"] == [40]
    assert patient["kept_epoch"][0] < 40


def test_models_lists_every_recipe_with_its_source(capsys):
    assert main(["models", "--json", "-"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert [m["name"] for m in listed] == list(backsight.RECIPES)
    assert all(m["source"] and m["summary"] for m in listed)


def test_describe_prints_the_lessons_breakdown(capsys):
    assert main(shlex.split("describe lstm_stacked --lookback 30 --features 9")) == 0
    printed = capsys.readouterr().out
    assert "input weights: 9 inputs x 7 units x 4 gates = 252" in printed
    assert "Total: 904 parameters. With 2,899 training windows" in printed
    assert main(shlex.split("describe dense --lookback 1 --windows 2628 --json -")) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["parameters"] == 6101
    assert record["data_to_parameters"] == pytest.approx(2628 / 6101)
    assert main(["describe", "ridge"]) == 0


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"backsight {backsight.__version__}\n"
    for command in ("lesson", "compare", "lookback", "describe", "models", "data"):
        assert main([command, "--help"]) == 0
        assert f"backsight {command}" in re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out), "help has an example"


class PressesCtrlC(Silent):
    """Interrupts the process in the first epoch of a network, as a person would."""

    def __init__(self):
        self.once = Lock()

    def epoch(self, job, seed, done):
        if self.once.acquire(blocking=False):
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture
def _ctrl_c(monkeypatch):
    monkeypatch.setattr(screen, "progress_bar", lambda: nullcontext(PressesCtrlC()))


@pytest.mark.usefixtures("_ctrl_c")
def test_ctrl_c_stops_cleanly_and_keeps_what_is_finished(tmp_path, capsys):
    """One worker does the baselines first; the network after them would take minutes."""
    options = "--lookback 3 --models rnn --epochs 99999 --patience 99999 --seeds 2 --workers 1"
    files = ["--json", str(tmp_path / "r.json"), "--out", str(tmp_path / "o")]
    assert main(["compare", "seattle", *options.split(), *files]) == 130
    out, err = capsys.readouterr()
    assert "Stopped by Ctrl-C" in out
    assert "Traceback" not in err
    record = json.loads((tmp_path / "r.json").read_text())
    assert record["interrupted"] is True
    names = {e["name"] for e in record["exam"]["entries"]}
    assert names == {"persistence", "seasonal", "climatology", "ridge_3", "trees_3", "trees_3 ensemble"}
    assert (tmp_path / "o" / "forecasts.csv").exists()


@pytest.mark.usefixtures("_ctrl_c")
def test_ctrl_c_before_anything_is_finished(tmp_path, capsys):
    options = "--lookback 3 --models rnn --epochs 99999 --patience 99999 --no-baselines"
    assert main(["compare", "seattle", *options.split(), "--out", str(tmp_path / "o")]) == 130
    assert "Nothing was finished" in capsys.readouterr().err
    assert list((tmp_path / "o" / "unfinished").iterdir()), "the training could not go on"


def test_the_bar_tells_entry_seed_epoch_best_and_time_left():
    console = Console(file=StringIO(), force_terminal=True, width=200)
    with screen.make_progress(console) as progress:
        bar = screen.Bar(progress)
        bar.started(8)
        bar.finished("ridge_3", 0)
        bar.epoch("lstm_3", 1, EpochDone(7, 200, 3.5, 3.25, 3.125))
        progress.refresh()
        shown = console.file.getvalue()
    for text in ("1/8", "fits", "left", "lstm_3 seed 1", "epoch 7/200", "3.250", "best 3.125"):
        assert text in shown


def test_a_pipe_gets_no_bar(capsys):
    with screen.progress_bar() as progress:
        assert type(progress) is Silent


@pytest.mark.parametrize("command", ["compare", "lookback"])
@pytest.mark.parametrize(
    ("features", "told"),
    [("wind", "--features wind,temp_max"), ("wind,temp_max", None), ("temp_*", None), (None, None)],
)
def test_inputs_without_the_targets_own_past_are_told(capsys, command, features, told):
    chosen = ["--features", features] if features else []
    asked = ["seattle", "--target", "temp_max", "--models", "ridge", "--lookback", "2,3", "--rows", "200", *chosen]
    assert main([command, *asked]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert ("The own past of temp_max is not among the inputs" in said) is (told is not None)
    assert told is None or told in said
