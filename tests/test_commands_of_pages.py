"""Every command of the documents runs, in the order of its page, as a reader would type them in one folder.

They are made small: one model, a lookback or two, one seed, one epoch, few rows. What a page takes for granted (a table
of sales, a model saved before) is there; what it makes itself has to be there when it says so.
"""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer

import backsight
from backsight.cli.main import app, main
from backsight.models.registry import split_models
from backsight.runs.study import choose_recipes
from backsight.series.catalogue import CATALOGUE, local_file
from documents import DOCUMENTS, backsight_arguments, shell_lines

#: Options that make a command small, by the value they get; a command that lacks one does without.
SMALL = {"--seeds": "1", "--epochs": "1", "--trials": "3", "--windows": "100", "--draws": "2", "--folds": "2"}
#: What is taken where a command leaves it out, and would do a lot.
USUAL = {"--models": "gru", "--lookback": "3,7", "--lags": "5", "--folds": "1"}
#: Rows of a dataset that comes with the program.
ROWS = "420"
#: Commands that fit models, unless they read a run or look at data alone.
FITTING = {"compare", "lookback", "memory", "memory-test", "tune", "audit"}
#: The lesson has no small form; tests/test_lesson.py runs it. What `lesson --notebooks` writes is another matter.
ELSEWHERE = {"lesson"}
#: Options that name what a command writes.
WRITES = {"--out", "--save", "--json", "--csv", "--draw", "--notebooks", "--mask"}
DATED = re.compile(r"20\d\d-\d\d-\d\d-\d{3}-compare-seattle")
COMPARED = ["--models", "ridge,trees,lstm,attention", "--lookback", "3,30", "--no-baselines"]


def commands_of(path: Path) -> list[list[str]]:
    """Arguments of the `backsight` lines of a page, in its order, each once."""
    lines = dict.fromkeys(shell_lines(path.read_text()))
    return [a for line in lines if (a := backsight_arguments(line)) is not None and not is_elsewhere(a)]


def is_elsewhere(arguments: list[str]) -> bool:
    return arguments[0] in ELSEWHERE and "--notebooks" not in arguments


def is_data(words: list[str]) -> bool:
    """Whether data is named, as in `audit MODEL DATA` and not in `audit DATA --target units`."""
    return bool(words) and not words[0].startswith("-")


def weight(model: str) -> int:
    """How long a model takes, roughly: its place among those that take none."""
    quick = ("ridge", "trees", "dense")
    return quick.index(model) if model in quick else len(quick)


def value_of(option: str, arguments: list[str]) -> str | None:
    return arguments[arguments.index(option) + 1] if option in arguments else None


def models_of(arguments: list[str]) -> list[str]:
    """The models that a command names."""
    named = value_of("--models", arguments)
    first = arguments[1:2] if arguments[0] in ("audit", "memory") and is_data(arguments[2:3]) else []
    return [*first, *([named] if named else [])]


def made_small(arguments: list[str], wanted: frozenset[str] = frozenset()) -> list[str]:
    """The same command with less to do: of each list its first value, and those of the entries that are wanted.

    >>> made_small(shlex.split("lookback seattle --models rnn,lstm,gru --lookback 1,3,7,30"), frozenset({"gru_30"}))[:6]
    ['lookback', 'seattle', '--models', 'rnn,gru', '--lookback', '1,3,30']
    """
    known = {option for p in typer.main.get_command(app).commands[arguments[0]].params for option in p.opts}
    parts = {part for entry in wanted for part in entry.rpartition("_")[::2]}
    small = list(arguments)
    for option in {"--models", "--lookback", "--lags", "--dropout"} & set(small):
        place = small.index(option) + 1
        values = split_models(small[place])
        first = 2 if arguments[0] == "lookback" and option == "--lookback" else 1
        chosen = sorted(values, key=weight)[:first] if option == "--models" else values[:first]
        small[place] = ",".join(dict.fromkeys([*chosen, *(v for v in values if v in parts)]))
    if small[0] in ("audit", "memory") and is_data(small[2:3]):
        small[1] = "ridge"  # a network would be fitted a dozen times
    elif small[0] in ("audit", "memory"):
        return small
    if small[0] in FITTING:
        usual = {} if small[0] == "audit" else USUAL
        given = SMALL | {option: value for option, value in usual.items() if option not in small}
        given |= {"--rows": ROWS} if {"seattle", "basel"} & set(small) else {}
        given |= {"--workers": "1"} if "--backend" in small else {}  # a process takes seconds to begin
        small += [word for option, value in given.items() if option in known for word in (option, value)]
        baselines = {"ridge", "trees", "persistence", "climatology"} & parts
        small += ["--no-baselines"] if "--baselines" in known and not baselines else []
    return small


def write_table(path, times, step, **columns):
    dates = pd.Series(times).dt.strftime("%Y-%m-%d" if step == "D" else "%Y-%m-%d %H:%M")
    pd.DataFrame({"date": dates, **columns}).to_csv(path, index=False)


def write_tables(folder):
    """What the pages take for a reader's own files."""
    rng = np.random.default_rng(0)
    for name, column, step, rows in (("sales", "units", "D", 400), ("hourly", "load", "h", 24 * 40)):
        values = 10 + np.arange(rows) % 7 + rng.standard_normal(rows)
        times = pd.date_range("2024-01-01", periods=rows, freq=step)
        write_table(folder / f"{name}.csv", times, step, **{column: values.round(3), "price": rng.integers(4, 9, rows)})
    days = pd.date_range("2024-01-01", periods=200)
    shops = pd.DataFrame({"date": list(days) * 2, "shop": ["north"] * 200 + ["south"] * 200})
    shops.assign(units=rng.normal(9, 1, 400).round(3)).to_csv(folder / "shops.csv", index=False)
    (folder / "my_module.py").write_text(
        "import keras\n\n\ndef build(shape):\n    window = keras.Input(shape)\n"
        "    return keras.Model(window, keras.layers.Dense(1)(keras.layers.Flatten()(window)))\n"
    )


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """What pages may speak of as made before: tables of one's own, a run, saved models."""
    folder = tmp_path_factory.mktemp("store")
    write_tables(folder)
    few = ["--seeds", "1", "--epochs", "1"]
    seattle = ["compare", "seattle", "--target", "temp_max", "--rows", ROWS, *few]
    run, model = ["--out", str(folder / "result")], ["--save", str(folder / "seattle.zip"), "--save-entry", "ridge_3"]
    assert main([*seattle, *COMPARED, *run, *model]) == 0
    sales = ["compare", str(folder / "sales.csv"), "--target", "units", "--features", "units", *few]
    sales += ["--models", "ridge", "--lookback", "3"]
    saved = ["--save", str(folder / "sales.zip"), "--out", str(folder / "sales")]
    assert main([*sales, "--no-baselines", *saved]) == 0
    return folder


def provide(arguments, store, made):
    """Put what a command reads into the present folder, unless an earlier line of the page was to make it."""
    read = [w for before, w in zip(["", *arguments], arguments, strict=False) if before not in WRITES]
    for word in read:
        if Path(word).exists() or word in made:
            continue
        if word in ("winner.zip", "model.zip"):
            shutil.copy(store / ("sales.zip" if "sales.csv" in arguments else "seattle.zip"), word)
        elif word == "result" or DATED.search(word):
            shutil.copytree(
                store / "result", word if word == "result" else Path("backsight-runs", DATED.search(word)[0])
            )
        elif word == "runs":  # some have been made already
            shutil.copytree(store / "result", Path("backsight-runs", "earlier"), dirs_exist_ok=True)
        elif word in ("first", "second") and arguments[1] != "restore":
            shutil.copytree(store / "result", Path("backsight-runs", word), dirs_exist_ok=True)


def run_in_order(commands, store, capsys):
    """Run commands in the present folder, small."""
    made: set[str] = set()
    named = [value_of(option, a) for a in commands for option in ("--entries", "--save-entry")]
    wanted = frozenset(name for names in named if names for name in names.split(","))
    for arguments in commands:
        if "basel" in arguments and local_file(CATALOGUE["basel"]) is None:
            continue
        provide(arguments, store, made)
        for models in models_of(arguments):
            choose_recipes(models, (), baselines=False)  # those as well that are left out of the small form
        code = main(made_small(arguments, wanted))
        assert code in ((0, 1) if arguments[0] == "audit" else (0,)), (shlex.join(arguments), capsys.readouterr().err)
        made |= {arguments[i + 1] for i, word in enumerate(arguments[:-1]) if word in WRITES}


@pytest.fixture
def desk(store, tmp_path, monkeypatch):
    """An empty folder of a reader's, with own tables."""
    for name in ("sales.csv", "hourly.csv", "shops.csv", "my_module.py"):
        shutil.copy(store / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("BACKSIGHT_RUNS", "backsight-runs")
    return tmp_path


PAGES = [path for path in DOCUMENTS if path.name != "commands.md" and commands_of(path)]


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # Keras's own, in saving
@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_the_commands_of_a_page_run_one_after_the_other(path, store, desk, capsys):
    run_in_order(commands_of(path), store, capsys)


ON_PAGES = [arguments for path in PAGES for arguments in commands_of(path)]
EXAMPLES = [
    arguments
    for path in DOCUMENTS
    if path.name == "commands.md"
    for arguments in commands_of(path)
    if arguments not in ON_PAGES
]


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("arguments", EXAMPLES, ids=shlex.join)
def test_an_example_of_a_command_runs_by_itself(arguments, store, desk, capsys):
    """Those of docs/commands.md, which are those of `--help`, where no page has run them."""
    if "/elsewhere/sales.csv" in arguments:  # a run whose data has moved
        shutil.copytree(store / "sales", desk / "result")
        arguments = [str(desk / "sales.csv") if word == "/elsewhere/sales.csv" else word for word in arguments]
    run_in_order([arguments], store, capsys)


def test_a_page_that_does_not_run_is_seen(store, desk, capsys):
    first = "compare sales.csv --target units --models ridge --lookback 3 --out result"
    with pytest.raises(AssertionError, match="holds another run"):
        run_in_order([first.split(), first.replace("--lookback 3", "--lookback 7").split()], store, capsys)
    with pytest.raises(backsight.RecipeError, match="rigde"):
        run_in_order([["compare", "seattle", "--target", "temp_max", "--models", "ridge,rigde"]], store, capsys)
