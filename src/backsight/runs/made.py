"""How a run was made, for its report: the command, the versions, the data doctor's findings, the models' sources."""

import platform
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from backsight.models.registry import RECIPES, recipe_name, source_of
from backsight.runs.study import Study
from backsight.series.doctor.diagnosis import audit
from backsight.series.panel import Panel
from backsight.series.series import Series

Record = dict[str, Any]

#: Libraries that numbers depend on.
LIBRARIES = ("backsight", "keras", "jax", "jaxlib", "numpy", "pandas", "scikit-learn", "scipy", "statsmodels", "arch")


def made_record(study: Study, command: str | None = None) -> Record:
    """How a run was made, as plain values: command (None from Python), versions, doctor (None of many), sources.

    The data doctor looks at the target and the columns that entries read, as they were when models read them.

    Args:
        study: what was asked.
        command: as it was typed.
    """
    return {
        "command": command,
        "versions": versions(),
        "doctor": None if isinstance(study.series, Panel) else _diagnosis(study, study.series),
        "sources": sources(study),
    }


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that numbers depend on.

    >>> list(versions())[:2]
    ['Python', 'backsight']
    """
    found = {"Python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {**found, "machine": f"{platform.system()} {platform.machine()}"}


def sources(study: Study) -> dict[str, str]:
    """Where the models of a study come from, by name and in the order of the registry."""
    names = {recipe_name(entry.recipe).partition("(")[0]: source_of(entry.recipe) for entry in study.entries}
    return {name: names[name] for name in RECIPES if names.get(name)}


def _diagnosis(study: Study, series: Series) -> Record:
    """What the data doctor says, without the list of every date."""
    target = study.exam.target
    read = {column for entry in study.entries for column in entry.features} | {target}
    places = [place for place, column in enumerate(series.columns) if column in read]
    names = tuple(series.columns[place] for place in places)
    filled = None if series.filled is None else series.filled[:, places]
    record = audit(replace(series, values=series.values[:, places], columns=names, filled=filled), target).record()
    return {**record, "findings": [{k: v for k, v in f.items() if k != "times"} for f in record["findings"]]}
