"""Whoever makes a plan, a recipe or a split in Python is told what is wrong as on the command line."""

import inspect
from dataclasses import FrozenInstanceError, fields, replace

import pytest

import backsight
from backsight.errors import BacksightError, RecipeError, SettingError
from backsight.models.persistence import SeasonalPersistence
from backsight.models.recurrent import Recurrent
from backsight.models.registry import FAMILIES
from backsight.training.plan import Plan

LSTM = backsight.RECIPES["lstm"]


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Plan(patience=0), SettingError, "patience: .* greater than or equal to 1; 0 was given"),
        (lambda: Plan(learning_rate=float("nan")), SettingError, "learning_rate: .*nan was given"),
        (lambda: Plan(monitor="test"), SettingError, "monitor: .*'val_loss' or 'loss'; 'test' was given"),
        (lambda: Plan(patients=3), SettingError, "patients: Unexpected keyword argument; 3 was given"),
        (lambda: Plan(quantiles=(0.1, 0.4, 0.9)), SettingError, "quantiles must rise"),
        (lambda: replace(Plan(), epochs=-1), SettingError, "epochs"),
        (lambda: Recurrent(units=0), RecipeError, "Model recurrent: units: .*0 was given"),
        (lambda: replace(LSTM, dropout=1.0), RecipeError, "Model recurrent: dropout"),
        (lambda: SeasonalPersistence(season="week"), RecipeError, "Model seasonal_persistence: season: .*'week'"),
        (lambda: backsight.Split(range(9), range(9, 9), range(9, 12)), BacksightError, "validation part"),
        (lambda: backsight.Split(range(9), range(9, 12), range(12, 15), gap=-1), SettingError, "A gap"),
    ],
)
def test_a_wrong_setting_is_said_in_our_words(make, error, says):
    with pytest.raises(error, match=says) as caught:
        make()
    assert "pydantic" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("made", [Plan(), LSTM])
def test_settings_stay_frozen_dataclasses_with_a_signature(made):
    with pytest.raises(FrozenInstanceError):
        made.units = 3
    assert replace(made) == made
    assert hash(replace(made)) == hash(made)
    assert set(inspect.signature(type(made)).parameters) == {field.name for field in fields(made)}


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_no_recipe_of_ours_lets_pydantic_speak(family):
    with pytest.raises((RecipeError, TypeError)) as caught:
        family(nonsense=1)
    assert family.family == "recursive" or "nonsense" in str(caught.value)
