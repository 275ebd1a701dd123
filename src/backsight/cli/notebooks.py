"""`backsight lesson --notebooks`."""

from pathlib import Path


def put_notebooks(folder: Path, force: bool) -> None:
    """Write the course's chapters into a folder, and say what to do next.

    Raises:
        SettingError: a notebook there differs and `force` is false, or the folder can't be written to.
    """
    from backsight.cli.screen import results_console
    from backsight.lesson.data import VARIABLE
    from backsight.lesson.notebook import write_notebooks

    written, kept = write_notebooks(folder, force)
    console = results_console(None)
    already = f" ({len(kept)} were there already)" if kept else ""
    console.print(f"Written to {folder}: {len(written)} notebooks{already}. They need no network.", markup=False)
    console.print("Next:", markup=False)
    console.print("  pip install jupyterlab     if you have no Jupyter yet", markup=False)
    console.print(f"  jupyter lab {folder}     and begin with 00-start-here", markup=False)
    console.print(f"With {VARIABLE}=basel they run on the sunshine of Basel, as the lesson does.", markup=False)
