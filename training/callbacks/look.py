"""When it is time to look at a stage, and where the numbers go."""

from collections.abc import Mapping
from dataclasses import dataclass

from lightning.pytorch import Callback, Trainer

from training.module import StageModule


def is_due(seen: int, before: int, every: int, total: int) -> bool:
    """Whether a multiple of `every` samples, or the end, was reached by the step from `before` to `seen` samples."""
    return seen >= total or (every > 0 and seen // every > before // every)


@dataclass
class Look(Callback):
    """Base of what looks at a stage now and then."""

    total: int
    """Samples of the stage."""

    def is_due(self, module: StageModule, batch_idx: int, every: int) -> bool:
        """Whether it is time, after a batch of the stage; never between the batches of one step."""
        if not self.ends_step(module, batch_idx):
            return False
        before = module.samples_at(module.trainer.global_step - 1)
        return is_due(module.samples_seen, before, every, self.total)

    @staticmethod
    def ends_step(module: StageModule, batch_idx: int) -> bool:
        """Whether a batch is the last one of its step."""
        return (batch_idx + 1) % module.trainer.accumulate_grad_batches == 0


def log(trainer: Trainer, module: StageModule, numbers: Mapping[str, float]) -> None:
    """Writes numbers to all loggers over samples seen."""
    for logger in trainer.loggers:
        logger.log_metrics(dict(numbers), step=module.samples_seen)
