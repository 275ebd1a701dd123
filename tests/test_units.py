"""Units that a file does not say: given beside it, they follow its columns into reports, runs and model files."""

import json

import pytest

from backsight.cli.main import main
from backsight.cli.options import split_units
from backsight.errors import ColumnError, SettingError
from backsight.runs.model_file import load_model
from backsight.runs.saved import read_study
from backsight.series.source import Source
from conftest import make_toy

ASKED = ["--target", "y", "--models", "ridge", "--lookback", "2", "--seeds", "1", "--no-baselines"]


@pytest.fixture
def sales(tmp_path, monkeypatch):
    toy = make_toy(90)
    rows = [f"{t:%Y-%m-%d},{y},{a}" for t, y, a in zip(toy.times, toy.column("y"), toy.column("a"), strict=True)]
    (tmp_path / "sales.csv").write_text("\n".join(["day,y,a", *rows]) + "\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_unit_is_in_the_report_the_run_and_the_model(sales, capsys):
    units = ["--unit", "y=pieces", "--unit", "a=EUR"]
    assert main(["compare", "sales.csv", *ASKED, *units, "--out", "run", "--save", "m.zip"]) == 0
    assert "(RMSE, pieces)" in " ".join(capsys.readouterr().out.split())
    assert json.loads((sales / "run" / "result.json").read_text())["exam"]["unit"] == "pieces"
    card = load_model("m.zip").card
    assert {column.name: column.unit for column in card.features} == {"y": "pieces", "a": "EUR"}
    assert read_study(sales / "run").series.units == {"y": "pieces", "a": "EUR"}
    (sales / "run" / "result.json").unlink()
    assert main(["resume", "run"]) == 0
    assert "(RMSE, pieces)" in " ".join(capsys.readouterr().out.split())


def test_a_forecast_from_other_units_is_refused_by_name(sales, capsys):
    assert main(["compare", "sales.csv", *ASKED, "--unit", "a=EUR", "--save", "m.zip"]) == 0
    capsys.readouterr()
    assert main(["forecast", "m.zip", "sales.csv", "--unit", "a=EUR"]) == 0
    assert main(["forecast", "m.zip", "sales.csv"]) == 0  # who says no unit is believed
    capsys.readouterr()
    assert main(["forecast", "m.zip", "sales.csv", "--unit", "a=USD"]) == 2
    assert "has learnt a in EUR; sales has it in USD" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["pieces", "=pieces", "y=", " = ", ""])
def test_what_is_no_unit(text):
    with pytest.raises(SettingError, match="--unit needs a column and its unit"):
        split_units([text])


def test_units_that_contradict_each_other_or_name_nothing(sales, capsys):
    assert split_units(["y=a", "y=a", "x=y=b"]) == {"y": "a", "x=y": "b"}
    with pytest.raises(SettingError, match="gives 'y' two units, a and b"):
        split_units(["y=a", "y=b"])
    with pytest.raises(ColumnError, match="no column 'z'"):
        Source("sales.csv", units={"z": "m"}).read()
    assert main(["compare", "seattle", "--unit", "wind=knots"]) == 2
    assert "units can only be given for a file" in capsys.readouterr().err
