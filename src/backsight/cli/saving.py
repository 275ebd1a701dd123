"""The options that keep a model of a comparison in a file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight.errors import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console

    from backsight.report.files import Writer
    from backsight.runs.comparison import Comparison
    from backsight.runs.study import Study


@dataclass(frozen=True)
class SaveOptions:
    """A model to keep."""

    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the recommended model to this file, for later forecasts."),
    ] = None
    save_entry: Annotated[
        str | None, typer.Option(metavar="ENTRY", help="Of all models write this one, such as lstm_30.")
    ] = None

    def check(self, *others: Path | str | None) -> None:
        """Make sure, before any long work, that the file can be written, and that it overwrites nothing else.

        Args:
            others: files that are read or written too.

        Raises:
            SettingError: it can't, or would; or an entry is named and no file.
        """
        from backsight.report.files import check_file

        if self.save is None:
            if self.save_entry is not None:
                raise SettingError("--save-entry names the model that --save FILE writes. Give both.")
            return
        check_file(self.save)
        for path in others:
            if path is not None and Path(path).resolve() == self.save.resolve():
                raise SettingError(f"--save {self.save} would overwrite {path}. Name another file.")

    def check_study(self, study: "Study") -> None:
        """Make sure, before any long work, that a file can hold the model.

        Raises:
            SettingError, RecipeError: there is no such entry, or it is, or might be, a function of the user's.
        """
        from backsight.runs.model_file import check_can_be_saved

        if self.save is not None:
            check_can_be_saved(study, self.save_entry)

    def next_files(self, found: "Comparison") -> "Mapping[str, Writer]":
        """Writers of what the model forecasts for the steps after the data, if one is to be kept."""
        from backsight.report.output import next_files
        from backsight.runs.outlook_record import next_record

        if self.save is None:
            return {}
        return next_files(next_record(found.model(self.save_entry), found.series))

    def write(self, found: "Comparison", console: "Console") -> None:
        """Write the model, if one is to be kept, and say so."""
        if self.save is None:
            return
        model = found.model(self.save_entry)
        model.save(self.save)
        seeds = len(model.fitted)
        of_seeds = f", the mean of its {seeds} seeds" if seeds > 1 else ""
        console.print(f"\nSaved to {self.save}: {model.card.name}{of_seeds}.", markup=False)
