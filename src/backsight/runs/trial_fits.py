"""Fits of trials on disk, so that a search that is killed does none of them again.

Beside the journal, where a trial is one line when all of it is done, lies `fits.jsonl`: a ledger with one checksummed
line a finished fit, or several seeds that were fitted at once. Trainings in progress leave checkpoints, as in any run.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from threading import Lock
from typing import Any

from backsight.errors import SettingError
from backsight.runs.checkpoints import FileCheckpoints
from backsight.runs.durable import make_folder
from backsight.runs.folder import UNFINISHED
from backsight.runs.forms import check_fits
from backsight.runs.ledger import append_record, settle
from backsight.runs.trial import LOOK_EVERY, Scored, Trial

#: The ledger of fits.
FITS = "fits.jsonl"

Key = tuple[str, int, int, tuple[int, ...]]


class TrialFits:
    """Fits of a search's trials, in its folder, which is this process's own; used from several threads."""

    def __init__(self, folder: Path, models: Iterable[str]) -> None:
        """Read what is there.

        Args:
            folder: of the search.
            models: names of the candidates, in their order.

        Raises:
            SettingError: the ledger is damaged, or can't be read.
        """
        self._path, self._unfinished = folder / FITS, folder / UNFINISHED
        if self._unfinished.is_symlink():  # else checkpoints would go wherever it leads
            raise SettingError(
                f"{self._unfinished} is a link, and folders of a run are plain ones. Name another --out."
            )
        make_folder(self._unfinished)
        self._places = {name: place for place, name in enumerate(models)}
        records = settle(self._path)
        check_fits(records, self._path)
        self._known = {_key(record): record for record in records}
        self._lock = Lock()

    def check(self, trials: Iterable[Trial]) -> None:
        """Make sure that trials have the errors that their fits had: lines of a journal have no checksum.

        Raises:
            SettingError: one has others.
        """
        noted = {
            (*key[:3], seed): error
            for key, record in self._known.items()
            for seed, error in zip(key[3], record["rmse"], strict=True)
        }
        for trial in trials:
            for fold, errors in enumerate(trial.rmse):
                for seed, error in enumerate(errors):
                    if noted.get((trial.model, trial.number, fold, seed), error) != error:
                        raise SettingError(
                            f"Trial {trial.number} of {trial.model} has other errors in the journal than in "
                            f"{self._path}: one of the two was changed. Take them from a copy, or begin the search "
                            f"anew in another folder."
                        )

    def of(self, model: str, number: int, values: dict[str, Any]) -> "FitsOfTrial":
        """Those of one trial."""
        return FitsOfTrial(self, model, number, values)

    def known(self, key: Key, values: dict[str, Any]) -> list[Scored] | None:
        """Fits that are done, of a trial with these values."""
        record = self._known.get(key)
        if record is None or record["values"] != values:
            return None
        looks = tuple((LOOK_EVERY * place, best) for place, best in enumerate(record["looks"], 1))
        return [Scored(error, epochs, looks) for error, epochs in zip(record["rmse"], record["epochs"], strict=True)]

    def keep(self, key: Key, values: dict[str, Any], found: Sequence[Scored]) -> None:
        """Note fits that are done. Those of a network that diverged are not noted, and would be done again."""
        looks = [best for _, best in found[0].looks]
        if not all(map(isfinite, [*(one.rmse for one in found), *looks])):
            return
        model, number, fold, seeds = key
        record = {
            "model": model,
            "trial": number,
            "values": values,
            "fold": fold,
            "seeds": list(seeds),
            "rmse": [one.rmse for one in found],
            "epochs": [one.epochs for one in found],
            "looks": looks,
        }
        with self._lock:
            append_record(self._path, record)
            self._known[key] = record
        self.checkpoints(key).remove()

    def checkpoints(self, key: Key) -> FileCheckpoints:
        """Where a training stands."""
        model, number, fold, seeds = key
        name = f"trial-{self._places[model]}-{number}-fold{fold}-seed{seeds[0]}"
        return FileCheckpoints(self._unfinished / f"{name}.checkpoint")


@dataclass(frozen=True)
class FitsOfTrial:
    """A `runs.trial.TrialKeeper`: those of one trial.

    Attributes:
        fits: of all.
        model, number, values: of the trial.
    """

    fits: TrialFits
    model: str
    number: int
    values: dict[str, Any]

    def known(self, fold: int, seeds: Sequence[int]) -> list[Scored] | None:
        """What came of fits that are done; None if they are not."""
        return self.fits.known(self._key(fold, seeds), self.values)

    def keep(self, fold: int, seeds: Sequence[int], found: Sequence[Scored]) -> None:
        """Note that they are done."""
        self.fits.keep(self._key(fold, seeds), self.values, found)

    def checkpoints(self, fold: int, seeds: Sequence[int]) -> FileCheckpoints:
        """Where their training stands."""
        return self.fits.checkpoints(self._key(fold, seeds))

    def given_up(self) -> None:
        """Forget where the first training stood: nobody goes on with it."""
        self.checkpoints(0, [0]).remove()

    def _key(self, fold: int, seeds: Sequence[int]) -> Key:
        return self.model, self.number, fold, tuple(seeds)


def _key(record: dict[str, Any]) -> Key:
    return record["model"], record["trial"], record["fold"], tuple(record["seeds"])
