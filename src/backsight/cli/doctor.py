"""`backsight doctor`."""

from typing import TYPE_CHECKING

from rich.table import Table

from backsight.cli.options import Json, check_outputs

if TYPE_CHECKING:
    from backsight.runs.condition import Condition


def doctor(json: Json = None) -> None:
    """Say which paths are in use on this machine, and how to change them.

    Fused kernels or plain JAX for recurrent layers, processor or GPU, where compiled programs are kept.

    [bold]Examples[/bold]

      backsight doctor

      backsight doctor --json -
    """
    check_outputs(json)

    from dataclasses import asdict

    from backsight.cli.screen import print_json, results_console
    from backsight.runs.condition import examine_machine

    found = examine_machine()
    console = results_console(json)
    console.print(_table(found))
    for advice in found.advice:
        console.print(advice, markup=False)
    print_json(asdict(found), json)


def _table(found: "Condition") -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    rows = {
        "backsight, Python": f"{found.backsight}, {found.python}",
        "Keras, JAX": f"{found.keras}, {found.jax}",
        "devices": ", ".join(found.devices),
        "fits at a time": str(found.workers),
        "recurrent layers": f"fused kernels ({found.kernels})" if found.kernels else "plain JAX, the slow path",
        "compiled programs": f"{found.programs}, {found.cached} kept" if found.programs else "not kept",
        "datasets": ", ".join(found.datasets) or "none fetched yet",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
