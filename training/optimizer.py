"""The optimizer and its learning rate, which is a function of samples seen."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Adam:
    """AdamW (Loshchilov and Hutter 2019) with a linear warm-up to a constant rate."""

    learning_rate: float = 1e-4
    """After warm-up."""
    warmup_samples: int = 0
    """Samples over which the rate rises from 0."""
    weight_decay: float = 0.01
    """Per step, times the learning rate."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Decay of the running means of gradient and squared gradient."""

    def __post_init__(self) -> None:
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate must be above 0, not {self.learning_rate}")
        if not (self.warmup_samples >= 0 and self.weight_decay >= 0):
            raise ValueError(f"warmup_samples and weight_decay are at least 0: {self}")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas lie in 0 <= beta < 1, not {self.betas}")

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.AdamW:
        """The optimizer of these parameters and of no others."""
        return torch.optim.AdamW(parameters, lr=self.learning_rate, betas=self.betas, weight_decay=self.weight_decay)

    def rate(self, samples_seen: int) -> float:
        """Learning rate of the step that follows after so many samples."""
        if samples_seen >= self.warmup_samples:
            return self.learning_rate
        return self.learning_rate * (samples_seen + 1) / (self.warmup_samples + 1)


def learning(optimizer: torch.optim.Optimizer) -> list[torch.Tensor]:
    """All weights of an optimizer, at no walk through modules, which takes milliseconds of every step."""
    return [weight for group in optimizer.param_groups for weight in group["params"]]
