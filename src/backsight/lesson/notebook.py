"""Chapters as Jupyter notebooks: nbformat 4.5, which is JSON simple enough to write without a library."""

import json
import re
from dataclasses import dataclass
from functools import cached_property, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from backsight.errors import SettingError
from backsight.lesson.cells import Cell, cut_cells
from backsight.report.files import check_folder, write_files

#: Links from one chapter to another; in notebooks they lead to notebooks.
_LINK = re.compile(r"\((\d\d-[a-z0-9-]+)\.md(#[^)]*)?\)")


@dataclass(frozen=True)
class Chapter:
    """One chapter of the course.

    Attributes:
        name: its file's, without the ending.
        text: all of it.
    """

    name: str
    text: str

    @cached_property
    def cells(self) -> list[Cell]:
        """See `cells.cut_cells`."""
        return cut_cells(self.text)

    @property
    def title(self) -> str:
        """Its first heading."""
        return self.cells[0].source.split("\n", 1)[0].lstrip("# ")


def chapters() -> list[Chapter]:
    """All chapters, in order.

    >>> chapters()[0].name
    '00-start-here'
    """
    found = (entry for entry in files("backsight.lesson").iterdir() if re.match(r"\d\d-.*\.md$", entry.name))
    return sorted(
        (Chapter(entry.name.removesuffix(".md"), entry.read_text(encoding="utf-8")) for entry in found),
        key=lambda chapter: chapter.name,
    )


def as_notebook(chapter: Chapter) -> dict[str, Any]:
    r"""A chapter as a notebook without outputs; solutions are folded away.

    >>> notebook = as_notebook(Chapter("x", "# One\n\n```python\n1 + 1\n```\n"))
    >>> [(cell["id"], cell["cell_type"], cell["source"]) for cell in notebook["cells"]]
    [('one-1', 'markdown', ['# One']), ('one-2', 'code', ['1 + 1'])]
    """
    return {
        "cells": [_as_notebook_cell(cell) for cell in chapter.cells],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _as_notebook_cell(cell: Cell) -> dict[str, Any]:
    source = cell.source if cell.kind == "code" else _LINK.sub(r"(\1.ipynb\2)", cell.source)
    common: dict[str, Any] = {"id": cell.name, "metadata": {"tags": ["solution"]} if cell.solution else {}}
    if cell.solution and cell.heading > 2:
        common["metadata"]["jp-MarkdownHeadingCollapsed"] = True  # JupyterLab's and Notebook 7's name for folded
    lines = source.splitlines(keepends=True)
    if cell.kind == "markdown":
        return {"cell_type": "markdown", **common, "source": lines}
    return {"cell_type": "code", **common, "execution_count": None, "outputs": [], "source": lines}


def write_notebooks(folder: Path, force: bool = False) -> tuple[list[Path], list[Path]]:
    """Write every chapter as a notebook into a folder, which is made if it is not there.

    Returns:
        the files that were written, and those that were there already, byte by byte.

    Raises:
        SettingError: a notebook of that name is there and differs, as one that was run does, and `force` is false; or
            the folder can't be written to. Nothing is written then.
    """
    check_folder(folder)
    made = {folder / f"{chapter.name}.ipynb": _as_text(chapter) for chapter in chapters()}
    there = {path: path.read_text(encoding="utf-8", errors="replace") for path in made if path.exists()}
    if not force and (differing := [path for path, text in there.items() if text != made[path]]):
        raise SettingError(
            f"{differing[0]} is there and differs{_and_others(len(differing) - 1)}: notebooks that were run or changed "
            f"are not written over. Take another folder, or --force to lose what is in them."
        )
    written = [path for path in made if there.get(path) != made[path]]
    write_files(folder, {path.name: partial(_write, text=made[path]) for path in written})
    return written, [path for path in made if path not in written]


def _as_text(chapter: Chapter) -> str:
    return json.dumps(as_notebook(chapter), indent=1, ensure_ascii=False) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _and_others(count: int) -> str:
    return f", and so do {count} more" if count else ""
