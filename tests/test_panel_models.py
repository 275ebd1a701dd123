"""Model files of many series: what is read is what was saved, each series has its intervals, and what doesn't fit is
refused by name."""

import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import backsight
from backsight.cli.main import main
from backsight.errors import ColumnError, DataError, ModelFileError, RecipeError
from backsight.evaluation.intervals import ADAPTIVE, FIXED
from backsight.evaluation.panel_intervals import examined_panel
from backsight.runs import model_file
from backsight.runs.calibration import OfSeries, pack_calibration
from backsight.runs.model_file import CALIBRATION, Model, load_model, write_model
from backsight.runs.outlook import Span
from backsight.runs.outlook_record import outlook_record
from backsight.runs.packed import pack
from backsight.runs.panel_outlook import look_ahead_at
from backsight.runs.told import read_told, write_told
from conftest import HORIZON, LOOKBACK, make_toy
from hostile import whole
from test_many_series import make_panel, run, stack

GOLDEN = Path(__file__).parent / "golden"
IN_A_FRESH_PROCESS = """
import sys, backsight, numpy as np
sys.path.insert(0, sys.argv[1])
from test_many_series import make_panel
panel = make_panel((160, 210, 180))
for path in sys.argv[2:]:
    rows = backsight.load_model(path).forecast(panel, last=5)
    np.save(path + ".npy", rows[["predicted", "lower", "upper"]].to_numpy())
"""


@pytest.fixture(scope="module")
def found():
    return run(make_panel((160, 210, 180)))


@pytest.fixture(scope="module")
def model(found):
    return found.model("ridge_4")


def read(data):
    return model_file.read_members(io.BytesIO(data))


# What is kept


def test_saved_and_read_in_a_fresh_process_all_models_forecast_the_same_bits(found, tmp_path):
    names = [name for name in found.leaderboard["entry"] if "ensemble" not in name]
    paths = [str(tmp_path / f"{name.split('(')[0]}.zip") for name in names]
    for name, path in zip(names, paths, strict=True):
        found.save(path, name)
    command = [sys.executable, "-c", IN_A_FRESH_PROCESS, str(Path(__file__).parent), *paths]
    subprocess.run(command, check=True, capture_output=True)
    for name, path in zip(names, paths, strict=True):
        rows = found.model(name).forecast(found.series, last=5)[["predicted", "lower", "upper"]]
        assert np.array_equal(np.load(f"{path}.npy"), rows.to_numpy()), name


def test_forecasts_are_those_of_the_comparison(found, tmp_path):
    for entry in found.leaderboard["entry"]:
        found.save(tmp_path / "m.zip", entry)
        again = load_model(tmp_path / "m.zip").predict(found.series)
        pd.testing.assert_frame_equal(again, found.predict(entry=entry), check_exact=True)


def test_the_card_says_what_was_compared(model, found):
    card = model.card
    assert (card.format, card.many.id, card.many.series) == (2, "toy", 3)
    assert card.data.rows.rows == len(found.series)
    assert card.split.train.first == min(s.times[0] for s in found.series.each()).isoformat()
    assert card.data.rows.last == found.series.times.max().isoformat()
    sizes = [sum(len(exam.split.parts[name]) for exam in found.exam.exams) for name in ("train", "validation", "test")]
    assert [getattr(card.split, name).rows for name in ("train", "validation", "test")] == sizes


def test_a_model_of_one_series_is_written_as_ever():
    card = backsight.compare(make_toy(60), "y", models=["ridge"], lookback=[2], seeds=1, baselines=False).model().card
    assert card.format == 1 and card.many is None
    assert b'"many"' not in write_model(load_model(GOLDEN / "trees.zip"))


def test_the_golden_file_forecasts_what_it_did():
    golden = load_model(GOLDEN / "many.zip")
    kept = pd.read_csv(GOLDEN / "many.csv", parse_dates=["origin", "time"])
    again = golden.forecast(golden_panel(), last=10)
    assert again["series"].astype(str).tolist() == kept["series"].tolist()
    assert again["time"].tolist() == kept["time"].tolist()
    for column in ("predicted", "lower", "upper"):
        np.testing.assert_allclose(again[column], kept[column], rtol=1e-12)
    assert golden.card.many.series == 3 and golden.card.backsight == "0.1.0"


def golden_panel():
    return make_panel((60, 80, 70))


# Intervals


@pytest.mark.parametrize("entry", ["ridge_4", "trees_4", "persistence"])
def test_test_forecasts_have_the_intervals_that_the_exam_scored(found, entry):
    """Those of the exam come by another way: all series side by side, here one after the other."""
    scored = examined_panel(found.forecasts, entry).rows()
    check_ends(scored, look_ahead_at(found.model(entry), found.series, span=Span(last=30)).rows, FIXED)


def test_updates_move_intervals_as_the_exam_did():
    """One step ahead: further ahead, forecasts from before the test part move them here, which no exam asks for."""
    found = run(make_panel((160, 210, 180)), models="ridge", baselines=False, horizon=1)
    scored = examined_panel(found.forecasts, "ridge_4").rows()
    ahead = look_ahead_at(found.model("ridge_4"), found.series, span=Span(last=30), update=True)
    check_ends(scored, ahead.rows, ADAPTIVE)


def check_ends(scored, ahead, names):
    keys = ["series", "origin", "lead"]
    both = scored.astype({"series": str}).merge(ahead.astype({"series": str}), on=keys, suffixes=("", "_ahead"))
    assert len(both) == len(scored), "every test forecast is among them"
    for ours, theirs in zip(("lower", "upper"), names, strict=True):
        np.testing.assert_allclose(both[f"{ours}_ahead" if ours in scored else ours], both[theirs], rtol=1e-9)


def test_updates_one_by_one_are_one_update(model, found, tmp_path):
    stream, at_once = tmp_path / "stream.json", tmp_path / "whole.json"
    for steps in (150, 158, 210):
        ahead = look_ahead_at(model, found.series.head(steps), intervals=read_told(stream, model), update=True)
        write_told(stream, model, ahead.intervals)
    write_told(at_once, model, look_ahead_at(model, found.series, update=True).intervals)
    assert stream.read_bytes() == at_once.read_bytes()
    again = look_ahead_at(model, found.series, intervals=read_told(stream, model), update=True)
    assert again.judged.empty and again.coverage is None


def test_realised_coverage_is_a_count(model, found):
    ahead = look_ahead_at(model, found.series)
    held = (ahead.judged["lower"] <= ahead.judged["actual"]) & (ahead.judged["actual"] <= ahead.judged["upper"])
    assert ahead.coverage.coverage == pytest.approx(held.mean())
    assert ahead.coverage.forecasts == len(held)
    sd = found.forecasts.series_scores.drop_duplicates("series").set_index("series")["sd"]
    widths = (ahead.judged["upper"] - ahead.judged["lower"]) / ahead.judged["series"].map(sd).astype(float)
    assert ahead.coverage.width == pytest.approx(widths.mean())


def test_some_of_the_series_are_forecast_as_among_all(model, found):
    few = found.series.without(["s1"])
    rows = model.forecast(found.series, last=3)
    among = rows[rows["series"] != "s1"].reset_index(drop=True)
    alone = model.forecast(few, last=3)
    numbers = ["predicted", "lower", "upper"]
    assert alone["series"].astype(str).tolist() == among["series"].astype(str).tolist()
    np.testing.assert_allclose(alone[numbers], among[numbers], rtol=1e-6)


def test_the_record_says_of_which_series_and_is_json(model, found):
    record = outlook_record(look_ahead_at(model, found.series))
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert [row["series"] for row in record["forecasts"]] == [name for name in found.series.ids for _ in range(HORIZON)]
    assert (record["data"]["series"], record["data"]["place"], record["intervals"]["leads"]) == (3, "end", HORIZON)


def test_values_carried_forward_are_counted(model, found):
    filled = np.zeros(found.series.values.shape, dtype=bool)
    filled[found.series.blocks.rows(1).stop - 2] = True
    record = outlook_record(look_ahead_at(model, replace(found.series, filled=filled)))
    assert record["data"]["carried_forward"]["forecasts"] == 1


# What doesn't fit


def test_what_does_not_fit_is_refused_by_name(model, found):
    panel = found.series
    new = stack([make_toy(90), make_toy(90)], ["s0", "new"])
    gap = panel.times.to_numpy().copy()
    gap[panel.blocks.rows(2).stop - 1] += np.timedelta64(1, "D")
    for series, error, words in (
        (new, DataError, "'new' was not among the 3 series"),
        (panel.select(["y"]), ColumnError, "has no column"),
        (replace(panel, times=pd.DatetimeIndex(gap)), DataError, "those of s2 are not"),
        (panel.nth(0), DataError, "has learnt from 3 series, told by column 'toy'; s0 is one"),
    ):
        with pytest.raises(error, match=words):
            model.forecast(series)
    one = backsight.compare(make_toy(60), "y", models=["ridge"], lookback=[2], seeds=1, baselines=False).model()
    with pytest.raises(DataError, match="has learnt from one series; toys has 3"):
        one.predict(panel)
    with pytest.raises(RecipeError, match="trained for 2 steps ahead; 3 were asked for"):
        model.forecast(panel, horizon=3)
    assert len(model.forecast(panel, horizon=1)) == 3


# Files that are none of ours


def damaged(model: Model, card=None, members=None):
    """A file whose hashes are right and whose contents are not."""
    blobs = {f"seed-{one.seed}.safetensors": pack(one) for one in model.fitted}
    blobs |= {CALIBRATION: pack_calibration(model.calibration), **(members or {})}
    said = card or model.card
    return whole(said.model_dump(exclude={"many"} if said.many is None else None), blobs)


def test_members_that_contradict_each_other_are_refused(model, found):
    calibration, of_series = model.calibration, model.calibration.of_series
    other = run(stack(list(found.series.each()), ["a", "b", "c"]), models="ridge", baselines=False).model("ridge_4")
    alone = backsight.compare(
        make_toy(90), "y", models="ridge", lookback=[LOOKBACK], horizon=HORIZON, seeds=1, baselines=False
    ).model()
    swapped = of_series.place[::-1].copy()
    outside = of_series.place + 1
    for data, words in (
        (damaged(model, model.card.model_copy(update={"many": None, "format": 1})), "members must all be of the one"),
        (damaged(model, model.card.model_copy(update={"format": 1})), "of format 2"),
        (damaged(model, model.card.model_copy(update={"many": model.card.many.model_copy(update={"series": 4})})),
         "of the 4 series"),
        (damaged(alone, alone.card.model_copy(update={"many": model.card.many, "format": 2})), "of the 3 series"),
        *((damaged(model, members={CALIBRATION: pack_calibration(replace(calibration, of_series=wrong))}), words)
          for wrong, words in (
              (OfSeries(swapped, of_series.scale), "one series after the other"),
              (OfSeries(outside, of_series.scale), "one series after the other"),
              (OfSeries(of_series.place, 0 * of_series.scale), "above 0"),
              (OfSeries(of_series.place, of_series.scale * np.nan), "above 0"),
              (OfSeries(of_series.place, np.ones(4)), "of the 3 series"),
              (OfSeries(0 * of_series.place, of_series.scale), "not in order"),
              (None, "not in order"),
          )),
    ):  # fmt: skip
        with pytest.raises(ModelFileError, match=words):
            read(data)
    trees = found.model("trees_4")
    mixed = damaged(trees, members={"seed-1.safetensors": pack(_renamed(trees.fitted[1], other))})
    with pytest.raises(ModelFileError, match="by the same names"):
        read(mixed)
    read(damaged(model))  # the guard of this test: undamaged, it is read


def _renamed(fitted, other):
    return replace(fitted, view=replace(fitted.view, each=replace(fitted.view.each, ids=other.fitted[0].view.each.ids)))


def test_damaged_updates_are_refused(model, found, tmp_path):
    path = tmp_path / "told.json"
    ahead = look_ahead_at(model, found.series, update=True)
    some = {name: known for name, known in ahead.intervals.items() if name != "s1"}
    for wrong in (some, ahead.intervals["s0"]):
        write_told(path, model, wrong)
        with pytest.raises(ModelFileError, match="must hold the intervals of the model's series"):
            read_told(path, model)
    write_told(path, model, ahead.intervals)
    assert read_told(path, model) == ahead.intervals
    for place in range(0, len(path.read_bytes()), 97):
        text = bytearray(path.read_bytes())
        text[place] ^= 1
        (tmp_path / "bad.json").write_bytes(text)
        with pytest.raises(ModelFileError):
            read_told(tmp_path / "bad.json", model)


# The program


def test_from_a_long_table_to_forecasts_of_each(tmp_path, capsys, monkeypatch):
    panel = make_panel((90, 120, 100))
    names = np.repeat(["north", "[red]south", "<b>west"], panel.blocks.sizes)
    table = pd.DataFrame({"shop": names, "day": panel.times, "y": panel.column("y"), "a": panel.column("a")})
    table.to_csv(tmp_path / "shops.csv", index=False)
    monkeypatch.chdir(tmp_path)
    asked = ["--id", "shop", "--target", "y", "--models", "ridge", "--lookback", "3", "--seeds", "1", "--no-baselines"]
    assert main(["compare", "shops.csv", *asked, "--save", "m.zip", "--out", "run"]) == 0
    assert "Saved to m.zip: ridge_3" in capsys.readouterr().out
    upcoming = json.loads((tmp_path / "run" / "next.json").read_text())
    assert [row["series"] for row in upcoming["rows"]] == ["north", "[red]south", "<b>west"]
    page = (tmp_path / "run" / "report.html").read_text()
    assert "What comes next?" in page and "3 series" in page and "&lt;b&gt;west" in page and "<b>west" not in page
    assert main(["forecast", "m.zip", "shops.csv", "--csv", "next.csv", "--json", "next.json", "--update"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "y of 3 series" in said and "[red]south" in said and "that they did not know over all series" in said
    rows = pd.read_csv(tmp_path / "next.csv")
    assert rows["series"].tolist() == ["north", "[red]south", "<b>west"]
    assert json.loads((tmp_path / "next.json").read_text())["forecasts"][0]["predicted"] == rows["predicted"][0]
    assert main(["forecast", "m.zip", "shops.csv"]) == 0
    assert "No actual value after" in capsys.readouterr().out
    assert main(["resume", "run", "--save", "again.zip"]) == 0
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "m.zip").read_bytes()
    capsys.readouterr()
    table.rename(columns={"shop": "store"}).to_csv(tmp_path / "stores.csv", index=False)
    for command, words in (
        (["export", "m.zip", "m.keras"], "each of which has scales of its own"),
        (["export", "m.zip", "m.onnx"], "each of which has scales of its own"),
        (["forecast", "m.zip", "stores.csv"], "shop"),
    ):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1
