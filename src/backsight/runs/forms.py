"""What the files of a run may say: every key, type and bound, checked before anything of it is used.

Anybody may have written them, and sent a folder of them. So nothing here builds, imports or reads anything else; what
passes can still name data that is not there or a model that does not exist, which is told where that is looked for.
"""

import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, TypeAdapter, ValidationError, model_validator

from backsight.errors import ModelFileError, SettingError
from backsight.runs.strict_json import read_object

#: Bytes of the longest file that is read. A thousand entries with a hundred columns each need three million.
LONGEST = 256 * 2**20

Whole = Annotated[int, Field(ge=0, le=2**63 - 1)]
#: What `Study` and `Search` have their own rules for, within what arithmetic on rows can hold.
Count = Annotated[int, Field(ge=1, le=1_000_000)]
Setting = str | bool | int | FiniteFloat | list[int] | list[FiniteFloat] | None
Plain = Setting | list[str]
Rows = Annotated[list[Whole], Field(min_length=2, max_length=2)]
Names = Annotated[list[str], Field(min_length=1)]


class Form(BaseModel):
    """No key more, none less, and of the type itself: "3" is no number."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SourceForm(Form):
    """A `Source`."""

    data: str
    columns: list[str] | None
    first: str | None
    last: str | None
    rows: Whole | None
    time: str | None
    time_format: str | None
    encoding: str
    decimal: str = "."
    thousands: str | None = None
    on_duplicate: Literal["error", "first", "last", "mean"]
    on_missing: Literal["error", "ffill"]
    units: dict[str, str] | None = None
    id: str | None


class DataForm(Form):
    """What tells one series from another, or many."""

    name: str
    rows: Whole
    series: Whole | None = None
    first: str
    last: str
    columns: dict[str, str]
    fingerprint: str


class SplitForm(Form):
    """First and one past the last row of each part; of many series a list, one of each."""

    train: Rows | Annotated[list[Rows], Field(min_length=1)]
    validation: Rows | Annotated[list[Rows], Field(min_length=1)]
    test: Rows | Annotated[list[Rows], Field(min_length=1)]


class ExamForm(SplitForm):
    """An `Exam`, and in a backtest the splits of the earlier ones."""

    target: str
    horizon: Whole
    stride: Whole
    gap: Whole
    earlier: list[SplitForm] = []
    skipped: list[str] = []


class OwnForm(Form):
    """A function of the user's, by name, and the SHA-256 of its source."""

    function: str
    code: str | None


class RecipeForm(BaseModel):
    """A recipe of the registry, which checks the settings."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    __pydantic_extra__: dict[str, Setting | dict[str, Setting]]  # a recipe may hold another

    family: str


class EntryForm(Form):
    """An `Entry`."""

    name: str
    model: str
    recipe: OwnForm | RecipeForm
    lookback: Count
    features: list[str]
    calendar: bool
    plan: dict[str, Setting] | None


class StudyForm(Form):
    """A `Study`, and where its series is."""

    version: int
    source: SourceForm | None
    data: DataForm
    exam: ExamForm
    seeds: Count
    plan: dict[str, Setting]
    scale: Literal["standard", "none"]
    entries: Annotated[list[EntryForm], Field(min_length=1)]


class RunForm(StudyForm):
    """`run.json`."""

    kind: Literal["compare", "lookback", "tune", "lesson"]
    command: str | None = None
    pieces: Whole
    made_with: dict[str, str]


class AskedForm(Form):
    """What brings a search back."""

    study: StudyForm
    models: Names
    lookback: Annotated[list[Count], Field(min_length=1)]
    trials: Count
    folds: Count
    seed: Whole
    minutes: Annotated[FiniteFloat, Field(gt=0)] | None


class SearchForm(Form):
    """`search.json`."""

    identity: dict[str, Plain]
    asked: AskedForm


class _Errors(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    val_rmse: list[FiniteFloat | None]
    test_rmse: list[FiniteFloat | None]


class _Named(_Errors):
    name: str


class _Exam(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    entries: list[_Named] = []


class _Point(_Errors):
    entry: str


class _Curve(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True)

    points: list[_Point]


class ResultForm(BaseModel):
    """Of `result.json` what is read again: the errors of each entry; of lookback curves those are points."""

    model_config = ConfigDict(extra="ignore", strict=True)

    exam: _Exam | None
    lines: dict[str, _Errors] = {}
    curves: list[_Curve] = []


class _OfPiece(Form):
    entry: str
    fold: Annotated[int, Field(ge=1)]
    seed: Whole


class _Finished(_OfPiece):
    what: Literal["finished"]
    # The name of a file in the folder of pieces, and of none elsewhere.
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.=-]*$")]
    sha256: str
    seconds: FiniteFloat


class _Lost(_OfPiece):
    what: Literal["lost"]
    attempts: Whole
    why: str


class _Openings(Form):
    times: Whole
    studies: Whole


class _Opened(Form):
    what: Literal["opened"]
    openings: _Openings | None


class _Ended(BaseModel):
    model_config = ConfigDict(extra="allow", strict=True)

    what: Literal["ended"]
    best: str = ""
    val_rmse: FiniteFloat | None = None


class _TrialFits(Form):
    """A line of `fits.jsonl`: the fits of one trial and fold that were done at once."""

    model: str
    trial: Whole
    values: dict[str, Plain]
    fold: Whole
    seeds: Annotated[list[Whole], Field(min_length=1)]
    rmse: list[FiniteFloat]
    epochs: list[Whole]
    looks: list[FiniteFloat]

    @model_validator(mode="after")
    def _one_a_seed(self) -> Self:
        if not len(self.seeds) == len(self.rmse) == len(self.epochs):
            raise ValueError("errors and epochs are one a seed")
        return self


_FITS: TypeAdapter[list[Any]] = TypeAdapter(list[_TrialFits])
_LEDGER: TypeAdapter[list[Any]] = TypeAdapter(
    list[Annotated[_Finished | _Lost | _Opened | _Ended, Field(discriminator="what")]]
)

AForm = TypeVar("AForm", bound=BaseModel)


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object that a file holds, whatever it says.

    Raises:
        FileNotFoundError: there is no such file.
        SettingError: it can't be read, or is no JSON of ours.
    """
    try:
        if not path.is_file():
            raise FileNotFoundError(path) if not path.exists() else SettingError(f"{path} is no plain file.")
        if path.stat().st_size > LONGEST:
            raise SettingError(f"{path} is longer than {LONGEST:,} bytes, which no file of a run is.")
        return read_object(path.read_bytes(), path.name)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise SettingError(f"{path} can't be read: {error.strerror or error}.") from error
    except ModelFileError as error:
        raise SettingError(f"{path} can't be read as a run. {error}") from error


def check_form(record: dict[str, Any], form: type[AForm], path: Path) -> AForm:
    """Make sure that a record is of this form.

    Raises:
        SettingError: it is not; the message says where.
    """
    try:
        return form.model_validate(record)
    except ValidationError as error:
        raise SettingError(f"{path} is not what backsight writes. {_explain(error)}") from error


def check_notes(records: list[dict[str, Any]], path: Path) -> None:
    """Make sure that the records of a ledger are those of a run.

    Raises:
        SettingError: one is not; the message says which.
    """
    _check_lines(_LEDGER, records, path)


def check_fits(records: list[dict[str, Any]], path: Path) -> None:
    """Make sure that the records of a ledger are fits of trials.

    Raises:
        SettingError: one is not; the message says which.
    """
    _check_lines(_FITS, records, path)


def _check_lines(form: TypeAdapter[list[Any]], records: list[dict[str, Any]], path: Path) -> None:
    try:
        form.validate_python(records)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        line = int(first["loc"][0]) + 1
        raise SettingError(
            f"{path} holds something else than a run's notes in line {line}. {_explain(error)}"
        ) from error


def _explain(error: ValidationError) -> str:
    """Where it is wrong, what is allowed, what came."""
    first = error.errors(include_url=False)[0]
    where = " ".join(str(step) for step in first["loc"] if not str(step).endswith("Form"))
    return f"{where or 'It'}: {first['msg']}; {reprlib.repr(first['input'])} was found."
