"""Lightning's trainer, but for when it ends after a SIGTERM."""

from lightning.pytorch import Trainer


class StageTrainer(Trainer):
    """Ends between two steps alone."""

    @property
    def received_sigterm(self) -> bool:
        """Whether a SIGTERM came, and no step is under way.

        Lightning would end after any batch: of a step of several, before it is saved, back at the last checkpoint.
        """
        begun = self.fit_loop.epoch_loop.batch_progress.current.ready
        return super().received_sigterm and begun % self.accumulate_grad_batches == 0
