"""What long work reports while it runs."""

from typing import Protocol

from backsight.training.events import EpochDone


class Progress(Protocol):
    """Told of what happens, from several threads at once."""

    def started(self, jobs: int) -> None:
        """So many fits lie ahead."""

    def epoch(self, job: str, seed: int, done: EpochDone) -> None:
        """A network has finished an epoch."""

    def finished(self, job: str, seed: int) -> None:
        """A fit is done."""

    def stopping(self) -> None:
        """Ctrl-C was pressed; fits that can't be broken off are waited for."""


class Silent:
    """Reports nothing."""

    def started(self, jobs: int) -> None:
        """Nothing."""

    def epoch(self, job: str, seed: int, done: EpochDone) -> None:
        """Nothing."""

    def finished(self, job: str, seed: int) -> None:
        """Nothing."""

    def stopping(self) -> None:
        """Nothing."""
