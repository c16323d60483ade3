"""What a person sees while a stage trains: a bar in samples on a terminal, a line now and then elsewhere."""

import time
from datetime import timedelta

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY_S = 15.0


class Screen:
    """Where progress is shown."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False, soft_wrap=True, emoji=False)
        self._bars: Progress | None = None
        self._said = time.monotonic()

    def say(self, text: str) -> None:
        """Writes a line."""
        self._console.print(text, markup=False)

    def mute(self) -> None:
        """Shows nothing any more: of several ranks one speaks."""
        self._console.quiet = True

    def begin(self, name: str, total: int, done: int) -> None:
        """Starts to follow a stage of `total` samples of which `done` lie behind."""
        self._name, self._total, self._begun = name, total, (time.monotonic(), done)
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[words]}"))
            self._bars = Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=self._console)
            self._task = self._bars.add_task(name, total=total, completed=done, words="")
            self._bars.start()

    def follow(self, done: int, words: str) -> None:
        """Takes note of the samples that lie behind."""
        counted = f"{done:,} of {self._total:,} samples, {words}"
        if self._bars is not None:
            self._bars.update(self._task, completed=done, words=counted)
        elif time.monotonic() - self._said > LINE_EVERY_S:
            self._said = time.monotonic()
            self.say(f"{self._name}: {counted}{self._left(done)}")

    def _left(self, done: int) -> str:
        """At the pace since the begin, as the bar tells it too."""
        then, before = self._begun
        if done <= before:
            return ""
        seconds = (self._total - done) * (self._said - then) / (done - before)
        return f", {timedelta(seconds=round(seconds))} left"

    def end(self) -> None:
        """Takes the bar away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None
