"""What Ctrl-C does to a stage."""

import os
import signal
import threading
from typing import Any

from lightning.pytorch import Callback, Trainer

from training.module import StageModule
from training.screen import Screen


class Interrupt(Callback):
    """The first Ctrl-C ends the stage as SIGTERM does, at the end of its step, saved; the second ends it at once."""

    def __init__(self, screen: Screen) -> None:
        """Nothing is changed before the first step."""
        self.was_pressed = False
        self._screen = screen
        self._before: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: StageModule) -> None:  # type: ignore[override]
        """Listens; Python hears signals in the main thread alone, and where they are ignored they stay so."""
        is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if is_heard and threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._on_signal)

    def teardown(self, trainer: Trainer, pl_module: StageModule, stage: str) -> None:  # type: ignore[override]
        """Listens no longer."""
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None

    def _on_signal(self, *_: Any) -> None:
        signal.signal(signal.SIGINT, self._before)
        self.was_pressed = True
        self._screen.say("Ctrl-C: the step is ended and saved; once more ends at once, and loses what is not saved")
        os.kill(os.getpid(), signal.SIGTERM)
