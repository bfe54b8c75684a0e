"""Says how a run gets on: a moving line in a terminal, one plain line a step elsewhere.

Progress goes to standard error, so that standard output stays for the answer.
"""

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.status import Status

from cxmodels.refresh.run import Step


class Silent:
    """Says nothing, for tests and libraries."""

    def resumed(self, finished: int, steps: Sequence[Step]) -> None:
        """Nothing."""

    def began(self, place: int, steps: Sequence[Step]) -> None:
        """Nothing."""

    def finished(self, place: int, steps: Sequence[Step], sentence: str, seconds: float) -> None:
        """Nothing."""


class Spoken:
    """Tells each step on a console; where that is a terminal, also while it runs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None

    def __enter__(self) -> "Spoken":
        return self

    def __exit__(self, *_: Any) -> None:
        self._quiet()

    def _quiet(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _say(self, line: str) -> None:
        self._console.print(line, soft_wrap=True, highlight=False)

    def resumed(self, finished: int, steps: Sequence[Step]) -> None:
        """Say where an interrupted run is taken up."""
        last = steps[finished - 1].name
        self._say(f"resuming after step {finished} of {len(steps)} ({last})")

    def began(self, place: int, steps: Sequence[Step]) -> None:
        """Show what is being done now."""
        if self._console.is_terminal:
            text = f"step {place + 1} of {len(steps)}: {escape(steps[place].doing)} ..."
            self._status = self._console.status(text)
            self._status.start()

    def finished(self, place: int, steps: Sequence[Step], sentence: str, seconds: float) -> None:
        """Say what the step found and how long it took."""
        self._quiet()
        head = f"step {place + 1} of {len(steps)}  {steps[place].name:<9}"
        self._say(f"[dim]{head}[/dim] {escape(sentence)} [dim]({seconds:.1f} s)[/dim]")
