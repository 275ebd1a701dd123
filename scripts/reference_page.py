"""docs/reference.md: every public name, from its docstring."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import backsight
from command_page import escape

INTRODUCTION = """\
# Python reference

<!-- Written by scripts/pages.py from the docstrings; change these, then run `make pages`. -->

Every public name, as its docstring has it. All are attributes of `backsight`, and are loaded when they are first used.
Tables are pandas DataFrames; arrays have the shapes and units of this table.
"""

#: Headings, by the first part of the module that a name lives in, in the order of the page.
HEADINGS = {
    "series": "Data",
    "windows": "Parts of a series",
    "training": "How networks are trained",
    "runs": "What is asked, and what is found",
    "report": "Plots",
    "evaluation": "Leak audit",
    "models": "Models",
    "errors": "Errors",
}

#: What public functions and classes hand out or take, though nobody has to import it.
ALSO = {
    "Exam": "evaluation.exam",
    "Judge": "evaluation.judge",
    "Paired": "evaluation.significance",
    "Choice": "evaluation.lookback",
    "Windows": "windows.windows",
    "History": "training.history",
}

_SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Yields):$")
#: Lines longer than this are broken, an argument a line.
LONGEST = 100


def reference_page() -> str:
    """The page, as Markdown."""
    homes = dict(backsight._HOME)
    parts = [INTRODUCTION, _shapes()]
    known = [*HEADINGS, *sorted({home.partition(".")[0] for home in homes.values()} - set(HEADINGS))]
    for floor in known:
        names = sorted((n for n, home in homes.items() if home.partition(".")[0] == floor), key=str.lower)
        if names:
            parts.append(f"## {HEADINGS.get(floor, floor.capitalize())}")
        for name in names:
            parts += _entry(name, f"backsight.{homes[name]}")
        if floor == "models":
            parts += list(_recipes())
    parts.append("## What they hand out\n\nThese need no import: they are attributes and results of the above.")
    for name, home in ALSO.items():
        parts += _entry(name, f"backsight.{home}")
    parts += _layers()
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"


def markdown(docstring: str) -> str:
    r"""A docstring as Markdown: sections as lists, examples as blocks of code.

    >>> print(markdown("Halves.\n\nArgs:\n    x: shape (rows,),\n        in hours."))
    Halves.
    <BLANKLINE>
    Args:
    <BLANKLINE>
    - `x`: shape (rows,), in hours.
    """
    return "\n\n".join(_block(block) for block in _blocks(inspect.cleandoc(docstring)))


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs; an example is one block, whatever its output holds, and a section is one."""
    held: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text):
        indented = paragraph.startswith("    ")
        if held and not (indented and _SECTION.match(held[0].partition("\n")[0])):
            yield "\n\n".join(held)
            held = []
        held.append(paragraph)
    yield "\n\n".join(held)


def _block(block: str) -> str:
    first, _, rest = block.partition("\n")
    if block.startswith(">>>"):
        return f"```python\n{block}\n```"
    if block.startswith("    "):
        return f"```text\n{textwrap.dedent(block)}\n```"
    if found := _SECTION.match(first):
        return f"{found[1]}:\n\n" + "\n".join(_items(textwrap.dedent(rest), described=found[1] != "Returns"))
    if block.startswith("|"):
        return block
    return escape(block)


def _items(text: str, described: bool) -> Iterator[str]:
    """The entries of a section, each on one line."""
    for entry in re.split(r"\n(?! |\n|$)", text) if described else [text]:
        line = " ".join(entry.split())
        names, colon, rest = line.partition(": ")
        if described and colon:
            yield f"- {', '.join(f'`{name.strip()}`' for name in names.split(','))}: {escape(rest)}"
        else:
            yield f"- {escape(line)}"


def _entry(name: str, module: str) -> list[str]:
    """Heading, signature, docstring, and the public methods of a class."""
    home = import_module(module)
    thing = getattr(home, name)
    if isinstance(thing, Mapping):
        return [f"### {name}", markdown(_comment(home, name)), _members(thing)]
    parts = [f"### {name}", _signature(thing), markdown(thing.__doc__ or "")]
    if inspect.isclass(thing):
        for method, function in _members_of(thing):
            code = function.fget if isinstance(function, property) else getattr(function, "func", function)
            if method.startswith("_") or not inspect.isfunction(code) or not code.__doc__:
                continue
            parts.append(f"#### {name}.{method}")
            if code is function:
                parts += [_signature(code), markdown(code.__doc__)]
            else:
                parts.append(f"`{_returns(code)}`. {markdown(code.__doc__)}")
    return parts


def _members_of(kind: type) -> Iterator[tuple[str, Any]]:
    """Methods and properties of a class, and those of its bases that have no entry of their own on the page."""
    told: set[str] = set()
    for one in _lineage(kind):
        yield from ((name, member) for name, member in vars(one).items() if name not in told)
        told |= set(vars(one))


def _lineage(kind: type) -> list[type]:
    """The class, and its bases in this package that are not public themselves."""
    ours = (one for one in kind.__mro__[1:] if one.__module__.partition(".")[0] == "backsight")
    return [kind, *(one for one in ours if one.__name__ not in backsight._HOME)]


def _recipes() -> Iterator[str]:
    """Every recipe: what it is, its settings and its source, by the docstring of its class."""
    yield "### The models by name\n\nOne line a name; families below."
    of_family: dict[type, list[str]] = {}
    for name, recipe in backsight.RECIPES.items():
        of_family.setdefault(type(recipe), []).append(name)
    for family, names in of_family.items():
        yield f"#### {', '.join(names)}"
        yield _signature(family)
        yield markdown(family.__doc__ or "")


def _layers() -> Iterator[str]:
    """The layers of `backsight.recurrence`, from the source: importing them loads Keras."""
    yield "## Recurrent layers"
    yield markdown(import_module("backsight.recurrence").__doc__ or "")
    for node in ast.parse((Path(backsight.__file__).parent / "recurrence" / "layers.py").read_text()).body:
        if isinstance(node, ast.ClassDef) and node.name in import_module("backsight.recurrence").__all__:
            yield f"### recurrence.{node.name}"
            yield markdown(ast.get_docstring(node) or "")


def _members(table: Mapping[str, Any]) -> str:
    def summary(thing: Any) -> str:
        said = getattr(thing, "summary", None) or (thing.__doc__ or "").partition("\n")[0]
        return escape(str(said))

    return "\n".join(f"- `{name}`: {summary(thing)}" for name, thing in table.items())


def _comment(module: Any, name: str) -> str:
    """The lines that begin with #: above an assignment."""
    lines = inspect.getsource(module).splitlines()
    at = next(i for i, line in enumerate(lines) if re.match(rf"{name}\b", line))
    above: list[str] = []
    while lines[at - 1].startswith("#:"):
        at -= 1
        above.insert(0, lines[at].removeprefix("#:").strip())
    return "\n".join(above)


def _signature(thing: Any) -> str:
    """As the source has it, in a block of code; nothing for an exception or an interface."""
    node: Any = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    name = thing.__name__
    if isinstance(node, ast.ClassDef):
        if not any("dataclass" in ast.unparse(d) for d in node.decorator_list):
            return ""
        fields = [f for one in reversed(_lineage(thing)) for f in _fields(one)]
        by_name = [text for text, alone in fields if alone]
        return _code(name, [*(text for text, alone in fields if not alone), *(["*"] if by_name else []), *by_name], "")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return _code(name, [a for a in _arguments(node.args) if a not in ("self", "cls")], returns)


def _fields(kind: type) -> Iterator[tuple[str, bool]]:
    """The fields that a dataclass adds to those of its bases, and whether each is given by name alone."""
    node: Any = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    for line in node.body:
        if not isinstance(line, ast.AnnAssign) or "ClassVar" in ast.unparse(line):
            continue
        value: Any = line.value
        says = {k.arg: k.value for k in value.keywords} if _is_field(value) else {"default": value}
        made = ast.unparse(says["default_factory"]) + "()" if "default_factory" in says else None
        default = made or (ast.unparse(says["default"]) if says.get("default") else None)
        text = f"{ast.unparse(line.target)}: {ast.unparse(line.annotation)}" + (f" = {default}" if default else "")
        yield text, "kw_only" in says


def _is_field(value: Any) -> bool:
    return isinstance(value, ast.Call) and ast.unparse(value.func) == "field"


def _returns(function: Any) -> str:
    """The type of what a property gives, as the source has it."""
    node: Any = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    return ast.unparse(node.returns).strip("'")


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    plain = [*arguments.posonlyargs, *arguments.args]
    without = len(plain) - len(arguments.defaults)
    for i, argument in enumerate(plain):
        yield _argument(argument, arguments.defaults[i - without] if i >= without else None)
    if arguments.vararg:
        yield f"*{ast.unparse(arguments.vararg)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwarg:
        yield f"**{ast.unparse(arguments.kwarg)}"


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    return ast.unparse(argument) + (f" = {ast.unparse(default)}" if default is not None else "")


def _code(name: str, arguments: list[str], returns: str) -> str:
    line = f"{name}({', '.join(arguments)}){returns}"
    if len(line) > LONGEST:
        line = f"{name}(\n" + "".join(f"    {argument},\n" for argument in arguments) + f"){returns}"
    return f"```py\n{line}\n```"  # "python" is for code that runs


def _shapes() -> str:
    """The table of shapes of `backsight.vocabulary`."""
    text = inspect.cleandoc(import_module("backsight.vocabulary").__doc__ or "")
    return "\n".join(line for line in text.splitlines() if line.startswith("|"))
