"""Runs as files, and the count of openings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import backsight
from backsight.cli.main import main
from backsight.errors import DataError, RecipeError, SettingError
from backsight.runs.compare import examine
from backsight.runs.openings import Openings, note_opening
from backsight.runs.saved import read_study, run_record
from backsight.runs.study import make_study
from backsight.series.source import Source
from backsight.training.plan import Plan
from conftest import make_toy


def keep(folder, study, source):
    (folder / "run.json").write_text(json.dumps(run_record("compare", study, source)))
    return folder


def write_csv(path, series):
    pd.DataFrame(series.values, series.times, list(series.columns)).to_csv(path, index_label="time")
    return path


@pytest.fixture
def source(tmp_path):
    return Source(str(write_csv(tmp_path / "toy.csv", make_toy())))


def test_a_run_is_fitted_again_to_the_bit(tmp_path, source):
    study = make_study(
        source.load(), "y", models="ridge,lstm(units=3)", lookback=[2, 4], seeds=2, plan=Plan(epochs=2), calendar=True
    )
    slower = replace(study.entries[-1], name="slower", plan=Plan(epochs=3, learning_rate=0.0001))
    study = replace(study, entries=(*study.entries, slower))
    again = read_study(keep(tmp_path, study, source))
    assert again.entries == study.entries
    assert (again.exam, again.plan, again.seeds, again.scale) == (study.exam, study.plan, study.seeds, study.scale)
    pd.testing.assert_frame_equal(examine(again).forecasts, examine(study).forecasts, check_exact=True)


def test_entries_of_a_run_can_be_chosen(tmp_path, source):
    folder = keep(tmp_path, make_study(source.load(), "y", models="ridge,rnn", lookback=[2, 4]), source)
    assert [e.name for e in read_study(folder, ["rnn_4"]).entries] == ["rnn_4"]
    with pytest.raises(SettingError, match="no entry 'gru_4'"):
        read_study(folder, ["gru_4"])


def test_changed_data_is_refused(tmp_path, source):
    folder = keep(tmp_path, make_study(source.load(), "y", models="ridge", lookback=[2]), source)
    series = make_toy()
    series.values[7, 1] += 1e-9
    write_csv(Path(source.data), series)
    with pytest.raises(DataError, match="has changed"):
        read_study(folder)


def own(shape):
    raise AssertionError("a file must not run code")


def test_functions_are_not_read_from_files(tmp_path, source):
    study = make_study(source.load(), "y", models=[own, "ridge"], lookback=[2], baselines=False)
    folder = keep(tmp_path, study, source)
    assert [e.name for e in read_study(folder).entries] == ["ridge_2"]
    with pytest.raises(RecipeError, match="model of yours"):
        read_study(folder, ["own_2"])


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 0}'])
def test_what_is_no_run_is_refused(tmp_path, text):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(SettingError, match="run"):
        read_study(tmp_path)


def test_a_folder_without_a_run_is_refused(tmp_path):
    with pytest.raises(SettingError, match="holds no run"):
        read_study(tmp_path)


def test_the_command_writes_a_run_that_can_be_read(tmp_path):
    asked = "compare seattle --rows 200 --lookback 2 --models ridge --seeds 1 --no-baselines"
    assert main([*asked.split(), "--out", str(tmp_path)]) == 0
    study = read_study(tmp_path)
    assert [e.name for e in study.entries] == ["ridge_2"]
    assert len(study.series) == 200


@pytest.fixture
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("BACKSIGHT_STATE", str(tmp_path / "state"))
    return tmp_path / "state" / "openings.jsonl"


def test_openings_of_an_exam_are_counted(state):
    series = make_toy()
    study = make_study(series, "y", models="ridge", lookback=[2])
    assert note_opening(study) == Openings(1, 1)
    assert note_opening(study) == Openings(2, 1), "the same study again"
    assert note_opening(replace(study, seeds=9)) == Openings(3, 2)
    assert note_opening(make_study(series, "y", features=["a"], models="rnn", lookback=[7])) == Openings(4, 3)
    assert note_opening(make_study(series, "a", models="ridge", lookback=[2])) == Openings(1, 1), "another target"
    assert note_opening(make_study(make_toy(140), "y", models="ridge", lookback=[2])) == Openings(1, 1), "other days"
    state.write_text(state.read_text() + '{"exam": "torn\n')
    assert note_opening(study) == Openings(5, 3)


def test_openings_that_cannot_be_noted_stop_nobody(state, monkeypatch):
    study = make_study(make_toy(), "y", models="ridge", lookback=[2])
    state.parent.write_text("a file where the folder would go")
    assert note_opening(study) is None
    monkeypatch.setenv("BACKSIGHT_STATE", "")
    assert note_opening(study) is None


@pytest.mark.usefixtures("state")
def test_reports_say_how_often_test_days_were_opened(capsys):
    for models in ("ridge", "ridge(penalty=1)"):
        asked = ["compare", "seattle", "--rows", "200", "--lookback", "2", "--no-baselines", "--models", models]
        assert main([*asked, "--seeds", "1"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.count("Test days chose nothing.") == 1
    assert "these test days have been opened 2 times, by 2 different studies" in printed


def test_require_skill_sets_the_exit_code(tmp_path, capsys):
    """A signal that neither a line nor a tree sees well: a wave across the product of two columns."""
    a, b = np.random.default_rng(0).uniform(-1, 1, (2, 1200))
    table = pd.DataFrame(
        {"y": np.roll(np.sin(3 * a) * b, 1), "a": a, "b": b}, pd.date_range("2020-01-01", periods=1200)
    )
    table.to_csv(tmp_path / "product.csv", index_label="time")
    asked = ["compare", str(tmp_path / "product.csv"), "--target", "y", "--lookback", "1", "--require-skill"]
    assert main([*asked, "--models", "dense", "--seeds", "3", "--learning-rate", "0.01"]) == 0
    assert main([*asked, "--models", "rnn(units=1)", "--epochs", "1", "--seeds", "1"]) == 1
    assert "no network is shown to be better than" in capsys.readouterr().out


def test_a_pair_in_python():
    found = backsight.compare(backsight.load("seattle"), "temp_max", models="ridge", lookback=[7], seeds=1)
    pair = found.paired("ridge_7", "climatology")
    assert pair.windows == len(found.exam.split.test)
    assert pair.low < pair.difference < pair.high
    assert found.recommended in set(found.leaderboard["entry"])
