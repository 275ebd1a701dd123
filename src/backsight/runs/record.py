"""Results as plain values: what `--json` writes, and what reports are made from."""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd

from backsight.evaluation.descents import second_descent
from backsight.evaluation.exam import Exam, Part, Sat, also_tested, describe_days
from backsight.evaluation.folds import Folds
from backsight.evaluation.judge import Judge
from backsight.evaluation.lookback import Choice
from backsight.evaluation.panel_exam import PanelExam
from backsight.evaluation.significance import Paired
from backsight.evaluation.verdicts import Parrot
from backsight.models.breakdown import one_line, parameter_breakdown
from backsight.models.network import Network, NetworkForecaster
from backsight.models.registry import recipe_name, recipe_to_json, storable
from backsight.runs.comparison import Comparison
from backsight.runs.entry import Entry
from backsight.runs.fit import Fitted
from backsight.runs.interval_record import intervals_record
from backsight.runs.lesson import Lesson, RowResult
from backsight.runs.lookback import Lookbacks
from backsight.runs.series_record import series_record
from backsight.series.rows import Rows
from backsight.windows.windows import input_names

Record = dict[str, Any]


def comparison_record(comparison: Comparison) -> Record:
    """A comparison as plain values: data, seconds, interrupted, and `exam`."""
    return {
        "data": comparison.series.name,
        "seconds": round(comparison.seconds, 3),
        "interrupted": comparison.interrupted,
        "exam": exam_record(comparison),
    }


def exam_record(comparison: Comparison) -> Record:
    """The exam as plain values: target, unit, days, entries in the order of the leaderboard, and what differs.

    `first`, `last` and `days` are those of the test part; `inputs` the columns that models with a window read. In an
    entry, `seeds`, `val_rmse`, `test_rmse` and the
    like, `epochs` and `seconds` hold one value a seed; a model without randomness, and an ensemble, has one. An
    error of a failed forecast is None, and so is the `plan` of an entry that was trained as the others. `pairs` are
    the paired tests on the test days that were asked, adjusted together; see `evaluation.significance.Paired`.
    `verdict` and `against` are those of `evaluation.verdicts`; `no_gain` says of a network that it is shown not to be
    better than the best simple model by 1 % (`Judge.no_gain`).

    `intervals` of an entry are how often they held test values; see `runs.interval_record`. Where more than one step is
    forecast, an entry has its errors at each of its `leads`, and `leads` of the exam say up to which of them the best
    entry is of use; see `evaluation.leads`.

    In a backtest all of that is over all folds together. `folds` are their days, in an entry its errors in each, and
    in a pair how many the first one won. `lookback` tells of the best model that was tried at several, and is None
    without one. `picks` says which entry each fold's own validation days would have chosen,
    and the test error of choosing so.

    Of many series errors are over all of them, in sd, and `series` has those of each; see `runs.series_record`.
    """
    board = comparison.leaderboard
    return {
        **_asked_record(comparison, comparison.judge),
        "recommended": comparison.recommended,
        "lookback": _lookback_of_best(comparison),
        **series_record(comparison),
        "picks": _picks_record(comparison.judge.folds),
        "leads": _leads_record(comparison.judge),
        "pairs": [
            {"asked": asked, **paired_record(found, comparison.judge)} for asked, found in comparison.findings.items()
        ],
        "entries": [_entry_record(comparison, line) for line in board.reset_index().to_dict("records")],
    }


def _leads_record(judge: Judge) -> Record | None:
    """Up to which lead the best entry is of use, and by which tests; None for a horizon of 1."""
    leads = judge.leads
    if leads.horizon == 1:
        return None
    useful = None if leads.best is None else leads.useful(leads.best)
    return {
        "best": leads.best,
        "references": [leads.references.get(lead) for lead in range(1, leads.horizon + 1)],
        "useful": None if useful is None else useful.leads,
        "tests": [] if useful is None else [paired_record(test) for test in useful.tests],
    }


def _errors_by_lead(judge: Judge, name: str) -> list[Record]:
    """Errors of an entry at each lead, one value a seed, and its skill there; none for a horizon of 1."""
    if judge.leads.horizon == 1:
        return []
    scores, table = (rows[rows["entry"] == name] for rows in (judge.leads.scores, judge.leads.table))
    errors = [column for column in scores.columns if column not in ("entry", "seed", "lead")]
    return [
        {
            "lead": int(of_lead["lead"]),
            **{column: _plain(scores.loc[scores["lead"] == of_lead["lead"], column]) for column in errors},
            **{column: _plain([of_lead[column]])[0] for column in ("val_skill", "test_skill")},
        }
        for of_lead in table.to_dict("records")
    ]


def _lookback_of_best(comparison: Comparison) -> Record | None:
    """The shortest lookback that is tied with the best one, of the best model that was tried at several."""
    errors = comparison.judge.losses("validation").mean().pow(0.5).sort_values()
    entries = [entry for entry in map(comparison.entry, errors.index) if entry.recipe.reads_window]
    singles = {entry.name: entry for entry in entries if entry.name in errors}
    for entry in singles.values():
        same = {name: other for name, other in singles.items() if _model_of(other) == _model_of(entry)}
        if len(same) > 1:
            groups = comparison.judge.groups_among(same)
            points = sorted((e.lookback, float(errors[name])) for name, e in same.items())
            return {
                "model": recipe_name(entry.recipe),
                "shortest": min(e.lookback for name, e in same.items() if groups[name] == 1),
                "points": [{"lookback": lookback, "val_rmse": error} for lookback, error in points],
            }
    return None


def _model_of(entry: Entry) -> Entry:
    """What entries have in common that differ in their lookback alone."""
    return replace(entry, name="", lookback=1)


def lesson_record(lesson: Lesson) -> Record:
    """Both tables of the lesson as plain values: data, seconds, `rows` and `exam`."""
    comparison = lesson.comparison
    return {
        "data": lesson.series.name,
        "seconds": round(lesson.seconds, 3),
        "interrupted": comparison.interrupted,
        "rows": [_row_record(result, lesson.published) for result in lesson.rows],
        "exam": exam_record(comparison),
    }


def lookback_record(found: Lookbacks) -> Record:
    """Lookback curves as plain values: data, seconds, interrupted, `exam`, `curves`, `overall`, `lines`.

    A curve is a model with its choice (see `evaluation.lookback.Choice`) and its `points`, by lookback; errors and
    seconds of a point hold one value a seed, and its `intervals` are those of `runs.interval_record`. `lines` are the
    floor and the best simple model, to compare with; `pairs` holds the test of the best network and the best simple
    model, adjusted with those of the choices; `picks`, `folds` and the verdict of a point as in `exam_record`.
    """
    comparison, curves = found.comparison, found.curves
    points: dict[str, list[Record]] = {model: [] for model in curves.models}
    for row in found.table.sort_values("lookback", kind="stable").to_dict("records"):
        points[row["model"]].append({**_point_record(comparison, row), **_verdict_record(curves.judge, row["entry"])})
    compared = [name for name in dict.fromkeys((curves.judge.floor, curves.judge.baseline)) if name]
    return {
        "data": comparison.series.name,
        "seconds": round(comparison.seconds, 3),
        "interrupted": comparison.interrupted,
        "exam": {**_asked_record(comparison, curves.judge), **series_record(comparison)},
        "lines": {name: _errors_record(comparison, name) for name in compared},
        "pairs": []
        if curves.network is None
        else [{"asked": "network", **paired_record(curves.network, curves.judge)}],
        "picks": _picks_record(curves.judge.folds),
        "overall": _choice_record(curves.overall, found),
        "curves": [
            {
                "model": model,
                "network": any(point["entry"] not in curves.judge.simple for point in of_model),
                "choice": _choice_record(curves.choices.get(model), found),
                "points": of_model,
            }
            for model, of_model in points.items()
        ],
    }


def _asked_record(comparison: Comparison, judge: Judge) -> Record:
    """What was asked on which days, of which columns, and the simple models that others are measured by."""
    exam, openings = comparison.exam, comparison.openings
    exams, series = comparison.study.exams, comparison.series
    readers = [entry for entry in comparison.study.entries if entry.recipe.reads_window]
    return {
        "target": exam.target,
        "inputs": list(dict.fromkeys(name for entry in readers for name in entry.features)),
        "unit": "sd" if isinstance(exam, PanelExam) and len(exam.exams) > 1 else series.units.get(exam.target, ""),
        "horizon": exam.horizon,
        "stride": exam.stride,
        "gap": exam.gap,
        "validation": _days_record(series, exams, "validation"),
        **_days_record(series, exams, "test"),
        "folds": [_fold_record(series, fold) for fold in exams if isinstance(fold, Exam)] if len(exams) > 1 else [],
        "tested_before": also_tested(exams),
        "openings": None if openings is None else asdict(openings),
        "floor": judge.floor,
        "baseline": judge.baseline,
        "lost": [{"fit": str(piece), **piece._asdict(), "why": why} for piece, why in comparison.lost.items()],
    }


def _errors_record(comparison: Comparison, name: str) -> Record:
    """Every error of both parts, one value a seed."""
    scores = comparison.judge.scores
    of_entry = scores[scores["entry"] == name].drop(columns=["entry", "seed"])
    return {str(column): _plain(values) for column, values in of_entry.items()}


def _picks_record(folds: Folds) -> Record | None:
    rmse = folds.picks_rmse
    return None if rmse is None else {"entries": list(folds.picks.values()), "test_rmse": _plain([rmse])[0]}


def _days_record(series: Rows, exams: Sequence[Sat], part: Part) -> Record:
    first, last, days = describe_days(series, exams, part)
    return {"first": first, "last": last, "days": days}


def _fold_record(series: Rows, exam: Exam) -> Record:
    return {
        "train_rows": len(exam.split.train),
        "validation": _days_record(series, [exam], "validation"),
        **_days_record(series, [exam], "test"),
    }


def _errors_by_fold(comparison: Comparison, name: str) -> list[Record]:
    """Errors of an entry in each fold of a backtest, one value a seed; none without folds."""
    scores = comparison.judge.folds.scores
    of_entry = scores[scores["entry"] == name]
    return [
        {part: _plain(of_fold[part]) for part in ("val_rmse", "test_rmse")} for _, of_fold in of_entry.groupby("fold")
    ]


def _point_record(comparison: Comparison, row: Mapping[Hashable, Any]) -> Record:
    members = comparison.members(row["entry"])
    return {
        "lookback": int(row["lookback"]),
        "entry": row["entry"],
        "parameters": members[0].forecaster.parameters,
        "train_windows": members[0].train_windows,
        "seeds": [f.seed for f in members],
        **_errors_record(comparison, row["entry"]),
        "folds": _errors_by_fold(comparison, row["entry"]),
        "intervals": intervals_record(comparison.forecasts, row["entry"]),
        **{name: bool(row[name]) for name in ("tied", "best", "recommended")},
        **_training(members),
    }


def _choice_record(choice: Choice | None, found: Lookbacks) -> Record | None:
    if choice is None:
        return None
    point = found.curves.points[choice.recommended]
    return {
        **point._asdict(),
        "entry": choice.recommended,
        "best": choice.best,
        "best_model": found.curves.points[choice.best].model,
        "best_lookback": found.curves.points[choice.best].lookback,
        "tied": list(choice.tied),
        "enough": choice.enough,
        "cost": None if choice.cost is None else paired_record(choice.cost, found.curves.judge),
    }


def _entry_record(comparison: Comparison, line: Mapping[Hashable, Any]) -> Record:
    name = str(line["entry"])
    entry, members = comparison.entry(name), comparison.members(name)
    ensemble = name != entry.name
    parrot = comparison.judge.parrots.get(name)
    counted = members[0].forecaster.parameters
    return {
        "rank": int(line["rank"]),
        "group": int(line["group"]),
        "in_set": bool(line["in_set"]),
        "name": name,
        "recipe": recipe_name(entry.recipe),
        "settings": recipe_to_json(entry.recipe) if storable(entry.recipe) else None,
        "plan": asdict(entry.plan) if entry.plan else None,
        "lookback": entry.lookback,
        "features": list(input_names(entry.features, entry.calendar)),
        "ensemble": ensemble,
        "network": isinstance(entry.recipe.core, Network),
        "reads_window": entry.recipe.reads_window,
        "parameters": counted * len(members) if ensemble and counted is not None else counted,
        "train_windows": members[0].train_windows,
        "seeds": [0] if ensemble else [f.seed for f in members],
        **_errors_record(comparison, name),
        "folds": _errors_by_fold(comparison, name),
        "leads": _errors_by_lead(comparison.judge, name),
        "val_skill": _plain([line["val_skill"]])[0],
        "test_skill": _plain([line["test_skill"]])[0],
        **_verdict_record(comparison.judge, name),
        "parrot": None if parrot is None else _parrot_record(parrot),
        "intervals": intervals_record(comparison.forecasts, name),
        "second_descents": [] if ensemble else _second_descents(members),
        **(_no_training(members) if ensemble else _training(members)),
    }


def paired_record(found: Paired, judge: Judge | None = None) -> Record:
    """A paired test as plain values; in the backtest of a judge, how many folds the first one won, too."""
    values = {
        name: value if not isinstance(value, float) or math.isfinite(value) else None
        for name, value in asdict(found).items()
    }
    folds = judge.folds if judge else ()
    won = {"first": judge.folds.won(found.first, found.second), "of": len(folds)} if judge and folds else None
    return {**values, "differ": found.differ, "seeds_undo": found.seeds_undo, "folds_won": won}


def _verdict_record(judge: Judge, name: str) -> Record:
    """What an entry is worth on the test days; "" while they are sealed."""
    found = judge.verdicts.get(name)
    told = {"verdict": found.label, "against": found.against} if found else {"verdict": "", "against": ""}
    return {**told, "no_gain": name in judge.no_gain}


def _parrot_record(parrot: Parrot) -> Record:
    return {
        "yesterday": parrot.yesterday,
        "today": parrot.today,
        "repeats": parrot.repeats,
        **{name: _plain([getattr(parrot.gain, name)])[0] for name in ("difference", "p")},
    }


def _no_training(members: Sequence[Fitted]) -> Record:
    """An ensemble is not trained again; it costs what its members cost."""
    return {"epochs": [0], "kept_epoch": [0], "seconds": [round(sum(f.seconds for f in members), 3)]}


def _row_record(result: RowResult, published: bool) -> Record:
    row, split = result.row, result.exam.split
    sizes = {name: len(part) for name, part in split.parts.items()}
    forecaster = result.fitted[0].forecaster if result.fitted else None
    is_network = isinstance(forecaster, NetworkForecaster)
    return {
        "name": row.name,
        "recipe": recipe_name(row.recipe),
        "lookback": row.lookback,
        "batch_size": row.batch_size,
        "samples": sum(sizes.values()),
        "train": sizes["train"],
        "val": sizes["validation"],
        "test": sizes["test"],
        "parameters": forecaster.parameters if forecaster else None,
        "breakdown": one_line(parameter_breakdown(forecaster.program.model)) if is_network else "",  # type: ignore[union-attr]
        "published_rmse": row.published_rmse if published else None,
        "seeds": [f.seed for f in result.fitted],
        "test_rmse": _plain(result.scores["test_rmse"]),
        "val_rmse": _plain(result.scores["val_rmse"]),
        **_training(result.fitted),
    }


def _training(members: Sequence[Fitted]) -> Record:
    histories = [f.forecaster.history for f in members]
    return {
        "epochs": [h.epochs if h else 0 for h in histories],
        "kept_epoch": [h.kept_epoch if h else 0 for h in histories],
        "seconds": [round(f.seconds, 3) for f in members],
    }


def _second_descents(members: Sequence[Fitted]) -> list[Record]:
    found = []
    for f in members:
        history = f.forecaster.history
        descent = second_descent(history.val_rmse) if history else None
        if descent is not None:
            found.append({"seed": f.seed, "gain": descent.gain, **vars(descent)})
    return found


def _plain(values: Sequence[float] | pd.Series) -> list[float | None]:
    """Errors as JSON can hold them."""
    return [float(v) if math.isfinite(v) else None for v in values]
