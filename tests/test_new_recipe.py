"""docs/new-recipe.md, done: its file and its line make a model that sits the exam and holds all laws."""

import importlib.util
import sys
from dataclasses import fields, replace

import numpy as np
import pytest

import backsight
from backsight.models import registry
from backsight.models.frozen import specs_of
from backsight.runs.compare import compare
from backsight.training.plan import Plan
from conftest import make_toy
from documents import ROOT, fenced_blocks
from laws import law_alone_or_together, law_future, law_poison_after_training, law_poison_after_validation, views

FILE, CALL, LINE, _ = (
    block for kind, block in fenced_blocks((ROOT / "docs/new-recipe.md").read_text()) if kind == "python"
)


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The file of the page, imported."""
    (tmp_path / "smoothing.py").write_text(FILE)
    spec = importlib.util.spec_from_file_location("smoothing", tmp_path / "smoothing.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "smoothing", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def recipe(module, monkeypatch):
    """The recipe of the page, entered into the registry by its line."""
    entered = eval("{" + LINE + "}", vars(module))  # as it stands within the table
    for name, new in entered.items():
        monkeypatch.setitem(registry.RECIPES, name, new)
        monkeypatch.setitem(registry.FAMILIES, new.family, type(new))
    return entered["smoothing"]


@pytest.mark.parametrize(
    "law", [law_poison_after_training, law_poison_after_validation, law_future, law_alone_or_together]
)
def test_it_holds_the_laws(law, recipe):
    law(recipe)


def test_it_has_a_name_settings_and_json(recipe):
    assert registry.recipe_name(recipe) == "smoothing"
    half = registry.as_recipe("smoothing(rate=0.5)")
    assert registry.recipe_from_json(registry.recipe_to_json(half)) == half
    with pytest.raises(backsight.RecipeError, match="rate"):
        registry.as_recipe("smoothing(rate=2)")
    for field in fields(recipe):
        assert field.name in type(recipe).__doc__


def test_what_was_fitted_is_kept_as_numbers(recipe):
    learn, check, test = views(make_toy())
    fitted = recipe.fit(learn, check, Plan(), seed=0)
    frozen, shape = fitted.freeze(), (test.lookback, test.features, test.horizon)
    assert specs_of(frozen.arrays) == recipe.expected(*shape, frozen.settings)
    thawed = recipe.thaw(frozen, *shape, Plan())
    assert thawed == fitted
    assert np.array_equal(thawed.predict(test), fitted.predict(test))


def test_it_sits_the_exam_and_is_right(recipe):
    models = ["persistence", "smoothing(rate=1.0)", "smoothing"]
    found = compare(make_toy(), "y", models=models, lookback=[4], horizon=2, baselines=False)
    board = found.leaderboard.set_index("entry")
    assert (
        board.loc["smoothing(rate=1.0)_4", "test_rmse"] == board.loc["persistence", "test_rmse"]
    )  # the last value alone
    assert board.loc["smoothing_4", "val_rmse"] <= board.loc["persistence", "val_rmse"]  # it may choose that rate
    assert board.loc["smoothing_4", "test_rmse"] < board.loc["persistence", "test_rmse"]


def test_without_the_registry_python_can_give_it_to_a_comparison(module):
    sales = replace(make_toy(300), columns=("units", "a", "b"))
    names = {"sales": sales}
    exec(CALL.replace('"gru"', '"ridge"'), names)
    entries = set(names["found"].leaderboard["entry"])
    assert {"smoothing_7", "smoothing_28", "smoothing(rate=0.3)_7", "smoothing(rate=0.3)_28", "ridge_7"} < entries
