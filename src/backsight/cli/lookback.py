"""`backsight lookback`."""

from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.bundles import bundled
from backsight.cli.conduct import Results, conduct
from backsight.cli.options import (
    BackendOptions,
    BacktestOptions,
    Data,
    DataOptions,
    ExamOptions,
    Json,
    ManyOptions,
    Models,
    Out,
    Seeds,
    TrainingOptions,
    check_outputs,
    parse_counts,
)

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.runs.comparison import Comparison


@bundled
def lookback(
    data: Data,
    of_data: DataOptions,
    of_many: ManyOptions,
    of_exam: ExamOptions,
    of_backtest: BacktestOptions,
    lookback: Annotated[
        str | None,
        typer.Option(
            metavar="N[,N...]",
            help="Numbers of steps to look back; without it those of 1,2,3,7,14,30,60,90,180,360 that are at most a "
            "tenth of the training rows.",
        ),
    ] = None,
    models: Models = "rnn,lstm,gru",
    seeds: Seeds = 5,
    *,
    of_training: TrainingOptions,
    baselines: Annotated[
        bool, typer.Option(help="Let persistence, seasonal, climatology, ridge and trees sit the exam too.")
    ] = True,
    of_backend: BackendOptions,
    json: Json = None,
    out: Out = None,
) -> None:
    """Say how far back to look: error against lookback, and the shortest lookback that is tied with the best.

    Lookbacks are chosen on validation; the test days say what a shorter one costs.

    [bold]Examples[/bold]

      backsight lookback seattle --target temp_max --models ridge,gru

      backsight lookback basel --features 'BASEL_*' --lookback 1,3,7,30,90 --models rnn,lstm,gru --seeds 3

      backsight lookback sales.csv --target units --lookback 7,14,28 --models lstm --json result.json --out result
    """
    check_outputs(json, out, data)
    steps = None if lookback is None else parse_counts("--lookback", lookback)

    from backsight.cli.screen import notice, own_output_aside, results_console
    from backsight.runs.lookback import make_lookback_study

    plan, source = of_training.plan(), of_data.source(data, of_many.id)
    series = source.read()
    console = results_console(json)
    notice(console, series, of_data.target)
    with own_output_aside(json):
        study = make_lookback_study(
            series,
            of_data.target_of(data, series),
            features=of_data.globs,
            models=models,
            lookback=steps,
            horizon=of_exam.horizon,
            stride=of_exam.stride,
            seeds=seeds,
            plan=plan,
            scale=of_training.scale,
            split=of_exam.choose_split,
            folds=of_backtest.folds,
            window=of_backtest.window,
            calendar=of_training.calendar,
            baselines=baselines,
            skip_short=of_many.skip_short,
        )
    conduct("lookback", study, source, summarise, out=out, of_backend=of_backend, json=json, console=console)


def summarise(found: "Comparison") -> Results:
    """The curves and what they say.

    Raises:
        Interrupted: Ctrl-C came before a single point of a curve was finished.
    """
    from backsight.report.lookback import LEGEND, lookback_sentences, lookback_tables
    from backsight.report.output import lookback_files
    from backsight.runs.lookback import as_lookbacks
    from backsight.runs.record import lookback_record

    curves = as_lookbacks(found)
    record = lookback_record(curves)
    files = lookback_files(record, curves.table, found.histories, found.forecasts)

    def show(console: "Console") -> None:
        for table in lookback_tables(record):
            console.print(table)
            console.print()
        console.print(LEGEND, markup=False)
        console.print()
        for sentence in lookback_sentences(record):
            console.print(f"- {sentence}", markup=False)

    return Results(record, files, show)
