"""The unit of work, by name."""

from typing import NamedTuple


class Piece(NamedTuple):
    """One fit: of which entry, for which exam of a backtest (from 1; 1 if there is one exam), with which seed."""

    entry: str
    fold: int
    seed: int

    def __str__(self) -> str:
        fold = f", fold {self.fold}" if self.fold > 1 else ""
        return f"{self.entry}{fold}, seed {self.seed}"
