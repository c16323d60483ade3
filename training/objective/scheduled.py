"""Parts that know a discrete schedule: levels drawn among its steps, networks that are told a step.

The level itself stays continuous: a network is told the fraction of a step between two, so that samplers may choose
their levels freely, and at a step exactly that step.
"""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from training.objective.checks import need_probability
from training.objective.levels import SigmaDistribution
from training.objective.preconditioning import Preconditioning, Scalings, VPreconditioning
from training.objective.schedule import NoiseSchedule


@dataclass(frozen=True)
class ScheduledLevels(SigmaDistribution):
    """The levels of a schedule's steps, each as often (Ho et al. 2020, algorithm 1)."""

    schedule: NoiseSchedule
    """The steps. A preconditioning that has a schedule must have the same."""

    def draw(self, generator: torch.Generator) -> Tensor:
        """One noise level: () float32, on the generator's device."""
        step = torch.randint(self.schedule.num_steps, (), generator=generator, device=generator.device)
        return torch.tensor(self.schedule.sigmas[int(step)], device=generator.device)

    def quantile(self, p: float) -> float:
        """The level that a draw stays below with probability `p`, 0 < p < 1, to one step.

        Raises:
            ValueError: `p` does not lie between 0 and 1.
        """
        need_probability(p)
        return self.schedule.sigmas[int(p * self.schedule.num_steps)]


@dataclass(frozen=True)
class ScheduledPreconditioning(Preconditioning):
    """A network whose time embedding was made for the steps of a schedule: c_noise is the step."""

    schedule: NoiseSchedule
    """The steps. Of published weights the schedule is a part, so it has no default."""

    def __call__(self, sigma: Tensor) -> Scalings:
        """Scalings at noise levels above 0, any shape."""
        return self.at_any_level(sigma)._replace(c_noise=self.schedule.step_of(sigma))

    @abstractmethod
    def at_any_level(self, sigma: Tensor) -> Scalings:
        """Scalings at noise levels above 0, any shape, but for c_noise."""


@dataclass(frozen=True)
class EpsilonPreconditioning(ScheduledPreconditioning):
    """The network predicts the noise (Ho et al. 2020): Stable Diffusion 1, ModelScopeT2V.

    It sees sqrt(alpha_bar) x + sqrt(1 - alpha_bar) n = (x + sigma n) / sqrt(1 + sigma^2); the estimate is x_noisy -
    sigma F (EDM, table 1, column VP).

    Raises:
        ValueError: the schedule ends without signal.
    """

    def __post_init__(self) -> None:
        if self.schedule.zero_terminal_snr:
            raise ValueError(
                "schedule.zero_terminal_snr: where the network sees nothing but noise, predicting it teaches nothing "
                "(Lin et al. 2023, section 3.2); predict v"
            )

    def at_any_level(self, sigma: Tensor) -> Scalings:
        """Scalings at noise levels above 0, any shape, but for c_noise."""
        return Scalings(torch.ones_like(sigma), -sigma, 1 / (sigma**2 + 1).sqrt(), sigma)


@dataclass(frozen=True)
class DiscreteVPreconditioning(ScheduledPreconditioning):
    """The network predicts v (Salimans & Ho 2022) and is told the step: Stable Diffusion 2.1, CogVideoX."""

    def at_any_level(self, sigma: Tensor) -> Scalings:
        """Scalings at noise levels above 0, any shape, but for c_noise."""
        return VPreconditioning()(sigma)
