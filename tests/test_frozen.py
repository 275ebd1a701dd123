"""Fitted forecasters as plain values: the same to the bit again, and of the shapes that arithmetic foretells."""

import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight.errors import ModelFileError, RecipeError
from backsight.models.frozen import Frozen, check_specs, specs_of
from backsight.models.grown import as_forecaster
from backsight.models.network import Network
from backsight.models.registry import RECIPES, as_recipe
from backsight.models.ridge import Ridge
from backsight.runs.compare import compare
from backsight.runs.packed import pack, read_packed, unpack
from backsight.runs.tensors import DTYPES, read_from, read_tensors, write_tensors
from backsight.training.plan import Plan
from conftest import HORIZON, LOOKBACK, STEPS, make_toy
from laws import NormalisingForecaster, views
from test_recipes import own_for_any_horizon

PLAN = Plan(epochs=2, batch_size=16)
SHAPE = (LOOKBACK, 3, HORIZON)


def with_moving_averages(shape, horizon):
    import keras

    layers = keras.layers
    return keras.Sequential(
        [keras.Input(shape), layers.Flatten(), layers.BatchNormalization(), layers.Dropout(0.3), layers.Dense(horizon)]
    )


OWN = {recipe.name: recipe for recipe in map(as_recipe, (own_for_any_horizon, with_moving_averages))}
ALL = {**RECIPES, "ridge(penalty=1.0)": Ridge(penalty=1.0), **OWN}


@pytest.fixture(scope="module")
def found():
    """Every recipe, compared once."""
    return compare(
        make_toy(), "y", models=list(ALL.values()), lookback=[LOOKBACK], horizon=HORIZON, seeds=2, plan=PLAN,
        baselines=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def fitted(found):
    """The second seed of a recipe, or its only one."""
    return lambda name: found.members(entry_of(name))[-1]


def entry_of(name):
    return f"{name}_{LOOKBACK}" if ALL[name].reads_window else name


@pytest.mark.parametrize("name", ALL)
def test_thawed_is_fitted_to_the_bit(name, fitted):
    before, windows = fitted(name).forecaster, views(make_toy())[2]
    frozen = before.freeze()
    check_specs(specs_of(frozen.arrays), ALL[name].expected(*SHAPE, frozen.settings))
    after = ALL[name].thaw(frozen, *SHAPE, PLAN)
    assert after.freeze() == frozen
    assert after.predict(windows).tobytes() == before.predict(windows).tobytes()
    assert (after.history, after.parameters, after.steps_back) == (before.history, before.parameters, before.steps_back)


@pytest.mark.parametrize("name", ALL)
def test_packed_is_fitted_to_the_bit(name, fitted):
    before = fitted(name)
    data = pack(before)
    after = unpack(data, before.entry, PLAN, before.seconds)
    origins = np.arange(LOOKBACK, STEPS - 1, dtype=np.int32)[30:]
    assert pack(after) == data
    assert after.predict(make_toy(), origins).tobytes() == before.predict(make_toy(), origins).tobytes()
    assert (after.seed, after.train_windows, after.seconds) == (before.seed, before.train_windows, before.seconds)
    assert {**vars(after.view), "scaler": 0} == {**vars(before.view), "scaler": 0}


def test_saved_and_loaded_in_another_process_forecasts_are_the_same_bits(found, tmp_path):
    before = {}
    for name in ALL:
        if name not in OWN:
            model = found.model(entry_of(name))
            model.save(tmp_path / f"{name}.zip")
            before[name] = sha256(model.predict(make_toy())["predicted"].to_numpy().tobytes()).hexdigest()
    program = """
        import sys
        from hashlib import sha256
        from pathlib import Path
        import backsight
        from conftest import make_toy
        for path in Path(sys.argv[1]).iterdir():
            predicted = backsight.load_model(path).predict(make_toy())["predicted"]
            print(path.stem, sha256(predicted.to_numpy().tobytes()).hexdigest())
    """
    python = [sys.executable, "-c", dedent(program), str(tmp_path)]
    printed = subprocess.run(python, capture_output=True, text=True, check=True, cwd=Path(__file__).parent).stdout
    assert dict(line.rsplit(" ", 1) for line in printed.splitlines()) == before


@pytest.mark.parametrize("name", OWN)
def test_no_file_holds_a_function_of_the_users(name, found, tmp_path):
    with pytest.raises(RecipeError, match=name):
        found.save(tmp_path / "own.zip", entry_of(name))
    assert not list(tmp_path.iterdir())


def test_equal_is_to_the_bit(fitted):
    frozen = fitted("ridge").forecaster.freeze()
    weights = frozen.arrays["weights"].copy()
    weights[0, 0] = np.nextafter(weights[0, 0], 9)
    assert frozen == Frozen(frozen.settings, dict(frozen.arrays))
    assert frozen != Frozen(frozen.settings, {**frozen.arrays, "weights": weights})
    assert frozen != Frozen({"penalty": 1}, frozen.arrays) != 0


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_shapes_are_those_that_keras_builds(data):
    name = data.draw(st.sampled_from([n for n, r in RECIPES.items() if isinstance(r, Network)]))
    recipe = RECIPES[name]
    drawn = {"units": st.integers(1, 5), "layers": st.integers(1, 3), "dropout": st.sampled_from([0.0, 0.2])}
    chosen = {k: data.draw(values) for k, values in drawn.items() if k in asdict(recipe)}
    if "heads" in asdict(recipe):
        chosen["heads"] = data.draw(st.integers(1, 3))
        chosen["units"] *= chosen["heads"]
    if "kernel" in asdict(recipe):
        chosen["kernel"] = data.draw(st.integers(2, 4))
        chosen["layers"] = data.draw(st.sampled_from([None, chosen["layers"]]))
    if name == "dense":
        chosen["units"] = (chosen["units"],)
    recipe = replace(recipe, **chosen)
    lookback, features, horizon = data.draw(st.tuples(st.integers(1, 9), st.integers(1, 4), st.integers(1, 3)))
    built = recipe.build(lookback, features, horizon).trainable_variables
    foretold = recipe.weights(lookback, features, horizon)
    assert [spec.shape for spec in foretold.values()] == [tuple(v.shape) for v in built]
    assert [spec.dtype for spec in foretold.values()] == [v.dtype for v in built]


def test_names_say_what_arrays_are():
    assert list(as_recipe("lstm(units=3)").weights(3, 2, 1)) == [
        "lstm_1/kernel", "lstm_1/recurrent_kernel", "lstm_1/bias", "head/kernel", "head/bias",
    ]  # fmt: skip


@pytest.mark.parametrize("leaves", [2, 15, 90])
def test_grown_trees_forecast_what_scikit_learn_does(leaves):
    from sklearn.base import clone
    from sklearn.ensemble import HistGradientBoostingRegressor

    rng = np.random.default_rng(leaves)
    windows = views(make_toy(700, seed=1))[0]
    x, y = windows.gather_lags(), windows.gather_outputs()
    x[rng.random(x.shape) < 0.03] = np.nan  # so that both ways of missing values are grown
    trees = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=leaves, min_samples_leaf=3, random_state=0)
    models = [clone(trees).fit(x, y[:, lead]) for lead in range(HORIZON)]
    grown = as_forecaster(models)
    assert set(grown.missing_left) == {0, 1}
    spoilt = replace(windows, inputs=np.where(rng.random(windows.inputs.shape) < 0.1, np.nan, windows.inputs))
    for seen in (windows, spoilt, windows.at(windows.origins[:0]), windows.at(windows.origins[5:6])):
        lags = seen.gather_lags()
        by_itself = [model.predict(lags) if len(seen) else np.empty(0) for model in models]
        assert grown.predict(seen).tobytes() == np.column_stack(by_itself).tobytes()


def test_a_threshold_itself_goes_left():
    from sklearn.ensemble import HistGradientBoostingRegressor

    windows = views(make_toy())[0]
    x = windows.gather_lags().round(1)
    model = HistGradientBoostingRegressor(max_iter=9, random_state=0).fit(x, windows.gather_outputs()[:, 0])
    grown = as_forecaster([model])
    on_threshold = np.tile(x.mean(axis=0), (len(grown.feature), 1))
    on_threshold[np.arange(len(on_threshold)), grown.feature] = grown.threshold

    class Shown:
        origins = np.arange(len(on_threshold))

        def __len__(self):
            return len(on_threshold)

        def at(self, origins):
            return self

        def gather_lags(self):
            return on_threshold

    assert grown.predict(Shown())[:, 0].tobytes() == model.predict(on_threshold).tobytes()


BROKEN_TREES = {
    "last_tree": lambda a: a + 1,
    "root": lambda a: a + 1,
    "feature": lambda a: a + 12,
    "left": lambda a: a[::-1],
    "right": np.zeros_like,
    "missing_left": lambda a: a + 2,
}


@pytest.mark.parametrize("name", BROKEN_TREES)
def test_arrays_that_are_no_trees_are_refused(name, fitted):
    frozen = fitted("trees").forecaster.freeze()
    broken = Frozen(frozen.settings, {**frozen.arrays, name: BROKEN_TREES[name](frozen.arrays[name])})
    with pytest.raises(ModelFileError, match=name):
        ALL["trees"].thaw(broken, *SHAPE, PLAN)


def test_what_cannot_be_kept_says_so():
    with pytest.raises(RecipeError, match="NormalisingForecaster can't be kept"):
        NormalisingForecaster().freeze()


@pytest.mark.parametrize(
    "counts", [{}, {"season": 0}, {"season": 2.0}, {"season": True}, {"season": 2**40}, {"season": 7, "more": 1}]
)
def test_settings_of_something_else_are_refused(counts):
    with pytest.raises(ModelFileError, match="season"):
        RECIPES["seasonal"].expected(1, 1, 1, counts)


def test_a_network_that_diverged_is_kept_and_told_of(fitted):
    before = fitted("rnn")
    state = before.forecaster.state
    diverged = replace(before.forecaster, state=state._replace(trainable=[w * np.nan for w in state.trainable]))
    data = pack(replace(before, forecaster=diverged))
    assert np.isnan(unpack(data, before.entry, PLAN).forecaster.freeze().arrays["head/bias"]).all()
    with pytest.raises(ModelFileError, match=r"head/bias.*not finite"):
        read_packed(read_from(data), len(data), before.entry).require_finite()


@pytest.mark.parametrize("change", [{"lookback": 9}, {"features": ("y",)}, {"calendar": True}, {"recipe": Ridge()}])
def test_a_blob_of_another_entry_is_refused(change, fitted):
    before = fitted("lstm")
    with pytest.raises(ModelFileError, match=next(iter(change)).replace("recipe", "recurrent")):
        unpack(pack(before), replace(before.entry, **change), PLAN)


@pytest.mark.parametrize("recipe", ["lstm(units=5)", "lstm(layers=2)", "gru"])
def test_a_blob_of_another_size_is_refused(recipe, fitted):
    before = fitted("lstm")
    with pytest.raises(ModelFileError, match="Array"):
        unpack(pack(before), replace(before.entry, recipe=as_recipe(recipe)), PLAN)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_blobs_raise_our_error_or_are_read(data, fitted):
    blob = bytearray(pack(fitted(data.draw(st.sampled_from(["ridge", "climatology", "seasonal"])))))
    blob = blob[: data.draw(st.integers(0, len(blob)))] if data.draw(st.booleans()) else blob
    for place in data.draw(st.lists(st.integers(0, max(len(blob) - 1, 0)), max_size=4)) if blob else []:
        blob[place] = data.draw(st.integers(0, 255))
    with suppress(ModelFileError):
        unpack(bytes(blob), fitted("ridge").entry, PLAN)


@settings(max_examples=60, deadline=None)
@given(
    arrays=st.dictionaries(
        st.text(max_size=9).filter(lambda name: name != "__metadata__"),
        st.sampled_from(sorted(DTYPES.values())).flatmap(
            lambda dtype: st.lists(st.integers(0, 3), max_size=3).map(lambda shape: np.full(shape, 1, dtype))
        ),
        max_size=5,
    )
)
def test_blobs_are_what_the_library_reads(arrays):
    blob = write_tensors(arrays, {"a": "\N{GREEK SMALL LETTER BETA}"})
    note, ours = read_tensors(read_from(blob), len(blob), lambda note: specs_of(arrays))
    assert note == {"a": "\N{GREEK SMALL LETTER BETA}"}
    theirs = safetensors.numpy.load(blob)
    assert Frozen({}, ours) == Frozen({}, theirs) == Frozen({}, arrays)
