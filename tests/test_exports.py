"""Exported models forecast what ours do, in programs without backsight."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest

from backsight.errors import ModelFileError, RecipeError, SettingError
from backsight.models.frozen import Frozen
from backsight.models.network import Network
from backsight.models.registry import RECIPES, as_recipe
from backsight.runs.compare import compare
from backsight.runs.entry import Entry
from backsight.runs.export import onnx_file, onnx_networks, onnx_tables
from backsight.runs.export.agreement import TOLERANCE, check_agreement, draw_windows, forecast
from backsight.runs.export.onnx_file import to_onnx
from backsight.runs.export.plain_keras import to_keras
from backsight.runs.fit import Fitted
from backsight.runs.model_file import Model
from backsight.training.plan import Plan
from backsight.windows.scaling import Scaler
from backsight.windows.windows import View, input_values
from conftest import HORIZON, LOOKBACK, make_toy

#: For JAX: compile in a hurry, and keep what was compiled for the next time.
QUICKLY = {
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_COMPILATION_CACHE_DIR": str(Path(os.environ["BACKSIGHT_CACHE"]) / "plain-keras"),
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
NETWORKS = [name for name, recipe in RECIPES.items() if isinstance(recipe, Network)]
#: What no other form has layers for.
LEFT_OUT = ["persistence", "seasonal", "climatology", "damped_persistence"]


def make_series():
    """The toy, with a column like the pressure of the air, whose mean is far above its deviation."""
    toy = make_toy()
    return replace(toy, values=toy.values * [1, 7, 1] + [0, 1013.25, 0])


@lru_cache
def of_ridge(lookback=LOOKBACK, horizon=HORIZON):
    """A model that others take their card from."""
    return compare(make_series(), "y", models="ridge", lookback=[lookback], horizon=horizon, baselines=False).model()


def spread(shape):
    """Of weights at random: forecasts stay as large as what is read."""
    return np.prod(shape[:-1]) ** -0.5 if len(shape) > 1 else 0.1


@lru_cache
def drawn(text, lookback=LOOKBACK, seeds=1, quantiles=False):
    """A network of these settings whose weights are random: its training would add nothing but time."""
    recipe, shape, plan = as_recipe(text), (lookback, 3, HORIZON), Plan(loss="quantile" if quantiles else "squared")
    entry = Entry(text, recipe, lookback, ("y", "a", "b"), plan=plan)
    scaler = Scaler(np.array([10.0, 1013.25, 0.5]), np.array([3.0, 7.0, 1.0]))
    view = View("y", entry.features, False, lookback, HORIZON, scaler, 10.0, 3.0)
    fitted, counts = [], {"epochs": 0, "kept_epoch": 0, **({"quantiles": 3} if quantiles else {})}
    for seed in range(seeds):
        rng, specs = np.random.default_rng(seed), recipe.expected(*shape, counts)
        arrays = {n: rng.normal(0, spread(specs[n].shape), specs[n].shape).astype(specs[n].dtype) for n in specs}
        fitted.append(Fitted(entry, seed, view, recipe.thaw(Frozen(counts, arrays), *shape, plan), 1, 0.0))
    card = of_ridge(lookback).card.model_copy(update={"name": text, "lookback": lookback})
    return Model(card, tuple(fitted), of_ridge(lookback).calibration)


def windows_of_the_series(model):
    """All windows of the toy as a user would cut them: (windows, lookback, columns), and what our model forecasts."""
    columns, card = tuple(column.name for column in model.card.features), model.card
    table = input_values(make_series(), columns, card.calendar)
    raw = np.lib.stride_tricks.sliding_window_view(table, card.lookback, axis=0).transpose(0, 2, 1)
    ours = model.predict(make_series())["predicted"].to_numpy().reshape(-1, card.horizon)
    return np.ascontiguousarray(raw), ours


def run_onnx(data, raw):
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {"window": raw})[0]


def fitted_tables(name):
    found = compare(
        make_series(), "y", models=[name], lookback=[LOOKBACK], horizon=HORIZON, seeds=2, calendar=True, baselines=False
    )
    return found.model()


@pytest.mark.parametrize("name", ["ridge", "trees", *NETWORKS])
def test_onnx_runtime_forecasts_the_same(name):
    model = drawn(name, seeds=2) if name in NETWORKS else fitted_tables(name)
    raw, ours = windows_of_the_series(model)
    theirs = run_onnx(to_onnx(model), raw)
    assert theirs.shape == ours.shape == (len(raw), HORIZON)
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=TOLERANCE * model.fitted[0].view.target_scale)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's own, in saving
def test_plain_keras_forecasts_the_same_without_backsight(tmp_path):
    ours = {}
    for name in ("ridge", "dense", "rnn", "lstm_stacked", "gru", "cnn", "attention", "transformer"):  # every family
        model = of_ridge() if name == "ridge" else drawn(name, seeds=2 if name == "gru" else 1)
        to_keras(model).save(tmp_path / f"{name}.keras")
        raw, ours[name] = windows_of_the_series(model)
        with zipfile.ZipFile(tmp_path / f"{name}.keras") as file:
            assert b"backsight." not in file.read("config.json")
    np.save(tmp_path / "raw.npy", raw.astype(np.float32))
    program = """
        import os, sys
        os.environ["KERAS_BACKEND"] = "jax"
        import keras, numpy as np
        for name in sys.argv[1:]:
            model = keras.models.load_model(f"{name}.keras")
            np.save(f"{name}.npy", model.predict(np.load("raw.npy"), verbose=0))
        assert not [module for module in sys.modules if module.startswith("backsight")]
    """
    python = [sys.executable, "-c", dedent(program), *ours]
    ran = subprocess.run(python, cwd=tmp_path, env=os.environ | QUICKLY, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    for name, forecasts in ours.items():
        np.testing.assert_allclose(np.load(tmp_path / f"{name}.npy"), forecasts, rtol=1e-5, atol=1e-4, err_msg=name)


@pytest.mark.filterwarnings("ignore:(?s).*softmax over axis")  # attention to one step
@pytest.mark.parametrize(
    ("text", "lookback"),
    [
        ("dense(units=5-3,activation=gelu,dropout=0.2)", 3),
        ("dense(units=4,layers=3,activation=selu)", 1),
        ("rnn(units=3,layers=2,activation=elu,dropout=0.1)", 5),
        ("lstm(units=3,activation=softplus)", 1),
        ("lstm(units=3,layers=3,activation=relu)", 4),
        ("gru(units=5,activation=linear)", 4),
        ("lstm(units=5,activation=linear)", 4),
        ("cnn(units=3,layers=3,kernel=2,activation=silu)", 9),
        ("cnn(units=3,layers=1,kernel=5,activation=tanh)", 3),
        ("cnn(units=3,layers=2,kernel=3,activation=sigmoid)", 30),
        ("attention(units=3,layers=2,layer=GRU)", 1),
        ("transformer(units=6,heads=3,layers=2,activation=silu,dropout=0.1)", 4),
        ("transformer(units=2,heads=1)", 1),
    ],
)
def test_other_settings_go_to_onnx_too(text, lookback):
    model = drawn(text, lookback)
    raw = draw_windows(model.fitted[0].view, 20)
    ours = forecast(model.fitted[0], raw)
    np.testing.assert_allclose(run_onnx(to_onnx(model), raw), ours, rtol=1e-5, atol=TOLERANCE * 3)


def test_of_quantiles_the_median_is_exported(tmp_path):
    model = drawn("lstm(units=3)", quantiles=True)
    raw, ours = windows_of_the_series(model)
    np.testing.assert_allclose(run_onnx(to_onnx(model), raw), ours, rtol=0, atol=TOLERANCE * 3)
    to_keras(model)  # raises if it forecasts something else


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_has_no_such_form_is_refused(name):
    model = compare(make_toy(), "y", models=[name], lookback=[1], baselines=False).model()
    with pytest.raises(RecipeError, match="can't be exported to ONNX"):
        to_onnx(model)
    with pytest.raises(RecipeError, match="Keras has no layers"):
        to_keras(model)


def test_activations_that_onnx_lacks_are_refused():
    with pytest.raises(RecipeError, match="no activation 'gelu'"):
        to_onnx(drawn("lstm(units=2,activation=gelu)"))


def test_without_onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(onnx_file, "find_spec", lambda name: None)
    with pytest.raises(SettingError, match=r"pip install 'backsight\[onnx\]'"):
        to_onnx(of_ridge())


def test_gates_in_a_wrong_order_are_seen(monkeypatch):
    monkeypatch.setitem(onnx_networks.GATE_ORDER, "LSTM", [0, 1, 2, 3])
    with pytest.raises(ModelFileError, match="lstm as ONNX forecasts something else"):
        to_onnx(drawn("lstm"))


def test_forecasts_that_are_no_numbers_are_seen():
    model = of_ridge()
    with pytest.raises(ModelFileError, match="something else"):
        check_agreement(model, draw_windows(model.fitted[0].view), lambda raw: np.full((64, HORIZON), np.nan), "a form")


def test_an_onnx_file_says_what_goes_in():
    import onnx

    model = onnx.load_from_string(to_onnx(drawn("gru")))
    notes = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(notes["columns"]) == ["y", "a", "b"]
    assert (notes["target"], notes["step"]) == ("y", "86400000000 microseconds")
    ends = [
        [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
        for v in (*model.graph.input, *model.graph.output)
    ]
    assert ends == [["windows", LOOKBACK, 3], ["windows", HORIZON]]
    assert to_onnx(drawn("gru")) == model.SerializeToString(deterministic=True)


def test_thresholds_of_32_bits_ask_the_same():
    rng = np.random.default_rng(0)
    lags = rng.normal(size=1000).astype(np.float32)
    thresholds = np.concatenate([lags.astype(np.float64), lags + 1e-9 * rng.normal(size=1000)])
    below = onnx_tables._below(thresholds)
    assert ((lags[:, None] <= below) == (lags[:, None].astype(np.float64) <= thresholds)).all()
