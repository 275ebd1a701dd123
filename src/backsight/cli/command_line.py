"""The command as it was typed, for whoever wants to repeat it."""

import shlex
from collections.abc import Sequence
from contextvars import ContextVar

_TYPED: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())


def remember(arguments: Sequence[str]) -> None:
    """Note what was typed after the program's name."""
    _TYPED.set(tuple(arguments))


def command_line() -> str | None:
    """The command, as a shell takes it; None where none was typed.

    >>> remember(["compare", "seattle", "--features", "temp_*"])
    >>> command_line()
    "backsight compare seattle --features 'temp_*'"
    """
    typed = _TYPED.get()
    return shlex.join(["backsight", *typed]) if typed else None
