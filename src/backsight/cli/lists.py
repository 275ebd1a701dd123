"""`backsight models` and `backsight data`: what there is to choose from."""

from typing import Annotated, Any

import typer
from rich.table import Table

from backsight.cli.options import Json, check_outputs


def models(json: Json = None) -> None:
    """List the models: what each is, its settings, and its source.

    [bold]Example[/bold]

      backsight models
    """
    check_outputs(json)

    from dataclasses import asdict

    from backsight.cli.screen import print_json, results_console
    from backsight.models.registry import BASELINES, RECIPES, source_of

    console = results_console(json)
    table = _table("model", "what it is", "settings", "source")
    records: list[dict[str, Any]] = []
    for name, recipe in RECIPES.items():
        summary, source = _summary(recipe), source_of(recipe)
        settings = asdict(recipe)  # type: ignore[call-overload]
        shown = " ".join(f"{k}={'-'.join(map(str, v)) if isinstance(v, tuple) else v}" for k, v in settings.items())
        table.add_row(name, summary, shown, source)
        records.append(
            {"name": name, "summary": summary, "settings": settings, "source": source, "baseline": name in BASELINES}
        )
    console.print(table)
    console.print(
        "\nSettings go in brackets: --models 'lstm(units=7,layers=2),dense(units=100-50)'. A function of yours that "
        f"returns a\nkeras.Model is module:function. Every comparison includes {', '.join(BASELINES)}.",
        markup=False,
    )
    print_json({"models": records}, json)


def data(
    fetch: Annotated[
        list[str] | None, typer.Argument(help="Datasets to download, or 'all'; lists them without.")
    ] = None,
    json: Json = None,
) -> None:
    """List the datasets of the catalogue, or fetch some into the user's cache.

    [bold]Examples[/bold]

      backsight data

      backsight data basel
    """
    check_outputs(json)

    from backsight.cli.screen import print_json, results_console
    from backsight.errors import SettingError
    from backsight.series.catalogue import CATALOGUE, local_file
    from backsight.series.catalogue import fetch as fetch_dataset

    console = results_console(json)
    wanted = list(CATALOGUE) if fetch == ["all"] else fetch or []
    if unknown := [name for name in wanted if name not in CATALOGUE]:
        raise SettingError(f"There is no dataset {unknown[0]!r}. The catalogue has {', '.join(CATALOGUE)}.")
    for name in wanted:
        console.print(f"{name}: {fetch_dataset(CATALOGUE[name])}", markup=False)
    records = []
    table = _table("dataset", "what it is", "on this machine", "source")
    for dataset in CATALOGUE.values():
        path = local_file(dataset)
        table.add_row(dataset.name, dataset.summary, "yes" if path else "no", dataset.source)
        records.append({"name": dataset.name, "path": str(path) if path else None, "sha256": dataset.sha256})
    if not wanted:
        console.print(table)
    print_json({"datasets": records}, json)


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    for name in names:
        table.add_column(name, no_wrap=name in ("model", "dataset"), overflow="fold")
    return table


def _summary(recipe: object) -> str:
    return (type(recipe).__doc__ or "").split("\n", 1)[0]
