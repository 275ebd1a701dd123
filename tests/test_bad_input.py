"""Bad input: one clear error, exit code 2, no traceback, nothing written. One row a case."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backsight.cli.main import main

DAYS = pd.date_range("2020-01-01", periods=120, freq="D").strftime("%Y-%m-%d")
LINES = ["date,y,x", *(f"{day},{i % 7},{i % 5}" for i, day in enumerate(DAYS))]


def changed(line: int, text: str | None) -> str:
    """The good file with one line (counted from 1) replaced, or left out."""
    lines = list(LINES)
    lines[line - 1 : line] = [] if text is None else [text]
    return "\n".join(lines) + "\n"


GOOD = changed(1, LINES[0])

#: name: (what the file holds, what the message must say)
FILES: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "empty"),
    "header only": ("date,y,x\n", "no rows"),
    "one column": ("date\n2020-01-01\n", "one column"),
    "no header": ("1,2,3\n4,5,6\n", "The first line .* holds numbers"),
    "two columns of one name": (changed(1, "date,y,y"), "called 'y'"),
    "column without a name": (changed(1, "date,y,"), "Column 3 .* no name"),
    "short row": (changed(50, "2020-02-18,1"), "Line 50 .* 2 fields"),
    "long row": (changed(50, "2020-02-18,1,2,3"), "Line 50 .* 4 fields"),
    "empty line within": (changed(50, ""), "Line 50 .* empty"),
    "unclosed quote": (changed(50, '2020-02-18,"1,2'), "Line .* no CSV"),
    "text among numbers": (changed(50, "2020-02-18,much,2"), "Line 50, column 'y': 'much'"),
    "decimal comma": (GOOD.replace(",", ";").replace("2020-02-18;6;", "2020-02-18;6,5;"), "--decimal ',' it is 6.5"),
    "underscore in a number": (changed(50, "2020-02-18,1_000,2"), "'1_000' is not a number"),
    "empty cell": (changed(50, "2020-02-18,,2"), "1 missing value, first at line 50 in column 'y'"),
    "NaN cell": (changed(50, "2020-02-18,NaN,2"), "missing value"),
    "infinite": (changed(50, "2020-02-18,inf,2"), "infinite value, first at line 50"),
    "too large": (changed(50, "2020-02-18,1e40,2"), "1 value beyond 1e30, first at line 50"),
    "zone on some": (changed(50, "2020-02-18T00:00:00Z,1,2"), "line 50, .* has a time zone, unlike"),
    "no header but dates": ("\n".join(LINES[1:]), "holds numbers"),
    "decimal commas all over": (
        re.sub(r";(\d)\n", r";\1,5\n", GOOD.replace(",", ";")),
        "column 'x': '0,5' is not a number. With --decimal ',' it is 0.5",
    ),
    "thousands or decimals": (
        changed(50, '2020-02-18,"1,234",2'),
        "With --thousands ',' it is 1234, with --decimal ',' it is 1.234: pass the one that is meant",
    ),
    "thousands all over": (
        re.sub(r",(\d+)\n", r',"\1,234,567"\n', GOOD),
        "column 'x': '0,234,567' is not a number. With --thousands ',' it is 234567",
    ),
    "repeated time": (changed(50, LINES[48]), "1 repeated time, first at line 50 .*--on-duplicate"),
    "out of order": (changed(50, "2019-02-19,1,2"), "not in time order: 2019-02-19 at line 50"),
    "gap": (changed(50, None), "1 missing step: 2020-02-19 at line 50"),
    "uneven": (changed(50, "2020-02-18 06:00,1,2"), "uneven"),
    "no date": (changed(50, "soon,1,2"), "line 50 is 'soon'"),
    "day first": (GOOD.replace("2020-01-01", "01/13/2020"), "--time-format"),
    "no time column": (GOOD.replace("date,", "when,").replace("2020-", "x"), "--time"),
    "no numbers": ("date,a\n2020-01-01,u\n2020-01-02,v\n2020-01-03,w\n", "No column holds numbers"),
    "two rows": ("\n".join(LINES[:3]), "at least 3 rows"),
    "too short": ("\n".join(LINES[:12]), "lookback of 30|would hold no row|part has"),
    "latin-1": (GOOD.replace("x", "größe").encode("latin-1"), "Line 1 .* not utf-8"),
    "UTF-16": (GOOD.encode("utf-16"), "UTF-16"),
}


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "a_folder").mkdir()
    (tmp_path / "a_file").write_text("mine")
    (tmp_path / "own.py").write_text(
        "import keras\n"
        "def number(shape):\n    return 3\n"
        "def raises(shape):\n    raise KeyError('what')\n"
        "def two(shape):\n    i = keras.Input(shape)\n"
        "    return keras.Model(i, keras.layers.Dense(2)(keras.layers.Flatten()(i)))\n"
        "constant = 3\n"
        "def exits(shape):\n    raise SystemExit(3)\n"
        "grown = []\n"
        "def other_each_time(shape):\n    grown.append(1)\n    i = keras.Input(shape)\n"
        "    x = keras.layers.Dense(len(grown))(keras.layers.Flatten()(i))\n"
        "    return keras.Model(i, keras.layers.Dense(1)(x))\n"
    )
    (tmp_path / "broken.py").write_text("def f(:\n")
    (tmp_path / "link.json").symlink_to("a_file")
    (tmp_path / "taken" / "forecasts.csv").mkdir(parents=True)
    return tmp_path


def fails(capsys, arguments: list[str], says: str, folder: Path) -> None:
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Error: ")
    assert "Traceback" not in err
    assert re.search(says, err, flags=re.DOTALL), err
    assert len(err) < 420, "an error is one or two sentences"
    after = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert after == before


@pytest.mark.parametrize("case", FILES)
def test_a_bad_file(case, folder, capsys):
    content, says = FILES[case]
    path = folder / "bad.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    fails(
        capsys,
        ["compare", "bad.csv", "--target", "y", "--models", "ridge", "--out", "o", "--json", "r.json"],
        says,
        folder,
    )


#: (options after `compare good.csv --target y --models ridge`, what the message must say)
OPTIONS: list[tuple[str, str]] = [
    ("--target z", "no column 'z'"),
    ("--features Z*", "No column fits 'Z\\*'"),
    ("--lookback 0", "--lookback takes whole numbers"),
    ("--lookback -3", "--lookback takes whole numbers"),
    ("--lookback 1,two", "'two' was given"),
    ("--lookback 3.5", "'3.5' was given"),
    ("--lookback ,", "at least one number"),
    ("--lookback 500", "lookback of 500 .* need 501 training rows"),
    ("--horizon 0", "Horizon and stride must be 1 or more"),
    ("--stride 0", "Horizon and stride must be 1 or more"),
    ("--horizon 50", "fewer than the horizon of 50"),
    ("--horizon x", "--horizon"),
    ("--seeds 0", "Seeds must be 1 or more"),
    ("--seeds -1", "Seeds must be 1 or more"),
    ("--seeds many", "--seeds"),
    ("--patience 0", "patience"),
    ("--epochs 0", "epochs"),
    ("--batch-size 0", "batch_size"),
    ("--learning-rate 0", "learning_rate"),
    ("--learning-rate nan", "learning_rate"),
    ("--keep first", "--keep"),
    ("--scale log", "--scale"),
    ("--dropout 1", "--dropout takes shares"),
    ("--dropout -0.1", "--dropout takes shares"),
    ("--dropout some", "--dropout takes shares"),
    ("--dropout nan", "--dropout takes shares"),
    ("--models nothing", "no model 'nothing'"),
    ("--models ridge(", "is no model"),
    ("--models lstm(units=0)", "units"),
    ("--models lstm(units=2.5)", "units"),
    ("--models lstm(size=3)", "no setting 'size'"),
    ("--models lstm(units)", "is no setting"),
    ("--models persistence(units=3)", "no setting 'units'; it has none"),
    ("--models lstm(activation=loud)", "activation"),
    ("--models dense(units=10-x)", "units"),
    ("--models transformer(heads=3)", "heads must divide units"),
    ("--models no_module:build", "no_module"),
    ("--models own:nothing", "no function 'nothing'"),
    ("--models own:constant", "no function but a int"),
    ("--models own:number --lookback 3 --no-baselines", "must return a keras.Model; it returned int"),
    ("--models own:raises --lookback 3 --no-baselines", "raised KeyError"),
    ("--models own:exits --lookback 3 --no-baselines", "raised SystemExit"),
    ("--models own:other_each_time --lookback 3 --seeds 2 --epochs 1", "another network each time"),
    ("--models own:number(units=3)", "takes no settings"),
    ("--models lstm(units=3,units=4)", "sets units twice"),
    ("--models gru(units=9999)", "units"),
    ("--lookback 99999999999", "from 1 to 999999"),
    ("--learning-rate 1e300", "learning_rate"),
    ("--split nan,nan,nan", "must be positive"),
    ("--from 01/05/2020", "'01/05/2020' is not a date"),
    ("--to 2020-05", "'2020-05' is not a date"),
    ("--features ,", "at least one column"),
    ("--json good.csv", "would overwrite good.csv"),
    ("--json link.json", "is a link"),
    ("--out same --json same", "would overwrite same"),
    ("--out taken", "folder where a file of that name would go"),
    ("--time-format %d/%Q", "no format of times"),
    ("--models own:two --lookback 3 --no-baselines", "must map inputs .* \\(None, 1\\)"),
    ("--models broken:f", "raised SyntaxError"),
    ("--models , --no-baselines", "No model was named"),
    ("--split 0.8,0.2", "three shares"),
    ("--split 0.8,0.1,0.2", "add up to 1"),
    ("--split 1,0,0", "must be positive"),
    ("--gap -1", "gap is a number of rows, 0 or more"),
    ("--gap 100", "would hold no row"),
    ("--validation-from 2020-03-01", "go together"),
    ("--validation-from 2020-03-01 --test-from 2020-02-01", "test after validation"),
    ("--validation-from 2020-03-01 --test-from soon", "'soon' is not a date"),
    ("--from 2030-01-01", "No row of good lies from"),
    ("--from 2020-13-45", "not a date"),
    ("--rows 0", "its first 0 were asked for"),
    ("--rows 9999", "its first 9999 were asked for"),
    ("--workers 0", "Workers are threads, 1 or more"),
    ("--json a_folder", "is a folder"),
    ("--json nowhere/r.json", "no folder nowhere"),
    ("--out a_file", "is a file"),
    ("--out a_file/o", "can't be made"),
    ("--encoding klingon", "no encoding 'klingon'"),
    ("--time when", "no time column 'when'"),
    ("--on-duplicate guess", "--on-duplicate"),
    ("--unknown", "No such option"),
    ("extra", "unexpected extra argument"),
]


@pytest.mark.parametrize(("options", "says"), OPTIONS)
def test_a_bad_option(options, says, folder, capsys):
    fails(capsys, ["compare", "good.csv", "--target", "y", "--models", "ridge", *options.split(" ")], says, folder)


#: (whole command, what the message must say)
COMMANDS: list[tuple[str, str]] = [
    ("compare", "Missing argument"),
    ("compare nowhere.csv --target y", "no file nowhere.csv"),
    ("compare a_folder --target y", "is a folder"),
    ("compare good.csv", "Name the column to forecast"),
    ("compare good.csv --target", "--target"),
    ("compare a_file --target y", "one column"),
    ("compare bad.parquet --target y", "not a readable Parquet"),
    ("lesson --data mars", "lesson runs on basel"),
    ("lesson --data seattle --seeds 0", "Seeds must be 1 or more"),
    ("lesson --out a_file", "is a file"),
    ("describe", "Missing argument"),
    ("describe nothing", "no model 'nothing'"),
    ("models --json nowhere/a.json", "no folder nowhere"),
    ("compare seattle --time when", "read as it is published"),
    ("compare good.csv --target y --models rnn,same:rnn_1", "raised ModuleNotFoundError"),
    ("describe lstm --lookback 0", "Lookback must be 1 or more"),
    ("describe lstm --features 0", "Features must be 1 or more"),
    ("describe lstm --windows 0", "Windows must be 1 or more"),
    ("data mars", "no dataset 'mars'"),
    ("dance", "No such command"),
]


@pytest.mark.parametrize(("command", "says"), COMMANDS)
def test_a_bad_command(command, says, folder, capsys):
    (folder / "bad.parquet").write_bytes(b"PAR1 no PAR1")
    fails(capsys, command.split(" "), says, folder)


def test_the_good_file_is_good(folder, capsys):
    """Else every case above could fail for a reason of its own."""
    assert main(["compare", "good.csv", "--target", "y", "--models", "ridge", "--lookback", "3", "--seeds", "1"]) == 0
    assert "ridge_3" in capsys.readouterr().out


def test_files_of_a_failed_write_stay_as_they_were(folder):
    from backsight.errors import SettingError
    from backsight.report.files import write_files

    def disk_full(path):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    (folder / "first.csv").write_text("old")
    with pytest.raises(SettingError, match="No space left"):
        write_files(folder, {"first.csv": lambda p: p.write_text("new"), "second.csv": disk_full})
    assert (folder / "first.csv").read_text() == "old"
    assert not list(folder.glob(".unfinished*"))
    assert not (folder / "second.csv").exists()


@pytest.mark.parametrize("column", ["y", "time"])
def test_a_parquet_file_with_a_hole(column, folder, capsys):
    frame = pd.DataFrame({"time": pd.date_range("2020-01-01", periods=40), "y": np.arange(40.0)})
    frame.loc[7, column] = None
    frame.to_parquet(folder / "hole.parquet")
    fails(capsys, ["compare", "hole.parquet", "--target", "y"], "row 8", folder)
