"""What the denoiser learns: the noise levels, the noise, what the network predicts, and the weight of its error.

Small parts that YAML replaces one by one, by `training.objective.<Name>`. Owns no network and no random state.
"""

from training.objective.flow_levels import FlowLevels, LogitNormal, UniformTime
from training.objective.levels import LogNormal, SigmaDistribution
from training.objective.noise import IndependentNoise, MixedNoise, NoisePrior, OffsetNoise, ProgressiveNoise
from training.objective.objective import Network, Objective
from training.objective.preconditioning import (
    EdmPreconditioning,
    FlowPreconditioning,
    Preconditioning,
    Scalings,
    VPreconditioning,
)
from training.objective.schedule import CosineSchedule, LinearSchedule, NoiseSchedule, ScaledLinearSchedule
from training.objective.scheduled import (
    DiscreteVPreconditioning,
    EpsilonPreconditioning,
    ScheduledLevels,
    ScheduledPreconditioning,
)
from training.objective.weight import EdmWeight, EpsilonWeight, FlowWeight, LossWeight, MinSnrWeight

__all__ = [
    "CosineSchedule",
    "DiscreteVPreconditioning",
    "EdmPreconditioning",
    "EdmWeight",
    "EpsilonPreconditioning",
    "EpsilonWeight",
    "FlowLevels",
    "FlowPreconditioning",
    "FlowWeight",
    "IndependentNoise",
    "LinearSchedule",
    "LogNormal",
    "LogitNormal",
    "LossWeight",
    "MinSnrWeight",
    "MixedNoise",
    "Network",
    "NoisePrior",
    "NoiseSchedule",
    "Objective",
    "OffsetNoise",
    "Preconditioning",
    "ProgressiveNoise",
    "ScaledLinearSchedule",
    "Scalings",
    "ScheduledLevels",
    "ScheduledPreconditioning",
    "SigmaDistribution",
    "UniformTime",
    "VPreconditioning",
]
