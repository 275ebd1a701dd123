"""Files that anybody may have written: whatever they hold, an answer or an error of ours, and nothing else happens."""

import json
import os
import sys
from contextlib import suppress
from dataclasses import asdict
from shutil import copytree

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backsight.cli.main import main
from backsight.errors import BacksightError, SettingError
from backsight.models.recipe import Recipe
from backsight.models.registry import FAMILIES, RECIPES, as_recipe, recipe_from_json, recipe_to_json
from backsight.runs import compare as comparing
from backsight.runs import memory as profiling
from backsight.runs import tune as tuning
from backsight.runs.folder import JOURNAL, SEARCH
from backsight.runs.home import list_runs, read_leaderboard
from backsight.runs.locks import WORKER
from backsight.runs.memory import ranking_of
from backsight.runs.saved import STUDY_FILE, read_run_record, read_study, study_of, with_data
from backsight.runs.search import search_again
from backsight.runs.search_file import read_search
from backsight.runs.search_log import open_journal
from backsight.series.read import read_series
from backsight.training.plan import Plan, plan_from_json
from conftest import make_toy

#: Of each kind; BACKSIGHT_FUZZ asks for others, drawn anew each time.
USUAL = 100
EXAMPLES = int(os.environ.get("BACKSIGHT_FUZZ", USUAL))
QUICK = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES == USUAL,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
HOLDS_NOTHING = object()


# ---- CSV

CELLS = [
    "", " ", "nan", "NaN", "inf", "-inf", "1e400", "1e39", "-0", "1_0", "0x10", "1,5", "١٢", "\x00", '"', '""', "'",
    "2020-01-01", "01/02/2020", "2020-02-30", "20200101", "now", "0", "9" * 20, "9" * 400, "\ufeff", "\u2028", "1e5",
    "2020-01-01T00:00:00Z", "2020-01-01T00:00+25:00", "1677-01-01", "300000-01-01", "\r", "\n", ";", "=1",
]  # fmt: skip
cells = st.sampled_from(CELLS) | st.text(max_size=12) | st.floats().map(repr) | st.integers().map(str)


@st.composite
def nearly_series(draw):
    """The text of a good file, with some of it replaced, repeated, left out or cut off."""
    step = draw(st.sampled_from(["D", "h", "MS", "W"]))
    times = pd.date_range("2020-01-01", periods=draw(st.integers(1, 12)), freq=step).strftime("%Y-%m-%d %H:%M")
    table = [["time", "y", "x"], *([time, str(i % 5), f"{i / 7}"] for i, time in enumerate(times))]
    for _ in range(draw(st.integers(0, 4))):
        row = draw(st.integers(0, len(table) - 1))
        what = draw(st.sampled_from(["cell", "cell", "cell", "row", "twice", "gone", "swap"]))
        if what == "cell":
            table[row][draw(st.integers(0, len(table[row]) - 1))] = draw(cells)
        elif what == "row":
            table[row] = draw(st.lists(cells, min_size=1, max_size=5))
        elif what == "twice":
            table.insert(row, list(table[row]))
        elif what == "swap":
            table[row], table[0] = table[0], table[row]
        elif len(table) > 1:
            del table[row]
    separator, end = draw(st.sampled_from(",;\t|")), draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    data = end.join(separator.join(row) for row in table).encode("utf-8", "surrogatepass")
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf", b"\xff\xfe"])) + data[: draw(st.integers(0, 400)) or None]


options = st.fixed_dictionaries(
    {},
    optional={
        "time": st.sampled_from(["time", "y", "nothing", ""]),
        "time_format": st.sampled_from(["%Y-%m-%d %H:%M", "%Y", "%j", "%", "%Q", "\x00", ""]),
        "encoding": st.sampled_from(["utf-8", "latin-1", "utf-16", "idna", "hex", "a\x00b", "utf-7", "utf-32"]),
        "columns": st.lists(st.sampled_from(["*", "y", "[", "[!a", "", "x*"]), max_size=2),
        "first": st.sampled_from(["2020-01-03", "soon", "2020-01-01T10:00+02:00"]),
        "on_duplicate": st.sampled_from(["error", "first", "last", "mean"]),
        "on_missing": st.sampled_from(["error", "ffill"]),
    },
)


@QUICK
@given(st.binary(max_size=300) | nearly_series(), options)
def test_a_csv_is_a_series_or_an_error(tmp_path_factory, data, asked):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(data)
    with suppress(BacksightError):
        series = read_series(path, **asked)
        assert np.isfinite(series.values).all()
        assert series.times.is_monotonic_increasing
        assert series.times.is_unique


# ---- plans and recipes

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
scalars |= st.sampled_from([10**400, -1, 2**63, 1e308, "\x00", "\ud800", "relu", "16", "__class__", "own"])
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner))
PLANS = [asdict(Plan())]
RECIPE_RECORDS = [recipe_to_json(recipe) for recipe in (*RECIPES.values(), as_recipe("recursive(ridge)"))]
KEYS = {name for record in (*PLANS, *RECIPE_RECORDS) for name in record}
keys = st.sampled_from(sorted(KEYS | {"self", "settings", "__dataclass_self__"}))


@QUICK
@given(st.sampled_from(RECIPE_RECORDS), st.dictionaries(keys, values, max_size=3), st.booleans())
def test_a_recipe_is_a_recipe_or_an_error(record, other, alone):
    with suppress(BacksightError):
        assert isinstance(recipe_from_json(other if alone else {**record, **other}), Recipe)
    with suppress(BacksightError):
        json.dumps(asdict(plan_from_json({**PLANS[0], **other})), allow_nan=False)


def test_what_is_fuzzed_is_good_when_it_is_left_alone():
    """Else everything above and below could fail for a reason of its own."""
    assert {type(recipe_from_json(record)).family for record in RECIPE_RECORDS} == set(FAMILIES)
    assert plan_from_json(PLANS[0]) == Plan()


# ---- runs

TRAP = "raise SystemExit('a run has imported this')\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a run and a search, which nothing is wrong with."""
    home = tmp_path_factory.mktemp("home")
    (home / "trap_of_the_fuzz.py").write_text(TRAP)
    series = make_toy(60)
    pd.DataFrame(series.values, series.times, list(series.columns)).to_csv(home / "toy.csv", index_label="time")
    asked = ["--target", "y", "--features", "a*,b", "--models", "ridge,trees", "--lookback", "2,3", "--seeds", "1"]
    for command, more in (("compare", ["--folds", "2", "--no-baselines"]), ("tune", ["--trials", "3", "--folds", "1"])):
        assert main([command, str(home / "toy.csv"), *asked, *more, "--out", str(home / command)]) == 0
    copytree(home / "compare", home / "other")
    return home


ODD = [
    None, True, -1, 0, 10**400, 2**63, -(2**63), 1e999, float("nan"), "", "\x00", "\ud800", "../../etc/passwd",
    "trap_of_the_fuzz:go", [], {}, [[]], {"name": "x"}, [None], ["ridge"], [0, 10**12], "[red]", "[/]", "\x1b[2J",
    "/dev/zero", HOLDS_NOTHING,
]  # fmt: skip


def places(record, here=()):
    """Every place in a record, as the keys that lead there."""
    yield here
    inside = record.items() if isinstance(record, dict) else enumerate(record) if isinstance(record, list) else ()
    for key, value in inside:
        yield from places(value, (*here, key))


def changed(record, place, value):
    """The record with another value in one place, or without it."""
    if not place:
        return value
    key, *rest = place
    copy = dict(record) if isinstance(record, dict) else list(record)
    if value is HOLDS_NOTHING and not rest:
        del copy[key]
    else:
        copy[key] = changed(record[key], rest, value)
    return copy


def as_text(record):
    """JSON as Python writes it, NaN and all; what is nowhere is an empty file."""
    return "" if record is HOLDS_NOTHING else json.dumps(record)


def wreck(draw, text):
    """A file like this one: a value changed, cut off, a line twice, deep within brackets, or something else."""
    record = json.loads(text)
    how = draw(st.sampled_from(["value", "value", "value", "new key", "cut", "twice", "deep", "any", "bytes"]))
    if how == "value":
        return as_text(
            changed(record, draw(st.sampled_from(list(places(record)))), draw(st.sampled_from(ODD) | values))
        )
    if how == "new key":
        return as_text({**record, draw(st.text(max_size=5)): draw(values)})
    if how == "cut":
        return text[: draw(st.integers(0, len(text)))]
    if how == "twice":
        key = draw(st.sampled_from(sorted(record)))
        return text.rstrip()[:-1] + f', "{key}": {as_text(draw(st.sampled_from(ODD[:-1])))}}}'
    if how == "deep":
        return draw(st.sampled_from(["[", '{"version":', '{"study":'])) * 10_000
    return draw(st.text(max_size=50)) if how == "bytes" else as_text(draw(values))


def study_again(folder):
    record = read_run_record(folder)
    study = study_of(record, folder, [entry["name"] for entry in record["entries"]])
    study.jobs(), study.pieces()


def search_once_more(folder):
    asked = read_search(folder)["asked"]
    search = search_again({**asked, "study": with_data(asked["study"], None)}, folder)
    open_journal(folder, search.candidates)


#: What reads a file of a run.
READERS = {
    STUDY_FILE: [study_again, read_study, lambda folder: list(list_runs(folder.parent))],
    "result.json": [read_leaderboard],
    "leaderboard.csv": [ranking_of],
    SEARCH: [search_once_more, lambda folder: list(list_runs(folder.parent))],
    JOURNAL: [search_once_more],
}


def snapshot(home, but):
    """What must stay as it was: all files but that one, and the note of who works in a run."""
    but = {but, but.with_name(WORKER)}
    return {p: p.read_bytes() for p in home.rglob("*") if p.is_file() and p not in but and ".lock" not in p.name}


@pytest.mark.parametrize("name", READERS)
@QUICK
@given(data=st.data())
def test_a_file_of_a_run_is_read_or_refused(home, name, data, monkeypatch):
    monkeypatch.chdir(home)
    folder = home / ("tune" if name in (SEARCH, JOURNAL) else "compare")
    good = (folder / name).read_text()
    before = snapshot(home, folder / name)
    if name == JOURNAL:
        lines = good.splitlines()
        at = data.draw(st.integers(0, len(lines) - 1))
        bad = "\n".join([*lines[:at], wreck(data.draw, lines[at]).replace("\n", " "), *lines[at + 1 :]]) + "\n"
    else:
        bad = wreck(data.draw, good) if name.endswith(".json") else data.draw(st.text() | st.just(good[:40]))
    (folder / name).write_text(bad, encoding="utf-8", errors="surrogatepass")
    try:
        for read in READERS[name]:
            with suppress(BacksightError):
                read(folder)
        assert "trap_of_the_fuzz" not in sys.modules
        assert snapshot(home, folder / name) == before
    finally:
        (folder / name).write_text(good)


#: Commands that read a file of a run; {run} is the run with the bad file, {other} a good one.
COMMANDS = {
    STUDY_FILE: ["resume {run}", "memory {run}", "runs list --home {home}", "runs compare {run} {other}"],
    "result.json": ["runs compare {other} {run}"],
    SEARCH: ["resume {run}", "runs list --home {home} --json -"],
}


@pytest.mark.parametrize(("name", "command"), [(name, command) for name in COMMANDS for command in COMMANDS[name]])
@settings(QUICK, max_examples=QUICK.max_examples // 6)
@given(data=st.data())
def test_a_command_says_so_in_one_line(home, name, command, data, monkeypatch, capsys):
    monkeypatch.chdir(home)
    for module, work in ((comparing, "examine"), (profiling, "profile_study"), (tuning, "pursue")):
        monkeypatch.setattr(module, work, would_work)
    folder = home / ("tune" if name == SEARCH else "compare")
    good = (folder / name).read_text()
    before = snapshot(home, folder / name)
    (folder / name).write_text(wreck(data.draw, good), encoding="utf-8", errors="surrogatepass")
    try:
        code = main(command.format(run=folder, other=home / "other", home=home).split())
        err = capsys.readouterr().err
        assert code == 0 or (code == 2 and err.startswith("Error: ") and err.count("\n") == 1 and len(err) < 700), err
        assert "trap_of_the_fuzz" not in sys.modules
        assert snapshot(home, folder / name) == before
    finally:
        (folder / name).write_text(good)


def would_work(*_, **__):
    raise SettingError("all was well")
