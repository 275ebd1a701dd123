"""Options that several commands share, and how their texts are read."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.errors import SettingError

if TYPE_CHECKING:
    from backsight.series.series import Series
    from backsight.windows.split import Split

Seeds = Annotated[int, typer.Option(help="Fits of each model that is random, with seeds 0, 1, ...")]
Workers = Annotated[int | None, typer.Option(help="Fits at a time; one a core without it.")]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the results as JSON; - is standard output.")
]


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


def split_globs(option: str, texts: list[str]) -> list[str]:
    """Globs of repeated options, each of which may hold several, separated by commas.

    Raises:
        SettingError: there is none.
    """
    globs = [part for text in texts for part in map(str.strip, text.split(",")) if part]
    if not globs:
        raise SettingError(f"{option} needs at least one column, as in {option} 'BASEL_*'.")
    return globs


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


def choose_split(
    series: "Series", shares: str, validation_from: str | None, test_from: str | None, gap: int
) -> "Split":
    """The split by two dates, or by shares where none is given.

    Raises:
        SettingError: one date without the other, or shares that are no three numbers.
        DataError, WindowError: see `windows.split`.
    """
    from backsight.windows.split import split_by_dates, split_by_fractions

    if (validation_from is None) != (test_from is None):
        raise SettingError("--validation-from and --test-from go together: give both dates, or neither.")
    if validation_from is not None and test_from is not None:
        return split_by_dates(series, validation_from, test_from, gap)
    try:
        train, validation, test = map(float, shares.split(","))
    except ValueError as error:
        raise SettingError(f"--split takes three shares, as in 0.8,0.1,0.1; {shares!r} was given.") from error
    return split_by_fractions(len(series), (train, validation, test), gap)
