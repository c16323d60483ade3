"""How long steps take, and how much of that is waiting for data."""

from dataclasses import dataclass
from time import monotonic
from typing import Any

from lightning.pytorch import Callback, Trainer

from training.module import StageModule


@dataclass
class Clock(Callback):
    """Counts from where a batch is asked for to the end of its pass; what looks at the stage in between is left out.

    Comes last of the callbacks, since the time that they take ends with it. On a GPU work goes on behind the clock, but
    the guard reads a norm once a step, so no more than a step's end is counted with the next one.
    """

    steps_s: float = 0.0
    """Of all passes since `reset`."""
    waited_s: float = 0.0
    """Of that, until the batch was there."""

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:  # type: ignore[override]
        """The first batch is asked for."""
        self._asked = monotonic()

    def on_train_batch_end(self, trainer: Trainer, pl_module: StageModule, outputs: Any, batch: Any, batch_idx: int):  # type: ignore[override]
        """The next batch is asked for."""
        self._asked = monotonic()

    def stop(self, module: StageModule) -> None:
        """A pass is over."""
        self.steps_s += monotonic() - self._asked
        self.waited_s += module.batch_came_s - self._asked

    def reset(self) -> None:
        """Counts from zero."""
        self.steps_s = self.waited_s = 0.0
