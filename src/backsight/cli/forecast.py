"""`backsight forecast`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.bundles import bundled
from backsight.cli.options import Data, Json, ReadingOptions, check_outputs
from backsight.errors import ColumnError, SettingError

if TYPE_CHECKING:
    from backsight.runs.model_card import Card
    from backsight.series.panel import Panel
    from backsight.series.series import Series


@bundled
def forecast(
    model: Annotated[Path, typer.Argument(help="A model file, as `backsight compare --save` writes it.")],
    data: Data,
    horizon: Annotated[
        int | None,
        typer.Option(
            help="Steps ahead; those it was trained for without it. More take a model of the target's own past alone."
        ),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="Forecast from every row from here on.")
    ] = None,
    last_date: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="Forecast from every row up to here.")
    ] = None,
    last: Annotated[int | None, typer.Option(help="Forecast from so many of the last rows.")] = None,
    level: Annotated[float, typer.Option(help="Share of actual values that intervals are to hold.")] = 0.9,
    update: Annotated[
        bool,
        typer.Option("--update", help="Let intervals follow what came since in DATA; kept beside the model file."),
    ] = False,
    *,
    of_reading: ReadingOptions,
    json: Json = None,
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the forecasts as CSV.")] = None,
) -> None:
    """Forecast what follows a file, by a model that was saved, with intervals.

    [bold]Examples[/bold]

      backsight forecast winner.zip sales.csv

      backsight forecast winner.zip sales.csv --horizon 7 --json next_week.json

      backsight forecast winner.zip sales.csv --update

      backsight forecast winner.zip shops.csv --csv tomorrow.csv

      backsight forecast winner.zip seattle --from 2015-12-01 --to 2015-12-31 --csv december.csv
    """
    check_outputs(json, data=data)
    if csv is not None:
        _check_csv(csv, json, model, data)

    from backsight.cli.screen import print_json, results_console
    from backsight.report.outlook import MOST_LINES, outlook_sentences, outlook_table
    from backsight.runs.durable import write_durably
    from backsight.runs.model_file import load_model
    from backsight.runs.outlook import Span
    from backsight.runs.outlook_record import outlook_record
    from backsight.runs.panel_outlook import look_ahead_at
    from backsight.runs.told import read_told, told_file, write_told

    loaded = load_model(model)
    told = told_file(model)
    series = _read(loaded.card, of_reading, data)
    found = look_ahead_at(
        loaded,
        series,
        horizon=horizon,
        span=Span(last, first, last_date),
        level=level,
        intervals=read_told(told, loaded),
        update=update,
    )
    record = outlook_record(found, str(told))
    # Written before anything is printed: a pipe that closes must not cost the results.
    if update and len(found.judged):
        write_told(told, loaded, found.intervals)
    if csv is not None:
        write_durably(csv, found.rows.to_csv(index=False).encode())
    print_json(record, json)
    console = results_console(json)
    console.print(outlook_table(record))
    if (more := len(record["forecasts"]) - MOST_LINES) > 0:
        which = "others" if loaded.card.many else "earlier ones"
        console.print(f"... and {more:,} {which}: --csv and --json write all.", markup=False)
    console.print()
    for sentence in outlook_sentences(record):
        console.print(f"- {sentence}", markup=False)


def _check_csv(csv: Path, json: Path | None, model: Path, data: str) -> None:
    """Make sure, before any work, that the CSV can be written and overwrites nothing that is needed.

    Raises:
        SettingError: it can't, or would.
    """
    from backsight.report.files import check_file

    check_file(csv)
    for other in (json, model, Path(data)):
        if other is not None and other.resolve() == csv.resolve():
            raise SettingError(f"--csv {csv} would overwrite {other}. Name another file.")


def _read(card: "Card", of_reading: ReadingOptions, data: str) -> "Series | Panel":
    """The columns of DATA that the model needs; others need not be in order. Of many series, those of the same column.

    Raises:
        ColumnError: one is missing; the message says what the model was trained on.
        DataError: the file can't be read, or a rule is broken.
    """
    needed = list(dict.fromkeys(column.name for column in (*card.features, card.target)))
    try:
        return of_reading.source(data, needed, id=card.many.id if card.many else None).read()
    except ColumnError as error:
        raise ColumnError(
            f"{error} {card.name} was trained on {card.data.name}, forecasts {card.target.name} and reads "
            f"{', '.join(needed[:8])}{', ...' if len(needed) > 8 else ''}."
        ) from error
