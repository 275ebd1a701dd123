"""`backsight compare`."""

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
    Lookbacks,
    ManyOptions,
    Models,
    Out,
    Seeds,
    TrainingOptions,
    check_outputs,
    parse_counts,
    parse_rates,
    parse_strategies,
)
from backsight.cli.saving import SaveOptions

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.runs.comparison import Comparison


@bundled
def compare(
    data: Data,
    of_data: DataOptions,
    of_many: ManyOptions,
    of_exam: ExamOptions,
    of_backtest: BacktestOptions,
    lookback: Lookbacks = "1,3,7,30",
    models: Models = "dense,rnn,lstm,gru",
    seeds: Seeds = 5,
    dropout: Annotated[
        str | None, typer.Option(metavar="P[,P...]", help="Dropout of every model that has it, once with each.")
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[,NAME]",
            help="How several steps are forecast: direct (one output a step, as without it), recursive (one step, fed "
            "back; reads the target alone), or both: every model that reads a window once with each.",
        ),
    ] = None,
    *,
    of_training: TrainingOptions,
    baselines: Annotated[
        bool, typer.Option(help="Let persistence, seasonal, climatology, ridge and trees sit the exam too.")
    ] = True,
    require_skill: Annotated[
        bool,
        typer.Option("--require-skill", help="End with code 1 unless a network beats the best simple model on test."),
    ] = False,
    of_saving: SaveOptions,
    of_backend: BackendOptions,
    json: Json = None,
    out: Out = None,
) -> None:
    """Put models at several lookbacks through one exam, on any series.

    [bold]Examples[/bold]

      backsight compare seattle --target temp_max --models ridge,lstm --lookback 3,30

      backsight compare basel --features 'BASEL_*' --lookback 3 --models 'lstm(units=16)' --dropout 0,0.3 --calendar

      backsight compare seattle --target temp_max --models ridge,gru --lookback 3,30 --folds 5

      backsight compare seattle --features temp_max --models gru --horizon 7 --strategy direct,recursive --calendar

      backsight compare seattle --target temp_max --models ridge,lstm --save model.zip

      backsight compare sales.csv --target units --models my_module:build --json result.json --out result

      backsight compare shops.csv --id shop --target units --lookback 7,28 --models lstm
    """
    check_outputs(json, out, data)
    of_saving.check(json, data)
    lookbacks, rates = parse_counts("--lookback", lookback), parse_rates("--dropout", dropout)
    strategies = parse_strategies("--strategy", strategy)

    from backsight.cli.screen import notice, own_output_aside, results_console
    from backsight.runs.study import make_study

    plan, source = of_training.plan(), of_data.source(data, of_many.id)
    series = source.read()
    console = results_console(json)
    notice(console, series, of_data.target)
    with own_output_aside(json):
        study = make_study(
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
            split=of_exam.choose_split,
            folds=of_backtest.folds,
            window=of_backtest.window,
            calendar=of_training.calendar,
            dropout=rates,
            strategy=strategies,
            baselines=baselines,
            skip_short=of_many.skip_short,
        )
    of_saving.check_study(study)
    found = conduct(
        "compare",
        study,
        source,
        summarise,
        out=out,
        of_backend=of_backend,
        json=json,
        console=console,
        more=of_saving.next_files,
    )
    of_saving.write(found, console)
    if require_skill:
        _require_skill(found, console)


def _require_skill(found: "Comparison", console: "Console") -> None:
    """End the program with code 1 unless a network is better than the best simple model."""
    board = found.leaderboard
    better = [name for name in board.loc[board["verdict"] == "better", "entry"] if name not in found.judge.simple]
    if not better:
        against = found.judge.baseline or "a simple model (there is none: leave out --no-baselines)"
        console.print(
            f"\n--require-skill: no network is shown to be better than {against} on the test days.", markup=False
        )
        raise typer.Exit(1)


def summarise(found: "Comparison") -> Results:
    """The leaderboard and what it says."""
    from backsight.report.leads import leads_table
    from backsight.report.output import comparison_files
    from backsight.report.sentences import exam_sentences
    from backsight.report.series import series_table
    from backsight.report.tables import exam_table
    from backsight.runs.record import comparison_record

    record = comparison_record(found)
    files = comparison_files(record, found.leaderboard, found.histories, found.forecasts)

    def show(console: "Console") -> None:
        console.print(exam_table(record["exam"]))
        console.print()
        if record["exam"]["leads"] is not None:
            console.print(leads_table(record["exam"]))
            console.print()
        if (of_series := series_table(record["exam"])) is not None:
            console.print(of_series)
            console.print()
        for sentence in exam_sentences(record["exam"]):
            console.print(f"- {sentence}", markup=False)

    return Results(record, files, show)
