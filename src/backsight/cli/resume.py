"""`backsight resume`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.cli.bundles import bundled
from backsight.cli.conduct import conduct
from backsight.cli.options import BackendOptions, Json, check_outputs
from backsight.cli.saving import SaveOptions
from backsight.errors import SettingError

if TYPE_CHECKING:
    from rich.console import Console


@bundled
def resume(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or its name in the home of runs.")],
    own_functions: Annotated[
        bool,
        typer.Option("--own-functions", help="Import and run functions of yours that the run names. Never of others."),
    ] = False,
    data: Annotated[
        str | None, typer.Option(metavar="FILE", help="Where the data is now, if it is not where it was.")
    ] = None,
    *,
    of_saving: SaveOptions,
    of_backend: BackendOptions,
    json: Json = None,
) -> None:
    """Go on with a run that was stopped or killed, and end as if it had not been.

    Whatever was finished is not done again; a training goes on from its last epoch. The data must be as it was. A run
    that has ended shows its results again; with --save, a model of it is written to a file.

    [bold]Examples[/bold]

      backsight resume backsight-runs/2026-11-24-001-compare-seattle

      backsight resume result --workers 1 --json result.json

      backsight resume result --save model.zip --save-entry lstm_3

      backsight resume result --data /elsewhere/sales.csv
    """
    check_outputs(json, data=data)
    of_saving.check(json, data)

    from backsight.cli.screen import results_console
    from backsight.runs.folder import SEARCH
    from backsight.runs.home import find_run
    from backsight.runs.saved import STUDY_FILE

    console, run = results_console(json), find_run(run)
    if (run / SEARCH).is_file():
        _resume_search(run, data, own_functions, of_saving, of_backend, json, console)
    elif (run / STUDY_FILE).is_file():
        _resume_study(run, data, own_functions, of_saving, of_backend, json, console)
    else:
        raise SettingError(
            f"{run} holds no run. Name a folder that compare, lookback or tune has written; `backsight runs` lists "
            f"them."
        )


def _resume_study(
    run: Path,
    data: str | None,
    functions: bool,
    of_saving: SaveOptions,
    of_backend: BackendOptions,
    json: Path | None,
    console: "Console",
) -> None:
    from backsight.cli import compare, lookback
    from backsight.cli.screen import own_output_aside
    from backsight.runs.saved import read_run_record, source_of, study_of, with_data

    record = with_data(read_run_record(run), data)
    summarise = {"compare": compare.summarise, "lookback": lookback.summarise}.get(record["kind"])
    if summarise is None:
        raise SettingError(f"A {record['kind']} is not resumed: give the same command again.")
    with own_output_aside(json):
        study = study_of(record, run, _all_entries(record, functions, run), functions=functions)
    of_saving.check_study(study)
    source = source_of(record, run)
    found = conduct(
        record["kind"],
        study,
        source,
        summarise,
        out=run,
        of_backend=of_backend,
        json=json,
        console=console,
        more=of_saving.next_files,
    )
    of_saving.write(found, console)


def _all_entries(record: dict[str, Any], functions: bool, run: Path) -> list[str]:
    """Every entry of the run: all of them, or none.

    Raises:
        SettingError: some are functions of the user's, and nobody said that these may be run.
    """
    own = [entry["recipe"]["function"] for entry in record["entries"] if "function" in entry["recipe"]]
    if own and not functions:
        raise SettingError(
            f"The run in {run} has models of yours: {', '.join(dict.fromkeys(own))}. With --own-functions those that "
            f"were named as module:function are imported from the current folder and run."
        )
    return [entry["name"] for entry in record["entries"]]


def _resume_search(
    run: Path,
    data: str | None,
    functions: bool,
    of_saving: SaveOptions,
    of_backend: BackendOptions,
    json: Path | None,
    console: "Console",
) -> None:
    from backsight.cli.screen import own_output_aside
    from backsight.cli.tune import conduct_tuning
    from backsight.runs.saved import source_of, with_data
    from backsight.runs.search import search_again
    from backsight.runs.search_file import read_search

    asked = read_search(run)["asked"]
    asked = {**asked, "study": with_data(asked["study"], data)}
    _all_entries(asked["study"], functions, run)
    with own_output_aside(json):
        search = search_again(asked, run, functions=functions)
    source = source_of(asked["study"], run)
    conduct_tuning(
        search,
        source,
        asked["minutes"],
        out=run,
        of_saving=of_saving,
        of_backend=of_backend,
        json=json,
        console=console,
    )
