"""`backsight compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from backsight.cli.options import (
    Json,
    Seeds,
    Workers,
    check_outputs,
    choose_split,
    parse_counts,
    parse_rates,
    split_globs,
)

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.runs.compare import Comparison
    from backsight.series.series import Series


def compare(
    data: Annotated[str, typer.Argument(help="A CSV or Parquet file, or a name of `backsight data`.")],
    target: Annotated[str | None, typer.Option(help="The column to forecast.")] = None,
    features: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB ...", help="Columns to read, such as 'BASEL_*'; all of them without it."),
    ] = None,
    lookback: Annotated[str, typer.Option(help="Numbers of steps to look back.")] = "1,3,7,30",
    horizon: Annotated[int, typer.Option(help="Steps to forecast at once.")] = 1,
    stride: Annotated[int, typer.Option(help="Steps from one forecast's origin to the next.")] = 1,
    models: Annotated[
        str,
        typer.Option(
            help="Names of `backsight models`, with settings if you like: 'gru,lstm(units=7,layers=2)'; "
            "or module:function for a function of yours that returns a keras.Model."
        ),
    ] = "dense,rnn,lstm,gru",
    seeds: Seeds = 5,
    dropout: Annotated[
        str | None, typer.Option(metavar="P[,P...]", help="Dropout of every model that has it, once with each.")
    ] = None,
    patience: Annotated[int, typer.Option(help="Epochs without a lower validation loss before a network stops.")] = 10,
    monitor: Annotated[
        Literal["val_loss", "loss"], typer.Option(help="The loss that patience watches: on validation or on training.")
    ] = "val_loss",
    epochs: Annotated[int, typer.Option(help="Epochs of a network, at most.")] = 200,
    batch_size: Annotated[int, typer.Option(help="Windows a training step.")] = 32,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 0.001,
    keep: Annotated[Literal["best", "last"], typer.Option(help="The epoch whose weights a network keeps.")] = "best",
    scale: Annotated[
        Literal["standard", "none"],
        typer.Option(help="Standardise by the training rows, or leave numbers as they are."),
    ] = "standard",
    calendar: Annotated[bool, typer.Option("--calendar", help="Read sine and cosine of the day of year too.")] = False,
    baselines: Annotated[
        bool, typer.Option(help="Let persistence, seasonal, climatology, ridge and trees sit the exam too.")
    ] = True,
    gap: Annotated[int, typer.Option(help="Rows left out before validation and before test.")] = 0,
    split: Annotated[str, typer.Option(help="Shares of train, validation and test.")] = "0.8,0.1,0.1",
    validation_from: Annotated[str | None, typer.Option(metavar="DATE", help="First validation day.")] = None,
    test_from: Annotated[str | None, typer.Option(metavar="DATE", help="First test day.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DATE", help="Leave out earlier rows.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="Leave out later rows.")] = None,
    rows: Annotated[int | None, typer.Option(help="Only so many rows, from the start.")] = None,
    time: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of times.")] = None,
    time_format: Annotated[str | None, typer.Option(help="How times are written, such as '%d/%m/%Y'.")] = None,
    encoding: Annotated[str, typer.Option(help="Of a CSV file.")] = "utf-8",
    on_duplicate: Annotated[
        Literal["error", "first", "last", "mean"], typer.Option(help="What to do with rows of the same time.")
    ] = "error",
    on_missing: Annotated[
        Literal["error", "ffill"], typer.Option(help="What to do with missing rows and cells: stop, or carry forward.")
    ] = "error",
    workers: Workers = None,
    json: Json = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write plots and CSVs of histories and forecasts here.")
    ] = None,
) -> None:
    """Put models at several lookbacks through one exam, on any series.

    [bold]Examples[/bold]

      backsight compare seattle --target temp_max --models ridge,lstm --lookback 3,30

      backsight compare basel --features 'BASEL_*' --lookback 3 --models 'lstm(units=16)' --dropout 0,0.3 --calendar

      backsight compare sales.csv --target units --models my_module:build --json result.json --out result
    """
    check_outputs(json, out, data)
    lookbacks, rates = parse_counts("--lookback", lookback), parse_rates("--dropout", dropout)

    from backsight.cli.screen import own_output_aside, progress_bar, results_console
    from backsight.runs.compare import compare as run_comparison
    from backsight.training.plan import make_plan

    plan = make_plan(
        batch_size=batch_size,
        epochs=epochs,
        learning_rate=learning_rate,
        monitor=monitor,
        patience=patience,
        keep=keep,
    )
    globs = None if features is None else split_globs("--features", features)
    reading = {"time": time, "time_format": time_format, "encoding": encoding}
    repairing = {"on_duplicate": on_duplicate, "on_missing": on_missing}
    series = _load(data, target, globs, first, last, rows, {**reading, **repairing})
    console = results_console(json)
    _notice(console, series, target)
    with own_output_aside(json), progress_bar() as progress:
        found = run_comparison(
            series,
            target or _default_target(data, series),
            features=globs,
            models=models,
            lookback=lookbacks,
            horizon=horizon,
            stride=stride,
            seeds=seeds,
            plan=plan,
            scale=scale,
            split=choose_split(series, split, validation_from, test_from, gap),
            calendar=calendar,
            dropout=rates,
            baselines=baselines,
            workers=workers,
            progress=progress,
        )
    _show(found, console, json, out)
    if found.interrupted:
        raise typer.Exit(130)


#: What reading a file takes for granted; anything else is refused for a catalogue dataset.
_READING = {"time": None, "time_format": None, "encoding": "utf-8", "on_duplicate": "error", "on_missing": "error"}


def _load(
    data: str,
    target: str | None,
    globs: list[str] | None,
    first: str | None,
    last: str | None,
    rows: int | None,
    reading: dict[str, Any],
) -> "Series":
    """The series, read as asked for and cut to the rows asked for."""
    from backsight.series.catalogue import CATALOGUE, load

    changed = {name: value for name, value in reading.items() if value != _READING[name]}
    if data in CATALOGUE:
        series = load(data, **changed)
        series = series.between(first, last) if first or last else series
    else:
        # Only the columns and rows that are asked for have to be in order.
        columns = None if globs is None else [*globs, *([target] if target else [])]
        series = load(data, columns=columns, first=first, last=last, **changed)
    return series if rows is None else series.head(rows)


def _notice(console: "Console", series: "Series", target: str | None) -> None:
    """Say what of the file is not used, or is not what was observed."""
    if series.left_out:
        console.print(f"Left out, since they hold text: {', '.join(series.left_out)}.", markup=False)
    if series.filled is not None:
        unscored = f" {len(series.filled_rows(target))} of them are targets and are not scored." if target else ""
        console.print(f"Carried forward: {int(series.filled.sum())} missing values.{unscored}", markup=False)


def _default_target(data: str, series: "Series") -> str:
    """The target that the catalogue names.

    Raises:
        SettingError: the data is no dataset of the catalogue.
    """
    from backsight.errors import SettingError
    from backsight.series.catalogue import CATALOGUE

    if data not in CATALOGUE:
        raise SettingError(f"Name the column to forecast with --target. {data} has {', '.join(series.columns)}.")
    return CATALOGUE[data].target


def _show(found: "Comparison", console: "Console", json: Path | None, out: Path | None) -> None:
    """Print the leaderboard and what it says; write what was asked for."""
    from backsight.cli.screen import print_json
    from backsight.report.files import write_files
    from backsight.report.output import comparison_files
    from backsight.report.sentences import exam_sentences
    from backsight.report.tables import exam_table
    from backsight.runs.record import comparison_record

    record = comparison_record(found)
    # Written before anything is printed: a pipe that closes must not cost the results.
    if out is not None:
        files = comparison_files(record, found.leaderboard, found.histories, found.forecasts)
        write_files(out, files)
    print_json(record, json)
    console.print(exam_table(record["exam"]))
    console.print()
    for sentence in exam_sentences(record["exam"]):
        console.print(f"- {sentence}", markup=False)
    if out is not None:
        console.print(f"\nWritten to {out}: {', '.join(files)}.", markup=False)
    if found.interrupted:
        console.print("\nStopped by Ctrl-C: only what was finished is shown.", markup=False)
