"""What docstrings leave unsaid, by rules that can be checked: parameters, errors, shapes, units."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import backsight

PACKAGE = Path(backsight.__file__).parent
#: Our own errors; Interrupted is none, but ends a call all the same.
ERRORS = {name for name in dir(import_module("backsight.errors")) if inspect.isclass(getattr(backsight.errors, name))}


def public_things() -> Iterator[tuple[str, object]]:
    """Every public function and class, and the methods and properties that a class defines itself, with their names."""
    for name, home in sorted(backsight._HOME.items()):
        thing = getattr(import_module(f"backsight.{home}"), name)
        if callable(thing):
            yield name, thing
        if inspect.isclass(thing):
            for method, member in members_of(thing):
                function = member.fget if isinstance(member, property) else getattr(member, "func", member)
                if not method.startswith("_") and inspect.isfunction(function):
                    yield f"{name}.{method}", function


def members_of(kind: type) -> Iterator[tuple[str, object]]:
    """What a class has, its own and from bases that are not public, by name."""
    ours = [
        one for one in kind.__mro__ if one.__module__.startswith("backsight.") and one.__name__ not in backsight._HOME
    ]
    seen: dict[str, object] = {}
    for one in (kind, *ours):
        seen = {**vars(one), **seen}
    return iter(seen.items())


def tree_of(thing: object) -> ast.FunctionDef | ast.ClassDef:
    return ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]


def unsaid_parameters(thing: object) -> list[str]:
    """Parameters of a function, or fields of a dataclass, that its docstring does not name.

    A lone parameter whose type is named like it says enough: `first(series: Series)`.
    """
    node, text = tree_of(thing), thing.__doc__ or ""
    if isinstance(node, ast.ClassDef):
        if not any("dataclass" in ast.unparse(d) for d in node.decorator_list):
            return []
        named = [f for f in node.body if isinstance(f, ast.AnnAssign) and "ClassVar" not in ast.unparse(f.annotation)]
        parameters = {ast.unparse(f.target): ast.unparse(f.annotation) for f in named}
    else:
        arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        parameters = {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in arguments if a.arg != "self"}
    return [
        name
        for name, kind in parameters.items()
        if not re.search(rf"\b{name}\b", text)
        and not (len(parameters) == 1 and (kind.strip("'\"").lower() == name or name.replace("_", " ") in text))
    ]


def raised_by(function: ast.AST, module: ast.Module, seen: frozenset[str] = frozenset()) -> set[str]:
    """Our errors that a function raises, itself or through functions of its module."""
    functions = {n.name: n for n in module.body if isinstance(n, ast.FunctionDef)}
    found: set[str] = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call | ast.Name):
            name = ast.unparse(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
            found |= {name} & ERRORS
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            called = node.func.id
            if called in functions and called not in seen:
                found |= raised_by(functions[called], module, seen | {called})
    return found


def unsaid_errors(thing: object) -> set[str]:
    """Errors that are raised in a function's own module and not under its *Raises*.

    Where it says "see" another function or "as in", that one's are said too.
    """
    text = inspect.getdoc(thing) or ""
    section = re.search(r"^Raises:\n((?:    .*\n?|\n)+)", text, re.MULTILINE)
    said = section[1] if section else ""
    node = tree_of(thing)
    if isinstance(node, ast.ClassDef):  # what making one can end with
        node = next((f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__post_init__"), ast.Pass())
    module = ast.parse(Path(inspect.getsourcefile(thing)).read_text())
    return {error for error in raised_by(node, module) if error not in said and "BacksightError" not in said}


def unsaid_shapes(thing: object) -> list[str]:
    """Arrays among parameters, fields and results of which no shape is said."""
    node, text = tree_of(thing), " ".join((thing.__doc__ or "").split())
    array = re.compile(r"\b(NDArray|Inputs|Outputs|Steps|Targets|Origins|Slopes)\b")
    has_shape = re.search(r"shape|\(\w+,\)|\(\w+, [\w, ]+\)|one (a|an) \w+", text)
    if isinstance(node, ast.ClassDef):
        arrays = [
            ast.unparse(f.target)
            for f in node.body
            if isinstance(f, ast.AnnAssign) and array.search(ast.unparse(f.annotation))
        ]
    else:
        arrays = [
            a.arg
            for a in [*node.args.args, *node.args.kwonlyargs]
            if a.annotation and array.search(ast.unparse(a.annotation))
        ]
        arrays += ["result"] if node.returns and array.search(ast.unparse(node.returns)) else []
    return arrays if not has_shape else []


#: Fields that hold errors or forecasts, in whatever unit the target has.
IN_THE_TARGETS_UNIT = re.compile(r"(.*_)?(rmse|mae|bias|difference|low|high|smallest|seed_error|cost|actual|predicted)")


def unsaid_units(thing: object) -> list[str]:
    """Numbers in the target's unit, of a docstring that does not speak of a unit."""
    node, text = tree_of(thing), thing.__doc__ or ""
    numbers = re.compile(r"\b(float|Outputs|Targets|NDArray\[np\.float64\])")
    if isinstance(node, ast.ClassDef):
        fields = [f for f in node.body if isinstance(f, ast.AnnAssign) and numbers.search(ast.unparse(f.annotation))]
        named = [ast.unparse(f.target) for f in fields if IN_THE_TARGETS_UNIT.fullmatch(ast.unparse(f.target))]
    else:
        named = ["result"] if node.returns and numbers.match(ast.unparse(node.returns)) else []
    return [] if "unit" in text else named


def unsaid_tables(thing: object) -> list[str]:
    """Tables among parameters and results of which neither rows nor columns are described."""
    node, text = tree_of(thing), thing.__doc__ or ""
    if isinstance(node, ast.ClassDef) or re.search(r"\brows?\b|\bcolumns?\b|see `|\w+, \w+_\w+|by time", text):
        return []
    tables = [
        a.arg
        for a in [*node.args.args, *node.args.kwonlyargs]
        if a.annotation and "DataFrame" in ast.unparse(a.annotation)
    ]
    return [*tables, *(["result"] if node.returns and "DataFrame" in ast.unparse(node.returns) else [])]
