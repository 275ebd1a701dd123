"""Whether what is asked for now is what was begun in a folder, and what is different."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backsight.errors import SettingError

#: Differences that a message lists; of more it says how many.
MOST_LISTED = 8


def check_identity(asked: Mapping[str, Any], begun: Mapping[str, Any], folder: Path, what: str) -> None:
    """Make sure that the work in a folder is the one that is asked for.

    Args:
        asked, begun: plain values, nested as they like; lists of records that have a `name` are compared by it.
        folder: where it was begun.
        what: was begun there, such as "run".

    Raises:
        SettingError: it is not; the message lists the differences.
    """
    different = differences(begun, asked)
    if different:
        more = f"; and {len(different) - MOST_LISTED} more" if len(different) > MOST_LISTED else ""
        raise SettingError(
            f"{folder} holds another {what}: {'; '.join(different[:MOST_LISTED])}{more}. Name another --out, remove "
            f"the folder, or ask for the same again."
        )


def differences(begun: Mapping[str, Any], asked: Mapping[str, Any], within: str = "") -> list[str]:
    """What was and what is now, one text a value that differs, in the order in which they were begun.

    >>> differences({"rows": 9, "exam": {"gap": 0}}, {"rows": 8, "exam": {"gap": 0}})
    ['rows was 9, now 8']
    >>> differences({"entries": [{"name": "ridge_3", "lookback": 3}]}, {"entries": []})
    ['entries ridge_3 was there, now not']
    """
    found = []
    for key in dict.fromkeys([*begun, *asked]):
        name = f"{within}{key}"
        if key not in asked or key not in begun:
            found.append(f"{name} was there, now not" if key in begun else f"{name} is new")
            continue
        was, now = _by_name(begun[key]), _by_name(asked[key])
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            found += differences(was, now, f"{name} ")
        elif was != now:
            found.append(f"{name} was {_show(was)}, now {_show(now)}")
    return found


def as_read(record: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values as they come back from JSON: tuples are lists.

    >>> as_read({"quantiles": (0.05, 0.5, 0.95)})
    {'quantiles': [0.05, 0.5, 0.95]}
    """
    read: dict[str, Any] = json.loads(json.dumps(record))
    return read


def _by_name(value: Any) -> Any:
    """Records that have a name by it; anything else as it is."""
    if isinstance(value, list) and all(isinstance(v, Mapping) and "name" in v for v in value):
        return {str(v["name"]): v for v in value}
    return value


def _show(value: object) -> str:
    text = "nothing" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
