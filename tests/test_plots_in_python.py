"""Plots from Python: each takes an axis and returns it, and what the library hands out fits them."""

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from matplotlib.figure import Figure

import backsight
from conftest import make_toy

SMALL = {"lookback": [3, 7], "seeds": 1, "baselines": False}


@pytest.fixture(scope="module")
def found():
    plan = backsight.Plan(epochs=2)
    return backsight.compare(make_toy(), "y", models="ridge,dense(units=4)", horizon=2, plan=plan, **SMALL)


@pytest.fixture(scope="module")
def curve():
    return backsight.lookback_curve(make_toy(), "y", models="ridge", **SMALL)


@pytest.fixture(scope="module")
def profile():
    return backsight.memory_profile(make_toy(), "y", models="ridge", lookback=[3], draws=2)


PLOTS = {
    "history": lambda found, curve, profile, ax: backsight.plot_history(found.histories, ax, entry="dense(units=4)_3"),
    "leaderboard": lambda found, curve, profile, ax: backsight.plot_leaderboard(found.leaderboard, ax),
    "lookback": lambda found, curve, profile, ax: backsight.plot_lookback(curve.table, ax),
    "memory": lambda found, curve, profile, ax: backsight.plot_memory(profile.record, ax),
    "forecast": lambda found, curve, profile, ax: backsight.plot_forecast(found.forecasts, ax),
    "leads": lambda found, curve, profile, ax: backsight.plot_leads(found.leads, ax),
}


@pytest.mark.parametrize("name", PLOTS)
def test_a_plot_draws_on_the_axis_that_it_is_given_and_returns_it(name, found, curve, profile):
    figure = Figure()
    one, other = figure.subplots(1, 2)
    before = plt.get_fignums()
    assert PLOTS[name](found, curve, profile, one) is one
    assert one.has_data()
    assert not other.has_data()
    assert plt.get_fignums() == before, "no figure of its own"


@pytest.mark.parametrize("name", PLOTS)
def test_without_an_axis_a_plot_makes_one(name, found, curve, profile):
    assert PLOTS[name](found, curve, profile, None).has_data()


def test_the_intervals_of_a_comparison_are_those_of_its_plot(found):
    ax = backsight.plot_forecast(found.forecasts, entries=["ridge_3"], intervals=found.intervals("ridge_3"))
    assert any("interval of ridge_3" in str(mark.get_label()) for mark in ax.collections)


def test_intervals_of_another_entry_are_refused(found):
    with pytest.raises(ValueError, match="not those of 'ridge_3'"):
        backsight.plot_forecast(found.forecasts, entries=["ridge_3", "ridge_7"], intervals=found.intervals("ridge_7"))


def test_no_two_lines_of_errors_by_lead_look_alike():
    names = [f"model_{k}" for k in range(20)]
    rows = pd.DataFrame([(n, lead, k + lead) for k, n in enumerate(names) for lead in (1, 2)])
    leads = rows.set_axis(["entry", "lead", "test_rmse"], axis=1).assign(reference=None)
    looks = {(line.get_color(), line.get_marker()) for line in backsight.plot_leads(leads).lines}
    assert len(looks) == len(names)
