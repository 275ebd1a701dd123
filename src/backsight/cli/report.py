"""`backsight report`."""

from pathlib import Path
from typing import Annotated

import typer

from backsight.cli.options import Json


def report(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A folder that compare, lookback, tune or lesson wrote with --out.")
    ],
    json: Json = None,
) -> None:
    """Write the report of a run again: report.html and every figure as PNG and SVG, from its stored files alone.

    A memory profile that lies in the folder too is shown with it.

    [bold]Examples[/bold]

      backsight report result
    """
    from backsight.cli.options import check_outputs
    from backsight.cli.screen import listed, print_json, results_console
    from backsight.report.report import write_report

    check_outputs(json)
    written = write_report(run)
    print_json({"run": str(run), "files": written}, json)
    console = results_console(json)
    console.print(f"Written to {run}: {listed(written)}.", markup=False)
