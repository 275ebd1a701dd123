"""`backsight runs`: what is on disk, side by side, put aside and brought back."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.cli.options import Json, check_outputs

if TYPE_CHECKING:
    from backsight.runs.home import RunSummary

#: Errors that are shown side by side.
PARTS = {"val_rmse": "validation", "test_rmse": "test"}

runs = typer.Typer(
    name="runs",
    rich_markup_mode="rich",
    invoke_without_command=True,
)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or its name in the home of runs.")]
Home = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Where runs are; $BACKSIGHT_RUNS or ./backsight-runs without it."),
]


@runs.callback()
def _list_by_default(context: typer.Context) -> None:
    """List, compare, remove and restore runs; alone it lists them.

    [bold]Examples[/bold]

      backsight runs

      backsight runs compare 2026-11-24-001-compare-seattle 2026-11-24-002-compare-seattle

      backsight runs remove 2026-11-24-001-compare-seattle
    """
    if context.invoked_subcommand is None:
        list_(None, None)


@runs.command("list")
def list_(home: Home = None, json: Json = None) -> None:
    """List the runs of a folder: what they asked, how far they are, and what came of them."""
    check_outputs(json)

    from backsight.cli.screen import plain, print_json, results_console, table_of
    from backsight.runs.home import home_of_runs, list_runs

    found = list(list_runs(home_of_runs(home)))
    print_json({"runs": [_record(run) for run in found]}, json)
    rows = [(run.path.name, run.data, run.target, _state(run), run.best, _number(run.val_rmse)) for run in found]
    console = results_console(json)
    console.print(table_of(("run", "of", "target", "state", "best on validation", "RMSE"), rows))
    for run in found:
        if run.trouble:
            console.print(f"- {plain(run.trouble)}", markup=False)
    if unfinished := [run for run in found if not run.ended and not run.trouble]:
        console.print(f"`backsight resume {unfinished[-1].path}` goes on with the latest unfinished one.", markup=False)


@runs.command("compare")
def compare_(first: Run, second: Run, home: Home = None, json: Json = None) -> None:
    """Say what two runs asked differently, and put their leaderboards side by side."""
    check_outputs(json)

    from backsight.cli.screen import plain, print_json, results_console, table_of
    from backsight.runs.home import find_run, read_leaderboard
    from backsight.runs.identity import MOST_LISTED, differences
    from backsight.runs.saved import identity, read_run_record

    paths = [find_run(run, home) for run in (first, second)]
    one, other = (identity(read_run_record(path)) for path in paths)
    different = differences(one, other)
    boards = [read_leaderboard(path) for path in paths]
    same_exam = one["exam"] == other["exam"] and one["data"]["fingerprint"] == other["data"]["fingerprint"]
    entries: list[dict[str, Any]] = [
        {"name": name, **{part: [board.get(name, {}).get(part) for board in boards] for part in PARTS}}
        for name in dict.fromkeys(entry for board in boards for entry in board)
    ]
    record = {
        "runs": [str(path) for path in paths],
        "same_exam": same_exam,
        "different": different,
        "entries": entries,
    }
    print_json(record, json)
    console = results_console(json)
    rows = [(entry["name"], *(_number(value) for part in PARTS for value in entry[part])) for entry in entries]
    console.print(table_of(("entry", *(f"{what}, {path.name}" for what in PARTS.values() for path in paths)), rows))
    console.print(
        "The same exam: the numbers can be compared."
        if same_exam
        else "Not the same exam: numbers of one run say nothing about the other."
    )
    for text in different[:MOST_LISTED]:
        console.print(f"- {plain(text)}", markup=False)
    if len(different) > MOST_LISTED:
        console.print(f"- and {len(different) - MOST_LISTED} more differences", markup=False)


@runs.command("remove")
def remove(run: Run, home: Home = None) -> None:
    """Put a run aside; `backsight runs restore` brings it back, `backsight runs empty` removes it for good."""
    from backsight.runs.home import find_run, remove_run

    path = find_run(run, home)
    place = remove_run(path)
    print(f"Put aside: {place}. `backsight runs restore {path}` brings it back.")


@runs.command("restore")
def restore(run: Run, home: Home = None) -> None:
    """Bring back a run that was removed."""
    from backsight.runs.home import find_removed, restore_run

    print(f"Brought back: {restore_run(find_removed(run, home))}.")


@runs.command("empty")
def empty(home: Home = None, yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Remove for good the runs that were put aside."""
    from backsight.runs.home import empty_removed, home_of_runs, removed_runs

    where = home_of_runs(home)
    names = removed_runs(where)
    if not names:
        print("No run was put aside.")
        return
    if not yes:
        typer.confirm(f"Remove for good: {', '.join(names)}?", abort=True)
    empty_removed(where)
    print(f"Removed for good: {', '.join(names)}.")


def _state(run: "RunSummary") -> str:
    lost = f", {run.lost} given up" if run.lost else ""
    if run.trouble:
        return "can't be read"
    if run.ended:
        return f"done{lost}"
    return "searching" if run.pieces is None else f"{run.finished} of {run.pieces} fits{lost}"


def _record(run: "RunSummary") -> dict[str, Any]:
    from dataclasses import asdict

    return {**asdict(run), "path": str(run.path), "begun": run.begun.isoformat(timespec="seconds")}


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
