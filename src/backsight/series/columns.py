"""Column names from globs."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from backsight.errors import ColumnError


def expand_globs(globs: Iterable[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The columns that any of the globs fits, each once, in the order of `columns`.

    Raises:
        ColumnError: a glob fits no column.

    >>> expand_globs(["BASEL_*"], ["BASEL_sunshine", "OSLO_sunshine", "BASEL_humidity"])
    ('BASEL_sunshine', 'BASEL_humidity')
    """
    chosen: set[str] = set()
    for glob in globs:
        # An exact name wins over its reading as a glob: a column may be called "x[1]".
        fitting = {glob} if glob in columns else {c for c in columns if fnmatchcase(c, glob)}
        if not fitting:
            raise ColumnError(f"No column fits {glob!r}. {_nearest(glob, columns)}")
        chosen |= fitting
    return tuple(c for c in columns if c in chosen)


def refuse_text(globs: Iterable[str], columns: Sequence[str], text_columns: Sequence[str]) -> None:
    """Make sure that no glob means columns of text alone.

    Raises:
        ColumnError: one names a column of text, or fits no column but such ones.
    """
    for glob in globs:
        fits_text = [c for c in text_columns if glob == c or fnmatchcase(c, glob)]
        if fits_text and not any(glob == c or fnmatchcase(c, glob) for c in columns):
            raise ColumnError(
                f"Column {fits_text[0]!r} holds text. A forecaster reads numbers: encode it as numbers in the "
                f"file, or leave it out."
            )


def require_column(name: str, columns: Sequence[str]) -> str:
    """`name` itself, if it is one of the columns.

    Raises:
        ColumnError: it is not; the message offers the nearest names.
    """
    if name not in columns:
        raise ColumnError(f"There is no column {name!r}. {_nearest(name, columns)}")
    return name


def _nearest(name: str, columns: Sequence[str]) -> str:
    lowered = {c.lower(): c for c in columns}
    near = [lowered[c] for c in get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)]
    if near:
        return f"Did you mean {', '.join(near)}?"
    shown = ", ".join(columns[:8])
    return f"The columns are {shown}{', ...' if len(columns) > 8 else ''}."
