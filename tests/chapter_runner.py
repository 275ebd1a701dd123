"""Runs the cells of a chapter in one namespace of this process, as a kernel would, without a kernel."""

import ast
from collections.abc import Iterator
from time import perf_counter
from types import ModuleType
from typing import Any

from backsight.lesson.cells import Cell
from backsight.lesson.notebook import Chapter


def run_chapter(chapter: Chapter) -> Iterator[tuple[Cell, float]]:
    """Run the code cells from top to bottom; yields each with the seconds it took.

    Tracebacks name the line of the chapter. The value of a last expression is asked for its text, as a notebook does.
    """
    space: dict[str, Any] = vars(ModuleType(f"chapter_{chapter.name[:2]}"))
    for cell in chapter.cells:
        if cell.kind != "code":
            continue
        began = perf_counter()
        tree = ast.parse("\n" * (cell.line - 1) + cell.source, f"{chapter.name}.md")
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"{chapter.name}.md", "exec"), space)
        if last is not None:
            value = eval(compile(ast.Expression(last.value), f"{chapter.name}.md", "eval"), space)
            show = getattr(value, "_repr_html_", None)
            assert (show() if show else None) or repr(value)
        yield cell, perf_counter() - began
