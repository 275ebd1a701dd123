"""A study as a file, so that it can be carried out again: every fit gives the same bytes again."""

import os
import platform
from collections.abc import Collection
from dataclasses import asdict, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backsight.errors import DataError, RecipeError, SettingError, WindowError
from backsight.evaluation.exam import Exam
from backsight.evaluation.panel_exam import PanelExam, target_scales
from backsight.models.own import Own, code_of, load_own
from backsight.models.recipe import Recipe
from backsight.models.recursive import Recursive
from backsight.models.registry import recipe_from_json, recipe_name, recipe_to_json, storable
from backsight.runs.entry import Entry
from backsight.runs.forms import RunForm, check_form, read_json
from backsight.runs.identity import differences
from backsight.runs.study import Study
from backsight.series.catalogue import CATALOGUE
from backsight.series.columns import require_column
from backsight.series.panel import Panel
from backsight.series.series import Series, day
from backsight.series.source import Source, column_fingerprints, fingerprint
from backsight.training.plan import plan_from_json
from backsight.windows.split import Split

#: The file of a run that holds its study.
STUDY_FILE = "run.json"
#: Raised whenever what the file holds changes its meaning.
VERSION = 2
#: Whose versions a fit's bytes depend on.
LIBRARIES = ("backsight", "jax", "keras", "numpy", "scikit-learn", "scipy")

Record = dict[str, Any]


def study_record(study: Study, source: Source | None = None) -> Record:
    """A study as plain values.

    Args:
        source: where its series can be read again; without it, `read_study` can't.
    """
    exam = study.exam
    return {
        "version": VERSION,
        "source": None if source is None else source_record(source),
        "data": data_record(study.series),
        "exam": {
            "target": exam.target,
            "horizon": exam.horizon,
            "stride": exam.stride,
            "gap": exam.gap,
            **_splits_record(study),
            **({"earlier": [_split_record(fold.split) for fold in study.earlier]} if study.earlier else {}),
        },
        "seeds": study.seeds,
        "plan": asdict(study.plan),
        "scale": study.scale,
        "entries": [_entry_record(entry) for entry in study.entries],
    }


def source_record(source: Source) -> Record:
    """A source as plain values: a file by its whole path, so that a run goes on from whatever folder."""
    here = source.data in CATALOGUE
    columns = None if source.columns is None else list(source.columns)
    return {**asdict(source), "data": source.data if here else str(Path(source.data).absolute()), "columns": columns}


def data_record(series: Series | Panel) -> Record:
    """What tells one series from another, or many from others."""
    return {
        "name": series.name,
        "rows": len(series),
        **({"series": len(series.ids)} if isinstance(series, Panel) else {}),
        "first": day(series.times.min()),
        "last": day(series.times.max()),
        "columns": column_fingerprints(series),
        "fingerprint": fingerprint(series),
    }


def run_record(kind: str, study: Study, source: Source | None) -> Record:
    """What `run.json` holds: the study, for which command it was made, and what its bytes depend on beside it."""
    pieces = sum(len(study.seeds_of(entry)) * len(study.exams) for entry in study.entries)
    return {
        "kind": kind,
        "pieces": pieces,
        "made_with": made_with(),
        **study_record(study, source),
    }


def made_with() -> dict[str, str]:
    """What the bytes of a fit depend on beside the study, here."""
    return {**{name: version(name) for name in LIBRARIES}, "machine": platform.machine()}


def identity(record: Record) -> Record:
    """Of a `run_record` all but where the data lies and what was typed: runs that share it give the same bytes."""
    return {name: value for name, value in record.items() if name not in ("source", "command")}


def read_study(folder: Path, entries: Collection[str] | None = None, *, functions: bool = False) -> Study:
    """The study of a run folder, with its data read again.

    Args:
        folder: that a comparison was written to.
        entries: names of those to keep; all of them without it, but for functions of the user's.
        functions: whether to import functions of the user's that were named as module:function, and to keep them.

    Raises:
        SettingError: the folder holds no study, or one of another version, or no such entry.
        DataError: the data has changed since; the message lists how.
        RecipeError: an entry that was asked for is a function of the user's that is not to be imported, or can't be.
    """
    return study_of(read_run_record(folder), folder, entries, functions=functions)


def study_of(record: Record, folder: Path, entries: Collection[str] | None = None, *, functions: bool = False) -> Study:
    """The study of a record; arguments and errors are those of `read_study`."""
    # By its name then: a file may be called something else by now.
    series = replace(_load(source_of(record, folder), folder), name=record["data"]["name"])
    if isinstance(series, Panel):
        series = series.without(record["exam"].get("skipped", ()))
    changed = differences(record["data"], data_record(series))
    if changed:
        raise DataError(
            f"{record['source']['data']} has changed since the run in {folder}: {', '.join(changed[:6])}. Bring the "
            f"data back as it was, or compare anew in another folder."
        )
    of_exam = record["exam"]
    require_column(of_exam["target"], series.columns)
    chosen = _choose(record["entries"], entries, folder, functions)
    for column in {column for entry in chosen for column in entry.features}:
        require_column(column, series.columns)
    plan, scale = plan_from_json(record["plan"]), record["scale"]
    _check_splits(of_exam, len(series.ids) if isinstance(series, Panel) else None, folder)
    if isinstance(series, Panel):
        of_many = _panel_exam(series, of_exam)
        return Study(series, of_many, chosen, record["seeds"], plan, scale, skipped=tuple(of_exam.get("skipped", ())))
    *earlier, exam = (
        Exam(
            of_exam["target"],
            of_exam["horizon"],
            _split(parts, of_exam["gap"], len(series)),
            of_exam["stride"],
            series.filled_rows(of_exam["target"]),
        )
        for parts in (*of_exam.get("earlier", ()), of_exam)
    )
    return Study(series, exam, chosen, record["seeds"], plan, scale, tuple(earlier))


def _splits_record(study: Study) -> Record:
    """The parts of a series by name, or of many a list by name, one of each: first row and the one after the last."""
    if isinstance(study.exam, Exam):
        return _split_record(study.exam.split)
    records = [_split_record(one.split) for one in study.exam.exams]
    return {**{part: [record[part] for record in records] for part in records[0]}, "skipped": list(study.skipped)}


def _check_splits(record: Record, series: int | None, folder: Path) -> None:
    """Make sure that an exam has parts of as many series as there are; None says one that is no panel.

    Raises:
        SettingError: it has not.
    """
    for split in (record, *record.get("earlier", ())):
        for part in ("train", "validation", "test"):
            found = len(split[part]) if isinstance(split[part][0], list) else None
            if found != series:
                raise SettingError(
                    f"The {part} part of the run in {folder} must be of {series or 'one'} series; it is of "
                    f"{found or 'one'}. Compare anew in another folder."
                )


def _panel_exam(panel: Panel, record: Record) -> PanelExam:
    parts = ("train", "validation", "test")
    splits = [dict(zip(parts, of, strict=True)) for of in zip(*(record[part] for part in parts), strict=True)]
    exams = tuple(
        Exam(
            record["target"],
            record["horizon"],
            _split(split, record["gap"], len(series)),
            record["stride"],
            series.filled_rows(record["target"]),
        )
        for series, split in zip(panel.each(), splits, strict=True)
    )
    return PanelExam(exams, panel.blocks, target_scales(panel, exams))


def _split_record(split: Split) -> Record:
    return {name: [part.start, part.stop] for name, part in split.parts.items()}


def with_data(record: Record, data: str | None) -> Record:
    """The record of a study whose data is somewhere else now, or as it was; it must be the same data all the same."""
    if data is None:
        return record
    source = Source(data) if record["source"] is None else replace(Source(**record["source"]), data=data)
    return {**record, "source": source_record(source)}


def source_of(record: Record, folder: Path) -> Source:
    """Where the series of a record is.

    Raises:
        SettingError: nobody has said.
    """
    if record["source"] is None:
        raise SettingError(
            f"The run in {folder} does not say where its data is, for it was made in Python. Call the same function "
            f"again with this folder as `out`, or name a file: backsight resume {folder} --data FILE."
        )
    return Source(**record["source"])


def _load(source: Source, folder: Path) -> Series | Panel:
    # A pipe or a device would be waited for without end.
    if source.data not in CATALOGUE and not os.path.isfile(source.data):  # noqa: PTH113 - false of any text
        raise DataError(
            f"{source.data}, the data of the run in {folder}, is not there. Bring it back, or say where it is now: "
            f"backsight resume {folder} --data FILE."
        )
    return source.read()


def _split(record: Record, gap: int, rows: int) -> Split:
    train, validation, test = (range(*record[name]) for name in ("train", "validation", "test"))
    # Before anything is made of so many rows.
    if max(train.stop, validation.stop, test.stop) > rows:
        raise WindowError(f"The parts of an exam end at row {test.stop - 1}; the series has {rows} rows.")
    return Split(train, validation, test, gap)


def read_run_record(folder: Path) -> Record:
    """What `run.json` of a folder holds, after a check of every key and type.

    Raises:
        SettingError: there is none, it is of another version, or not what `run_record` gives.
    """
    path = folder / STUDY_FILE
    try:
        record = read_json(path)
    except FileNotFoundError as error:
        raise SettingError(f"{folder} holds no run: there is no {path.name}. `backsight compare` makes one.") from error
    if record.get("version") != VERSION:
        raise SettingError(f"{path} is not a run of this version ({VERSION}). Make it anew with `backsight compare`.")
    check_form(record, RunForm, path)
    return record


def _choose(records: list[Record], names: Collection[str] | None, folder: Path, functions: bool) -> tuple[Entry, ...]:
    by_name = {record["name"]: record for record in records}
    if len(by_name) < len(records):
        raise SettingError(f"The run in {folder} has two entries of one name.")
    unknown = [name for name in names or () if name not in by_name]
    if unknown:
        raise SettingError(f"The run in {folder} has no entry {unknown[0]!r}; it has {', '.join(by_name)}.")
    chosen = [r for n, r in by_name.items() if (n in names if names is not None else functions or not _is_own(r))]
    own = [record for record in chosen if _is_own(record)]
    if own and not functions:
        raise RecipeError(
            f"{own[0]['name']} is a model of yours, which the run in {folder} can't hold. Name it, and the data."
        )
    if not chosen:
        raise SettingError(f"The run in {folder} has no entry that can be fitted again.")
    return tuple(_entry(record) for record in chosen)


def _is_own(record: Record) -> bool:
    return "function" in record["recipe"]


def _entry_record(entry: Entry) -> Record:
    values: Record = {f.name: getattr(entry, f.name) for f in fields(entry)}
    return values | {
        "model": recipe_name(entry.recipe),
        "recipe": _recipe_record(entry.recipe),
        "features": list(entry.features),
        "plan": None if entry.plan is None else asdict(entry.plan),
    }


def _recipe_record(recipe: Recipe) -> Record:
    """The recipe as plain values; of one of the user's own, what it is called and what its code was."""
    if storable(recipe):
        return recipe_to_json(recipe)
    own = recipe.core
    wrapped = {"recursive": True} if isinstance(recipe, Recursive) else {}
    code = own.code if isinstance(own, Own) else code_of(type(own))
    return {"function": recipe_name(own), "code": code, **wrapped}


def _entry(record: Record) -> Entry:
    values = {f.name: record[f.name] for f in fields(Entry)}
    recipe = _own(record["recipe"]) if _is_own(record) else recipe_from_json(record["recipe"])
    plan = None if record["plan"] is None else plan_from_json(record["plan"])
    return Entry(**{**values, "recipe": recipe, "features": tuple(record["features"]), "plan": plan})


def _own(record: Record) -> Recipe:
    """A function of the user's, imported again.

    Raises:
        RecipeError: it has no name to import it by, or its code has changed.
    """
    name = record["function"]
    if ":" not in name:
        raise RecipeError(f"{name} has no name to import it by. Call `compare` again with the same folder, in Python.")
    recipe = load_own(name)
    if recipe.code != record["code"]:
        raise RecipeError(f"The code of {name} has changed since the run began. Compare anew in another folder.")
    return Recursive(recipe) if record.get("recursive") else recipe
