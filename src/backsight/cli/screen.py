"""What is printed, and the progress of long work."""

import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, redirect_stdout
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from backsight.runs.progress import Silent
from backsight.training.events import EpochDone

if TYPE_CHECKING:
    from backsight.series.rows import Rows


def results_console(json: Path | None = None) -> Console:
    """Where tables and sentences go: standard error if standard output carries the JSON.

    A pipe gets lines as long as they need to be, and no colours.
    """
    console = Console(stderr=json is not None and str(json) == "-", highlight=False)
    return (
        console
        if console.is_terminal and console.width >= 100
        else Console(file=console.file, width=160, highlight=False)
    )


def notice(console: Console, series: "Rows", target: str | None) -> None:
    """Say what of the file is not used, or is not what was observed."""
    if series.left_out:
        console.print(f"Left out, since they hold text: {', '.join(series.left_out)}.", markup=False)
    if series.filled is not None:
        unscored = f" {len(series.filled_rows(target))} of them are targets and are not scored." if target else ""
        console.print(f"Carried forward: {int(series.filled.sum())} missing values.{unscored}", markup=False)


def print_json(record: dict[str, Any], json: Path | None) -> None:
    """Write a record where `--json` says, if it says so."""
    from json import dumps

    from backsight.report.files import write_json

    if json is None:
        return
    if str(json) == "-":
        print(dumps(record, indent=1, allow_nan=False))
    else:
        write_json(json, record)


def listed(names: Collection[str]) -> str:
    """Names of files that were written; pictures are counted.

    >>> listed(["run.json", "figures/a.png", "figures/a.svg"])
    'run.json, figures/ (1 as PNG and SVG)'
    """
    single = [name for name in names if not name.startswith("figures/")]
    pictures = {name.rpartition(".")[0] for name in names if name.startswith("figures/")}
    return ", ".join([*single, *([f"figures/ ({len(pictures)} as PNG and SVG)"] if pictures else [])])


def plain(text: str) -> str:
    r"""Text without what moves a terminal's cursor, changes its colours, or rings.

    >>> plain("[red]\x1b[2J sales\n")
    '[red] [2J sales '
    """
    return "".join(character if character.isprintable() else " " for character in text)


def table_of(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """A table of texts that anybody may have written: what looks like rich's markup is shown as it stands."""
    table = Table()
    for column in columns:
        table.add_column(Text(plain(column)))
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    return table


class Bar(Silent):
    """A progress bar: fits done, what is trained just now, time left."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task = progress.add_task("loading libraries", total=None)
        self._lock = Lock()

    def started(self, jobs: int) -> None:
        self._progress.reset(self._task, total=jobs)

    def epoch(self, job: str, seed: int, done: EpochDone) -> None:
        with self._lock:
            self._progress.update(
                self._task,
                description=f"{job} seed {seed}: epoch {done.epoch}/{done.epochs}, validation RMSE "
                f"{done.val_rmse:.3f}, best {done.best_val_rmse:.3f}",
            )

    def finished(self, job: str, seed: int) -> None:
        with self._lock:
            self._progress.advance(self._task)

    def stopping(self) -> None:
        self._progress.console.print("Stopping once the fits in progress allow it. Ctrl-C again ends at once.")


def make_progress(console: Console, of: str = "fits") -> Progress:
    """The bar's columns, gone from the screen when the work is done."""
    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn(of),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
    )
    return Progress(*columns, console=console, transient=True)


@contextmanager
def own_output_aside(json: Path | None) -> Iterator[None]:
    """Send what a user's own model prints to standard error, if standard output carries the JSON."""
    with redirect_stdout(sys.stderr) if json is not None and str(json) == "-" else nullcontext():
        yield


@contextmanager
def progress_bar(of: str = "fits") -> Iterator[Silent]:
    """A bar on standard error where that is a terminal, and silence elsewhere; `of` says what it counts."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield Silent()
        return
    with make_progress(Console(stderr=True), of) as progress:
        yield Bar(progress)
