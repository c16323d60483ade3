"""Other systems' objectives train and sample by YAML alone."""

import math

import pytest
import yaml
from tiny_recipe import TinyRecipe

from training.__main__ import main
from training.run import Run

STABLE_DIFFUSION = "schedule: {class_path: training.objective.ScaledLinearSchedule}"
COGVIDEOX = (
    "schedule: {class_path: training.objective.ScaledLinearSchedule, "
    "init_args: {snr_shift: 3, zero_terminal_snr: true}}"
)
SYSTEMS = {
    "modelscope": f"""
        preconditioning: {{class_path: training.objective.EpsilonPreconditioning, init_args: {{{STABLE_DIFFUSION}}}}}
        sigma: {{class_path: training.objective.ScheduledLevels, init_args: {{{STABLE_DIFFUSION}}}}}
        weight: {{class_path: training.objective.MinSnrWeight}}
        noise: {{class_path: training.objective.OffsetNoise}}
        """,
    "cogvideox": f"""
        preconditioning: {{class_path: training.objective.DiscreteVPreconditioning, init_args: {{{COGVIDEOX}}}}}
        sigma: {{class_path: training.objective.ScheduledLevels, init_args: {{{COGVIDEOX}}}}}
        """,
    "open-sora": """
        preconditioning: {class_path: training.objective.FlowPreconditioning}
        sigma: {class_path: training.objective.LogitNormal, init_args: {base_tokens: 4096}}
        weight: {class_path: training.objective.FlowWeight}
        noise: {class_path: training.objective.ProgressiveNoise}
        """,
}


@pytest.mark.slow
@pytest.mark.parametrize("system", SYSTEMS)
def test_the_objective_of_another_system_trains_and_samples(tmp_path, system):
    tiny = TinyRecipe(tmp_path, "cogvideox" if system == "cogvideox" else "svd")
    tiny.pack()
    video = yaml.safe_load((tiny.recipe / "2.yaml").read_text()) | {"init_from": None}
    tiny.write("2", video | {"model": {"objective": yaml.safe_load(SYSTEMS[system])}})
    assert main(tiny.train("2")) == 0
    record = Run(tiny.runs / "2").record
    assert record and all(math.isfinite(measured["loss"]) for measured in record["held_out_loss"])
    assert main(tiny.sample("a red circle")) == 0
