"""Saving and exporting from the command line; the golden files."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import backsight
from backsight.cli.main import main
from backsight.models.registry import as_recipe

GOLDEN = Path(__file__).parent / "golden"
ON_SEATTLE = "seattle --target temp_max --features temp_max,wind --rows 200 --lookback 3 --models ridge"
COMPARE = ["compare", *ON_SEATTLE.split(" "), "--no-baselines"]


def golden_series():
    return backsight.load("seattle").select(["temp_max", "precipitation", "wind"]).head(400)


@pytest.mark.parametrize(("name", "tolerance"), [("lstm", 1e-6), ("trees", 0.0)])
def test_golden_files_forecast_what_they_did(name, tolerance):
    """Files of version 0.1.0. They stay, and stay readable, whatever changes: what people have saved is like them."""
    model = backsight.load_model(GOLDEN / f"{name}.zip")
    kept = pd.read_csv(GOLDEN / f"{name}.csv", parse_dates=["origin", "time"])
    again = model.predict(golden_series())
    assert again["time"].tolist() == kept["time"].tolist()
    scale = model.fitted[0].view.target_scale if tolerance else 1.0
    np.testing.assert_allclose(again["predicted"], kept["predicted"], rtol=0, atol=tolerance * scale)
    assert model.card.backsight == "0.1.0"
    assert model.entry.recipe == as_recipe({"lstm": "lstm(units=3)", "trees": "trees(trees=20,leaves=4)"}[name])
    assert len(model.calibration.rows)


def test_a_model_is_saved_and_exported(tmp_path, capsys):
    saved, network = tmp_path / "model.zip", tmp_path / "model.onnx"
    assert main([*COMPARE, "--save", str(saved), "--save-entry", "ridge_3"]) == 0
    assert f"Saved to {saved}: ridge_3." in " ".join(capsys.readouterr().out.split())
    assert backsight.load_model(saved).card.name == "ridge_3"
    assert main(["export", str(saved), str(network)]) == 0
    assert (
        "windows of shape (3, 2), not scaled, the latest step last: temp_max (degC), wind (m/s)"
        in capsys.readouterr().out
    )
    assert network.stat().st_size > 500


def test_without_a_name_the_recommended_model_is_saved(tmp_path):
    saved, record = tmp_path / "model.zip", tmp_path / "r.json"
    models = ["--models", "ridge,persistence,trees(trees=5)", "--seeds", "2"]
    assert main([*COMPARE, *models, "--save", str(saved), "--json", str(record)]) == 0
    recommended = json.loads(record.read_text())["exam"]["recommended"]
    assert backsight.load_model(saved).card.name == recommended.removesuffix(" ensemble")


def test_a_run_that_has_ended_saves_any_of_its_models(tmp_path, capsys):
    saved, out = tmp_path / "model.zip", str(tmp_path / "run")
    assert main([*COMPARE, "--models", "ridge,climatology", "--out", out]) == 0
    assert main(["resume", out, "--save", str(saved), "--save-entry", "climatology"]) == 0
    assert backsight.load_model(saved).card.name == "climatology"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--save-entry ridge_3", "Give both"),
        ("--save {folder}", "is a folder"),
        ("--save {folder}/nowhere/model.zip", "There is no folder"),
        ("--save {folder}/a.json --json {folder}/a.json", "would overwrite"),
        ("--save {folder}/model.zip --save-entry lstm_9", "There is no entry 'lstm_9' to save"),
        ("--save {folder}/model.zip --models test_recipes:own_network", "might be recommended"),
        (
            "--save {folder}/model.zip --models test_recipes:own_network --save-entry test_recipes:own_network_3",
            "is a model of yours, which no file holds",
        ),
    ],
)
def test_what_cannot_be_saved_is_refused_before_the_work(options, says, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("backsight.runs.compare.examine", lambda *_: pytest.fail("the work has begun"))
    assert main([*COMPARE, *options.format(folder=tmp_path).split()]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("{model} {folder}/model.h5", "ends in .keras or .onnx"),
        ("{model} {folder}/model.onnx --to keras", "Keras reads files that end in .keras"),
        ("{folder}/gone.zip {folder}/model.onnx", "gone.zip: It can't be read"),
        ("{folder}/nowhere/../model.onnx {folder}/nowhere/model.onnx", "There is no folder"),
        ("{model} {model} --to onnx", "would overwrite the model"),
    ],
)
def test_what_cannot_be_exported_is_refused(arguments, says, tmp_path, capsys):
    words = arguments.format(model=GOLDEN / "trees.zip", folder=tmp_path).split()
    assert main(["export", *words]) == 2
    assert says in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_a_damaged_model_is_no_traceback(tmp_path, capsys):
    (tmp_path / "model.zip").write_bytes((GOLDEN / "trees.zip").read_bytes()[:-1])
    assert main(["export", str(tmp_path / "model.zip"), str(tmp_path / "model.onnx")]) == 2
    assert capsys.readouterr().err.startswith("Error: ")


def test_the_report_says_what_comes_next(tmp_path):
    asked = ["compare", "seattle", "--target", "temp_max", "--rows", "300", "--lookback", "3", "--models", "ridge"]
    saved = ["--no-baselines", "--save", str(tmp_path / "m.zip"), "--out", str(tmp_path / "run")]
    assert main([*asked, *saved]) == 0
    found = json.loads((tmp_path / "run" / "next.json").read_text())
    assert (found["entry"], found["rows"][0]["time"]) == ("ridge_3", "2012-10-27")
    series = backsight.load("seattle").head(300)
    assert found["rows"][0]["predicted"] == backsight.load_model(tmp_path / "m.zip").forecast(series)["predicted"][0]
    assert "What comes next, 2012-10-27?" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
