"""What a person sees while a job runs: a bar on a terminal, a line now and then elsewhere, a line at the end."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from curation.engine import Counts

LINE_EVERY_S = 10.0
RATES = {"frames": "frames/s"}  # counts that are told as a speed
HOURS = {"footage_s": "of footage"}


def in_words(counts: Mapping[str, float]) -> str:
    """E.g. `6 clips, 2 kept`."""
    return ", ".join(f"{count:g} {name}" for name, count in counts.items())


class Screen:
    """Where progress and results are written."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Writes a line."""
        self._console.print(text, markup=False)

    @contextmanager
    def follow(self, job: str, total: int, unit: str = "parts") -> Iterator["Following"]:
        """Follows the parts of a job; ends with a line that sums up.

        Args:
            job: its name.
            total: how many of `unit` there are to do.
            unit: what is counted off: `parts`, or a count that the parts tell of.
        """
        following = Following(self, job, total, unit)
        if self._console.is_terminal:
            told = TextColumn("{task.fields[told]}")
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn(unit), told)
            with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self._console) as bars:
                following.show(bars)
                yield following
        else:
            yield following
        following.end()


class Following:
    """Sums what the parts of a job have counted: those that are done, and those at work."""

    def __init__(self, screen: Screen, job: str, total: int, unit: str) -> None:
        self._screen, self._job, self._total, self._unit = screen, job, total, unit
        self._sums, self._at_work = Counter[str](), dict[str, Counts]()
        self._started = self._said = time.monotonic()
        self._bars: Progress | None = None

    def show(self, bars: Progress) -> None:
        """Shows it as a bar."""
        self._bars, self._task = bars, bars.add_task(self._job, total=self._total, told="")

    def done(self, part: str, counts: Counts) -> None:
        """Takes note of a part that is done."""
        self._at_work.pop(part, None)
        self._sums.update({"parts": 1} | counts)
        self._tell()

    def going(self, part: str, counts: Counts) -> None:
        """Takes note of what a part at work has counted so far."""
        self._at_work[part] = counts
        self._tell()

    def _tell(self) -> None:
        now = self._now()
        if self._bars is not None:
            self._bars.update(self._task, completed=now[self._unit], told=self._words(now))
        elif time.monotonic() - self._said > LINE_EVERY_S:
            self._said = time.monotonic()
            begun = f"{self._job}: {now[self._unit]:g} of {self._total} {self._unit}"
            self._screen.say(", ".join(filter(None, [begun, self._words(now)])))

    def end(self) -> None:
        """Says what came out and how long it took."""
        now, seconds = self._now(), time.monotonic() - self._started
        done = f"{self._job}: {now[self._unit]:g} {self._unit}"
        self._screen.say(", ".join(filter(None, [done, self._words(now), f"{seconds:.0f} s"])))

    def _now(self) -> Counter[str]:
        now = Counter(self._sums)
        for counts in self._at_work.values():
            now.update(counts)
        return now

    def _words(self, counts: Mapping[str, float]) -> str:
        seconds = max(1e-3, time.monotonic() - self._started)
        told = []
        for name, count in counts.items():
            if name in RATES:
                told.append(f"{count / seconds:,.0f} {RATES[name]}")
            elif name in HOURS:
                told.append(f"{count / 3600:,.1f} h {HOURS[name]}" if count >= 3600 else f"{count:.0f} s {HOURS[name]}")
            elif count and name not in (self._unit, "parts"):
                told.append(f"{count:g} {name}")
        return ", ".join(told)
