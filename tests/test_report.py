"""The report without a browser: nothing is taken for HTML, every section can be absent, the numbers are right."""

import json
import re
import shlex
import shutil
from base64 import b64encode
from collections import Counter
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from string import ascii_lowercase

import html5lib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.tsa.stattools import acf

from backsight.cli.main import main
from backsight.errors import SettingError
from backsight.report.charts.chart import Axis, Chart, Line
from backsight.report.charts.draw import draw, draw_panels, save
from backsight.report.charts.errors import autocorrelation, lead_chart, month_chart, residual_chart, size_charts
from backsight.report.charts.forecast import forecast_chart, mean_forecasts
from backsight.report.charts.leaderboard import leaderboard_chart
from backsight.report.charts.ticks import counted_axis, log_axis, number_axis, time_axis
from backsight.report.diagrams.cell import GATES, draw_cell
from backsight.report.diagrams.unrolled import draw_unrolled
from backsight.report.figures import NAMES, charts_of, lookback_rows, picture_writers, shown_entries
from backsight.report.page import page as pages
from backsight.report.page.answer import answers
from backsight.report.page.html import Html, tag
from backsight.report.page.page import page
from backsight.report.page.svg import draw_path
from backsight.report.report import write_report
from backsight.report.stored import Stored, read_stored
from backsight.runs.layout import RESULT_FILE
from report_runs import COMMAND, HOSTILE, everything, renamed

SECTIONS = {
    "answer", "leaderboard", "lookback", "training", "forecast", "errors", "memory", "layers", "attention", "data",
    "said", "repeat", "sources",
}  # fmt: skip


@pytest.fixture(scope="module")
def stored(report_run):
    return everything(report_run)


def page_of(stored):
    return page(stored, charts_of(stored))


def parsed(text):
    """Every element of a page as a browser reads it, in order."""
    return list(html5lib.parse(text, namespaceHTMLElements=False).iter())


def outline(text):
    """Elements and the names of their attributes, but none of the values."""
    return [(e.tag, sorted(e.attrib)) for e in parsed(text) if isinstance(e.tag, str)]


def ids(text):
    return {e.get("id") for e in parsed(text) if e.get("id")}


def test_a_run_with_everything_shows_every_section(stored):
    assert ids(page_of(stored)) == SECTIONS


#: So many names in one page: an entry, or another name, each.
BATCH = 14


@pytest.mark.parametrize("start", range(0, len(HOSTILE), BATCH))
def test_no_name_makes_an_element(stored, start):
    """Compared with harmless names of the same lengths: the same elements with the same attributes, in order."""
    names = HOSTILE[start : start + BATCH]
    others = [letter * len(name) for letter, name in zip(ascii_lowercase, names, strict=False)]
    hostile, harmless = (page_of(renamed(stored, parts)) for parts in (names, others))
    assert outline(hostile) == outline(harmless)


def test_hostile_names_are_many_and_a_page_that_forgets_to_escape_is_seen(stored, monkeypatch):
    assert len(set(HOSTILE)) >= 60
    monkeypatch.setattr(pages, "_title", lambda s: Html(str(s.record["data"])))  # as if it were HTML already
    hostile, harmless = (page_of(renamed(stored, [part])) for part in ("<b>", "hhh"))
    assert outline(hostile) != outline(harmless)


def test_the_page_asks_nothing_of_anybody(stored):
    """No address but places in the page itself, no code but the one script, which the policy names."""
    text = page_of(renamed(stored, ["javascript:alert(1)"]))
    for element in parsed(text):
        assert not {"src", "style", "srcset", "action", "data", "xlink:href"} & set(element.attrib)
        assert not [name for name in element.attrib if name.startswith("on")]
        assert element.get("href", "#").startswith("#")
    assert "url(" not in text
    assert "@import" not in text
    policy = next(e.get("content") for e in parsed(text) if e.get("http-equiv") == "Content-Security-Policy")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    for kind, content in (("script-src", script), ("style-src", style)):
        assert f"{kind} 'sha256-{b64encode(sha256(content.encode()).digest()).decode()}';" in policy
    assert policy.startswith("default-src 'none';")


LESS = [
    ("training", {"histories": None}),
    ("memory", {"memory": None, "folder": None}),
    ("layers", {"memory": None}),
    ("attention", {"memory": None}),
    ("forecast", {"forecasts": None}),
    ("errors", {"forecasts": None}),
    ("leaderboard", {"record": {"data": "x"}, "board": None}),
    ("lookback", {"record": {"data": "x"}, "lookbacks": None}),
    ("answer", {"record": {"data": "x"}, "next": None}),
    ("said", {"record": {"data": "x"}}),
    ("data", {"made": {}}),
    ("repeat", {"study": {}, "made": {}}),
    ("sources", {"made": {}}),
]


@pytest.mark.parametrize(("section", "less"), LESS, ids=[name for name, _ in LESS])
def test_a_section_is_absent_with_its_values(stored, section, less):
    found = ids(page_of(replace(stored, **less)))
    assert section not in found
    assert found


def test_a_page_of_nothing():
    assert ids(page_of(Stored({}, {}))) == set()


@pytest.mark.parametrize("harm", ["failed", "all failed", "infinite", "one row", "constant", "no unit", "enormous"])
def test_values_that_are_no_numbers_or_hardly_any(stored, harm, tmp_path):
    record = json.loads(json.dumps(stored.record))
    forecasts, board = stored.forecasts.copy(), stored.board.copy()
    for k, entry in enumerate(record["exam"]["entries"]):
        if harm == "all failed" or (harm == "failed" and k == 0):
            for part in ("val_rmse", "test_rmse", "test_mae", "test_bias"):
                entry[part] = [None] * len(entry[part])
            board.loc[board["entry"] == entry["name"], ["val_rmse", "test_rmse", "val_max"]] = np.inf
            forecasts.loc[forecasts["entry"] == entry["name"], "predicted"] = np.nan
    if harm == "infinite":
        forecasts["predicted"] = np.inf
    if harm == "one row":
        forecasts = forecasts[forecasts["time"] == forecasts["time"].max()]
    if harm == "constant":
        forecasts["actual"] = forecasts["predicted"] = 7.0
    if harm == "no unit":
        record["exam"]["unit"] = ""
    if harm == "enormous":
        forecasts["predicted"] *= 1e250
    harmed = replace(stored, record=record, forecasts=forecasts, board=board)
    charts = charts_of(harmed)
    assert ids(page(harmed, charts)) >= {"answer", "leaderboard", "said"}
    for name in ("leaderboard", "forecast", "errors_by_size", "residuals"):
        if name in charts:
            save(draw(charts[name][0]).figure, tmp_path / f"{name}.svg")


@pytest.mark.parametrize("name", ["$x^2_", "\U0001f600日本", "a" * 10_000, "\n<b>\x00", "_hidden", "\\"])
def test_pictures_of_hostile_names(stored, name, tmp_path):
    """matplotlib takes some names for mathematics, lacks letters for others, and has no room for the rest."""
    charts = charts_of(renamed(stored, [name]))
    for key in ("leaderboard", "forecast", "memory"):
        save(draw_panels(charts[key]), tmp_path / f"{key}.svg")
    assert "\x00" not in (tmp_path / "leaderboard.svg").read_text(encoding="utf-8")


def test_the_report_is_written_again_from_the_files_alone(report_run, monkeypatch, capsys, tmp_path):
    first = (report_run / "report.html").read_bytes()
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in (*(p.name for p in report_run.glob("*.json")), *(p.name for p in report_run.glob("*.csv"))):
        (copy / name).write_bytes((report_run / name).read_bytes())
    monkeypatch.setenv("BACKSIGHT_DATA", str(tmp_path))
    assert main(["report", str(copy)]) == 0
    assert (copy / "report.html").read_bytes() == first
    assert f"Written to {copy}: report.html, figures/" in capsys.readouterr().out
    picture = (copy / "figures" / "leaderboard.svg").read_bytes()
    assert main(["report", str(copy), "--json", str(tmp_path / "r.json")]) == 0
    assert (copy / "figures" / "leaderboard.svg").read_bytes() == picture
    listed = json.loads((tmp_path / "r.json").read_text())["files"]
    assert {str(p.relative_to(copy)) for p in copy.rglob("*") if p.is_file()} >= set(listed)


def test_the_command_that_made_it_is_in_the_report(report_run):
    text = (report_run / "report.html").read_text(encoding="utf-8")
    (command,) = (e.text for e in parsed(text) if e.tag == "pre")
    assert command.startswith("backsight compare seattle --rows 900 --lookback 2,4 --models 'ridge,gru(units=3)")
    assert command.endswith(f"--out {report_run}")
    assert len(command.split("--")) == len(COMMAND.split("--")) + 1
    assert "Cho et al. 2014" in text


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "there is no result.json"),
        ({"result.json": "{"}, "can't be read"),
        ({"result.json": "[]"}, "holds no record"),
        ({"result.json": "{}", "forecasts.csv": "a,b\n1,2\n"}, "lacks the column entry"),
        ({"result.json": "{}", "leaderboard.csv": ""}, "can't be read as a table"),
    ],
)
def test_a_folder_that_is_no_run(files, says, tmp_path, capsys):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert main(["report", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()
    with pytest.raises(SettingError, match="There is no folder"):
        read_stored(tmp_path / "nothing")


def test_a_file_where_figures_should_go_stops_it_before_anything_is_replaced(report_run, tmp_path, capsys):
    for name in (RESULT_FILE, "leaderboard.csv"):
        (tmp_path / name).write_bytes((report_run / name).read_bytes())
    (tmp_path / "figures").write_text("mine")
    assert main(["report", str(tmp_path)]) == 2
    assert "figures can't be made: a file is in its place" in capsys.readouterr().err
    assert {p.name for p in tmp_path.iterdir()} == {RESULT_FILE, "leaderboard.csv", "figures"}


def test_ten_entries_of_five_seeds_make_a_small_page(stored, tmp_path):
    """Two years of test days, 200 epochs of every seed."""
    names = [f"lstm(units={k})_{k}" for k in range(1, 11)]
    days = pd.date_range("2010-01-01", periods=730)
    rng = np.random.default_rng(0)
    actual = rng.normal(10, 5, len(days))
    rows = [
        pd.DataFrame({"entry": name, "seed": seed, "part": "test", "lead": 1, "time": days, "actual": actual,
                      "predicted": actual + rng.normal(0, 3, len(days))})
        for name in names for seed in range(5)
    ]  # fmt: skip
    curves = [
        pd.DataFrame({"entry": name, "seed": seed, "epoch": range(1, 201), "train_rmse": rng.normal(3, 0.1, 200),
                      "val_rmse": rng.normal(3.2, 0.1, 200), "kept": [False] * 199 + [True]})
        for name in names for seed in range(5)
    ]  # fmt: skip
    one = next(e for e in stored.entries if e["network"] and not e["ensemble"])
    entries = [{**one, "name": name, "lookback": k, "group": 1} for k, name in enumerate(names, start=1)]
    exam = {**stored.exam, "entries": entries, "recommended": names[0], "baseline": names[1], "floor": None}
    large = replace(
        stored, record={**stored.record, "exam": exam}, forecasts=pd.concat(rows), histories=pd.concat(curves)
    )
    text = page_of(large)
    assert len(text.encode()) < 6_000_000
    assert Counter(e.tag for e in parsed(text))["figure"] >= 15


def test_answers_name_ties_lookback_networks_and_what_comes_next(stored):
    found = {one.question: one for one in answers(stored)}
    assert list(found) == [
        "Which to take?", "How far back is worth looking?", "Is any network worth it?", "What comes next, 2014-06-19?",
    ]  # fmt: skip
    tied = [e["name"] for e in stored.entries if e["group"] == 1]
    because = found["Which to take?"].because
    assert tied[0] in because
    assert found["Which to take?"].answer == stored.exam["recommended"]
    assert found["What comes next, 2014-06-19?"].answer == "20.50 degC"
    assert "90 % interval 16.00 to 25.10 degC." in found["What comes next, 2014-06-19?"].because


def test_an_entry_that_looks_further_back_than_is_shown_to_be_worth_it_is_explained(stored):
    def said(lookback, shortest):
        entry = {**stored.entries[0], "name": "gru_x", "recipe": "gru", "lookback": lookback}
        points = [{"lookback": 7, "val_rmse": 6.73}, {"lookback": 30, "val_rmse": 6.15}]
        found = {"model": "gru", "shortest": shortest, "points": points}
        exam = {**stored.exam, "entries": [entry], "recommended": "gru_x", "lookback": found, "unit": "pieces"}
        changed = replace(stored, record={**stored.record, "exam": exam})
        return next(one.because for one in answers(changed) if one.question == "How far back is worth looking?")

    assert "gru_x is taken all the same: 6.15 pieces against 6.73 pieces on validation may be chance" in said(30, 7)
    assert "all the same" not in said(7, 7)
    assert "all the same" not in said(30, 30)


def worth(stored):
    """What the page says of networks."""
    return next(one for one in answers(stored) if one.question == "Is any network worth it?")


@pytest.mark.parametrize(
    ("verdict", "no_gain", "answer"),
    [
        ("better", False, "Yes"),
        ("tied", False, "Not shown"),
        ("tied", True, "No"),
        ("behind", True, "No"),
        ("no better", False, "Not shown"),
        ("no better", True, "No"),
        ("too few windows", False, "Not to be told"),
    ],
)
def test_whether_a_network_is_worth_it(stored, verdict, no_gain, answer):
    entries = [{**e, "verdict": verdict, "no_gain": no_gain} if e["network"] else e for e in stored.entries]
    exam = {**stored.exam, "entries": entries}
    found = worth(replace(stored, record={**stored.record, "exam": exam}))
    assert found.answer == answer
    if verdict == "no better":
        assert f"not shown to be better than {exam['floor']}: " in found.because
    assert (" would have shown, four times in five." in found.because) == (answer == "Not shown")
    one_open = [{**e, "no_gain": no_gain and e is not entries[-1]} for e in entries]
    one_open[-1] = {**one_open[-1], "network": True, "ensemble": False, "verdict": verdict}
    unsure = replace(stored, record={**stored.record, "exam": {**exam, "entries": one_open}})
    assert worth(unsure).answer == ("Not shown" if answer == "No" else answer), "one that might gain leaves it open"


def test_a_run_of_before_says_not_shown(stored):
    """Its record does not say what was ruled out."""
    entries = [{k: v for k, v in e.items() if k != "no_gain"} for e in stored.entries]
    entries = [{**e, "verdict": "behind"} if e["network"] else e for e in entries]
    entries = [{**e, "intervals": {k: v for k, v in e["intervals"].items() if k != "each"}} for e in entries]
    before = replace(stored, record={**stored.record, "exam": {**stored.exam, "entries": entries}})
    assert worth(before).answer == "Not shown"
    assert "said" in ids(page_of(before))


def test_lookback_curves_say_whether_a_network_is_worth_it(tmp_path):
    command = "lookback seattle --rows 900 --lookback 1,3 --models ridge,gru(units=3) --epochs 3 --seeds 2"
    assert main([*shlex.split(command), "--out", str(tmp_path)]) == 0
    stored = read_stored(tmp_path)
    (pair,) = stored.record["pairs"]
    assert (pair["asked"], pair["second"]) == ("network", stored.exam["baseline"])
    curves = [{**c, "points": [{**p, "verdict": "better"} for p in c["points"]]} for c in stored.record["curves"]]
    said = worth(replace(stored, record={**stored.record, "curves": curves}))
    assert said.answer == "Yes"
    assert "gru(units=3)_1 and gru(units=3)_3" in said.because
    assert "ridge_1" not in said.because.partition(": ")[2]
    page_text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Is any network worth it?" in page_text
    assert f"backsight memory {tmp_path} --out {tmp_path}" in page_text
    assert main(["memory", str(tmp_path), "--out", str(tmp_path)]) == 0, "the command that the page names"
    page_text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "backsight memory" not in page_text
    assert {"memory", "layers"} <= ids(page_text)
    later = ("verdict", "against", "no_gain", "intervals")
    before = {k: v for k, v in stored.record.items() if k != "pairs"}
    before["curves"] = [
        {**c, "points": [{k: v for k, v in p.items() if k not in later} for p in c["points"]]} for c in before["curves"]
    ]
    asked = [one.question for one in answers(replace(stored, record=before))]
    assert asked == ["Which to take?", "How far back is worth looking?"]
    assert "answer" in ids(page_of(replace(stored, record=before)))


def test_mean_forecasts_are_those_of_the_ensemble(stored):
    """Which the library makes by itself, before anything is reported."""
    means = mean_forecasts(stored.forecasts)
    for name in ("gru(units=3)_4", "attention_2"):
        one, other = (means[means["entry"] == n]["predicted"].to_numpy() for n in (name, f"{name} ensemble"))
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_errors_by_lead_and_month_add_up_to_the_records(stored):
    """Mean squares over leads, and over months by their number of rows, are the mean square of all."""
    name = "ridge_4"
    rmse = next(e["test_rmse"][0] for e in stored.entries if e["name"] == name)
    by_lead = lead_chart(stored.forecasts, {name: "c1"}).marks[0].y
    assert np.mean(by_lead**2) == pytest.approx(rmse**2)
    by_month = month_chart(stored.forecasts, {name: "c1"}).marks[0].y
    rows = stored.forecasts[(stored.forecasts["entry"] == name) & (stored.forecasts["part"] == "test")]
    counts = rows["time"].dt.month.value_counts().sort_index().to_numpy()
    assert np.average(by_month**2, weights=counts) == pytest.approx(rmse**2)


def test_mean_errors_by_size_are_those_of_equal_groups(stored):
    name = "ridge_4"
    _, biased = size_charts(stored.forecasts, {name: "c1"})
    line = next(m for m in biased.marks if getattr(m, "label", "") == name)
    rows = stored.forecasts[(stored.forecasts["entry"] == name) & (stored.forecasts["part"] == "test")]
    groups = pd.qcut(rows["actual"], 8, duplicates="drop")
    expected = (rows["predicted"] - rows["actual"]).groupby(groups, observed=True).mean()
    np.testing.assert_allclose(line.y, expected)


def test_autocorrelation_is_that_of_statsmodels():
    values = np.cumsum(np.random.default_rng(0).standard_normal(200))
    np.testing.assert_allclose(autocorrelation(values, 12), acf(values, nlags=12, adjusted=False)[1:], rtol=1e-9)


def test_residuals_of_noise_stay_in_the_band(stored):
    days = pd.date_range("2010-01-01", periods=2000)
    noise = np.random.default_rng(1).standard_normal(2000)
    rows = pd.DataFrame(
        {"entry": "a", "seed": 0, "part": "test", "lead": 1, "time": days, "actual": 0.0, "predicted": noise}
    )
    band, bars, _ = residual_chart(rows, "a").marks
    found = bars.low + bars.high
    assert np.mean(np.abs(found) > band.high[0]) <= 0.15
    assert residual_chart(rows.head(10), "a") is None


def test_a_forecast_chart_breaks_where_a_seed_failed(stored):
    rows = stored.forecasts[stored.forecasts["entry"] == "gru(units=3)_4"].copy()
    time = rows[rows["part"] == "test"]["time"].iloc[10]
    rows.loc[(rows["time"] == time) & (rows["seed"] == 1), "predicted"] = np.nan
    line = next(m for m in forecast_chart(rows, ["gru(units=3)_4"]).marks if m.label == "gru(units=3)_4")
    assert np.isnan(line.y).sum() == 1


def test_the_leaderboard_shades_tie_groups_and_tells_what_is_far_off():
    names = list("abcdefgh")
    errors = [3.0, 3.05, 3.1, 3.15, 3.2, 3.25, 3.3, 9.0]
    board = pd.DataFrame({"entry": names, "group": [1, 1, 2, 2, 2, 3, 3, 4], "val_rmse": errors, "test_rmse": errors})
    chart = leaderboard_chart(board)
    zones = [(m.low, m.high) for m in chart.marks if type(m).__name__ == "Zone"]
    assert zones == [(-1.5, 0.5), (-4.5 + 4.5 - 6.5, -4.5)]
    assert [m.text for m in chart.marks if type(m).__name__ == "Note"] == ["validation 9.00, test 9.00 →"]
    assert chart.x.high < 4


def test_lookback_rows_hold_models_tried_at_several(stored):
    table = lookback_rows(stored.entries, stored.exam["lookback"])
    assert set(table["model"]) == {"ridge", "trees", "gru(units=3)", "attention"}
    assert (table.groupby("model")["best"].sum() == 1).all()
    assert table["recommended"].sum() == 1
    assert lookback_rows([], None).empty


def test_shown_entries_have_a_colour_each(stored):
    tones = shown_entries(stored)
    assert tones[stored.exam["recommended"]] == "c1"
    assert len(set(tones.values())) == len(tones)


def test_figures_are_written_as_png_and_svg(stored, tmp_path):
    charts = charts_of(stored)
    writers = picture_writers(stored, {"leaderboard": charts["leaderboard"]})
    assert list(writers) == ["figures/leaderboard.png", "figures/leaderboard.svg"]
    (tmp_path / "figures").mkdir()
    for name, write in writers.items():
        write(tmp_path / name)
    assert (tmp_path / "figures/leaderboard.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (tmp_path / "figures/leaderboard.svg").read_text(encoding="utf-8")


def test_a_memory_profile_of_another_run_is_left_alone(report_run, tmp_path):
    for name in ("result.json", "run.json"):
        (tmp_path / name).write_bytes((report_run / name).read_bytes())
    memory = json.loads((report_run / "memory.json").read_text())
    (tmp_path / "memory.json").write_text(json.dumps({**memory, "data": "another"}))
    assert read_stored(tmp_path).memory is None
    assert read_stored(report_run).memory is not None
    assert "report.html" in write_report(tmp_path)


def test_memory_written_into_a_run_is_in_its_page_at_once(report_run):
    """`make_run` writes no report after it; see `report_runs`."""
    assert {"memory", "layers", "attention"} <= ids((report_run / "report.html").read_text(encoding="utf-8"))
    assert (report_run / "figures" / "gates.svg").exists()


def in_memory_section(stored):
    """The words of the section, figures left out."""
    section = next(e for e in parsed(page_of(stored)) if e.get("id") == "memory")
    return [" ".join(p.itertext()) for p in section.findall("p")]


def test_a_page_without_memory_says_which_command_adds_it(stored):
    bare = replace(stored, memory=None, folder=Path("my runs/it's"))
    (words,) = in_memory_section(bare)
    command = words[words.index("backsight memory") :]
    assert shlex.split(command) == ["backsight", "memory", "my runs/it's", "--out", "my runs/it's"]
    assert not any("backsight memory" in said for said in in_memory_section(stored))
    no_networks = [{**e, "network": False} for e in stored.entries]
    own = [{**e, "recipe": {"function": "mine:build", "code": None}} for e in stored.study["entries"]]
    for less in (
        {"record": {**stored.record, "exam": {**stored.exam, "entries": no_networks}}},
        {"study": {**stored.study, "source": None}},
        {"study": {**stored.study, "entries": own}},
        {"study": {}},
    ):
        assert "memory" not in ids(page_of(replace(bare, **less)))


def test_slopes_states_and_gates_are_those_of_the_record(stored):
    charts = charts_of(stored)
    entry = next(e for e in stored.memory["entries"] if e["name"] == "gru(units=3)_4")
    slopes = next(c for c in charts["slopes"] if c.title == entry["name"])
    drawn = {m.label: m.y for m in slopes.marks}
    for place, column in enumerate(entry["inputs"]):
        assert drawn[column] == pytest.approx([of_lag[place] for of_lag in entry["slopes"]])
    traces = entry["recurrent"]
    gates = next(c for c in charts["gates"] if c.title.startswith(entry["name"]))
    means = {m.label: m.y for m in gates.marks if m.label}
    assert set(means) == set(traces[0]["gates"])
    for gate, mean in means.items():
        assert mean == pytest.approx(np.mean([t["gates"][gate]["mean"] for t in traces], axis=0))
    (states,) = charts["states"]
    line = next(m for m in states.marks if getattr(m, "label", "") == entry["name"])
    assert line.y == pytest.approx(np.exp(np.mean(np.log([t["felt"]["median"] for t in traces]), axis=0)))


def test_figures_that_a_report_no_longer_has_are_removed_and_no_others(report_run, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(report_run, copy)
    figures = copy / "figures"
    (figures / "mine.png").write_bytes((figures / "gates.png").read_bytes())
    (figures / "importance.svg").write_text("<svg>drawn by hand</svg>")
    (figures / "search.svg").symlink_to(figures / "gates.svg")
    (figures / "lesson.png").mkdir()
    (copy / "gates.png").write_bytes((figures / "gates.png").read_bytes())
    (copy / "memory.json").unlink()
    written = write_report(copy)
    left = {str(p.relative_to(copy)) for p in figures.iterdir()}
    mine = {"figures/mine.png", "figures/importance.svg", "figures/search.svg", "figures/lesson.png"}
    assert left == {name for name in written if name.startswith("figures/")} | mine
    assert not {"figures/gates.png", "figures/memory.svg", "figures/attention.png"} & left
    assert (copy / "gates.png").exists()


def test_every_figure_has_a_name_that_is_known(stored):
    """Or it would never be removed. Those of many series are tried where these are."""
    lesson = [{"name": "Baseline", "published_rmse": None, "test_rmse": [1.0]}]
    model = {"name": "gru", "importance": {"units": 1.0}, "best": None, "untuned": None, "finished": 1, "pruned": 0}
    full = replace(
        stored, record={**stored.record, "rows": lesson, "models": [model]}, lesson_histories=stored.histories,
        trials=pd.DataFrame({"model": ["gru"]}),
    )  # fmt: skip
    assert {name[len("figures/") : -4] for name in picture_writers(full, charts_of(full))} == set(NAMES) - {"series"}


def test_intervals_say_their_level(report_run):
    """And those of a run of before, that had no such column, are drawn without."""
    stored = read_stored(report_run)
    assert set(stored.intervals["level"]) == {0.9}
    taken = stored.exam["recommended"].removesuffix(" ensemble")
    for table, name in (
        (stored.intervals, "90 % interval of "),
        (stored.intervals.drop(columns="level"), "interval of "),
    ):
        rows = table.assign(entry=taken)
        chart = forecast_chart(stored.forecasts, [taken], intervals=rows)
        assert [m.label for m in chart.marks if type(m).__name__ == "Band"] == [f"{name}{taken}"]


def test_attributes_and_children_are_escaped():
    made = tag("p", '<b>"', title="'\"<>&", hidden=False, n=1.5)
    (found,) = (e for e in parsed(made) if e.tag == "p")
    assert found.text == '<b>"'
    assert found.attrib == {"title": "'\"<>&", "n": "1.5"}
    assert tag("p", "\ud800\x00\ufffe") == "<p>\ufffd\ufffd\ufffd</p>"
    with pytest.raises(AssertionError):
        tag("p onclick=x")


@pytest.mark.parametrize("kind", list(GATES))
def test_drawings_count_what_keras_counts(kind):
    from backsight.engine import keras_on_jax

    keras = keras_on_jax()
    layer, dense = getattr(keras.layers, kind)(7), keras.layers.Dense(2)
    layer.build((None, 30, 9))
    dense.build((None, 7))
    recurrent, head = layer.count_params(), dense.count_params()
    cell = " ".join(text.get_text() for text in draw_cell(kind, 9, 7).texts)
    assert f"= {recurrent:,} parameters" in cell
    whole = [text.get_text() for text in draw_unrolled([(kind, 7)], 30, 9, 2).texts]
    assert f"{recurrent:,} parameters" in whole
    assert f"{head:,} parameters" in whole


def test_drawings_of_what_can_not_be_drawn(capsys, tmp_path):
    with pytest.raises(ValueError, match="no cell"):
        draw_cell("Dense")
    with pytest.raises(ValueError, match="nothing to unroll"):
        draw_unrolled([("Dense", 3)])
    for model, file, says in (
        ("dense", "x.png", "no recurrent layer"),
        ("ridge", "x.png", "no network"),
        ("gru", "x.txt", "none of them"),
        ("gru", "nowhere/x.png", "no folder"),
    ):
        assert main(["describe", model, "--draw", str(tmp_path / file)]) == 2
        assert says in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_describe_draws(tmp_path):
    for name in ("lstm.png", "lstm.svg"):
        assert main(["describe", "lstm(units=7,layers=2)", "--lookback", "3", "--draw", str(tmp_path / name)]) == 0
    assert (tmp_path / "lstm.png").read_bytes().startswith(b"\x89PNG")
    assert "420 parameters" in (tmp_path / "lstm.svg").read_text(encoding="utf-8")


REAL = st.floats(-1e12, 1e12)


@given(st.lists(st.one_of(REAL, st.just(float("nan")), st.just(float("inf"))), max_size=8), st.booleans())
def test_axes_of_any_numbers_hold_them_and_their_ticks(values, zero):
    axis = number_axis("", values, zero=zero)
    known = [v for v in values if np.isfinite(v)]
    assert axis.low < axis.high
    assert all(axis.low <= v <= axis.high for v in known)
    ticks = [tick.value for tick in axis.ticks]
    assert 1 <= len(ticks) <= 12
    assert ticks == sorted(set(ticks))
    assert np.all((axis.place(ticks) >= -1e-6) & (axis.place(ticks) <= 1 + 1e-6))


@given(st.lists(st.one_of(st.floats(0, 1e12), st.just(float("nan"))), max_size=8), st.sampled_from([0.0, 1e-8, 0.1]))
def test_logarithmic_axes_hold_what_can_be_drawn_and_two_ticks(values, least):
    axis = log_axis("", values, least=least)
    known = [v for v in values if np.isfinite(v) and v > max(least, 1e-300)]
    assert all(axis.low * (1 - 1e-9) <= v <= axis.high * (1 + 1e-9) for v in known)
    places = axis.place([tick.value for tick in axis.ticks])
    assert 2 <= len(places) <= 8
    assert np.all(np.diff(places) > 0)
    assert np.all((places >= -1e-6) & (places <= 1 + 1e-6))


@given(st.integers(0, 2000), st.integers(0, 2000), st.sampled_from(["linear", "recent"]))
def test_axes_of_counts_have_whole_ticks_inside(low, more, scale):
    axis = counted_axis("", low, low + more, scale)
    ticks = [tick.value for tick in axis.ticks]
    assert ticks == sorted(ticks)
    assert all(float(tick.value).is_integer() for tick in axis.ticks)
    assert len(ticks) <= 14
    assert np.all((axis.place(ticks) >= 0) & (axis.place(ticks) <= 1))


@given(
    st.datetimes(datetime(1700, 1, 1), datetime(2150, 1, 1)),  # pandas counts to 2262
    st.sampled_from(["min", "h", "6h", "D", "B", "W", "MS", "YS"]),
    st.integers(1, 80),
)
def test_axes_of_times_have_rising_ticks_inside(first, step, count):
    axis = time_axis("", pd.date_range(first, periods=count, freq=step))
    places = axis.place([tick.value for tick in axis.ticks])
    assert len(places) <= 16
    assert np.all(np.diff(places) > 0)
    assert np.all((places >= 0) & (places <= 1))
    assert len({tick.text for tick in axis.ticks}) == len(axis.ticks)


@given(st.lists(st.one_of(REAL, st.just(float("nan"))), min_size=1, max_size=30))
def test_curves_are_broken_where_a_value_is_missing(values):
    """As many pen-downs as there are stretches without a gap, and as many points as values."""
    y = np.array(values)
    chart = Chart("", "", Axis("", 0, 1), Axis("", -1e12, 1e12), ())
    path = draw_path(chart, Line(np.linspace(0, 1, len(y)), y, "c1"))
    known = np.isfinite(y)
    assert path.count("M") == int(known[0]) + int((known[1:] & ~known[:-1]).sum())
    assert path.count("M") + path.count("L") == known.sum()
