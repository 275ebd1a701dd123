"""What intervals have become by the actuals that they were told of: a small file beside the model file.

A model file never changes: its hashes say what was compared, on which days, with which result, and a copy of it is
the same model everywhere. What `backsight forecast --update` learns belongs to one stream of data, so it goes into a
file of its own, `MODEL.intervals.json`, which names its model by SHA-256. Remove it, and the intervals begin anew with
those of validation; nothing that the model is depends on it.
"""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backsight.errors import ModelFileError, SettingError
from backsight.evaluation.calibration import Calibration
from backsight.runs.durable import write_durably
from backsight.runs.model_card import write_card
from backsight.runs.panel_outlook import Known
from backsight.runs.strict_json import canonical_json, read_canonical

if TYPE_CHECKING:
    from backsight.runs.model_file import Model

#: What the name of the file adds to that of the model file.
SUFFIX = ".intervals.json"
#: Raised whenever the form changes.
VERSION = 1
#: Bytes: of a model of a thousand leads some hundred thousand, of a thousand series of seven leads ten million.
LONGEST = 100_000_000


def told_file(model_file: Path) -> Path:
    """The file beside this model file.

    >>> told_file(Path("winner.zip")).name
    'winner.zip.intervals.json'
    """
    return model_file.with_name(model_file.name + SUFFIX)


def model_hash(model: "Model") -> str:
    """What names a model: the SHA-256 of its card, which holds those of all other members."""
    return sha256(write_card(model.card)).hexdigest()


def write_told(path: Path, model: "Model", intervals: Known) -> None:
    """Keep what intervals have become, whole or not at all.

    Raises:
        SettingError: the file can't be written.
    """
    if isinstance(intervals, Calibration):
        told: dict[str, Any] = {"intervals": intervals.to_json()}
    else:
        told = {"each": {name: of_series.to_json() for name, of_series in intervals.items()}}
    values = {"version": VERSION, "model": model_hash(model), **told}
    write_durably(path, canonical_json(values | {"sha256": _own_hash(values)}))


def read_told(path: Path, model: "Model") -> Known | None:
    """What intervals have become; None if there is no file.

    Raises:
        ModelFileError: it is damaged, of another version or another model.
    """
    if not path.exists():
        return None
    anew = f"Remove {path} to begin anew with the errors of validation."
    try:
        with path.open("rb") as file:
            text = file.read(LONGEST + 1)
    except OSError as error:
        raise ModelFileError(f"{path} can't be read: {error.strerror or error}.") from error
    if len(text) > LONGEST:
        raise ModelFileError(f"{path} has more than {LONGEST:,} bytes. {anew}")
    values = read_canonical(text, f"{path}")
    claimed = values.pop("sha256", None)
    if claimed != _own_hash(values) or values.get("version") != VERSION:
        raise ModelFileError(f"{path} is damaged, or of another version than {VERSION}. {anew}")
    if values["model"] != model_hash(model):
        raise ModelFileError(f"{path} belongs to another model than {model.card.name}. {anew}")
    if model.card.many is None:
        return _read_one(values.get("intervals"), path, model)
    each, of_model = values.get("each"), model.fitted[0].view.each
    if not isinstance(each, dict) or of_model is None or set(each) != set(of_model.ids):
        raise ModelFileError(f"{path} is damaged: it must hold the intervals of the model's series. {anew}")
    return {name: _read_one(of_series, path, model) for name, of_series in each.items()}


def _read_one(values: Any, path: Path, model: "Model") -> Calibration:
    anew = f"Remove {path} to begin anew with the errors of validation."
    try:
        intervals = Calibration.from_json(values)
    except SettingError as error:
        raise ModelFileError(f"{path} is damaged. {anew} {error}") from error
    if len(intervals.leads) != model.card.horizon:
        raise ModelFileError(f"{path} is damaged: it has {len(intervals.leads)} leads. {anew}")
    return intervals


def _own_hash(values: dict[str, Any]) -> str:
    return sha256(canonical_json(values)).hexdigest()
