"""`backsight lesson`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.cli.command_line import command_line
from backsight.cli.notebooks import put_notebooks
from backsight.cli.options import Json, Seeds, Workers, check_outputs
from backsight.errors import SettingError

if TYPE_CHECKING:
    from backsight.series.series import Series

#: Columns that the lesson's models read, where a dataset holds more than they do.
LOCAL = {"basel": "BASEL_*", "europe": "BASEL_*"}


def lesson(
    context: typer.Context,
    data: Annotated[
        str | None, typer.Option(help="basel, europe or seattle; basel without it, or seattle if basel can't be had.")
    ] = None,
    seeds: Seeds = 5,
    workers: Workers = None,
    json: Json = None,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where plots and CSVs of histories and forecasts go.")
    ] = Path("backsight-lesson"),
    notebooks: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write the course, 18 chapters, here as Jupyter notebooks; run nothing."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over notebooks that were run or changed.")] = False,
) -> None:
    """Reproduce the recurrence lesson row by row, then put its models to a fair exam.

    [bold]Examples[/bold]

      backsight lesson

      backsight lesson --data basel --seeds 10 --json lesson.json

      backsight lesson --notebooks course
    """
    if notebooks is not None:
        _refuse_beside_notebooks(context)
        put_notebooks(notebooks, force)
        return
    if force:
        raise SettingError("--force writes over notebooks: name their folder with --notebooks.")
    check_outputs(json, out)

    from backsight.cli.screen import listed, print_json, progress_bar, results_console
    from backsight.report.files import write_files
    from backsight.report.output import lesson_files, made_files
    from backsight.report.report import write_report
    from backsight.report.sentences import lesson_sentences
    from backsight.report.tables import breakdown_lines, exam_table, lesson_table
    from backsight.runs.lesson import run_lesson
    from backsight.runs.made import made_record
    from backsight.runs.record import lesson_record
    from backsight.runs.saved import run_record
    from backsight.series.catalogue import CATALOGUE
    from backsight.series.source import Source

    console = results_console(json)
    series, notice = _choose_data(data)
    if notice:
        console.print(notice, markup=False)
    target = CATALOGUE[series.name].target
    with progress_bar() as progress:
        done = run_lesson(
            series, target, [LOCAL.get(series.name, "*")], seeds=seeds, workers=workers, progress=progress
        )
    record = lesson_record(done)
    exam = done.comparison
    # Written before anything is printed: a pipe that closes must not cost the results.
    run = run_record("lesson", exam.study, Source(series.name))
    files = {
        **made_files(made_record(exam.study, command_line())),
        **lesson_files(record, run, exam.leaderboard, exam.histories, exam.forecasts, done.histories, done.forecasts),
    }
    write_files(out, files)
    written = [*files, *write_report(out)]
    print_json(record, json)
    console.print(lesson_table(record))
    console.print("\nWhere the parameters sit (input weights + recurrent weights + biases):")
    for line in breakdown_lines(record):
        console.print(f"  {line}", markup=False)
    console.print()
    console.print(exam_table(record["exam"]))
    console.print("\nWhat the two tables say:")
    for sentence in lesson_sentences(record):
        console.print(f"- {sentence}", markup=False)
    console.print(f"\n{done.seconds:.0f} s. Written to {out}: {listed(written)}.", markup=False)
    if exam.interrupted:
        console.print("Stopped by Ctrl-C: only what was finished is shown.", markup=False)
        raise typer.Exit(130)


def _refuse_beside_notebooks(context: typer.Context) -> None:
    """Let nobody believe that an option of the lesson's run did something to the notebooks.

    Raises:
        SettingError: such an option was typed, be it with its default.
    """
    given = []
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name not in ("notebooks", "force") and source is not None and source.name == "COMMANDLINE":
            given.append(option.opts[0])
    if given:
        raise SettingError(
            f"--notebooks writes the chapters and runs nothing, so {', '.join(given)} would do nothing beside it: "
            f"leave out one or the other. Which data the chapters forecast is chosen where they run: see the first."
        )


def _choose_data(name: str | None) -> "tuple[Series, str]":
    """The series, and one line for the user if it is not the one the lesson uses."""
    from backsight.errors import DatasetUnavailable
    from backsight.series.catalogue import CATALOGUE, load

    if name is not None and name not in CATALOGUE:
        raise SettingError(
            f"The lesson runs on {', '.join(CATALOGUE)}; {name!r} was given. For a series of your own, use "
            f"`backsight compare`."
        )
    try:
        return load(name or "basel"), ""
    except DatasetUnavailable as error:
        if name is not None:
            raise
        reason = str(error).split(". ", 1)[0]
        return load("seattle"), f"{reason}; the lesson runs on seattle instead, without published numbers."
