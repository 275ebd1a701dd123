"""How to repeat a run: its command, data, exam, training and versions; and how to add what it has not measured."""

import shlex
from typing import Any

from backsight.report.page.html import Child, Html, join, shorten, tag
from backsight.report.stored import Stored

Record = dict[str, Any]


def repeat_facts(stored: Stored) -> Html | None:
    """The command, and what else must be the same; nothing of a run that does not say."""
    study, made = stored.study, stored.made
    command = tag("pre", shorten(str(made["command"]), 2000)) if made.get("command") else None
    facts = [(what, value) for what, value in (*_data(study), *_exam(study), *_versions(made)) if value]
    if command is None and not facts:
        return None
    pairs: list[Child] = [part for what, value in facts for part in (tag("dt", what), tag("dd", value))]
    return join((command, tag("dl", *pairs, class_="facts") if pairs else None))


def memory_command(stored: Stored) -> str | None:
    """The command that adds a memory profile to the report of a run with networks.

    None where there would be none: of many series, of functions of the user's, of data that can't be read again, or
    where nobody knows the folder.
    """
    study = stored.study
    if stored.folder is None or not study.get("source") or "series" in stored.exam:
        return None
    curves = stored.record.get("curves") or []
    networks = {entry["name"] for entry in stored.entries if entry["network"]}
    networks |= {point["entry"] for curve in curves if curve.get("network") for point in curve["points"]}
    if not any(entry["name"] in networks and "function" not in entry["recipe"] for entry in study["entries"]):
        return None
    folder = shlex.quote(str(stored.folder))
    return f"backsight memory {folder} --out {folder}"


def _data(study: Record) -> list[tuple[str, Child]]:
    data = study.get("data")
    if not data:
        return []
    columns = f"{len(data['columns'])} columns"
    if "series" in data:
        columns += f" of {data['series']:,} series"
    return [
        ("data", tag("bdi", shorten(f"{data['name']}: {data['rows']:,} rows, {columns}", 200))),
        ("fingerprint", tag("code", f"SHA-256 {data['fingerprint']}")),
    ]


def _exam(study: Record) -> list[tuple[str, Child]]:
    exam, plan = study.get("exam"), study.get("plan")
    if not exam or not plan:
        return []
    ahead = f"horizon {exam['horizon']}, stride {exam['stride']}, gap {exam['gap']}"
    training = ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in plan.items())
    return [
        ("rows", f"{_parts(exam)}; {ahead}"),
        ("networks", f"seeds 0 to {study['seeds'] - 1}; {training}; scale {study['scale']}"),
    ]


def _parts(exam: Record) -> str:
    parts = {part: exam[part] for part in ("train", "validation", "test")}
    if isinstance(parts["train"][0], list):
        return f"{len(parts['train']):,} series, each cut by itself"
    rows = ", ".join(f"{part} {first:,} to {stop - 1:,}" for part, (first, stop) in parts.items())
    return f"{rows} (counted from 0)"


def _versions(made: Record) -> list[tuple[str, Child]]:
    versions = made.get("versions") or {}
    return [("versions", ", ".join(f"{name} {version}" for name, version in versions.items()))]
