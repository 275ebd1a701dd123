"""Run folders: what is finished is kept, what was stopped goes on, and ends as if it had not been stopped."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

import backsight
from backsight.cli.main import main
from backsight.errors import SettingError
from backsight.runs import fit as fitting
from backsight.runs import study as studies
from backsight.runs.compare import compare, examine
from backsight.runs.folder import open_run
from backsight.runs.home import new_run
from backsight.runs.ledger import append_record, read_records
from backsight.runs.locks import work_in
from backsight.runs.piece import Piece
from backsight.runs.progress import Silent
from backsight.runs.saved import STUDY_FILE
from backsight.runs.study import make_study
from backsight.training.plan import Plan
from conftest import make_toy

ASKED = ["--target", "temp_max", "--rows", "250", "--lookback", "2,4", "--models", "ridge,dense(units=3)"]
ASKED += ["--seeds", "2", "--epochs", "3"]
FITS = 3 + 2 * 1 + 2 * 2 + 2 * 2  # floors, ridge, trees, dense


@pytest.fixture
def fits(monkeypatch):
    """The pieces that are fitted, as they are begun."""
    begun = []
    fit_entry = fitting.fit_entry

    def counted(series, exam, entry, plan, scale, seeds, *rest):
        begun.extend((entry.name, exam.split.test.start, seed) for seed in seeds)
        return fit_entry(series, exam, entry, plan, scale, seeds, *rest)

    monkeypatch.setattr(studies, "fit_entry", counted)
    return begun


class Stops(Silent):
    """Presses Ctrl-C after so many fits."""

    def __init__(self, after):
        self.left = after

    def finished(self, job, seed):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), 2)


def study_of_toy(**options):
    return make_study(
        make_toy(), "y", models="ridge,dense(units=3)", lookback=[2, 4], seeds=2, plan=Plan(epochs=3), **options
    )


def run(folder, *more):
    return main(["compare", "seattle", *ASKED, "--out", str(folder), *more])


def results(folder):
    """The files of a run that say what it found; not how long it took."""
    names = ["leaderboard.csv", "forecasts.csv", "histories.csv"]
    return {name: (folder / name).read_bytes() for name in names if (folder / name).exists()}


def test_a_run_that_has_ended_is_not_done_again(tmp_path, fits, capsys):
    assert run(tmp_path / "run") == 0
    assert len(fits) == FITS
    first, shown = results(tmp_path / "run"), capsys.readouterr().out
    assert main(["resume", str(tmp_path / "run")]) == 0
    assert len(fits) == FITS, "a finished piece was done twice"
    assert results(tmp_path / "run") == first
    assert without_seconds(capsys.readouterr().out) == without_seconds(shown)


def without_seconds(text):
    return re.sub(r"\d+(\.\d+)? s\b", "s", text[text.index("On the same exam") :])


@pytest.mark.parametrize("options", [{}, {"folds": 2}], ids=["one exam", "backtest"])
@pytest.mark.parametrize("after", [1, 5, 9])
def test_what_was_stopped_goes_on(tmp_path, fits, after, options):
    study = study_of_toy(**options)
    whole = examine(study).forecasts
    asked = set(fits)
    fits.clear()
    with open_run(tmp_path, "compare", study, None) as folder:
        assert examine(study, 1, Stops(after), folder).interrupted
    before = list(fits)
    with open_run(tmp_path, "compare", study, None) as folder:
        again = examine(study, 1, None, folder)
    assert set(fits) == asked
    assert not set(before[:-1]) & set(fits[len(before) :]), "a finished piece was done twice"
    pd.testing.assert_frame_equal(again.forecasts, whole, check_exact=True)
    assert not list((tmp_path / "unfinished").iterdir()), "checkpoints of what is finished"


class StopsInTraining(Silent):
    """Breaks a training off as a kill would, after its second epoch."""

    def epoch(self, job, seed, done):
        if done.epoch == 2:
            raise ZeroDivisionError


def test_a_training_loses_at_most_the_epoch_in_progress(tmp_path, monkeypatch):
    study = replace(study_of_toy(), entries=(study_of_toy().entries[-1],), seeds=1)
    whole = examine(study).forecasts
    with pytest.raises(ZeroDivisionError), open_run(tmp_path, "compare", study, None) as folder:
        examine(study, 1, StopsInTraining(), folder)
    epochs = []
    monkeypatch.setattr(Silent, "epoch", lambda self, job, seed, done: epochs.append(done.epoch))
    with open_run(tmp_path, "compare", study, None) as folder:
        pd.testing.assert_frame_equal(examine(study, 1, None, folder).forecasts, whole, check_exact=True)
    assert epochs == [3]


def test_another_configuration_is_refused_and_the_differences_listed(tmp_path, capsys):
    assert run(tmp_path) == 0
    before = results(tmp_path)
    assert run(tmp_path, "--horizon", "2", "--batch-size", "16", "--no-baselines") == 2
    told = capsys.readouterr().err
    for text in ("holds another run", "exam horizon was 1, now 2", "plan batch_size was 32, now 16"):
        assert text in told
    assert main(["lookback", "seattle", *ASKED, "--out", str(tmp_path)]) == 2
    assert "kind was compare, now lookback" in capsys.readouterr().err
    assert results(tmp_path) == before


def test_changed_data_is_refused_by_column(tmp_path, capsys):
    series = make_toy()
    table = pd.DataFrame(series.values, series.times, list(series.columns))
    data = tmp_path / "toy.csv"
    table.to_csv(data, index_label="time")
    asked = ["--target", "y", "--models", "ridge", "--lookback", "2", "--seeds", "1", "--no-baselines"]
    assert main(["compare", str(data), *asked, "--out", str(tmp_path / "run")]) == 0
    table.loc[table.index[7], "a"] += 1e-9
    table.to_csv(data, index_label="time")
    for command in (["resume", str(tmp_path / "run")], ["compare", str(data), *asked, "--out", str(tmp_path / "run")]):
        capsys.readouterr()
        assert main(command) == 2
        told = capsys.readouterr().err
        assert "columns a was" in told
        assert "columns b was" not in told


def test_a_damaged_piece_is_named(tmp_path, capsys):
    assert run(tmp_path) == 0
    piece = next((tmp_path / "pieces").glob("*ridge_2*"))
    data = bytearray(piece.read_bytes())
    data[-1] ^= 1
    piece.write_bytes(data)
    assert main(["resume", str(tmp_path)]) == 2
    assert f"{piece.name} has changed" in capsys.readouterr().err


def test_only_one_process_works_in_a_folder(tmp_path, capsys):
    with open_run(tmp_path, "compare", study_of_toy(), None):
        assert run(tmp_path) == 2
    assert "is being worked on by process" in capsys.readouterr().err


def test_what_is_refused_is_not_touched(tmp_path, capsys):
    """A ledger without its run, and a folder that somebody has just begun to work in."""
    append_record(tmp_path / "ledger.jsonl", {"what": "finished"})
    before = (tmp_path / "ledger.jsonl").read_bytes()
    assert run(tmp_path) == 2
    assert "holds a ledger" in capsys.readouterr().err
    assert (tmp_path / "ledger.jsonl").read_bytes() == before
    (tmp_path / "begun").mkdir()
    with work_in(tmp_path / "begun"):
        (tmp_path / "begun" / "pieces").mkdir()
        assert run(tmp_path / "begun") == 2
        assert (tmp_path / "begun" / "pieces").is_dir()


def test_a_run_that_comes_to_nothing_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise SettingError("as planned")

    monkeypatch.setattr(studies, "fit_entry", fail)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("stay")
    for folder in (tmp_path / "new", tmp_path / "mine"):
        assert run(folder) == 2
    assert not (tmp_path / "new").exists()
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]


def test_lookbacks_and_tunings_go_on_too(tmp_path, fits):
    asked = [
        "seattle",
        "--target",
        "temp_max",
        "--rows",
        "250",
        "--lookback",
        "2,3",
        "--models",
        "ridge",
        "--seeds",
        "1",
    ]
    assert main(["lookback", *asked, "--out", str(tmp_path / "curve")]) == 0
    assert main(["tune", *asked, "--trials", "4", "--out", str(tmp_path / "search")]) == 0
    done, files = len(fits), {name: results(tmp_path / name) for name in ("curve", "search")}
    for name in ("curve", "search"):
        assert main(["resume", str(tmp_path / name)]) == 0
        assert results(tmp_path / name) == files[name]
    assert len(fits) == done


def test_functions_of_the_users_are_imported_only_when_he_says_so(tmp_path, monkeypatch, capsys):
    module = tmp_path / "my_networks.py"
    module.write_text(
        "from keras import Input, Sequential, layers\n"
        "def build(shape):\n"
        "    return Sequential([Input(shape), layers.Flatten(), layers.Dense(1)])\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    asked = ["compare", "seattle", "--target", "temp_max", "--rows", "200", "--lookback", "2", "--epochs", "2"]
    folder = tmp_path / "run"
    assert main([*asked, "--models", "my_networks:build", "--no-baselines", "--seeds", "1", "--out", str(folder)]) == 0
    assert main(["resume", str(folder)]) == 2
    assert "--own-functions" in capsys.readouterr().err
    assert main(["resume", str(folder), "--own-functions"]) == 0
    record = json.loads((folder / "run.json").read_text())
    record["entries"][0]["recipe"]["code"] = "0" * 64
    (folder / "run.json").write_text(json.dumps(record))
    assert main(["resume", str(folder), "--own-functions"]) == 2
    assert "has changed since the run began" in capsys.readouterr().err


def test_test_days_are_opened_once_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("BACKSIGHT_STATE", str(tmp_path / "state"))
    for _ in range(2):
        assert run(tmp_path / "run") == 0
    assert len((tmp_path / "state" / "openings.jsonl").read_text().splitlines()) == 1
    assert [r["what"] for r in read_records(tmp_path / "run" / "ledger.jsonl")].count("opened") == 1


def test_python_keeps_runs_too(tmp_path, fits):
    asked = {"models": "ridge", "lookback": [2], "seeds": 1, "baselines": False}
    first = compare(make_toy(), "y", **asked, out=tmp_path / "run")
    again = compare(make_toy(), "y", **asked, out=tmp_path / "run")
    assert len(fits) == 1
    pd.testing.assert_frame_equal(first.forecasts, again.forecasts, check_exact=True)
    assert again.fitted[0].seconds == first.fitted[0].seconds


def test_runs_have_a_home(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BACKSIGHT_RUNS")
    small = ["compare", "seattle", "--target", "temp_max", "--rows", "150", "--lookback", "2", "--seeds", "1"]
    assert main([*small, "--models", "ridge", "--no-baselines"]) == 0
    assert main([*small, "--models", "ridge(penalty=1)", "--no-baselines"]) == 0
    first, second = sorted(Path("backsight-runs").iterdir())
    assert first.name.endswith("-001-compare-seattle")
    third = new_run("lookback", "data/my sales.csv")
    assert third.name.endswith("-003-lookback-my-sales")
    third.rmdir()
    capsys.readouterr()

    assert main(["runs"]) == 0
    assert "done" in capsys.readouterr().out
    assert main(["runs", "list", "--json", "-"]) == 0
    listed = json.loads(capsys.readouterr().out)["runs"]
    assert [(r["kind"], r["pieces"], r["finished"], r["best"]) for r in listed] == [
        ("compare", 1, 1, "ridge_2"),
        ("compare", 1, 1, "ridge(penalty=1.0)_2"),
    ]
    assert main(["runs", "compare", first.name, second.name, "--json", "-"]) == 0
    side_by_side = json.loads(capsys.readouterr().out)
    assert side_by_side["same_exam"]
    assert side_by_side["entries"][0]["val_rmse"][1] is None

    assert main(["runs", "remove", first.name]) == 0
    assert sorted(Path("backsight-runs").glob("2*")) == [second]
    assert main(["runs", "restore", first.name]) == 0
    assert first.is_dir()
    assert main(["runs", "remove", first.name]) == 0
    assert main(["runs", "empty", "--yes"]) == 0
    assert not (Path("backsight-runs") / ".removed").exists()
    assert main(["runs", "remove", "nothing"]) == 2


def test_curves_stand_beside_leaderboards_and_lessons_are_done(tmp_path, capsys):
    small = [
        "seattle",
        "--target",
        "temp_max",
        "--rows",
        "150",
        "--lookback",
        "2,3",
        "--seeds",
        "1",
        "--models",
        "ridge",
    ]
    assert main(["compare", *small, "--no-baselines", "--out", str(tmp_path / "board")]) == 0
    assert main(["lookback", *small, "--no-baselines", "--out", str(tmp_path / "curve")]) == 0
    capsys.readouterr()
    assert main(["runs", "compare", str(tmp_path / "board"), str(tmp_path / "curve"), "--json", "-"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["same_exam"]
    assert {entry["name"] for entry in found["entries"]} == {"ridge_2", "ridge_3"}
    for entry in found["entries"]:
        assert entry["val_rmse"][0] == entry["val_rmse"][1] > 0

    record = json.loads((tmp_path / "board" / STUDY_FILE).read_text())
    (tmp_path / "lesson").mkdir()
    (tmp_path / "lesson" / STUDY_FILE).write_text(json.dumps({**record, "kind": "lesson"}))
    assert main(["runs", "list", "--home", str(tmp_path)]) == 0
    assert "goes on" not in capsys.readouterr().out, "a lesson is not resumed"


def test_pieces_are_named_for_people():
    assert str(Piece("lstm_3", 2, 1)) == "lstm_3, fold 2, seed 1"
    assert backsight.compare is compare
