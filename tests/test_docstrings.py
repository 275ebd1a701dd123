"""Every public name says what it is: parameters, errors, shapes, units, tables; each rule catches a planted gap."""

import inspect

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import backsight
from backsight.errors import SettingError
from docstrings import (
    public_things,
    unsaid_errors,
    unsaid_parameters,
    unsaid_shapes,
    unsaid_tables,
    unsaid_units,
)

THINGS = dict(public_things())
RULES = {
    "parameters": unsaid_parameters,
    "errors": unsaid_errors,
    "shapes": unsaid_shapes,
    "units": unsaid_units,
    "tables": unsaid_tables,
}


@pytest.mark.parametrize("name", THINGS)
def test_a_docstring_says_what_there_is_to_know(name):
    text = inspect.getdoc(THINGS[name]) or ""
    assert len(text.split()) > 1, "a docstring has a sentence"
    assert text.split("\n", 1)[0].rstrip()[-1:] in {".", "?", "!", ":"}
    unsaid = {rule: list(check(THINGS[name])) for rule, check in RULES.items()}
    assert not any(unsaid.values()), unsaid


def test_things_are_found():
    assert set(THINGS) >= {n for n in backsight.__all__ if callable(getattr(backsight, n))}
    assert {"Comparison.predict", "Series.between", "Recipe.fit"} <= set(THINGS)
    assert len(THINGS) > 80


def silent(rate: float, frame: pd.DataFrame, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Does something that nobody is told of."""
    _refuse(rate)
    return weights * len(frame)


def _refuse(rate: float) -> None:
    if rate < 0:
        raise SettingError("no")


def test_each_rule_catches_a_gap():
    assert unsaid_parameters(silent) == ["rate", "frame", "weights"]
    assert unsaid_errors(silent) == {"SettingError"}
    assert unsaid_shapes(silent) == ["weights", "result"]
    assert unsaid_units(silent) == ["result"]
    assert unsaid_tables(silent) == ["frame"]
