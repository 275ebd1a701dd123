"""The lesson's numbers: sizes of every split, parameters of every model, the baseline's error."""

import json

import numpy as np
import pandas as pd
import pytest

from backsight.cli.main import main
from backsight.evaluation.exam import Exam
from backsight.evaluation.metrics import rmse
from backsight.models.breakdown import one_line, parameter_breakdown
from backsight.models.registry import RECIPES
from backsight.runs.compare import examine
from backsight.runs.comparison import Comparison
from backsight.runs.entry import Entry
from backsight.runs.fit import fit_entry
from backsight.runs.lesson import LESSON, lesson_entries, lesson_exam, run_lesson
from backsight.runs.record import lesson_record
from backsight.runs.study import Study
from backsight.series.catalogue import load
from backsight.training.plan import Plan
from backsight.training.seeds import seeded
from backsight.windows.split import split_by_fractions

#: Published: samples, sizes of train, validation and test, and parameters.
SIZES = {
    "Baseline": (3286, 2628, 329, 329, 0),
    "Dense_1": (3286, 2628, 329, 329, 6101),
    "Dense_30": (3286, 2628, 329, 329, 32201),
    "RNN_30": (3624, 2899, 362, 363, 433),
    "RNN_stacked_30": (3624, 2899, 362, 363, 961),
    "LSTM_stacked_30": (3624, 2899, 362, 363, 904),
    "LSTM_stacked_90": (3564, 2851, 356, 357, 904),
}


def layers(name, lookback=30):
    return parameter_breakdown(seeded(lambda: RECIPES[name].build(lookback, 9, 1), seed=0))


@pytest.mark.parametrize("row", LESSON, ids=lambda row: row.name)
def test_sizes_of_every_split(row, basel):
    _, exam = lesson_exam(basel, "BASEL_sunshine", row)
    sizes = [len(part) for part in exam.split.parts.values()]
    assert (sum(sizes), *sizes) == SIZES[row.name][:4]


@pytest.mark.parametrize("row", LESSON[1:], ids=lambda row: row.name)
def test_parameters(row):
    model = seeded(lambda: row.recipe.build(row.lookback, 9, 1), seed=0)
    assert sum(layer.count for layer in parameter_breakdown(model)) == SIZES[row.name][4] == model.count_params()


def test_the_breakdown_is_the_lessons():
    assert [[p.count for p in layer.parts] for layer in layers("lstm_stacked")] == [
        [252, 196, 28],
        [196, 196, 28],
        [7, 1],
    ]
    assert [[p.count for p in layer.parts] for layer in layers("rnn_relu")] == [[144, 256, 16], [16, 1]]
    assert layers("lstm_stacked")[0].parts[0].formula == "9 inputs x 7 units x 4 gates"
    assert one_line(layers("rnn_relu")) == "simplernn_1 144 + 256 + 16 = 416; head 16 + 1 = 17; total 433"


@pytest.mark.parametrize("name", [n for n in RECIPES if hasattr(RECIPES[n], "build")])
def test_every_breakdown_adds_up(name):
    model = seeded(lambda: RECIPES[name].build(12, 5, 2), seed=0)
    assert sum(layer.count for layer in parameter_breakdown(model)) == model.count_params()


def test_persistence_on_the_lessons_rows(basel):
    row = LESSON[0]
    taken, exam = lesson_exam(basel, "BASEL_sunshine", row)
    entry = Entry(row.name, row.recipe, row.lookback, ("BASEL_sunshine",))
    (fitted,) = fit_entry(taken, exam, entry, Plan(), "none", [0], lambda *_: None)
    rows = fitted.sit(taken, exam, "test")
    assert rmse(rows["actual"], rows["predicted"]) == pytest.approx(4.548178, abs=1e-6)


@pytest.mark.parametrize("name", ["Dense_1", "RNN_30", "RNN_stacked_30"])
def test_a_network_row_of_the_lesson(name, basel):
    """One seed of the quick ones and of those that chapter 6 of the course names, within 0.15 of the published error.

    Ten seeds of all are in docs/lesson.md.
    """
    row = next(r for r in LESSON if r.name == name)
    taken, exam = lesson_exam(basel, "BASEL_sunshine", row)
    entry = Entry(row.name, row.recipe, row.lookback, basel.select(["BASEL_*"]).columns)
    plan = Plan(batch_size=row.batch_size, keep="last")
    (fitted,) = fit_entry(taken, exam, entry, plan, "none", [0], lambda *_: None)
    rows = fitted.sit(taken, exam, "test")
    assert rmse(rows["actual"], rows["predicted"]) == pytest.approx(row.published_rmse, abs=0.15)


def test_basel_baselines_on_the_exam(basel):
    """Against independent figures for these days: climatology 3.72, ridge 3.36 and 3.18, trees 3.06 on all columns."""
    exam = Exam("BASEL_sunshine", 1, split_by_fractions(len(basel), first=30))
    assert exam.describe_days(basel, "test") == ("2009-01-04", "2010-01-01", 363)
    entries = lesson_entries(basel.select(["BASEL_*"]).columns, basel.columns)
    simple = [e for e in entries if not hasattr(e.recipe, "build")]
    found: Comparison = examine(Study(basel, exam, tuple(simple), 1), workers=2)
    error = found.leaderboard.set_index("entry")["test_rmse"]
    assert error["climatology"] == pytest.approx(3.72, abs=0.03)
    assert error["ridge_3"] == pytest.approx(3.36, abs=0.03)
    assert error["ridge_3 of all 89"] == pytest.approx(3.18, abs=0.03)
    assert error["trees_7"] <= 3.30
    assert error["trees_3 of all 89"] <= 3.09
    for model in ("ridge_3", "trees_3"):  # chapter 17 of the course
        assert error[f"{model} of all 89"] == pytest.approx(error[model] - 0.15, abs=0.05)


@pytest.fixture(scope="module")
def seattle_lesson():
    """The whole lesson, one seed, on the series that needs no network."""
    series = load("seattle").head(500)
    return run_lesson(series, "temp_max", ["*"], seeds=1, workers=2)


def test_the_record_of_the_lesson(seattle_lesson):
    record = lesson_record(seattle_lesson)
    assert [row["name"] for row in record["rows"]] == list(SIZES)
    for row in record["rows"]:
        assert row["published_rmse"] is None, "published numbers are of basel"
        for key in ("test_rmse", "val_rmse", "epochs", "seconds"):
            assert len(row[key]) == len(row["seeds"]) == 1
    exam = record["exam"]
    assert exam["days"] == len(seattle_lesson.comparison.exam.split.test)
    names = [entry["name"] for entry in exam["entries"]]
    assert {"persistence", "seasonal", "climatology", "ridge_3", "trees_3", "lstm_stacked_90"} <= set(names)
    ranks = [(entry["group"], np.mean(entry["val_rmse"])) for entry in exam["entries"]]
    assert ranks == sorted(ranks)


def test_rows_of_the_lesson_keep_the_last_weights(seattle_lesson):
    for result in seattle_lesson.rows[1:]:
        history = result.fitted[0].forecaster.history
        assert history.kept_epoch == history.epochs
        assert history.epochs == 200 or history.epochs - np.argmin(history.val_rmse) - 1 == 10
        assert result.fitted[0].view.target_scale == 1.0, "the lesson scales nothing"


def test_sentences_of_the_lesson(seattle_lesson):
    from backsight.report.sentences import lesson_sentences

    said = lesson_sentences(lesson_record(seattle_lesson))
    best = seattle_lesson.comparison.leaderboard["entry"].iloc[0]
    assert any(best in sentence for sentence in said)
    assert all(sentence.endswith(".") for sentence in said)


def test_the_command_writes_what_it_says(seattle_lesson, tmp_path, capsys, monkeypatch):
    """The lesson itself was run above; here its tables, files and JSON are written."""
    monkeypatch.setattr("backsight.runs.lesson.run_lesson", lambda *_, **__: seattle_lesson)
    json_file, out = tmp_path / "l.json", tmp_path / "out"
    assert main(["lesson", "--data", "seattle", "--seeds", "1", "--json", str(json_file), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    for text in ("As in the lesson", "On the same exam", "What the two tables say", "LSTM_stacked_90", "; total "):
        assert text in printed
    record = json.loads(json_file.read_text())
    assert {"data", "seconds", "rows", "exam"} <= set(record)
    names = {"lesson_histories.csv", "lesson_forecasts.csv", "run.json", "result.json", "made.json", "leaderboard.csv"}
    names |= {"forecasts.csv", "histories.csv", "intervals.csv", "coverage.csv", "report.html", "figures"}
    assert names == {p.name for p in out.iterdir()}
    pictures = {p.name for p in (out / "figures").iterdir()}
    assert {"lesson.png", "lesson_training_curves.svg", "leaderboard.png"} <= pictures
    assert 'id="lesson"' in (out / "report.html").read_text(encoding="utf-8")
    histories = pd.read_csv(out / "lesson_histories.csv")
    assert set(histories["entry"]) == set(SIZES) - {"Baseline"}
