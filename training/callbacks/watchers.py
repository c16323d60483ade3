"""All that looks at a stage, in the order in which it does."""

from training.callbacks.checkpoints import Checkpoints
from training.callbacks.clock import Clock
from training.callbacks.evaluations import Evaluations
from training.callbacks.failures import Failures
from training.callbacks.guard import GradientGuard
from training.callbacks.held_out import HeldOutLoss
from training.callbacks.interrupt import Interrupt
from training.callbacks.numbers import Numbers
from training.callbacks.snapshots import Snapshots
from training.callbacks.videos import Videos
from training.config import Stage
from training.run import Run
from training.screen import Screen


class Watchers:
    """The callbacks of a stage."""

    def __init__(self, stage: Stage, run: Run, total: int, screen: Screen, made_from: str) -> None:
        watch, data = stage.watch, stage.data
        self.failures = Failures(run.folder, screen, data.max_failed)
        most_skipped = watch.most_skipped(data.num_steps)
        self.guard = GradientGuard(run.folder / "skipped_steps.json", screen, most_skipped, watch.max_gradient_ratio)
        self.held_out = HeldOutLoss(total, watch.held_out_every, data, screen)
        self.interrupt, clock = Interrupt(screen), Clock()
        self.in_order = [
            self.interrupt,
            self.guard,
            Numbers(
                total, watch.numbers_every, screen, f"stage {run.stage}", self.guard, clock, data, watch.peak_tflops
            ),
            self.failures,
            self.held_out,
            Videos(total, watch.videos_every, watch.captions, data, run.folder / "videos"),
            Evaluations(total, stage.evaluation, data, run, screen),
            Snapshots(total, watch.ema_snapshots_every, run.snapshots),
            # it saves the state of the others
            Checkpoints(total, watch.checkpoint_every, run.checkpoint, screen, made_from, watch.keep_checkpoints),
            clock,  # last: time until it is not of the steps
        ]
