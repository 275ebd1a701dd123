"""Times how long backsight takes to start: `import backsight` and `backsight --help` in fresh processes.

The median of seven, beside that of an empty Python program; and which of the heavy libraries were loaded, as
`sys.modules` tells at the end.

    python benchmarks/startup.py
"""

import subprocess
import sys
from statistics import median
from time import perf_counter

TIMES = 7
HEAVY = ("keras", "jax", "pandas")
PROGRAMS = {
    "python, nothing else": "pass",
    "import backsight": "import backsight",
    "backsight --help": "from backsight.cli.main import main; main(['--help'])",
}


def seconds(program: str) -> float:
    """The median time of a fresh process, from its start to its exit."""
    taken = []
    for _ in range(TIMES):
        began = perf_counter()
        subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=True)
        taken.append(perf_counter() - began)
    return median(taken)


def heavy_modules(program: str) -> list[str]:
    """The heavy libraries that a program has loaded by its end, in a process that is not timed."""
    asking = f"{program}\nimport sys\nprint(*(set({HEAVY}) & sys.modules.keys()), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True)
    return sorted(done.stderr.split())


def main() -> None:
    """One line a program."""
    print("| fresh process | seconds | loads " + ", ".join(HEAVY) + " |\n|---|---|---|")
    for what, program in PROGRAMS.items():
        print(f"| {what} | {seconds(program):.2f} | {', '.join(heavy_modules(program)) or 'none'} |", flush=True)


if __name__ == "__main__":
    main()
