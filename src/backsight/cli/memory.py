"""`backsight memory` and `backsight memory-test`: how far back models look, and how far they can."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from backsight.cli.bundles import bundled
from backsight.cli.options import (
    DataOptions,
    ExamOptions,
    Json,
    Models,
    Out,
    TrainingOptions,
    Workers,
    check_outputs,
    parse_counts,
)
from backsight.errors import SettingError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from backsight.runs.study import Study

#: What is looked at where nobody says otherwise.
LOOKBACK, SEEDS = "30", 3


@bundled
def memory(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MODELS", help="A folder that `compare --out` wrote; or models as in `compare`, and then DATA."
        ),
    ],
    data: Annotated[
        str | None, typer.Argument(help="For models: a CSV or Parquet file, or a name of `backsight data`.")
    ] = None,
    entries: Annotated[
        str | None,
        typer.Option(help="For a run: its entries to look at; the best of each family without it.", metavar="E[,E...]"),
    ] = None,
    lookback: Annotated[str | None, typer.Option(help=f"For models: numbers of steps; {LOOKBACK} without it.")] = None,
    seeds: Annotated[
        int | None, typer.Option(help=f"Fits of each model; those of the run, or {SEEDS}, without it.")
    ] = None,
    draws: Annotated[int, typer.Option(help="Other windows that steps are taken from, 2 or more.")] = 8,
    *,
    of_data: DataOptions,
    of_exam: ExamOptions,
    of_training: TrainingOptions,
    workers: Workers = None,
    json: Json = None,
    out: Out = None,
) -> None:
    """Say how far back models really look, and show it: errors, slopes, states, gates, attention.

    Models are fitted as in `compare`; those of a run are taken from it. Only validation days are looked at. Written
    into the run's own folder, it is shown in the run's report, which is written again.

    [bold]Examples[/bold]

      backsight memory lstm,gru,ridge seattle --lookback 30 --out memory

      backsight memory result --entries lstm_30,trees_3

      backsight memory result --out result
    """
    check_outputs(json, out, data or what)

    from dataclasses import replace

    from backsight.cli.screen import own_output_aside, progress_bar, results_console
    from backsight.runs.folder import past_run
    from backsight.runs.memory import profile_study

    console = results_console(json)
    with own_output_aside(json):
        if data is None:
            if (of_data, of_exam, of_training, lookback) != (DataOptions(), ExamOptions(), TrainingOptions(), None):
                raise SettingError(
                    "A run knows its data, exam, training and lookbacks: leave those options out, or name models and "
                    "data, as in `backsight memory lstm seattle`."
                )
            study = _study_of_run(what, entries)
        else:
            if entries is not None:
                raise SettingError("--entries chooses from a run; models are named, and --lookback says how long.")
            study = _study_of_models(what, data, lookback or LOOKBACK, of_data, of_exam, of_training, console)
        study = study if seeds is None else replace(study, seeds=seeds)
        keeper = past_run(Path(what), study) if data is None else None
        with progress_bar() as progress:
            found = profile_study(study, draws=draws, workers=workers, progress=progress, keeper=keeper)
    _show_memory(found.record, console, json, out, report=data is None and _is_report_of(what, out))
    if found.interrupted:
        raise typer.Exit(130)


def _study_of_run(folder: str, entries: str | None) -> "Study":
    """The chosen entries of a run: those named, or the best of each family by its leaderboard."""
    from backsight.runs.memory import ranking_of, worth_a_look
    from backsight.runs.saved import read_study

    path = Path(folder)
    if not path.is_dir():
        raise SettingError(
            f"There is no folder {folder}. Name a run, a folder that `backsight compare --out` wrote; or models and "
            f"data, as in `backsight memory lstm seattle`."
        )
    if entries is not None:
        return read_study(path, [name.strip() for name in _split(entries)])
    study = read_study(path)
    return read_study(path, worth_a_look(study, ranking_of(path)))


def _split(entries: str) -> list[str]:
    from backsight.models.registry import split_models

    names = split_models(entries)
    if not names:
        raise SettingError("--entries needs at least one name, as in --entries lstm_30.")
    return names


def _study_of_models(
    models: str,
    data: str,
    lookback: str,
    of_data: DataOptions,
    of_exam: ExamOptions,
    of_training: TrainingOptions,
    console: "Console",
) -> "Study":
    from backsight.cli.screen import notice
    from backsight.runs.study import make_study

    lookbacks, plan = parse_counts("--lookback", lookback), of_training.plan()
    series = of_data.source(data).load()
    notice(console, series, of_data.target)
    return make_study(
        series,
        of_data.target_of(data, series),
        features=of_data.globs,
        models=models,
        lookback=lookbacks,
        horizon=of_exam.horizon,
        stride=of_exam.stride,
        seeds=SEEDS,
        plan=plan,
        scale=of_training.scale,
        split=of_exam.choose_split(series),
        calendar=of_training.calendar,
        baselines=False,
    )


def _is_report_of(run: str, out: Path | None) -> bool:
    """Whether what is written goes into the run's own folder, whose report shows it then."""
    from backsight.runs.layout import RESULT_FILE

    return out is not None and out.resolve() == Path(run).resolve() and (out / RESULT_FILE).is_file()


def _show_memory(
    record: dict[str, Any], console: "Console", json: Path | None, out: Path | None, *, report: bool
) -> None:
    from backsight.report.memory_files import memory_files
    from backsight.report.memory_text import memory_heading, memory_sentences, memory_table

    heading, table = memory_heading(record), memory_table(record)
    _show(record, memory_files(record), heading, table, memory_sentences(record), console, json, out, report=report)


def memory_test(
    lags: Annotated[str, typer.Option(help="Steps back to the signal.")] = "5,10,20,50,100,200",
    models: Models = "rnn,lstm,gru,cnn,attention,transformer",
    task: Annotated[
        Literal["copy", "adding"],
        typer.Option(help="The answer is the first step of the window; or the sum of two marked ones."),
    ] = "copy",
    seeds: Annotated[int, typer.Option(help="Fits of each model, with seeds 0, 1, ...")] = SEEDS,
    windows: Annotated[
        int, typer.Option(help="To learn from, choose by and test on: 80, 10 and 10 % of them.")
    ] = 10_000,
    epochs: Annotated[int, typer.Option(help="Epochs of a network, at most.")] = 30,
    learning_rate: Annotated[float, typer.Option(help="Of Adam.")] = 0.005,
    patience: Annotated[int, typer.Option(help="Epochs without a lower validation loss before a network stops.")] = 10,
    workers: Workers = None,
    json: Json = None,
    out: Out = None,
) -> None:
    """Find out which layer still finds a signal so many steps back.

    [bold]Examples[/bold]

      backsight memory-test

      backsight memory-test --task adding --lags 50,100 --models rnn,lstm,gru --out memory
    """
    check_outputs(json, out)

    from backsight.cli.screen import own_output_aside, progress_bar, results_console
    from backsight.report.memory_files import memory_test_files
    from backsight.report.memory_text import memory_test_heading, memory_test_sentences, memory_test_table
    from backsight.runs.memory_test import memory_test as run_test
    from backsight.training.plan import Plan

    console = results_console(json)
    plan = Plan(epochs=epochs, learning_rate=learning_rate, patience=patience)
    counts = parse_counts("--lags", lags)
    with own_output_aside(json), progress_bar() as progress:
        found = run_test(
            task, counts, models, seeds=seeds, windows=windows, plan=plan, workers=workers, progress=progress
        )
    record = found.record
    heading, table = memory_test_heading(record), memory_test_table(record)
    _show(record, memory_test_files(record), heading, table, memory_test_sentences(record), console, json, out)
    if found.interrupted:
        raise typer.Exit(130)


def _show(
    record: dict[str, Any],
    files: dict[str, Any],
    heading: str,
    table: "Table",
    sentences: list[str],
    console: "Console",
    json: Path | None,
    out: Path | None,
    *,
    report: bool = False,
) -> None:
    """Write what was asked for, and the report anew if it is that of the run; then print.

    A pipe that closes must not cost the results.
    """
    from backsight.cli.screen import listed, print_json
    from backsight.report.files import write_files
    from backsight.report.report import write_report

    names = list(files)
    if out is not None:
        write_files(out, files)
        names += write_report(out) if report else []
    print_json(record, json)
    console.print(heading, markup=False, style="bold")
    console.print(table)
    console.print()
    for sentence in sentences:
        console.print(f"- {sentence}", markup=False)
    written = f" Written to {out}: {listed(names)}." if out is not None else ""
    console.print(f"\n{record['seconds']:.0f} s.{written}", markup=False)
    if record["interrupted"]:
        console.print("\nStopped by Ctrl-C: only what was finished is shown.", markup=False)
