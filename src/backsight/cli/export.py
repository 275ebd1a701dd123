"""`backsight export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backsight.errors import SettingError

if TYPE_CHECKING:
    from backsight.runs.model_file import Model

Form = Literal["keras", "onnx"]


def export(
    model: Annotated[Path, typer.Argument(help="A file that `backsight compare --save` has written.")],
    out: Annotated[Path, typer.Argument(help="The file to write, such as model.keras or model.onnx.")],
    to: Annotated[Form | None, typer.Option(help="The form; without it, what the file's ending says.")] = None,
) -> None:
    """Write a saved model for programs that don't have backsight: as plain Keras layers, or as ONNX.

    What is written takes windows of raw numbers and gives forecasts in the target's unit: scaling is part of it. It is
    compared with the model on random windows first. Networks and ridge go to both forms, trees to ONNX.

    [bold]Examples[/bold]

      backsight compare seattle --target temp_max --models lstm --save model.zip --save-entry lstm_3

      backsight export model.zip model.keras

      backsight export model.zip model.onnx
    """
    from backsight.report.files import check_file, write_files
    from backsight.runs.model_file import load_model

    form = _form_of(to, out)
    check_file(out)
    if model.resolve() == out.resolve():
        raise SettingError(f"{out} would overwrite the model. Name another file.")
    read = load_model(model)
    if form == "keras":
        from backsight.runs.export.plain_keras import to_keras

        network = to_keras(read)
        write_files(out.parent, {out.name: network.save})
    else:
        from backsight.runs.export.onnx_file import to_onnx

        data = to_onnx(read)
        write_files(out.parent, {out.name: lambda path: path.write_bytes(data)})
    for line in _explain(read, out):
        typer.echo(line)


def _form_of(to: Form | None, out: Path) -> Form:
    """The form that was named, or that of the file's ending.

    Raises:
        SettingError: neither says one, or Keras would not read a file of that ending.
    """
    ending = out.suffix.removeprefix(".").lower()
    if to is None and ending not in ("keras", "onnx"):
        raise SettingError(f"Name a file that ends in .keras or .onnx, or say --to keras or --to onnx; {out} does not.")
    if (to or ending) == "keras" and out.suffix != ".keras":
        raise SettingError(f"Keras reads files that end in .keras; {out} does not.")
    return to or ("keras" if ending == "keras" else "onnx")


def _explain(model: "Model", out: Path) -> list[str]:
    """What goes in and what comes out."""
    from backsight.windows.windows import input_names

    card = model.card
    units = {column.name: column.unit for column in (card.target, *card.features)}
    columns = input_names(tuple(column.name for column in card.features), card.calendar)
    named = ", ".join(f"{name} ({units[name]})" if units.get(name) else name for name in columns)
    return [
        f"Written to {out}: {card.name}.",
        f"In: windows of shape ({card.lookback}, {len(columns)}), not scaled, the latest step last: {named}.",
        f"Out: {card.target.name}, {card.horizon} step{'s' if card.horizon > 1 else ''} ahead.",
    ]
