"""What a person sees while a job runs: a bar on a terminal, a line now and then elsewhere."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from curation.engine import Counts

LINE_EVERY_S = 10.0


class Screen:
    """Where progress and results are written."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Writes a line."""
        self._console.print(text, markup=False)

    @contextmanager
    def parts(self, job: str, total: int) -> Iterator["PartsDone"]:
        """Follows the parts of a job; ends with a line that sums up."""
        done = PartsDone(self, job, total)
        if self._console.is_terminal:
            columns = (
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[counts]}"),
            )
            with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self._console) as bars:
                done.follow(bars)
                yield done
        else:
            yield done
        done.end()


class PartsDone:
    """Sums the counts of finished parts."""

    def __init__(self, screen: Screen, job: str, total: int) -> None:
        self._screen, self._job, self._total = screen, job, total
        self._sums: Counter[str] = Counter()
        self._num_done, self._started, self._said = 0, time.monotonic(), time.monotonic()
        self._bars: Progress | None = None

    def follow(self, bars: Progress) -> None:
        """Shows the parts as a bar."""
        self._bars, self._task = bars, bars.add_task(self._job, total=self._total, counts="")

    def __call__(self, part: str, counts: Counts) -> None:
        """Takes note of a finished part."""
        self._num_done += 1
        self._sums.update(counts)
        if self._bars is not None:
            self._bars.update(self._task, advance=1, counts=self._words())
        elif time.monotonic() - self._said > LINE_EVERY_S:
            self._said = time.monotonic()
            self._screen.say(f"{self._job}: {self._num_done} of {self._total} parts, {self._words()}")

    def end(self) -> None:
        """Says what came out and how long it took."""
        seconds = time.monotonic() - self._started
        self._screen.say(f"{self._job}: {self._num_done} parts, {self._words()}, {seconds:.0f} s")

    def _words(self) -> str:
        return ", ".join(f"{count:g} {name}" for name, count in self._sums.items() if count)
