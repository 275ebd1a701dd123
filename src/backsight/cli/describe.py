"""`backsight describe`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from backsight.cli.options import Json, check_outputs
from backsight.errors import SettingError

if TYPE_CHECKING:
    from backsight.models.breakdown import LayerParameters

#: Days of the lesson's data; the ratio of data to parameters is shown for its training part.
LESSON_DAYS = 3654


def describe(
    model: Annotated[str, typer.Argument(help="A name of `backsight models`, with settings if you like.")],
    lookback: Annotated[int, typer.Option(help="Steps in its window.")] = 30,
    features: Annotated[int, typer.Option(help="Columns it reads.")] = 9,
    horizon: Annotated[int, typer.Option(help="Steps it forecasts at once.")] = 1,
    windows: Annotated[
        int | None, typer.Option(help="Training windows, for the ratio; those of the lesson's days without it.")
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw a recurrent network, unrolled, and its cell into this .png, .svg or .pdf."
        ),
    ] = None,
    json: Json = None,
) -> None:
    """Print a model's layers, where its parameters sit, and how much data there is for each.

    [bold]Examples[/bold]

      backsight describe lstm_stacked

      backsight describe 'dense(units=100-50)' --lookback 1 --features 9

      backsight describe 'lstm(units=7,layers=2)' --draw lstm.png
    """
    check_outputs(json)
    if draw is not None:
        _check_drawing(draw, json)

    from backsight.cli.screen import print_json, results_console
    from backsight.models.breakdown import parameter_breakdown
    from backsight.models.network import Network
    from backsight.models.registry import as_recipe, recipe_name
    from backsight.runs.study import check_count
    from backsight.training.seeds import seeded
    from backsight.windows.split import split_by_fractions

    for name, value in (("lookback", lookback), ("features", features), ("horizon", horizon)):
        check_count(name, value)
    recipe = as_recipe(model)
    rows = max(LESSON_DAYS, 5 * lookback)
    count = windows if windows is not None else len(split_by_fractions(rows, first=lookback).train)
    check_count("windows", count)
    console = results_console(json)
    name = recipe_name(recipe)
    what = (type(recipe).__doc__ or "").split("\n", 1)[0]
    console.print(f"{name}: {what}", markup=False)
    network = recipe.core
    if not isinstance(network, Network):
        if draw is not None:
            raise SettingError(f"{name} is no network: there is nothing to draw.")
        console.print("It is no network and has no layers; `backsight models` says more of it.")
        print_json({"name": name, "parameters": None, "layers": []}, json)
        return
    leads = horizon if network is recipe else 1  # a recursive one is trained one step ahead
    layers = parameter_breakdown(seeded(lambda: network.build(lookback, features, leads), seed=0))
    if draw is not None:
        _draw(layers, name, lookback, features, leads, draw)
    total = sum(layer.count for layer in layers)
    ratio = count / total if total else float("inf")
    console.print(_layer_table(layers))
    assumed = "" if windows is not None else f" (the training part of {rows:,} rows)"
    verdict = "more parameters than windows: overparameterized" if ratio < 1 else "fewer parameters than windows"
    console.print(
        f"\nTotal: {total:,} parameters. With {count:,} training windows{assumed}, data:parameters is "
        f"{ratio:.2f} ({verdict}).",
        markup=False,
    )
    record = {"name": name, "parameters": total, "windows": count, "data_to_parameters": ratio if total else None}
    print_json({**record, "layers": [_layer_record(layer) for layer in layers]}, json)


def _check_drawing(path: Path, json: Path | None) -> None:
    """Make sure that a drawing can be written there.

    Raises:
        SettingError: it can't.
    """
    from backsight.report.files import check_file

    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise SettingError(f"--draw writes a .png, a .svg or a .pdf; {path.name} is none of them.")
    check_file(path)
    if json is not None and path.resolve() == json.resolve():
        raise SettingError(f"--draw {path} and --json are the same file. Name another one.")


def _draw(
    layers: "tuple[LayerParameters, ...]", name: str, lookback: int, features: int, horizon: int, path: Path
) -> None:
    """Draw a recurrent network into a file.

    Raises:
        SettingError: it has no recurrent layer.
    """
    from backsight.report.charts.draw import save
    from backsight.report.diagrams.network import draw_network
    from backsight.report.files import write_files

    shapes = [(layer.kind, int(layer.output_shape[-1] or 1), layer.count) for layer in layers if layer.output_shape]
    try:
        figure = draw_network(shapes, lookback, features, horizon)
    except ValueError as error:
        raise SettingError(f"{name} has no recurrent layer, so nothing to unroll: draw gru, say.") from error
    write_files(path.parent, {path.name: lambda p: save(figure, p)})


def _layer_table(layers: "tuple[LayerParameters, ...]") -> Table:
    """One line a layer, and one more for each further array of weights."""
    table = Table(box=None, pad_edge=False)
    for column in ("layer", "kind", "output", "parameters", "of which"):
        table.add_column(column, justify="right" if column == "parameters" else "left", no_wrap=True)
    for layer in layers:
        shape = ", ".join("windows" if n is None else str(n) for n in layer.output_shape)
        lines = [f"{part.kind}: {part.formula} = {part.count:,}" for part in layer.parts] or [""]
        table.add_row(escape(layer.name), layer.kind, f"({shape})", f"{layer.count:,}", lines[0])
        for line in lines[1:]:
            table.add_row("", "", "", "", line)
    return table


def _layer_record(layer: "LayerParameters") -> dict[str, Any]:
    parts = [vars(part) for part in layer.parts]
    return {"name": layer.name, "kind": layer.kind, "parameters": layer.count, "parts": parts}
