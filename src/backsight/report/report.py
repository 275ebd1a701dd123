"""The report of a run: `report.html` and its figures, from the files of its folder alone."""

from pathlib import Path

from backsight.report.figures import charts_of, picture_writers, stale_pictures
from backsight.report.files import write_files
from backsight.report.page.page import page
from backsight.report.stored import read_stored
from backsight.runs.durable import remove_durably, told

REPORT_FILE = "report.html"


def write_report(folder: Path) -> list[str]:
    """Write the report of a run into its folder, and every figure as PNG and as SVG.

    No model and no data is needed: everything comes from the stored results. Figures that an earlier report wrote and
    this one has no values for are removed, once the new ones are there.

    Args:
        folder: that `compare`, `lookback`, `tune` or `lesson` wrote.

    Returns:
        names of the files.

    Raises:
        SettingError: the folder holds no results, or can't be written.
    """
    stored = read_stored(folder)
    charts = charts_of(stored)
    html = page(stored, charts)
    writers = {REPORT_FILE: lambda path: path.write_text(html, encoding="utf-8"), **picture_writers(stored, charts)}
    write_files(folder, writers)
    with told(folder, "cleared of earlier figures"):
        stale = stale_pictures(folder, writers)
    for path in stale:
        remove_durably(path)
    return list(writers)
