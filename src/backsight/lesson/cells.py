"""A chapter's text cut into cells."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from backsight.errors import DataError

_HEADING = re.compile(r"(#{1,6}) +(.+)")

#: The section whose cells a learner should not see by accident.
SOLUTIONS = "Solutions"


@dataclass(frozen=True)
class Cell:
    """A piece of a chapter.

    Attributes:
        kind: prose or code.
        source: its text, without the fences.
        line: of the chapter's text, counted from 1, on which the source begins.
        name: made of the heading above it and its place below that: changes elsewhere leave it as it is.
        heading: level of the heading that it begins with; 0 without one.
        solution: whether it stands in the section `Solutions`.
    """

    kind: Literal["markdown", "code"]
    source: str
    line: int
    name: str
    heading: int = 0
    solution: bool = False


def cut_cells(text: str) -> list[Cell]:
    r"""The cells of a chapter, in order: one a fence marked `python`, and one a heading with the prose below it.

    A heading below `Solutions` stands alone in its cell, so that what follows can be folded away.

    Raises:
        DataError: a fence is not closed.

    >>> text = "# One\n\nSay.\n\n```python\nx = 1\n```\n\nMore.\n"
    >>> [(cell.kind, cell.source, cell.line, cell.name) for cell in cut_cells(text)]
    [('markdown', '# One\n\nSay.', 1, 'one-1'), ('code', 'x = 1', 6, 'one-2'), ('markdown', 'More.', 9, 'one-3')]
    """
    cutter = _Cutter()
    for number, line in enumerate(text.splitlines(), start=1):
        cutter.take(number, line)
    return cutter.finish()


class _Cutter:
    """The lines so far, as cells and the one that is open."""

    def __init__(self) -> None:
        self._cells: list[Cell] = []
        self._open: list[str] = []
        self._begins = 1
        self._fence = ""  # what stands behind the backticks of the open fence; "plain" if nothing does
        self._section = "top"
        self._solutions = False
        self._used = Counter[str]()

    def take(self, number: int, line: str) -> None:
        if line.startswith("```"):
            self._take_fence(number, line)
            return
        heading = None if self._fence else _HEADING.fullmatch(line)
        if heading is None:
            self._open.append(line)
            return
        self._close("markdown", number)
        level, title = len(heading[1]), heading[2]
        self._section = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:40].strip("-") or "section"
        if level <= 2:
            self._solutions = title == SOLUTIONS
        self._open.append(line)
        if self._solutions and level > 2:
            self._close("markdown", number + 1)

    def finish(self) -> list[Cell]:
        if self._fence:
            raise DataError(f"The fence before line {self._begins} of a chapter is not closed.")
        self._close("markdown", 0)
        return self._cells

    def _take_fence(self, number: int, line: str) -> None:
        if self._fence == "python":
            self._close("code", number + 1)
            self._fence = ""
        elif self._fence or line.strip() != "```python":  # a fence of prose opens or closes
            self._fence = "" if self._fence else line[3:].strip() or "plain"
            self._open.append(line)
        else:
            self._close("markdown", number + 1)
            self._fence = "python"

    def _close(self, kind: Literal["markdown", "code"], next_line: int) -> None:
        blank = next((n for n, line in enumerate(self._open) if line.strip()), len(self._open))
        source = "\n".join(self._open).strip("\n")
        if source.strip():
            self._used[self._section] += 1
            heading = _HEADING.match(source) if kind == "markdown" else None
            self._cells.append(
                Cell(
                    kind,
                    source,
                    self._begins + blank,
                    f"{self._section}-{self._used[self._section]}",
                    len(heading[1]) if heading else 0,
                    self._solutions,
                )
            )
        self._open, self._begins = [], next_line
