"""`backsight compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.bundles import bundled
from backsight.cli.options import (
    Data,
    DataOptions,
    ExamOptions,
    Json,
    Lookbacks,
    Models,
    Out,
    Seeds,
    TrainingOptions,
    Workers,
    check_outputs,
    parse_counts,
    parse_rates,
)

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.runs.compare import Comparison


@bundled
def compare(
    data: Data,
    of_data: DataOptions,
    of_exam: ExamOptions,
    lookback: Lookbacks = "1,3,7,30",
    models: Models = "dense,rnn,lstm,gru",
    seeds: Seeds = 5,
    dropout: Annotated[
        str | None, typer.Option(metavar="P[,P...]", help="Dropout of every model that has it, once with each.")
    ] = None,
    *,
    of_training: TrainingOptions,
    baselines: Annotated[
        bool, typer.Option(help="Let persistence, seasonal, climatology, ridge and trees sit the exam too.")
    ] = True,
    workers: Workers = None,
    json: Json = None,
    out: Out = None,
) -> None:
    """Put models at several lookbacks through one exam, on any series.

    [bold]Examples[/bold]

      backsight compare seattle --target temp_max --models ridge,lstm --lookback 3,30

      backsight compare basel --features 'BASEL_*' --lookback 3 --models 'lstm(units=16)' --dropout 0,0.3 --calendar

      backsight compare sales.csv --target units --models my_module:build --json result.json --out result
    """
    check_outputs(json, out, data)
    lookbacks, rates = parse_counts("--lookback", lookback), parse_rates("--dropout", dropout)

    from backsight.cli.screen import notice, own_output_aside, progress_bar, results_console
    from backsight.runs.compare import compare as run_comparison

    plan, series = of_training.plan(), of_data.load(data)
    console = results_console(json)
    notice(console, series, of_data.target)
    with own_output_aside(json), progress_bar() as progress:
        found = run_comparison(
            series,
            of_data.target_of(data, series),
            features=of_data.globs,
            models=models,
            lookback=lookbacks,
            horizon=of_exam.horizon,
            stride=of_exam.stride,
            seeds=seeds,
            plan=plan,
            scale=of_training.scale,
            split=of_exam.choose_split(series),
            calendar=of_training.calendar,
            dropout=rates,
            baselines=baselines,
            workers=workers,
            progress=progress,
        )
    _show(found, console, json, out)
    if found.interrupted:
        raise typer.Exit(130)


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
