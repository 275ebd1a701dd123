"""Options that belong together, as a dataclass that several commands take."""

import inspect
from collections.abc import Callable
from copy import copy
from dataclasses import MISSING, fields, is_dataclass
from functools import wraps
from typing import Annotated, Any, get_args, get_origin, get_type_hints


def bundled(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take dataclasses of options: on the command line each of their fields is an option.

    Options come in the order of the parameters, those of a dataclass in the order of its fields. In the help they
    stand under its docstring.

    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Size:
    ...     width: int = 1
    >>> list(inspect.signature(bundled(lambda data, *, size: None)).parameters)
    ['data', 'size']
    >>> def command(data: str, size: Size) -> None:
    ...     print(size)
    >>> list(inspect.signature(bundled(command)).parameters)
    ['data', 'width']
    >>> bundled(command)(data="x.csv", width=3)
    Size(width=3)
    """
    hints = get_type_hints(command, include_extras=True)
    flat: list[inspect.Parameter] = []
    bundles: dict[str, type] = {}
    for parameter in inspect.signature(command).parameters.values():
        kind = hints.get(parameter.name)
        if isinstance(kind, type) and is_dataclass(kind):
            bundles[parameter.name] = kind
            of_field = get_type_hints(kind, include_extras=True)
            for f in fields(kind):
                panel = (kind.__doc__ or "").strip().rstrip(".")
                flat.append(_option(f.name, _in_panel(of_field[f.name], panel), f.default))
        else:
            default = MISSING if parameter.default is parameter.empty else parameter.default
            flat.append(_option(parameter.name, kind, default))

    @wraps(command)
    def run(**given: Any) -> None:
        for name, kind in bundles.items():
            given[name] = kind(**{f.name: given.pop(f.name) for f in fields(kind)})
        command(**given)

    run.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in flat}
    return run


def _in_panel(annotation: Any, panel: str) -> Any:
    """The annotation of an option that stands in this panel of the help. A copy: bundles may share an option."""
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, *options = get_args(annotation)
    shown = [copy(option) for option in options]
    for option in shown:
        option.rich_help_panel = panel
    return Annotated[(kind, *shown)]


def _option(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is MISSING else default,
        annotation=inspect.Parameter.empty if kind is None else kind,
    )
