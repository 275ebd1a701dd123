"""The floors of the house: a file imports only from floors below its own (or its own)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import backsight

ROOT = Path(backsight.__file__).parent
FLOORS = {
    "errors": 0, "settings": 0, "vocabulary": 0,
    "series": 1, "windows": 2,
    "program_cache": 3, "engine": 3, "convolution": 3, "recurrence": 3,
    "training": 4, "models": 5, "evaluation": 6, "runs": 7, "report": 8, "lesson": 8,
    "cli": 9, "studio": 9, "serve": 9,
}  # fmt: skip
#: The only files that may import Keras or JAX, inside functions or not.
ENGINE_ROOM = {
    "engine.py", "training/program.py", "training/train.py", "training/adam.py", "training/inside.py",
    "training/losses.py", "training/seeds.py",
    "recurrence/trace.py",
    "recurrence/library.py", "recurrence/reference.py", "recurrence/fused.py", "recurrence/layers.py",
}  # fmt: skip
HEAVY = {"keras", "jax", "tensorflow", "torch"}


def imports_of(source: str, *, top_level_only: bool = False) -> list[str]:
    """Full names of the modules a source imports; what stands under `if TYPE_CHECKING` does not count."""
    tree = ast.parse(source)
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = []
    for node in nodes:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
    return found


def violations(file: str, source: str) -> list[str]:
    """What a file, named relative to the package, breaks of the rules."""
    own = FLOORS.get(Path(file).parts[0].removesuffix(".py"), 10)
    broken = []
    for name in imports_of(source):
        parts = name.split(".")
        if parts[0] == "backsight" and len(parts) > 1 and FLOORS.get(parts[1], 10) > own:
            broken.append(f"{file} (floor {own}) imports {name} (floor {FLOORS.get(parts[1], 10)})")
        if parts[0] in HEAVY and file not in ENGINE_ROOM:
            broken.append(f"{file} imports {name} outside the engine room")
    return broken


def sources() -> dict[str, str]:
    return {str(p.relative_to(ROOT)): p.read_text() for p in ROOT.rglob("*.py")}


def cycles(graph: dict[str, set[str]]) -> list[str]:
    """Modules from which one can come back to themselves."""

    def reach(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(graph.get(start, ()))
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo += graph.get(node, ())
        return seen

    return [node for node in graph if node in reach(node)]


def import_graph() -> dict[str, set[str]]:
    graph = {}
    for file, source in sources().items():
        module = "backsight." + file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
        graph[module] = {n for n in imports_of(source, top_level_only=True) if n.startswith("backsight.")}
    return graph


def test_every_file_imports_downwards():
    assert [v for file, source in sources().items() if file != "__init__.py" for v in violations(file, source)] == []


def test_no_import_cycle():
    assert cycles(import_graph()) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("series/read.py", "from backsight.models.registry import RECIPES"),
        ("windows/split.py", "def f():\n    import backsight.runs.compare"),
        ("report/plots.py", "from backsight.cli.main import main"),
        ("models/dense.py", "import keras"),
        ("evaluation/metrics.py", "def f():\n    from jax import numpy"),
    ],
)
def test_a_planted_violation_is_seen(file, source):
    assert violations(file, source)


def test_a_planted_cycle_is_seen():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "arguments", [["-c", "import backsight; backsight.__all__"], ["-m", "backsight.cli.main", "--help"]]
)
def test_help_and_import_load_nothing_heavy(arguments):
    run = subprocess.run([sys.executable, "-X", "importtime", *arguments], capture_output=True, text=True, check=True)
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in run.stderr.splitlines()}
    assert not loaded & {*HEAVY, "pandas", "sklearn", "matplotlib", "numpy"}


def test_no_file_is_long():
    assert [f for f, s in sources().items() if s.count("\n") > 400] == []


def test_no_function_is_long():
    long = []
    for file, source in sources().items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                # Counted without signature and docstring: a command has thirty options, each with its help.
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and (node.end_lineno or 0) - body[0].lineno > 60:
                    long.append(f"{file}: {node.name}")
    assert long == []
