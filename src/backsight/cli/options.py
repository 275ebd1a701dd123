"""Options that several commands share, and how their texts are read."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backsight.errors import SettingError

if TYPE_CHECKING:
    from backsight.runs.pools import Backend
    from backsight.runs.study import Strategy
    from backsight.series.rows import Rows
    from backsight.series.series import Series
    from backsight.series.source import Source
    from backsight.training.plan import Plan
    from backsight.windows.split import Split

Data = Annotated[str, typer.Argument(help="A CSV or Parquet file, or a name of `backsight data`.")]
Lookbacks = Annotated[str, typer.Option(help="Numbers of steps to look back.")]
Models = Annotated[
    str,
    typer.Option(
        help="Names of `backsight models`, with settings if you like: 'gru,lstm(units=7,layers=2)'; "
        "or module:function for a function of yours that returns a keras.Model."
    ),
]
Seeds = Annotated[int, typer.Option(help="Fits of each model that is random, with seeds 0, 1, ...")]
Workers = Annotated[int | None, typer.Option(help="Fits at a time; one a core without it.")]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON; - is standard output.")
]
Out = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write the run, its plots and CSVs here.")]


@dataclass(frozen=True)
class BackendOptions:
    """Where fits are carried out."""

    workers: Annotated[int | None, typer.Option(help="Fits at a time; one a core without it.")] = None
    backend: Annotated[
        Literal["threads", "processes", "dask", "ray"],
        typer.Option(help="Threads of this process, processes of this machine, or the workers of a cluster."),
    ] = "threads"
    cluster: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Of a Dask or Ray cluster that is running; else one is started here."),
    ] = None

    def choose(self) -> "Backend":
        """The backend.

        Raises:
            SettingError: an address for something that has none.
        """
        from backsight.runs.pools import Backend

        return Backend(self.backend, self.cluster)


# How a file is read.
Time = Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of times.")]
TimeFormat = Annotated[str | None, typer.Option(help="How times are written, such as '%d/%m/%Y'.")]
Encoding = Annotated[str, typer.Option(help="Of a CSV file.")]
Decimal = Annotated[str, typer.Option(metavar="SIGN", help="Before the decimals of numbers in a CSV file: . or ,")]
Thousands = Annotated[
    str | None,
    typer.Option(metavar="SIGN", help="Between groups of three digits there, where one may stand, such as , or . or '"),
]
Unit = Annotated[
    list[str] | None,
    typer.Option(metavar="COLUMN=UNIT", help="The unit of a column, such as sales=pieces. May be given several times."),
]
OnDuplicate = Annotated[
    Literal["error", "first", "last", "mean"], typer.Option(help="What to do with rows of the same time.")
]
OnMissing = Annotated[
    Literal["error", "ffill"], typer.Option(help="What to do with missing rows and cells: stop, or carry forward.")
]


@dataclass(frozen=True)
class ReadingOptions:
    """How a file is read."""

    time: Time = None
    time_format: TimeFormat = None
    encoding: Encoding = "utf-8"
    decimal: Decimal = "."
    thousands: Thousands = None
    on_duplicate: OnDuplicate = "error"
    on_missing: OnMissing = "error"
    unit: Unit = None

    def source(self, data: str, columns: list[str], id: str | None = None) -> "Source":
        """Where these columns come from, of a series or of many that a column names. Others have not to be in order."""
        from backsight.series.source import Source

        asked = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "unit"}
        return Source(data, columns, **asked, units=split_units(self.unit), id=id)


@dataclass(frozen=True)
class DataOptions:
    """Which numbers: columns, rows, and how a file is read."""

    target: Annotated[str | None, typer.Option(help="The column to forecast.")] = None
    features: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB ...",
            help="Columns to read, such as 'BASEL_*'; all of them without it. The target's own past is read only "
            "if it is named too.",
        ),
    ] = None
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="Leave out earlier rows.")] = None
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Leave out later rows.")] = None
    rows: Annotated[int | None, typer.Option(help="Only so many rows, from the start.")] = None
    time: Time = None
    time_format: TimeFormat = None
    encoding: Encoding = "utf-8"
    decimal: Decimal = "."
    thousands: Thousands = None
    on_duplicate: OnDuplicate = "error"
    on_missing: OnMissing = "error"
    unit: Unit = None

    @property
    def globs(self) -> list[str] | None:
        """The globs of the columns to read; None for all.

        Raises:
            SettingError: the option is there without a glob.
        """
        return None if self.features is None else split_globs("--features", self.features)

    def source(self, data: str, id: str | None = None) -> "Source":
        """Where the series comes from. Only the columns and rows that are asked for have to be in order.

        Args:
            data: a file or a dataset.
            id: of a file of many series, the column that names them.
        """
        from backsight.series.source import Source

        columns = None if self.globs is None else [*self.globs, *([self.target] if self.target else [])]
        asked = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("target", "features", "unit")}
        return Source(data, columns, **asked, units=split_units(self.unit), id=id)

    def target_of(self, data: str, series: "Rows") -> str:
        """The column to forecast: as named, or as the catalogue has it.

        Raises:
            SettingError: it is not named, and the data is no dataset of the catalogue.
        """
        from backsight.series.catalogue import CATALOGUE

        if self.target is not None:
            return self.target
        if data not in CATALOGUE:
            raise SettingError(f"Name the column to forecast with --target. {data} has {', '.join(series.columns)}.")
        return CATALOGUE[data].target


@dataclass(frozen=True)
class ManyOptions:
    """Many series in one file."""

    id: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="The column that says which of many series a row belongs to. Each model is one over all of them; each "
            "series is scaled and scored by itself.",
        ),
    ] = None
    skip_short: Annotated[
        bool,
        typer.Option(
            "--skip-short",
            help="Leave out series that are too short for what is asked, or constant, and say which; without it they "
            "are an error.",
        ),
    ] = False

    def __post_init__(self) -> None:
        if self.skip_short and self.id is None:
            raise SettingError("--skip-short leaves out some of many series: name the column that tells them, --id.")


@dataclass(frozen=True)
class ExamOptions:
    """What is forecast, from where, and which days judge it."""

    horizon: Annotated[int, typer.Option(help="Steps to forecast at once.")] = 1
    stride: Annotated[int, typer.Option(help="Steps from one forecast's origin to the next.")] = 1
    gap: Annotated[int, typer.Option(help="Rows left out before validation and before test.")] = 0
    split: Annotated[str, typer.Option(help="Shares of train, validation and test.")] = "0.8,0.1,0.1"
    validation_from: Annotated[str | None, typer.Option(metavar="DATE", help="First validation day.")] = None
    test_from: Annotated[str | None, typer.Option(metavar="DATE", help="First test day.")] = None

    def choose_split(self, series: "Series") -> "Split":
        """The split by two dates, or by shares where none is given.

        Raises:
            SettingError: one date without the other, or shares that are no three numbers.
            DataError, WindowError: see `windows.split`.
        """
        from backsight.windows.split import split_by_dates, split_by_fractions

        if (self.validation_from is None) != (self.test_from is None):
            raise SettingError("--validation-from and --test-from go together: give both dates, or neither.")
        if self.validation_from is not None and self.test_from is not None:
            return split_by_dates(series, self.validation_from, self.test_from, self.gap)
        try:
            train, validation, test = map(float, self.split.split(","))
        except ValueError as error:
            raise SettingError(f"--split takes three shares, as in 0.8,0.1,0.1; {self.split!r} was given.") from error
        return split_by_fractions(len(series), (train, validation, test), self.gap)


@dataclass(frozen=True)
class BacktestOptions:
    """The same exam at earlier dates."""

    folds: Annotated[
        int,
        typer.Option(
            help="Exams. The last is the one above; each of the others is the same exam one test part earlier, so that "
            "5 folds with a test share of 0.1 test the last half of the rows. Every model is fitted anew for each."
        ),
    ] = 1
    window: Annotated[
        Literal["expanding", "sliding"],
        typer.Option(
            help="Train each fold from the first row on, or always on as many rows as the first fold has, the latest."
        ),
    ] = "expanding"


@dataclass(frozen=True)
class TrainingOptions:
    """How networks are trained, and what they read beside the columns."""

    patience: Annotated[int, typer.Option(help="Epochs without a lower validation loss before a network stops.")] = 10
    monitor: Annotated[
        Literal["val_loss", "loss"], typer.Option(help="The loss that patience watches: on validation or on training.")
    ] = "val_loss"
    epochs: Annotated[int, typer.Option(help="Epochs of a network, at most.")] = 200
    batch_size: Annotated[int, typer.Option(help="Windows a training step.")] = 32
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 0.001
    keep: Annotated[Literal["best", "last"], typer.Option(help="The epoch whose weights a network keeps.")] = "best"
    loss: Annotated[
        Literal["squared", "quantile"],
        typer.Option(
            help="What a network makes small: squared errors, or the pinball loss of the quantiles 0.05, 0.5 and 0.95, "
            "whose median is the forecast."
        ),
    ] = "squared"
    scale: Annotated[
        Literal["standard", "none"],
        typer.Option(help="Standardise by the training rows, or leave numbers as they are."),
    ] = "standard"
    calendar: Annotated[bool, typer.Option("--calendar", help="Read sine and cosine of the day of year too.")] = False

    def plan(self) -> "Plan":
        """The plan of training.

        Raises:
            SettingError: a number outside its range.
        """
        from backsight.training.plan import Plan

        return Plan(
            batch_size=self.batch_size,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            monitor=self.monitor,
            patience=self.patience,
            keep=self.keep,
            loss=self.loss,
        )


def parse_counts(option: str, text: str) -> list[int]:
    """Whole numbers, 1 or more, separated by commas.

    Raises:
        SettingError: one is not; the message names the option.

    >>> parse_counts("--lookback", "1,3,7")
    [1, 3, 7]
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        if not part.isascii() or not part.isdigit() or len(part) > 6 or int(part) < 1:
            raise SettingError(f"{option} takes whole numbers from 1 to 999999; {part[:20]!r} was given.")
    if not parts:
        raise SettingError(f"{option} needs at least one number, as in {option} 1,3,7.")
    return [int(part) for part in parts]


def parse_rates(option: str, text: str | None) -> list[float]:
    """Numbers from 0 to below 1, separated by commas; none without a text.

    Raises:
        SettingError: one is not; the message names the option.

    >>> parse_rates("--dropout", "0,0.1")
    [0.0, 0.1]
    """
    rates = []
    for part in (text or "").split(","):
        try:
            rate = float(part) if part.strip() else None
        except ValueError:
            rate = -1.0
        if rate is not None and not 0 <= rate < 1:
            raise SettingError(f"{option} takes shares from 0 to below 1, separated by commas; {part!r} was given.")
        if rate is not None:
            rates.append(rate)
    return rates


def parse_strategies(option: str, text: str | None) -> "list[Strategy]":
    """Ways to forecast several steps, separated by commas; direct without a text.

    Raises:
        SettingError: one is unknown; the message names the option.

    >>> parse_strategies("--strategy", "direct, recursive"), parse_strategies("--strategy", None)
    (['direct', 'recursive'], ['direct'])
    """
    strategies: list[Strategy] = []
    for part in ("direct" if text is None else text).split(","):
        name = part.strip()
        if name not in ("direct", "recursive"):
            raise SettingError(f"{option} takes direct, recursive, or both, separated by a comma; {name!r} was given.")
        strategies.append("direct" if name == "direct" else "recursive")
    return strategies


def split_globs(option: str, texts: list[str]) -> list[str]:
    """Globs of repeated options, each of which may hold several, separated by commas.

    Raises:
        SettingError: there is none.
    """
    globs = [part for text in texts for part in map(str.strip, text.split(",")) if part]
    if not globs:
        raise SettingError(f"{option} needs at least one column, as in {option} 'BASEL_*'.")
    return globs


def split_units(texts: list[str] | None) -> dict[str, str] | None:
    """Units by column, from texts such as "sales=pieces"; None of none.

    Raises:
        SettingError: a text is no such, or a column has two units.

    >>> split_units(["sales=pieces", "temp max=°C"])
    {'sales': 'pieces', 'temp max': '°C'}
    """
    if texts is None:
        return None
    units: dict[str, str] = {}
    for text in texts:
        column, _, unit = (part.strip() for part in text.rpartition("="))
        if not column or not unit:
            raise SettingError(f"--unit needs a column and its unit, as in --unit sales=pieces; {text!r} was given.")
        if units.setdefault(column, unit) != unit:
            raise SettingError(f"--unit gives {column!r} two units, {units[column]} and {unit}. Give one.")
    return units


def check_outputs(json: Path | None, out: Path | None = None, data: str | None = None) -> None:
    """Make sure, before any long work, that the results can be written, and that they overwrite no data.

    Raises:
        SettingError: they can't, or would.
    """
    from backsight.report.files import check_file, check_folder

    if out is not None:
        check_folder(out)
    if json is None or str(json) == "-":
        return
    check_file(json)
    for path in (data, out):
        if path is not None and Path(path).resolve() == json.resolve():
            raise SettingError(f"--json {json} would overwrite {path}. Name another file.")
