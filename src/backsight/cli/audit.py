"""`backsight audit`: the data doctor, and the leak audit of a model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backsight.cli.bundles import bundled
from backsight.cli.options import DataOptions, ExamOptions, Json, check_outputs
from backsight.errors import SettingError

if TYPE_CHECKING:
    from backsight.series.doctor.diagnosis import Diagnosis


@bundled
def audit(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[MODEL] DATA", help="A file or dataset; with a model before it, the model is audited."),
    ],
    of_data: DataOptions,
    of_exam: ExamOptions,
    *,
    mask: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="DATA alone: write a copy in which cells that can't be so are empty."),
    ] = None,
    mask_suspect: Annotated[
        bool, typer.Option("--mask-suspect", help="With --mask: empty what is only suspect, too.")
    ] = False,
    lookback: Annotated[int, typer.Option(help="With MODEL: steps in its window.")] = 7,
    calendar: Annotated[
        bool, typer.Option("--calendar", help="With MODEL: read sine and cosine of the day of year too.")
    ] = False,
    demonstrate: Annotated[
        bool, typer.Option("--demonstrate", help="With MODEL: show what a random split would have claimed.")
    ] = False,
    json: Json = None,
) -> None:
    """Look for what is wrong with data, or for what a model reads that it must not.

    DATA alone: gaps, repeats, clock changes, codes for "missing", impossible numbers, stretches that stand still or
    were copied, columns that know the target. Nothing is repaired; --mask writes a copy, and says of what.

    MODEL DATA: the model is fitted for a few epochs, values that it must not see are replaced, and every forecast must
    stay the same to the last bit.

    The exit code is 0 if all is well, 1 if something is wrong or leaks, 2 after an error.

    [bold]Examples[/bold]

      backsight audit basel

      backsight audit sales.csv --target units --mask sales-masked.csv

      backsight audit 'lstm(units=7)' seattle --lookback 7

      backsight audit trees seattle --lookback 30 --horizon 14 --demonstrate
    """
    if len(words) > 2:
        raise SettingError(f"backsight audit takes DATA, or MODEL and DATA; {len(words)} words were given.")
    check_outputs(json, None, words[-1])
    if len(words) == 1:
        _refuse(words[0], of_exam != ExamOptions() or lookback != 7 or calendar or demonstrate, "are for a model")
        wrong = _audit_data(words[0], of_data, mask, mask_suspect, json)
    else:
        _refuse(words[1], mask is not None or mask_suspect, "mask data: leave the model out")
        wrong = _audit_model(words[0], words[1], of_data, of_exam, lookback, calendar, demonstrate, json)
    if wrong:
        raise typer.Exit(1)


def _refuse(data: str, given: bool, why: str) -> None:
    if given:
        options = (
            "--mask and --mask-suspect"
            if "mask" in why
            else "Options of the exam, --lookback, --calendar and --demonstrate"
        )
        raise SettingError(f"{options} {why}; see `backsight audit --help`. {data} was to be audited.")


def _audit_data(data: str, options: DataOptions, mask: Path | None, suspect: bool, json: Path | None) -> bool:
    """Whether something is wrong with the data."""
    import dataclasses

    names = ("time", "time_format", "encoding", "decimal", "thousands")
    reading = {name: getattr(options, name) for name in names}
    if dataclasses.replace(DataOptions(), target=options.target, **reading) != options:
        raise SettingError(
            "An audit of data looks at the whole file as it stands: of the options of data it takes --target, --time, "
            "--time-format, --encoding, --decimal and --thousands."
        )
    if suspect and mask is None:
        raise SettingError("--mask-suspect says what --mask FILE empties: name that file.")
    if mask is not None:
        _check_mask(mask, data, json)

    from backsight.cli.screen import print_json, results_console
    from backsight.report.audit import findings_sentences, findings_table, mask_sentences
    from backsight.series.catalogue import CATALOGUE
    from backsight.series.doctor.diagnosis import audit as audit_data

    target = options.target or (CATALOGUE[data].target if data in CATALOGUE else None)
    found = audit_data(data, target, **reading)
    record, masked = found.record(), found.mask_record(suspect)
    written = _write_mask(found, mask, suspect) if mask is not None and masked["cells"] else None
    print_json({**record, "mask": {**masked, "written": written}}, json)
    console = results_console(json)
    if record["findings"]:
        console.print(findings_table(record))
    for sentence in [*findings_sentences(record), *mask_sentences(masked, written)]:
        console.print(f"- {sentence}", markup=False)
    return found.wrong


def _check_mask(mask: Path, data: str, json: Path | None) -> None:
    """Make sure, before anything is read, that the copy can be written and overwrites nothing.

    Raises:
        SettingError: it can't, or would.
    """
    from backsight.report.files import check_file

    check_file(mask)
    for path, what in ((Path(data), "the data itself"), (json, "the JSON")):
        if path is not None and path.resolve() == mask.resolve():
            raise SettingError(f"--mask {mask} would overwrite {what}. Name another file.")
    if mask.suffix.lower() in (".parquet", ".pq"):
        raise SettingError(f"--mask writes a CSV; {mask.name} would be taken for Parquet. Name it {mask.stem}.csv.")


def _write_mask(found: "Diagnosis", mask: Path, suspect: bool) -> str:
    import csv

    from backsight.report.files import write_files

    cells = found.masked_cells(suspect)

    def write(path: Path) -> None:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=cells.separator, lineterminator="\n")
            writer.writerow(cells.header)
            writer.writerows(cells.rows)

    write_files(mask.parent, {mask.name: write})
    return str(mask)


def _audit_model(
    model: str,
    data: str,
    of_data: DataOptions,
    of_exam: ExamOptions,
    lookback: int,
    calendar: bool,
    demonstrate: bool,
    json: Path | None,
) -> bool:
    """Whether the model leaks."""
    from functools import partial

    from backsight.cli.screen import notice, own_output_aside, print_json, progress_bar, results_console
    from backsight.evaluation.leaks import LAWS, audit_case, make_case
    from backsight.evaluation.shuffled import HANDS, claim_sentences, random_split_claim
    from backsight.report.audit import leak_sentences
    from backsight.runs.entry import Entry
    from backsight.runs.openings import note_opening
    from backsight.runs.study import Study, check_count
    from backsight.training.plan import Plan

    check_count("lookback", lookback)
    series = of_data.source(data).load()
    target = of_data.target_of(data, series)
    console = results_console(json)
    notice(console, series, target)
    with own_output_aside(json), progress_bar() as progress:
        case = make_case(
            model,
            series,
            target,
            features=of_data.globs,
            lookback=lookback,
            horizon=of_exam.horizon,
            stride=of_exam.stride,
            split=of_exam.choose_split(series),
            calendar=calendar,
        )
        progress.started(len(LAWS) + (HANDS + 1) * demonstrate)
        step = partial(progress.finished, model, 0)
        found = audit_case(case, tried=step)
        record: dict[str, Any] = {"data": series.name, "target": target, **found.record()}
        sentences = leak_sentences(record)
        if demonstrate:
            entry = Entry(model, case.recipe, lookback, case.features, calendar)
            note_opening(Study(series, case.exam, (entry,), seeds=1))  # test days are looked at
            claim = random_split_claim(case, Plan(), step)
            record["random_split"] = claim.record()
            sentences += claim_sentences(claim, series.units.get(target, ""))
    print_json(record, json)
    for sentence in sentences:
        console.print(f"- {sentence}", markup=False)
    return bool(found.leaks)
