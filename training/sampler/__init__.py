"""From noise to latents: the schedule of noise levels and the steps between them, by `training.sampler.<Name>`.

Knows nothing of captions, guidance or networks: it is handed a function that denoises.
"""

from training.sampler.dpm_solver import DpmSolverSampler
from training.sampler.euler import EulerSampler
from training.sampler.heun import HeunSampler
from training.sampler.sampler import Denoise, DenoiseAt, FreshNoise, Sampler

__all__ = ["Denoise", "DenoiseAt", "DpmSolverSampler", "EulerSampler", "FreshNoise", "HeunSampler", "Sampler"]
