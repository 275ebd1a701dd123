"""Model files: every damaged bit is found, what is read is what was saved, and a series has to fit."""

import io
import re
import zipfile
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import backsight
from backsight.errors import ColumnError, DataError, ModelFileError, RecipeError, SettingError, WindowError
from backsight.runs import model_file
from backsight.runs.calibration import pack_calibration
from backsight.runs.compare import compare
from backsight.runs.model_card import noted_step, read_card, step_note, write_card
from backsight.runs.model_file import CALIBRATION, CARD, load_model, member_names, write_model
from backsight.runs.stored_zip import write_zip
from backsight.runs.strict_json import canonical_json
from backsight.series.frequency import find_step
from backsight.training.plan import Plan
from conftest import make_toy
from hostile import sealed


def compared(series=None, model="ridge", **settings):
    options = {"models": [model], "lookback": [2], "seeds": 1, "baselines": False, **settings}
    return compare(series or make_toy(60), "y", **options)


@pytest.fixture(scope="module")
def found():
    return compared()


@pytest.fixture(scope="module")
def small(found):
    """The smallest file there is."""
    return write_model(found.model())


def read(data):
    return model_file.read_members(io.BytesIO(data))


@pytest.fixture
def quick(monkeypatch):
    """One card is read once: in most of the files below it is another member that is damaged."""
    monkeypatch.setattr(model_file, "read_card", lru_cache(read_card))


def test_every_flipped_bit_is_found_and_its_member_named(small, quick):
    spans, end = {}, 0
    with zipfile.ZipFile(io.BytesIO(small)) as file:
        for entry in file.infolist():
            stop = entry.header_offset + 30 + len(entry.filename) + entry.file_size
            spans[entry.filename], end = range(entry.header_offset, stop), stop
    assert list(spans) == [CARD, *member_names([0])]
    for place in range(len(small)):
        name = next((name for name, span in spans.items() if place in span), "directory")
        for bit in range(8):
            damaged = bytearray(small)
            damaged[place] ^= 1 << bit
            with pytest.raises(ModelFileError) as refusal:
                read(bytes(damaged))
            assert name in str(refusal.value), (place, bit)
    assert end < len(small)


def test_every_truncation_is_found_and_its_member_named(small, quick):
    starts = {}
    with zipfile.ZipFile(io.BytesIO(small)) as file:
        starts = {entry.header_offset: entry.filename for entry in file.infolist()} | {file.start_dir: "directory"}
    for length in range(len(small)):
        cut = starts[max(start for start in starts if start <= length)]
        with pytest.raises(ModelFileError, match=re.escape(cut)):
            read(small[:length])


def test_flipped_bits_of_a_folder_are_found(small, tmp_path, quick):
    with zipfile.ZipFile(io.BytesIO(small)) as file:
        file.extractall(tmp_path)
    assert write_model(load_model(tmp_path)) == small
    rng = np.random.default_rng(0)
    for name in (CARD, *member_names([0])):
        whole = (tmp_path / name).read_bytes()
        for place in range(0, len(whole), 5):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << int(rng.integers(8))
            (tmp_path / name).write_bytes(damaged)
            with pytest.raises(ModelFileError, match=name):
                load_model(tmp_path)
        (tmp_path / name).write_bytes(whole[:-1])
        with pytest.raises(ModelFileError, match=name):
            load_model(tmp_path)
        (tmp_path / name).write_bytes(whole)


def test_what_is_read_is_what_was_saved(found, tmp_path):
    found.save(tmp_path / "model.zip")
    model = backsight.load_model(tmp_path / "model.zip")
    assert (tmp_path / "model.zip").read_bytes() == write_model(model) == write_model(found.model())
    assert model.entry == replace(found.entry("ridge_2"), plan=found.study.plan)
    card = model.card
    assert (card.target.name, [c.name for c in card.features], card.lookback, card.horizon) == (
        "y",
        ["y", "a", "b"],
        2,
        1,
    )
    assert (card.seeds, card.data.rows.rows, card.split.train.rows) == ([0], 60, 48)
    assert card.split.test.last == found.series.times[-1].isoformat()
    assert card.leaderboard[0]["val_rmse"] == found.leaderboard["val_rmse"].iloc[0]
    pd.testing.assert_frame_equal(model.predict(found.series), found.predict())


def test_any_zip_program_reads_one(small):
    with zipfile.ZipFile(io.BytesIO(small)) as file:
        assert file.testzip() is None
        assert file.namelist() == [CARD, *member_names([0])]


def test_of_an_ensemble_all_seeds_are_saved(tmp_path):
    found = compared(make_toy(), "trees(trees=4)", seeds=2, calendar=True, horizon=3)
    found.save(tmp_path / "model.zip", "trees(trees=4)_2 ensemble")
    model = load_model(tmp_path / "model.zip")
    assert [one.seed for one in model.fitted] == model.card.seeds == [0, 1]
    assert [line["entry"] for line in model.card.leaderboard] == list(found.leaderboard["entry"])
    pd.testing.assert_frame_equal(model.predict(found.series), found.predict())


def test_calibration_is_the_validation_part():
    horizon = 2
    found = compared(model="trees(trees=4)", seeds=2, horizon=horizon, folds=2)
    kept = found.model().calibration
    rows = found.forecasts.query("entry == 'trees(trees=4)_2 ensemble' and part == 'validation' and fold == 2")
    got = kept.rows.set_index(["origin", "lead"]).sort_index()
    wanted = rows.set_index(["origin", "lead"]).sort_index()[["time", "actual", "predicted"]]
    pd.testing.assert_frame_equal(got, wanted, check_freq=False)
    assert kept.predicted.shape == (2, len(rows) // horizon, horizon)
    assert pack_calibration(load_back(found).calibration) == pack_calibration(kept)


def test_ends_of_a_band_are_kept_too(tmp_path):
    plan = Plan(epochs=2, batch_size=16, loss="quantile")
    found = compared(make_toy(), "dense(units=3)", seeds=2, plan=plan, horizon=2)
    found.save(tmp_path / "model.zip")
    model = load_model(tmp_path / "model.zip")
    rows = found.forecasts.query("entry == 'dense(units=3)_2 ensemble' and part == 'validation'")
    wanted = rows.set_index(["origin", "lead"]).sort_index()[["time", "actual", "predicted", "low", "high"]]
    pd.testing.assert_frame_equal(model.calibration.rows.set_index(["origin", "lead"]), wanted, check_freq=False)
    pd.testing.assert_frame_equal(model.predict(found.series), found.predict())
    assert (tmp_path / "model.zip").read_bytes() == write_model(model)


def load_back(found):
    card, packed, calibration = read(write_model(found.model()))
    return model_file.Model(card, tuple(one.thaw(card.made_plan, 0.0) for one in packed), calibration)


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (lambda s: s.select(["y", "a"]), ColumnError, "toy has no column b. It has y, a"),
        (lambda s: replace(s, units={"a": "mm"}), DataError, "has learnt a in cm; toy has it in mm"),
        (lambda s: replace(s, times=s.times[0] + 2 * (s.times - s.times[0])), DataError, "rows 1 day apart"),
        (lambda s: s.head(1), WindowError, "has one row"),
        (lambda s: s.head(2), None, ""),
        (lambda s: replace(s, units={}), None, ""),
        (lambda s: replace(s, units={"b": "m"}), None, ""),
    ],
)
def test_a_series_has_to_fit(change, error, says):
    series = replace(make_toy(60), units={"a": "cm"})
    model = compared(series).model()
    if error is None:
        assert len(model.predict(change(series)))
        return
    with pytest.raises(error, match=says):
        model.predict(change(series))


@pytest.mark.parametrize("frequency", ["D", "h", "15min", "W", "B", "MS", "ME", "QE", "YS"])
def test_every_step_goes_both_ways(frequency):
    times = pd.date_range("2020-01-31", periods=40, freq=frequency)
    step = find_step(times)
    assert noted_step(step_note(step)) == step
    series = replace(make_toy(40), times=times)
    model = compared(series).model()
    assert len(model.predict(series))
    assert len(model.predict(series._rows(slice(7, 10))))
    if frequency not in ("D", "B"):
        with pytest.raises(DataError, match="apart"):
            model.predict(make_toy(40))


def test_what_failed_is_not_saved(found, tmp_path):
    model = found.model()
    (one,) = model.fitted
    broken = replace(one.forecaster, intercept=np.array([np.nan]))
    with pytest.raises(ModelFileError, match=r"ridge_2 can't be saved: seed-0.*not finite"):
        replace(model, fitted=(replace(one, forecaster=broken),)).save(tmp_path / "model.zip")
    assert not list(tmp_path.iterdir())


def test_a_model_that_is_too_large_is_not_saved(found, tmp_path, monkeypatch):
    monkeypatch.setattr(model_file, "LARGEST", 1000)
    with pytest.raises(ModelFileError, match="at most 1,000 bytes; ridge_2 takes"):
        found.save(tmp_path / "model.zip")
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_written_or_read(found, tmp_path):
    with pytest.raises(SettingError, match="can't be written"):
        found.save(tmp_path / "nowhere" / "model.zip")
    with pytest.raises(ModelFileError, match=r"nowhere\.zip: It can't be read: No such file"):
        load_model(tmp_path / "nowhere.zip")
    with pytest.raises(RecipeError, match="no entry 'lstm_9'"):
        found.save(tmp_path / "model.zip", "lstm_9")


def test_a_model_that_is_saved_replaces_the_one_before(found, tmp_path):
    (tmp_path / "model.zip").write_bytes(b"older")
    found.save(tmp_path / "model.zip")
    assert load_model(tmp_path / "model.zip").card.name == "ridge_2"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(max_size=8), inside, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_cards_of_other_values_raise_our_error_or_are_cards(data, small):
    """Any value at any place of the card, with all checksums right."""
    with zipfile.ZipFile(io.BytesIO(small)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    values = read_card(members.pop(CARD)).model_dump()
    place = values
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    try:
        text = sealed(values, members)
    except UnicodeEncodeError:  # such a text is no text of ours
        return
    try:
        card, *_ = read(write_zip({CARD: text, **members}))
    except ModelFileError:
        return
    assert read_card(write_card(card)) == card


@settings(max_examples=300, deadline=None)
@given(text=st.binary(max_size=60) | JSON.map(canonical_json))
def test_texts_raise_our_error(text):
    with pytest.raises(ModelFileError):
        read_card(text)


def test_members_are_listed_once():
    assert member_names([0, 7]) == ["seed-0.safetensors", "seed-7.safetensors", CALIBRATION]
