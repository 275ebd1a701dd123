"""`backsight tune`."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.cli.bundles import bundled
from backsight.cli.options import (
    BackendOptions,
    Data,
    DataOptions,
    ExamOptions,
    Json,
    Lookbacks,
    Models,
    Seeds,
    TrainingOptions,
    check_outputs,
    parse_counts,
)
from backsight.cli.saving import SaveOptions
from backsight.errors import Interrupted, SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from backsight.report.files import Writer
    from backsight.runs.search import Search
    from backsight.runs.tune import Tuning
    from backsight.series.source import Source


@bundled
def tune(
    data: Data,
    of_data: DataOptions,
    of_exam: ExamOptions,
    lookback: Lookbacks = "1,3,7,30",
    models: Models = "dense,rnn,lstm,gru",
    trials: Annotated[int, typer.Option(help="Settings to try of each model; untuned ones among them.")] = 50,
    minutes: Annotated[
        float | None, typer.Option(help="End the search after so many, whatever is done by then.")
    ] = None,
    folds: Annotated[int, typer.Option(help="Earlier dates that every setting is tried at.")] = 2,
    seeds: Seeds = 3,
    seed: Annotated[int, typer.Option(help="Of what is tried. Networks are fitted with seeds 0, 1, ...")] = 0,
    *,
    of_training: TrainingOptions,
    baselines: Annotated[
        bool, typer.Option(help="Let persistence, seasonal, climatology, ridge and trees sit the exam too.")
    ] = True,
    of_saving: SaveOptions,
    of_backend: BackendOptions,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many fits it takes and how long, and stop.")
    ] = False,
    json: Json = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Keep the trials and write the results here. Goes on with what is there."),
    ] = None,
) -> None:
    """Search for better settings of models, then let the best sit the exam beside the untuned ones.

    What a setting is worth is its mean error over seeds, and over days before the test part that training has not seen.
    A search that was stopped or killed goes on with `backsight resume`, or when it is asked for again with the same
    --out. Settings that are written in brackets stay as they are.

    [bold]Examples[/bold]

      backsight tune seattle --target temp_max --models ridge,trees,dense --trials 30 --out tuning

      backsight tune basel --features 'BASEL_*' --models 'rnn,lstm(layers=1),dense' --lookback 1,3,7 --minutes 10

      backsight tune basel --features 'BASEL_*' --models gru --trials 100 --dry-run
    """
    check_outputs(json, out, data)
    of_saving.check(json, data)
    if minutes is not None and not minutes > 0:  # as NaN is not
        raise SettingError(f"--minutes takes a number above 0; {minutes} was given.")
    lookbacks = parse_counts("--lookback", lookback)

    from backsight.cli.screen import notice, own_output_aside, progress_bar, results_console
    from backsight.models.registry import split_models
    from backsight.runs.estimate import estimate
    from backsight.runs.jobs import cores
    from backsight.runs.search import make_search
    from backsight.runs.search_space import make_candidates
    from backsight.runs.study import make_study
    from backsight.runs.tuning_record import estimate_record

    plan, source = of_training.plan(), of_data.source(data)
    series = source.load()
    console = results_console(json)
    notice(console, series, of_data.target)
    with own_output_aside(json):
        named = split_models(models)
        study = make_study(
            series,
            of_data.target_of(data, series),
            features=of_data.globs,
            models=named,
            lookback=lookbacks,
            horizon=of_exam.horizon,
            stride=of_exam.stride,
            seeds=seeds,
            plan=plan,
            scale=of_training.scale,
            split=of_exam.choose_split(series),
            calendar=of_training.calendar,
            baselines=baselines,
        )
        search = make_search(study, make_candidates(named, lookbacks, plan), trials=trials, folds=folds, seed=seed)
        if dry_run:
            with progress_bar("done") as progress:
                estimates = estimate(search, progress)
    if dry_run:
        _show_estimates(estimate_record(search, estimates, of_backend.workers or cores()), console, json)
        return
    conduct_tuning(
        search, source, minutes, out=out, of_saving=of_saving, of_backend=of_backend, json=json, console=console
    )


def conduct_tuning(
    search: "Search",
    source: "Source",
    minutes: float | None,
    *,
    out: Path | None,
    of_saving: SaveOptions,
    of_backend: BackendOptions,
    json: Path | None,
    console: "Console",
) -> None:
    """Carry out a search in its folder, or in a new one in the home of runs; examine what it chose, and show all of it.

    Raises:
        typer.Exit: with code 130 after Ctrl-C.
    """
    from backsight.cli.conduct import in_short, run_folder
    from backsight.cli.screen import own_output_aside, progress_bar
    from backsight.runs.compare import examine
    from backsight.runs.home import new_run
    from backsight.runs.renewed import renew_exam
    from backsight.runs.tune import final_study, pursue

    backend = of_backend.choose()
    if of_backend.backend != "threads":
        console.print(
            f"The trials run on threads of this process; {of_backend.backend} carries out the exam of the best."
        )
    folder = out if out is not None else new_run("tune", search.study.series.name)
    try:
        with own_output_aside(json), progress_bar("done") as progress:
            tuning = pursue(search, folder, of_backend.workers, minutes, progress, source)
    except Interrupted as error:
        if folder is None:
            raise
        typer.echo(f"Stopped. No trial was finished yet; `backsight resume {folder}` goes on.", err=True)
        raise typer.Exit(130) from error
    finally:
        if out is None and folder is not None:
            with suppress(OSError):  # it came to nothing, and left the folder as new as it was
                folder.rmdir()
    if tuning.interrupted:
        _show(tuning, console, json, folder)
        raise typer.Exit(130)
    study = final_study(tuning)
    of_saving.check_study(study)
    if folder is not None:
        renew_exam(folder, study)
    with run_folder("tune", study, source, folder) as run:
        with own_output_aside(json), progress_bar() as progress:
            found = examine(study, of_backend.workers, progress, run, backend)
        tuning = replace(tuning, comparison=found)
        of_next = of_saving.next_files(found)
        _show(tuning, console, json, folder, None if run is None else run.command, of_next)
        if run is not None and not found.interrupted:
            run.end(**in_short(found))
    if tuning.interrupted:
        raise typer.Exit(130)
    of_saving.write(found, console)


def _show_estimates(record: dict[str, Any], console: "Console", json: Path | None) -> None:
    """Print how long the search would take."""
    from backsight.cli.screen import print_json
    from backsight.report.tuning import estimate_table

    print_json(record, json)
    console.print(estimate_table(record))


def _show(
    tuning: "Tuning",
    console: "Console",
    json: Path | None,
    folder: Path | None,
    command: str | None = None,
    more: "Mapping[str, Writer] | None" = None,
) -> None:
    """Print what the search and the exam say; write the results, and more, if there is a folder for them."""
    from backsight.cli.screen import listed, print_json
    from backsight.report.files import write_files
    from backsight.report.output import comparison_files, made_files, tuning_files
    from backsight.report.report import write_report
    from backsight.report.sentences import exam_sentences
    from backsight.report.tables import exam_table
    from backsight.report.tuning import tuning_sentences, tuning_table
    from backsight.runs.made import made_record
    from backsight.runs.tuning_record import tuning_record

    record, found = tuning_record(tuning), tuning.comparison
    files = {**tuning_files(record, tuning.trials), **(more or {})}
    if found is not None:
        files |= made_files(made_record(found.study, command))
        files |= comparison_files(record, found.leaderboard, found.histories, found.forecasts)
    # Written before anything is printed: a pipe that closes must not cost the results.
    if folder is not None:
        write_files(folder, files)
        written = [*files, *write_report(folder)]
    print_json(record, json)
    console.print(tuning_table(record))
    console.print()
    if found is not None:
        console.print(exam_table(record["exam"]))
        console.print()
    for sentence in [*tuning_sentences(record), *(exam_sentences(record["exam"]) if found is not None else [])]:
        console.print(f"- {sentence}", markup=False)
    if folder is not None:
        console.print(f"\nWritten to {folder}: {listed(written)}.", markup=False)
    goes_on = "" if folder is None else f" `backsight resume {folder}` goes on."
    if record["out_of_time"]:
        console.print(f"\nThe time was up before every trial was done.{goes_on}", markup=False)
    if tuning.interrupted:
        console.print(f"\nStopped by Ctrl-C: only what was finished is shown.{goes_on}", markup=False)
