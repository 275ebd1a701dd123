"""Carrying out a study in a run folder, and showing what came of it: what compare, lookback and resume share."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from backsight.cli.command_line import command_line
from backsight.cli.options import BackendOptions
from backsight.errors import Interrupted

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.report.files import Writer
    from backsight.runs.comparison import Comparison
    from backsight.runs.folder import Kind, RunFolder
    from backsight.runs.study import Study
    from backsight.series.source import Source


@dataclass(frozen=True)
class Results:
    """What a command shows and writes.

    Attributes:
        record: for `--json`.
        files: writers by file name.
        show: prints.
    """

    record: dict[str, Any]
    files: "Mapping[str, Writer]"
    show: "Callable[[Console], None]"


def conduct(
    kind: "Kind",
    study: "Study",
    source: "Source | None",
    summarise: "Callable[[Comparison], Results]",
    *,
    out: Path | None,
    of_backend: BackendOptions,
    json: Path | None,
    console: "Console",
    more: "Callable[[Comparison], Mapping[str, Writer]] | None" = None,
) -> "Comparison":
    """Carry out a study, in `out` or in a new run folder; write the results there, and show them.

    `more` gives further files for the folder.

    Raises:
        typer.Exit: with code 130 after Ctrl-C, when what was finished has been shown.
    """
    from backsight.cli.screen import listed, own_output_aside, print_json, progress_bar
    from backsight.report.files import write_files
    from backsight.report.output import made_files
    from backsight.report.report import write_report
    from backsight.runs.compare import examine
    from backsight.runs.made import made_record

    backend = of_backend.choose()
    with run_folder(kind, study, source, out) as run:
        with own_output_aside(json), progress_bar() as progress:
            found = examine(study, of_backend.workers, progress, run, backend)
        results = summarise(found)
        # Written before anything is printed: a pipe that closes must not cost the results.
        if run is not None:
            made = made_files(made_record(study, run.command))
            files = {**made, **results.files, **(more(found) if more is not None else {})}
            write_files(run.path, files)
            written = [*files, *write_report(run.path)]
            if not found.interrupted:
                run.end(**in_short(found))
    print_json(results.record, json)
    results.show(console)
    if run is not None:
        console.print(f"\nWritten to {run.path}: {listed(written)}.", markup=False)
    if found.interrupted:
        goes_on = "" if run is None else f" `backsight resume {run.path}` goes on."
        console.print(f"\nStopped by Ctrl-C: only what was finished is shown.{goes_on}", markup=False)
        raise typer.Exit(130)
    return found


def in_short(found: "Comparison") -> dict[str, Any]:
    """What the list of runs says of this one."""
    first = found.leaderboard.sort_values("val_rmse").iloc[0]
    finite = isfinite(first["val_rmse"])
    return {"best": str(first["entry"]), "val_rmse": float(first["val_rmse"]) if finite else None}


@contextmanager
def run_folder(kind: "Kind", study: "Study", source: "Source | None", out: Path | None) -> "Iterator[RunFolder | None]":
    """The folder of a run: the one that is named, or a new one in the home of runs; None where there is no home."""
    from backsight.runs.folder import open_run
    from backsight.runs.home import new_run

    path = out if out is not None else new_run(kind, study.series.name)
    if path is None:
        yield None
        return
    try:
        with open_run(path, kind, study, source, command_line()) as run:
            yield run
    except Interrupted as error:
        typer.echo(f"Stopped. Nothing was finished yet; `backsight resume {path}` goes on.", err=True)
        raise typer.Exit(130) from error
    finally:
        if out is None:
            with suppress(OSError):  # it came to nothing, and left the folder as new as it was
                path.rmdir()
