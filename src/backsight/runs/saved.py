"""A study as a file, so that it can be carried out again: every fit gives the same bytes again."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from backsight.errors import DataError, RecipeError, SettingError
from backsight.evaluation.exam import Exam
from backsight.evaluation.panel_exam import PanelExam, target_scales
from backsight.models.own import Own
from backsight.models.recipe import Recipe
from backsight.models.registry import recipe_from_json, recipe_name, recipe_to_json
from backsight.runs.entry import Entry
from backsight.runs.study import Study
from backsight.series.panel import Panel
from backsight.series.source import Source, fingerprint
from backsight.training.plan import make_plan
from backsight.windows.split import Split

#: The file of a run that holds its study.
STUDY_FILE = "run.json"
#: Raised whenever what the file holds changes its meaning.
VERSION = 1

Record = dict[str, Any]


def study_record(study: Study, source: Source | None = None) -> Record:
    """A study as plain values.

    Args:
        source: where its series can be read again; without it, `read_study` can't.
    """
    exam = study.exam
    return {
        "version": VERSION,
        "source": None if source is None else asdict(source),
        "data": {
            "name": study.series.name,
            "rows": len(study.series),
            "columns": list(study.series.columns),
            "fingerprint": fingerprint(study.series),
            **_series_record(study),
        },
        "exam": {
            "target": exam.target,
            "horizon": exam.horizon,
            "stride": exam.stride,
            "gap": exam.gap,
            **_splits_record(exam),
            **({"earlier": [_split_record(fold.split) for fold in study.earlier]} if study.earlier else {}),
        },
        "seeds": study.seeds,
        "plan": asdict(study.plan),
        "scale": study.scale,
        "entries": [_entry_record(entry) for entry in study.entries],
    }


def read_study(folder: Path, entries: Collection[str] | None = None) -> Study:
    """The study of a run folder, with its data read again.

    Args:
        folder: that a comparison was written to.
        entries: names of those to keep; all of them without it, but for functions of the user's, which no file
            can hold.

    Raises:
        SettingError: the folder holds no study, or one of another version, or no such entry.
        DataError: the data has changed since.
        RecipeError: an entry that was asked for is a function of the user's.
    """
    record = _read(folder / STUDY_FILE)
    if record["source"] is None:
        raise SettingError(f"The run in {folder} does not say where its data came from: it was made in Python.")
    series = Source(**record["source"]).read()
    if isinstance(series, Panel):
        series = series.without(record["data"]["skipped"])
    if (found := fingerprint(series)) != record["data"]["fingerprint"]:
        raise DataError(
            f"{record['source']['data']} has changed since the run in {folder}: it had {record['data']['rows']} rows "
            f"and the fingerprint {record['data']['fingerprint'][:12]}, and has {len(series)} and {found[:12]}. "
            f"Compare anew."
        )
    of_exam = record["exam"]
    chosen = _choose(record["entries"], entries, folder)
    plan, scale = make_plan(**record["plan"]), record["scale"]
    if isinstance(series, Panel):
        of_many = _panel_exam(series, of_exam)
        return Study(series, of_many, chosen, record["seeds"], plan, scale, skipped=tuple(record["data"]["skipped"]))
    *earlier, exam = (
        Exam(
            of_exam["target"],
            of_exam["horizon"],
            _split(parts, of_exam["gap"]),
            of_exam["stride"],
            series.filled_rows(of_exam["target"]),
        )
        for parts in (*of_exam.get("earlier", ()), of_exam)
    )
    return Study(series, exam, chosen, record["seeds"], plan, scale, tuple(earlier))


def _series_record(study: Study) -> Record:
    """Of many series how many there are, and which were left out."""
    if not isinstance(study.series, Panel):
        return {}
    return {"series": len(study.series.ids), "skipped": list(study.skipped)}


def _splits_record(exam: Exam | PanelExam) -> Record:
    """The parts of a series by name, or of many a list by name, one of each: first row and the one after the last."""
    if isinstance(exam, Exam):
        return _split_record(exam.split)
    records = [_split_record(one.split) for one in exam.exams]
    return {part: [record[part] for record in records] for part in records[0]}


def _panel_exam(panel: Panel, record: Record) -> PanelExam:
    parts = ("train", "validation", "test")
    splits = [dict(zip(parts, of, strict=True)) for of in zip(*(record[part] for part in parts), strict=True)]
    exams = tuple(
        Exam(
            record["target"],
            record["horizon"],
            _split(split, record["gap"]),
            record["stride"],
            series.filled_rows(record["target"]),
        )
        for series, split in zip(panel.each(), splits, strict=True)
    )
    return PanelExam(exams, panel.blocks, target_scales(panel, exams))


def _split_record(split: Split) -> Record:
    return {name: [part.start, part.stop] for name, part in split.parts.items()}


def _split(record: Record, gap: int) -> Split:
    train, validation, test = (range(*record[name]) for name in ("train", "validation", "test"))
    return Split(train, validation, test, gap)


def _read(path: Path) -> Record:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise SettingError(
            f"{path.parent} holds no run: there is no {path.name}. `backsight compare --out` makes one."
        ) from error
    except (OSError, ValueError) as error:
        raise SettingError(f"{path} can't be read as a run: {error}.") from error
    if not isinstance(record, dict) or record.get("version") != VERSION:
        raise SettingError(f"{path} is not a run of this version ({VERSION}). Make it anew with `backsight compare`.")
    return record


def _choose(records: list[Record], names: Collection[str] | None, folder: Path) -> tuple[Entry, ...]:
    by_name = {record["name"]: record for record in records}
    unknown = [name for name in names or () if name not in by_name]
    if unknown:
        raise SettingError(f"The run in {folder} has no entry {unknown[0]!r}; it has {', '.join(by_name)}.")
    chosen = [r for name, r in by_name.items() if (name in names if names is not None else r["recipe"] is not None)]
    own = [record["name"] for record in chosen if record["recipe"] is None]
    if own:
        raise RecipeError(
            f"{own[0]} is a function of yours, which the run in {folder} can't hold. Name it, and the data."
        )
    if not chosen:
        raise SettingError(f"The run in {folder} has no entry that can be fitted again.")
    return tuple(_entry(record) for record in chosen)


def _entry_record(entry: Entry) -> Record:
    values: Record = {f.name: getattr(entry, f.name) for f in fields(entry)}
    own = isinstance(entry.recipe, Own)
    return values | {
        "model": recipe_name(entry.recipe),
        "recipe": None if own else recipe_to_json(entry.recipe),
        "features": list(entry.features),
        "plan": None if entry.plan is None else asdict(entry.plan),
    }


def _entry(record: Mapping[str, Any]) -> Entry:
    values = {f.name: record[f.name] for f in fields(Entry)}
    recipe: Recipe = recipe_from_json(record["recipe"])
    plan = None if record["plan"] is None else make_plan(**record["plan"])
    return Entry(**{**values, "recipe": recipe, "features": tuple(record["features"]), "plan": plan})
