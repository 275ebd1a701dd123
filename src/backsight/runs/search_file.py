"""What is searched for, in a folder: `search.json`. Loads no Optuna."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backsight.errors import SettingError
from backsight.runs.durable import make_folder, write_durably
from backsight.runs.folder import JOURNAL, SEARCH
from backsight.runs.forms import SearchForm, check_form, read_json
from backsight.runs.identity import as_read, check_identity
from backsight.runs.saved import VERSION

Identity = Mapping[str, Any]


def begin(folder: Path, identity: Identity, asked: Identity) -> None:
    """Say in the folder what is searched for, or make sure that it says so already.

    Args:
        folder: made if it is not there.
        identity: what trials depend on; see `runs.search.identify`.
        asked: what brings the search back; see `runs.search.asked_record`. The latest asking counts.

    Raises:
        SettingError: the folder holds another search, or can't be written.
    """
    path, identity, asked = folder / SEARCH, as_read(identity), as_read(asked)
    if path.exists():
        begun = read_search(folder)
        check_identity(identity, begun["identity"], folder, "search")
        if begun["asked"] == asked:
            return
    elif (folder / JOURNAL).exists():
        raise SettingError(f"{folder} holds trials, and no {SEARCH} that says of what. Name another --out.")
    make_folder(folder)
    write_durably(path, (json.dumps({"identity": identity, "asked": asked}, indent=1) + "\n").encode())


def read_search(folder: Path) -> dict[str, Any]:
    """What `begin` wrote: `identity` and `asked`.

    Raises:
        SettingError: there is none, it is of another version, or not what `begin` writes.
    """
    path = folder / SEARCH
    try:
        record = read_json(path)
    except FileNotFoundError as error:
        raise SettingError(f"{folder} holds no search: there is no {SEARCH}. `backsight tune` makes one.") from error
    form = check_form(record, SearchForm, path)
    if form.asked.study.version != VERSION:
        raise SettingError(f"{path} is of another version than this one's ({VERSION}). Name another --out.")
    return record
