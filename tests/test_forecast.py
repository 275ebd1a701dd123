"""Forecasts of model files: against the comparison they come from, intervals by hand, and what is refused."""

import json
import subprocess
import sys
from dataclasses import replace
from math import ceil

import numpy as np
import pandas as pd
import pytest

import backsight
from backsight.cli.main import main
from backsight.errors import ColumnError, DataError, ModelFileError, RecipeError, SettingError, WindowError
from backsight.report.outlook import outlook_sentences, outlook_table
from backsight.runs.outlook import Span, look_ahead
from backsight.runs.outlook_record import outlook_record
from backsight.runs.reach import reaching
from backsight.runs.told import read_told, told_file, write_told
from backsight.series.series import Series
from backsight.training.plan import Plan
from backsight.windows.split import split_by_fractions
from conftest import make_toy
from test_horizons import by_hand

STEPS, KNOWN = 400, 300
PLAN = Plan(epochs=2, batch_size=16)


def toy(steps=STEPS):
    """The toy series, its target in degrees."""
    return replace(make_toy(STEPS), units={"y": "degC"}).head(steps)


def own_past(series):
    return series.select(["y"])


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Model files: `own` and `net` read the target's past, `all` three columns, `week` seven steps recursively."""
    folder = tmp_path_factory.mktemp("models")
    asked = {"lookback": [3], "plan": PLAN, "baselines": False}
    one = backsight.compare(own_past(toy(KNOWN)), "y", models="ridge,lstm(units=3)", seeds=2, calendar=True, **asked)
    more = backsight.compare(toy(KNOWN), "y", models="ridge", horizon=2, seeds=1, **asked)
    week = backsight.compare(own_past(toy(KNOWN)), "y", models="recursive(ridge)", horizon=7, seeds=1, **asked)
    one.save(folder / "own.zip", "ridge_3")
    one.save(folder / "net.zip", "lstm(units=3)_3")
    more.save(folder / "all.zip", "ridge_3")
    week.save(folder / "week.zip", "recursive(ridge)_3")
    return {"folder": folder, "one": one, "more": more, "week": week}


@pytest.fixture
def load(models):
    return lambda name: backsight.load_model(models["folder"] / f"{name}.zip")


@pytest.mark.parametrize(
    ("name", "run", "entry"), [("own", "one", "ridge_3"), ("net", "one", "lstm(units=3)_3"), ("all", "more", "ridge_3")]
)
def test_forecasts_are_those_of_the_comparison(models, load, name, run, entry):
    series = toy() if name == "all" else own_past(toy())
    expected = models[run].predict(series, entry)
    found = look_ahead(load(name), series, span=Span(last=50)).rows
    tail = expected.tail(len(found)).reset_index(drop=True)
    pd.testing.assert_frame_equal(found[["origin", "lead", "time"]], tail[["origin", "lead", "time"]])
    np.testing.assert_array_equal(found["predicted"], tail["predicted"])
    np.testing.assert_array_equal(found["actual"], tail["actual"])
    seeds = np.array([m.predict(series, np.array([STEPS - 1], dtype=np.int32)) for m in models[run].members(entry)])
    spread = seeds.std(axis=0, ddof=1).ravel() if len(seeds) > 1 else [np.nan] * len(seeds[0, 0])
    np.testing.assert_allclose(found["seed_sd"].tail(len(seeds[0, 0])), spread)


def test_intervals_are_order_statistics_of_validation_errors(models, load):
    """Split conformal by hand: of n sorted errors the ones of rank ceil((n + 1) 0.95) from either side."""
    rows = models["more"].forecasts
    found = look_ahead(load("all"), toy()).rows
    for lead in (1, 2):
        of_lead = rows[(rows["part"] == "validation") & (rows["lead"] == lead)]
        errors = np.sort(of_lead["actual"] - of_lead["predicted"])
        rank = ceil((len(errors) + 1) * 0.95)
        one = found[found["lead"] == lead].iloc[0]
        assert one["lower"] == pytest.approx(one["predicted"] + errors[len(errors) - rank])
        assert one["upper"] == pytest.approx(one["predicted"] + errors[rank - 1])


def test_a_network_of_quantiles_has_intervals_around_its_quantiles(tmp_path):
    """By hand, around its upper quantile one step ahead; two steps ahead, where it has none, around its median."""
    plan = replace(PLAN, loss="quantile")
    found = backsight.compare(
        own_past(toy(KNOWN)), "y", models="lstm(units=3)", lookback=[3], plan=plan, seeds=1, baselines=False
    )
    found.save(tmp_path / "net.zip")
    ahead = look_ahead(backsight.load_model(tmp_path / "net.zip"), own_past(toy()), horizon=2, update=True)
    rows = found.forecasts[found.forecasts["part"] == "validation"]
    errors = np.sort(rows["actual"] - rows["high"])
    first = ahead.judged.iloc[0]
    assert first["upper"] - first["high"] == pytest.approx(errors[ceil((len(errors) + 1) * 0.95) - 1])
    assert ahead.rows[["lower", "upper"]].notna().all(axis=None)
    assert (ahead.rows["lower"] < ahead.rows["predicted"]).all()
    assert not {"low", "high"} & set(ahead.rows)


def test_in_python():
    series = backsight.load("seattle")
    found = backsight.compare(series.head(1000), "temp_max", models="ridge", lookback=[3], seeds=1, baselines=False)
    ahead = found.model("ridge_3").forecast(series, last=2, level=0.8)
    assert list(ahead.columns) == ["origin", "lead", "time", "actual", "predicted", "seed_sd", "lower", "upper"]
    assert len(ahead) == 2
    assert (ahead["lower"] < ahead["predicted"]).all()
    assert ahead["actual"].isna().tolist() == [False, True]


# Horizons


def test_a_shorter_horizon_shows_the_first_leads(load):
    whole, first = (look_ahead(load("week"), own_past(toy()), horizon=n).rows for n in (7, 3))
    pd.testing.assert_frame_equal(whole.head(3), first)


@pytest.mark.parametrize("name", ["own", "net"])
def test_a_longer_horizon_goes_on_from_its_own_forecasts(load, name):
    model, series = load(name), own_past(toy())
    found = look_ahead(model, series, horizon=5)
    hands = [by_hand(one.forecaster, one.view, series, STEPS - 1, 5) for one in model.fitted]
    np.testing.assert_allclose(found.rows["predicted"], np.mean(hands, axis=0), rtol=1e-12)
    assert (found.rows["lower"] < found.rows["upper"]).all()
    assert "goes on from its own forecasts" in said(found)


def test_intervals_of_further_leads_are_made_from_errors_on_the_validation_rows(load):
    """By hand: forecasts of lead 4 from every origin whose target is a validation row."""
    model, series = load("own"), own_past(toy())
    validation = split_by_fractions(KNOWN).validation
    one = model.fitted[0]
    origins = range(validation.start - 1, validation.stop - 4)
    errors = [series.values[o + 4, 0] - by_hand(one.forecaster, one.view, series, o, 4)[3] for o in origins]
    rank = ceil((len(errors) + 1) * 0.75)
    found = look_ahead(model, series, horizon=4, level=0.5).rows.iloc[3]
    assert found["upper"] == pytest.approx(found["predicted"] + np.sort(errors)[rank - 1])


def test_a_block_of_leads_goes_on_block_by_block():
    """A direct model of two steps asked for five: its first two are its own, and the next follow from them."""
    found = backsight.compare(
        own_past(toy(KNOWN)), "y", models="ridge", lookback=[3], horizon=2, seeds=1, baselines=False
    )
    one, series = found.fitted[0], own_past(toy())
    far = reaching(one, 5).predict(series, np.array([350], dtype=np.int32))[0]
    own = one.predict(series, np.array([350], dtype=np.int32))[0]
    np.testing.assert_array_equal(far[:2], own)
    values = np.concatenate([series.values[:351], own[:, None]])
    longer = Series("longer", series.times[:353], values, ("y",))
    np.testing.assert_array_equal(far[2:4], one.predict(longer, np.array([352], dtype=np.int32))[0])


def test_without_the_validation_rows_further_leads_have_no_interval(load):
    late = own_past(toy())
    late = replace(late, times=late.times[350:], values=late.values[350:])
    found = look_ahead(load("own"), late, horizon=3)
    assert np.isfinite(found.rows["lower"]).tolist() == [True, False, False]
    assert "no intervals beyond lead 1" in said(found)
    changed = own_past(toy())
    changed.values[265] += 1.0
    assert look_ahead(load("own"), changed, horizon=3).rows["lower"].isna().tolist() == [False, True, True]


def test_a_longer_horizon_is_refused_where_other_columns_are_read(load):
    with pytest.raises(RecipeError, match=r"trained for 2 steps ahead; 5 .* next values of a, b.*--horizon 5"):
        look_ahead(load("all"), toy(), horizon=5)


# Updates


def test_updates_one_by_one_are_one_update(load, tmp_path):
    """A stream of three files, each longer than the last, against the longest one alone: the same bytes."""
    model, series = load("own"), own_past(toy())
    stream, whole = tmp_path / "stream.json", tmp_path / "whole.json"
    for steps in (330, 331, STEPS):
        found = look_ahead(model, series.head(steps), intervals=read_told(stream, model), update=True)
        write_told(stream, model, found.intervals)
    write_told(whole, model, look_ahead(model, series, update=True).intervals)
    assert stream.read_bytes() == whole.read_bytes()
    again = look_ahead(model, series, intervals=read_told(stream, model), update=True)
    assert again.judged.empty
    assert again.intervals == read_told(stream, model)


def test_an_interval_knows_no_actual_after_its_origin(load):
    model, series = load("week"), own_past(toy())
    changed = series.values.copy()
    changed[360:] += 50.0
    before, after = (
        look_ahead(model, s, span=Span(last=80), update=True).rows for s in (series, replace(series, values=changed))
    )
    early = before["origin"] < series.times[360]
    columns = ["predicted", "lower", "upper"]
    pd.testing.assert_frame_equal(before.loc[early, columns], after.loc[early, columns], check_exact=True)
    last = before["origin"] == series.times[-1]
    assert (
        (after.loc[last, "upper"] - after.loc[last, "predicted"])
        .gt(before.loc[last, "upper"] - before.loc[last, "predicted"])
        .any()
    )


def test_realised_coverage_is_a_count(load):
    for update in (False, True):
        found = look_ahead(load("all"), toy(), level=0.8, update=update)
        rows = found.judged
        held = (rows["lower"] <= rows["actual"]) & (rows["actual"] <= rows["upper"])
        assert found.coverage.coverage == pytest.approx(held.mean())
        last = split_by_fractions(KNOWN).validation.stop - 1
        assert (rows["time"].min(), rows["time"].max()) == (toy().times[last + 1], toy().times[-1])
        assert rows["lead"].value_counts().tolist() == [STEPS - 1 - last] * 2
        assert f"held {100 * held.mean():.1f} %" in said(found)


def test_values_that_were_carried_forward_are_no_actuals(load):
    series = own_past(toy())
    filled = np.zeros((STEPS, 1), dtype=bool)
    filled[[350, STEPS - 1]] = True
    found = look_ahead(load("own"), replace(series, filled=filled), update=True)
    assert series.times[350] not in set(found.judged["time"])
    assert len(found.judged) == len(look_ahead(load("own"), series, update=True).judged) - 2
    assert "carried forward stand in the windows of 1 forecasts, 1 of them in the last one's; the last 1 rows" in said(
        found
    )


# What is said, and refused


def said(found):
    return " ".join(outlook_sentences(outlook_record(found, "told.json")))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (slice(100, 200), "within the rows that ridge_3 learnt from (2020-01-01 to 2020-08-27)"),
        (slice(0, 260), "within the validation rows"),
        (slice(0, 290), "compared on data that go on to 2020-10-26"),
        (slice(0, 300), "as the data did that ridge_3 was compared on"),
        (slice(0, 400), "goes on 100 steps after 2020-10-26"),
    ],
)
def test_where_the_data_end_is_said(load, rows, words):
    series = own_past(toy())
    part = replace(series, times=series.times[rows], values=series.values[rows])
    found = look_ahead(load("own"), part)
    assert words in said(found)
    assert ("1 of the 1 forecasts are of rows that the model learnt from" in said(found)) == (rows.stop <= 200)


def test_data_before_the_training_rows_are_called_so(load):
    series = own_past(toy(50))
    early = replace(series, times=series.times - pd.Timedelta(days=500))
    found = look_ahead(load("own"), early)
    assert "before the rows that ridge_3 learnt from" in said(found)
    assert "No actual value after 2020-09-26" in said(found)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda s: s.select(["y", "a"]), ColumnError, "toy has no column b"),
        (lambda s: replace(s, units={"y": "degF"}), DataError, "learnt y in degC; toy has it in degF"),
        (lambda s: replace(s, times=s.times[0] + (s.times - s.times[0]) * 2), DataError, "rows 1 day apart"),
        (lambda s: s.head(1), WindowError, "one row"),
        (lambda s: s.head(2), WindowError, "needs 3 steps up to its origin; toy has 2"),
    ],
)
def test_a_series_that_does_not_fit_is_refused_by_name(load, change, error, words):
    with pytest.raises(error, match=words):
        look_ahead(load("all"), change(toy()))


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"level": 1.0}, SettingError, "share between 0 and 1"),
        ({"horizon": 0}, SettingError, "Horizon must be 1 or more"),
        ({"span": Span(last=0)}, SettingError, "Last must be 1 or more"),
        ({"span": Span(last=3, first_date="2020-03-01")}, SettingError, "give one of both"),
        ({"span": Span(last_date="2020-01-02")}, WindowError, "no such origin"),
        ({"span": Span(first_date="2031-01-01")}, WindowError, "no such origin"),
        ({"span": Span(first_date="yesterday")}, DataError, "not a date"),
    ],
)
def test_what_is_outside_its_range_is_refused(load, asked, error, words):
    with pytest.raises(error, match=words):
        look_ahead(load("own"), own_past(toy()), **asked)


def test_a_level_with_too_few_errors_has_no_ends(load):
    found = look_ahead(load("own"), own_past(toy()), level=0.99)
    assert np.isinf(found.rows["upper"]).all()
    assert "needs 199 errors and has 30" in said(found)
    record = outlook_record(found)
    assert record["forecasts"][0]["upper"] is None
    json.dumps(record, allow_nan=False)


# The file beside a model file


@pytest.fixture
def kept(load, tmp_path):
    model = load("own")
    path = told_file(tmp_path / "winner.zip")
    write_told(path, model, look_ahead(model, own_past(toy()), update=True).intervals)
    return model, path


def test_told_intervals_are_read_again(kept):
    model, path = kept
    assert read_told(path, model) == look_ahead(model, own_past(toy()), update=True).intervals
    assert read_told(path.with_name("other.json"), model) is None


def test_every_truncation_and_many_flipped_bits_are_refused(kept):
    model, path = kept
    text = path.read_bytes()
    spoilt = [text[:n] for n in range(0, len(text), 7)]
    for place in range(0, len(text), 5):
        for bit in (0, 3, 7):
            spoilt.append(text[:place] + bytes([text[place] ^ 1 << bit]) + text[place + 1 :])
    for other in spoilt:
        path.write_bytes(other)
        with pytest.raises(ModelFileError, match=r"intervals\.json"):
            read_told(path, model)


def test_intervals_of_another_model_are_refused(kept, load):
    _, path = kept
    with pytest.raises(ModelFileError, match="belongs to another model than lstm"):
        read_told(path, load("net"))
    path.unlink()
    path.mkdir()
    with pytest.raises(ModelFileError, match="can't be read"):
        read_told(path, load("own"))


# The command


@pytest.fixture
def files(models, tmp_path, monkeypatch):
    """A copy of a model file, and the series as a CSV with a column more."""
    for name in ("own", "net", "all"):
        (tmp_path / f"{name}.zip").write_bytes((models["folder"] / f"{name}.zip").read_bytes())
    series = toy()
    table = pd.DataFrame(series.values, series.times, list(series.columns)).assign(more="text")
    table.to_csv(tmp_path / "toy.csv", index_label="time")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(command, capsys, code=0):
    assert main(["forecast", *command.split()]) == code
    return capsys.readouterr()


def test_the_command_forecasts_and_writes(files, capsys):
    printed = run("net.zip toy.csv --horizon 3 --json found.json --csv found.csv", capsys).out
    assert "90 % interval" in printed
    assert "seeds ±" in printed
    assert "Realised coverage" in printed
    record = json.loads((files / "found.json").read_text())
    rows = pd.read_csv(files / "found.csv")
    np.testing.assert_array_equal(rows["predicted"], [row["predicted"] for row in record["forecasts"]])
    assert record["model"]["inputs"] == ["y", "year_sine", "year_cosine"]
    assert record["update"] is None
    assert not told_file(files / "net.zip").exists()
    out = run("net.zip toy.csv --last 60 --json -", capsys)
    assert len(json.loads(out.out)["forecasts"]) == 60
    assert "... and 20 earlier ones" in out.err


def test_the_command_keeps_an_update_beside_the_model(files, capsys):
    model = (files / "own.zip").read_bytes()
    printed = " ".join(run("own.zip toy.csv --update", capsys).out.split())
    assert "told of 130 actual values and now know those up to 2021-02-03; that is kept in own.zip.intervals" in printed
    kept = told_file(files / "own.zip").read_bytes()
    plain = run("own.zip toy.csv", capsys).out
    again = run("own.zip toy.csv --update", capsys).out
    assert "had not been told of before; nothing was written" in " ".join(again.split())
    assert plain.splitlines()[2] == again.splitlines()[2], "the same forecast and interval"
    assert told_file(files / "own.zip").read_bytes() == kept
    assert (files / "own.zip").read_bytes() == model


def test_tables_forecast_without_keras(files):
    """A ridge answers in a second: neither Keras nor JAX is loaded."""
    code = (
        "import sys; from backsight.cli.main import main; "
        "assert main(['forecast', 'own.zip', 'toy.csv']) == 0; assert not {'jax', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=files, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("all.zip bad.csv", "No column fits 'b'"),
        ("all.zip bad.csv", "ridge_3 was trained on toy, forecasts y and reads y, a, b"),
        ("own.zip holes.csv", "1 missing value, first at line 401 in column 'y'"),
        ("none.zip toy.csv", "none.zip"),
        ("own.zip none.csv", "There is no file none.csv"),
        ("all.zip toy.csv --horizon 9", "next values of a, b"),
        ("own.zip toy.csv --csv own.zip", "would overwrite own.zip"),
        ("own.zip toy.csv --csv toy.csv", "would overwrite toy.csv"),
        ("own.zip toy.csv --json x.json --csv x.json", "would overwrite x.json"),
        ("own.zip toy.csv --last 2 --from 2020-01-01", "give one of both"),
        ("own.zip toy.csv --level 90", "share between 0 and 1"),
        ("toy.csv toy.csv", "toy.csv"),
    ],
)
def test_what_the_command_refuses(files, command, words, capsys):
    table = pd.read_csv(files / "toy.csv", index_col="time")
    table.drop(columns="b").to_csv(files / "bad.csv")
    table.assign(y=table["y"].where(np.arange(STEPS) != STEPS - 1)).to_csv(files / "holes.csv")
    before = sorted(path.name for path in files.iterdir())
    error = run(command, capsys, code=2).err
    assert words in error
    assert "Traceback" not in error
    assert sorted(path.name for path in files.iterdir()) == before


def test_missing_last_values_are_carried_forward_only_if_asked(files, capsys):
    table = pd.read_csv(files / "toy.csv", index_col="time")
    table.assign(y=table["y"].where(np.arange(STEPS) < STEPS - 2)).to_csv(files / "holes.csv")
    printed = " ".join(run("own.zip holes.csv --on-missing ffill", capsys).out.split())
    assert "1 forecasts, 2 of them in the last one's; the last 2 rows are such" in printed


def test_tables_show_what_lies_outside(load):
    record = outlook_record(look_ahead(load("own"), own_past(toy()), span=Span(last=60)))
    outside = sum(
        row["actual"] is not None and not row["lower"] <= row["actual"] <= row["upper"]
        for row in record["forecasts"][-40:]
    )
    cells = list(outlook_table(record).columns[-1].cells)
    assert len(cells) == 40
    assert sum(str(cell).endswith("!") for cell in cells) == outside
