"""Recipes of a class that is in no table of ours: they sit the exam, and no file brings them back."""

import json
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd
import pytest

import backsight
from backsight.cli.main import main
from backsight.errors import RecipeError, SettingError
from backsight.models.frozen import Frozen, floats
from backsight.models.recipe import Forecaster, Recipe
from backsight.models.recursive import Recursive
from backsight.models.registry import as_recipe, recipe_name
from backsight.runs.pools import receive, send
from backsight.runs.saved import read_study, run_record
from backsight.runs.search_space import make_candidates
from backsight.runs.study import make_study
from backsight.series.source import Source
from backsight.training.plan import Plan
from conftest import make_toy

ASKED = {"models": ["ridge"], "lookback": [2], "seeds": 1, "baselines": False}


@dataclass(frozen=True)
class Constant(Forecaster):
    value: float

    def predict(self, windows):
        return np.full((len(windows), windows.horizon), self.value)


class KeptConstant(Constant):
    def freeze(self):
        return Frozen({}, {"value": np.array([self.value])})


@dataclass(frozen=True)
class Mean(Recipe):
    """The mean of the training rows' targets, times something."""

    times: float = 1.0
    family: ClassVar[str] = "mean"

    def fit(self, learn, check, plan, seed, on_epoch=None):
        return Constant(self.times * float(learn.gather_outputs().mean()))


class KeptMean(Mean):
    """The same, with what a run needs to keep it."""

    family = "kept_mean"

    def fit(self, learn, check, plan, seed, on_epoch=None):
        return KeptConstant(super().fit(learn, check, plan, seed).value)

    def expected(self, lookback, features, horizon, settings):
        return {"value": floats(1)}

    def thaw(self, frozen, lookback, features, horizon, plan):
        return KeptConstant(float(frozen.arrays["value"][0]))


def test_it_is_named_scored_and_ranked():
    toy = make_toy()
    found = backsight.compare(toy, "y", **{**ASKED, "models": [Mean(), Mean(times=0.5), "ridge"]})
    board = found.leaderboard.set_index("entry")
    assert set(board.index) == {"mean_2", "mean(times=0.5)_2", "ridge_2"}
    test, train = found.study.exam.split.test, found.study.exam.split.train
    y = toy.values[:, 0]
    by_hand = np.sqrt(np.mean((y[test.start : test.stop] - y[2 : train.stop].mean()) ** 2))
    assert board.loc["mean_2", "test_rmse"] == pytest.approx(by_hand, rel=1e-12)


def test_it_is_backtested_made_recursive_and_audited():
    toy = make_toy()
    folds = backsight.compare(toy, "y", **{**ASKED, "models": [Mean()]}, folds=2)
    assert set(folds.forecasts["entry"]) == {"mean_2"}
    assert recipe_name(Recursive(Mean(times=2.0))) == "recursive(mean(times=2.0))"
    with pytest.raises(RecipeError, match="mean has no setting left to tune"):
        make_candidates([Mean()], [2, 3], Plan())
    assert backsight.audit_model(Mean(), toy, "y").model == "mean"


def test_a_name_of_ours_is_not_taken():
    class Ridge(Mean):
        family = "ridge"

    assert recipe_name(Ridge()) == "Ridge"
    found = backsight.compare(make_toy(), "y", **{**ASKED, "models": [Ridge(), "ridge"]})
    assert set(found.leaderboard["entry"]) == {"Ridge_2", "ridge_2"}


class Plain(Recipe):
    """A class that is no dataclass: nobody knows its settings."""

    family = "plain"

    def __init__(self, value):
        self.value = value

    def fit(self, learn, check, plan, seed, on_epoch=None):
        return Constant(self.value)


def test_a_plain_class_will_do_but_two_of_a_name_will_not():
    found = backsight.compare(make_toy(), "y", **{**ASKED, "models": [Plain(1.0)]})
    assert list(found.leaderboard["entry"]) == ["plain_2"]
    with pytest.raises(SettingError, match=r"Two different models are called 'plain_2'.*dataclass.*settings"):
        backsight.compare(make_toy(), "y", **{**ASKED, "models": [Plain(1.0), Plain(2.0)]})


class Nameless(Recipe):
    def fit(self, learn, check, plan, seed, on_epoch=None): ...


class Unhashable(Mean):
    __hash__ = None


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Mean, r"Mean is a class of recipes.*Mean\(\)"),
        (Nameless(), "Nameless does not say what it is called.*family"),
        (Unhashable(), "hashable.*Unhashable.*frozen dataclass"),
        (Mean(times=[1]), "hashable.*Mean.*list.*plain values"),
    ],
)
def test_what_can_not_work_is_refused(model, says):
    with pytest.raises(RecipeError, match=says):
        as_recipe(model)


def test_no_file_holds_it(tmp_path):
    found = backsight.compare(make_toy(), "y", **{**ASKED, "models": [KeptMean(), "ridge"]})
    with pytest.raises(RecipeError, match="kept_mean is a model of yours"):
        found.save(tmp_path / "mean.zip", "kept_mean_2")
    assert not list(tmp_path.iterdir())


def test_a_run_of_it_goes_on_in_python_and_only_there(tmp_path, capsys, monkeypatch):
    asked = {**ASKED, "models": [KeptMean(times=0.5), "ridge"], "out": tmp_path / "run"}
    first = backsight.compare(make_toy(), "y", **asked)
    with monkeypatch.context() as patch:
        patch.setattr(KeptMean, "fit", None)  # would be called if it were fitted again
        again = backsight.compare(make_toy(), "y", **asked)
    pd.testing.assert_frame_equal(again.forecasts, first.forecasts, check_exact=True)
    assert main(["resume", str(tmp_path / "run")]) == 2
    assert "has models of yours: kept_mean(times=0.5)" in " ".join(capsys.readouterr().err.split())


def test_a_run_that_says_where_its_data_is_brings_back_the_rest(tmp_path):
    study = make_study(backsight.load("seattle"), "temp_max", **{**ASKED, "models": [Mean(), "ridge"]})
    (tmp_path / "run.json").write_text(json.dumps(run_record("compare", study, Source("seattle"))))
    assert [entry.name for entry in read_study(tmp_path).entries] == ["ridge_2"]
    with pytest.raises(RecipeError, match="mean_2 is a model of yours"):
        read_study(tmp_path, ["mean_2"])
    with pytest.raises(RecipeError, match=r"mean has no name to import it by.*Call `compare` again"):
        read_study(tmp_path, functions=True)


def test_a_run_of_what_can_not_be_kept_leaves_nothing(tmp_path):
    with pytest.raises(RecipeError, match="Constant can't be kept: it has no method `freeze`"):
        backsight.compare(make_toy(), "y", **{**ASKED, "models": [Mean()]}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("code", [False, True])
def test_it_is_sent_to_workers(code):
    study = make_study(make_toy(), "y", **{**ASKED, "models": [KeptMean(times=0.5)]})
    sent = receive(send(study, code=code)).entries[0].recipe
    assert recipe_name(sent) == "kept_mean(times=0.5)"
